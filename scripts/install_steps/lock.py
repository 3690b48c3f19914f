"""One installation in a prefix at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from install_steps.failure import InstallFailed


@contextmanager
def alone(prefix: Path) -> Iterator[int]:
    """Raises `InstallFailed` while another one is at work. Gives the lock's descriptor.

    The prefix's own folder is locked: so there is no lock file for an uninstall to leave behind.
    """
    try:
        lock = os.open(prefix, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise InstallFailed(f"PREFIX is {prefix}, which cannot be used: {exc.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallFailed("another scripts/install or scripts/uninstall is at work here; wait for it") from None
        yield lock
    finally:
        os.close(lock)
