"""Time for the fake: real, or moved by hand so that a test never waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol


def iso_now() -> str:
    """The time of day, as JavaScript's `toISOString()` writes it. No clock below moves it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock(Protocol):
    """Seconds since some start, and a way to wait for them to pass."""

    def now_s(self) -> float: ...

    async def sleep(self, delay_s: float) -> None: ...


class RealClock:
    """The monotonic clock of the machine."""

    def now_s(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


class ManualClock:
    """Stands still until somebody calls `advance_to`; 30 s of waiting cost nothing.

    Sleepers wake one at a time, in the order in which they are due, so a test that
    settles the event loop between two steps sees the same order on every machine.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._somebody_sleeps = asyncio.Event()

    def now_s(self) -> float:
        return self._now_s

    async def sleep(self, delay_s: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_s + delay_s, next(self._order), woken))
        self._somebody_sleeps.set()
        await woken

    def next_due_s(self) -> float | None:
        """When the next sleeper wakes, or None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():  # cancelled in its sleep
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def wake_next(self) -> None:
        """Move to the next due time and wake that one sleeper. Somebody must be asleep."""
        due_s = self.next_due_s()
        assert due_s is not None, "nobody sleeps"
        _, _, woken = heapq.heappop(self._sleepers)
        self._now_s = max(self._now_s, due_s)
        woken.set_result(None)

    async def tick(self) -> None:
        """Wait until somebody sleeps, and wake the one who is due first."""
        while self.next_due_s() is None:
            self._somebody_sleeps.clear()
            await self._somebody_sleeps.wait()
        self.wake_next()

    @asynccontextmanager
    async def flying(self) -> AsyncIterator[None]:
        """Let time fly inside the block: every sleeper is woken as it comes."""
        ticking = asyncio.create_task(self._tick_for_ever())
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick_for_ever(self) -> None:
        while True:
            await self.tick()

    def advance_to(self, time_s: float) -> None:
        """Move on without waking anybody; sleepers due by then must have been woken before."""
        self._now_s = max(self._now_s, time_s)
