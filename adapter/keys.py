"""The generated API key in the state folder, and the comparison of keys."""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

KEY_FILE = "key"


class KeyFileError(Exception):
    """The key file or its folder cannot be used; the text says which and what to do."""


def load_or_create_key(home: Path) -> str:
    """The key of this installation; made on the first start, mode 0600, in a folder of mode 0700.

    Two processes that start at the same moment agree on one key. Raises `KeyFileError`.
    """
    path = home / KEY_FILE
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create_once(path)
        key = path.read_text(encoding="ascii").strip()
        _close_to_others(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyFileError(f"{path}: the key cannot be read or made ({exc}); check FARMHAND_HOME") from exc
    if len(key) < 16 or not _fit_for_a_header(key):
        raise KeyFileError(f"{path}: holds no usable key; delete the file and a new key is made")
    return key


def _fit_for_a_header(key: str) -> bool:
    return all("!" <= char <= "~" for char in key)


def _create_once(path: Path) -> None:
    """Write a new key unless there is one; a lock makes two first starts agree on it.

    The finished file is renamed into place, so that a kill in between never leaves half a key.
    """
    with open(path.with_name(f".{KEY_FILE}.lock"), "w", opener=_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        fresh = path.with_name(f".{KEY_FILE}.new")
        with open(fresh, "w", encoding="ascii", opener=_private) as file:
            file.write(f"sk-farm-{secrets.token_urlsafe(24)}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _close_to_others(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def matches(token: str, keys: Iterable[str]) -> bool:
    """Is `token` one of `keys`? Every key is compared, in constant time."""
    given = token.encode("utf-8", "surrogateescape")
    hits = [hmac.compare_digest(given, key.encode()) for key in keys]
    return any(hits)
