"""One TCP connection, byte by byte as the test wants it: raw, since cut bodies and resets must be exact."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class ClientLeft(Exception):
    """Nobody is there any more to write to."""


@dataclass(frozen=True)
class Request:
    """As it came. headers: names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Host(Protocol):
    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...

    async def handle(self, connection: Connection, request: Request) -> None: ...


class Connection(asyncio.Protocol):
    """Requests one after another; the client's leaving cancels the work on its request."""

    def __init__(self, host: Host, index: Callable[[], int]) -> None:
        self._host = host
        self.index = index()
        self.answers = 0
        """How many requests it has carried."""
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.left = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host.opened(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._host.closed(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """Raises `ClientLeft`. Every call is a `send` of its own, and whoever reads gets the chance to see it alone."""
        if self.left.is_set() or self._transport is None or self._transport.is_closing():
            raise ClientLeft
        self._transport.write(data)
        await self._writable.wait()
        await asyncio.sleep(0)

    def close(self) -> None:
        """After what was written."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """A TCP reset instead of an orderly end."""
        if self._transport is not None and not self._transport.is_closing():
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def _leave(self) -> None:
        self.left.set()
        self._writable.set()

    def _next(self) -> None:
        """Begin with the next whole request, unless one is worked on."""
        if self._task is not None:
            return
        request = _take(self._buffer)
        if request is not None:
            self._task = self._host.spawn(self._host.handle(self, request))
            self._task.add_done_callback(self._done)

    def _done(self, _: asyncio.Task[None]) -> None:
        self._task = None
        self.answers += 1
        if self._transport is not None and not self._transport.is_closing():
            self._next()


def _take(buffer: bytearray) -> Request | None:
    """Cut one request off the front; `None` until it is whole. Bodies come with a length: no client chunks (clients.md 3)."""
    head, separator, _ = bytes(buffer).partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    start = len(head) + len(separator)
    end = start + int(headers.get("content-length", 0))
    if len(buffer) < end:
        return None
    body = bytes(buffer[start:end])
    del buffer[:end]
    return Request(method, target, headers, body)
