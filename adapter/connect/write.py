"""Puts the parts of a configuration into the user's files: all or none, with a backup of what was there. Blocking."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from adapter.connect.edits import edited, is_private
from adapter.connect.parts import Document, EnvFile, Generate, Part, Snippet
from adapter.connect.values import EditError

# A client's configuration of more is none.
LARGEST_BYTES = 8 << 20
PRIVATE = 0o600


class WriteError(Exception):
    """A file was not written, and is as it was; the text is a sentence that names it."""


@dataclass(frozen=True, slots=True)
class Written:
    """path: as the client names it. change: what became of the file. backup: where what it held is now."""

    path: Path
    change: Literal["created", "changed", "unchanged"]
    backup: Path | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """part's file: real is what `path` leads to when it is a link. old: `None` where there is none."""

    path: Path
    real: Path
    old: bytes | None
    new: bytes
    private: bool


def write(parts: Iterable[Part], now: datetime) -> list[Written]:
    """Every file is read and edited before the first is written, so that a broken one stops all. Raises `WriteError`.

    If one cannot be written, those before it are put back. Two parts of one file are done one after the other.
    now: local time, for the names of backups.
    """
    done: list[tuple[_Plan, Written]] = []
    for plan in _plans(parts):
        try:
            done.append((plan, _carried_out(plan, now)))
        except WriteError as exc:
            others = [_put_back(earlier, written) for earlier, written in reversed(done) if written.change != "unchanged"]
            raise WriteError(" ".join([f"{exc}".rstrip(".") + ".", *others]) if others else str(exc)) from None
    return [written for _, written in done]


def try_out(parts: Iterable[Part]) -> None:
    """Raises the `WriteError` that `write` would raise for what is in the files; writes nothing."""
    _plans(parts)


def _plans(parts: Iterable[Part]) -> list[_Plan]:
    return [_planned(Path(path), ours) for path, ours in _by_file(parts).items()]


def _by_file(parts: Iterable[Part]) -> dict[str, list[Document | EnvFile]]:
    files: dict[str, list[Document | EnvFile]] = {}
    for part in parts:
        if not isinstance(part, Snippet):
            files.setdefault(os.path.abspath(part.path), []).append(part)
    return files


def _planned(path: Path, parts: Sequence[Document | EnvFile]) -> _Plan:
    if len({part.syntax if isinstance(part, Document) else "variables" for part in parts}) > 1:
        raise WriteError(f"{path}: is where another file of this client belongs; name another with --file FILE")
    real = Path(os.path.realpath(path))
    old = _read(path, real)
    try:
        text = "" if old is None else old.decode("utf-8")
        for part in parts:
            text = edited(part, text, _made)
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise WriteError(f"{path}: line {line}: bytes that are no UTF-8 text; save it as UTF-8 first. It was left as it is.") from None
    except EditError as exc:
        raise WriteError(f"{path}: {exc}. It was left as it is.") from None
    return _Plan(path, real, old, text.encode("utf-8"), any(map(is_private, parts)))


def _made(secret: Generate) -> str:
    return secret.prefix + secrets.token_hex(16)


def _read(path: Path, real: Path) -> bytes | None:
    try:
        mode = real.stat().st_mode
        if not stat.S_ISREG(mode):
            raise WriteError(f"{path}: is {'a folder' if stat.S_ISDIR(mode) else 'no ordinary file'}; name another with --file FILE")
        with open(real, "rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise WriteError(f"{path}: cannot be read ({exc.strerror})") from None
    if len(data) > LARGEST_BYTES:
        raise WriteError(f"{path}: is larger than {LARGEST_BYTES >> 20} MiB; is it the right file?")
    return data


def _carried_out(plan: _Plan, now: datetime) -> Written:
    backup = None
    try:
        if plan.old == plan.new:
            if plan.private:
                _close(plan.real)
            return Written(plan.path, "unchanged")
        plan.real.parent.mkdir(mode=0o700 if plan.private else 0o777, parents=True, exist_ok=True)
        backup = _backed_up(plan, now) if plan.old is not None else None
        _replace(plan)
    except (OSError, WriteError) as exc:
        if backup is not None:  # of nothing that was changed
            backup.unlink(missing_ok=True)
        if isinstance(exc, WriteError):
            raise
        raise WriteError(f"{plan.path}: cannot be written ({exc.strerror or exc}); it was left as it is") from None
    return Written(plan.path, "created" if plan.old is None else "changed", backup)


def _put_back(plan: _Plan, written: Written) -> str:
    """A sentence of what became of it. Its backup goes back as it is, maybe more private than the file was."""
    with suppress(OSError, WriteError):
        if _read(plan.path, plan.real) == plan.new:  # else another program has been at it since
            written.backup.rename(plan.real) if written.backup else plan.real.unlink()
            return f"{plan.path} is as it was before, too."
    return f"{plan.path} had been written already" + (f"; as it was: {written.backup}." if written.backup else ".")


def _close(path: Path) -> None:
    """Our key is in it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        path.chmod(mode & 0o700)


def _backed_up(plan: _Plan, now: datetime) -> Path:
    """As private as the file is, or will be: an older key may be in it."""
    assert plan.old is not None
    base = f"{plan.real.name}.farmhand-backup-{now:%Y%m%d-%H%M%S}"
    for number in range(100):
        backup = plan.real.with_name(base if not number else f"{base}-{number}")
        with suppress(FileExistsError):
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
            try:
                _fill(descriptor, plan.old, _mode(plan))
            except OSError:
                backup.unlink(missing_ok=True)
                raise
            return backup
    raise OSError(0, "there are a hundred backups of this second")


def _replace(plan: _Plan) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{plan.real.name}.", suffix=".farmhand-new", dir=plan.real.parent)
    fresh = Path(name)
    try:
        _fill(descriptor, plan.new, _mode(plan))
        if _read(plan.path, plan.real) != plan.old:
            raise WriteError(f"{plan.path}: another program changed it just now; it was left as that program wrote it. Run this again.")
        fresh.rename(plan.real)
    finally:
        fresh.unlink(missing_ok=True)
    _sync_folder(plan.real.parent)


def _fill(descriptor: int, data: bytes, mode: int) -> None:
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _mode(plan: _Plan) -> int:
    if plan.old is None:
        return PRIVATE if plan.private else 0o666 & ~_umask()
    mode = stat.S_IMODE(plan.real.stat().st_mode)
    return mode & 0o700 if plan.private else mode


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """So that the new name survives a phone that goes off; not every file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
