"""The keyring as a running server sees it: read again when its file has changed, in a thread, while tokens are being shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from adapter.access.keyring import Keyring
from adapter.access.store import TokenError, read_keyring
from adapter.errors import TokensUnavailable

logger = logging.getLogger(__name__)

# How long a revoked token may still be let in, at most.
LOOK_S = 1.0

_Stamp = tuple[int, int, int]


class Watch:
    """clock: seconds, never going back. Used on one event loop."""

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._looked_s = float("-inf")
        self._looking: asyncio.Future[None] | None = None
        self._stamp: _Stamp | None = None
        self._ring: Keyring | None = None
        self._problem: str | None = None

    async def keyring(self) -> Keyring | None:
        """Not older than `LOOK_S`; `None`: no token was made here. Raises `TokensUnavailable` while the file cannot be used."""
        if self._clock() - self._looked_s >= LOOK_S:
            if self._looking is None:
                self._looking = asyncio.ensure_future(self._look())
            # Others wait for the same look: one client that leaves must not end it.
            await asyncio.shield(self._looking)
        if self._problem is not None:
            raise TokensUnavailable(
                f"Tokens cannot be checked at present, other keys can: the file '{self._path.name}' in Farmhand's state folder cannot be used; "
                "its log says why."
            )
        return self._ring

    async def _look(self) -> None:
        try:
            began_s, before = self._clock(), self._problem
            # A file that could not be used is read each time: its rights may have been mended.
            seen = await asyncio.to_thread(_news, self._path, None if before else self._stamp)
            if seen is not None:
                self._stamp, self._ring, self._problem = seen
                if self._problem not in (None, before):
                    logger.error("no token is let in: %s", self._problem)
            self._looked_s = began_s
        finally:
            self._looking = None


def _news(path: Path, known: _Stamp | None) -> tuple[_Stamp | None, Keyring | None, str | None] | None:
    """The file's stamp, what it says, or why it cannot be used; `None` if its stamp is `known`. Blocking.

    A stamp changes with every writing, which puts a new file into the place of the old one. It is taken before reading: so it is never too new.
    """
    try:
        found = path.stat()
        stamp = found.st_mtime_ns, found.st_size, found.st_ino
    except OSError:
        stamp = None
    if stamp is not None and stamp == known:
        return None
    try:
        return stamp, read_keyring(path), None
    except TokenError as exc:
        return stamp, None, str(exc)
