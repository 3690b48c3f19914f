"""Computed prefixes on disk: what the worker has worked out survives its death.

One file for each saved sequence of tokens; `kv_file.py` has the format, `kv_index.py` the choices,
`kv_folder.py` the disk, `kv_shelf.py` what is known of it; here is when to save and what to drop.
The files hold the token ids of prompts and answers, which is as good as their text: the folder is closed to
other users, and so are the files.

Everything here is a cache. Whatever goes wrong with the disk costs a line in the log and a prompt computed
again; no method raises for it. Several processes may work in one folder: files appear and vanish whole, and
one that another process has dropped is a miss.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapter.engines.llama import kv_index
from adapter.engines.llama.kv_file import Damaged, Head, Identity, name_for, pack_tokens
from adapter.engines.llama.kv_folder import Abandoned, Folder
from adapter.engines.llama.kv_index import Entry, OnDisk, Stored
from adapter.engines.llama.kv_shelf import Shelf
from adapter.engines.llama.kv_writer import OneWaiting

MIB = 1 << 20
# After a failed save: long enough not to try with every answer, short enough to notice that somebody made
# room.
PAUSE_S = 300.0
# How often a lookup asks whether other processes have changed the folder.
LOOK_S = 1.0
# Android calls storage low from 5 % or 500 MB on and begins to nag and to clear caches.
LOW_SHARE, LOW_BYTES, LEAST_FREE_BYTES = 0.05, 512 * MIB, 256 * MIB


@dataclass(frozen=True, slots=True)
class _Save:
    tokens: bytes
    payload: memoryview
    pinned: bool


class KvStore:
    """The stored sequences that fit one identity, in a folder that it shares with those of others.

    max_bytes: of all files in the folder together, whoever's; 0 stores nothing and removes what this identity
    has there. trims: a restored sequence can lose its end (see `kv_index.longest`). reserve_bytes: left free
    on the disk; `None` means 5 % of it, at least 256 and at most 512 MiB. clock_ns: time of day.

    All methods but `wait_idle` and `close` return at once or after short reads, and are for one thread, the
    decode loop's.
    """

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        *,
        max_bytes: int,
        log: logging.Logger,
        trims: bool = True,
        reserve_bytes: int | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = Folder(folder)
        self._digest = identity.digest
        self._max_bytes = max_bytes
        self._log = log
        self._trims = trims
        self._reserve_bytes = reserve_bytes
        self._writer: OneWaiting[_Save] = OneWaiting("kv-store", self._do_save)
        self._abandoned = threading.Event()
        self._shelf = Shelf(self._folder, self._digest, log, self._pause, clock_ns)
        # Only the decode thread uses this one.
        self._looked_s = float("-inf")
        self._lock = threading.Lock()  # guards the two below
        self._paused_until_s = 0.0
        self._said_pins_exceed = False

    def open(self) -> None:
        """Learn what is there: listing and heads, no payloads. Removes what killed writers left, and what is
        damaged.
        """
        if self._max_bytes <= 0:
            for file in self._shelf.files():
                if file.name.digest == self._digest:
                    self._shelf.remove(str(file.name))
            return
        try:
            self._folder.make()
            for name in self._folder.clear_parts():
                self._log.info("kv store: removed %s, left by a save that was killed", name)
        except OSError as exc:
            self._pause(f"the folder cannot be used: {exc}")
        self._shelf.scan()
        self._make_room()

    def longest(self, prompt: Sequence[int]) -> Stored | None:
        """The stored sequence that saves the most of `prompt`; `None` if none saves anything."""
        if self._max_bytes <= 0:
            return None
        self._look()
        return kv_index.longest(self._shelf.entries(), pack_tokens(prompt), trims=self._trims)

    def covered(self, tokens: Sequence[int]) -> int:
        """How many of the first `tokens` are stored, or about to be, in a form that can be used again."""
        if self._max_bytes <= 0:
            return 0
        self._look()
        pending = [Entry("", job.tokens, job.pinned) for job in self._writer.pending()]
        return kv_index.covered([*self._shelf.entries(), *pending], pack_tokens(tokens), trims=self._trims)

    def load(self, key: str) -> memoryview | None:
        """The payload of a `Stored`, verified; `None`, and it is not offered again, if it is no longer any
        good.

        It is mapped from the file: it takes no memory of its own, and the file may go meanwhile.
        """
        return self._shelf.load(key)

    def reject(self, key: str) -> None:
        """llama.cpp would not take what `load` gave: remove the file, or it would be offered for ever."""
        self._shelf.discard(key, Damaged("was refused by llama.cpp"))

    def ready(self) -> bool:
        """Would `save` take a payload now? Ask before making one: that copies a whole sequence."""
        with self._lock:
            paused = time.monotonic() < self._paused_until_s
        return self._max_bytes > 0 and not paused and self._writer.has_place()

    def save(self, tokens: Sequence[int], payload: bytes | bytearray | memoryview, *, pinned: bool) -> bool:
        """Store in the background; `payload` must not change from now on. False if it is not going to be
        stored.

        It is stored already if a file has these tokens, or, unless it is to be pinned, if `covered` says so.
        """
        packed = pack_tokens(tokens)
        refused = self._refusal(packed, len(payload), pinned=pinned)
        if refused:
            self._log.debug("kv store: %d tokens not saved: %s", len(tokens), refused)
            return False
        if self._has(packed, pinned=pinned):
            return True
        if self._writer.offer(_Save(packed, memoryview(payload).cast("B"), pinned)):
            return True
        self._log.debug("kv store: %d tokens not saved: others are still being written", len(tokens))
        return False

    def pin_only(self, prompts: Iterable[Sequence[int]]) -> None:
        """From now on exactly these are pinned, as far as they are stored; what was pinned before becomes
        ordinary.
        """
        wanted = {pack_tokens(prompt) for prompt in prompts}
        self._shelf.scan()
        for entry in self._shelf.entries():
            if (entry.tokens in wanted) != entry.pinned:
                self._shelf.set_pinned(entry, not entry.pinned)
            elif entry.pinned:
                self._shelf.touch(entry.name)

    def wait_idle(self, limit_s: float) -> bool:
        """Wait until nothing is being saved; false if that takes longer."""
        return self._writer.wait_idle(limit_s)

    def close(self, limit_s: float) -> None:
        """Let saves under way finish within `limit_s`, then abandon them. What is stored can still be
        read.
        """
        if self._writer.close(limit_s):
            return
        self._abandoned.set()
        self._folder.drop_part()
        self._log.info("kv store: gave up a save that took longer than %.1f s", limit_s)

    # --- what is there ------------------------------------------------------------------------------------

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._shelf.look()

    def _has(self, packed: bytes, *, pinned: bool) -> bool:
        """Is it stored, or about to be? Then it counts as used now."""
        if any(job.tokens == packed and job.pinned >= pinned for job in self._writer.pending()):
            return True
        self._look()
        entries = self._shelf.entries()
        same = next((entry for entry in entries if entry.tokens == packed), None)
        if same is not None and pinned and not same.pinned:
            return self._shelf.set_pinned(same, True)
        if same is None and not pinned and self._trims:
            same = next((entry for entry in entries if entry.tokens.startswith(packed)), None)
        if same is None:
            return False
        self._shelf.touch(same.name)
        return True

    # --- saving -------------------------------------------------------------------------------------------

    def _refusal(self, packed: bytes, payload_bytes: int, *, pinned: bool) -> str:
        """Why this is not to be saved; empty if it is."""
        if self._max_bytes <= 0:
            return "the store is off"
        if not packed or not payload_bytes:
            return "there is nothing in it"
        if payload_bytes > self._max_bytes and not pinned:
            return f"its {payload_bytes} bytes are more than the whole store may have"
        with self._lock:
            paused = time.monotonic() < self._paused_until_s
        return "saving is paused" if paused else ""

    def _pause(self, why: str) -> None:
        with self._lock:
            if time.monotonic() < self._paused_until_s:
                return
            self._paused_until_s = time.monotonic() + PAUSE_S
        self._log.warning("kv store: %s; nothing is saved for %d minutes", why, PAUSE_S // 60)

    def _do_save(self, job: _Save) -> None:
        """In the writer's thread."""
        try:
            self._store(job)
        except Abandoned:
            pass
        except OSError as exc:
            self._pause(f"a prefix cannot be saved in {self._folder.path}: {exc.strerror or exc}")
        except Exception:  # noqa: BLE001 - a fault of ours must not end the thread in silence
            self._log.exception("kv store: saving failed")
            self._pause("saving failed")

    def _store(self, job: _Save) -> None:
        if self._abandoned.is_set():
            raise Abandoned
        self._folder.make()
        name = name_for(self._digest, job.tokens, pinned=job.pinned)
        head = Head(self._digest, job.tokens, len(job.payload), zlib.crc32(job.payload))
        mark = self._shelf.next_mark()
        if not self._fits(OnDisk(name, head.file_bytes, mark)) or not self._disk_has_room(head.file_bytes):
            return
        self._folder.write(str(name), head, job.payload, mark, lambda: not self._abandoned.is_set())
        useless = kv_index.shadowed(self._shelf.entries(), job.tokens, trims=self._trims)
        self._shelf.add(Entry(str(name), job.tokens, job.pinned))
        if job.pinned:
            useless.append(str(replace(name, pinned=False)))
        for other in useless:
            self._shelf.remove(other)
        self._make_room()
        self._log.debug("kv store: saved %s, %d bytes", name, head.file_bytes)

    def _fits(self, new: OnDisk) -> bool:
        """Not if it would be the first to go again, because the rest is pinned: that would only wear the
        flash.
        """
        others = [file for file in self._shelf.files() if file.name != new.name]
        if new not in kv_index.evictions([*others, new], self._max_bytes, self._digest):
            return True
        self._log.debug("kv store: not saved: pinned prompts fill the store")
        return False

    def _disk_has_room(self, n_bytes: int) -> bool:
        free, size = self._folder.free_bytes()
        reserve = self._reserve_bytes
        if reserve is None:
            reserve = max(LEAST_FREE_BYTES, min(LOW_BYTES, int(size * LOW_SHARE)))
        if free - n_bytes >= reserve:
            return True
        self._pause(f"the disk has {free // MIB} MiB left, and {reserve // MIB} MiB must stay free")
        return False

    def _make_room(self) -> None:
        """Drop what was not used for longest until the folder is within its budget."""
        files = self._shelf.files()
        for file in kv_index.evictions(files, self._max_bytes, self._digest):
            self._shelf.remove(str(file.name))
        pinned = sum(f.n_bytes for f in files if f.name.pinned and f.name.digest == self._digest)
        if pinned > self._max_bytes and not self._said_pins_exceed:
            self._said_pins_exceed = True
            self._log.warning(
                "kv store: pinned prompts take %d MiB, more than the %d MiB of the store; "
                "raise kv_store_mib or pin less",
                pinned // MIB,
                self._max_bytes // MIB,
            )
