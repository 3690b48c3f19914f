"""A model that is being fetched: `NAME.gguf.part`. It gets its final name when it is whole and checked, not before."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from adapter.models.facts import Begun, Facts, read_begun, write_json
from adapter.models.failures import ModelsError
from adapter.models.replies import Validators


class Part:
    """The open part, locked against a second pull of the same name. Use as a context manager.

    have_bytes: how much of it there is. begun: what it is a part of, as remembered beside it.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = part_path(final)
        self._fd = -1
        self.have_bytes = 0
        self.begun: Begun | None = None

    def __enter__(self) -> Self:
        """Raises `ModelsError` if another process fetches it, or the folder cannot be used."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = self._locked()
        except OSError as exc:
            raise ModelsError(f"{self.path} cannot be written: {exc.strerror}; check FARMHAND_HOME") from exc
        self.have_bytes = os.lseek(self._fd, 0, os.SEEK_END)
        self.begun = read_begun(begun_path(self.final))
        if self.have_bytes and (self.begun is None or not self.begun.validators.allow_resuming):
            self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0 and self.have_bytes == 0:
            self.discard()
        self._close()

    def _locked(self) -> int:
        """The lock goes with the file, also into its final name; so look again whether it is still the part."""
        for _ in range(100):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.exists(self.path) and os.path.samestat(os.fstat(fd), os.stat(self.path)):
                    return fd
            except BlockingIOError:
                os.close(fd)
                raise ModelsError(
                    f"{self.final.name} is being fetched by another `farmhand models pull` already; let it finish"
                ) from None
            except FileNotFoundError:
                pass
            os.close(fd)
        raise ModelsError(f"{self.path} keeps disappearing; try again")

    def begin(self, begun: Begun) -> None:
        """Remember what the bytes belong to, before they come."""
        self.begun = begun
        write_json(begun_path(self.final), begun)

    @property
    def validators(self) -> Validators:
        return self.begun.validators if self.begun else Validators()

    def restart(self) -> None:
        """Give up the bytes that are here."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self.have_bytes = 0
        self.begun = None

    def write(self, data: bytes) -> None:
        """Append. Raises `OSError`, for example when the disk is full."""
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self.have_bytes += written
            view = view[written:]

    def begins_with(self, n_bytes: int) -> bytes:
        return os.pread(self._fd, n_bytes, 0)

    def finish(self, facts: Facts) -> None:
        """Give the file its final name, durably. Only for bytes that have been checked."""
        os.fsync(self._fd)
        write_json(facts_path(self.final), facts)
        self.path.replace(self.final)
        begun_path(self.final).unlink(missing_ok=True)
        folder = os.open(self.final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._close()

    def discard(self) -> None:
        """Remove the part and what is remembered about it."""
        self.path.unlink(missing_ok=True)
        begun_path(self.final).unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def part_path(final: Path) -> Path:
    return final.with_name(final.name + ".part")


def begun_path(final: Path) -> Path:
    return final.with_name(final.name + ".part.json")


def facts_path(final: Path) -> Path:
    return final.with_name(final.name + ".json")
