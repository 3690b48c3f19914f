"""An answer as a `response` object and as events: what comes in which order, and what a cut, a failure and silence look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import Finished, FinishReason, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta, Usage
from adapter.dialects.openai_render import Envelope
from adapter.dialects.responses_form import ResponsesForm, field_here
from adapter.dialects.responses_listing import Listing, parse_listing, render_listing
from adapter.dialects.responses_request import parse_responses
from adapter.errors import AdapterError, BadRequest, ContextTooLong, EngineFailed, QueueFull
from tests.wire.responses_shape import check_events, check_response, output_text, parsed_events

ID = "resp_" + "0" * 48
USAGE = Usage(prompt_tokens=7, completion_tokens=5, cached_tokens=2)
ECHO = parse_responses({"model": "m", "input": "hi", "metadata": {"a": "b"}}).echo
Delta = TextDelta | ReasoningDelta | ToolCallDelta

TEXT = (TextDelta("Hel"), TextDelta("lo"))
THOUGHT = (ReasoningDelta("Well, "), ReasoningDelta("so."))
CALL = (ToolCallDelta(0, "c1", "tide", ""), ToolCallDelta(0, arguments='{"a": '), ToolCallDelta(0, arguments="1}"))
SECOND = (ToolCallDelta(1, "c2", "moon", ""),)
CUT = CALL[:2]


def form(*, summary: bool = False) -> ResponsesForm:
    return ResponsesForm(Envelope(ID, 1_700_000_000, "m", "e"), ECHO, summary=summary)


def end(reason: FinishReason = FinishReason.STOP) -> Finished:
    return Finished(reason, USAGE)


def streamed(deltas: tuple[Delta, ...], reason: FinishReason = FinishReason.STOP, **more: Any) -> list[Any]:
    made = form(**more)
    chunks = [*made.opening(), *filter(None, map(made.chunk, deltas)), *made.closing(end(reason))]
    return parsed_events(b"".join(map(made.frame, chunks)) + made.done)


def plain(deltas: tuple[Delta, ...], reason: FinishReason = FinishReason.STOP, **more: Any) -> Any:
    made = form(**more)
    for delta in deltas:
        made.add(delta)
    return made.body(end(reason))


def short(events: list[Any]) -> list[str]:
    """Types without `response.`, those of deltas once in a row."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for index, name in enumerate(names) if not (name.endswith("delta") and names[index - 1] == name)]


BEGUN = ["created", "in_progress"]
MESSAGE = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done", "output_item.done"]
CALLED = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
THINKING = ["output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done", "output_item.done"]
SUMMED_UP = [
    "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
    "reasoning_summary_part.done", "output_item.done",
]  # fmt: skip


@pytest.mark.parametrize(
    ("deltas", "summary", "expected"),
    [
        (TEXT, False, MESSAGE),
        (CALL, False, CALLED),
        (CALL + SECOND, False, CALLED + CALLED),
        (THOUGHT + TEXT, False, THINKING + MESSAGE),
        (THOUGHT + TEXT, True, SUMMED_UP + MESSAGE),
        (TEXT + CALL + TEXT, False, MESSAGE + CALLED + MESSAGE),
        ((), False, [name for name in MESSAGE if name != "output_text.delta"]),
    ],
)
def test_the_order_of_events(deltas: tuple[Delta, ...], summary: bool, expected: list[str]) -> None:
    events = streamed(deltas, summary=summary)
    assert short(events) == [*BEGUN, *expected, "completed"]
    check_events(events)


ANSWERS: list[tuple[tuple[Delta, ...], FinishReason]] = [
    (TEXT, FinishReason.STOP),
    (THOUGHT + TEXT, FinishReason.STOP),
    (TEXT + CALL + SECOND, FinishReason.TOOL_CALLS),
    (TEXT, FinishReason.LENGTH),
    (THOUGHT, FinishReason.LENGTH),
    (CALL + SECOND + CUT, FinishReason.LENGTH),
    ((), FinishReason.LENGTH),
    ((), FinishReason.STOP),
    (TEXT, FinishReason.CONTENT_FILTER),
]


@pytest.mark.parametrize(("deltas", "reason"), ANSWERS)
@pytest.mark.parametrize("summary", [False, True])
def test_a_stream_ends_with_what_the_plain_answer_is(deltas: tuple[Delta, ...], reason: FinishReason, summary: bool) -> None:
    body = plain(deltas, reason, summary=summary)
    check_response(body)
    assert check_events(streamed(deltas, reason, summary=summary)) == body


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        (FinishReason.STOP, "completed", None),
        (FinishReason.TOOL_CALLS, "completed", None),
        (FinishReason.LENGTH, "incomplete", {"reason": "max_output_tokens"}),
        (FinishReason.CONTENT_FILTER, "incomplete", {"reason": "content_filter"}),
    ],
)
def test_how_it_ended(reason: FinishReason, status: str, details: Any) -> None:
    body = plain(TEXT, reason)
    assert (body["status"], body["incomplete_details"], output_text(body)) == (status, details, "Hello")
    assert body["output"][0]["status"] == status
    assert body["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }
    assert body["metadata"] == {"a": "b"}
    assert body["farmhand"] == {"engine": "e", "usage": {"prompt_tokens": "exact", "completion_tokens": "exact"}}


@pytest.mark.parametrize(("deltas", "status"), [(CUT, "incomplete"), (CALL, "completed"), (CALL[:1], "incomplete")])
def test_a_call_that_was_cut_says_so(deltas: tuple[Delta, ...], status: str) -> None:
    """One whose arguments were complete can be run, though the answer was cut behind it."""
    body = plain(deltas, FinishReason.LENGTH)
    assert (body["status"], body["output"][0]["status"]) == ("incomplete", status)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert plain(SECOND)["output"][0]["arguments"] == "{}"
    events = streamed(SECOND)
    assert [event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta"] == ["{}"]


def test_reasoning_is_counted_by_its_text_and_never_more_than_all() -> None:
    assert 0 < plain(THOUGHT + TEXT)["usage"]["output_tokens_details"]["reasoning_tokens"] < 5
    long = (ReasoningDelta("word " * 100), *TEXT)
    assert plain(long)["usage"]["output_tokens_details"]["reasoning_tokens"] == 5


def test_logprobs_stand_in_deltas_and_in_the_item() -> None:
    top = TokenLogprob("x", (120,), float("-inf"))
    delta = TextDelta("Hi", logprobs=(TokenLogprob("Hi", (72, 105), -0.5, (top,)),))
    shown = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "x", "logprob": -9999.0, "bytes": [120]}]}]
    events = streamed((delta,))
    (said,) = [event for event in events if event["type"] == "response.output_text.delta"]
    assert said["logprobs"] == shown
    assert check_events(events)["output"][0]["content"][0]["logprobs"] == shown


# --- silence, failure -----------------------------------------------------------------------------------------------


def test_silence_is_filled_with_what_every_helper_knows() -> None:
    made = form()
    chunks = [*made.opening(), made.keepalive(), made.chunk(TEXT[0]), made.keepalive(), made.chunk(TEXT[1]), *made.closing(end())]
    events = parsed_events(b"".join(made.frame(chunk) for chunk in chunks if chunk))
    assert [event["type"] for event in events].count("response.in_progress") == 3
    assert output_text(check_events(events)) == "Hello"


def test_a_response_has_one_beginning() -> None:
    made = form()
    assert len(made.opening()) == 1
    assert made.opening() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineFailed("It broke."), "server_error"), (QueueFull("Full."), "rate_limit_exceeded")],
)
@pytest.mark.parametrize("deltas", [(), TEXT, THOUGHT, TEXT + CUT])
def test_a_stream_that_breaks(error: AdapterError, code: str, deltas: tuple[Delta, ...]) -> None:
    """The response says what there is of it, and that it failed; the last event is what the SDKs raise."""
    made = form()
    chunks = [*made.opening(), *filter(None, map(made.chunk, deltas)), *made.failed(error)]
    events = parsed_events(b"".join(map(made.frame, chunks)))
    response = check_events(events)
    assert response["error"] == {"code": code, "message": error.message}
    assert response["usage"] is None
    said = {"message": error.message, "type": error.type, "param": None, "code": error.code}
    assert events[-1] == {"type": "error", "sequence_number": len(events) - 1, "code": error.code, "message": error.message, "param": None, "error": said}


def test_a_failure_before_anything_is_a_whole_stream_too() -> None:
    made = form()
    events = parsed_events(b"".join(map(made.frame, made.failed(EngineFailed("It broke.")))))
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.failed", "error"]


def test_fields_of_a_chat_have_their_names_here() -> None:
    error = ContextTooLong.of(context_tokens=8, prompt_tokens=9)
    made = form()
    events = parsed_events(b"".join(map(made.frame, made.failed(error))))
    assert (error.param, events[-1]["param"], events[-1]["error"]["param"]) == ("messages", "input", "input")
    assert [field_here(word) for word in ("max_tokens", "tools", None)] == ["max_output_tokens", "tools", None]


def test_an_answer_that_could_not_be_kept() -> None:
    made = form()
    made.add(TEXT[0])
    assert made.body(end())["store"] is True
    made.not_stored()
    body = made.body(end())
    assert (body["store"], body["farmhand"]["stored"]) == (False, False)
    assert json.loads(json.dumps(body)) == body


# --- pages of items ---------------------------------------------------------------------------------------------------

ITEMS = [{"id": f"i{index}"} for index in range(5)]


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ({}, ["i4", "i3", "i2", "i1", "i0"], False),
        ({"order": "asc", "limit": "2"}, ["i0", "i1"], True),
        ({"order": "asc", "limit": "2", "after": "i1"}, ["i2", "i3"], True),
        ({"limit": "2", "after": "i2"}, ["i1", "i0"], False),
        ({"after": "i0"}, [], False),
    ],
)
def test_pages(query: dict[str, str], ids: list[str], more: bool) -> None:
    page = render_listing(ITEMS, parse_listing(query))
    assert [item["id"] for item in page["data"]] == ids
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    assert (page["object"], page["has_more"]) == ("list", more)


@pytest.mark.parametrize(("query", "param"), [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "x"}, "limit"), ({"order": "up"}, "order")])
def test_what_is_no_page(query: dict[str, str], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_listing(query)
    assert caught.value.param == param


def test_a_page_after_an_item_that_is_not_there() -> None:
    with pytest.raises(BadRequest, match="none of these items") as caught:
        render_listing(ITEMS, Listing(after="i9"))
    assert caught.value.param == "after"
