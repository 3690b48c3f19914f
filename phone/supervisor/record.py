"""Writes down what the supervisor knows: for others (`run/supervisor.json`) and for its successor (`supervisor/memory.json`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

from phone.device import Battery
from phone.supervisor import store
from phone.supervisor.decide import Report
from phone.supervisor.governor import Ruling
from phone.supervisor.parts import Parts
from phone.supervisor.published import (
    Published,
    PublishedExit,
    PublishedService,
    Saying,
    same_news,
    with_saying,
)
from phone.supervisor.store import Kept
from phone.supervisor.threads import in_thread
from phone.supervisor.types import Exit, Goal, Runit, Service

# What says nothing new is written that often.
PUBLISH_S = 60.0
SAVE_S = 300.0

log = logging.getLogger("supervisor")


class Record:
    """For one event loop. A disk that is full is said once, and costs only what it keeps from being written."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._published: Published | None = None
        self._saved: tuple[object, ...] = ()
        self._saved_at_s = 0.0
        self._troubles: dict[str, int | None] = {}
        self._alerts: tuple[Saying, ...] = ()
        self._exits: dict[str, PublishedExit] = {}
        before = store.read_published(parts.places)
        if before is not None:
            self._alerts = before.alerts
            self._exits = {name: one.last_exit for name, one in before.services.items() if one.last_exit}

    def load(self) -> tuple[Kept, str]:
        """What the supervisor before left, and a sentence if that cannot be used. Blocks for a moment."""
        parts = self._parts
        return store.load_kept(parts.places, parts.boot_id, parts.now_s(), parts.wall_s())

    def said(self, text: str, alert: bool) -> None:
        self._alerts = with_saying(self._alerts, Saying(self._parts.wall_s(), text, alert))

    def ended(self, service: Service, end: Exit, words: str) -> None:
        """words: how; empty for an end that was asked for."""
        self._exits[service.value] = PublishedExit(end.wall_at_s, end.code, end.signal, words)

    def service(self, service: Service, look: Runit, report: Report, ready: bool | None) -> PublishedService:
        return PublishedService(
            service.folder,
            report.state,
            report.words,
            look.pid,
            ready,
            report.retry_in_s,
            look.wall_since_s,
            self._exits.get(service.value),
        )

    def news(
        self,
        goal: Goal,
        services: Mapping[str, PublishedService],
        ruling: Ruling,
        *,
        ready: bool,
        lock: tuple[str, str],
        battery: Battery | None,
        gateway_url: str,
        api_missing: bool,
        ended: bool = False,
    ) -> Published:
        """lock: policy and words. ended: this is our last word."""
        return Published(
            pid=None if ended else os.getpid(),
            boot_id=self._parts.boot_id,
            wall_s=self._parts.wall_s(),
            goal=goal.value,
            ready=ready,
            services=services,
            level=ruling.level,
            reason=ruling.reason,
            lock_policy=lock[0],
            lock_words=lock[1],
            battery=battery,
            gateway_url=gateway_url,
            api_missing=api_missing,
            alerts=self._alerts,
        )

    async def publish(self, news: Published) -> None:
        """If it says something new, or the last word is a minute old (or of a time to come: the clock was set back)."""
        last = self._published
        if last is not None and same_news(news, last) and 0 <= news.wall_s - last.wall_s < PUBLISH_S:
            return
        if await self._write("status", lambda: store.write_published(self._parts.places, news)):
            self._published = news

    async def save(self, kept: Kept, *, now: bool = False) -> None:
        """If something that matters has changed. now: in any case."""
        now_s = self._parts.now_s()
        key = (kept.memory, kept.offsets, kept.lock.taken, kept.lock.pending, kept.lock.asked_at_s, kept.governor.level)
        if not now and key == self._saved and now_s - self._saved_at_s < SAVE_S:
            return
        parts = self._parts
        if await self._write("memory", lambda: store.save_kept(parts.places, kept, parts.boot_id, now_s, parts.wall_s())):
            self._saved, self._saved_at_s = key, now_s

    async def _write(self, name: str, write: Callable[[], None]) -> bool:
        try:
            await in_thread(write, "farmhand-write")
        except OSError as exc:
            if exc.errno != self._troubles.get(name):
                self._troubles[name] = exc.errno
                log.error("the supervisor's %s cannot be written down: %s", name, exc)
            return False
        self._troubles.pop(name, None)
        return True
