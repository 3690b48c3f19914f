"""Runs commands through `sh`, and asks Termux and Termux:API with them. Everything here blocks: call it in a thread.

`sh` forks in a process that has threads (`facts/termux.md` 9). What is done about it: only one command is started at a time, and never by the
event loop's own thread; between fork and exec the child runs nothing but sh's own few system calls; and what it executes is always the shell, which
exists, and which then becomes the command. So sh's failure path, which leaks a child and its pipes, is not taken for a missing or broken program.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from phone import termux_answers, termux_asks
from phone.child import Child
from phone.command import Done, Note, Outcome, Runs
from phone.device import Battery
from phone.places import TERMUX_PREFIX, Places
from phone.termux_answers import Job, Problem, Wifi
from phone.termux_pauses import Pauses

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ARGUMENTS_BYTES = 100_000  # Linux takes 128 KiB in one

API_LIMIT_S = 8.0
AM_LIMIT_S = 10.0  # a Java machine starts for each call
# Somebody else's call of the same kind is waited for a little longer than it may take.
PATIENCE_S = AM_LIMIT_S + 2.0


class Commands:
    """`Runs`, from any number of threads. shell: what starts the commands; by default Termux's own, else the system's.

    A command that is not done after `limit_s` is killed with its whole process group and all its descendants, also those with sessions of
    their own. What has left the group and is nobody's child any more cannot be found; it is not waited for. env: the command's whole environment;
    by default ours. The first 64 KiB of stdout and of stderr are kept, as UTF-8 with replacements.
    """

    def __init__(self, shell: str | None = None) -> None:
        self._shell = shell or _find_shell()
        self._starting = threading.Lock()
        self._unreaped: list[Child] = []

    def __call__(self, argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        until_s = time.monotonic() + limit_s
        words = tuple(argv)
        if refusal := _refusal(words, os.environ if env is None else env):
            return refusal
        with contextlib.ExitStack() as stack:
            if not self._starting.acquire(timeout=limit_s):
                words_of_it = "other commands, which hang in their start, were in the way"
                return Done(words, None, err=words_of_it, timed_out=True)
            try:
                child = self._start(words, env, stack)
            except OSError as exc:
                return Done(words, None, err=f"could not be started: {exc.strerror}")
            finally:
                self._starting.release()
            done = child.finish(words, until_s)
            if child.lives:  # not even SIGKILL ends what the kernel holds; it is collected later
                self._unreaped.append(child)
            return done

    def _start(
        self, words: tuple[str, ...], env: Mapping[str, str] | None, stack: contextlib.ExitStack
    ) -> Child:
        import sh  # late: half of our commands never run a program

        logging.getLogger("sh").setLevel(logging.WARNING)  # it logs each command line at info
        for child in [child for child in self._unreaped if not child.lives]:
            self._unreaped.remove(child)
        stdin = stack.enter_context(open(os.devnull, "rb"))  # noqa: SIM115 - the stack closes it
        (out, out_end), (err, err_end) = _pipe(stack), _pipe(stack)
        try:
            running = sh.Command(self._shell)(
                "-c", 'exec "$@"', "sh", *words,
                _in=stdin, _out=out_end, _err=err_end, _env=None if env is None else dict(env),
                _new_session=True, _tty_out=False, _bg=True, _bg_exc=False, _no_pipe=True,
            )  # fmt: skip
        except sh.ForkException as exc:
            raise OSError(0, str(exc).strip().rpartition("\n")[2]) from None
        finally:
            out_end.close()
            err_end.close()
        return Child(running.process, out, err)


def _refusal(words: tuple[str, ...], env: Mapping[str, str]) -> Done | None:
    """What must not be tried: as the shell would say it."""
    if not words or not words[0]:
        return Done(words, None, err="there is no command", missing=True)
    try:
        size = sum(len(word.encode()) + 1 for word in words)
    except UnicodeEncodeError:
        return Done(words, 126, err="an argument is no text")
    if "\0" in "".join(words) or size > MAX_ARGUMENTS_BYTES:
        return Done(words, 126, err="the arguments are too long, or have a NUL in them")
    if shutil.which(words[0], path=env.get("PATH", os.defpath)) is None:
        if os.path.isfile(words[0]):
            return Done(words, 126, err=f"{words[0]}: not executable")
        return Done(words, None, err=f"{words[0]}: not found", missing=True)
    return None


def _find_shell() -> str:
    prefix = os.environ.get("PREFIX", TERMUX_PREFIX)
    known = (f"{prefix}/bin/sh", f"{TERMUX_PREFIX}/bin/sh")
    return next((path for path in known if os.access(path, os.X_OK)), "/bin/sh")


def _pipe(stack: contextlib.ExitStack) -> tuple[int, Any]:
    """The end to read, closed with `stack`, and the one for the child."""
    reads, writes = os.pipe()
    stack.callback(os.close, reads)
    os.set_blocking(reads, False)
    return reads, os.fdopen(writes, "wb", 0)


# --- Termux and Termux:API ---------------------------------------------------------------------------------------


class _Asked(Generic[T]):
    """One kind of question, the lock of whoever asks it, and its last answer. at_s: minus infinity before the first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at_s = float("-inf")
        self.answer: T | None = None


class Termux:
    """The phone by Termux's own commands, those in `places.prefix`/bin. now: seconds of a clock that counts sleep.

    From any number of threads; one call of a kind at a time. A missing Termux:API is a normal state: it is said once, in the log and in
    `api_missing`, and asked for again ever more rarely (5 minutes up to an hour). Nothing here raises for what a command does.
    """

    def __init__(
        self, places: Places, commands: Runs, now: Callable[[], float], env: Mapping[str, str] | None = None
    ) -> None:
        """env: ours, by default this process's; its `TERMUX_API_VERSION` tells whether the app was there when we were started (`facts/termux.md` 5.1)."""
        self._bin = places.prefix / "bin"
        self._commands = commands
        self._now = now
        self._is_announced = bool((os.environ if env is None else env).get("TERMUX_API_VERSION"))
        self._pauses = Pauses()
        self._said: set[str] = set()
        self._guard = threading.Lock()
        self._battery: _Asked[Battery] = _Asked()
        self._wifi: _Asked[Wifi] = _Asked()
        self._jobs: _Asked[tuple[Job, ...]] = _Asked()
        kinds = ("notification", "notification-remove", "toast", "job-change", "am")
        self._locks = {kind: threading.Lock() for kind in kinds}

    @property
    def api_missing(self) -> str:
        """A sentence while Termux:API is known to be missing or silent; else empty."""
        with self._guard:
            problem = self._pauses.app_problem
        return problem.words if problem else ""

    def battery(self, max_age_s: float = 30.0) -> Battery | None:
        """At most `max_age_s` old; `None` if it cannot be known now."""
        argv = ("termux-battery-status",)
        return self._ask("battery", self._battery, max_age_s, argv, termux_answers.battery)

    def wifi(self, max_age_s: float = 30.0) -> Wifi | None:
        argv = ("termux-wifi-connectioninfo",)
        return self._ask("wifi", self._wifi, max_age_s, argv, termux_answers.wifi)

    def jobs(self, max_age_s: float = 0.0) -> tuple[Job, ...] | None:
        """What is scheduled with Termux:API; `None` if that cannot be known now."""
        argv = ("termux-job-scheduler", "--pending")
        return self._ask("jobs", self._jobs, max_age_s, argv, termux_answers.jobs)

    def notify(self, note: Note) -> Outcome:
        """Shows it, or changes the one with the same id."""
        return self._tell("notification", termux_asks.notification_argv(note), termux_answers.quiet)

    def remove_note(self, note_id: str) -> Outcome:
        return self._tell("notification-remove", termux_asks.remove_argv(note_id), termux_answers.quiet)

    def toast(self, text: str) -> Outcome:
        return self._tell("toast", termux_asks.toast_argv(text), termux_answers.quiet)

    def schedule_job(self, job_id: int, script: Path, period_s: float) -> Outcome:
        """Runs `script` about every `period_s` (15 minutes at least), with or without network and charge, also after a reboot."""

        def wrong(out: str) -> Problem | None:
            job = termux_answers.scheduled(out, job_id)
            return job if isinstance(job, Problem) else None

        return self._tell("job-change", termux_asks.job_argv(job_id, str(script), period_s), wrong)

    def cancel_job(self, job_id: int) -> Outcome:
        argv = termux_asks.cancel_argv(job_id)
        return self._tell("job-change", argv, lambda out: termux_answers.cancelled(out, job_id))

    def wake_lock(self) -> Outcome:
        """Taken twice is taken once; nobody can ask whether it is held (`facts/termux.md` 4.1)."""
        return self._order(("termux-wake-lock",))

    def wake_unlock(self) -> Outcome:
        """Drops it for everybody. Without an anchor Android may end all of Termux then (`facts/termux.md` 4.1)."""
        return self._order(("termux-wake-unlock",))

    def start_task(self, script: Path) -> Outcome:
        """Has the Termux app run `script` in the background, as its own child: what keeps its service alive without the wake lock."""
        return self._order(termux_asks.task_argv(script))

    # --- asking --------------------------------------------------------------------------------------------------

    def _ask(
        self,
        kind: str,
        asked: _Asked[T],
        max_age_s: float,
        argv: tuple[str, ...],
        read: Callable[[str], T | Problem],
    ) -> T | None:
        """An answer that is fresh enough. Who comes while the question is out waits for its answer."""
        came_s = self._now()
        if came_s - asked.at_s <= max_age_s:
            return asked.answer
        if not asked.lock.acquire(timeout=PATIENCE_S):
            return None
        try:
            if asked.at_s < came_s and self._may(kind) is None:
                found = self._run(argv, read)
                asked.answer = None if isinstance(found, Problem) else found
                asked.at_s = self._now()
                self._note(kind, found if isinstance(found, Problem) else None)
            elif asked.at_s < came_s:
                asked.answer = None  # nobody knows it any more
            return asked.answer
        finally:
            asked.lock.release()

    def _tell(
        self, kind: str, argv: tuple[str, ...] | Problem, wrong: Callable[[str], Problem | None]
    ) -> Outcome:
        """A call with an effect: each is made, one after the other."""
        if isinstance(argv, Problem):
            return Outcome(False, argv.words)
        with self._turn(kind) as has_turn:
            if not has_turn:
                return Outcome(False, f"Another {argv[0]} has not ended yet.")
            problem = self._may(kind)
            if problem is None:
                problem = self._run(argv, wrong)
                self._note(kind, problem, repeats=False)
        return Outcome(problem is None, problem.words if problem else "")

    def _run(self, argv: tuple[str, ...], read: Callable[[str], T]) -> T | Problem:
        done = self._commands((str(self._bin / argv[0]), *argv[1:]), limit_s=API_LIMIT_S)
        return termux_answers.failed(done, self._is_announced) or read(done.out)

    def _order(self, argv: tuple[str, ...]) -> Outcome:
        """A command of the Termux app itself, which needs no Termux:API: all of them are calls of `am`."""
        with self._turn("am") as has_turn:
            if not has_turn:
                return Outcome(False, f"{argv[0]} had to wait too long for another call of am.")
            done = self._commands((str(self._bin / argv[0]), *argv[1:]), limit_s=AM_LIMIT_S)
        return termux_answers.ordered(done)

    @contextlib.contextmanager
    def _turn(self, kind: str) -> Iterator[bool]:
        lock = self._locks[kind]
        has_turn = lock.acquire(timeout=PATIENCE_S)
        try:
            yield has_turn
        finally:
            if has_turn:
                lock.release()

    def _may(self, kind: str) -> Problem | None:
        with self._guard:
            return self._pauses.why_not(kind, self._now())

    def _note(self, kind: str, problem: Problem | None, *, repeats: bool = True) -> None:
        with self._guard:
            was_missing = self._pauses.app_problem is not None
            self._pauses.note(kind, problem, self._now(), repeats=repeats)
            is_missing = self._pauses.app_problem is not None
            is_news = bool(problem) and kind not in self._said
            self._said.discard(kind) if problem is None else self._said.add(kind)
        if is_missing and not was_missing and problem:
            log.warning("%s Until then battery and heat are unknown and no notification is shown.", problem.words)
        elif was_missing and not is_missing:
            log.info("Termux:API answers.")
        if is_news and problem and not is_missing:
            log.warning("%s: %s", kind, problem.words)
