"""What models write -> text, reasoning, calls, however it is cut."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence

import pytest

from adapter.calls.output import CallArguments, CallBegun, CallEnded, OutputPlan, Piece, Text, Thought
from adapter.chat import Message, Role, ToolChoice, ToolMode
from adapter.engines.llama.template import ChatTemplate
from tests.unit.calls_cases import ALL, ANSWERS, HI, QWEN3, QWEN25, QWEN35, Answer, asked, hermes, source_of

PLANS = {name: ChatTemplate(source_of(name)).render(asked()).plan for name in ALL}
IDS = [f"{number}-{answer.template}" for number, answer in enumerate(ANSWERS)]


def read(plan: OutputPlan, pieces: Iterable[str], whole: bool) -> tuple[list[tuple[str, ...]], int | None]:
    """The joined parts, and where the first call began."""
    parser = plan.new_parser()
    found = [piece for text in pieces for piece in parser.feed(text)] + parser.flush(whole=whole)
    return joined(found), parser.call_at


def joined(pieces: Sequence[Piece]) -> list[tuple[str, ...]]:
    parts: list[list[str]] = []
    open_call = False
    for piece in pieces:
        match piece:
            case Text(text) | Thought(text) | CallArguments(text):
                assert text
                kind = {Text: "text", Thought: "thought", CallArguments: "cut"}[type(piece)]
                if kind == "cut":
                    assert open_call
                    parts[-1][-1] += text
                elif parts and parts[-1][0] == kind:
                    parts[-1][1] += text
                else:
                    parts.append([kind, text])
            case CallBegun(name):
                parts.append(["cut", name, ""])
                open_call = True
            case CallEnded():
                assert open_call
                open_call = False
                parts[-1][0] = "call"
                assert isinstance(json.loads(parts[-1][2]), dict)
    return [tuple(part) for part in parts]


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_answer_in_every_cut(answer: Answer) -> None:
    """Whole, letter by letter, in two pieces everywhere, and at random: always the same."""
    plan = PLANS[answer.template]
    parts, call_at = read(plan, [answer.raw], answer.whole)
    assert parts == list(answer.parts)
    assert (call_at is None) == (not any(part[0] in ("call", "cut") for part in parts))
    assert read(plan, answer.raw, answer.whole) == (parts, call_at)
    for cut in range(1, len(answer.raw)):
        assert read(plan, [answer.raw[:cut], answer.raw[cut:]], answer.whole) == (parts, call_at)
    rng = random.Random(5)
    for _ in range(20):
        cuts = sorted(rng.choices(range(len(answer.raw) + 1), k=5))
        pieces = [answer.raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer.raw)], strict=True)]
        assert read(plan, pieces, answer.whole) == (parts, call_at)


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_no_answer_fails_where_it_is_cut_off(answer: Answer) -> None:
    """Whatever the model got to, its text is there, and a call is complete or said not to be."""
    plan = PLANS[answer.template]
    for end in range(len(answer.raw)):
        parts, _ = read(plan, [answer.raw[:end]], False)
        assert [part[0] for part in parts].count("cut") <= 1


@pytest.mark.parametrize("name", ALL)
def test_noise_is_never_lost(name: str) -> None:
    """Bits of markup in any order: nothing raises, nothing hangs, cuts do not matter, and words in between survive."""
    marks = sorted({mark for answer in ANSWERS if answer.template == name for mark in answer.raw.split("ü")})
    bits = [*marks, *PLANS[name].shows, "word", " ", "\n", "{", "}", '"name": "now"', "```", ">"]
    rng = random.Random(name)
    for _ in range(150):
        raw = "".join(rng.choices(bits, k=rng.randint(1, 9)))
        expected = read(PLANS[name], [raw], True)
        assert read(PLANS[name], raw, True) == expected, raw
        shown = "".join(text for part in expected[0] for text in part[1:])
        assert shown.count("word") == raw.count("word"), (raw, expected[0])


def test_call_is_known_when_its_marker_is_complete() -> None:
    """From there on the grammar holds, so it must not be later."""
    parser = PLANS[QWEN25].new_parser()
    assert parser.feed("Yes. <tool_call") == [Text("Yes.")]
    assert parser.call_at is None
    assert parser.feed(">") == []
    assert parser.call_at == 5


def test_arguments_stream_while_they_come() -> None:
    parser = PLANS[QWEN25].new_parser()
    assert parser.feed('<tool_call>\n{"name": "get_weather", "arguments": {"ci') == [
        CallBegun("get_weather"),
        CallArguments('{"ci'),
    ]
    assert parser.feed('ty": "Bern"') == [CallArguments('ty": "Bern"')]
    assert parser.feed("}") == [CallArguments("}"), CallEnded()]
    assert parser.feed("}\n</tool_call>") == []
    assert parser.flush(whole=True) == []


def test_text_is_not_held_back_without_need() -> None:
    """An answer in JSON on a model whose calls are bare JSON must not wait for its end."""
    parser = PLANS["meta-llama-Llama-3.1-8B-Instruct"].new_parser()
    assert parser.feed('{"city": ') == [Text('{"city":')]
    parser = PLANS[QWEN25].new_parser()
    assert parser.feed("a b ") == [Text("a b")]
    assert parser.feed("c") == [Text(" c")]


def test_reasoning_is_seen_while_it_is_open() -> None:
    parser = PLANS[QWEN3].new_parser()
    assert not parser.in_reasoning
    parser.feed("<think>")
    assert parser.in_reasoning
    assert parser.feed("Hm <tool_call>") == [Thought("Hm <tool_call>")]
    parser.feed("</think>")
    assert not parser.in_reasoning
    # this template opens the block itself
    assert PLANS[QWEN35].new_parser().feed("Hm") == [Thought("Hm")]


def test_without_tools_calls_are_text() -> None:
    template = ChatTemplate(source_of(QWEN25))
    raw = hermes("now", "{}")
    for chat in (asked(tools=()), asked(tool_choice=ToolChoice(ToolMode.NONE))):
        rendered = template.render(chat)
        assert read(rendered.plan, [raw], True) == ([("text", raw)], None)
        assert "get_weather" not in rendered.prompt


def test_partial_answer_goes_on_as_text() -> None:
    """What comes behind a partial answer is not its beginning: no block of reasoning, unless the part is inside one."""
    template = ChatTemplate(source_of(QWEN3))
    partial = asked(messages=(HI, Message(Role.ASSISTANT, "I think that ")))
    raw = "<think> is a tag"
    assert read(template.render(partial).plan, [raw], True)[0] == [("text", raw)]
    inside = asked(messages=(HI, Message(Role.ASSISTANT, "<think>\nso ")))
    assert read(template.render(inside).plan, ["it is</think>yes"], True)[0] == [("thought", "it is"), ("text", "yes")]


def test_long_arguments_take_linear_time() -> None:
    """A file of 200,000 characters in one call, four at a time, is read in a moment."""
    raw = hermes("notes.add", json.dumps({"text": "x{}[]\"\\\n " * 20_000}))
    pieces = [raw[at : at + 4] for at in range(0, len(raw), 4)]
    parts, _ = read(PLANS[QWEN25], pieces, True)
    assert parts[0][0] == "call"
    assert len(json.loads(parts[0][2])["text"]) == 180_000
