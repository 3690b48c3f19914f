"""An answer's bytes on the wire: head, framing, and where they break."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from http import HTTPStatus

from tests.fakes.openai_server.connection import Connection
from tests.fakes.openai_server.faults import Break, How


class Broken(Exception):
    """The answer breaks here, as it was ordered."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self.how = how


class Writer:
    """One answer. Counts the body's bytes without chunked framing, and breaks where `fail_at_byte` says."""

    def __init__(self, connection: Connection, quirks: frozenset[str], server: str, *, http10: bool = False) -> None:
        self._connection = connection
        self._quirks = quirks
        self._server = server
        self._http10 = http10
        self._sent = 0
        self._pending = b""
        self._chunked = False
        self._keeps = "one_segment" in quirks
        self.head_sent = False
        self.breaks_at: Break | None = None

    async def whole(
        self, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None, *, packed: bool = False
    ) -> None:
        """A plain answer with its length."""
        more = dict(headers or {})
        if packed:
            body = gzip.compress(body)
            more["Content-Encoding"] = "gzip"
        await self._head(status, content_type, {**more, "Content-Length": str(len(body))})
        await self._body(body)

    async def open_stream(self, content_type: str) -> None:
        self._chunked = not self._http10
        framing = {"Transfer-Encoding": "chunked"} if self._chunked else {}
        await self._head(200, content_type, {"Cache-Control": "no-cache", **framing})

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """A part of a stream's body. last: it leaves together with the end, so that whoever stops at `[DONE]` does not leave early."""
        self._keeps |= last and "byte_by_byte" not in self._quirks
        await self._body(data)

    async def end(self) -> None:
        """The body is whole."""
        if self._chunked:
            self._pending += b"0\r\n\r\n"
        if self._pending:
            await self._connection.write(self._take_pending())

    async def flush(self) -> None:
        if self._pending:
            await self._connection.write(self._take_pending())

    async def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.{0 if self._http10 else 1} {status} {_reason(status)}", f"Content-Type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Server: {self._server}"] if self._server else []
        lines += ["Connection: close"] if "connection_close" in self._quirks else []
        await self._write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        self.head_sent = True

    async def _body(self, data: bytes) -> None:
        room = self._room()
        if room is not None and len(data) >= room:
            await self._cut_up(data[:room])
            assert self.breaks_at is not None
            raise Broken(self.breaks_at.how)
        await self._cut_up(data)

    def _room(self) -> int | None:
        if self.breaks_at is None or self.breaks_at.pieces is not None:
            return None
        return self.breaks_at.at_byte - self._sent

    async def _cut_up(self, data: bytes) -> None:
        for part in _parts(data, self._quirks):
            self._sent += len(part)
            await self._write(b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part)

    async def _write(self, data: bytes) -> None:
        if self._keeps:
            self._pending += data
        elif data:
            await self._connection.write(data)

    def _take_pending(self) -> bytes:
        data, self._pending = self._pending, b""
        return data


def _parts(data: bytes, quirks: frozenset[str]) -> list[bytes]:
    """How the body's bytes are spread over writes."""
    if "byte_by_byte" in quirks:
        return [data[at : at + 1] for at in range(len(data))]
    if "split_utf8" not in quirks:
        return [data] if data else []
    # In front of every continuation byte of a character.
    cuts = [at for at, byte in enumerate(data) if byte & 0xC0 == 0x80]
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
