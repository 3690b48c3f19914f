"""Grammars for calls: they take what models write, and whatever they make is read as calls that fit the tools."""

from __future__ import annotations

import json
import random

import pytest

from adapter.calls.output import OutputPlan
from adapter.chat import (
    Chat,
    Message,
    OutputFormat,
    OutputKind,
    Reasoning,
    Role,
    Tool,
    ToolChoice,
    ToolMode,
)
from adapter.constrain import gbnf
from adapter.constrain.check import check_json
from adapter.engines.llama.template import ChatTemplate
from adapter.errors import BadRequest
from tests.gbnf_walk import Grammar
from tests.unit.calls_cases import (
    ALL,
    ANSWERS,
    GPT_OSS,
    GRANITE33,
    HI,
    LFM2,
    LFM25,
    MINISTRAL,
    QWEN3,
    QWEN25,
    QWEN35,
    TOOLS,
    WEATHER,
    Answer,
    asked,
    hermes,
    source_of,
)
from tests.unit.test_calls_answers import IDS, read

TEMPLATES = {name: ChatTemplate(source_of(name)) for name in ALL}
SCHEMAS = {tool.name: json.loads(tool.parameters) for tool in TOOLS}
REQUIRED = ToolChoice(ToolMode.REQUIRED)
SCHEMA = OutputFormat(OutputKind.SCHEMA, '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
THINKERS = (QWEN3, QWEN35, MINISTRAL, GRANITE33, GPT_OSS, LFM2, LFM25)
LAZY = [(answer, name) for answer, name in zip(ANSWERS, IDS, strict=True) if answer.fits and answer.whole]


def plan_of(name: str, **changes: object) -> OutputPlan:
    return TEMPLATES[name].render(asked(**changes)).plan


def grammar_of(plan: OutputPlan) -> Grammar:
    assert plan.grammar is not None
    gbnf.check(plan.grammar, param=None)  # what llama.cpp would refuse
    return Grammar(plan.grammar)


@pytest.mark.parametrize("answer", [answer for answer, _ in LAZY], ids=[name for _, name in LAZY])
def test_lazy_grammar_takes_the_calls_that_models_write(answer: Answer) -> None:
    """From the call on, to the end of the answer."""
    plan = plan_of(answer.template)
    assert plan.waits_for_call
    grammar = grammar_of(plan)
    parts, call_at = read(plan, [answer.raw], True)
    if any(part[0] == "call" for part in parts):
        raw = answer.raw.removesuffix("<|tool_response>").removesuffix("<|call|>")
        assert grammar.matches(raw[call_at:].rstrip())


@pytest.mark.parametrize("name", ALL)
def test_required_grammar_makes_nothing_but_calls(name: str) -> None:
    plan = plan_of(name, tool_choice=REQUIRED)
    assert not plan.waits_for_call
    grammar = grammar_of(plan)
    rng = random.Random(name)
    seen: set[str] = set()
    for _ in range(60):
        raw = grammar.sample(rng)
        parts, call_at = read(plan, [raw], True)
        assert call_at is not None
        calls = [part for part in parts if part[0] != "thought"]
        assert calls
        assert all(call[0] == "call" for call in calls), raw
        for _, tool, arguments in calls:
            seen.add(tool)
            wrong = check_json(SCHEMAS[tool], arguments)
            assert wrong is None or (plan.check_call is not None and plan.check_call(tool, arguments)), raw
    assert seen == set(SCHEMAS)


@pytest.mark.parametrize("name", ALL)
def test_named_tool_and_single_call(name: str) -> None:
    plan = plan_of(name, tool_choice=ToolChoice(ToolMode.REQUIRED, name="now", parallel=False))
    grammar = grammar_of(plan)
    rng = random.Random(name)
    for _ in range(20):
        parts, _ = read(plan, [grammar.sample(rng)], True)
        assert [part[1] for part in parts if part[0] == "call"] == ["now"]


def test_single_call_ends_the_answer() -> None:
    two = f'{hermes("now", "{}")}\n{hermes("now", "{}")}'
    assert grammar_of(plan_of(QWEN25)).matches(two)
    single = grammar_of(plan_of(QWEN25, tool_choice=ToolChoice(parallel=False)))
    assert not single.matches(two)
    assert single.matches(hermes("now", "{}"))


@pytest.mark.parametrize("name", ALL)
def test_form_of_the_whole_answer(name: str) -> None:
    """Behind an optional or an opened block of reasoning, where the model reasons, the answer has the form, and is read as
    text."""
    thinks = name in THINKERS
    for output, fits in (
        (SCHEMA, lambda text: check_json(json.loads(SCHEMA.text), text) is None),
        (OutputFormat(OutputKind.JSON), lambda text: isinstance(json.loads(text), dict)),
        (OutputFormat(OutputKind.REGEX, "[0-9]{3}x?"), lambda text: text.rstrip("x").isdigit()),
        (OutputFormat(OutputKind.CHOICE, '["yes", "no"]'), lambda text: text in ("yes", "no")),
    ):
        plan = plan_of(name, tools=(), output=output)
        assert not plan.waits_for_call
        grammar = grammar_of(plan)
        rng = random.Random(name)
        thought = 0
        for _ in range(20):
            parts, call_at = read(plan, [grammar.sample(rng)], True)
            assert call_at is None
            thought += parts[0][0] == "thought"
            assert [part[0] for part in parts if part[0] != "thought"] == ["text"]
            assert fits(parts[-1][1])
        assert bool(thought) == thinks


@pytest.mark.parametrize("name", ALL)
def test_form_and_tools_together(name: str) -> None:
    """Either calls or the form, both in reach."""
    plan = plan_of(name, output=SCHEMA)
    assert not plan.waits_for_call
    grammar = grammar_of(plan)
    rng = random.Random(name)
    kinds = set()
    for _ in range(40):
        parts, _ = read(plan, [grammar.sample(rng)], True)
        found = {part[0] for part in parts} - {"thought"}
        assert len(found) == 1, parts
        kinds |= found
    assert kinds == {"call", "text"}


def test_users_grammar() -> None:
    """As it is; behind the reasoning that the template opened; never with tools."""
    own = OutputFormat(OutputKind.GRAMMAR, 'root ::= word " " word\nword ::= "a-root" | [root]+\n', "grammar")
    assert plan_of(QWEN25, tools=(), output=own).grammar == own.text
    opened = grammar_of(plan_of(QWEN35, tools=(), output=own))
    assert opened.matches("Hm.</think>\n\na-root root")
    assert not opened.matches("Hm.</think>\n\nb")
    assert grammar_of(plan_of(GPT_OSS, tools=(), output=own)).matches("<|channel|>final<|message|>a-root too")
    with pytest.raises(BadRequest) as caught:
        plan_of(QWEN25, output=own)
    assert caught.value.param == "grammar"


def test_required_wins_over_a_form() -> None:
    plan = plan_of(QWEN25, tool_choice=REQUIRED, output=SCHEMA)
    assert grammar_of(plan).matches(hermes("now", "{}"))
    assert not grammar_of(plan).matches('{"a": 1}')


def test_what_a_grammar_cannot_hold_is_checked() -> None:
    schema = '{"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true}}, "required": ["a"]}'
    plan = plan_of(QWEN25, tools=(Tool("f", "", schema),))
    assert plan.check_call is not None
    assert plan.check_call("f", '{"a": [1, 2]}') is None
    assert "$.a" in (plan.check_call("f", '{"a": [1, 1]}') or "")
    plan = plan_of(QWEN25, tools=(), output=OutputFormat(OutputKind.SCHEMA, schema))
    assert plan.check_text is not None
    assert plan.check_text('{"a": [1, 2]}') is None
    assert "$.a" in (plan.check_text('{"a": [1, 1]}') or "")
    # calls instead of the form: no text to check
    both = plan_of(QWEN25, output=OutputFormat(OutputKind.SCHEMA, schema))
    assert both.check_text is not None
    assert both.check_text("") is None


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (asked(tools=(WEATHER, WEATHER)), "tools[1].function.name"),
        (asked(tools=(Tool(""),)), "tools[0].function.name"),
        (asked(tools=(Tool("a b"),)), "tools[0].function.name"),
        (asked(tools=(Tool('a"}'),)), "tools[0].function.name"),
        (asked(tools=(Tool("x" * 129),)), "tools[0].function.name"),
        (asked(tools=(Tool("f", "", "[]"),)), "tools[0].function.parameters"),
        (asked(tools=(Tool("f", "", "{"),)), "tools[0].function.parameters"),
        (asked(tools=(Tool("f", "", '{"a":' * 5000 + "1" + "}" * 5000),)), "tools[0].function.parameters"),
        (asked(tools=(Tool("f", "", '{"type": "string"}'),)), "tools[0].function.parameters"),
        (asked(tools=(Tool("f", "", '{"properties": {"a": {"type": "nothing"}}}'),)), "tools[0].function.parameters"),
        (asked(tool_choice=ToolChoice(ToolMode.REQUIRED, name="rm")), "tool_choice"),
        (asked(tools=(), tool_choice=REQUIRED), "tool_choice"),
        (asked(tools=(), output=OutputFormat(OutputKind.SCHEMA, "{")), "response_format"),
        (asked(tools=(), output=OutputFormat(OutputKind.CHOICE, "[1]")), "response_format"),
        (asked(tools=(), output=OutputFormat(OutputKind.CHOICE, "[]")), "response_format"),
        (asked(tools=(), output=SCHEMA, messages=(HI, Message(Role.ASSISTANT, "{"))), "response_format"),
        (asked(template_options="[]"), "chat_template_kwargs"),
    ],
)
def test_impossible_requests_name_their_field(chat: Chat, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        TEMPLATES[QWEN25].render(chat)
    assert caught.value.param == param
    assert len(caught.value.message) > 20


@pytest.mark.parametrize(
    ("name", "reasoning", "tokens"),
    [
        (QWEN3, Reasoning(), None),
        (QWEN3, Reasoning(effort="none"), 0),
        (QWEN3, Reasoning(effort="minimal"), 128),
        (QWEN3, Reasoning(effort="low"), 512),
        (QWEN3, Reasoning(effort="medium"), 2048),
        (QWEN3, Reasoning(effort="high"), None),
        (QWEN3, Reasoning(effort="low", max_tokens=9), 9),
        (GPT_OSS, Reasoning(effort="low"), None),
        (GPT_OSS, Reasoning(effort="none"), 0),
        (GPT_OSS, Reasoning(max_tokens=7), 7),
    ],
)
def test_budget(name: str, reasoning: Reasoning, tokens: int | None) -> None:
    assert plan_of(name, reasoning=reasoning).reasoning_tokens == tokens


def test_closing_reasoning_leads_into_an_answer() -> None:
    """What the engine writes to end a block is what the parser and the grammars know as its end."""
    for name in ALL:
        for chat in (asked(), asked(tools=()), asked(tool_choice=REQUIRED), asked(tools=(), output=SCHEMA)):
            plan = TEMPLATES[name].render(chat).plan
            tags = TEMPLATES[name].family.tags
            assert tags is not None
            parser = plan.new_parser()
            parser.feed(f"{tags.open}Hm")
            assert parser.in_reasoning
            parser.feed(plan.closes_reasoning)
            assert not parser.in_reasoning


def test_too_many_tools_for_a_grammar_still_get_one() -> None:
    """The longest schemas are left out of it: their arguments are JSON, whatever is in it; short ones are still held."""
    long = {f"a{index}": {"type": "integer", "minimum": index} for index in range(200)}
    many = tuple(
        Tool(f"t{index}", "", json.dumps({"type": "object", "properties": long})) for index in range(50)
    )
    for name in (QWEN25, QWEN35, GPT_OSS):
        plan = plan_of(name, tools=(WEATHER, *many), tool_choice=REQUIRED)
        rng = random.Random(1)
        grammar = grammar_of(plan)
        assert all(part[0] in ("call", "thought") for _ in range(10) for part in read(plan, [grammar.sample(rng)], True)[0])
    grammar = grammar_of(plan_of(QWEN25, tools=(WEATHER, *many)))
    assert grammar.matches(hermes("t7", '{"x": "y"}'))
    assert grammar.matches(hermes("get_weather", '{"city": "Bern"}'))
    assert not grammar.matches(hermes("get_weather", '{"x": "y"}'))


def test_same_tools_are_compiled_once() -> None:
    assert plan_of(QWEN25).grammar is plan_of(QWEN25).grammar
