"""`farmhand up`, `down`, `restart`, `pause` and `resume`: one `sv` command or one small file, then watching what the supervisor makes of it."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone.bundle.report import endings, progress
from phone.command import Outcome
from phone.places import Places
from phone.settings import PhoneSettings
from phone.supervisor import store
from phone.supervisor.hold import Hold
from phone.supervisor.published import Published, PublishedService
from phone.supervisor.types import SUPERVISOR, Phase, Runit, Service

if TYPE_CHECKING:
    from phone.runit import Runsv

# runsvdir looks for new folders every 5 s (`facts/termux.md` 2.2).
NOTICED_S = 8.0
# Files tell how it goes; nobody tells that a file has changed.
LOOK_S = 0.25
NOT_INSTALLED = 2

_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, None: 60}


def duration_s(text: str) -> float:
    """`90s`, `30min`, `2h`, `1d`; a bare number is minutes. Raises `ValueError`."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not 0 < int(found[1]) * _SECONDS[found[2]] <= 30 * 86_400:
        raise ValueError(f"{text!r} is no duration; write 90s, 30min, 2h or 1d (at most 30d)")
    return float(int(found[1]) * _SECONDS[found[2]])


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the commands work on. say: prints a line for the person. now, sleep: the clock, of `time`."""

    places: Places
    settings: PhoneSettings
    runsv: Runsv
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def installed(self) -> bool:
        return (self.places.service(SUPERVISOR) / "run").exists()

    def up(self, wait_s: float) -> int:
        """Start, and watch until all is ready. Returns 0: ready, 1: not within `wait_s` or not at all, 2: not installed here."""
        if not self.installed:
            return self._not_installed()
        if self.runsv.runsvdir_pid() is None:
            self.say("starting runit")
            self._check(self.runsv.start_runsvdir())
        if not self._wait(lambda: self._supervisor().phase is not Phase.MISSING, NOTICED_S):
            self.say(
                f"farmhand: runit does not look after {self.places.service(SUPERVISOR)}. "
                "Type: . $PREFIX/etc/profile.d/start-services.sh"
            )
            return 1
        self._switch_on()
        self._check(self.runsv.up(SUPERVISOR))
        if wait_s <= 0:
            return 0
        return self._watch_start(wait_s)

    def _switch_on(self) -> None:
        """After `scripts/install --no-start` or `sv-disable` it would not start with the next reboot."""
        switch = self.places.service(SUPERVISOR) / "down"
        if switch.exists():
            switch.unlink()
            self.say("switched on again, also for after a reboot")

    def _watch_start(self, wait_s: float) -> int:
        before: list[Published | None] = [None]

        def is_ready() -> bool:
            now = self._of_this_supervisor()
            if now is None:
                return False
            for line in progress(before[0], now):
                self.say(line)
            before[0] = now
            return now.ready or _hopeless(now)

        self._wait(is_ready, wait_s)
        last = before[0]
        if last is not None and last.ready:
            self.say("The bundle is ready.")
            return 0
        self.say(f"The bundle is not ready after {wait_s:g} s; it goes on trying." if not last or not _hopeless(last) else "")
        self.say("farmhand status tells how it is, farmhand logs what was said, farmhand doctor what to do.")
        return 1

    def down(self) -> int:
        """Stop all, the last started first. Returns 0: all is down, 1: something is not, 2: not installed here."""
        if not self.installed:
            return self._not_installed()
        limit_s = self.settings.supervisor.stop_s * (len(Service) + 1) + 25.0  # for the wake lock and the notification, too
        if self._supervisor().phase in (Phase.RUN, Phase.FINISH) or self._supervisor().wants_up:
            self.say("stopping the bundle")
            self._check(self._watch_end(lambda: self.runsv.down(SUPERVISOR, limit_s)))
        left = [service for service in reversed(Service) if _is_up(self.runsv.status(service.folder))]
        for service in left:  # its supervisor was not there to do it
            self.say(f"stopping {service.value}")
            self._check(self.runsv.down(service.folder, self.settings.supervisor.stop_s))
        if still := [s.value for s in Service if _is_up(self.runsv.status(s.folder))]:
            self.say(f"farmhand: still running: {', '.join(still)}. farmhand logs tells what they do.")
            return 1
        self.say("The bundle is stopped.")
        return 0

    def _watch_end(self, stop: Callable[[], Outcome]) -> Outcome:
        """What `stop` returns; who has ended meanwhile is said."""
        outcomes: list[Outcome] = []
        # A daemon: after Ctrl-C nobody waits for it, and what was told to end ends.
        doing = threading.Thread(target=lambda: outcomes.append(stop()), daemon=True)
        before = store.read_published(self.places)
        doing.start()
        has_ended = False
        while not has_ended:
            has_ended = not doing.is_alive()
            now = store.read_published(self.places)
            for line in endings(before, now):
                self.say(line)
            before = now
            if not has_ended:
                doing.join(LOOK_S)
        return outcomes[0] if outcomes else Outcome(False, "the bundle could not be stopped")

    def restart(self, service: Service | None, wait_s: float) -> int:
        """All, or one service. Returns as `up` does."""
        if service is None:
            return self.down() or self.up(wait_s)
        if not self.installed:
            return self._not_installed()
        if self.runsv.status(service.folder).phase is Phase.MISSING:
            self.say(f"farmhand: {service.value} is not looked after by runit. Type: farmhand up")
            return 1
        if self._supervisor().phase is not Phase.RUN:
            self.say(f"farmhand: the supervisor does not run, so nobody would look after {service.value}. Type: farmhand up")
            return 1
        if self._state_of(service).state == "disabled":
            self.say(f"farmhand: {service.value} is not enabled; the configuration ({self.places.config}) says what is")
            return 1
        return self._restart_one(service, wait_s)

    def _restart_one(self, service: Service, wait_s: float) -> int:
        """TERM, and runit starts it again. Not `sv down` and `up`: what the supervisor finds down it starts, before the one or the other."""
        folder, before = service.folder, self.runsv.status(service.folder).pid
        self.say(f"restarting {service.value}")
        if before is None or not self.runsv.status(folder).wants_up:
            outcome = self.runsv.up(folder)
        else:
            outcome = self.runsv.signal(folder, "term")
            if outcome.ok and not self._wait(lambda: self.runsv.status(folder).pid != before, self.settings.supervisor.stop_s):
                self.say(f"{service.value} did not end within {self.settings.supervisor.stop_s:g} s: killing it")
                outcome = self.runsv.signal(folder, "kill")
        self._check(outcome)
        if not outcome.ok:
            return 1
        self.runsv.signal(SUPERVISOR, "1")  # so that it looks now

        def is_ready() -> bool:
            now = self._state_of(service)
            return now.state == "ready" and now.pid not in (None, before)

        if self._wait(is_ready, wait_s):
            self.say(f"{service.value} is ready.")
            return 0
        self.say(f"farmhand: {service.value} is not ready after {wait_s:g} s. Type: farmhand logs {service.value}")
        return 1

    def pause(self, for_s: float | None, why: str, wall_s: float) -> int:
        """The engines rest until then, or until `resume`: requests get a 503 with the reason."""
        until = None if for_s is None else wall_s + for_s
        store.write_hold(self.places, Hold(until, why))
        how_long = "until `farmhand resume`" if for_s is None else f"for {for_s / 60:g} min"
        self.say(f"Paused {how_long}. Answers under way go on; new requests get a 503.")
        return self._told()

    def resume(self) -> int:
        if not store.hold_file(self.places).exists():
            self.say("It is not paused by anybody.")
            return 0
        store.remove_hold(self.places)
        self.say("Resumed.")
        return self._told()

    def _told(self) -> int:
        if self._supervisor().phase is Phase.RUN:
            self._check(self.runsv.signal(SUPERVISOR, "1"))
            return 0
        self.say("The supervisor does not run, so nobody acts on it yet. To start it: farmhand up")
        return 1

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _of_this_supervisor(self) -> Published | None:
        """What the one that runs now has published; what the one before it left does not count."""
        published = store.read_published(self.places)
        return published if published and published.pid is not None and published.pid == self._supervisor().pid else None

    def _state_of(self, service: Service) -> PublishedService:
        published = self._of_this_supervisor()
        found = published.services.get(service.value) if published else None
        return found or PublishedService(service.folder, "unknown")

    def _supervisor(self) -> Runit:
        return self.runsv.status(SUPERVISOR)

    def _wait(self, until: Callable[[], bool], limit_s: float) -> bool:
        end_s = self.now() + limit_s
        while not until():
            if self.now() >= end_s:
                return False
            self.sleep(LOOK_S)
        return True

    def _check(self, outcome: Outcome) -> None:
        if not outcome.ok:
            self.say(f"farmhand: {outcome.words}")

    def _not_installed(self) -> int:
        self.say(
            "farmhand: the bundle is not installed here. On the phone, in the clone: sh scripts/install. "
            "Elsewhere `farmhand serve` runs the adapter in the foreground."
        )
        return NOT_INSTALLED


def _is_up(look: Runit) -> bool:
    return look.phase in (Phase.RUN, Phase.FINISH) or (look.wants_up and look.phase is not Phase.MISSING)


def _hopeless(published: Published) -> bool:
    """All that could get ready is, and something is given up or not there."""
    return all(_settled(state) for state in _states(published)) and any(s != "disabled" for s in _states(published))


def _settled(state: str) -> bool:
    return state in ("ready", "given up", "missing", "disabled")


def _states(published: Published) -> Iterable[str]:
    return [service.state for service in published.services.values()]


def to_stderr_and_stdout(line: str) -> None:
    """Complaints begin with the program's name, as everywhere."""
    if line:
        (sys.stderr if line.startswith("farmhand: ") else sys.stdout).write(line + "\n")
        sys.stdout.flush()
