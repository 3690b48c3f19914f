"""Who answers? Probes run beside the looks, so that one that waits delays nothing; each look goes by the last answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from phone.supervisor.threads import in_thread
from phone.supervisor.types import Service

LIMIT_S = 4.0
# Of one that answered: that a process ends is seen without asking, so only those that hang are to be found.
STEADY_S = 30.0
CALM_S = 60.0

log = logging.getLogger("supervisor")


class Answer(Protocol):
    """Of `phone/probe.py`."""

    @property
    def ready(self) -> bool: ...

    @property
    def words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """ready: `None` until there is an answer, which is about the process `pid`."""

    pid: int
    at_s: float
    ready: bool | None = None
    words: str = ""


class Probes:
    """For one event loop. ask: blocks, bounded; called with a service, for `LIMIT_S` at most."""

    def __init__(
        self, ask: Callable[[Service, float], Answer], poke: Callable[[], None], now_s: Callable[[], float]
    ) -> None:
        """poke: called when somebody has become ready, or is so no longer."""
        self._ask = ask
        self._poke = poke
        self._now_s = now_s
        self._asked: dict[Service, _Asked] = {}
        self._tasks: dict[Service, asyncio.Task[None]] = {}

    def begin(self, running: Iterable[tuple[Service, int]], every_s: float) -> None:
        """Ask those that are due. running: with their process. every_s: those that answered last time; the others at every look."""
        for service, pid in running:
            last = self._asked.get(service)
            if service in self._tasks:
                continue
            if last is None or last.pid != pid:
                self._asked[service] = _Asked(pid, self._now_s())
            elif last.ready and self._now_s() - last.at_s < every_s:
                continue
            self._tasks[service] = asyncio.get_running_loop().create_task(self._probe(service, pid))

    def answer(self, service: Service, pid: int | None) -> tuple[bool | None, str]:
        """Is it ready, by its last answer, and what it said then; `None` before the first. pid: of the process that runs now."""
        asked = self._asked.get(service)
        return (asked.ready, asked.words) if asked is not None and asked.pid == pid else (None, "")

    def close(self) -> None:
        """Nobody waits for those under way; they are bounded."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _probe(self, service: Service, pid: int) -> None:
        try:
            answer = await in_thread(lambda: self._ask(service, LIMIT_S), "farmhand-probe")
            ready, words = answer.ready, answer.words
        except Exception as exc:  # who cannot be asked is not ready; the look goes on
            log.debug("probe of %s", service.value, exc_info=True)
            ready, words = False, f"it could not be asked: {type(exc).__name__}"
        self._tasks.pop(service, None)
        before = self._asked.get(service)
        if before is None or before.pid != pid:
            return
        self._asked[service] = _Asked(pid, self._now_s(), ready, words)
        if ready is not bool(before.ready):
            self._poke()
