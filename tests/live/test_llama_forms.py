"""Answers held to a form, by real workers: every schema's answer is valid, every family's call is a call.

The models are noise, so nothing but the grammar makes an answer fit. A bias towards the characters that close
things keeps the noise short.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_asyncio

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningDelta,
    Role,
    Sampling,
    TextDelta,
    TokenBias,
    Tool,
    ToolCallDelta,
    ToolChoice,
    ToolMode,
)
from adapter.engines.llama.engine import LlamaEngine
from adapter.errors import BadRequest, EngineFailed, OutputInvalid
from adapter.settings import LlamaSettings
from tests.constrain_cases import CASES, client_cases
from tests.fakes.tiny_gguf import write_random
from tests.live.llama_cases import LONGEST_S, MakeEngine

TEMPLATES = Path(__file__).resolve().parents[1] / "data" / "templates"
# The tiny models' first 256 tokens are the bytes.
CLOSING = tuple(TokenBias(ord(char), 12.0) for char in '"]}')
SCHEMAS = [(case.name, case.schema, case.unchecked) for case in CASES] + [
    (name, schema, ()) for name, tool, schema in client_cases() if not tool
]
TOOL_SCHEMAS = [(name, schema) for name, tool, schema in client_cases() if tool]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaEngine]:
    """One worker for all the schemas: what one leaves behind must not matter to the next."""
    folder = tmp_path_factory.mktemp("forms")
    write_random(folder / "noise.gguf", context=16_384)
    settings = {"name": "t", "kind": "llama", "model": str(folder / "noise.gguf"), "threads": 1, "ctx_tokens": 16_384}
    engine = LlamaEngine(LlamaSettings.model_validate(settings), folder)
    yield engine
    await engine.close()


def asking(**fields: Any) -> Chat:
    sampling = Sampling(temperature=1.0, seed=7, max_tokens=4_000, logit_bias=CLOSING)
    return Chat("any", (Message(Role.USER, "hi"),), sampling, **fields)


def led(chat: Chat, schema: Any) -> Chat:
    """Hot, with a bias towards the letters of the schema's patterns: noise alone would look for a match for ever."""
    text = json.dumps(schema)
    patterns = re.findall(r'"pattern": "([^"]*)"', text)
    letters = {char for pattern in patterns for char in pattern if char.isascii() and char not in '"]}'}
    if '"email"' in text:
        letters |= set("a@b.c")
    bias = tuple(TokenBias(ord(char), 100.0) for char in sorted(letters | set('"]}')))
    sampling = replace(chat.sampling, temperature=20.0, top_k=0, top_p=1.0, min_p=0.0, logit_bias=bias)
    return replace(chat, sampling=sampling)


async def collect(engine: LlamaEngine, chat: Chat) -> tuple[str, list[ToolCallDelta], Finished]:
    """Text, deltas of calls, and the end."""
    async with asyncio.timeout(LONGEST_S):
        events: list[Event] = [event async for event in engine.generate(chat)]
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    end = events[-1]
    assert isinstance(end, Finished)
    return text, [event for event in events if isinstance(event, ToolCallDelta)], end


def valid(schema: Any, value: Any) -> None:
    """By a library that shares nothing with our own check."""
    jsonschema.Draft202012Validator(schema).validate(value)


def test_there_are_enough_schemas() -> None:
    assert len(SCHEMAS) >= 60
    assert len(TOOL_SCHEMAS) >= 20


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("name", "schema", "unchecked"), SCHEMAS, ids=[name for name, *_ in SCHEMAS])
async def test_every_answer_is_valid(engine: LlamaEngine, name: str, schema: Any, unchecked: tuple[str, ...]) -> None:
    """What a grammar cannot say is checked afterwards: then the answer is valid, or it is an error that says why."""
    output = OutputFormat(OutputKind.SCHEMA, json.dumps(schema))
    try:
        text, _, end = await collect(engine, led(asking(output=output), schema))
    except OutputInvalid as exc:
        assert unchecked
        assert "does not fit" in exc.message
        return
    assert end.reason is FinishReason.STOP
    valid(schema, json.loads(text))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("name", "schema"), TOOL_SCHEMAS, ids=[name for name, _ in TOOL_SCHEMAS])
async def test_arguments_of_recorded_tools_are_valid(engine: LlamaEngine, name: str, schema: Any) -> None:
    tool = Tool("the_tool", "does it", json.dumps(schema))
    try:
        asked = asking(tools=(tool,), tool_choice=ToolChoice(ToolMode.REQUIRED, parallel=False))
        _, calls, end = await collect(engine, led(asked, schema))
    except OutputInvalid as exc:
        assert "the_tool" in exc.message
        return
    assert end.reason is FinishReason.TOOL_CALLS
    for arguments in arguments_of(calls):
        valid(schema, arguments)


@pytest.mark.asyncio(loop_scope="module")
async def test_json_mode(engine: LlamaEngine) -> None:
    text, _, _ = await collect(engine, asking(output=OutputFormat(OutputKind.JSON)))
    assert isinstance(json.loads(text), dict)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "pattern", [r"[0-9]{4}-[0-9]{2}", r"(yes|no)[.!]", r"a.{3}z", r"\d+(\.\d{1,2})? (EUR|USD)", r"[^a-z]{5}", r"x?y*z{2,3}"]
)
async def test_regex(engine: LlamaEngine, pattern: str) -> None:
    asked = asking(output=OutputFormat(OutputKind.REGEX, pattern, "guided_regex"))
    limited = replace(asked, sampling=replace(asked.sampling, logit_bias=(), max_tokens=400))
    text, _, end = await collect(engine, limited)
    if end.reason is FinishReason.STOP:
        assert re.fullmatch(pattern, text, re.DOTALL)
    else:
        assert "+" in pattern or "*" in pattern  # noise may like digits for ever


@pytest.mark.asyncio(loop_scope="module")
async def test_choice_and_grammar(engine: LlamaEngine) -> None:
    options = ["red", "dark red", 'a "quoted" word', "Grün"]
    text, _, _ = await collect(engine, asking(output=OutputFormat(OutputKind.CHOICE, json.dumps(options))))
    assert text in options
    grammar = 'root ::= greeting " " [A-Z] [a-z]{2,4}\ngreeting ::= "hello" | "bye"'
    text, _, _ = await collect(engine, asking(output=OutputFormat(OutputKind.GRAMMAR, grammar, "grammar")))
    assert re.fullmatch("(hello|bye) [A-Z][a-z]{2,4}", text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (OutputKind.GRAMMAR, "this is no grammar"),
        (OutputKind.GRAMMAR, 'rule ::= "no root"'),
        (OutputKind.GRAMMAR, 'root ::= root "a"'),
        (OutputKind.GRAMMAR, "root ::= missing"),
        (OutputKind.GRAMMAR, "root ::= " + "(" * 200_000 + '"a"' + ")" * 200_000),
        (OutputKind.GRAMMAR, 'root ::= "a"{1000000}'),
        (OutputKind.REGEX, "(a"),
        (OutputKind.REGEX, "(a{1000}){1000}"),
        (OutputKind.REGEX, "(?=a)b"),
        (OutputKind.SCHEMA, '{"type": "string", "enum": []}'),
        (OutputKind.SCHEMA, '{"$ref": "https://example.com/x"}'),
        (OutputKind.SCHEMA, '{"type": "integer", "minimum": 5, "maximum": 4}'),
        (OutputKind.SCHEMA, json.dumps({"enum": [f"word {n}" for n in range(100_000)]})),
        (OutputKind.SCHEMA, '{"type": "nothing"}'),
    ],
)
async def test_impossible_forms_are_refused_by_name(engine: LlamaEngine, kind: OutputKind, text: str) -> None:
    """Within seconds, without harm to the worker."""
    with pytest.raises(BadRequest) as caught:
        await collect(engine, asking(output=OutputFormat(kind, text, "the_field")))
    assert caught.value.param is not None
    assert caught.value.param.startswith("the_field")
    text, _, _ = await collect(engine, asking(output=OutputFormat(OutputKind.CHOICE, '["fine"]')))
    assert text == "fine"


@pytest.mark.asyncio(loop_scope="module")
async def test_grammar_that_doubles_its_work_with_every_level_is_given_up(engine: LlamaEngine) -> None:
    """The noise is made to nest for ever; the request fails within seconds, and the worker lives."""
    grammar = 'root ::= "(" root ")" | "(" root ")!" | "."'
    asked = asking(output=OutputFormat(OutputKind.GRAMMAR, grammar, "grammar"))
    nesting = replace(asked.sampling, logit_bias=(TokenBias(ord("("), 100.0),))
    with pytest.raises((BadRequest, EngineFailed), match="grammar"):
        await collect(engine, replace(asked, sampling=nesting))
    text, _, _ = await collect(engine, asking(output=OutputFormat(OutputKind.CHOICE, '["fine"]')))
    assert text == "fine"


# --- tools, family by family ------------------------------------------------------------------------------------

WEATHER = Tool(
    "get_weather",
    "The weather somewhere",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 12},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
                "unit": {"enum": ["C", "F"]},
                "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        }
    ),
)
def weather(family: str) -> Tool:
    """Simpler for families that write values without JSON: lengths and objects are checked afterwards there, and noise
    would not pass."""
    if family not in ("Qwen3-Coder", "google-gemma-4-31B-it"):
        return WEATHER
    schema = json.loads(WEATHER.parameters)
    del schema["properties"]["where"], schema["properties"]["city"]["maxLength"]
    return replace(WEATHER, parameters=json.dumps(schema))


CLOCK = Tool("now", "The time", '{"type": "object", "properties": {}, "additionalProperties": false}')
# What these families write calls with, where their vocabulary has it as one control token.
CONTROLS = {
    "Qwen-Qwen3-0.6B": ("<tool_call>", "</tool_call>", "<think>", "</think>"),
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": ("<tool_call>", "</tool_call>"),
    "Qwen3-Coder": ("<tool_call>", "</tool_call>"),
    "mistralai-Mistral-Nemo-Instruct-2407": ("[TOOL_CALLS]",),
    "Mistral-Small-3.2-24B-Instruct-2506": ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"),
    "google-gemma-4-31B-it": ("<|tool_call>", "<tool_call|>", "<|channel>", "<channel|>", '<|"|>'),
    "ibm-granite-granite-3.3-2B-Instruct": ("<|tool_call|>",),
    "ibm-granite-granite-4.0": ("<tool_call>", "</tool_call>"),
    "openai-gpt-oss-120b": ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|call|>", "<|return|>"),
    "meta-llama-Llama-3.1-8B-Instruct": ("<|python_tag|>", "<|eom_id|>"),
    "microsoft-Phi-3.5-mini-instruct": (),
    "google-gemma-2-2b-it": (),
}
# What noise would never write letter by letter.
WORDS = {
    "Qwen3-Coder": ("</parameter>",),
    "mistralai-Mistral-Nemo-Instruct-2407": ('[TOOL_CALLS][{"name": "get_weather", "arguments": {',),
    "Mistral-Small-3.2-24B-Instruct-2506": ("[TOOL_CALLS]get_weather[ARGS]",),
}
# Not the families whose values are not quoted: there the marker that the bias wants for ever is a part of the value.
MARKERS = {
    "Qwen-Qwen3-0.6B": "<tool_call>",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "<tool_call>",
    "mistralai-Mistral-Nemo-Instruct-2407": '[TOOL_CALLS][{"name": "get_weather", "arguments": {',
    "Mistral-Small-3.2-24B-Instruct-2506": "[TOOL_CALLS]get_weather[ARGS]",
    "ibm-granite-granite-3.3-2B-Instruct": "<|tool_call|>",
    "ibm-granite-granite-4.0": "<tool_call>",
    "meta-llama-Llama-3.1-8B-Instruct": "<|python_tag|>",
}


async def closing(engine: LlamaEngine, family: str) -> tuple[TokenBias, ...]:
    """As CLOSING, with what closes a value in families that do not write JSON."""
    closers = {"Qwen3-Coder": ["\n", "</parameter>"], "google-gemma-4-31B-it": ['<|"|>']}.get(family)
    if closers is None:
        return CLOSING
    ids = [(await engine.tokenize("any", one, specials=False, parse_specials=True)).ids[0] for one in closers]
    return tuple(TokenBias(id_, 14.0) for id_ in ids)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for name, controls in CONTROLS.items():
        template = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
        path = folder / f"{name}.gguf"
        write_random(path, context=8_192, template=template, controls=controls, words=WORDS.get(name, ()))
    return folder


def arguments_of(deltas: list[ToolCallDelta]) -> list[Any]:
    """The arguments of each call, parsed; checks that ids, names and indices come as the contract says."""
    names = [(delta.index, delta.name) for delta in deltas if delta.name is not None]
    assert [index for index, _ in names] == list(range(len(names)))
    ids = [delta.id for delta in deltas if delta.id is not None]
    assert len(set(ids)) == len(ids) == len(names)
    return [json.loads("".join(d.arguments for d in deltas if d.index == index)) for index, _ in names]


def names_of(deltas: list[ToolCallDelta]) -> list[str]:
    return [delta.name for delta in deltas if delta.name is not None]


@pytest.mark.parametrize("family", CONTROLS)
async def test_required_call(make: MakeEngine, families: Path, family: str) -> None:
    engine = make(str(families / f"{family}.gguf"), ctx_tokens=8_192)
    chosen = asking(tools=(weather(family), CLOCK), tool_choice=ToolChoice(ToolMode.REQUIRED, parallel=False))
    sampling = replace(chosen.sampling, logit_bias=await closing(engine, family))
    text, deltas, end = await collect(engine, replace(chosen, sampling=sampling))
    assert end.reason is FinishReason.TOOL_CALLS
    assert text.strip() == ""
    (arguments,) = arguments_of(deltas)
    valid(json.loads(WEATHER.parameters if names_of(deltas) == ["get_weather"] else CLOCK.parameters), arguments)


@pytest.mark.parametrize("family", CONTROLS)
async def test_named_call(make: MakeEngine, families: Path, family: str) -> None:
    engine = make(str(families / f"{family}.gguf"), ctx_tokens=8_192)
    choice = ToolChoice(ToolMode.REQUIRED, "get_weather", parallel=False)
    for seed in range(3):
        asked = asking(tools=(CLOCK, weather(family)), tool_choice=choice)
        sampling = replace(asked.sampling, seed=seed, logit_bias=await closing(engine, family))
        _, deltas, end = await collect(engine, replace(asked, sampling=sampling))
        assert end.reason is FinishReason.TOOL_CALLS
        assert names_of(deltas) == ["get_weather"]
        (arguments,) = arguments_of(deltas)
        valid(json.loads(weather(family).parameters), arguments)


@pytest.mark.parametrize("family", MARKERS)
async def test_grammar_holds_once_a_call_has_begun(make: MakeEngine, families: Path, family: str) -> None:
    """The bias makes the model begin a call by itself; from the marker on noise becomes a valid call."""
    engine = make(str(families / f"{family}.gguf"), ctx_tokens=8_192)
    (marker,) = (await engine.tokenize("any", MARKERS[family], specials=False, parse_specials=True)).ids
    bias = (*await closing(engine, family), TokenBias(marker, 100.0))
    asked = asking(tools=(weather(family),), tool_choice=ToolChoice(parallel=False))
    text, deltas, end = await collect(engine, replace(asked, sampling=replace(asked.sampling, logit_bias=bias)))
    assert end.reason is FinishReason.TOOL_CALLS
    assert text.strip() == ""
    (arguments,) = arguments_of(deltas)
    valid(json.loads(WEATHER.parameters), arguments)


async def test_several_calls_in_one_answer(make: MakeEngine, families: Path) -> None:
    """The bias makes the noise call again and again until it is cut; each call is whole, with an id of its own."""
    engine = make(str(families / "NousResearch-Hermes-3-Llama-3.1-8B-tool_use.gguf"), ctx_tokens=8_192)
    asked = asking(tools=(CLOCK,), tool_choice=ToolChoice(ToolMode.REQUIRED))
    bias = (*CLOSING, TokenBias(ord("<"), 10.0), *(TokenBias(ord(space), -100.0) for space in " \t\n"))
    sampling = replace(asked.sampling, max_tokens=300, logit_bias=bias)
    _, deltas, _ = await collect(engine, replace(asked, sampling=sampling))
    last = deltas[-1].index
    calls = arguments_of([delta for delta in deltas if delta.index < last])
    assert len(calls) > 1
    assert all(arguments == {} for arguments in calls)


async def test_call_cut_by_max_tokens_ends_with_length(make: MakeEngine, families: Path) -> None:
    engine = make(str(families / "Qwen-Qwen3-0.6B.gguf"), ctx_tokens=8_192)
    asked = asking(tools=(WEATHER,), tool_choice=ToolChoice(ToolMode.REQUIRED, "get_weather"))
    _, _, end = await collect(engine, replace(asked, sampling=replace(asked.sampling, temperature=0.0, max_tokens=40)))
    assert end.reason is FinishReason.LENGTH


async def test_tools_that_may_not_be_called(make: MakeEngine, families: Path) -> None:
    engine = make(str(families / "Qwen-Qwen3-0.6B.gguf"), ctx_tokens=8_192)
    (marker,) = (await engine.tokenize("any", "<tool_call>", specials=False, parse_specials=True)).ids
    asked = asking(tools=(WEATHER,), tool_choice=ToolChoice(ToolMode.NONE))
    sampling = replace(asked.sampling, max_tokens=20, logit_bias=(TokenBias(marker, 5.0),))
    _, deltas, _ = await collect(engine, replace(asked, sampling=sampling))
    assert deltas == []


async def test_schema_after_thinking(make: MakeEngine, families: Path) -> None:
    """The reasoning is free, its end is forced by the budget, and the answer behind it is held to its form."""
    engine = make(str(families / "Qwen-Qwen3-0.6B.gguf"), ctx_tokens=8_192)
    (think,) = (await engine.tokenize("any", "<think>", specials=False, parse_specials=True)).ids
    output = OutputFormat(OutputKind.SCHEMA, '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
    asked = asking(output=output, reasoning=Reasoning(max_tokens=30))
    sampling = replace(asked.sampling, logit_bias=(*CLOSING, TokenBias(think, 60.0)))
    async with asyncio.timeout(LONGEST_S):
        events = [event async for event in engine.generate(replace(asked, sampling=sampling))]
    assert any(isinstance(event, ReasoningDelta) for event in events)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert isinstance(json.loads(text)["a"], int)
