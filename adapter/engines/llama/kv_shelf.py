"""What one identity has in the folder: the entries in memory, kept in step with the files.

Two threads use it, the decode loop's and the writer's; a lock guards the entries, never the disk. None of the
methods raises `OSError`: what matters goes to `trouble`, what is damaged is said in one line of the log and
removed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from adapter.engines.llama import kv_index
from adapter.engines.llama.kv_file import Damaged, name_for
from adapter.engines.llama.kv_folder import Folder
from adapter.engines.llama.kv_index import Entry, OnDisk

NOT_LOOKED = -2


class Shelf:
    """digest: of the files that are ours. trouble: called with a sentence about the folder. clock_ns: time of
    day.
    """

    def __init__(
        self,
        folder: Folder,
        digest: str,
        log: logging.Logger,
        trouble: Callable[[str], None],
        clock_ns: Callable[[], int],
    ) -> None:
        self._folder = folder
        self._digest = digest
        self._log = log
        self._trouble = trouble
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._useless: set[str] = set()  # damaged, and could not be removed: said once
        self._highest_mark = 0
        self._seen = self._settled = NOT_LOOKED

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def get(self, name: str) -> Entry | None:
        with self._lock:
            return self._entries.get(name)

    def add(self, entry: Entry) -> None:
        """A file that has just been written."""
        with self._lock:
            self._entries[entry.name] = entry
            self._useless.discard(entry.name)

    def forget(self, name: str) -> None:
        with self._lock:
            self._entries.pop(name, None)

    def look(self) -> None:
        """Read the folder again if somebody has changed it.

        A change within the same tick of the kernel's clock as our reading does not show in the folder's time,
        so a folder counts as settled only when its time is still the same at a second look.
        """
        state = self._folder.changed_ns()
        if state != self._settled:
            self.scan()
            self._settled = state if state == self._seen else NOT_LOOKED
            self._seen = state

    def scan(self) -> None:
        """Make the entries what the folder has. Only files that are new are opened."""
        with self._lock:
            before = set(self._entries)
        own = {str(file.name) for file in self.files() if file.name.digest == self._digest}
        with self._lock:
            for name in before - own:  # not those that the writer has added meanwhile
                self._entries.pop(name, None)
            self._useless &= own
            unknown = own - set(self._entries) - self._useless
        for name in sorted(unknown):
            self._read(name)

    def files(self) -> list[OnDisk]:
        """All in the folder, of others as well."""
        try:
            files = self._folder.listing()
        except OSError as exc:
            self._trouble(f"the folder cannot be read: {exc}")
            return []
        with self._lock:
            self._highest_mark = max([self._highest_mark, *(file.mark for file in files)])
        return files

    def next_mark(self) -> int:
        with self._lock:
            self._highest_mark = kv_index.next_mark(self._clock_ns(), self._highest_mark)
            return self._highest_mark

    def touch(self, name: str) -> None:
        """It is used now."""
        with contextlib.suppress(OSError):  # gone, or read-only: then the order is a little off, no more
            self._folder.touch(name, self.next_mark())

    def load(self, name: str) -> memoryview | None:
        """The verified payload of an entry; `None`, and the entry is gone, if it is no longer any good."""
        entry = self.get(name)
        if entry is None:
            return None
        try:
            payload = self._folder.payload(name, self._digest, entry.tokens)
        except FileNotFoundError:
            self._log.info("kv store: %s has gone; its prompt will be computed again", name)
            self.forget(name)
            return None
        except (OSError, Damaged) as exc:
            self.discard(name, exc)
            return None
        self.touch(name)
        return payload

    def set_pinned(self, entry: Entry, pinned: bool) -> bool:
        """False if the file is gone or cannot be renamed."""
        name = str(name_for(self._digest, entry.tokens, pinned=pinned))
        try:
            self._folder.rename(entry.name, name)
        except FileNotFoundError:
            self.forget(entry.name)
            return False
        except OSError as exc:
            self._trouble(f"{entry.name} cannot be renamed: {exc.strerror or exc}")
            return False
        self.add(replace(entry, name=name, pinned=pinned))
        self.forget(entry.name)
        self.touch(name)
        return True

    def remove(self, name: str) -> None:
        """Of any file, also if it is gone already."""
        try:
            self._folder.remove(name)
        except OSError as exc:
            self._trouble(f"{name} cannot be removed: {exc.strerror or exc}")
        self.forget(name)

    def _read(self, name: str) -> None:
        try:
            head = self._folder.head(name)
            if head.digest != self._digest:
                raise Damaged("is another model's under a name of this one")
            entry = Entry(name, head.tokens, name == str(name_for(self._digest, head.tokens, pinned=True)))
            if name != str(name_for(self._digest, head.tokens, pinned=entry.pinned)):
                raise Damaged("holds other tokens than its name says")
        except FileNotFoundError:
            return  # another process has dropped it since
        except (OSError, Damaged) as exc:
            self.discard(name, exc)
            return
        self.add(entry)

    def discard(self, name: str, why: Damaged | OSError) -> None:
        """Say it once, and remove the file if it is the file's fault."""
        damaged = isinstance(why, Damaged) or why.errno == errno.EIO
        text = f"cannot be read: {why.strerror or why}" if isinstance(why, OSError) else str(why)
        self._log.warning("kv store: %s %s; its prompt will be computed again", name, text)
        self.forget(name)
        removed = False
        if damaged:
            with contextlib.suppress(OSError):
                self._folder.remove(name)
                removed = True
        if not removed:
            with self._lock:
                self._useless.add(name)
