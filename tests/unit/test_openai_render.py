"""Our words -> OpenAI's JSON: the safe form of `protocols/clients.md` 5, key by key, and the error tree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from adapter import errors
from adapter.chat import Finished, FinishReason, ReasoningDelta, TextDelta, Usage, UsageSource
from adapter.dialects import openai_render as render
from adapter.engines.base import ModelCard
from adapter.errors import AdapterError, BadRequest, ContextTooLong, QueueFull

ENVELOPE = render.Envelope(id="chatcmpl-1", created=17, model="m", engine="e")
USAGE = Usage(7, 3, cached_tokens=2, completion_source=UsageSource.ESTIMATED)
END = Finished(FinishReason.STOP, USAGE)


def plain(*events: TextDelta | ReasoningDelta, envelope: render.Envelope = ENVELOPE) -> dict[str, Any]:
    answer = render.Answer()
    for event in events:
        answer.add(event)
    return as_sent(render.render_completion(envelope, answer, END))


def as_sent(value: render.Json) -> dict[str, Any]:
    """What a client parses: enum words become plain strings on the way."""
    sent = json.loads(render.dump(value))
    assert isinstance(sent, dict)
    return sent


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
    assert plain()["choices"][0]["message"] == {"role": "assistant", "content": ""}


def test_reasoning_is_kept_apart() -> None:
    message = plain(ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("x"))["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "x", "reasoning_content": "hm"}


def test_ignored_fields_are_told() -> None:
    envelope = render.Envelope("i", 1, "m", "e", ignored=("user", "seed"))
    assert plain(envelope=envelope)["farmhand"]["ignored"] == ["user", "seed"]


# --- streamed -------------------------------------------------------------------------------------------------


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 17,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def test_the_chunks_of_a_stream() -> None:
    """Role first (the JS helper), index always (the Python helper), nothing but text in between."""
    assert render.render_role_chunk(ENVELOPE) == chunk({"role": "assistant", "content": ""})
    assert render.render_keepalive_chunk(ENVELOPE) == chunk({"content": ""})
    assert render.render_delta_chunk(ENVELOPE, TextDelta("x")) == chunk({"content": "x"})
    assert render.render_delta_chunk(ENVELOPE, ReasoningDelta("x")) == chunk({"reasoning_content": "x"})


def test_the_end_of_a_stream() -> None:
    (last,) = render.render_finish_chunks(ENVELOPE, END, include_usage=False)
    assert {key: value for key, value in last.items() if key != "farmhand"} == chunk({}, "stop")
    assert "usage" not in last


def test_usage_comes_in_a_chunk_of_its_own() -> None:
    last, usage = render.render_finish_chunks(ENVELOPE, END, include_usage=True)
    assert "usage" not in last
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 10
    assert {usage[key] for key in ("id", "object", "model")} == {"chatcmpl-1", "chat.completion.chunk", "m"}


@pytest.mark.parametrize("reason", FinishReason)
def test_finish_reasons_are_openais_own(reason: FinishReason) -> None:
    """Anything else makes OpenClaw discard the answer."""
    assert reason in {"stop", "length", "tool_calls", "content_filter"}
    (last,) = render.render_finish_chunks(ENVELOPE, Finished(reason, USAGE), include_usage=False)
    assert as_sent(last)["choices"][0]["finish_reason"] == str(reason)


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
    assert model["farmhand"] == {"engine": "e", "model": "x.gguf", "loaded": False, "multiline": True}
    assert render.render_model_list([model]) == {"object": "list", "data": [model]}


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
    meant = {"BadKey", "NotFound", "ModelNotFound"}
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
