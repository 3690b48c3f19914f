"""A server that has one GGUF, and does to a download what networks, hubs and log-in pages do.

Every request takes the next `Turn` from the script; when that is used up, the last one goes on for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


def make_gguf(n_bytes: int = 200_000, seed: int = 1) -> bytes:
    """A GGUF with one tensor of about `n_bytes` of noise: enough for every check but running it."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    keys += text("llama.context_length") + struct.pack("<II", 4, 2048)
    tensor = text("token_embd.weight") + struct.pack("<IQIQ", 1, n_bytes, 24, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + keys + tensor
    return head + bytes(-len(head) % 32) + random.Random(seed).randbytes(n_bytes)


@dataclass(frozen=True, slots=True)
class Turn:
    """How one request is answered.

    ranges: does it know Range? if_range: does it compare If-Range? drop_after, stall_after: bytes of the body before the
    connection is cut, or falls silent. lie_bytes: added to Content-Length. chunked: say no length. wait_s: between pieces.
    redirect: send there instead. status: refuse instead.
    """

    ranges: bool = True
    drop_after: int | None = None
    stall_after: int | None = None
    lie_bytes: int = 0
    chunked: bool = False
    wait_s: float = 0.0
    redirect: str | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    etag: str | None = '"v1"'


@dataclass
class Asked:
    """What a request said."""

    host: str
    path: str
    headers: dict[str, str]


@dataclass
class GgufSource:
    """url: base, without a final slash. asked: the requests so far. reached: is set by the first."""

    content: bytes
    script: Sequence[Turn] = (Turn(),)
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        turn = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append(Asked(request.host, request.path_qs, dict(request.headers)))
        self.reached.set()
        if turn.redirect:
            return web.Response(status=302, headers={"Location": turn.redirect, **turn.headers})
        if turn.status:
            return web.Response(status=turn.status, headers=turn.headers, text="no")
        return await self._send(request, turn)

    async def _send(self, request: web.Request, turn: Turn) -> web.StreamResponse:
        whole = self.content if turn.body is None else turn.body
        start = _start(request) if turn.ranges else 0
        if start and "If-Range" in request.headers and request.headers["If-Range"] != turn.etag:
            start = 0
        if start >= len(whole) > 0:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(whole)}"})
        response = web.StreamResponse(status=206 if start else 200, headers=turn.headers)
        if turn.etag:
            response.headers["ETag"] = turn.etag
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        if not turn.chunked:
            response.content_length = len(whole) - start + turn.lie_bytes
        await response.prepare(request)
        await self._stream(request, response, whole[start:], turn)
        return response

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, body: bytes, turn: Turn
    ) -> None:
        end = min(n for n in (len(body), turn.drop_after, turn.stall_after) if n is not None)
        for at in range(0, end, 16_384):
            await response.write(body[at : min(end, at + 16_384)])
            if turn.wait_s:
                await asyncio.sleep(turn.wait_s)
        if turn.stall_after is not None:
            await self.silent.wait()
        if (turn.drop_after is not None and end < len(body)) or turn.lie_bytes > 0:
            assert request.transport is not None
            request.transport.close()
            return
        await response.write_eof()


def _start(request: web.Request) -> int:
    text = request.headers.get("Range", "")
    return int(text.removeprefix("bytes=").removesuffix("-")) if text else 0


@asynccontextmanager
async def serving(source: GgufSource, host: str = "127.0.0.1") -> AsyncIterator[GgufSource]:
    """Serve on a port of its own until the block is left."""
    app = web.Application()
    app.router.add_get("/{path:.*}", source.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        source.url = f"http://{host}:{runner.addresses[0][1]}"
        yield source
    finally:
        source.silent.set()
        await runner.cleanup()
