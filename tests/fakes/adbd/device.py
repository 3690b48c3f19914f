"""The daemon: takes the adb server's connection and serves its streams, on an event loop in a thread of its own.

A test's thread works it: `unplug`, `plug`, `reboot`, `hung`, `authorise`, `ports`. Nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.fakes.adbd import packets
from tests.fakes.adbd.packets import AUTH, CLSE, CNXN, HEAD, OKAY, OPEN, WRTE, BadMessage, Message
from tests.fakes.adbd.shell import FakeShell, Reply

WAIT_S = 20.0


class FakeDevice:
    """A context manager; inside it the device listens at `serial`.

    ports: the phone's port -> the port of this machine that stands for it; what is not in it, or where nothing
    listens, is refused. asks_key: the dialog "Allow USB debugging?" comes before anything else, until `authorise`.
    version: of the protocol; with `packets.VERSION_WITH_SUMS` wrong sums end the connection. features: without
    `shell_v2` commands have one stream and no exit code, as on old phones.
    """

    def __init__(
        self,
        *,
        shell: FakeShell | None = None,
        ports: dict[int, int] | None = None,
        asks_key: bool = False,
        version: int = packets.VERSION,
        features: str = "shell_v2,cmd",
    ) -> None:
        self.shell = shell or FakeShell()
        self.ports = dict(ports or {})
        self.version = version
        self.features = features
        self.hung = False
        """Takes connections and messages and answers none."""
        self.connected = threading.Event()
        """An adb server is through the door."""
        self.asked_key = threading.Event()
        """A server that is not known here has shown its key and waits for a person."""
        self.opened: list[str] = []
        """The services that were asked for."""
        self._key_known = not asks_key
        self._listener: asyncio.Server | None = None
        self._transports: set[Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="adbd", daemon=True)
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        """Stays the device's own while it is unplugged: bound, but nobody listens."""

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def banner(self) -> str:
        props = f"ro.product.name=panther;ro.product.model={self.shell.model};ro.product.device=panther"
        return f"device::{props};features={self.features}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        self._loop.close()
        self._socket.close()

    def plug(self) -> None:
        """The cable is in (or the phone has started): the daemon listens."""
        self._do(self._plug())

    def unplug(self) -> None:
        """The cable is out: every connection ends at once, and no new one is taken."""
        self._do(self._unplug())

    def reboot(self) -> None:
        """Off and on again; what Android keeps over that is kept."""
        self.unplug()
        self.plug()

    def authorise(self) -> None:
        """The person taps "Allow"; the server that waits is let in."""
        self._do(self._authorise())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _plug(self) -> None:
        if self._listener is None:
            # A copy: closing the listener must not give the port away.
            self._listener = await asyncio.start_server(self._take, sock=self._socket.dup())

    async def _unplug(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            # What once listened goes on taking connections; a new socket on the same port does not.
            self._socket.close()
            self._socket = _bound(self.port)
        for transport in [*self._transports]:
            await transport.close()
        self.connected.clear()

    async def _authorise(self) -> None:
        self._key_known = True
        for transport in self._transports:
            if self.asked_key.is_set():
                transport.greet()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = Transport(self, reader, writer)
        self._transports.add(transport)
        try:
            await transport.run()
        except (BadMessage, OSError, EOFError):
            pass  # either side may end the connection at any time
        finally:
            self._transports.discard(transport)
            await transport.close()
            if not self._transports:
                self.connected.clear()

    @property
    def key_known(self) -> bool:
        return self._key_known


@dataclass
class Stream:
    """One service that the server has opened. The server answers each WRTE before the next may be sent."""

    mine: int
    theirs: int
    incoming: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Transport:
    """One connection of an adb server."""

    def __init__(self, device: FakeDevice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._device = device
        self._reader = reader
        self._writer = writer
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._max_data = packets.MAX_DATA

    async def run(self) -> None:
        """Until the connection ends. Raises what ended it."""
        while True:
            head = packets.parse_head(await self._reader.readexactly(HEAD.size))
            # The first message is written before the versions are known, so its sum is always there.
            sums = self._device.version < packets.VERSION or head.command == CNXN
            message = head.message(await self._reader.readexactly(head.length), sums=sums)
            if not self._device.hung:
                await self._handle(message)

    async def close(self) -> None:
        for stream in [*self._streams.values()]:
            self._drop(stream)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def greet(self) -> None:
        self._send(Message(CNXN, self._device.version, packets.MAX_DATA, self._device.banner.encode()))
        self._device.connected.set()

    async def _handle(self, message: Message) -> None:
        if message.command == CNXN:
            self._max_data = min(message.arg1, packets.MAX_DATA)
            if self._device.key_known:
                self.greet()
            else:
                self._send(Message(AUTH, packets.TOKEN, 0, os.urandom(20)))
        elif message.command == AUTH:
            self._authenticate(message)
        elif message.command == OPEN:
            await self._open(message)
        elif message.command in (OKAY, WRTE, CLSE) and (stream := self._streams.get(message.arg1)):
            if message.command == OKAY:
                stream.may_write.set()
            elif message.command == WRTE:
                stream.incoming.put_nowait(message.data)
            else:
                self._drop(stream)

    def _authenticate(self, message: Message) -> None:
        """A signature by a key that is known opens; the others are asked for until the server shows its key."""
        if self._device.key_known:
            self.greet()
        elif message.arg0 == packets.SIGNATURE:
            self._send(Message(AUTH, packets.TOKEN, 0, os.urandom(20)))
        else:
            self._device.asked_key.set()

    async def _open(self, message: Message) -> None:
        service = message.text
        self._device.opened.append(service)
        if service.startswith("tcp:"):
            await self._open_port(message.arg0, service)
        elif service.startswith(("shell:", "shell,")):
            stream = self._accept(message.arg0)
            self._start(stream, self._run_shell(stream, service))
            self._start(stream, self._swallow(stream))
        else:
            self._send(Message(CLSE, 0, message.arg0))

    async def _open_port(self, theirs: int, service: str) -> None:
        port = self._device.ports.get(int(service.removeprefix("tcp:")))
        try:
            if port is None:
                raise ConnectionRefusedError
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            self._send(Message(CLSE, 0, theirs))
            return
        stream = self._accept(theirs)
        self._start(stream, self._to_port(stream, writer))
        self._start(stream, self._from_port(stream, reader))

    def _accept(self, theirs: int) -> Stream:
        stream = Stream(self._next, theirs)
        stream.may_write.set()
        self._streams[self._next] = stream
        self._next += 1
        self._send(Message(OKAY, stream.mine, theirs))
        return stream

    def _start(self, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        stream.tasks.append(asyncio.get_running_loop().create_task(work))

    def _drop(self, stream: Stream) -> None:
        """The other side has closed it, or is gone."""
        if self._streams.pop(stream.mine, None):
            for task in stream.tasks:
                task.cancel()

    def _close_stream(self, stream: Stream) -> None:
        if stream.mine in self._streams:
            self._send(Message(CLSE, stream.mine, stream.theirs))
            self._drop(stream)

    async def _write(self, stream: Stream, data: bytes) -> None:
        for start in range(0, len(data), self._max_data):
            await stream.may_write.wait()
            stream.may_write.clear()
            self._send(Message(WRTE, stream.mine, stream.theirs, data[start : start + self._max_data]))
            with suppress(OSError):  # the reading side says that it is gone
                await self._writer.drain()

    async def _to_port(self, stream: Stream, writer: asyncio.StreamWriter) -> None:
        """What the laptop says. An OKAY for each piece, once it is on its way: the flow control of this protocol."""
        try:
            while data := await stream.incoming.get():
                writer.write(data)
                await writer.drain()
                self._send(Message(OKAY, stream.mine, stream.theirs))
        except OSError:
            self._close_stream(stream)
        finally:
            writer.close()

    async def _from_port(self, stream: Stream, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(self._max_data):
                await self._write(stream, data)
        self._close_stream(stream)

    async def _swallow(self, stream: Stream) -> None:
        """Standard input, which none of the commands reads."""
        while await stream.incoming.get() is not None:
            self._send(Message(OKAY, stream.mine, stream.theirs))

    async def _run_shell(self, stream: Stream, service: str) -> None:
        form, _, line = service.partition(":")
        reply = self._device.shell(line)
        if ",v2" in form or form.startswith("shell,"):
            await self._write(stream, _packets_of(reply))
        else:
            await self._write(stream, (reply.out + reply.err).encode())
        self._close_stream(stream)

    def _send(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(packets.render(message))


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _packets_of(reply: Reply) -> bytes:
    parts = [(packets.STDOUT, reply.out.encode()), (packets.STDERR, reply.err.encode())]
    said = b"".join(packets.shell_packet(kind, data) for kind, data in parts if data)
    return said + packets.shell_packet(packets.EXIT, bytes([reply.code]))
