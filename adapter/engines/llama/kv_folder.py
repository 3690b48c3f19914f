"""The folder of computed prefixes: reads and writes, decides nothing.

Files are whole or not there, whoever else works in it.

A file is written under a name of its own, synced, and renamed, so that a final name never shows a part. The
writer holds flock on it meanwhile: the kernel drops that with the process, so a part whose lock is free
belongs to nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from adapter.engines.llama.kv_file import (
    HEAD_BYTES,
    Damaged,
    Head,
    is_temp_name,
    parse_head,
    parse_name,
    render_head,
    temp_name,
    tokens_bytes,
)
from adapter.engines.llama.kv_index import OnDisk

CHUNK_BYTES = 1 << 20
# Where a file system has no flock, only age tells that nobody is writing any more.
OLD_PART_S = 600.0
_TRIES = 5


class Abandoned(Exception):
    """The write was called off; nothing of it is left."""


class Folder:
    """Methods raise `OSError` as the system does, and `Damaged`. Names are plain file names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing: Path | None = None

    def make(self) -> None:
        """The folder exists, and is closed to other users."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o700)

    def changed_ns(self) -> int:
        """Differs when a file came, went or was renamed; -1 without a folder."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return -1

    def listing(self) -> list[OnDisk]:
        """All files with names of ours, of every model; nothing is opened. Empty without a folder."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                name = parse_name(entry.name)
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    if name is not None and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        found.append(OnDisk(name, status.st_size, status.st_mtime_ns))
        return found

    def head(self, name: str) -> Head:
        """Head and tokens, verified; the payload is not looked at."""
        fd = os.open(self.path / name, os.O_RDONLY)
        try:
            return _read_head(fd)
        finally:
            os.close(fd)

    def payload(self, name: str, digest: str, tokens: bytes) -> memoryview:
        """The verified payload, writable for ctypes' sake (what is written there never reaches the file).

        Read once in small pieces and then mapped: that takes no memory of its own, and 100 MB cost 30 ms
        instead of the 80 ms that filling fresh memory takes. A disk error while reading is an `OSError`; in a
        mapping it would be a SIGBUS.
        """
        fd = os.open(self.path / name, os.O_RDONLY)
        try:
            head = _read_head(fd)
            if (head.digest, head.tokens) != (digest, tokens):
                raise Damaged("holds something else than its name says")
            _verify_payload(fd, head)
            whole = mmap.mmap(fd, head.file_bytes, access=mmap.ACCESS_COPY)
        finally:
            os.close(fd)
        return memoryview(whole)[head.payload_at :]

    def write(
        self, name: str, head: Head, payload: memoryview, mark: int, going: Callable[[], bool]
    ) -> None:
        """Store a file, marked as used at `mark`. Raises `Abandoned` soon after `going` has become false.

        Returns when it would survive a loss of power. Whatever goes wrong, no part stays.
        """
        temp, fd = self._begin_temp()
        self._writing = temp
        try:
            for data in (memoryview(render_head(head)), payload):
                _write_all(fd, data, going)
            os.utime(fd, ns=(mark, mark))
            os.fsync(fd)
            os.rename(temp, self.path / name)
        except BaseException as exc:
            with contextlib.suppress(OSError):
                temp.unlink()
            if not going():
                raise Abandoned from exc
            raise
        finally:
            self._writing = None
            os.close(fd)
        self._sync()

    def drop_part(self) -> None:
        """Remove the part that another thread is writing: its `write` ends with `Abandoned`."""
        temp = self._writing
        if temp is not None:
            with contextlib.suppress(OSError):
                temp.unlink()

    def clear_parts(self) -> list[str]:
        """Remove what killed writers have left; their names."""
        with os.scandir(self.path) as entries:
            names = [entry.name for entry in entries if is_temp_name(entry.name)]
        return [name for name in names if self._clear_part(self.path / name)]

    def touch(self, name: str, mark: int) -> None:
        os.utime(self.path / name, ns=(mark, mark))

    def rename(self, old: str, new: str) -> None:
        os.rename(self.path / old, self.path / new)

    def remove(self, name: str) -> bool:
        """False if it was gone already."""
        try:
            (self.path / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def free_bytes(self) -> tuple[int, int]:
        """What this user may still write, and the size of the whole."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize

    def _begin_temp(self) -> tuple[Path, int]:
        """A new file that is known to be ours: locked, and still there after that."""
        for _ in range(_TRIES):
            temp = self.path / temp_name(f"{os.getpid()}-{secrets.token_hex(6)}")
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # somebody is clearing up and took it for a left-over
                os.close(fd)
                continue
            except OSError:  # no locks here; the others go by age
                return temp, fd
            if os.fstat(fd).st_nlink:
                return temp, fd
            os.close(fd)
        raise OSError("others keep removing what is written here")

    def _clear_part(self, temp: Path) -> bool:
        with contextlib.suppress(OSError):
            fd = os.open(temp, os.O_RDONLY)
            try:
                if _belongs_to_nobody(fd):
                    temp.unlink()
                    return True
            finally:
                os.close(fd)
        return False

    def _sync(self) -> None:
        """Make a rename last. Some file systems cannot; then a loss of power may cost the file, no more."""
        with contextlib.suppress(OSError):
            fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _read_head(fd: int) -> Head:
    start = os.pread(fd, HEAD_BYTES, 0)
    n_bytes = tokens_bytes(start, os.fstat(fd).st_size)
    return parse_head(start, os.pread(fd, n_bytes, HEAD_BYTES))


def _verify_payload(fd: int, head: Head) -> None:
    piece = memoryview(bytearray(min(CHUNK_BYTES, head.payload_bytes)))
    crc, at = 0, head.payload_at
    while at < head.file_bytes:
        n_bytes = os.preadv(fd, [piece], at)
        if n_bytes == 0:
            raise Damaged("has been cut while it was read")
        crc = zlib.crc32(piece[:n_bytes], crc)
        at += n_bytes
    if crc != head.payload_crc:
        raise Damaged("has a wrong checksum over its payload")


def _write_all(fd: int, data: memoryview, going: Callable[[], bool]) -> None:
    at = 0
    while at < len(data):
        if not going():
            raise Abandoned
        at += os.write(fd, data[at : at + CHUNK_BYTES])


def _belongs_to_nobody(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return abs(time.time() - os.fstat(fd).st_mtime) > OLD_PART_S
    return True
