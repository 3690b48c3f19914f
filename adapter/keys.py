"""The generated API key in the state folder, and how keys are told apart."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from adapter.access.files import close_to_others, locked, write_private

KEY_FILE = "key"


class KeyFileError(Exception):
    """The key file or its folder cannot be used; the text says which and what to do."""


def load_or_create_key(home: Path) -> str:
    """The key of this installation; made on the first start, mode 0600, in a folder of mode 0700.

    Two processes that start at the same moment agree on one key. Raises `KeyFileError`.
    """
    path = home / KEY_FILE
    try:
        _create_once(path)
        key = path.read_text(encoding="ascii").strip()
        close_to_others(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyFileError(f"{path}: the key cannot be read or made ({exc}); check FARMHAND_HOME") from exc
    if len(key) < 16 or not _fit_for_a_header(key):
        raise KeyFileError(f"{path}: holds no usable key; delete the file and a new key is made")
    return key


def _fit_for_a_header(key: str) -> bool:
    return all("!" <= char <= "~" for char in key)


def _create_once(path: Path) -> None:
    """Write a new key unless there is one; a lock makes two first starts agree on it."""
    with locked(path):
        if not path.exists():
            write_private(path, f"sk-farm-{secrets.token_urlsafe(24)}\n")


def key_digest(key: str) -> bytes:
    """What a key is looked up by: how long that takes says nothing about any key that is known.

    key: whatever came in a header, bytes that are no UTF-8 included.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def stand_in(key: str) -> str:
    """What stands for a key without a name of its own, since no key may be in a log."""
    return f"key-{key_digest(key).hex()[:8]}"
