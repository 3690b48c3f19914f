"""What this adapter is doing, for its supervisor and for metrics: counts, speeds, and a version that changes when there is news.

One event loop. Asking costs nothing while nothing changes: whoever waits for news is a future and a timer, and nobody polls.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from adapter.engines.base import Pressure
from adapter.meter_counts import Counts
from adapter.meter_speeds import Speed, Speeds

if TYPE_CHECKING:
    from adapter.server.trace import Trace


class Meter:
    """version: another number after each change between busy and idle, and of the pressure. It begins anywhere, so that a supervisor that
    knows an earlier process of ours is answered at once. transitions: how often each level was entered."""

    def __init__(self, *, now_s: Callable[[], float], lists: Callable[[str, str], bool]) -> None:
        """now_s: the loop's clock. lists: as of `Counts`."""
        self.counts = Counts(lists)
        self.version = secrets.randbelow(1 << 31)
        self.requests = 0
        self.transitions: dict[Pressure, int] = {}
        self._now_s = now_s
        self._began_s = now_s()
        self._speeds = Speeds()
        self._level = Pressure.SERVE
        self._served_since_s = self._began_s
        self._busy = False
        self._idle_since_s: float | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = False

    # --- what happens ------------------------------------------------------------------------------------------------

    def began(self) -> None:
        """A request that wants an engine is under way."""
        self.requests += 1
        if not self._busy:
            self._busy = True
            self._tell()

    def rests(self) -> None:
        """The last of them is over."""
        self._busy = False
        self._idle_since_s = self._now_s()
        self._tell()

    def ended(self, path: str, status: int, trace: Trace, now_s: float) -> None:
        """A request of any kind is over. Some microseconds, once a request."""
        engine = trace.engine
        self.counts.request(path, status, engine, now_s - trace.began_s)
        if engine != "-":
            first_s = trace.first_token_s
            self.counts.answer(engine, trace.model, trace.usage, None if first_s is None else first_s - trace.began_s)

    def pressed(self, level: Pressure) -> None:
        """The phone's state is another one, or its reason is."""
        if level is not self._level:
            self.transitions[level] = self.transitions.get(level, 0) + 1
            self._level = level
            self._served_since_s = self._now_s()
        self._tell()

    def paced(self, engine: str, model: str, tokens: int, first_s: float, last_s: float) -> None:
        """A whole answer, as of `Speeds.learn`. Only those count that were written at full power from the first word to the last."""
        if self._level is Pressure.SERVE and first_s >= self._served_since_s:
            self._speeds.learn(engine, model, tokens, first_s, last_s)

    # --- what can be asked ---------------------------------------------------------------------------------------------

    @property
    def idle_s(self) -> float | None:
        """Since the last request ended; 0 while there is one, `None` if there never was."""
        if self._busy:
            return 0.0
        return None if self._idle_since_s is None else self._now_s() - self._idle_since_s

    @property
    def uptime_s(self) -> float:
        return self._now_s() - self._began_s

    def speeds(self) -> tuple[Speed, ...]:
        return self._speeds.shown(self._now_s())

    async def news(self, since: int | None, wait_s: float) -> None:
        """Return when the version is not `since`, after `wait_s` at the latest, and at once when we stop. Cancelling it forgets it."""
        if since != self.version or self._stopped or wait_s <= 0:
            return
        told = asyncio.get_running_loop().create_future()
        self._waiting.add(told)
        try:
            async with asyncio.timeout(wait_s):
                await told
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(told)

    def stop(self) -> None:
        """Nobody waits any more: an orderly stop must not."""
        self._stopped = True
        self._wake()

    def _tell(self) -> None:
        self.version += 1
        self._wake()

    def _wake(self) -> None:
        for told in self._waiting:
            if not told.done():
                told.set_result(None)
