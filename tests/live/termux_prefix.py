"""Termux's prefix in a scratch folder, with real runit and the files of `termux/` as shipped (`facts/termux.md` 12).

    with termux_prefix(tmp_path) as phone:
        phone.start_daemon()
        phone.wait_until(lambda: phone.status("farmhand").phase is Phase.RUN, "the supervisor runs")
        assert "answers at" in phone.log("farmhand-adapter")

Mapped is one thing: the text of the prefix. Services see only what is in the scratch `bin`: dash as sh, runit, coreutils and the like, and the fake
termux-* commands (`phone.fake`, a `FakeTermux`). termux-services itself is played by `service-daemon`, `start-services.sh`, `sv-enable`,
`sv-disable` here, written after sections 2.2 and 2.5 with their quirks.

Leaving it stops everything; a process that is left then is killed and fails the test, whoever its parent is by now.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from phone import runit_status
from phone.command import Done
from phone.places import TERMUX_PREFIX, Places, places
from phone.runit import Runsv
from phone.supervisor.types import SUPERVISOR, Exit, Phase, Runit
from tests.fakes.termux import FakeTermux

REPO = Path(__file__).resolve().parents[2]
SHIPPED = REPO / "termux"
SERVICES = ("farmhand-engine", "farmhand-openclaw", "farmhand-litellm", "farmhand-adapter", SUPERVISOR)

# Debian's name of a program, where it is another one than Termux's.
OTHER_NAMES = {"sh": "dash"}
RUNIT = ("runsv", "runsvdir", "sv", "svlogd", "chpst", "start-stop-daemon")
BASE = (
    *("sh", "awk", "basename", "cat", "chmod", "cmp", "cp", "cut", "date", "dirname", "env", "find", "grep"),
    *("head", "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "nohup", "ps", "pwd", "readlink", "rm"),
    *("rmdir", "sed", "seq", "setsid", "sleep", "sort", "stat", "tail", "tee", "timeout", "touch", "tr"),
    *("true", "uname", "wc", "xargs"),
)
# What the real one needs of a start: 2 s until it restarts what ends at once, 5 s until it sees a new folder.
LIMIT_S = 20.0
# In the environment of every process of a prefix. Not FARMHAND_*: the adapter takes those for settings and refuses what it does not know.
VARIABLE = "SCRATCH_PREFIX_MARK"
STOP_S = 30.0
# What was told to end needs a moment: svlogd reads to the end, `finish` may be in its last second.
GRACE_S = 5.0
LOOK_S = 0.02

# As measured with the real one (`facts/termux.md` 2.5): HUP, wait for runsvdir, which takes about 2 s, then KILL, then the folders go.
SERVICE_DAEMON = r"""#!@PREFIX@/bin/sh
set -e
pid_file=$PREFIX/var/run/service-daemon.pid
begin() {
    mkdir -p "$PREFIX/var/run"
    start-stop-daemon --start --background --make-pidfile --pidfile "$pid_file" --chdir "$PREFIX" \
        --exec "$PREFIX/bin/runsvdir" -- "$SVDIR"
}
finish() {
    start-stop-daemon --stop --signal HUP --oknodo --pidfile "$pid_file"
    while kill -0 "$(cat "$pid_file")" 2> /dev/null; do sleep 1; done
    for folder in "$SVDIR"/*/supervise "$SVDIR"/*/log/supervise; do
        kill -9 "$(cat "$folder/pid")" 2> /dev/null || true
        rm -rf "$folder"
    done
}
case "$1" in
    start) begin ;;
    stop) finish ;;
    restart) finish; begin ;;
    *) exit 1 ;;
esac
"""
START_SERVICES = """export SVDIR=$PREFIX/var/service LOGDIR=$PREFIX/var/log
(service-daemon start > /dev/null 2>&1 &)
"""
SV_ENABLE = """#!@PREFIX@/bin/sh
rm -f "$SVDIR/$1/down"
sv up "$1"
"""
SV_DISABLE = """#!@PREFIX@/bin/sh
touch "$SVDIR/$1/down"
sv down "$1"
"""


@dataclass
class TermuxPrefix:
    """One scratch phone. mark: what its processes carry in their environment. port: free, the adapter's in `config`.

    places: as the code under test sees it. env: of a background task of the app (`facts/termux.md` 3): no SVDIR, no LOGDIR.
    """

    places: Places
    mark: str
    port: int
    env: dict[str, str]
    fake: FakeTermux | None
    tasks: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def prefix(self) -> Path:
        return self.places.prefix

    @property
    def bin(self) -> Path:
        return self.places.prefix / "bin"

    @property
    def runsv(self) -> Runsv:
        """Ours, over `run` of here."""
        return Runsv(self.places, self.command)

    # --- files -------------------------------------------------------------------------------------------------------

    def write(self, path: Path, text: str, mode: int = 0o700) -> Path:
        """`path` with the prefix mapped."""
        path.parent.mkdir(parents=True, exist_ok=True)
        mapped = text.replace("@PREFIX@", str(self.prefix)).replace(TERMUX_PREFIX, str(self.prefix))
        path.write_text(mapped, encoding="utf-8")
        path.chmod(mode)
        return path

    def ship(self, source: str, target: Path) -> Path:
        """A file of `termux/`, mapped, with the mode that `scripts/install` gives it: git knows only whether it is executable."""
        text = (SHIPPED / source).read_text(encoding="utf-8")
        return self.write(target, text, 0o700 if text.startswith("#!") else 0o600)

    def install(self, *names: str) -> None:
        """Service folders as shipped: built elsewhere and moved in, so that runit never sees half a one (2.2)."""
        for name in names:
            new, folder = self.prefix / "var" / f"{name}.new", SHIPPED / "sv" / name
            for source in sorted(folder.rglob("*")):
                if source.is_file():
                    self.ship(str(source.relative_to(SHIPPED)), new / source.relative_to(folder))
            new.rename(self.places.service(name))

    def add_service(self, name: str, run: str, *, finish: str = "", down: bool = False) -> None:
        """A service that is not ours. run, finish: shell without a shebang."""
        shebang = "#!@PREFIX@/bin/sh\n"
        new = self.prefix / "var" / f"{name}.new"
        self.write(new / "run", shebang + run)
        if finish:
            self.write(new / "finish", shebang + finish)
        if down:
            self.write(new / "down", "", 0o600)
        new.rename(self.places.service(name))

    def stand_in(self, body: str) -> Path:
        """Takes the place of the clone's Python: the check of the environment and the probes go to the real one, all else to `body`,
        shell without a shebang. `"$REAL"` in it is the real one, `$*` what was asked, such as `-u -m adapter serve`."""
        venv = self.places.root / ".venv"
        if venv.is_symlink():
            venv.unlink()
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        (venv / "lib" / version / "site-packages").mkdir(parents=True, exist_ok=True)
        head = f'REAL={sys.executable}\ncase "$*" in "-I "* | "-m phone.probe "*) exec "$REAL" "$@" ;; esac\n'
        return self.write(venv / "bin" / "python", f"#!@PREFIX@/bin/sh\n{head}{body}")

    def command_file(self, name: str, body: str) -> Path:
        """A program of the prefix; body: shell without a shebang."""
        return self.write(self.bin / name, f"#!@PREFIX@/bin/sh\n{body}")

    def log(self, name: str) -> str:
        """All that svlogd has written of a service, "" if that is nothing: the old files too, since one that was killed begins anew."""
        current = self.places.log(name)
        texts = []
        for path in (*sorted(current.parent.glob("@*")), current):
            with contextlib.suppress(FileNotFoundError):  # rotated at this moment
                texts.append(path.read_text(encoding="utf-8", errors="replace"))
        return "".join(texts)

    def exits(self, name: str) -> tuple[Exit, ...]:
        """All recorded ends of a service."""
        return self.runsv.exits(name, 0)[0]

    # --- commands ----------------------------------------------------------------------------------------------------

    def command(self, argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        """A `Runs` (`phone/command.py`) that runs for real, as a child of this prefix."""
        try:
            done = self._run(argv, limit_s, {**self.env, **dict(env or {}), VARIABLE: self.mark})
        except subprocess.TimeoutExpired:
            return Done(tuple(argv), None, timed_out=True)
        except FileNotFoundError:
            return Done(tuple(argv), None, missing=True)
        return Done(tuple(argv), done.returncode, done.stdout, done.stderr)

    def run(
        self, *argv: str | Path, limit_s: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A program of the prefix by its name, in a terminal's environment: with SVDIR and LOGDIR."""
        first = str(argv[0])
        path = first if "/" in first else str(self.bin / first)
        return self._run([path, *map(str, argv[1:])], limit_s, {**self.env, **self.login_env, **(env or {})})

    def shell(
        self, script: str, *, limit_s: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`sh -c` with nothing but a task's environment, unless given."""
        return self._run([str(self.bin / "sh"), "-c", script], limit_s, {**self.env, **(env or {})})

    @property
    def login_env(self) -> dict[str, str]:
        """What profile.d adds in a terminal."""
        return {"SVDIR": str(self.places.services), "LOGDIR": str(self.places.logs)}

    def _run(
        self, argv: Sequence[str], limit_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.places.user,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )

    def sv(self, *args: str) -> str:
        """`sv ARGS` in a terminal; what it printed. Only for `sv status` and the like: it does not look at the exit status."""
        done = self.run("sv", *args)
        return (done.stdout + done.stderr).strip()

    # --- runit -------------------------------------------------------------------------------------------------------

    def start_daemon(self) -> int:
        """As a login shell does. Returns runsvdir's pid, once every service folder is looked after."""
        done = self.shell('. "$PREFIX/etc/profile.d/start-services.sh"')
        assert (done.returncode, done.stderr) == (0, "")
        self.wait_until(lambda: self.runsv.runsvdir_pid() is not None, "runsvdir runs")
        names = [folder.name for folder in self.places.services.iterdir() if not folder.name.startswith(".")]
        self.wait_until(
            lambda: all(self.status(name).phase is not Phase.MISSING for name in names), f"runsv for each of {names}"
        )
        pid = self.runsv.runsvdir_pid()
        assert pid is not None
        return pid

    def stop_daemon(self, within_s: float = STOP_S) -> None:
        """In order: the supervisor first, which stops the others; then each; then runsvdir and what it started. No process is left."""
        names = [folder.name for folder in self.places.services.iterdir()]
        names.sort(key=lambda name: name != SUPERVISOR)
        for name in names:
            if self.status(name).phase is not Phase.MISSING:
                outcome = self.runsv.down(name, within_s)
                assert outcome.ok, outcome.words
        if (pid := self.runsv.runsvdir_pid()) is not None:
            os.kill(pid, signal.SIGHUP)  # it ends, and its runsv with it
        self.wait_until(lambda: self.runsv.runsvdir_pid() is None, "runsvdir has ended")
        # What runsvdir tells its own. One of an earlier daemon is not among them, and hears nothing else once `service-daemon` has deleted its
        # `supervise` under it (`facts/termux.md` 2.5).
        for pid, words in self.processes().items():
            if words.startswith("runsv "):
                _send(pid, signal.SIGTERM)
        self.wait_until(
            lambda: all(self.status(name).phase is Phase.MISSING for name in names), "every runsv has ended"
        )

    def status(self, name: str) -> Runit:
        return self.runsv.status(name)

    def status_line(self, name: str) -> str:
        """As `sv status` says it, by our own reading."""
        folder = self.places.service(name)
        data = (folder / "supervise" / "status").read_bytes()
        return runit_status.render(str(folder), data, time.time(), normally_up=not (folder / "down").exists())

    def pid(self, name: str) -> int:
        """Of a service that runs."""
        look = self.status(name)
        assert look.phase is Phase.RUN and look.pid is not None, f"{name} does not run: {look}"
        return look.pid

    # --- Android -----------------------------------------------------------------------------------------------------

    def boot(self) -> list[subprocess.Popen[bytes]]:
        """What Termux:Boot does after the first unlock, quirks included (`facts/termux.md` 3): the files of ~/.termux/boot in the order of
        their names, all at nearly the same time; an entry that is no file ends it in silence. Each is a task of the app's."""
        started: list[subprocess.Popen[bytes]] = []
        for entry in sorted(self.places.boot_scripts.iterdir()):
            if not entry.is_file():
                return started
            entry.chmod(entry.stat().st_mode | 0o500)
            started.append(self.start_task(entry))
        return started

    def start_task(self, script: Path, *args: str) -> subprocess.Popen[bytes]:
        """A background task of the app: its child, with its plain environment; a shebang of the prefix, or none, which means sh."""
        shell = [] if script.read_bytes().startswith(b"#!") else [str(self.bin / "sh")]
        null = subprocess.DEVNULL
        task = subprocess.Popen(
            [*shell, str(script), *args],
            cwd=self.places.user,
            env=self.env,
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=True,
        )
        self.tasks.append(task)
        return task

    def android_kills_the_app(self) -> None:
        """Everything at once, with SIGKILL (`facts/termux.md` 4.4)."""
        while found := self.processes():
            for pid in found:
                _send(pid, signal.SIGKILL)
            time.sleep(LOOK_S)
        for task in self.tasks:
            task.wait()

    # --- watching ----------------------------------------------------------------------------------------------------

    def wait_until(self, holds: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
        """Looks every 20 ms, since neither runit nor a log has events; fails with what there is to see if it does not come true in time."""
        end = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() >= end:
                raise AssertionError(f"not within {limit_s:g} s: {what}\n{self.picture()}")
            time.sleep(LOOK_S)

    def wait_for_log(self, name: str, text: str, limit_s: float = LIMIT_S) -> None:
        self.wait_until(lambda: text in self.log(name), f"{text!r} in the log of {name}", limit_s)

    def processes(self) -> dict[int, str]:
        """All that were started in this prefix, at whatever remove: pid and command line."""
        wanted, found = f"{VARIABLE}={self.mark}".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # gone meanwhile, or another user's
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = words.decode("utf-8", "replace").strip()
        return found

    def picture(self) -> str:
        """For the message of a test that fails."""
        folders = sorted(self.places.services.iterdir()) if self.places.services.is_dir() else []
        lines = [f"{folder.name}: {self.status(folder.name)}" for folder in folders]
        lines += [f"{pid} {words}" for pid, words in sorted(self.processes().items())]
        for folder in folders:
            lines += [f"--- log of {folder.name}", *self.log(folder.name).splitlines()[-15:]]
        return "\n".join(lines)


@contextmanager
def termux_prefix(
    tmp_path: Path,
    *,
    fakes: bool = True,
    services: Sequence[str] = SERVICES,
    config: str | None = None,
    root: Path | None = None,
) -> Iterator[TermuxPrefix]:
    """A prefix below `tmp_path` with `services` in place and nothing running. fakes: the termux-* commands are there.

    config: of the configuration file; without it the adapter listens on a free port. root: the clone; without it a folder with this one's packages
    and the Python of the tests as its `.venv`.
    """
    phone = _laid_out(tmp_path, fakes=fakes, root=root)
    text = f"[server]\nport = {phone.port}\n" if config is None else config
    phone.places.config.write_text(text, encoding="utf-8")
    phone.install(*services)
    try:
        yield phone
    except BaseException:
        phone.android_kills_the_app()
        raise
    _close(phone)


def _close(phone: TermuxPrefix) -> None:
    """Stops in order what runs, and fails for what is left."""
    trouble: BaseException | None = None
    try:
        if phone.runsv.runsvdir_pid() is not None:
            phone.stop_daemon()
        for task in phone.tasks:  # the anchor, and whatever else the app would keep
            if task.poll() is None:
                task.terminate()
        for pid, _ in phone.fake.tasks if phone.fake else ():
            if pid in phone.processes():
                _send(pid, signal.SIGTERM)
        phone.wait_until(lambda: not phone.processes(), "no process is left behind", GRACE_S)
    except BaseException as exc:  # noqa: BLE001 - what is left must go, whatever went wrong
        trouble = exc
    phone.android_kills_the_app()
    if trouble is not None:
        raise trouble


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _laid_out(tmp_path: Path, *, fakes: bool, root: Path | None) -> TermuxPrefix:
    prefix, user = tmp_path / "usr", tmp_path / "home"
    for folder in ("bin", "etc/profile.d", "etc/farmhand", "libexec/farmhand", "tmp", "var/log", "var/run", "var/service"):
        (prefix / folder).mkdir(parents=True)
    (user / ".termux" / "boot").mkdir(parents=True)
    (user / ".config" / "farmhand").mkdir(parents=True)
    mark = f"prefix-{os.getpid()}-{time.monotonic_ns()}"
    env = {
        "HOME": str(user),
        "PREFIX": str(prefix),
        "PATH": str(prefix / "bin"),
        "TMPDIR": str(prefix / "tmp"),
        "LANG": "en_US.UTF-8",
        "PWD": str(user),
        "TERMUX_VERSION": "0.118.3",
        VARIABLE: mark,
    }
    fake = FakeTermux(tmp_path / "termux") if fakes else None
    found = places({**env}, root or _clone(tmp_path / "clone"))
    phone = TermuxPrefix(found, mark, _free_port(), env, fake)
    _fill_bin(phone)
    phone.write(prefix / "etc" / "profile.d" / "start-services.sh", START_SERVICES, 0o600)
    _ship_all(phone)
    return phone


def _fill_bin(phone: TermuxPrefix) -> None:
    for name in (*BASE, *RUNIT):
        path = shutil.which(OTHER_NAMES.get(name, name), path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        needed = name in (*RUNIT, "sh")
        assert path is not None or not needed, f"{name} is missing here; on Debian: apt-get install runit dash dpkg"
        if path is not None:
            (phone.bin / name).symlink_to(path)
    for name, text in (("service-daemon", SERVICE_DAEMON), ("sv-enable", SV_ENABLE), ("sv-disable", SV_DISABLE)):
        phone.write(phone.bin / name, text)
    if phone.fake is not None:
        phone.env["TERMUX_API_VERSION"] = "0.53.0"
        for command in phone.fake.bin.iterdir():
            (phone.bin / command.name).symlink_to(command)


def _ship_all(phone: TermuxPrefix) -> None:
    """All but the services, where `scripts/install` puts it."""
    for name in ("service.sh", "anchor", "ensure"):
        phone.ship(name, phone.prefix / "libexec" / "farmhand" / name)
    phone.ship("boot/00-farmhand", phone.places.boot_scripts / "00-farmhand")
    phone.ship("bin/farmhand", phone.bin / "farmhand")
    for name in ("farmhand-status", "farmhand-restart"):
        phone.ship(f"shortcuts/{name}", phone.places.user / ".shortcuts" / name)
    settings = {
        "FARMHAND_ROOT": phone.places.root,
        "FARMHAND_HOME": phone.places.state,
        "FARMHAND_CONFIG": phone.places.config,
        "HOME": phone.places.user,
    }
    text = "".join(f"{name}='{value}'\n" for name, value in settings.items())
    phone.write(phone.prefix / "etc" / "farmhand" / "env", text, 0o600)
    phone.places.state.mkdir(parents=True, mode=0o700)


def _clone(folder: Path) -> Path:
    """A clone whose packages are this one's, and whose environment is the one that runs the tests."""
    folder.mkdir()
    for name in ("adapter", "phone", "scripts", "termux", "pyproject.toml"):
        (folder / name).symlink_to(REPO / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
