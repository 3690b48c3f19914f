"""HTTP/1.1 below the app, as Ktor on Netty does it: one connection, one request after the other (protocols/localllm.md 3, 8.3)."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.fakes.localllm import gson
from tests.fakes.localllm.options import Head

JSON_TYPE = "application/json; charset=UTF-8"
TEXT_TYPE = "text/plain; charset=UTF-8"
_MALFORMED = ":malformed"


class ClientGone(Exception):
    """A write failed: the client has left."""


@dataclass(slots=True)
class SeenRequest:
    """One request; `body` and `json` (None if it is not JSON) are filled in when the body was read."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""
    json: Any = None


class Exchange:
    """One request and its reply."""

    def __init__(self, request: SeenRequest, connection: Connection, head: Head) -> None:
        self.request = request
        self.headers: dict[str, str] = {}
        """Set on whatever reply comes."""
        self.answered = False
        self._connection = connection
        self._head_mode = head
        self._head: bytes | None = None
        self._body_read = False

    @property
    def has_begun(self) -> bool:
        """A stream was begun; a failure can no longer become an error reply."""
        return self._head is not None

    async def body(self) -> bytes:
        """The decoded body; read from the connection at the first call."""
        if not self._body_read:
            self._body_read = True
            self.request.body = await self._connection.read_body(self.request.headers)
            try:
                self.request.json = json.loads(self.request.body)
            except (ValueError, RecursionError):
                self.request.json = None
        return self.request.body

    def reply(self, status: int, content_type: str = "", body: bytes = b"") -> None:
        """A whole reply, with `Content-Length`; an empty body has no content type."""
        self.answered = True
        headers = {**self.headers, "Content-Length": str(len(body))}
        if content_type:
            headers["Content-Type"] = content_type
        self._connection.write(_render_head(status, headers) + body)

    def reply_json(self, status: int, payload: Any) -> None:
        """A JSON reply, or an empty 406 for a client whose `Accept` excludes JSON, errors included (3)."""
        if accepts_json(self.request.headers.get("accept")):
            self.reply(status, JSON_TYPE, gson.encode(gson.dumps(payload)))
        else:
            self.reply(406)

    def begin_stream(self) -> None:
        """Commit to an SSE reply; Netty is believed to hold the head until the first body byte (8.3)."""
        headers = {**self.headers, "Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        self._head = _render_head(200, headers | {"Transfer-Encoding": "chunked"})
        if self._head_mode == "at_once":
            self._connection.write(self._head)
            self._head = b""

    def chunk(self, text: str) -> None:
        """One chunk of the stream. Raises ClientGone."""
        assert self._head is not None, "not begun"
        data = gson.encode(text)
        held, self._head = self._head, b""
        self._connection.write(held + b"%x\r\n%s\r\n" % (len(data), data))
        if self._connection.gone:
            raise ClientGone

    def end_stream(self) -> None:
        self.answered = True
        self._connection.write((self._head or b"") + b"0\r\n\r\n")

    def cut(self) -> None:
        """Close without the terminator; a head that is still held never goes out (8.5)."""
        self.answered = True
        self._connection.end()


Handler = Callable[[Exchange], Awaitable[None]]
Seen = Callable[[SeenRequest], None]


class Connection(asyncio.StreamReaderProtocol):
    """One TCP connection. `gone` is set when the client closed, in order or not; the writes after it fail."""

    def __init__(self, handle: Handler, seen: Seen, left: Callable[[Connection], None], head: Head) -> None:
        self._input = asyncio.StreamReader(limit=2**20)
        super().__init__(self._input)
        self._handle = handle
        self._seen = seen
        self._left = left
        self._head_mode = head
        self._raw: asyncio.Transport | None = None
        self.gone = False
        self.when_gone: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._raw = transport

    def eof_received(self) -> bool:
        """Netty closes its side as well when the client half-closes."""
        super().eof_received()
        self._notice()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._notice()
        self._left(self)

    def write(self, data: bytes) -> None:
        if self._raw is not None and not self._raw.is_closing():
            self._raw.write(data)

    def end(self) -> None:
        """Close after everything written."""
        if self._raw is not None:
            self._raw.close()

    def reset(self) -> None:
        """Break off with a TCP reset: the process is gone."""
        if self._raw is None:
            return
        if not self._raw.is_closing():
            at_once = struct.pack("ii", 1, 0)
            self._raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._raw.abort()

    async def serve(self) -> None:
        """Answer requests until one side closes."""
        while (request := await self._next_request()) is not None:
            exchange = Exchange(request, self, self._head_mode)
            if request.headers.pop(_MALFORMED, None):
                exchange.reply(400)
                break
            self._seen(request)
            if "100-continue" in request.headers.get("expect", ""):
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self._handle(exchange)
            assert exchange.answered, f"no answer to {request.method} {request.path}"
            try:
                await exchange.body()  # what was not read of it, so that closing is not a reset
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            if self.gone or request.headers.get("connection", "").lower() == "close":
                break
        self.end()

    async def read_body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._read_chunks()
        return await self._input.readexactly(int(headers.get("content-length") or 0))

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := _chunk_size(await self._input.readuntil(b"\r\n")):
            body += (await self._input.readexactly(size + 2))[:-2]
        while await self._input.readuntil(b"\r\n") != b"\r\n":
            pass
        return body

    async def _next_request(self) -> SeenRequest | None:
        try:
            head = await self._input.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return None
        line, *fields = head.decode("latin-1").strip().split("\r\n")
        method, target, *_ = [*line.split(" "), "", ""]
        path, _, query = target.partition("?")
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in (f.partition(":") for f in fields)]
        headers = dict(pairs)
        if [name for name, _ in pairs].count("host") > 1 or not headers.get("content-length", "0").isdecimal():
            headers[_MALFORMED] = "yes"
        return SeenRequest(method, unquote(path), dict(parse_qsl(query)), headers)

    def _notice(self) -> None:
        if self.gone:
            return
        self.gone = True
        if self.when_gone is not None:
            self.when_gone()


def accepts_json(accept: str | None) -> bool:
    """Whether an `Accept` header lets JSON through (3)."""
    ranges = [part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    return any(media in ("*/*", "application/*", "application/json") for media in ranges)


def _chunk_size(line: bytes) -> int:
    """Netty gives up on a chunk without a size, as if the client had left."""
    try:
        return int(line.split(b";")[0], 16)
    except ValueError:
        raise asyncio.IncompleteReadError(line, None) from None


def _render_head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1", "replace")
