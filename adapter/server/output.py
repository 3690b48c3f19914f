"""The client's end of a stream: what is ready together leaves in one write, and silence is filled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

FLUSH_BYTES = 16_384
EVENT_STREAM = "text/event-stream; charset=utf-8"


class EventStream(web.StreamResponse):
    """Server-sent events. Its headers leave together with what follows them, which `Output` sees to; aiohttp's own would go ahead."""

    _send_headers_immediately = False  # as in `web.Response`

    def __init__(self, content_type: str = EVENT_STREAM) -> None:
        super().__init__(
            headers={
                "Content-Type": content_type,
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
            }
        )


class PlainAnswer(web.StreamResponse):
    """A whole answer that took so long that its status went ahead."""

    _send_headers_immediately = False

    def __init__(self) -> None:
        super().__init__(headers={"Content-Type": "application/json; charset=utf-8"})


class ClientGone(ConnectionResetError):
    """It has left, or has stopped reading. Told apart from an engine's broken pipe: that one must never end a stream in silence."""


class Output:
    """Small chunks are gathered; a client that reads nothing for `stall_s` is gone. The first thing that is written opens the response."""

    def __init__(self, request: web.Request, response: web.StreamResponse, stall_s: float) -> None:
        self._request = request
        self._response = response
        self._stall_s = stall_s
        self._waiting = bytearray()
        self._now_s = asyncio.get_running_loop().time
        self.wrote_s = self._now_s()

    @property
    def opened(self) -> bool:
        """Is the status out?"""
        return self._response.prepared

    async def send(self, event: bytes, *, more: bool = False) -> None:
        """One event as it lies on the wire; kept for the next call if `more` is about to follow."""
        self._waiting += event
        if not more or len(self._waiting) > FLUSH_BYTES:
            await self.flush()

    async def pass_on(self, data: bytes, *, more: bool = False) -> None:
        """Bytes that are whole events already; kept for the next call if `more` is about to follow."""
        if more or self._waiting:
            self._waiting += data
            if not more:
                await self.flush()
        else:
            await self._write(data)

    async def finish(self, last: bytes = b"") -> None:
        """The end, in one write with what has been kept."""
        data, self._waiting = bytes(self._waiting) + last, bytearray()
        await self._write(data, end=True)

    def abort(self) -> None:
        """Break the connection off: a clean end would pass for a whole answer."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def flush(self) -> None:
        if self._waiting:
            data, self._waiting = bytes(self._waiting), bytearray()
            await self._write(data)

    async def _write(self, data: bytes, *, end: bool = False) -> None:
        """Raises `ClientGone`."""
        self.wrote_s = self._now_s()
        try:
            if not self._response.prepared:
                await self._response.prepare(self._request)
            write, transport = self._response.write_eof if end else self._response.write, self._request.transport
            if transport is not None and len(data) <= FLUSH_BYTES and not transport.get_write_buffer_size():
                await write(data)  # there is room: it cannot wait, and needs no clock
            else:
                await self._bounded(write(data))
        except ConnectionResetError as exc:
            raise ClientGone(str(exc)) from exc

    async def _bounded(self, writing: Awaitable[None]) -> None:
        """Its seat belongs to somebody who listens.

        Its connection is broken off, since a clean end would pass for a whole answer, should it come back.
        """
        try:
            async with asyncio.timeout(self._stall_s):
                await writing
        except TimeoutError:
            self.abort()
            raise ConnectionResetError("the client stopped reading") from None


class Heartbeat:
    """Keeps a client alive while nobody else writes: `async with Heartbeat(...)`. One timer for a stream, and a task only when it has to send.

    events: what to send, as it lies on the wire. first_s: silence before there is a status; every_s: from then on.
    """

    def __init__(self, out: Output, events: Callable[[], Sequence[bytes]], every_s: float, *, first_s: float) -> None:
        self._out = out
        self._events = events
        self._every_s = every_s
        self._first_s = first_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._timer = self._loop.call_later(self._first_s, self._look)

    async def __aexit__(self, *exc: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    def _look(self) -> None:
        limit_s = self._every_s if self._out.opened else self._first_s
        left_s = self._out.wrote_s + limit_s - self._loop.time()
        if left_s <= 0.001 and (self._sending is None or self._sending.done()):
            self._sending = self._loop.create_task(self._send(), name="heartbeat")
            left_s = self._every_s
        self._timer = self._loop.call_later(max(left_s, 0.01), self._look)

    async def _send(self) -> None:
        # A client that is gone is noticed by whoever reads the answer: cancelled for it, or with the next chunk.
        with contextlib.suppress(ClientGone):
            for event in self._events():
                await self._out.send(event, more=True)
            await self._out.flush()
