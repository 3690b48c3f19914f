"""One TCP connection below the server: deaf until HTTP, never closed after a plain answer (4.2, 4.3)."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tests.fakes.inferrlm.answers import CONTINUE
from tests.fakes.inferrlm.http_parser import ParserLoops, RawRequest, RequestBuffer, looks_like_http
from tests.fakes.inferrlm.log import SeenConnection


class Host(Protocol):
    """What a connection needs from its server."""

    wedged: bool
    """The app is busy with the same request for ever and serves nobody any more (4.2)."""

    def opened(self, connection: Connection) -> SeenConnection: ...

    def closed(self, connection: Connection) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...

    def new_buffer(self) -> RequestBuffer: ...

    @property
    def answers_expect(self) -> bool: ...

    async def handle(self, connection: Connection, request: RawRequest) -> bool: ...


class Connection(asyncio.Protocol):
    """Cuts requests from bytes and hands them to the server; each TCP segment is worked on at once.

    A request in a later segment is therefore handled while an earlier one still runs, and
    its answer lands wherever the other one is (4.3).
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._buffer = host.new_buffer()
        self._is_http = False
        self._continue_sent = False
        self._reset_unnoticed = False
        self._transport: asyncio.Transport | None = None
        self._close_listeners: list[Callable[[], None]] = []
        self.gone = False
        """The client left, or the server closed; nothing that is written arrives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.seen = self._host.opened(self)

    def data_received(self, data: bytes) -> None:
        self.seen.received += data
        if self._host.wedged or not (self._is_http or looks_like_http(data)):
            return
        self._is_http = True
        self._buffer.feed(data)
        self._host.spawn(self._serve())

    def eof_received(self) -> bool:
        """A half-close counts as leaving: the connection is dropped, the work goes on (4.2)."""
        self.seen.closed_by = self.seen.closed_by or "client"
        self._notice_departure()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """A reset, unlike an orderly close, is only noticed at the next write (12, [native])."""
        if exc is None:
            self._notice_departure()
        elif not self.gone:
            self.seen.closed_by = "reset"
            self._reset_unnoticed = True
        self._host.closed(self)

    def write(self, data: bytes) -> None:
        """Send, or throw away if nobody is there."""
        if self._reset_unnoticed:
            self._notice_departure()
        if self.gone or self._transport is None:
            return
        self.seen.sent += data
        self._transport.write(data)

    def end(self) -> None:
        """Close after everything written."""
        self._leave()
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection with a TCP reset: the phone is gone."""
        if self._transport is not None and not self._transport.is_closing():
            no_farewell = struct.pack("ii", 1, 0)
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_farewell)
        self.drop()

    def drop(self) -> None:
        """Close at once; what was not sent yet is lost."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def on_close(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when the client's departure is noticed; returns how to take that back."""
        self._close_listeners.append(listener)
        return lambda: self._close_listeners.remove(listener)

    def _leave(self) -> None:
        self.seen.closed_by = self.seen.closed_by or "server"
        self.gone = True

    def _notice_departure(self) -> None:
        self._reset_unnoticed = False
        if self.gone:
            return
        self.gone = True
        for listener in list(self._close_listeners):
            listener()

    async def _serve(self) -> None:
        """Handle what the buffer holds; in JavaScript this is the tail of one `data` event."""
        while True:
            try:
                request = self._buffer.take()
            except ParserLoops:
                self._host.wedged = True
                return
            if request is None:
                self._maybe_continue()
                return
            self._continue_sent = False
            if not await self._host.handle(self, request) or self._buffer.is_empty:
                return

    def _maybe_continue(self) -> None:
        if self._host.answers_expect and not self._continue_sent and self._buffer.waits_for_continue():
            self._continue_sent = True
            self.write(CONTINUE)
