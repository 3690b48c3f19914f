"""The virtual environment with the embedded engine; where that cannot be built, Termux's own llama-server in its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from install_steps import packages
from install_steps.bounded import bounded
from install_steps.disk import Book
from install_steps.failure import InstallFailed
from install_steps.report import Report
from install_steps.shipped import File
from install_steps.texts import ENGINE_PORT, config_text, engine_env, engine_lines
from install_steps.where import Here
from setup_steps.carry_out import SetupFailed
from setup_steps.observe import observe
from setup_steps.packages import NEEDS
from setup_steps.run import run
from setup_steps.stamp import read_stamp, recipe, setup_source, up_to_date

LLAMA = frozenset({"llama"})
NONE: frozenset[str] = frozenset()
ASK_S = 60.0
TAIL_LINES = 5

# What the adapter knows better: its engines without a configuration, and where the model lies that they use.
ASK = """
import json, pathlib, sys
from adapter.configuration import default_model
from adapter.engines.llama.model_file import DEMO, model_path
from adapter.settings import DEFAULT_ENGINES
home = pathlib.Path(sys.argv[1])
chosen = default_model(home) or DEMO
engines = [{**e, "model": chosen} if e["kind"] == "llama" else e for e in DEFAULT_ENGINES]
print(json.dumps({"engines": engines, "model": str(model_path(chosen, home))}))
"""
KEY = "import pathlib, sys; from adapter.keys import load_or_create_key; load_or_create_key(pathlib.Path(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Setup:
    """One clone's environment. wanted, declined: as `setup_steps.run.run` takes them."""

    root: Path
    wanted: frozenset[str]
    declined: frozenset[str]

    @property
    def scripts(self) -> Path:
        return self.root / "scripts"

    def stamp(self) -> Mapping[str, Any]:
        return read_stamp(self.root / ".venv" / "farmhand-setup.json")

    def recipe(self) -> str:
        project = (self.root / "pyproject.toml").read_bytes()
        return recipe(project, setup_source(self.scripts), sys.version_info[:2], self.root)

    def ready(self, wanted: frozenset[str] | None = None) -> bool:
        return up_to_date(self.stamp(), self.recipe(), self.wanted if wanted is None else wanted)

    def renews(self) -> bool:
        """Will it take the environment away for a while?"""
        return (self.root / ".venv").exists() and not self.ready(NONE)

    def packages(self) -> list[str]:
        """What it will ask pkg for."""
        facts = observe(self.root, self.wanted, NONE, current=False)
        return [name for need in NEEDS if need in facts.missing and not NEEDS[need].optional for name in NEEDS[need].termux]

    def run(self, wanted: frozenset[str], declined: frozenset[str], *, dry_run: bool = False) -> None:
        run(self.root, wanted, declined, quiet=True, dry_run=dry_run)


def setup(setup: Setup, here: Here, book: Book, report: Report, lock_fd: int) -> None:
    """Bring the environment up to date. Raises `InstallFailed`, but not for the embedded engine: that has a substitute."""
    if not setup.ready():
        report.done("python", "setting up .venv; what was downloaded or compiled before is kept")
        book.note(book.now.with_packages(*packages.absent(here.places.prefix, setup.packages())))
        try:
            setup.run(setup.wanted, setup.declined)
        except SetupFailed as exc:
            return _go_without(exc, setup, here, book, report, lock_fd)
    if LLAMA & (setup.wanted | setup.declined):
        book.note(replace(book.now, llama=""))
    return None


def _go_without(why: SetupFailed, setup: Setup, here: Here, book: Book, report: Report, lock_fd: int) -> None:
    """Everything but the embedded engine; raises `InstallFailed` if that does not work either: then it was not the engine's fault."""
    if not LLAMA & setup.wanted:
        raise InstallFailed(str(why)) from None
    try:
        setup.run(NONE, LLAMA)
    except SetupFailed:
        raise InstallFailed(str(why)) from None
    _take_llama_cpp(why, here, book, report, setup.root / ".cache", lock_fd)


def _take_llama_cpp(why: SetupFailed, here: Here, book: Book, report: Report, logs: Path, lock_fd: int) -> None:
    report.done("engine", "the embedded engine could not be built: taking Termux's own llama-server in its place")
    report.warn(
        f"The embedded engine could not be built. To try again: sh scripts/install --llama\n{_end_of(str(why))}\n"
        f"All of it: {logs / 'setup-llama.log'}"
    )
    prefix = here.places.prefix
    names = packages.missing(prefix, packages.LLAMA_CPP)
    try:
        if names:
            book.note(book.now.with_packages(*names))
            packages.fetch(prefix, names, logs, lock_fd)
    except InstallFailed as exc:
        report.warn(f"Nor could Termux's llama-cpp be installed, so only the apps on this phone can answer.\n{_end_of(str(exc))}")
        return
    book.note(replace(book.now, llama="failed"))


def _end_of(text: str) -> str:
    """Of a report of `carry_out` the last lines that the program said; all of any other text."""
    said = text.partition("It ended with:\n")[2].partition("\nAll of it:")[0] or text
    return "\n".join([line.strip() for line in said.splitlines() if line.strip()][-TAIL_LINES:])


def engine_files(here: Here, book: Book, root: Path, report: Report) -> list[File]:
    """`engine.env` and the configuration that names the engine; nothing while the embedded one serves, or none is wanted.

    Raises `InstallFailed`. Both are a person's own once they are there.
    """
    if book.now.llama != "failed":
        return []
    known = ask(here, root)
    config = here.places.config
    files = [File(here.engine_env, engine_env(Path(known["model"])).encode(), once=True)]
    if book.now.has(config) or not config.exists():
        files.append(File(config, config_text(known["engines"]).encode(), once=True))
    elif f":{ENGINE_PORT}" not in config.read_text(encoding="utf-8", errors="replace"):
        report.warn(f"{config} is yours, so it was not touched. To use Termux's llama-server, add to it:\n{engine_lines()}")
    return files


def ask(here: Here, root: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(_adapter(here, root, ASK, [str(here.places.state)]))
    return known


def make_key(here: Here, root: Path) -> None:
    """The key of this installation, unless there is one. Raises `InstallFailed`."""
    _adapter(here, root, KEY, [str(here.places.state)])


def _adapter(here: Here, root: Path, code: str, arguments: Sequence[str]) -> str:
    python = str(root / ".venv" / "bin" / "python")
    # Found in the clone, as the services find it; PYTHONSAFEPATH would leave that out.
    env = {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    said = bounded([python, "-c", code, *arguments], ASK_S, here.places.prefix, env)
    if said.code != 0:
        raise InstallFailed(f"{python} cannot use the adapter:\n{said.out}\nType: sh {root}/scripts/setup")
    return said.out
