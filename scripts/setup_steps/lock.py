"""One setup of a clone at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(lock: Path) -> Iterator[int]:
    """Wait for other setups of this clone, then keep them waiting. Gives the lock's file descriptor.

    Commands inherit it: were this process killed, the next setup still waits for the pip it left behind.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another setup of this clone to finish", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
