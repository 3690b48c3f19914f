"""Reads what lies on the disk, and changes it: each thing is built aside and renamed into place, so it is there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from install_steps.failure import InstallFailed
from install_steps.manifest import Manifest, ManifestError, parse, text_of
from install_steps.plan import NO_FILE, Found
from install_steps.shipped import File, Service, digest
from install_steps.where import Here

PRIVATE = 0o700
# runsvdir ignores names that start with a dot (`facts/termux.md` 2.2).
STAGE = ".farmhand-new"
GONE = ".farmhand-old"


def read_text(path: Path) -> str:
    """"" where there is none. Raises `InstallFailed` for one that cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise InstallFailed(f"{path} cannot be read: {exc}") from None


def read_sources(termux: Path) -> dict[str, bytes]:
    """All files of `termux/`, by their path in it."""
    return {
        path.relative_to(termux).as_posix(): path.read_bytes()
        for path in sorted(termux.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }


def look(paths: Iterable[Path]) -> dict[Path, Found]:
    """What lies at these paths and at the folders above them."""
    wanted = {folder for path in paths for folder in (path, *path.parents)}
    return {path: found for path in wanted if (found := _found(path)) is not None}


def _found(path: Path) -> Found | None:
    try:
        status = path.lstat()
        plain = stat.S_ISREG(status.st_mode)
        return Found(digest(path.read_bytes()) if plain else NO_FILE, stat.S_IMODE(status.st_mode))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise InstallFailed(f"{path} cannot be read: {exc.strerror}") from None


class Book:
    """`install.json`, kept in step: what is noted is on the disk before the call returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = read_text(path)
        try:
            self.now = parse(text) if text else Manifest()
        except ManifestError as exc:
            raise InstallFailed(f"{path} {exc}.\nMove it away and run this again: what is in place is found again.") from None

    def begin(self, root: Path) -> None:
        """Make the state folder, with the book in it already: the folders above it that were missing are written in there."""
        state = self.path.parent
        sweep(state)
        missing = [folder for folder in (state, *state.parents) if not folder.exists()]
        if missing:
            self.now = Manifest(root=str(root)).with_folders(*reversed(missing))
            built = missing[-1].with_name(STAGE)
            aside = built / state.relative_to(missing[-1])
            make_folder(aside)
            _write_durably(aside / self.path.name, text_of(self.now))
            built.replace(missing[-1])
        if stat.S_IMODE(state.stat().st_mode) != PRIVATE:
            state.chmod(PRIVATE)
        self.note(replace(self.now, root=str(root)))

    def close(self, folders: Collection[Path]) -> None:
        """Delete it, and with it what it has in `folders` and is otherwise empty: all at once, since nobody knows of them afterwards."""
        top, inner = None, self.path
        for folder in self.path.parents:
            if folder not in folders or any(entry != inner for entry in folder.iterdir()):
                break
            top = inner = folder
        if top is None:
            self.path.unlink()
        else:
            gone = top.with_name(GONE)
            top.rename(gone)
            shutil.rmtree(gone)

    def note(self, manifest: Manifest) -> None:
        """Whole or not at all."""
        if manifest == self.now and self.path.exists():
            return
        fresh = self.path.with_name(f".{self.path.name}.new")
        _write_durably(fresh, text_of(manifest))
        fresh.replace(self.path)
        self.now = manifest


def sweep(state: Path) -> None:
    """What a call that was killed had been building, or taking away, beside the state folder or one above it."""
    for folder in (state, *state.parents[:-1]):
        for name in (STAGE, GONE):
            shutil.rmtree(folder.with_name(name), ignore_errors=True)


def _write_durably(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


class Stage:
    """Where things are built, beside the services: on the same file system as all of Termux."""

    def __init__(self, here: Here) -> None:
        self.folder = here.places.services / STAGE

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, file: File) -> None:
        """Build it, then rename it over what lies there: a program that runs from the old one goes on with that."""
        built = self.folder / "file"
        _write(built, file)
        make_folder(file.path.parent)
        _rename(built, file.path)

    def put_service(self, service: Service, folder: Path) -> None:
        """The whole folder at once: runsvdir may look at any moment, and takes what it finds."""
        built = self.folder / service.name
        shutil.rmtree(built, ignore_errors=True)
        for file in service.files:
            _write(built / file.path.relative_to(folder), file)
        built.chmod(PRIVATE)
        _rename(built, folder)


def _write(path: Path, file: File) -> None:
    make_folder(path.parent)
    path.write_bytes(file.content)
    path.chmod(file.mode)


def _rename(built: Path, path: Path) -> None:
    try:
        built.replace(path)
    except OSError as exc:
        if exc.errno != errno.EXDEV or not built.is_file():
            raise
        near = path.with_name(f"{STAGE}-{path.name}")  # HOME elsewhere than PREFIX: not in Termux itself
        shutil.copy(built, near)
        near.replace(path)


def keep_aside(path: Path, here: Here) -> Path:
    """Copy what a person has changed into the state folder; gives the copy's place."""
    try:
        below = path.relative_to(here.places.prefix)
    except ValueError:
        below = Path("home") / path.relative_to(here.places.user) if path.is_relative_to(here.places.user) else Path(path.name)
    copy = here.places.state / "kept" / below
    number = 1
    while copy.exists():
        copy = copy.with_name(f"{below.name}.{number}")
        number += 1
    make_folder(copy.parent)
    shutil.copy(path, copy)
    return copy
