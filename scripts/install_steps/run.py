"""The whole of an installation, step by step. Each step finds out what there is to do, notes it, does it: any may be the last."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from install_steps import android, packages
from install_steps.disk import Book, Stage, keep_aside, look, read_sources, read_text
from install_steps.engine import LLAMA, NONE, Setup, engine_files, make_key, setup
from install_steps.failure import InstallFailed
from install_steps.litellm import LiteLLM
from install_steps.lock import alone
from install_steps.plan import Plan, plan
from install_steps.report import Report
from install_steps.runit import Runit, looked_after
from install_steps.shipped import DOWN, ENGINE_SERVICE, OPTIONAL, File, Wanted, wanted
from install_steps.texts import boot_warnings, next_steps
from install_steps.where import Here, env_file_of, env_text, here
from phone.places import SERVICE_PREFIX

PORT = 8888
APPS = {
    android.API: "Termux:API is not installed: battery, heat and notifications are not watched. Get it where Termux is from.",
    android.BOOT: "Termux:Boot is not installed: after a restart of the phone nothing starts by itself. "
    "Get it where Termux is from, and open it once.",
}


@dataclass(frozen=True, slots=True)
class Flags:
    """llama: `None` means the embedded engine, unless it could not be built before."""

    llama: bool | None = None
    start: bool = True
    dry_run: bool = False
    quiet: bool = False


def install(root: Path, env: Mapping[str, str], flags: Flags) -> None:
    """Raises `InstallFailed`; what was done until then stays, and the next call goes on from there."""
    there = here(env, read_text(env_file_of(env)), root)
    with alone(there.places.prefix) as lock_fd:
        Installation(there, root, flags, lock_fd).run()


class Installation:
    def __init__(self, there: Here, root: Path, flags: Flags, lock_fd: int) -> None:
        self.here, self.root, self.flags, self.lock_fd = there, root, flags, lock_fd
        self.prefix = there.places.prefix
        self.book = Book(there.manifest)
        self.report = Report(quiet=flags.quiet, title="Farmhand on this phone")
        self.runit = Runit(there.places)
        self.apps: dict[str, bool | None] = {}

    def run(self) -> None:
        self.apps = android.apps(self.prefix, [android.API, android.BOOT, android.WIDGET])
        self._refuse_conflicts(self._plan(self._wanted([])))
        if self.flags.dry_run:
            return self._rehearse()
        if (before := self.book.now.root) not in ("", str(self.root)):
            self.report.done("clone", f"the services are those of {self.root} now, no longer of {before}")
        self.book.begin(self.root)
        stage = Stage(self.here)
        stage.clear()
        for folder in self.runit.left_behind():
            self.runit.retire(folder)
        self._packages()
        self._environment()
        self._proxy()
        self._key()
        self._files(stage)
        stage.clear()
        self._job()
        started = self._start()
        self._look_around()
        self._close(started)
        return None

    # --- the steps -------------------------------------------------------------------------------------------

    def _packages(self) -> None:
        names = packages.missing(self.prefix)
        if names:
            self.report.done("packages", f"installing with pkg: {' '.join(names)}")
            self.book.note(self.book.now.with_packages(*names))
            packages.fetch(self.prefix, names, self.root / ".cache", self.lock_fd)

    def _setup(self) -> Setup:
        llama = self.book.now.llama != "failed" if self.flags.llama is None else self.flags.llama
        return Setup(self.root, LLAMA if llama else NONE, LLAMA if self.flags.llama is False else NONE)

    def _environment(self) -> None:
        what = self._setup()
        if what.renews() and looked_after(self.here.places.service(SERVICE_PREFIX)):
            self.report.done("services", "stopped while .venv is made anew")
            self.runit.stop_all()
        setup(what, self.here, self.book, self.report, self.lock_fd)

    def _proxy(self) -> None:
        """Optional, and mostly not to be had on a phone."""
        if _setting(self.here.places.config, "proxy", "enabled") is True:
            LiteLLM(self.root, self.prefix).install(self.report)

    def _key(self) -> None:
        if not self.here.places.key_file.exists():
            self.book.note(replace(self.book.now, key=True))
            make_key(self.here, self.root)
            self.report.done("key", _short(self.here.places.key_file, self.here))

    def _files(self, stage: Stage) -> None:
        want = self._wanted(engine_files(self.here, self.book, self.root, self.report))
        todo = self._plan(want)
        self._refuse_conflicts(todo)
        if not todo.empty:
            self._note(todo)
            self._carry_out(todo, stage)
        self._hold_or_release()

    def _note(self, todo: Plan) -> None:
        """All that is about to be, before any of it is."""
        now = self.book.now.with_folders(*todo.folders)
        files = [*todo.claims, *todo.writes, *(file for service in todo.services for file in service.files)]
        for file in files:
            now = now.with_file(file.path, file.digest)
        for name in (*todo.adopted, *(service.name for service in todo.services)):
            now = now.with_service(name)
        if not self.flags.start and any(service.name == SERVICE_PREFIX for service in todo.services):
            now = replace(now, held=True)
        self.book.note(now)

    def _carry_out(self, todo: Plan, stage: Stage) -> None:
        for folder in todo.folders:
            folder.mkdir(mode=0o700, exist_ok=True)
        for path in sorted(todo.edited):
            copy = keep_aside(path, self.here)
            self.report.warn(f"{path} had been changed. It is as shipped again; what it was is in\n{copy}")
        for file in todo.writes:
            stage.put(file)
        for file in todo.modes:
            file.path.chmod(file.mode)
        for name in todo.ended:
            self.report.done("service", f"{name} is not needed any more")
            self.runit.retire(self.here.places.service(name))
            self._forget([path for path in map(Path, self.book.now.files) if path.is_relative_to(self.here.places.service(name))])
            self.book.note(replace(self.book.now, services=tuple(s for s in self.book.now.services if s != name)))
        for path in todo.removals:
            path.unlink(missing_ok=True)
        self._forget(todo.removals)
        for service in todo.services:
            stage.put_service(service, self.here.places.service(service.name))
        self._say_files(todo)

    def _forget(self, paths: list[Path] | tuple[Path, ...]) -> None:
        now = self.book.now
        for path in paths:
            now = now.without_file(path)
        self.book.note(now)

    def _say_files(self, todo: Plan) -> None:
        if todo.services:
            self.report.done("services", ", ".join(service.name for service in todo.services))
        # Three files of one folder read as one place.
        places = dict.fromkeys(_short(file.path.parent, self.here) for file in (*todo.writes, *todo.modes))
        if todo.writes or todo.modes or todo.removals:
            self.report.done("files", f"{len(todo.writes) + len(todo.modes) + len(todo.removals)} in {', '.join(places) or 'place'}")

    def _hold_or_release(self) -> None:
        """The `down` of `--no-start` goes when the bundle is to run; a person's own stays."""
        path = self.here.places.service(SERVICE_PREFIX) / DOWN
        if self.book.now.held and (self.flags.start or not path.exists()):
            path.unlink(missing_ok=True)
            self.book.note(replace(self.book.now.without_file(path), held=False))

    def _job(self) -> None:
        """Optional: who starts us after a kill. Without Termux:API each call would only cost its time limit."""
        if self.apps[android.API] is False or (is_set := android.job_is_set(self.prefix)):
            return
        why = "Termux:API does not answer"
        if is_set is not None:
            self.book.note(replace(self.book.now, job=android.JOB))
            why = android.set_job(self.prefix, self.here.libexec / "ensure")
        if why:
            self.report.warn(f"Android was not asked to start Farmhand again after a kill: {why.splitlines()[-1]}.")
        else:
            self.report.done("job", "Android looks every 15 minutes whether Farmhand is there")

    def _start(self) -> bool:
        folder = self.here.places.service(SERVICE_PREFIX)
        if not self.flags.start:
            return False
        if (folder / DOWN).exists():
            self.report.warn(f"{SERVICE_PREFIX} was disabled by hand, so it is not started. Type: sv-enable {SERVICE_PREFIX}")
            return False
        if not self.runit.runs():
            self.report.done("start", "runit's daemon")
            if why := self.runit.start():
                raise InstallFailed(f"{why}\nAll is in place, but nothing runs. Open a new Termux session, then type: farmhand up")
        if why := self.runit.up(SERVICE_PREFIX):
            raise InstallFailed(f"All is in place, but {SERVICE_PREFIX} does not start: {why}\nType: farmhand doctor")
        return True

    def _look_around(self) -> None:
        for app, text in APPS.items():
            if self.apps[app] is False:
                self.report.warn(text)
        boot = self.here.places.boot_scripts
        entries = sorted(boot.iterdir()) if boot.is_dir() else []
        others = {p.name: p.read_text(encoding="utf-8", errors="replace") for p in entries if p.is_file() and not self.book.now.has(p)}
        for text in boot_warnings(boot, [p.name for p in entries if not p.is_file()], others):
            self.report.warn(text)

    def _close(self, started: bool) -> None:
        if self.runit.started_before(newest(self.root)):
            self.report.warn("What runs is older than this clone. To run the new version: farmhand restart")
        if not self.report.changed:
            self.report.plain(f"Nothing to do: Farmhand is in place{' and runs' if started else ''}.")
        else:
            url = f"http://127.0.0.1:{_port(self.here.places.config)}/v1"
            print(next_steps(url, started=started, held=not self.flags.start), flush=True)
        self.report.close()

    # --- what there is to do -----------------------------------------------------------------------------------

    def _wanted(self, engine: list[File]) -> Wanted:
        """engine: files of Termux's llama-server, if it serves."""
        text = env_text(self.here.settings, read_text(self.here.env_file))
        shortcuts = self.here.places.user / ".shortcuts"
        return wanted(
            read_sources(self.root / "termux"),
            self.here,
            shortcuts=shortcuts.is_dir() or bool(self.apps[android.WIDGET]),
            without=[*_switched_off(self.here.places.config), *([] if engine else [ENGINE_SERVICE])],
            extra=[File(self.here.env_file, text.encode()), *engine],
        )

    def _plan(self, want: Wanted) -> Plan:
        places = self.here.places
        services = [places.service(name) for name in (*(s.name for s in want.services), *self.book.now.services)]
        files = [file.path for file in (*want.files, *(file for service in want.services for file in service.files))]
        known = [*files, *services, *map(Path, self.book.now.files), places.services, places.logs / "sv"]
        return plan(want, look(known), self.book.now, places, start=self.flags.start)

    def _refuse_conflicts(self, todo: Plan) -> None:
        if todo.conflicts:
            raise InstallFailed("\n".join(["nothing was changed, since something is in the way:", *todo.conflicts]))

    def _rehearse(self) -> None:
        """`--dry-run`: says what would be done, and changes nothing."""
        if names := packages.missing(self.prefix):
            self.report.done("packages", f"pkg install {' '.join(names)}")
        what = self._setup()
        if not what.ready():
            self.report.done("python", "scripts/setup would do:")
            what.run(what.wanted, what.declined, dry_run=True)
        engine = [File(self.here.engine_env, b"", once=True)] if self.book.now.llama == "failed" else []
        todo = self._plan(self._wanted(engine))
        for file in (*todo.writes, *todo.modes):
            self.report.done("file", _short(file.path, self.here))
        for path in todo.removals:
            self.report.done("remove", _short(path, self.here))
        for service in todo.services:
            self.report.done("service", _short(self.here.places.service(service.name), self.here))
        if not self.here.places.key_file.exists():
            self.report.done("key", _short(self.here.places.key_file, self.here))
        print("Nothing was changed." if self.report.changed else "Nothing to do: Farmhand is in place.")


def _port(config: Path) -> int:
    """The adapter's, as far as that can be read; what is wrong with it is for the adapter to say."""
    port = _setting(config, "server", "port")
    return port if isinstance(port, int) else PORT


def _switched_off(config: Path) -> list[str]:
    """Services that the configuration does not ask for: they do nothing until it does, and this is run again."""
    return [service for section, service in OPTIONAL.items() if _setting(config, section, "enabled") is not True]


def _setting(config: Path, section: str, key: str) -> object:
    """`None` where it is not set, or cannot be read; what is wrong is for the adapter and the supervisor to say."""
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))[section][key]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def newest(root: Path) -> float:
    """When a file that services are made of was last changed: `git pull` sets that to the time of the pull."""
    sources = (path for name in ("adapter", "phone", "termux") for path in (root / name).rglob("*"))
    return max(path.stat().st_mtime for path in sources if path.is_file() and "__pycache__" not in path.parts)


def _short(path: Path, there: Here) -> str:
    """As people write it."""
    for folder, name in ((there.places.prefix, "$PREFIX"), (there.places.user, "~")):
        if path.is_relative_to(folder):
            return str(Path(name) / path.relative_to(folder))
    return str(path)
