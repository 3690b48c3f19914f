"""Answers as bytes: plain, NDJSON stream, SSE stream (protocol sections 4.3, 7.4, 8.2, 10)."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.inferrlm.clock import iso_now

LAST_CHUNK = b"0\r\n\r\n"
SSE_DONE = b"data: [DONE]\n\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

NDJSON_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"Connection: close\r\n"
    b"Access-Control-Allow-Origin: *\r\n"
    b"Content-Type: application/x-ndjson; charset=utf-8\r\n\r\n"
)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Connection: keep-alive\r\n"
    b"Access-Control-Allow-Origin: *\r\n\r\n"
)

_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    409: "Conflict",
    422: "Unprocessable Entity",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def render_plain(status: int, headers: Mapping[str, str], body: bytes, *, knows_422: bool = True) -> bytes:
    """A whole answer. It says `Connection: close`, but nobody will close (4.3)."""
    reason = _REASONS.get(status, "OK") if knows_422 or status != 422 else "OK"
    lines = {
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Access-Control-Allow-Origin": "*",
        **headers,
    }
    head = "\r\n".join(f"{name}: {value}" for name, value in lines.items())
    return f"HTTP/1.1 {status} {reason}\r\n{head}\r\n\r\n".encode() + body


def render_chunk(record: Mapping[str, Any]) -> bytes:
    """One NDJSON record, its newline and the chunk around it."""
    body = render_json(record) + b"\n"
    return b"%x\r\n%s\r\n" % (len(body), body)


def render_event(payload: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: %s\n\n" % render_json(payload)


def render_json(value: Any) -> bytes:
    """JavaScript's `JSON.stringify`: no blanks, non-ASCII as it is, lone surrogates escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def native_plain(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "created_at": iso_now(), "response": text, "done": True}


def native_delta(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "created_at": iso_now(), "response": text, "done": False}


def native_end(model: str, output: str, duration_ms: int) -> dict[str, Any]:
    return {**native_plain(model, ""), "total_duration_ms": duration_ms, "output": output}


def native_failure(model: str, error: str) -> dict[str, Any]:
    return {"model": model, "created_at": iso_now(), "error": error, "done": True}


def embedding_answer(model: str, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """One vector is `embedding`, several are `embeddings` (9)."""
    found: dict[str, Any] = {"embedding": vectors[0]} if len(vectors) == 1 else {"embeddings": vectors}
    return {"model": model, "created_at": iso_now(), **found}


def new_completion_id() -> str:
    suffix = "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=6))
    return f"chatcmpl-{int(time.time() * 1000)}-{suffix}"


def openai_plain(completion_id: str, model: str, text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def openai_chunk(completion_id: str, model: str, text: str, finish_reason: str | None) -> dict[str, Any]:
    """`created` is the time of this chunk; an empty piece of text makes an empty delta (8.2)."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish_reason}
    return {
        "id": completion_id,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
    }
