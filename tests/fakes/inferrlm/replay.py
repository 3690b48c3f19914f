"""Plays a recorded client against the fake, on a clock that only this file moves.

Nothing is timed: each act waits for its recorded cause (what the client had received by
then), sleepers are woken one by one, and after every step the event loop is run until all
bytes have arrived and nothing moves any more. So the result does not depend on the machine.
"""

from __future__ import annotations

import asyncio

from tests.fakes.inferrlm.clock import ManualClock
from tests.fakes.inferrlm.log import SeenConnection
from tests.fakes.inferrlm.recording import ClientAct, Recording, Timeline, relative_fields
from tests.fakes.inferrlm.server import FakeInferrLM

# An act follows its recorded time this closely, so that it stays ahead of the fake's next token.
_AHEAD_S = 0.005
# After the last act the clock runs on, to see that what was never answered never is.
_AFTERMATH_S = 120.0
# Turns of the event loop without any movement after which nothing is moving. The longest chain of
# callbacks from a woken sleeper to the next one is about ten turns long.
_QUIET_TURNS = 30


class _Client(asyncio.Protocol):
    """One recorded connection; what it receives goes to the common timeline."""

    def __init__(self, label: str, clock: ManualClock, timeline: Timeline) -> None:
        self._label = label
        self._clock = clock
        self._timeline = timeline
        self.transport: asyncio.Transport | None = None
        self.sent_bytes = 0
        self.received_bytes = 0
        self.server_ended = False
        self.half_closed = False
        self.left = False
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._timeline.receive(self._clock.now_s(), self._label, data)

    def eof_received(self) -> bool:
        self.server_ended = True
        self._timeline.end(self._clock.now_s(), self._label)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def act(self, act: ClientAct) -> None:
        assert self.transport is not None
        match act.what:
            case "send":
                self.sent_bytes += len(act.data)
                self.transport.write(act.data)
            case "half_close":
                self.half_closed = True
                self.transport.write_eof()
            case "fin":
                self.left = True
                self.transport.close()

    async def close(self) -> None:
        assert self.transport is not None
        self.transport.close()
        await self.lost.wait()


class Replay:
    """One recording against one running fake; `timeline` is what the fake did."""

    def __init__(self, recording: Recording, phone: FakeInferrLM, clock: ManualClock) -> None:
        self._recording = recording
        self._phone = phone
        self._clock = clock
        self._clients: dict[str, _Client] = {}
        self._engine_events = 0
        self._started_s = clock.now_s()
        self.timeline = Timeline()

    async def run(self, *, within_s: float = 20.0) -> None:
        """Play all acts, then let everything come to its end."""
        async with asyncio.timeout(within_s):
            try:
                for act in self._recording.acts:
                    await self._until_caused(act)
                    await self._until(act.time_s - _AHEAD_S)
                    await self._perform(act)
                await self._until(self._recording.end_s + _AFTERMATH_S)
            finally:
                await asyncio.gather(*(client.close() for client in self._clients.values()))

    async def _until_caused(self, act: ClientAct) -> None:
        """Wake sleepers until the client has received what it had received in the recording."""
        while any(self.timeline.counts().get(label, 0) < n for label, n in act.units_before.items()):
            assert self._clock.next_due_s() is not None, f"the cause of {act} never comes"
            await self._wake_next()

    async def _until(self, time_s: float) -> None:
        until_s = self._started_s + time_s
        while (due_s := self._clock.next_due_s()) is not None and due_s <= until_s:
            await self._wake_next()
        self._clock.advance_to(until_s)

    async def _wake_next(self) -> None:
        self._clock.wake_next()
        await self._settle()

    async def _perform(self, act: ClientAct) -> None:
        if act.connection not in self._clients:
            client = _Client(act.connection, self._clock, self.timeline)
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: client, "127.0.0.1", self._phone.port)
            self._clients[act.connection] = client
            await self._settle()
        self.timeline.act(self._clock.now_s(), act.connection, act.what)
        self._clients[act.connection].act(act)
        if not (act.what == "send" and self._half_closes_at_once(act)):
            await self._settle()

    def _half_closes_at_once(self, act: ClientAct) -> bool:
        """The recorder half-closed in the same breath, before the server could do anything."""
        following = self._recording.acts[self._recording.acts.index(act) + 1 :][:1]
        return bool(following) and following[0].what == "half_close"

    async def _settle(self) -> None:
        quiet = 0
        while quiet < _QUIET_TURNS:
            before = self._movement()
            await asyncio.sleep(0)
            self._take_engine_events()
            quiet = quiet + 1 if self._all_arrived() and before == self._movement() else 0

    def _movement(self) -> tuple[int, ...]:
        sent = (len(seen.received) + len(seen.sent) for seen in self._phone.connections)
        return (len(self.timeline.happenings), len(self._phone.log), *sent)

    def _all_arrived(self) -> bool:
        if len(self._phone.connections) < len(self._clients):
            return False
        pairs = zip(self._clients.values(), self._phone.connections, strict=False)
        return all(_arrived(client, seen) for client, seen in pairs)

    def _take_engine_events(self) -> None:
        for event in list(self._phone.log)[self._engine_events :]:
            fields = relative_fields(dict(event.fields), 1)
            self.timeline.engine(event.time_s, event.what, fields)
            self._engine_events += 1


def _arrived(client: _Client, seen: SeenConnection) -> bool:
    """Nothing is under way between this client and the fake, in either direction."""
    if client.left:
        return seen.closed_by is not None
    if client.half_closed:
        return client.server_ended
    both_ways = client.sent_bytes == len(seen.received) and client.received_bytes == len(seen.sent)
    return both_ways and client.server_ended == (seen.closed_by is not None)
