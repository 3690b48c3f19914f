"""The models of this installation: `<home>/models/*.gguf`, what is remembered about them, and which one is the default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from adapter.configuration import DEFAULT_MODEL_FILE, SettingsError, default_model
from adapter.engines.llama.gguf_meta import GgufError
from adapter.engines.llama.model_file import DEMO, model_path
from adapter.models.check import read_head
from adapter.models.describe import Described, describe
from adapter.models.facts import Facts, read_begun, read_facts
from adapter.models.failures import ModelsError
from adapter.models.part import Part, begun_path, facts_path, part_path
from adapter.models.sources import SUFFIX


@dataclass(frozen=True, slots=True)
class Entry:
    """One model as a list shows it. described is `None` and problem says why where the file cannot be used.

    name: what `default`, `verify`, `rm` and the configuration call it.
    """

    name: str
    path: Path
    size_bytes: int
    described: Described | None
    problem: str | None
    facts: Facts | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A download that was interrupted. total_bytes: `None` if its source did not say."""

    name: str
    origin: str
    have_bytes: int
    total_bytes: int | None


class Store:
    """Blocking, for the command line. home: the state folder; it need not exist."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "models"

    def names(self) -> list[str]:
        """Without `.gguf`, `demo` not among them."""
        return sorted({path.name.removesuffix(SUFFIX) for path in self._glob(f"*{SUFFIX}")} - {DEMO})

    def path_of(self, name: str) -> Path:
        """Of a model that must be there, `demo` included. Raises `ModelsError`."""
        stem = name.removesuffix(SUFFIX)
        if stem == DEMO or stem in self.names():
            return model_path(stem, self.home)
        there = ", ".join([DEMO, *self.names()])
        raise ModelsError(f"there is no model {name!r} in {self.folder}; there are: {there}")

    def entry(self, name: str) -> Entry:
        path = self.path_of(name)
        stem = name.removesuffix(SUFFIX)
        described, problem = None, None
        try:
            described = describe(read_head(path), path.name)
        except (GgufError, ModelsError) as exc:
            problem = str(exc)
        try:
            size = path.stat().st_size
        except OSError as exc:
            raise ModelsError(f"{path} cannot be read: {exc.strerror}") from exc
        facts = None if stem == DEMO else read_facts(facts_path(path))
        return Entry(stem, path, size, described, problem, facts, stem == self.default())

    def entries(self) -> list[Entry]:
        """`demo` first, then the others by name."""
        return [self.entry(name) for name in (DEMO, *self.names())]

    def unfinished(self) -> list[Unfinished]:
        found = []
        for path in sorted(self._glob(f"*{SUFFIX}.part")):
            final = path.with_name(path.name.removesuffix(".part"))
            begun = read_begun(begun_path(final))
            if begun and path.exists():
                have, total = path.stat().st_size, begun.validators.size_bytes
                found.append(Unfinished(final.name.removesuffix(SUFFIX), begun.origin, have, total))
        return found

    def default(self) -> str:
        """The name that was chosen, else `demo`; a path stays a path. Raises `ModelsError`."""
        try:
            chosen = default_model(self.home) or DEMO
        except SettingsError as exc:
            raise ModelsError(str(exc)) from exc
        return chosen if "/" in chosen else chosen.removesuffix(SUFFIX)

    def choose(self, name: str) -> Entry:
        """Make a model the default. Raises `ModelsError` if it is not there or cannot be used."""
        entry = self.entry(name)
        if entry.problem:
            raise ModelsError(f"{entry.path} {entry.problem}; it cannot be the default")
        file = self.home / DEFAULT_MODEL_FILE
        try:
            if entry.name == DEMO:
                file.unlink(missing_ok=True)
            else:
                _replace_text(file, entry.name + "\n")
        except OSError as exc:
            raise ModelsError(f"{file} cannot be written: {exc.strerror}") from exc
        return entry

    def remove(self, name: str) -> int:
        """Delete a model, or what there is of an unfinished one; gives the bytes freed. A default goes back to `demo`.

        Raises `ModelsError`.
        """
        stem = name.removesuffix(SUFFIX)
        if stem == DEMO:
            raise ModelsError("'demo' comes with Farmhand and stays; it takes 4 MB")
        final = self.folder / (stem + SUFFIX)
        if stem not in self.names() and not part_path(final).exists():
            self.path_of(name)
        was_default = stem == self.default()
        freed = 0
        try:
            if part_path(final).exists():
                with Part(final) as part:  # its lock: not under a pull that runs
                    freed += part.have_bytes
                    part.discard()
            if final.exists():
                freed += final.stat().st_size
                final.unlink()
            facts_path(final).unlink(missing_ok=True)
            if was_default:
                (self.home / DEFAULT_MODEL_FILE).unlink(missing_ok=True)
        except OSError as exc:
            raise ModelsError(f"{exc.filename} cannot be removed: {exc.strerror}") from exc
        return freed

    def _glob(self, pattern: str) -> list[Path]:
        return [path for path in self.folder.glob(pattern) if not path.name.startswith(".")]


def _replace_text(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
