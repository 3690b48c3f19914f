"""Which model a file holds: the SHA-256 of the whole of it, worked out once for each state of the file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

CACHE_FILE = "model-hashes.json"
# Models come and go; a phone has a handful.
MOST_ENTRIES = 64
# More than so many entries take; a larger file is not ours.
MOST_CACHE_BYTES = 1 << 20


def model_hash(path: Path, cache_dir: Path) -> str:
    """The SHA-256 of a file in hex. Takes seconds for a gigabyte the first time: call it in a thread.

    Remembered in `cache_dir` by real path, size, time of change and inode. A cache that cannot be read or
    written is ignored. Raises `OSError` if the file itself cannot be read.
    """
    real = path.resolve(strict=True)
    with real.open("rb") as stream:
        state = _state(stream.fileno())
        cached = _read_cache(cache_dir / CACHE_FILE).get(str(real))
        if cached is not None and cached[:-1] == state:
            return str(cached[-1])
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        # What changed meanwhile may be half the old file: true for now, but not to be remembered.
        if _state(stream.fileno()) == state:
            _remember(cache_dir / CACHE_FILE, str(real), [*state, digest])
    return digest


def _state(fd: int) -> list[int]:
    status = os.fstat(fd)
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _read_cache(path: Path) -> dict[str, list[Any]]:
    """By real path: size, time of change in ns, inode, hash. What does not look like that is left out."""
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(MOST_CACHE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if _is_entry(value)}


def _is_entry(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    *numbers, digest = value
    if not isinstance(digest, str) or len(digest) != 64:
        return False
    return set(digest) <= set("0123456789abcdef") and all(type(number) is int for number in numbers)


def _remember(cache: Path, real: str, entry: list[Any]) -> None:
    """Two processes at a time: one entry may get lost, and is worked out again."""
    entries = _read_cache(cache)
    entries.pop(real, None)
    kept = [*entries.items()][-(MOST_ENTRIES - 1) :]
    fresh = cache.with_name(f"{CACHE_FILE}.{secrets.token_hex(4)}.new")
    with contextlib.suppress(OSError):
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(fresh, "w", encoding="ascii", opener=_private) as stream:
                json.dump(dict([*kept, (real, entry)]), stream)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.rename(cache)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
