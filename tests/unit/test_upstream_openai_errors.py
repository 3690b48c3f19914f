"""Whose fault it is, and the numbers in what servers say of their context."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.dialects.upstream_openai_errors import SHOWN_CHARS, Peer, failure, in_stream, read_error, said
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    LoopDetected,
    ModelNotFound,
    NotCapable,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
)

KEY = "sk-very-secret"
PEER = Peer("up", "http://127.0.0.1:1/v1", (KEY,))


def failed(status: int, body: object, **more: Any) -> AdapterError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure(status, read_error(raw), PEER, **more)


def openai(message: str, code: object = None, kind: str = "x") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def pydantic(field: str) -> str:
    """As `python -m llama_cpp.server` words it."""
    entry = f"{{'type': 'literal_error', 'loc': ('body', '{field}', 'type'), 'msg': \"Input should be 'text' or 'json_object'\", 'input': 'x'}}"
    return f'1 validation error:\n  {entry}\n\n  File "/home/them/app.py", line 376, in create_chat_completion\n    POST /v1/chat/completions'


def test_a_validators_500_names_the_field_and_no_file_of_theirs() -> None:
    found = failed(500, openai(pydantic("response_format")))
    assert (found.param, found.status) == ("response_format", 400)
    assert "Input should be 'text' or 'json_object'" in found.message
    assert "/home/them" not in found.message


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, openai("bad"), BadRequest),
        (422, {"detail": [{"msg": "bad"}]}, BadRequest),
        (400, openai("passed already", "loop_detected"), LoopDetected),
        (400, openai("no such thing", "not_capable"), NotCapable),
        (400, openai("registry.ollama.ai/library/m does not support tools"), NotCapable),
        (400, openai('"auto" tool choice requires --enable-auto-tool-choice'), NotCapable),
        (400, openai("The model `m` does not exist", "model_not_found"), ModelNotFound),
        (401, openai("no"), UpstreamRefused),
        (402, openai("pay"), UpstreamRefused),
        (403, b"no", UpstreamRefused),
        (404, openai('model "m" not found'), ModelNotFound),
        (404, openai("x", "model_not_found"), ModelNotFound),
        (404, {"detail": "Not Found"}, UpstreamProtocol),
        (404, b"<html><title>404</title></html>", UpstreamProtocol),
        (405, b"", UpstreamProtocol),
        (301, b"", UpstreamProtocol),
        (408, b"", UpstreamTimeout),
        (504, b"", UpstreamTimeout),
        (409, b"", EngineUnavailable),
        (425, b"", EngineUnavailable),
        (429, openai("slow down"), QueueFull),
        (429, openai("You exceeded your current quota", "insufficient_quota"), UpstreamRefused),
        (503, openai("Loading model"), EngineUnavailable),
        (500, b"Internal Server Error", EngineFailed),
        (502, b"<html>", EngineFailed),
        (500, openai("tools param requires --jinja flag"), NotCapable),
        (500, openai(pydantic("response_format")), NotCapable),
        (500, openai(pydantic("messages")), BadRequest),
        (500, openai("validation error of the cache"), EngineFailed),
        (500, openai("Input should be 'text'"), EngineFailed),
    ],
)
def test_a_failure_is_put_where_it_belongs(status: int, body: object, error: type[AdapterError]) -> None:
    found = failed(status, body, model="m")
    assert type(found) is error
    assert "'up'" in found.message
    assert found.status not in (401, 402, 408)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0.2", 1), ("99999", 3_600), ("soon", 5), (None, 5), ("nan", 5), ("inf", 5), ("-3", 1)]
)
def test_its_retry_after_is_ours(header: str | None, seconds: int) -> None:
    assert failed(503, b"", retry_after=header).retry_after_s == seconds
    assert failed(429, b"", retry_after=header).retry_after_s == seconds


def test_a_refused_key_names_the_setting() -> None:
    assert "`key` of [[engine]] 'up'" in failed(401, b"").message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (openai("the cause"), "the cause"),
        ({"error": "the cause"}, "the cause"),
        ({"detail": "the cause"}, "the cause"),
        ({"object": "error", "message": "the cause", "code": 400}, "the cause"),
        ({"message": "the cause"}, "the cause"),
        (b"the  cause\n\n", "the cause"),
        (b"<html><head><title>the cause</title>", "a web page: the cause"),
        (b"\xff\xfe the cause", "the cause"),
        ([1, "the cause"], "the cause"),
    ],
)
def test_its_own_words_are_quoted(body: object, text: str) -> None:
    assert text in failed(500, body).message


def test_quotes_are_short_and_hold_no_key() -> None:
    message = failed(500, openai(f"key {KEY} " + "x" * 10_000)).message
    assert KEY not in message and "***" in message
    assert len(message) < SHOWN_CHARS + 200


LATE = "This model's maximum context length is 8192 tokens. However, "


@pytest.mark.parametrize(
    ("body", "context", "prompt"),
    [
        (openai(LATE + "your messages resulted in 10341 tokens.", "context_length_exceeded"), 8192, 10341),
        (openai(LATE + "you requested 9100 tokens (9000 in the messages, 100 in the completion)."), 8192, 9000),
        (openai(LATE + "your request has 9000 input tokens. Please reduce"), 8192, 9000),
        (
            openai(LATE + "You requested 16 output tokens and your prompt contains at least 8177 input tokens, for a total of"),
            8192,
            8177,
        ),
        (
            openai("This model's maximum context length is 512 tokens, however you requested 600 tokens (500 in your prompt; 100 for the completion)."),
            512,
            500,
        ),
        (openai("request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"), 4096, 9000),
        (
            {"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 5}},
            5,
            9,
        ),
        (openai("the request exceeds the available context size. try increasing it"), None, None),
        (openai("the input length exceeds the context length"), None, None),
        ({"error": "Trying to keep the first 111490 tokens when context the overflows. However, the model is loaded with context length of only 32768 tokens"}, 32768, 111490),
        ({"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 9>= n_ctx: 5)."}, 5, 9),
        (openai("The decoder prompt (length 5000) is longer than the maximum model length of 4096."), 4096, 5000),
        (openai("Requested tokens (600) exceed context window of 512"), 512, 600),
        (openai("prompt is too long"), None, None),
    ],
)  # fmt: skip
def test_too_long_is_recognised_in_every_wording(body: object, context: int | None, prompt: int | None) -> None:
    for status in (400, 500):
        error = failed(status, body)
        assert isinstance(error, ContextTooLong)
        assert (error.context_tokens, error.prompt_tokens) == (context, prompt)
        if context and prompt:
            assert f"maximum context length is {context} tokens" in error.message


@pytest.mark.parametrize("text", ["x" * 100_000, "maximum context length is " + "9" * 5_000, "(" * 50_000, "exceeds " * 20_000])
def test_hostile_words_cost_little(text: str) -> None:
    assert isinstance(failed(400, openai(text)), BadRequest)


@pytest.mark.parametrize(
    ("value", "is_error"),
    [
        ({"error": {"message": "x"}}, True),
        ({"error": "x"}, True),
        ({"error": None, "choices": []}, False),
        ({"error": {}, "choices": []}, False),
        ({"choices": [], "detail": "x"}, False),
        ({"object": "error", "message": "x"}, True),
        ({"id": "x"}, False),
        ([], False),
        (None, False),
    ],
)
def test_an_error_in_a_stream_is_seen(value: object, is_error: bool) -> None:
    assert (said(value) is not None) is is_error


@pytest.mark.parametrize(("code", "error"), [(None, EngineFailed), (503, EngineUnavailable), ("429", QueueFull), (400, BadRequest), ("x", EngineFailed)])
def test_an_error_frame_has_its_own_status(code: object, error: type[AdapterError]) -> None:
    reason = said(openai("broken", code))
    assert reason is not None
    assert type(in_stream(reason, PEER)) is error
