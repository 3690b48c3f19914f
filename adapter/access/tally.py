"""How much each key was used: counted in memory, added to a file now and then.

The file is read, added to and written back under a lock, so that nothing is counted twice or lost whoever else writes it, and a restart goes on
where the last process ended. What a kill takes with it is the last minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from adapter.access.files import locked, write_private
from adapter.access.use import Use, use_of

logger = logging.getLogger(__name__)

USAGE_FILE = "key-usage.json"
# A phone's flash lasts longer if nobody writes more often.
FLUSH_S = 60.0


class Tally:
    """The counts of one process; used on its event loop only. It wakes nobody up while nothing is counted."""

    def __init__(self, path: Path, *, wall: Callable[[], float], flush_s: float = FLUSH_S) -> None:
        self._path, self._wall, self._flush_s = path, wall, flush_s
        self._pending: dict[str, Use] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def count(
        self, ident: str, name: str, *, refused: bool = False, prompt_tokens: int = 0, completion_tokens: int = 0
    ) -> None:
        """One request of the key with that id (in the file, for ever) and name (shown)."""
        now_s = int(self._wall())
        one = Use(name, int(not refused), int(refused), prompt_tokens, completion_tokens, now_s, now_s)
        if ident in self._pending:
            self._pending[ident].add(one)
        else:
            self._pending[ident] = one
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_s, self._begin)

    async def close(self) -> None:
        """Write what there is."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self._flush()
        if self._timer is not None:  # what could not be written is not tried again
            self._timer.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._flushing = asyncio.ensure_future(self._flush())

    async def _flush(self) -> None:
        written, self._pending = self._pending, {}
        if not written:
            return
        try:
            await asyncio.to_thread(add_to_file, self._path, written)
        except OSError as exc:
            logger.warning("%s: the use of keys could not be written: %s", self._path, exc)
            for ident, use in self._pending.items():
                written.setdefault(ident, Use(use.name)).add(use)
            self._pending = written
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._flush_s, self._begin)


def add_to_file(path: Path, more: Mapping[str, Use]) -> None:
    """Blocking. A file that cannot be read as one of ours is kept aside, and a new one begun. Raises `OSError`."""
    with locked(path):
        try:
            uses = read_uses(path)
        except ValueError as exc:
            aside = path.with_name(f"{path.name}.damaged")
            logger.warning("%s: %s; it is kept as %s, and counting begins anew", path, exc, aside.name)
            path.replace(aside)
            uses = {}
        for ident, use in more.items():
            uses.setdefault(ident, Use(use.name)).add(use)
        listed = {ident: asdict(use) for ident, use in sorted(uses.items())}
        write_private(path, json.dumps({"version": 1, "keys": listed}, indent=1) + "\n")


def read_uses(path: Path) -> dict[str, Use]:
    """Id -> its use; empty where there is no file. Blocking. Raises `OSError`, and `ValueError` with what is wrong in it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise ValueError("it is no list of keys") from None
    if not isinstance(data, dict) or data.get("version") != 1 or not isinstance(data.get("keys"), dict):
        raise ValueError("it is no list of keys of version 1")
    return {ident: use_of(item) for ident, item in data["keys"].items()}
