"""No test leaves a process behind: finds those that carry a mark in their environment, whoever their parent is by now.

Use: `from tests.live.leftovers import no_children_left`, and name the fixture in a test or in `pytest.mark.usefixtures`. What the test starts
must get this process's environment as it is then (`os.environ`), and so must their children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

VARIABLE = "LEFTOVER_MARK"
# A process that was just killed needs a moment until it is gone.
GRACE_S = 3.0


@pytest.fixture
def no_children_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Fails the test if a process that it started, at whatever remove, still runs at its end; and ends it. Gives the mark."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(VARIABLE, mark)
    yield mark
    left = wait_gone(mark)
    for pid in left:
        kill(pid)
    assert not left, f"left behind: {left}"


def marked(mark: str) -> dict[int, str]:
    """Processes (not zombies) that were started with the mark in their environment: pid and command line."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace")
        except OSError:  # gone meanwhile, or another user's
            continue
    found.pop(os.getpid(), None)
    return found


def wait_gone(mark: str, within_s: float = GRACE_S) -> dict[int, str]:
    """Those that are still there after `within_s`; returns as soon as there are none."""
    until = time.monotonic() + within_s
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
