"""runit's services: what state they are in, and the `sv` commands that change it.

Looking costs no process: runsv writes its state into files. Only acting runs `sv`, always with absolute paths, since SVDIR is set nowhere
that matters (`facts/termux.md` 2.2). Everything here blocks, for a bounded time; call it in a thread. Nothing here raises for what runit does.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from phone import exit_records, runit_status
from phone.command import Done, Outcome, Runs
from phone.places import Places
from phone.supervisor.types import Exit, Phase, Runit

DAEMON = "runsvdir"
# `sv` without a wait only writes a byte into a pipe.
COMMAND_S = 10.0
# From SIGKILL to the end of `finish`; ours takes no pause while `down` is wanted.
KILLED_S = 7.0
# After an end within a second of the start runsv sleeps for one, and reads no commands meanwhile.
NOTICED_S = 3.0
DAEMON_S = 5.0
# runit has files and no events: this is how often they are looked at while somebody waits for them.
LOOK_S = 0.05
SIGNALS = frozenset({"hup", "1", "2", "term", "kill", "cont", "pause", "alarm", "interrupt", "quit"})
# Records are kept short by `finish`; a larger file is not its own.
MAX_RECORD = 1 << 18


class Runsv:
    """The services of one prefix. folder: the name of a service's folder, such as `farmhand-adapter`."""

    def __init__(self, places: Places, commands: Runs) -> None:
        self._places = places
        self._run = commands

    # --- looking -----------------------------------------------------------------------------------------------------

    def status(self, folder: str) -> Runit:
        """MISSING: no such folder, or no runsv that looks after it; what its files say is of the past then."""
        supervise = self._places.service(folder) / "supervise"
        try:
            # runsv holds the other end open for as long as it lives: without it there is no such device.
            os.close(os.open(supervise / "ok", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            data = (supervise / "status").read_bytes()
        except OSError:
            return Runit()
        return runit_status.parse(data) or Runit()

    def exits(self, folder: str, after_offset: int) -> tuple[tuple[Exit, ...], int]:
        """The ends written down since `after_offset`, oldest first, and the offset for the next time. 0: from the beginning.

        A record that shrank was moved aside by `finish`: its rest is read there, so that nothing is lost.
        """
        size, data = _read_from(self._places.exits / folder, after_offset)
        rest = b""
        if size < after_offset:
            after_offset, rest = 0, _read_from(self._places.exits / f".{folder}.old", after_offset)[1]
            _, data = _read_from(self._places.exits / folder, 0)
        data = exit_records.complete(data)
        return exit_records.parse(exit_records.complete(rest) + data), after_offset + len(data)

    def runsvdir_pid(self) -> int | None:
        """Of the daemon that looks after the services folder, whoever started it; `None`: there is none."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self._places.prefix / "var" / "run" / "service-daemon.pid").read_text())
            if self._is_daemon(Path("/proc") / str(pid)):
                return pid
        found = (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._is_daemon(entry))
        return next(found, None)

    def _is_daemon(self, process: Path) -> bool:
        """Pids are used again, so the number alone proves nothing."""
        try:
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            return False
        return words[0].rpartition("/")[2] == DAEMON and str(self._places.services) in words[1:]

    # --- acting ------------------------------------------------------------------------------------------------------

    def start_runsvdir(self) -> Outcome:
        """Through termux-services, as a login shell does; harmless where it runs already."""
        if self.runsvdir_pid() is not None:
            return Outcome(True)
        prefix = self._places.prefix
        env = {"PREFIX": prefix, "SVDIR": self._places.services, "LOGDIR": self._places.logs, "HOME": self._places.user}
        path = f"{prefix}/bin:{os.environ.get('PATH', '')}"
        given = {**os.environ, **{name: str(value) for name, value in env.items()}, "PATH": path}
        done = self._run((str(prefix / "bin" / "service-daemon"), "start"), limit_s=COMMAND_S, env=given)
        if done.missing:
            return Outcome(False, "runit's daemon cannot be started: type `pkg install termux-services`")
        if _within(DAEMON_S, lambda: self.runsvdir_pid() is not None):
            return Outcome(True)
        return Outcome(False, f"runit's daemon did not start: {_said(done)}")

    def up(self, folder: str) -> Outcome:
        """Start it, and again whenever it ends. Returns once runit knows; readiness is another question (`phone/probe.py`)."""
        told = self._told(folder, self._sv("up", folder), "started")
        if told.ok and not _within(NOTICED_S, lambda: self.status(folder).wants_up):
            return Outcome(False, f"{folder} cannot be started: runit takes no notice")
        return told

    def down(self, folder: str, within_s: float) -> Outcome:
        """End it: TERM, and KILL if it still runs after `within_s`. ok: it is down; words say so if it had to be killed."""
        done = self._sv("stop", folder, wait_s=within_s)
        look = self.status(folder)
        if look.phase is Phase.MISSING:
            return self._told(folder, done, "stopped")
        words = ""
        # Never while `finish` runs: runsv would take its end for one of the service and run `finish` again.
        if look.phase is Phase.RUN:
            words = f"{folder} did not end within {within_s:g} s and was killed"
            self._sv("kill", folder)
        if _within(KILLED_S, lambda: self._is_down(folder)):
            return Outcome(True, words)
        phase = self.status(folder).phase.value
        return Outcome(False, f"{folder} cannot be stopped: runit says {phase!r}; {_said(done)}")

    def _is_down(self, folder: str) -> bool:
        """And stays so. `sv` itself does not ask for that: in the second after a crash it finds the service down, and runsv hears only
        afterwards that it is not wanted; an `sv up` in between sees that it is wanted still, sends nothing, and is lost.
        """
        look = self.status(folder)
        return look.phase is Phase.MISSING or (look.phase is Phase.DOWN and not look.wants_up)

    def restart(self, folder: str, within_s: float) -> Outcome:
        """`down`, then `up`. Not `sv restart`: it would wait for readiness, and `force-restart` kills who is not ready in time."""
        stopped = self.down(folder, within_s)
        if not stopped.ok:
            return stopped
        started = self.up(folder)
        return Outcome(started.ok, started.words or stopped.words)

    def signal(self, folder: str, name: str) -> Outcome:
        """name: as `sv` has it, such as "hup", "1" (USR1) or "term". Nothing happens to a service that is down."""
        if name not in SIGNALS:
            raise ValueError(f"sv sends {', '.join(sorted(SIGNALS))}; not {name!r}")
        if name == "kill" and self.status(folder).phase is Phase.FINISH:
            return Outcome(True, f"{folder} has ended already")
        return self._told(folder, self._sv(name, folder), "told")

    def exit(self, folder: str, within_s: float) -> Outcome:
        """End the service, its log and the runsv of both, as before deleting its folder (`facts/termux.md` 2.2).

        runsvdir starts another runsv at once for a folder that is still in the services folder: move it out first, and give its new name here
        (`folder` may be a path relative to the services folder, or absolute).
        """
        if self.status(folder).phase is Phase.MISSING:
            return Outcome(True)
        done = self._sv("shutdown", folder, wait_s=within_s)
        words = ""
        if self.status(folder).phase is Phase.RUN:
            words = f"{folder} did not end within {within_s:g} s and was killed"
            self._sv("kill", folder)
        if _within(KILLED_S, lambda: self.status(folder).phase is Phase.MISSING):
            return Outcome(True, words)
        return Outcome(False, f"runit does not let go of {folder}: {_said(done)}")

    def _sv(self, command: str, folder: str, wait_s: float | None = None) -> Done:
        wait = () if wait_s is None else ("-w", str(math.ceil(wait_s)))
        argv = (str(self._places.prefix / "bin" / "sv"), *wait, command, str(self._places.service(folder)))
        return self._run(argv, limit_s=COMMAND_S + (wait_s or 0.0))

    def _told(self, folder: str, done: Done, what: str) -> Outcome:
        if done.ok:
            return Outcome(True)
        if done.missing:
            return Outcome(False, f"{folder} cannot be {what}: type `pkg install termux-services`")
        if self.status(folder).phase is Phase.MISSING:
            return Outcome(False, f"{folder} cannot be {what}: runit does not look after {self._places.service(folder)}")
        return Outcome(False, f"{folder} cannot be {what}: {_said(done)}")


def _read_from(path: Path, offset: int) -> tuple[int, bytes]:
    """Size of the file, and what is in it from `offset` on; of one that cannot be read, nothing."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(offset)
            return size, file.read(MAX_RECORD)
    except OSError:
        return 0, b""


def _said(done: Done) -> str:
    if done.timed_out:
        return f"{done.argv[0]} did not answer"
    words = " ".join((done.out + " " + done.err).split())
    return words[-300:] or f"{done.argv[0]} ended with {done.code}"


def _within(limit_s: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() >= end:
            return False
        time.sleep(LOOK_S)
    return True
