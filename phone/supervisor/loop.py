"""The supervisor's loop: observe, decide, act, and sleep until something happens.

What is decided is pure (`decide.py`, `governor.py`, `lock.py`); what waits for others runs beside the looks (`senses.py`, `act.py`, `keeping.py`)
and wakes the loop when there is something new. One timer, no polling threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial

from phone.configuration import ConfigError
from phone.device import Device
from phone.settings import PhoneSettings
from phone.supervisor import store
from phone.supervisor.act import Doer
from phone.supervisor.admin_words import is_busy
from phone.supervisor.decide import Decision, decide
from phone.supervisor.governor import Ruling
from phone.supervisor.keeping import Keeping
from phone.supervisor.memory import Memory, forgive
from phone.supervisor.observe import Glance, glance
from phone.supervisor.pace import next_look_s
from phone.supervisor.parts import Parts
from phone.supervisor.postmortem import all_at_once
from phone.supervisor.record import Record
from phone.supervisor.senses import Senses
from phone.supervisor.store import Kept
from phone.supervisor.threads import in_thread
from phone.supervisor.types import Goal, Observation, Phase, Runit, Service

# After a look that failed: 1 s, 2 s, 4 s ...
LONGEST_PAUSE_S = 60.0
# So many in a row, and what they start from is dropped: it may be what fails.
FORGET_AFTER = 3
# To the deadlines of an orderly stop: for each `finish`, and for runit.
SLACK_S = 10.0
HURRIED_S = 0.5
# What is still being done at the end is waited for that long.
SETTLE_S = 2.0

log = logging.getLogger("supervisor")


class Ended(StrEnum):
    STOPPED = "stopped"
    HANDED_OVER = "handed over"


class Supervisor:
    """One run of it, in one event loop. Signals arrive as calls of `stop`, `reload`, `look_now`, `hand_over`."""

    def __init__(self, parts: Parts, settings: PhoneSettings) -> None:
        self._parts = parts
        self._settings = settings
        self._goal = Goal.UP
        self._ended: Ended | None = None
        self._awake = asyncio.Event()
        self._stirred_s = parts.now_s()
        self._stop_by_s = float("inf")
        self._states: dict[Service, str] = {}
        self._absent: frozenset[Service] = frozenset()
        self._hold_words = ""
        self._failures = 0
        self._failure = ""
        self._ruling = Ruling("serve", "", 0, ())
        self._last: tuple[Glance, Observation, Decision] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._record = Record(parts)
        kept, trouble = self._record.load()
        self._memory, self._offsets = kept.memory, dict(kept.offsets)
        self._settle_s = SETTLE_S
        self._doer = Doer(parts.runsv, partial(store.write_gateway_env, parts.places), self.say, self.look_now, parts.now_s)
        self._senses = Senses(parts, lambda: self._settings, self.look_now)
        self._keeping = Keeping(parts, kept.lock, kept.governor, self.say, self.look_now)
        if trouble:
            self.say(trouble)

    # --- what a signal asks for ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End all, the last started first, then ourselves. A second time: kill what is still there."""
        if self._goal is Goal.UP:
            self.say("stopping the bundle")
            self._goal = Goal.DOWN
            self._stop_by_s = self._parts.now_s() + len(Service) * self._settings.supervisor.stop_s + SLACK_S
            self._keeping.stopping(self._settings)
        elif self._ended is None:
            self.say("asked to stop once more: killing what is still there")
            self._doer.kill(self._still_up(), HURRIED_S)
        self._stir()

    def reload(self) -> None:
        """Read the configuration anew; one that is wrong is said, and the old one kept."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def look_now(self) -> None:
        self._awake.set()

    def hand_over(self) -> None:
        """End, and leave everything as it is: a successor goes on from there."""
        if self._ended is None:
            self.say("handing over: everything runs on")
            self._ended = Ended.HANDED_OVER
            self.look_now()

    async def _reload(self) -> None:
        try:
            settings = await in_thread(self._parts.load, "farmhand-reload")
        except (ConfigError, OSError, ValueError) as exc:
            self.say(f"the configuration is not taken over, the one before stays in force: {exc}", alert=True)
            return
        self._settings = settings
        self._memory = forgive(self._memory)  # somebody has changed something, perhaps for the sake of what was given up
        self.say("the configuration has been read anew")
        self._stir()

    # --- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> Ended:
        """Until `stop` has stopped everything, or `hand_over`."""
        await self._keeping.begin(self._settings)
        if url := self._memory.gateway_url:
            await self._errand(partial(store.restore_gateway_env, self._parts.places, url))
        try:
            while self._ended is None:
                pause_s = await self._look_or_pause()
                if self._ended is None:
                    await self._sleep(pause_s)
        finally:
            self._senses.close()
        await self._end(self._ended)
        return self._ended

    async def _sleep(self, pause_s: float) -> None:
        timer = asyncio.get_running_loop().call_later(pause_s, self._awake.set)
        await self._awake.wait()
        timer.cancel()

    async def _look_or_pause(self) -> float:
        """One look; whatever goes wrong in it is said, and the loop goes on. Returns seconds until the next."""
        self._awake.clear()
        try:
            pause_s = await self._look()
        except Exception as exc:  # noqa: BLE001 - logged, and the services must not suffer for it
            return self._look_failed(exc)
        self._failures, self._failure = 0, ""
        return pause_s

    def _look_failed(self, exc: Exception) -> float:
        self._failures += 1
        failure = f"{type(exc).__name__}: {exc}"
        if failure != self._failure:
            self._failure = failure
            log.error("a look failed; there will be others", exc_info=exc)
        if self._failures % FORGET_AFTER == 0:
            self.say("looks go on failing: starting without a memory")
            self._memory, self._offsets = Memory(), {}
            if self._goal is Goal.DOWN:
                self._doer.kill(reversed(Service), self._settings.supervisor.stop_s)
                self._ended, self._settle_s = Ended.STOPPED, self._settings.supervisor.stop_s + SLACK_S
            return 1.0
        return float(min(2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_S))

    async def _look(self) -> float:
        parts, settings, goal = self._parts, self._settings, self._goal
        # Of before the look: what is done meanwhile may or may not show in it.
        offsets, was_busy, ending = dict(self._offsets), self._doer.busy, self._doer.ending()

        def look() -> tuple[Glance, Device]:
            at = glance(parts.places, parts.runsv, settings, offsets, parts.wall_s())
            return at, self._senses.devices.now()

        at, device = await in_thread(look, "farmhand-look")
        now_s = parts.now_s()
        seen = self._senses.observation(at, device, ending, self._doer.failures(), now_s)
        if self._last is None:
            self._note_blow(seen)
        before = self._memory
        decision = decide(before, seen, settings, goal)
        self._memory, self._offsets = decision.memory, dict(at.offsets)
        self._last = at, seen, decision
        self._note_ends(at, before)
        self._note_changes(at, decision)
        self._doer.do(decision.actions)
        self._senses.begin(at, seen, goal, now_s - self._stirred_s)
        if goal is Goal.UP:
            self._ruling = self._keeping.rule(at, seen, settings)
            self._keeping.look(at, seen, decision, self._ruling, self._senses.news, settings)
        elif (decision.stopped and not was_busy) or now_s >= self._stop_by_s:  # a start may still have been under way
            self._ended = Ended.STOPPED
        if at.hold_over and await self._errand(partial(store.end_hold, parts.places, parts.wall_s())):
            self.say("the pause is over")
        await self._write_down()
        return next_look_s(seen, decision, settings, now_s - self._stirred_s)

    # --- what has changed ----------------------------------------------------------------------------------------

    def _note_blow(self, seen: Observation) -> None:
        """Of the first look: has Android closed Termux since the last one? Then nobody holds the wake lock any more, either."""
        then = {service: past.pid for service, past in self._memory.services.items() if past.pid is not None}
        if words := all_at_once(then, seen):
            self.say(words, alert=True)
            self._keeping.wake.forget()

    def _note_ends(self, at: Glance, before: Memory) -> None:
        """before: the memory that was decided from."""
        for service, ends in at.exits.items():
            if ends:
                asked = before.of(service).ending_pid is not None and len(ends) == 1
                self._record.ended(service, ends[-1], "" if asked else self._memory.of(service).words)

    def _note_changes(self, at: Glance, decision: Decision) -> None:
        states = {service: report.state for service, report in decision.reports.items()}
        if states != self._states or decision.actions or is_busy(self._senses.news.state()):
            self._states = states
            self._stirred_s = self._parts.now_s()
        for service in sorted(at.absent - self._absent):
            folder = self._parts.places.service(service.folder)
            self.say(f"{service.value} is enabled, but there is no {folder}. Type: sh scripts/install", alert=True)
        self._absent = at.absent
        if at.hold_words and at.hold_words != self._hold_words:
            self.say(at.hold_words, alert=True)
        self._hold_words = at.hold_words

    async def _errand(self, write: Callable[[], object]) -> object:
        """A file of little weight: what does not work there stops nothing."""
        try:
            return await in_thread(write, "farmhand-write")
        except (OSError, ValueError) as exc:
            log.warning("%s", exc)
            return None

    def say(self, text: str, alert: bool = False) -> None:
        """For the log and `farmhand status`; with `alert` for the person as well."""
        log.log(logging.WARNING if alert else logging.INFO, "%s", text)
        self._record.said(text, alert)
        if alert:
            self._keeping.notices.alert(text)

    def _stir(self) -> None:
        self._stirred_s = self._parts.now_s()
        self.look_now()

    def _still_up(self) -> Iterable[Service]:
        runits = self._last[0].runits if self._last else {}
        return [service for service in reversed(Service) if runits.get(service, Runit()).phase is Phase.RUN]

    # --- the end, and what is left of us -------------------------------------------------------------------------

    async def _end(self, ended: Ended) -> None:
        if ended is Ended.HANDED_OVER:
            self._keeping.leave()
            await self._keeping.wake.settle(SETTLE_S)  # so that the successor knows how it went
            await self._doer.settle(SETTLE_S)
        else:
            left = ", ".join(service.value for service in self._still_up())
            if left:
                self.say(f"still running: {left}")
            await self._doer.settle(self._settle_s)
            await self._keeping.end(self._settings)
            self._memory = forgive(self._memory)  # the next start is a new chance
            self.say("the bundle is stopped")
        await self._write_down(ended)

    async def _write_down(self, ended: Ended | None = None) -> None:
        keeping = self._keeping
        kept = Kept(self._memory, self._offsets, keeping.wake.memory, keeping.governor)
        if self._last is not None:
            at, seen, decision = self._last
            services = {
                service.value: self._record.service(
                    service, at.runits[service], report, seen.services[service].ready
                )
                for service in Service
                if (report := decision.reports.get(service)) is not None
            }
            news = self._record.news(
                self._goal,
                services,
                self._ruling,
                ready=decision.ready and ended is None,
                lock=(self._settings.wakelock.policy.value, keeping.wake.words()),
                battery=seen.device.battery,
                gateway_url=self._memory.gateway_url,
                api_missing=bool(self._parts.termux.api_missing),
                ended=ended is Ended.STOPPED,
            )
            await self._record.publish(news)
        await self._record.save(kept, now=ended is not None)
