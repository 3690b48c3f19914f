"""LocalLLM's refusals by whose fault they are (`protocols/localllm.md` 5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.dialects.localllm_errors import Asked, Refusal, parse_refusal, render_refusal
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
)

ASKED = Asked("gemma-4-e2b", context_tokens=4_096, prompt_tokens=100)
GONE = Asked("gone", context_tokens=4_096, prompt_tokens=100, listed=False)
PICTURE = Asked("gemma-4-e2b", context_tokens=4_096, prompt_tokens=100, has_images=True)


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (body(message="m", type="t", code=413), Refusal(413, "t", "413", "m")),
        (
            body(message="m", type="t", code="C", aicore_status="s", next_steps=[]),
            Refusal(413, "t", "C", "m", "s"),
        ),
        (body(message=None, type=7, code=None), Refusal(413)),
        (b'{"error":"word"}', Refusal(413, message="word")),
        (b"", Refusal(413)),
        (b"java.lang.Error", Refusal(413, message="java.lang.Error")),
        (b"\xff\xfe", Refusal(413, message="\ufffd\ufffd")),
        (b"[1]", Refusal(413, message="[1]")),
        (b"[" * 100_000, Refusal(413, message="[" * 200)),
    ],
)
def test_every_body_is_read(data: bytes, expected: Refusal) -> None:
    assert parse_refusal(413, data) == expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), ("0", 1), ("0.4", 1), ("2.1", 3), ("-1", None), ("soon", None), (None, None), ("inf", None), ("1e9", 86_400)],
)
def test_retry_after(header: str | None, seconds: int | None) -> None:
    assert parse_refusal(429, b"", retry_after=header).retry_after_s == seconds


@pytest.mark.parametrize(
    ("refusal", "asked", "kind"),
    [
        (Refusal(400), ASKED, UpstreamProtocol),
        (Refusal(401), ASKED, UpstreamRefused),
        (Refusal(403, "x", "NEW"), ASKED, EngineUnavailable),
        (Refusal(403, "x", "AICORE_BACKGROUND_BLOCKED"), ASKED, EngineUnavailable),
        (Refusal(404), ASKED, UpstreamProtocol),
        (Refusal(405), ASKED, UpstreamProtocol),
        (Refusal(406), ASKED, UpstreamProtocol),
        (Refusal(408, "timeout"), ASKED, UpstreamTimeout),
        (Refusal(413), ASKED, ContextTooLong),
        (Refusal(413), PICTURE, BadRequest),
        (Refusal(425, "x", "AICORE_DOWNLOADING"), ASKED, EngineUnavailable),
        (Refusal(429), ASKED, QueueFull),
        (Refusal(500), ASKED, EngineFailed),
        (Refusal(500, "server_error", "500", "image could not be read"), PICTURE, BadRequest),
        (Refusal(500, "server_error", "500", "image could not be read"), ASKED, EngineFailed),
        (Refusal(500, "server_error", "500", "last must be role=user or role=tool"), ASKED, BadRequest),
        (Refusal(500, "server_error", "500", "native"), GONE, ModelNotFound),
        (Refusal(500, "x", "AICORE_RUNTIME_ERROR", "broke"), ASKED, EngineFailed),
        (Refusal(500, "x", "AICORE_RUNTIME_ERROR", "input is too long"), ASKED, ContextTooLong),
        (Refusal(503, "x", "LITERT_INIT_FAILED", "file not found"), ASKED, EngineUnavailable),
        (Refusal(503, "x", "LITERT_INIT_FAILED", "file not found"), GONE, ModelNotFound),
        (Refusal(503, "x", "AICORE_UNKNOWN"), ASKED, EngineUnavailable),
        (Refusal(503), ASKED, EngineUnavailable),
        (Refusal(599), ASKED, EngineFailed),
    ],
)
def test_kinds(refusal: Refusal, asked: Asked, kind: type[AdapterError]) -> None:
    error = render_refusal(refusal, asked)
    assert type(error) is kind
    assert error.message.endswith(".") and len(error.message) < 500
    if kind in (EngineUnavailable, QueueFull):
        assert error.retry_after_s is not None
    if isinstance(error, BadRequest):
        assert error.param == "messages"


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("Input token ids are too long. Exceeding the maximum: 892 >= 256", (256, 892)),
        ("INVALID_ARGUMENT 3: too long: limit 256, got 892 tokens", (256, 892)),
        ("too long: 256 >= 256", (256, 257)),
        ("prompt too long", (4_096, 4_097)),
        ("too long (7)", (4_096, 4_097)),
    ],
)
def test_both_numbers_are_read(message: str, numbers: tuple[int, int]) -> None:
    error = render_refusal(Refusal(500, "server_error", "500", message), ASKED)
    assert isinstance(error, ContextTooLong)
    assert (error.context_tokens, error.prompt_tokens) == numbers


@pytest.mark.parametrize(
    ("refusal", "again"),
    [
        (Refusal(500, "server_error", "500", "stuck conversation; engine thrown away"), True),
        (Refusal(500, "server_error", "500", "Conversation is not alive"), True),
        (Refusal(500, "server_error", "500", "native"), False),
        (Refusal(503, "server_error", "503", "stuck conversation"), False),
    ],
)
def test_what_is_asked_once_more(refusal: Refusal, again: bool) -> None:
    assert refusal.may_pass_at_once is again


def test_retry_after_of_the_app_is_passed_on() -> None:
    assert render_refusal(Refusal(429, retry_after_s=7), ASKED).retry_after_s == 7
    assert render_refusal(Refusal(425, "x", "AICORE_DOWNLOADING", retry_after_s=9), ASKED).retry_after_s == 9
