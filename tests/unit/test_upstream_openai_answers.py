"""Chunks and plain answers in every shape -> our events."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from adapter.chat import (
    ChoiceFinished,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from adapter.dialects.upstream_openai_answer import Answer
from adapter.dialects.upstream_openai_embeddings import read_embedding
from adapter.dialects.upstream_openai_errors import Peer
from adapter.dialects.upstream_openai_frames import FrameDecoder, MalformedFrame, frames_of, last_event_end
from adapter.errors import AdapterError, EngineFailed, OutputInvalid, UpstreamProtocol
from tests.wire.contract import check_events

PEER = Peer("up", "http://127.0.0.1:1/v1")
Json = dict[str, Any]


def answer(**more: Any) -> Answer:
    return Answer(PEER, model="m", prompt_tokens=lambda: 11, made_up="x", **more)


def read(values: Sequence[object], **more: Any) -> list[Event]:
    """All events of an answer, checked against the contract."""
    reader = answer(**more)
    events: list[Event] = [Started()]
    for value in values:
        events += reader.feed(value)
    events.append(reader.finish())
    check_events(events, n=more.get("n", 1), logprobs=more.get("logprobs"))
    return events


def delta(finish: str | None = None, index: int | None = 0, **fields: Any) -> Json:
    choice: Json = {"delta": fields, "finish_reason": finish}
    return {"choices": [choice if index is None else {"index": index, **choice}]}


def words(*texts: str, finish: str | None = "stop") -> list[object]:
    return [*(delta(content=text) for text in texts), delta(finish)]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def thought_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def calls_of(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            call = calls.setdefault(event.index, [event.id or "", event.name or "", ""])
            call[2] += event.arguments
    return [(a, b, c) for a, b, c in calls.values()]


def end_of(events: Sequence[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP), ("length", FinishReason.LENGTH), ("content_filter", FinishReason.CONTENT_FILTER),
        ("eos", FinishReason.STOP), ("end_turn", FinishReason.STOP), ("max_tokens", FinishReason.LENGTH),
        ("tool_calls", FinishReason.STOP),  # without a call
    ],
)  # fmt: skip
def test_the_reason_is_one_of_four_words(word: str, reason: FinishReason) -> None:
    assert end_of(read(words("a", finish=word))).reason is reason


@pytest.mark.parametrize(
    "values",
    [
        words("he", "llo"),
        [delta(role="assistant", content=""), *words("hello")],
        [delta(content=None, role="assistant"), *words("hello")],
        [delta(content=[{"type": "text", "text": "hel"}, "lo"]), delta("stop")],
        [delta(index=None, content="hello"), delta("stop", index=None)],
        [{"choices": []}, *words("hello"), {"choices": [], "usage": None}],
        [delta("stop", content="hello")],
        [{"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}],
        [{"choices": [{"text": "hello", "finish_reason": None}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}],
        [delta(refusal="hello"), delta("stop")],
        [{"object": "ping"}, *words("hello")],
    ],
)
def test_text_in_every_shape(values: list[object]) -> None:
    assert text_of(read(values)) == "hello"


@pytest.mark.parametrize("parts", [("a\ud83c", "\udf89b"), ("a", "\ud83c", "\udf89", "b"), ("a\ud83c\udf89b",)])
def test_characters_cut_in_two_are_joined(parts: tuple[str, ...]) -> None:
    events = read(words(*parts))
    assert text_of(events) == "a\U0001f389b"
    assert all("\ud83c" not in event.text for event in events if isinstance(event, TextDelta))


def test_half_a_character_at_the_end_is_shown_as_one() -> None:
    assert text_of(read(words("a", "\ud83c"))) == "a\ufffd"


@pytest.mark.parametrize(
    ("values", "thought", "text"),
    [
        ([delta(reasoning_content="hm"), *words("so")], "hm", "so"),
        ([delta(reasoning="hm"), *words("so")], "hm", "so"),
        ([delta(reasoning="hm", reasoning_content="hm"), *words("so")], "hm", "so"),
        (words("<th", "ink>", "hm", "</thi", "nk>\n", "so"), "hm", "so"),
        (words("a <think>b</think>"), "", "a <think>b</think>"),
        # With a field for it, tags in the text are text.
        ([delta(reasoning="hm"), *words("<think>so")], "hm", "<think>so"),
        ([delta(reasoning="h\ud83c"), delta(reasoning="\udf89"), *words("so")], "h\U0001f389", "so"),
        (words("<think>hm"), "hm", ""),
    ],
)
def test_reasoning_is_told_apart(values: list[object], thought: str, text: str) -> None:
    events = read(values)
    assert (thought_of(events), text_of(events)) == (thought, text)


def call(**fields: Any) -> Json:
    return delta(tool_calls=[fields])


def f(name: str | None = None, arguments: object = None) -> Json:
    return {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}


@pytest.mark.parametrize(
    ("values", "calls"),
    [
        ([call(index=0, id="a", function=f("f", "")), call(index=0, function=f(None, '{"x":')), call(index=0, function=f(None, "1}"))], [("a", "f", '{"x":1}')]),
        ([call(id="a", function=f("f", "{}"))], [("a", "f", "{}")]),
        ([call(index=0, function=f("f", "{}"))], [("call_x0_0", "f", "{}")]),
        ([call(index=0, id="a", function=f("f", {"x": 1}))], [("a", "f", '{"x": 1}')]),
        ([call(index=0, id="a", function=f("f", ""))], [("a", "f", "{}")]),
        ([call(index=0, id="a", function=f("f"))], [("a", "f", "{}")]),
        ([call(index=0, id="a"), call(index=0, function=f("f", "{}"))], [("a", "f", "{}")]),
        ([call(index=0, id="a", function=f("f", "{")), call(index=0, id="a", function=f("f", "}"))], [("a", "f", "{}")]),
        # Two of them: counted, uncounted, all called 0 (Ollama), in one chunk, under one id.
        ([call(index=0, id="a", function=f("f", "{}")), call(index=1, id="b", function=f("g", "{}"))], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(index=0, id="a", function=f("f", "{}")), call(index=0, id="b", function=f("g", "{}"))], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(id="a", function=f("f", "{")), call(function=f(None, "}")), call(id="b", function=f("g", "{}"))], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(function=f("f", "{}")), call(function=f("g", "{}"))], [("call_x0_0", "f", "{}"), ("call_x0_1", "g", "{}")]),
        ([delta(tool_calls=[{"index": 0, "id": "a", "function": f("f", "{}")}, {"index": 1, "id": "a", "function": f("g", "{}")}])], [("a", "f", "{}"), ("call_x0_1", "g", "{}")]),
        ([delta(function_call={"name": "f", "arguments": "{"}), delta(function_call={"arguments": "}"})], [("call_x0_0", "f", "{}")]),
        ([call(index=0, id="a", function=f("f", '{"x":"\ud83c')), call(index=0, function=f(None, '\udf89"}'))], [("a", "f", '{"x":"\U0001f389"}')]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call", "eos"])
def test_calls_are_mended(values: list[object], calls: list[tuple[str, str, str]], finish: str) -> None:
    events = read([*values, delta(finish)])
    assert calls_of(events) == calls
    assert end_of(events).reason is FinishReason.TOOL_CALLS


def test_text_before_a_call_comes_before_it() -> None:
    """Also what was held back for a stop string."""
    events = read([delta(content="so: EN"), call(index=0, id="a", function=f("f", "{}")), delta("tool_calls")], stops=("END",))
    assert [type(event) for event in events] == [Started, TextDelta, TextDelta, ToolCallDelta, Finished]
    assert text_of(events) == "so: EN"


@pytest.mark.parametrize("arguments", ["{", "[]", "nothing", '{"a":1}}'])
def test_arguments_that_are_no_object(arguments: str) -> None:
    values = [call(index=0, id="a", function=f("f", arguments))]
    with pytest.raises(OutputInvalid):
        read([*values, delta("tool_calls")])
    if arguments == "{":  # cut by max_tokens
        assert calls_of(read([*values, delta("length")])) == [("a", "f", "{")]


@pytest.mark.parametrize(
    "values",
    [
        [call(index=0, id="a", function=f(None, "{}"))],
        [call(index=0, id="a", function=f("f", "{")), call(index=1, id="b", function=f("g", "{}")), call(index=0, function=f(None, "}"))],
    ],
)  # fmt: skip
def test_calls_that_cannot_be_mended(values: list[object]) -> None:
    with pytest.raises(AdapterError) as caught:
        read([*values, delta("tool_calls")])
    assert isinstance(caught.value, UpstreamProtocol | OutputInvalid)


def test_several_answers() -> None:
    values = [delta(content="a"), delta(index=1, content="b"), delta("stop", index=1), delta("length"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]
    events = read(values, n=2)
    assert [event for event in events if isinstance(event, ChoiceFinished)] == [
        ChoiceFinished(1, FinishReason.STOP),
        ChoiceFinished(0, FinishReason.LENGTH),
    ]
    assert end_of(events) == Finished(FinishReason.LENGTH, Usage(3, 2))


@pytest.mark.parametrize(
    ("stops", "text"), [(("lo",), "hel"), (("x", "l"), "he"), (("zz",), "hello"), (("ow", "o w"), "hell"), (("h",), "")]
)
def test_stop_strings_are_seen_to(stops: tuple[str, ...], text: str) -> None:
    reader = answer(stops=stops)
    events: list[Event] = [Started()]
    for value in words("hel", "lo", *([" world"] if "o w" in stops else []))[:-1]:
        events += reader.feed(value)
    if not reader.complete:
        events += reader.feed(delta("stop"))
    else:
        assert reader.cut_here
    events.append(reader.finish())
    assert text_of(events) == text
    assert end_of(events).reason is FinishReason.STOP


@pytest.mark.parametrize(
    ("pieces", "limit", "kept"),
    [
        (["word "] * 20, 5, 5),
        (["日本"] * 20, 5, 5),
        (["a" * 500], 5, 0),  # far more than so many tokens can be, at once
        (["x"] * 40, 20, 40),  # single characters are no tokens
    ],
)
def test_a_limit_that_the_server_passes_over(pieces: list[str], limit: int, kept: int) -> None:
    reader = answer(max_tokens=limit)
    events: list[Event] = []
    for piece in pieces:
        events += reader.feed(delta(content=piece))
    assert text_of(events) == "".join(pieces[:kept])
    assert reader.cut_here is (kept < len(pieces))
    if not reader.complete:
        events += reader.feed(delta("stop"))
    end = reader.finish()
    assert end.reason is (FinishReason.LENGTH if kept < len(pieces) else FinishReason.STOP)
    assert end.usage.completion_tokens <= limit


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 6}}, Usage(5, 6)),
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 4}}}, Usage(5, 6, 4)),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Usage(11, 2, 0, UsageSource.ESTIMATED, UsageSource.ESTIMATED)),
        ({"usage": {"prompt_tokens": 5}}, Usage(5, 2, 0, UsageSource.EXACT, UsageSource.ESTIMATED)),
        ({"usage": {"prompt_tokens": "5", "completion_tokens": True}}, Usage(11, 2, 0, UsageSource.ESTIMATED, UsageSource.ESTIMATED)),
        ({"timings": {"prompt_n": 2, "cache_n": 3, "predicted_n": 6}}, Usage(5, 6, 3)),
        (
            {"usage": {"prompt_tokens": 5, "completion_tokens": 6}, "farmhand": {"usage": {"prompt_tokens": "estimated", "completion_tokens": "counted"}}},
            Usage(5, 6, 0, UsageSource.ESTIMATED, UsageSource.COUNTED),
        ),
        ({}, Usage(11, 2, 0, UsageSource.ESTIMATED, UsageSource.ESTIMATED)),
    ],
)  # fmt: skip
def test_usage_is_exact_or_marked(more: Json, usage: Usage) -> None:
    assert end_of(read([*words("hello world"), {"choices": [], **more}])).usage == usage


TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -2}, {"token": "a", "logprob": -0.5}]}


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [TOKEN]},
        {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"b": -2, "a": -0.5}]},
        {"content": [{**TOKEN, "logprob": -0.5, "extra": 1}, "junk", {"token": 5}]},
    ],
)
def test_logprobs_come_with_their_text(logprobs: Json) -> None:
    value = {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": logprobs}]}
    events = read([value, delta("stop")], logprobs=1)
    text = events[1]
    assert isinstance(text, TextDelta)
    assert [(t.token, t.bytes, t.logprob, [top.token for top in t.top]) for t in text.logprobs] == [("a", (97,), -0.5, ["a"])]
    assert read([value, delta("stop")])[1] == TextDelta("a")  # nobody asked


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ([], UpstreamProtocol),
        (words("half", finish=None), UpstreamProtocol),
        (words(), UpstreamProtocol),
        (words(""), UpstreamProtocol),
        ([delta(content=None), delta("stop")], UpstreamProtocol),
        ([*words("a", finish=None), {"error": {"message": "broke"}}], EngineFailed),
        ([{"error": "broke"}], EngineFailed),
        ([["a"]], UpstreamProtocol),
        ([{"choices": "x"}], UpstreamProtocol),
        ([{"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}], UpstreamProtocol),
    ],
)
def test_what_is_no_answer(values: list[object], error: type[AdapterError]) -> None:
    with pytest.raises(AdapterError) as caught:
        read(values)
    assert type(caught.value) is error


@pytest.mark.parametrize(("finish", "more"), [("length", {}), ("stop", {"stops": ("x",)})])
def test_an_empty_answer_that_is_explained(finish: str, more: Json) -> None:
    assert text_of(read([delta(finish)], **more)) == ""


# --- frames ---------------------------------------------------------------------------------------------------

STREAM = b'data: {"a":1}\n\n: ping\n\ndata:{"b":\xe6\x97\xa5}\r\n\r\nevent: x\nid: 1\ndata: {"c":\ndata: 2}\n\ndata: {"d":1}\ndata: {"e":1}\ndata: [DONE]\n\nerror: {"x":1}\n\n'
PAYLOADS = [b'{"a":1}', b'{"b":\xe6\x97\xa5}', b'{"c":\n2}', b'{"d":1}', b'{"e":1}', b"[DONE]", b'{"error": {"x":1}}']


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1_000])
def test_frames_do_not_depend_on_how_bytes_are_cut(size: int) -> None:
    decoder = FrameDecoder()
    found = [payload for at in range(0, len(STREAM), size) for payload in decoder.feed(STREAM[at : at + size])]
    assert found + decoder.flush() == PAYLOADS
    assert [payload for _, payloads in frames_of(STREAM) for payload in payloads] == PAYLOADS
    assert b"".join(raw for raw, _ in frames_of(STREAM)) == STREAM


def test_the_last_frame_may_lack_its_empty_line() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"data: {}") == []
    assert decoder.flush() == [b"{}"]


@pytest.mark.parametrize("data", [b"<html>\n", b'{"a":1}\n', b"Internal Server Error\n", b"x" * 200])
def test_what_is_no_event_stream(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        FrameDecoder(max_bytes=100).feed(data)


@pytest.mark.parametrize(("data", "end"), [(b"", -1), (b"a\n", -1), (b"a\n\nb", 3), (b"a\n\nb\r\n\r\nc", 8), (b"a\r\n\r\n", 5), (b"a\r\n\r", -1)])
def test_where_whole_events_end(data: bytes, end: int) -> None:
    assert last_event_end(data) == end


# --- vectors --------------------------------------------------------------------------------------------------


def vectors(*given: tuple[int, object], **more: Any) -> Json:
    return {"data": [{"index": index, "embedding": vector} for index, vector in given], **more}


def test_vectors_are_put_in_order_and_to_length_one() -> None:
    found = read_embedding(vectors((1, [0, 5]), (0, [3, 4]), usage={"prompt_tokens": 9}), ["a", "b"], PEER)
    assert found.vectors == ((0.6, 0.8), (0.0, 1.0))
    assert found.prompt_tokens == 9
    assert all(math.isclose(math.hypot(*vector), 1) for vector in found.vectors)
    assert read_embedding(vectors((0, [1])), ["one two"], PEER).prompt_tokens == 2


@pytest.mark.parametrize(
    "value",
    [
        None, {}, {"data": 5}, vectors(), vectors((0, [1]), (1, [1]), (2, [1])), vectors((0, [1]), (0, [1])), vectors((0, [1]), (2, [1])),
        vectors((0, [1]), (-1, [1])), vectors((0, [1]), (1, [1, 2])), vectors((0, [1]), (1, [])), vectors((0, [1]), (1, "AAAA")),
        vectors((0, [1]), (1, [None])), vectors((0, [1]), (1, [True])), vectors((0, [1]), (1, [0, 0])), vectors((0, [1]), (1, [math.inf])),
        vectors((0, [1]), (1, [1e300, 1e300])), {"data": [[1], [1]]}, {"data": [{"embedding": [1]}, "x"]},
    ],
)  # fmt: skip
def test_vectors_that_are_none(value: object) -> None:
    with pytest.raises(UpstreamProtocol):
        read_embedding(value, ["a", "b"], PEER)


def test_an_error_instead_of_vectors() -> None:
    with pytest.raises(EngineFailed):
        read_embedding(json.loads('{"error": "broke"}'), ["a"], PEER)
