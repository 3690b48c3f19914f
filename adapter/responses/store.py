"""The answers that may be gone on from: a file each, bounded in room and in time. Blocking: for threads.

| file | |
|---|---|
| `responses/resp_....json` | mode 0600, its age is that of its last use: a conversation that goes on loses none of its turns |

Not flushed to the flash before the rename: that would take longer than many an answer, and what a dead battery spoils is a turn that can be sent again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from adapter.dialects.responses_past import Item, Past, Referred, is_response_id
from adapter.responses.record import Record, read_record, write_record

logger = logging.getLogger(__name__)

# When room is made, some more than is needed: not with each answer again.
FILL = 0.9
# So often what is over its time is looked for, as long as answers come.
SWEEP_S = 3_600.0
# A conversation in so many links is none; one with a damaged link could be a ring.
MAX_LINKS = 100_000


class NotKept(Exception):
    """No such answer can be had; the text says why, as a part of a sentence."""


class TooMuch(Exception):
    """The conversation is longer than a request may be; the text says by what measure, as a part of a sentence."""


class ResponseStore:
    """folder: made when it is first needed. max_bytes: of all files together; 0: nothing is kept. keep_s: since the last use. wall: seconds since 1970.

    Any method may run in any thread.
    """

    def __init__(self, folder: Path, *, max_bytes: int, keep_s: float, wall: Callable[[], float]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._wall = wall
        self._lock = threading.Lock()
        self._bytes = 0
        self._swept_s: float | None = None  # nothing has been counted yet

    @property
    def keeps(self) -> bool:
        return self._max_bytes > 0

    def save(self, record: Record) -> None:
        """Raises `OSError`, also for an answer that is larger than the whole store, or that JSON has no words for. A kill leaves all of it or nothing."""
        try:
            data = write_record(record)
        except ValueError as exc:
            raise OSError(f"it cannot be written as JSON: {exc}") from exc
        if len(data) > self._max_bytes * FILL:
            raise OSError(f"it takes {len(data)} bytes, of {self._max_bytes} for all (responses.store_mib)")
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            now_s = self._wall()
            swept = self._swept_s is not None and 0 <= now_s - self._swept_s < SWEEP_S
            if not swept or self._bytes + len(data) > self._max_bytes:
                self._bytes, self._swept_s = self._make_room(len(data)), now_s
            self._write(self._path(record.id), data)
            self._bytes += len(data)

    def load(self, ident: str, holder: str) -> Record:
        """Raises `NotKept`, also for another key's answer, and `OSError` where the disk fails."""
        if not is_response_id(ident):
            raise NotKept("no such answer of this key is kept")
        path = self._path(ident)
        try:
            if path.stat().st_mtime < self._wall() - self._keep_s:
                raise NotKept("it was kept for as long as answers are (responses.keep_days)")
            record = read_record(path.read_bytes())
        except FileNotFoundError:
            raise NotKept("no such answer of this key is kept") from None
        except ValueError as exc:
            logger.error("a kept answer cannot be used file=%s error=%s", path, exc)
            raise NotKept("its file is damaged") from exc
        if record.id != ident or record.holder != holder:
            raise NotKept("no such answer of this key is kept")
        return record

    def past(self, referred: Referred, holder: str, *, max_items: int, max_bytes: int) -> Past:
        """What a request refers to. Raises `NotKept` for the answer to go on from or one before it, `TooMuch`, `OSError`.

        Single items that are not kept are left out: who asks for them is told by their place.
        """
        known: dict[str, Item] = {}
        left = max_bytes
        for ident in referred.answers:
            with contextlib.suppress(NotKept, FileNotFoundError):
                left -= self._path(ident).stat().st_size
                if left < 0:
                    raise TooMuch(f"takes more than {max_bytes} bytes (server.max_body_bytes)")
                known |= self._used(ident, holder).known()
        if referred.previous is None:
            return Past(known=known)
        links = self._links(referred.previous, holder, max_items, max_bytes)
        return Past(tuple(item for link in links for item in (*link.input(), *link.output())), known)

    def input_of(self, ident: str, holder: str, *, max_items: int, max_bytes: int) -> list[Item]:
        """All that the model was given for this answer but its instructions, oldest first. Raises as `past`."""
        links = self._links(ident, holder, max_items, max_bytes)
        before = [item for link in links[:-1] for item in (*link.input(), *link.output())]
        return [*before, *links[-1].input()]

    def delete(self, ident: str, holder: str) -> None:
        """Raises as `load`. What goes on from it cannot be gone on from any more."""
        self.load(ident, holder)
        with self._lock:
            path = self._path(ident)
            size = path.stat().st_size if path.exists() else 0
            path.unlink(missing_ok=True)
            self._bytes -= size

    # --- parts ----------------------------------------------------------------------------------------------

    def _links(self, ident: str, holder: str, max_items: int, max_bytes: int) -> Sequence[Record]:
        """The answers of a conversation, oldest first, each marked as used."""
        links: list[Record] = []
        items, size, word = 0, 0, ident
        while True:
            try:
                link = self._used(word, holder)
                size += self._path(word).stat().st_size
            except (NotKept, FileNotFoundError) as exc:
                raise NotKept(str(exc) if word == ident else f"it goes on from {word}, and of that: {exc}") from exc
            links.append(link)
            items += len(link.items) + len(link.output())
            if items > max_items:
                raise TooMuch(f"has more than {max_items} items (server.max_messages)")
            if size > max_bytes:
                raise TooMuch(f"takes more than {max_bytes} bytes (server.max_body_bytes)")
            if link.previous is None:
                return links[::-1]
            if len(links) > MAX_LINKS:
                raise NotKept("its files are damaged")
            word = link.previous

    def _used(self, ident: str, holder: str) -> Record:
        record = self.load(ident, holder)
        with contextlib.suppress(OSError):  # a disk that can only be read still answers
            self._touch(self._path(ident))
        return record

    def _touch(self, path: Path) -> None:
        now_s = self._wall()
        os.utime(path, (now_s, now_s))

    def _path(self, ident: str) -> Path:
        return self._folder / f"{ident}.json"

    def _write(self, path: Path, data: bytes) -> None:
        fresh = path.with_name(f".{path.name}.new")
        try:
            with open(fresh, "wb", opener=_private) as file:
                file.write(data)
            self._touch(fresh)
            fresh.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise

    def _make_room(self, wanted: int) -> int:
        """Delete what is over its time, what a kill left half, and then the oldest until `wanted` fits. Returns the bytes that are left."""
        found: list[tuple[float, int, Path]] = []
        limit_s = self._wall() - self._keep_s
        for entry in os.scandir(self._folder):
            with contextlib.suppress(OSError):  # it is gone already, or is none of ours
                stat = entry.stat(follow_symlinks=False)
                if entry.name.endswith(".new") or stat.st_mtime < limit_s:
                    os.unlink(entry.path)
                elif entry.name.endswith(".json"):
                    found.append((stat.st_mtime, stat.st_size, Path(entry.path)))
        total, dropped = sum(size for _, size, _ in found), 0
        if total + wanted > self._max_bytes:
            for _, size, path in sorted(found):
                if total + wanted <= self._max_bytes * FILL:
                    break
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                    total, dropped = total - size, dropped + 1
            logger.info("room was made for answers dropped=%d bytes=%d", dropped, total)
        return total


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
