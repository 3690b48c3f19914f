"""Small private files that several processes write: one at a time, and never half of one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A lock is held for milliseconds; who waits longer waits for a process that was stopped in mid-write.
LOCK_S = 10.0
_AGAIN_S = 0.02


@contextmanager
def locked(path: Path, limit_s: float = LOCK_S) -> Iterator[None]:
    """Hold the lock that stands for `path` (a file beside it); its folder is made, mode 0700. Raises `OSError`, after `limit_s` `TimeoutError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w", opener=_private) as lock:
        until_s = time.monotonic() + limit_s
        while not _taken(lock.fileno()):
            if time.monotonic() >= until_s:
                raise TimeoutError(f"another process has held its lock for {limit_s:g} s")
            time.sleep(_AGAIN_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str) -> None:
    """Replace the file, mode 0600; hold `locked(path)` meanwhile. A kill or a full disk leaves the old one as it was. Raises `OSError`."""
    fresh = path.with_name(f".{path.name}.new")
    with open(fresh, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def close_to_others(path: Path) -> None:
    """After a copy or a restored backup."""
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
