"""There is one supervisor: who holds `run/supervisor.lock` is it. The kernel lets go of it however the holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


def open_lock(path: Path) -> int:
    """A descriptor for the functions below; the lock goes with it. It is not inherited (O_CLOEXEC): a command of ours that hangs must
    not keep our successor waiting. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(fd: int) -> bool:
    """`False`: somebody else is the supervisor. Raises `OSError`."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    _sign(fd)
    return True


def wait_for_lock(fd: int) -> None:
    """Blocks, without waking up once, until the other has ended. A signal handler that raises ends the wait. Raises `OSError`."""
    fcntl.flock(fd, fcntl.LOCK_EX)
    _sign(fd)


def holder(fd: int) -> str:
    """Who has it, for people: "process 4711"."""
    try:
        pid = os.pread(fd, 20, 0).decode("ascii").strip()
    except (OSError, ValueError):
        pid = ""
    return f"process {pid}" if pid.isdigit() else "another process"


def _sign(fd: int) -> None:
    with contextlib.suppress(OSError):  # only for people
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
