"""A command that was started: reads what it writes, waits for its end, and ends it with all that belongs to it. `phone/termux.py` starts it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phone import sense
from phone.command import Done

KEPT_BYTES = 64 * 1024
# What writes more than this without end is ended: reading on would only heat the phone.
FLOOD_BYTES = 8 * 1024 * 1024
# How long the output is still read when the command has ended and something of its own holds it open.
LINGER_S = 0.3
REAP_S = 0.5
POLL_S = (0.005, 0.1)


class Child:
    """A started command. process: sh's `OProc`, which knows its exit status once `is_alive` has seen its end."""

    def __init__(self, process: Any, out: int, err: int) -> None:
        self._process = process
        self._open = {out, err}
        self._kept = {out: bytearray(), err: bytearray()}
        self._out, self._err = out, err
        self._read_bytes = 0

    @property
    def lives(self) -> bool:
        return bool(self._process.is_alive()[0])

    def finish(self, words: tuple[str, ...], until_s: float) -> Done:
        """Waits for its end, or makes it end."""
        with selectors.DefaultSelector() as selector:
            for fd in self._open:
                selector.register(fd, selectors.EVENT_READ)
            ended = self._wait(selector, until_s)
            note = ""
            if not ended:
                note = "\nwrote without end" if self._read_bytes > FLOOD_BYTES else ""
                self._kill_all()
            else:
                self._end_group()
            self._read(selector, 0)
        if not self.lives and self._process.exit_code is not None:
            self._process.wait()  # ends sh's threads
        timed_out = not ended and not note
        out, err = (self._kept[fd].decode(errors="replace") for fd in (self._out, self._err))
        return Done(words, None if timed_out else self._process.exit_code, out, err + note, timed_out)

    def _wait(self, selector: selectors.BaseSelector, until_s: float) -> bool:
        """Reads until it has ended and its output has, or nearly so; `False` if it has to be ended."""
        pause_s, ended_s = POLL_S[0], None
        while True:
            now_s = time.monotonic()
            if not self.lives:
                ended_s = ended_s or now_s
                if not self._open or now_s > ended_s + LINGER_S:
                    return True
            elif now_s >= until_s or self._read_bytes > FLOOD_BYTES:
                return False
            were_open = len(self._open)
            limit_s = until_s if ended_s is None else ended_s + LINGER_S
            self._read(selector, max(0.0, min(pause_s, limit_s - now_s)))
            pause_s = POLL_S[0] if len(self._open) < were_open else min(2 * pause_s, POLL_S[1])

    def _read(self, selector: selectors.BaseSelector, wait_s: float) -> None:
        for key, _ in selector.select(wait_s):
            fd = key.fd
            with contextlib.suppress(BlockingIOError):
                data = os.read(fd, KEPT_BYTES)
                self._read_bytes += len(data)
                self._kept[fd] += data[: KEPT_BYTES - len(self._kept[fd])]
                if not data:
                    selector.unregister(fd)
                    self._open.discard(fd)

    def _kill_all(self) -> None:
        """Its group, and its descendants with groups of their own; found before, since they are nobody's children after."""
        own = {os.getpid(), os.getpgid(0)}
        theirs = sense.descendants(self._process.pid, sense.processes(Path("/proc"), os.getuid()))
        for group in {self._process.pgid, *(process.group for process in theirs)} - own:
            _kill_group(group)
        for process in theirs:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
        _until(lambda: not self.lives, REAP_S)

    def _end_group(self) -> None:
        """What the command left running in its group gets a moment to end, or to make itself a session, as daemons do."""
        if not _until(lambda: not _has_members(self._process.pgid), LINGER_S):
            _kill_group(self._process.pgid)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def _kill_group(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _until(is_so: Callable[[], bool], within_s: float) -> bool:
    until_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= until_s:
            return False
        time.sleep(POLL_S[0])
    return True
