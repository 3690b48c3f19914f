"""LocalLLM's bytes, frames and answers -> our events (`protocols/localllm.md` 7.3, 8)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    Sampling,
    Started,
    TextDelta,
    Tool,
    ToolCallDelta,
    UsageSource,
)
from adapter.dialects.localllm import render_chat
from adapter.dialects.localllm_answer import Answer
from adapter.dialects.localllm_arguments import mended_arguments
from adapter.dialects.localllm_check import check_body, streams_whole
from adapter.dialects.localllm_errors import Refusal
from adapter.dialects.localllm_frames import (
    Call,
    End,
    FrameDecoder,
    Piece,
    Record,
    Whole,
    parse_plain,
    parse_vectors,
    request_number,
)
from adapter.dialects.localllm_models import AICORE_ID, model_of
from adapter.errors import UpstreamProtocol
from adapter.tokens import estimate_tokens
from tests.wire.contract import check_events

HEAD = '{"id":"chatcmpl-19","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
STREAM = "".join(
    [
        f'data: {HEAD}"delta":{{"role":"assistant"}}}}]}}\n\n',
        f'data: {HEAD}"delta":{{"content":"Br\\u00e4ke \\u003cT4\\u003e"}}}}]}}\n\n',
        ": ka\n\n",
        f'data: {HEAD}"delta":{{"content":" läte"}}}}]}}\r\n\r\n',
        f'data: {HEAD}"delta":{{}},"finish_reason":"stop"}}]}}\n\n',
        "data: [DONE]\n\n",
    ]
).encode()
EXPECTED: list[Record] = [Piece("Bräke <T4>"), Piece(" läte"), End()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_frames_do_not_depend_on_how_they_were_cut(size: int) -> None:
    decoder, records = FrameDecoder(), list[Record]()
    for start in range(0, len(STREAM), size):
        records += decoder.feed(STREAM[start : start + size])
    assert records == EXPECTED
    assert decoder.done and decoder.complete


@pytest.mark.parametrize("cut", range(0, len(STREAM) - 2, 11))
def test_a_stream_that_is_cut_is_not_complete(cut: int) -> None:
    """8.5: a missing `[DONE]` is a failure even when text has come."""
    decoder = FrameDecoder()
    decoder.feed(STREAM[:cut])
    assert not decoder.complete


def test_done_alone_is_not_enough() -> None:
    decoder = FrameDecoder()
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.done and not decoder.complete


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ({"message": "m", "type": "timeout", "code": 408}, Refusal(408, "timeout", "408", "m")),
        ({"message": "m", "type": "t", "code": "AICORE_BACKGROUND_BLOCKED"}, Refusal(403, "t", "AICORE_BACKGROUND_BLOCKED", "m")),
        ({"message": "m", "type": "t", "code": "NEW_WORD"}, Refusal(500, "t", "NEW_WORD", "m")),
        ({"message": "m"}, Refusal(500, message="m")),
        ("text", Refusal(500, message="text")),
    ],
)
def test_error_frames(error: object, refusal: Refusal) -> None:
    assert FrameDecoder().feed(f"data: {json.dumps({'error': error})}\n\n".encode()) == [refusal]


@pytest.mark.parametrize("line", [b"data: {\n", b"data: []\n", b"data: {}\n", b'data: {"choices":[]}\n', b"data: \xff\n"])
def test_what_is_no_frame(line: bytes) -> None:
    with pytest.raises(UpstreamProtocol):
        FrameDecoder().feed(line)


def test_a_line_without_end_is_bounded() -> None:
    decoder = FrameDecoder()
    with pytest.raises(UpstreamProtocol):
        for _ in range(10):
            decoder.feed(b"data: " + b"x" * (1 << 20))


def test_plain_answers() -> None:
    def plain(**message: Any) -> object:
        return {"choices": [{"message": {"role": "assistant", **message}}]}

    assert parse_plain(plain(content="hi")) == Whole("hi")
    assert parse_plain(plain(content="")) == Whole("")
    call = {"id": "call_18_0", "type": "function", "function": {"name": "f", "arguments": '{"lap":3}'}}
    assert parse_plain(plain(tool_calls=[call])) == Whole("", (Call("f", '{"lap":3}'),))
    assert parse_plain(plain(tool_calls=[{"function": {"name": "f", "arguments": {"a": 1}}}])) == Whole("", (Call("f", '{"a": 1}'),))
    for broken in (None, [], {}, {"choices": []}, {"choices": [{}]}, plain(tool_calls=[{"function": {}}])):
        with pytest.raises(UpstreamProtocol):
            parse_plain(broken)


@pytest.mark.parametrize(("header", "number"), [("17", 17), (None, None), ("", None), ("x", None), ("-1", None), ("9" * 20, None)])
def test_request_numbers(header: str | None, number: int | None) -> None:
    assert request_number(header) == number


def test_vectors() -> None:
    data = [{"embedding": [0, 1.5], "index": 1}, {"embedding": [2, 3], "index": 0}]
    assert parse_vectors({"data": data, "usage": {"prompt_tokens": 8}}, 2) == ([[2, 3], [0, 1.5]], 8)
    for broken in (None, {"data": data[:1]}, {"data": [data[0], data[0]]}, {"data": [{"embedding": []}, data[0]]}):
        with pytest.raises(UpstreamProtocol):
            parse_vectors(broken, 2)


# --- answers --------------------------------------------------------------------------------------------------------


def answer_to(*, stop: tuple[str, ...] = (), max_tokens: int | None = None, model: str = "gemma-4-e2b", tools: tuple[Tool, ...] = ()) -> Answer:
    chat = Chat(model, (Message(Role.USER, "hi"),), Sampling(max_tokens=max_tokens, stop=stop), tools)
    ask = render_chat(chat, model_of(model), configured_tokens=4_096, default_max_tokens=1_024)
    numbers = itertools.count()
    return Answer(ask, stop, new_call_id=lambda: f"id{next(numbers)}")


def streamed(answer: Answer, pieces: Sequence[str], calls: tuple[Call, ...] = ()) -> list[Event]:
    events: list[Event] = [Started()]
    for piece in pieces:
        events += answer.piece(Piece(piece))
    events += answer.end(End(calls))
    return [*events, answer.finish()]


def at_once(answer: Answer, text: str, calls: tuple[Call, ...] = ()) -> list[Event]:
    return [Started(), *answer.whole(Whole(text, calls)), answer.finish()]


def told(events: Sequence[Event]) -> tuple[str, str, FinishReason]:
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    end = events[-1]
    assert isinstance(end, Finished)
    return reasoning, text, end.reason


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("Brake at the 100 board.", (), ("", "Brake at the 100 board.", FinishReason.STOP)),
        ("<think>\nhm\n</think>\n\nLate.", (), ("hm", "Late.", FinishReason.STOP)),
        ("<think>only thoughts", (), ("only thoughts", "", FinishReason.STOP)),
        ("[EMOTION:calm] <FOCUS>T4</FOCUS>", (), ("", "[EMOTION:calm] <FOCUS>T4</FOCUS>", FinishReason.STOP)),
        ("one END two", ("END",), ("", "one ", FinishReason.STOP)),
        ("END", ("END",), ("", "", FinishReason.STOP)),
        ("almost EN", ("END",), ("", "almost EN", FinishReason.STOP)),
        ("a 🙂 b", (), ("", "a 🙂 b", FinishReason.STOP)),
    ],
)
def test_texts_however_they_come(text: str, stop: tuple[str, ...], expected: tuple[str, str, FinishReason]) -> None:
    events = at_once(answer_to(stop=stop), text)
    check_events(events)
    assert told(events) == expected
    for size in (1, 2, 5):
        events = streamed(answer_to(stop=stop), [text[i : i + size] for i in range(0, len(text), size)])
        check_events(events)
        assert told(events) == expected


def test_an_emoji_in_two_frames() -> None:
    """The app cuts by UTF-16 units."""
    events = streamed(answer_to(), ["a \ud83d", "\ude42 b", "c\ud83d", "d", "e\ud83d"])
    check_events(events)
    assert told(events)[1] == "a 🙂 bc\ufffdde\ufffd"
    assert told(at_once(answer_to(), "a \ud83d\ude42 \ud83d"))[1] == "a 🙂 \ufffd"


@pytest.mark.parametrize("limit", [1, 2, 5, 17, 40])
def test_max_tokens(limit: int) -> None:
    text = " ".join(f"word{n}" for n in range(100))
    for events in (
        at_once(answer_to(max_tokens=limit), text),
        streamed(answer_to(max_tokens=limit), [f"{word} " for word in text.split()]),
        streamed(answer_to(max_tokens=limit), [text]),
    ):
        check_events(events)
        _, cut, reason = told(events)
        assert reason is FinishReason.LENGTH
        assert text.startswith(cut.rstrip()) and cut
        assert estimate_tokens(cut) <= limit + 2
        assert estimate_tokens(cut) >= limit - 3


def test_max_tokens_counts_reasoning_and_closes_it() -> None:
    events = streamed(answer_to(max_tokens=4), ["<think>", "a b c d", " e f g h"])
    check_events(events)
    assert told(events)[1:] == ("", FinishReason.LENGTH)


def test_nothing_follows_the_end_of_an_answer() -> None:
    answer = answer_to(stop=("END",))
    assert answer.piece(Piece("a END b")) == [TextDelta("a ")]
    assert answer.complete
    assert answer.piece(Piece("c")) == []
    assert answer.end(End((Call("f", "{}"),))) == []
    assert answer.finish().reason is FinishReason.STOP


@pytest.mark.parametrize(("model", "reason"), [(AICORE_ID, FinishReason.LENGTH), ("gemma-4-e2b", FinishReason.STOP)])
def test_gemini_nano_calls_its_own_limit_stop(model: str, reason: FinishReason) -> None:
    """8.6."""
    text = "one two three four"
    limit = estimate_tokens(text)
    assert told(at_once(answer_to(model=model, max_tokens=limit), text))[2] is reason


def test_calls() -> None:
    tool = Tool("f", "", '{"type":"object","properties":{"lap":{"type":"integer"}}}')
    calls = (Call("f", '{"lap":3.0}'), Call("other", '{"lap":3.0}'))
    for events in (streamed(answer_to(tools=(tool,)), ["text"], calls), at_once(answer_to(tools=(tool,)), "", calls)):
        check_events(events)
        assert told(events)[2] is FinishReason.TOOL_CALLS
        assert [event for event in events if isinstance(event, ToolCallDelta)] == [
            ToolCallDelta(0, "id0", "f", '{"lap": 3}'),
            ToolCallDelta(1, "id1", "other", '{"lap": 3.0}'),
        ]


@pytest.mark.parametrize("pieces", [[], [""], ["<think></think>"]])
def test_an_answer_without_a_word(pieces: list[str]) -> None:
    with pytest.raises(UpstreamProtocol, match="without a word"):
        streamed(answer_to(), pieces)
    with pytest.raises(UpstreamProtocol, match="without a word"):
        at_once(answer_to(), "".join(pieces))


def test_usage_is_estimated() -> None:
    end = at_once(answer_to(), "three short words")[-1]
    assert isinstance(end, Finished)
    assert end.usage.completion_tokens == 3
    assert end.usage.prompt_source is end.usage.completion_source is UsageSource.ESTIMATED


@pytest.mark.parametrize(
    ("text", "schema", "expected"),
    [
        ('{"a":1.0}', {"properties": {"a": {"type": "integer"}}}, '{"a": 1}'),
        ('{"a":1.5}', {"properties": {"a": {"type": "integer"}}}, '{"a": 1.5}'),
        ('{"a":1.0}', {"properties": {"a": {"type": "number"}}}, '{"a": 1.0}'),
        ('{"a":1.0}', {"properties": {"a": {"type": ["integer", "null"]}}}, '{"a": 1}'),
        ('{"a":1.0}', {"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}, '{"a": 1}'),
        ('{"a":1.0}', {"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "number"}]}}}, '{"a": 1.0}'),
        ('{"a":[1.0,{"b":2.0}]}', {"properties": {"a": {"items": {"type": "integer", "properties": {"b": {"type": "integer"}}}}}}, '{"a": [1, {"b": 2}]}'),
        ('{"x":1.0}', {"additionalProperties": {"type": "integer"}}, '{"x": 1}'),
        ('{"x":1.0}', {}, '{"x": 1.0}'),
        ("{}", {}, "{}"),
        ('{"ä":"\\u003cT\\u003e"}', {}, '{"ä": "<T>"}'),
        ('{"big":123456789012345678901}', {}, '{"big": 123456789012345678901}'),
    ],
)  # fmt: skip
def test_arguments(text: str, schema: dict[str, Any], expected: str) -> None:
    assert mended_arguments(text, schema) == expected


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"a":NaN}', '{"a":1e999}', "[" * 100_000])
def test_arguments_that_are_none(text: str) -> None:
    with pytest.raises(UpstreamProtocol):
        mended_arguments(text, {})


@pytest.mark.parametrize(
    ("plain", "pieces", "whole"),
    [
        ("one two three", ["one", " two", " three"], True),
        (" one two three\n", ["one", " two", " three"], True),
        ("one two three", ["one two", " three"], False),  # proves nothing
        ("eight five two", ["eight", " five", " two"], False),  # nor does this: no build loses what grows shorter
        ("one two, go", ["one", " two", ",", " go"], True),
        ("Hello world", ["Hel", "lo", "ld"], False),  # the example of 8.4
        ("", ["", "", ""], False),
    ],
)
def test_the_check_of_streams(plain: str, pieces: list[str], whole: bool) -> None:
    assert streams_whole(plain, pieces) is whole
    assert json.loads(check_body("m", stream=True))["temperature"] == 0
