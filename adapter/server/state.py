"""What the handlers share, under typed application keys. No globals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from adapter.access.gate import Gate
from adapter.access.rate import Standing
from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.registry import Registry
from adapter.errors import AdapterError, EngineUnavailable
from adapter.meter import Meter
from adapter.responses.store import ResponseStore
from adapter.server.pressing import Pressing
from adapter.server.pump import EventPump
from adapter.settings import KeySettings, Settings


@dataclass(slots=True)
class Answers:
    """The answers under way, so that an orderly stop can wait for them and then end them with a word."""

    pumps: set[EventPump[Any]] = field(default_factory=set)
    bodies: set[asyncio.Timeout] = field(default_factory=set)
    stopping: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    # Told of each one that begins, and when the last of them is over.
    on_begin: Callable[[], None] = lambda: None
    on_rest: Callable[[], None] = lambda: None

    def begin(self, pump: EventPump[Any]) -> None:
        """Raises as `refuse_if_stopping`: an answer that begins after the draining would be cut without a word."""
        self.refuse_if_stopping()
        self.pumps.add(pump)
        self.idle.clear()
        self.on_begin()

    def end(self, pump: EventPump[Any]) -> None:
        self.pumps.discard(pump)
        if not self.pumps:
            self.idle.set()
            self.on_rest()

    @asynccontextmanager
    async def arriving(self, limit_s: float) -> AsyncIterator[None]:
        """Around the reading of a body: raises `TimeoutError` after `limit_s`, or as soon as we stop.

        aiohttp takes no more bytes in from then on, so that waiting for the rest would be in vain.
        """
        async with asyncio.timeout(limit_s) as limit:
            self.bodies.add(limit)
            try:
                yield
            finally:
                self.bodies.discard(limit)

    def refuse_if_stopping(self) -> None:
        if self.stopping:
            raise EngineUnavailable("Farmhand is stopping; try again when it is back.", retry_after_s=10)

    async def drain(self, limit_s: float) -> int:
        """Let running answers end by themselves for `limit_s`, then end them with an error. Returns how many."""
        self.stopping = True
        for limit in [limit for limit in self.bodies if not limit.expired()]:
            limit.reschedule(asyncio.get_running_loop().time())
        if not self.pumps:
            return 0
        try:
            async with asyncio.timeout(limit_s):
                await self.idle.wait()
        except TimeoutError:
            pass
        cut = len(self.pumps)
        for pump in set(self.pumps):
            pump.abort(_stopped())
        return cut


def _stopped() -> AdapterError:
    return EngineUnavailable("Farmhand was stopped before this answer was complete.", retry_after_s=10)


SETTINGS = web.AppKey("settings", Settings)
GATE = web.AppKey("gate", Gate)
DISPATCHER = web.AppKey("dispatcher", Dispatcher)
REGISTRY = web.AppKey("registry", Registry)
ANSWERS = web.AppKey("answers", Answers)
METER = web.AppKey("meter", Meter)
PRESSING = web.AppKey("pressing", Pressing)
RESPONSES = web.AppKey("responses", ResponseStore)
STARTED_AT = web.AppKey("started_at", int)
# Stands for this process in the hop header, so that a request that comes round in a circle is known.
INSTANCE = web.AppKey("instance", str)
NEW_ID: web.AppKey[Callable[[], str]] = web.AppKey("new_id")


@dataclass(frozen=True, slots=True)
class Door:
    """How a request came in. key: what stands for its bearer key. settings: of a `[[key]]` or a token. hops: as `Caller.hops`, ours included."""

    key: str = ""
    settings: KeySettings | None = None
    hops: tuple[str, ...] = ()


DOOR = web.RequestKey("door", Door)
# Of a key with a rate, after this request was counted.
STANDING = web.RequestKey("standing", Standing)
