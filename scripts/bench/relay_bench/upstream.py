"""The upstream of the benchmark, a program of its own: `python upstream.py PORT`.

Answers as fast as asyncio can. A stream has as many chunks as `max_tokens` says, the first at once, the others INTERVAL_S apart (the second a part of
that later, another for each stream, so that streams that begin together do not send together); each has the time of its sending (nanoseconds of CLOCK_MONOTONIC, which all processes share) as its text, so that whoever reads it knows how old it is.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from typing import Any

INTERVAL_S = 0.010
MODEL = "bench"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CHUNKS = re.compile(rb'"max_tokens": ?(\d+)')
# Spread evenly, however many there are: multiples of the golden ratio.
PHASES = (number * 0.618034 % 1 for number in itertools.count(1))
_STREAM = re.compile(rb'"stream": ?true')


def _chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices, **more}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _delta(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _chunk([{"index": 0, "delta": delta, "finish_reason": finish}])


USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
PLAIN = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "usage": USAGE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "It is a fine day today."}, "finish_reason": "stop"}],
}).encode()  # fmt: skip
MODELS = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "bench"}]}).encode()
FIRST = _delta({"role": "assistant", "content": ""})
TEXT = _delta({"content": "STAMP "})
LAST = _delta({}, "stop") + b"data: [DONE]\n\n"
LAST_WITH_USAGE = _delta({}, "stop") + _chunk([], usage=USAGE) + b"data: [DONE]\n\n"


class Upstream(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        if head.startswith(b"GET"):
            self._whole(MODELS)
        elif _STREAM.search(body):
            chunks = _CHUNKS.search(body)
            self._stream(int(chunks[1]) if chunks else 1, usage=b"include_usage" in body)
        else:
            self._whole(PLAIN)

    def _whole(self, body: bytes) -> None:
        self._write(_HEAD % (b"application/json", b"Content-Length: %d" % len(body)) + body)

    def _stream(self, chunks: int, *, usage: bool) -> None:
        self._write(_HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked") + _framed(FIRST + _stamped()))
        self._later(chunks - 1, LAST_WITH_USAGE if usage else LAST, INTERVAL_S * next(PHASES))

    def _later(self, left: int, end: bytes, after_s: float) -> None:
        if left == 0:
            self._write(_framed(end) + b"0\r\n\r\n")
            return
        asyncio.get_running_loop().call_later(after_s, self._next, left, end)

    def _next(self, left: int, end: bytes) -> None:
        self._write(_framed(_stamped()))
        self._later(left - 1, end, INTERVAL_S)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(data)


def _stamped() -> bytes:
    return TEXT.replace(b"STAMP", b"%d" % time.perf_counter_ns())


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
