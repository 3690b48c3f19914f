"""What the handlers share, under typed application keys. No globals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from adapter.engines.registry import Registry
from adapter.errors import AdapterError, EngineUnavailable
from adapter.server.pump import EventPump
from adapter.settings import Settings


@dataclass(slots=True)
class Answers:
    """The answers under way, so that an orderly stop can wait for them and then end them with a word."""

    pumps: set[EventPump] = field(default_factory=set)
    stopping: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, pump: EventPump) -> None:
        self.pumps.add(pump)
        self.idle.clear()

    def end(self, pump: EventPump) -> None:
        self.pumps.discard(pump)
        if not self.pumps:
            self.idle.set()

    def refuse_if_stopping(self) -> None:
        if self.stopping:
            raise EngineUnavailable("Farmhand is stopping; try again when it is back.", retry_after_s=10)

    async def drain(self, limit_s: float) -> int:
        """Let running answers end by themselves for `limit_s`, then end them with an error. Returns how many."""
        self.stopping = True
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
KEYS: web.AppKey[tuple[str, ...]] = web.AppKey("keys")
REGISTRY = web.AppKey("registry", Registry)
ANSWERS = web.AppKey("answers", Answers)
STARTED_AT = web.AppKey("started_at", int)
NEW_ID: web.AppKey[Callable[[], str]] = web.AppKey("new_id")
