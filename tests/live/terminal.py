"""A program on a terminal of its own: what is typed reaches it as a person's keys would, Ctrl-C included."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.live.processes import REPO

WAIT_S = 30.0
# Takes the terminal as its own, so that Ctrl-C there is a signal, and becomes the program.
_ON_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass
class Terminal:
    """shown: everything that has appeared so far."""

    process: subprocess.Popen[bytes]
    fd: int
    shown: str = ""
    _looked: int = 0

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match behind the one before, as soon as it is there."""
        until = time.monotonic() + WAIT_S
        while not (found := re.compile(pattern).search(self.shown, self._looked)):
            if not self._read(until - time.monotonic()):
                raise AssertionError(f"{pattern!r} did not appear; there was:\n{self.shown[self._looked :]!r}")
        self._looked = found.end()
        return found

    def press(self, key: str, pattern: str) -> None:
        """Press until the pattern is there, as a person would: Ctrl-C between a prompt and its reading is lost."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            self.type(key)
            again = time.monotonic() + 2.0
            while self._read(again - time.monotonic()):
                if found := re.compile(pattern).search(self.shown, self._looked):
                    self._looked = found.end()
                    return
        raise AssertionError(f"{pattern!r} did not appear; there was:\n{self.shown[self._looked :]!r}")

    def end(self) -> int:
        """The exit status, with everything read that came before it."""
        until = time.monotonic() + WAIT_S
        while self._read(until - time.monotonic()):
            pass
        return self.process.wait(WAIT_S)

    def _read(self, timeout_s: float) -> bool:
        """False at the end, or when nothing came."""
        if timeout_s <= 0 or not select.select([self.fd], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.fd, 65_536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self.shown += data.decode()
        return bool(data)


@contextmanager
def on_terminal(command: list[str], env: dict[str, str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_TERMINAL, *command],
        cwd=REPO,
        env={**env, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
