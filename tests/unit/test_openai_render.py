"""Our words -> OpenAI's JSON: the safe form of `protocols/clients.md` 5, key by key, and the error tree."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapter import errors
from adapter.chat import (
    ChoiceFinished,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from adapter.dialects import openai_render as render
from adapter.dialects.openai_render_chat import ChatForm
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import AdapterError, BadRequest, ContextTooLong, QueueFull

ENVELOPE = render.Envelope(id="chatcmpl-1", created=17, model="m", engine="e")
USAGE = Usage(7, 3, cached_tokens=2, completion_source=UsageSource.ESTIMATED)
END = Finished(FinishReason.STOP, USAGE)
CUT = Finished(FinishReason.LENGTH, USAGE)
CALLED = Finished(FinishReason.TOOL_CALLS, USAGE)
Events = Sequence[render.Delta | ChoiceFinished]


def form(envelope: render.Envelope = ENVELOPE, **options: Any) -> ChatForm:
    return ChatForm(envelope, **options)


def plain(*events: render.Delta | ChoiceFinished, end: Finished = END, **options: Any) -> dict[str, Any]:
    answer = form(**options)
    for event in events:
        answer.add(event)
    return as_sent(answer.body(end))


def streamed(*events: render.Delta | ChoiceFinished, end: Finished = END, **options: Any) -> list[dict[str, Any]]:
    """Everything between the opening and the end, and the end."""
    answer = form(**options)
    chunks = [answer.chunk(event) for event in events]
    return [as_sent(chunk) for chunk in [*chunks, *answer.closing(end)] if chunk is not None]


def as_sent(value: render.Json) -> dict[str, Any]:
    """What a client parses: enum words become plain strings on the way."""
    sent = json.loads(render.dump(value))
    assert isinstance(sent, dict)
    return sent


def message_of(body: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return dict(body["choices"][index]["message"])


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks]


# --- plain ----------------------------------------------------------------------------------------------------


def test_a_plain_answer_has_every_key_that_some_client_needs() -> None:
    assert plain(TextDelta("a "), TextDelta("b")) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 17,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a b"},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
        "farmhand": {"engine": "e", "usage": {"prompt_tokens": "exact", "completion_tokens": "estimated"}},
    }


def test_content_is_a_string_even_without_text() -> None:
    """null breaks Pydantic AI and ADK."""
    assert message_of(plain()) == {"role": "assistant", "content": ""}


def test_reasoning_is_kept_apart() -> None:
    message = message_of(plain(ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("x")))
    assert message == {"role": "assistant", "content": "x", "reasoning_content": "hm"}


def test_ignored_fields_are_told() -> None:
    envelope = render.Envelope("i", 1, "m", "e", ignored=("user", "seed"))
    assert plain(envelope=envelope)["farmhand"]["ignored"] == ["user", "seed"]


# --- streamed -------------------------------------------------------------------------------------------------


def chunk(delta: dict[str, Any], finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 17,
        "model": "m",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
    }


def test_the_chunks_of_a_stream() -> None:
    """Role first (the JS helper), index always (the Python helper), nothing but text in between."""
    assert form().opening() == [chunk({"role": "assistant", "content": ""})]
    assert form().keepalive() == chunk({"content": ""})
    assert form().chunk(TextDelta("x")) == chunk({"content": "x"})
    assert form().chunk(ReasoningDelta("x")) == chunk({"reasoning_content": "x"})


def test_the_end_of_a_stream() -> None:
    (last,) = form().closing(END)
    assert {key: value for key, value in last.items() if key != "farmhand"} == chunk({}, "stop")
    assert "usage" not in last


def test_usage_comes_in_a_chunk_of_its_own() -> None:
    last, usage = form(include_usage=True).closing(END)
    assert "usage" not in last
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 10
    assert {usage[key] for key in ("id", "object", "model")} == {"chatcmpl-1", "chat.completion.chunk", "m"}


@pytest.mark.parametrize("reason", FinishReason)
def test_finish_reasons_are_openais_own(reason: FinishReason) -> None:
    """Anything else makes OpenClaw discard the answer."""
    assert reason in {"stop", "length", "tool_calls", "content_filter"}
    (last,) = streamed(end=Finished(reason, USAGE))
    assert last["choices"][0]["finish_reason"] == str(reason)


# --- calls ----------------------------------------------------------------------------------------------------

FIRST = (ToolCallDelta(0, "c0", "f"), ToolCallDelta(0, arguments='{"a"'), ToolCallDelta(0, arguments=": 1}"))
SECOND = (ToolCallDelta(1, "c1", "g", "{"), ToolCallDelta(1, arguments="}"))


def called(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_plain_answer_with_calls() -> None:
    """`content` stays a string beside them."""
    body = plain(TextDelta("so: "), *FIRST, *SECOND, end=CALLED)
    assert message_of(body) == {
        "role": "assistant",
        "content": "so: ",
        "tool_calls": [called("c0", "f", '{"a": 1}'), called("c1", "g", "{}")],
    }
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert message_of(plain(*FIRST, end=CALLED))["content"] == ""


def test_a_call_in_a_stream_begins_with_its_id_and_name() -> None:
    """index, id and type each break somebody where they are missing."""
    assert deltas(streamed(*FIRST, *SECOND, end=CALLED)) == [
        {"tool_calls": [{"index": 0, **called("c0", "f", "")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {"tool_calls": [{"index": 1, **called("c1", "g", "{")}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
        {},
    ]


def test_no_arguments_are_an_empty_object() -> None:
    """An empty string breaks whoever parses it."""
    assert message_of(plain(ToolCallDelta(0, "c0", "f"), end=CALLED))["tool_calls"] == [called("c0", "f", "{}")]


@pytest.mark.parametrize("arguments", ["", '{"a": "b', "{}{", "[1]", '"text"', "[" * 100_000])
def test_a_call_that_was_cut_is_set_aside(arguments: str) -> None:
    """Arguments that are no JSON object break every client; what there was can still be seen."""
    body = plain(*FIRST, ToolCallDelta(1, "c1", "g", arguments), end=CUT)
    assert message_of(body)["tool_calls"] == [called("c0", "f", '{"a": 1}')]
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["farmhand"]["incomplete_tool_calls"] == [
        {"choice": 0, "id": "c1", "name": "g", "arguments": arguments}
    ]


@pytest.mark.parametrize(("logprob", "shown"), [(-0.5, -0.5), (float("-inf"), -9999.0), (float("nan"), -9999.0)])
def test_json_has_no_word_for_these(logprob: float, shown: float) -> None:
    assert render.finite_logprob(logprob) == shown


def test_an_answer_of_nothing_but_a_cut_call_has_no_calls() -> None:
    body = plain(ToolCallDelta(0, "c", "f", "{"), end=CUT)
    assert message_of(body) == {"role": "assistant", "content": ""}


def test_whole_calls_of_a_cut_answer_stay() -> None:
    body = plain(*FIRST, end=CUT)
    assert message_of(body)["tool_calls"] == [called("c0", "f", '{"a": 1}')]
    assert "incomplete_tool_calls" not in body["farmhand"]


def test_who_sent_functions_gets_a_function_call() -> None:
    body = plain(*FIRST, end=CALLED, legacy=True)
    assert message_of(body) == {
        "role": "assistant", "content": "", "function_call": {"name": "f", "arguments": '{"a": 1}'},
    }  # fmt: skip
    assert body["choices"][0]["finish_reason"] == "function_call"


def test_a_function_call_in_a_stream() -> None:
    chunks = streamed(*FIRST, end=CALLED, legacy=True)
    assert deltas(chunks) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ": 1}"}},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


# --- several choices ------------------------------------------------------------------------------------------

TWO = (
    TextDelta("b", choice=1),
    TextDelta("a", choice=0),
    ReasoningDelta("h", choice=1),
    ChoiceFinished(1, FinishReason.LENGTH),
    TextDelta("a"),
    ChoiceFinished(0, FinishReason.STOP),
)


def test_plain_choices_stand_by_their_index() -> None:
    choices = plain(*TWO, n=2)["choices"]
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in choices] == [
        (0, "aa", "stop"),
        (1, "b", "length"),
    ]
    assert choices[1]["message"]["reasoning_content"] == "h"


@pytest.mark.parametrize("events", [TWO, TWO[:-1]], ids=["all told", "the last one left to the end"])
def test_every_streamed_choice_has_its_role_and_its_reason(events: Events) -> None:
    """The last reason comes with what is said of the whole answer."""
    assert form(n=2).opening() == [chunk({"role": "assistant", "content": ""}, index=index) for index in (0, 1)]
    *before, last = streamed(*events, n=2)
    assert before[-2:] == [chunk({}, "length", index=1), chunk({"content": "a"})]
    assert last.pop("farmhand")["engine"] == "e"
    assert last == chunk({}, "stop")


def test_patience_is_shown_for_a_choice_that_goes_on() -> None:
    answer = form(n=2)
    answer.chunk(ChoiceFinished(0, FinishReason.STOP))
    assert answer.keepalive() == chunk({"content": ""}, index=1)


def test_a_cut_call_names_its_choice() -> None:
    events = (
        ToolCallDelta(0, "c", "f", "{}", choice=0),
        ToolCallDelta(0, "d", "f", "{", choice=1),
        ChoiceFinished(0, FinishReason.TOOL_CALLS),
        ChoiceFinished(1, FinishReason.LENGTH),
    )
    body = plain(*events, n=2, end=CALLED)
    assert body["farmhand"]["incomplete_tool_calls"] == [
        {"choice": 1, "id": "d", "name": "f", "arguments": "{"}
    ]
    assert "tool_calls" in message_of(body, 0) and "tool_calls" not in message_of(body, 1)


# --- logprobs -------------------------------------------------------------------------------------------------

TOP = (TokenLogprob("é", (195, 169), -0.5), TokenLogprob("e", (101,), -math.inf))
TOKENS = (TokenLogprob("é", (195, 169), -0.5, TOP), TokenLogprob("\ufffd", (240, 159), -2.0))
SHOWN = {
    "content": [
        {
            "token": "é",
            "logprob": -0.5,
            "bytes": [195, 169],
            "top_logprobs": [
                {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
                {"token": "e", "logprob": -9999.0, "bytes": [101]},
            ],
        },
        {"token": "\ufffd", "logprob": -2.0, "bytes": [240, 159], "top_logprobs": []},
    ],
    "refusal": None,
}


def test_plain_logprobs() -> None:
    """Joined over all deltas; JSON has no infinity."""
    body = plain(TextDelta("é", logprobs=TOKENS[:1]), TextDelta("x", logprobs=TOKENS[1:]), logprobs=True)
    assert body["choices"][0]["logprobs"] == SHOWN


def test_streamed_logprobs_stand_beside_their_text() -> None:
    first, second, last = streamed(TextDelta("é", logprobs=TOKENS), TextDelta("x"), logprobs=True)
    assert first["choices"][0]["logprobs"] == SHOWN
    assert "logprobs" not in second["choices"][0] and "logprobs" not in last["choices"][0]


# --- bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\n\r\u2028", "\N{SAILBOAT} ü", "\x00\x1f", '"\\'])
def test_a_dump_is_one_line_of_utf8(text: str) -> None:
    """SSE needs that: one `data:` line."""
    raw = render.dump({"a": text})
    assert b"\n" not in raw and b"\r" not in raw
    assert json.loads(raw.decode()) == {"a": text}


def test_half_a_surrogate_pair_does_not_break_a_dump() -> None:
    """An error message may quote one from the request; a failure here would be a bare 500."""
    assert render.dump({"a": "x\ud83dy"}) == b'{"a":"x?y"}'


# --- models ---------------------------------------------------------------------------------------------------


def test_a_model_has_its_sizes_as_integers() -> None:
    """LiteLLM reads them (clients.md 2.10)."""
    model = render.render_model("x", ModelCard("x.gguf", 4_096, 1_024), engine="e", created=17)
    assert {key: model[key] for key in ("id", "object", "created", "owned_by")} == {
        "id": "x", "object": "model", "created": 17, "owned_by": "e",
    }  # fmt: skip
    sizes = ("context_length", "max_model_len", "max_input_tokens", "max_output_tokens")
    assert [model[key] for key in sizes] == [4_096, 4_096, 4_096, 1_024]
    assert model["farmhand"] == {
        "engine": "e", "model": "x.gguf", "loaded": False, "multiline": True, "can": ["chat"],
        "emulated": ["n", "response_format", "tools"],
    }  # fmt: skip
    assert render.render_model_list([model]) == {"object": "list", "data": [model]}


@pytest.mark.parametrize(("can", "shown"), [({Can.EMBEDDINGS}, 384), (PLAIN_CHAT, None)])
def test_a_model_tells_what_it_can(can: set[Can], shown: int | None) -> None:
    card = ModelCard("x", 512, 512, can=frozenset({Can.TOKENIZE, *can}), embedding_size=384)
    extension = as_sent(render.render_model("x", card, engine="e", created=17))["farmhand"]
    assert extension["can"] == sorted({"tokenize", *can})
    assert extension.get("embedding_size") == shown


# --- errors ---------------------------------------------------------------------------------------------------


def tree(base: type[AdapterError]) -> Iterator[type[AdapterError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from tree(kind)


# A class defined elsewhere would be missing in the drawing: the first test below finds it once it is imported.
CLASSES = [*tree(AdapterError)]


def drawn() -> dict[str, int]:
    """The tree in the docstring of errors.py: name -> status."""
    found = re.findall(r"\+-- (\w+) +(\d{3})  \S", errors.__doc__ or "")
    assert len(found) == len(dict(found)), "a name is drawn twice"
    return {name: int(status) for name, status in found}


def test_the_error_tree_is_drawn_as_it_is() -> None:
    assert drawn() == {kind.__name__: kind.status for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_has_what_openais_has(kind: type[AdapterError]) -> None:
    envelope = render.render_error(kind("why", param="p"))
    assert envelope == {"error": {"message": "why", "type": kind.type, "param": "p", "code": kind.code}}
    assert re.fullmatch(r"[a-z_]+", kind.code) and re.fullmatch(r"[a-z_]+", kind.type)
    assert (kind.status >= 500) == (kind.type == "server_error")


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in CLASSES]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_who_should_come_back_is_told_when(kind: type[AdapterError]) -> None:
    """Retry-After is the only lever on the clients' retry storms (clients.md 2.5)."""
    waits = kind("why").retry_after_s
    assert (waits is not None and waits >= 1) == (kind.status in (429, 503))


def test_passing_conditions_have_no_status_that_shuts_a_model_off() -> None:
    """401, 402, 404 and 408 start LiteLLM's cooldown for everybody (clients.md 9.3)."""
    meant = {"BadKey", "NotFound", "ModelNotFound", "ResponseNotFound"}
    assert {kind.__name__ for kind in CLASSES if kind.status in (401, 402, 404, 408)} == meant


@pytest.mark.parametrize(("given", "kept"), [(None, 5), (30, 30), (0, 1), (-3, 1)])
def test_retry_after_is_whole_seconds_from_one(given: int | None, kept: int) -> None:
    assert QueueFull("why", retry_after_s=given).retry_after_s == kept


def test_error_without_a_field() -> None:
    assert render.render_error(BadRequest("why"))["error"]["param"] is None


def test_context_too_long_in_the_words_that_gateways_parse() -> None:
    """OpenClaw reads both numbers and compacts (clients.md 7)."""
    assert ContextTooLong.of(context_tokens=8_192, prompt_tokens=10_341).message == (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 10341 tokens. "
        "Please reduce the length of the messages or completion."
    )
    asked = ContextTooLong.of(context_tokens=8_192, prompt_tokens=8_000, max_tokens=500)
    assert "you requested 8500 tokens (8000 in the messages, 500 in the completion)." in asked.message
