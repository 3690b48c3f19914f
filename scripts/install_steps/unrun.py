"""The whole of an uninstall. The manifest goes last: what was interrupted can be called again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from install_steps import android, packages
from install_steps.disk import Book, Stage, keep_aside, look, read_text, sweep
from install_steps.failure import InstallFailed
from install_steps.lock import alone
from install_steps.removal import Removal, removal, unsafe_to_purge
from install_steps.report import Report
from install_steps.runit import Runit
from install_steps.shipped import DOWN
from install_steps.where import Here, env_file_of, here


@dataclass(frozen=True, slots=True)
class Flags:
    purge: bool = False
    packages: bool = False
    dry_run: bool = False
    quiet: bool = False


def uninstall(root: Path, env: Mapping[str, str], flags: Flags) -> None:
    """Raises `InstallFailed`; what is gone until then stays gone, and the next call goes on from there."""
    there = here(env, read_text(env_file_of(env)), root)
    with alone(there.places.prefix):
        report = Report(quiet=flags.quiet, title="Removing Farmhand from this phone")
        if not there.manifest.exists():
            if not flags.dry_run:
                sweep(there.places.state)
            report.plain(f"Nothing to remove: nothing is installed here.{_leftover(there)}")
            return
        Uninstall(there, flags, report).run()


def _leftover(there: Here) -> str:
    state = there.places.state
    return f"\nWhat is yours is still in {state}" if state.is_dir() and any(state.iterdir()) else ""


class Uninstall:
    def __init__(self, there: Here, flags: Flags, report: Report) -> None:
        self.here, self.flags, self.report = there, flags, report
        self.prefix = there.places.prefix
        self.book = Book(there.manifest)
        self.runit = Runit(there.places)

    def run(self) -> None:
        places = self.here.places
        root = Path(self.book.now.root)
        if self.flags.purge and (why := unsafe_to_purge(self.book.now, places)):
            raise InstallFailed(why)
        todo = self._removal()
        if self.flags.dry_run:
            return self._rehearse(todo)
        self._cancel_job()
        self._stop(todo)
        todo = self._removal()  # once more: who ended has written something
        for path in todo.edited:
            if path.exists():
                self.report.warn(f"{path} had been changed; it is kept as {keep_aside(path, self.here)}")
        self._services(todo)
        for path in todo.files:
            path.unlink(missing_ok=True)
        Stage(self.here).clear()
        packages_left = self._packages()
        self._trees([*todo.trees, *_pycaches(root)])
        _remove_empty(todo.folders)
        self.book.close(todo.folders)
        self._close(self._removal_of_now(todo), packages_left)
        return None

    def _removal(self) -> Removal:
        places, now = self.here.places, self.book.now
        return removal(
            now, look([*map(Path, now.files), places.config]), _names(places.state), _names(places.logs / "sv"), places, purge=self.flags.purge
        )

    def _removal_of_now(self, todo: Removal) -> tuple[str, ...]:
        kept = self.here.places.state / "kept"
        known = f"{kept} (files you had changed)"
        return (*todo.left, known) if kept.exists() and known not in todo.left else todo.left

    def _cancel_job(self) -> None:
        """First, since the job would start again what is being stopped."""
        if self.book.now.job is None:
            return
        if why := android.cancel_job(self.prefix, self.book.now.job):
            self.report.warn(
                f"Android may still start a script every 15 minutes that is not there any more ({why.splitlines()[-1]}).\n"
                f"Type: termux-job-scheduler --cancel --job-id {self.book.now.job}"
            )
        else:
            self.report.done("job", "cancelled")

    def _stop(self, todo: Removal) -> None:
        if todo.services:
            self.report.done("services", "stopping")
            self.runit.stop_all()
        anchor = self.here.places.run / "anchor.pid"
        if (pid := _pid(anchor)) and _is(pid, "sleep"):
            os.kill(pid, signal.SIGTERM)

    def _services(self, todo: Removal) -> None:
        for folder in self.runit.left_behind():
            self.runit.retire(folder)
        for name in todo.services:
            folder = self.here.places.service(name)
            for path in self._foreign(folder):
                self.report.warn(f"{path} was not ours; it is kept as {keep_aside(path, self.here)}")
            if folder.exists():
                self.runit.retire(folder)
        self.report.done("services", f"removed {', '.join(todo.services)}" if todo.services else "none")

    def _foreign(self, folder: Path) -> list[Path]:
        """Files that a person has put into a service folder of ours. runsv's own are in `supervise`; `down` is a switch."""
        return [
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "supervise" not in path.parts and path.name != DOWN and not self.book.now.has(path)
        ]

    def _packages(self) -> tuple[str, ...]:
        """Those that are left."""
        names = self.book.now.packages
        if not names or not self.flags.packages:
            return names
        self.report.done("packages", f"removing {' '.join(names)}")
        if why := packages.remove(self.prefix, names):
            self.report.warn(f"The packages were left: {why}")
            return names
        return ()

    def _trees(self, paths: Iterable[Path]) -> None:
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _close(self, left: tuple[str, ...], packages_left: tuple[str, ...]) -> None:
        self.report.done("done", "Farmhand is gone from this phone.")
        if left:
            self.report.plain("Left, since it is yours (scripts/uninstall --purge takes it along):")
            for text in left:
                self.report.plain(f"  {text}")
        if packages_left:
            self.report.plain("Left, since other programs may use them by now:")
            self.report.plain(f"  pkg uninstall {' '.join(packages_left)}")
        pip = self.here.places.user / ".cache" / "pip"
        if pip.is_dir():
            self.report.plain(f"Left: {pip}, where pip keeps downloads and builds of all programs.")
        self.report.plain("If Termux's notification still shows a wake lock, and nothing else needs it: termux-wake-unlock")
        self.report.plain("The clone itself is left; delete its folder if you do not need it.")
        self.report.close()

    def _rehearse(self, todo: Removal) -> None:
        for name in todo.services:
            self.report.done("service", str(self.here.places.service(name)))
        for path in (*todo.files, *(path for path in todo.trees if path.exists())):
            self.report.done("remove", str(path))
        for text in todo.left:
            self.report.done("leave", text)
        print("Nothing was changed.")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _pycaches(root: Path) -> list[Path]:
    return [path for name in ("adapter", "phone", "scripts") for path in (root / name).rglob("__pycache__")]


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _is(pid: int, name: str) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name
    except OSError:
        return False
