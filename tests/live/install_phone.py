"""A phone before Farmhand: Termux's prefix without any file of ours, a clone, and what `scripts/install` calls besides.

    with bare_phone(tmp_path) as phone:          # or the fixtures `new_phone` and `still_phone` of conftest.py
        before = phone.snapshot()
        phone.install("--no-llama")
        phone.uninstall()
        assert phone.snapshot() == before

The clone's environment is a stand-in that counts as complete (`stand_in=False`: none), so that an installation takes a second and not half
a minute. Its supervisor only sleeps.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phone.places import Places
from setup_steps.stamp import recipe, setup_source, write_stamp
from tests.live.termux_prefix import TermuxPrefix, termux_prefix

REPO = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
# A stand-in of an environment goes with an uninstall, and is not there before the real one.
VENV = (".venv",)

# What apt has in store: package -> files of the prefix.
STORE = {
    "termux-services": ("service-daemon", "sv-enable", "sv-disable"),
    "termux-api": ("termux-job-scheduler", "termux-wake-lock"),
    "llama-cpp": ("llama-server",),
    # For the build of the embedded engine.
    "clang": ("c++",),
    "make": ("make",),
    "pkg-config": ("pkg-config",),
    "libandroid-spawn": (),
    "cmake": ("cmake",),
    "ninja": ("ninja",),
}
NOT_THERE = ("llama-cpp", "clang", "make", "pkg-config", "libandroid-spawn", "cmake", "ninja")
PKG = """
store=@TMP@/store
case "$1 $2" in
    'install -y')
        shift 2
        for name; do
            [ -d "$store/$name" ] || { echo "E: Unable to locate package $name"; exit 100; }
            for file in $(cat "@TMP@/dpkg/.$name"); do mv "$store/$name/$file" "$PREFIX/bin/"; done
            touch "@TMP@/dpkg/$name"
        done ;;
    'uninstall -y')
        shift 2
        for name; do
            for file in $(cat "@TMP@/dpkg/.$name"); do mv "$PREFIX/bin/$file" "$store/$name/"; done
            rm "@TMP@/dpkg/$name"
        done ;;
    *) exit 1 ;;
esac
"""
DPKG_QUERY = """
shift 3
for name; do [ ! -e "@TMP@/dpkg/$name" ] || echo "$name installed"; done
"""
APT_GET = """
shift 2
for name; do echo "Remv $name [1.0]"; done
cat "@TMP@/needed-by" 2> /dev/null || :
"""
PM = """
grep -q "^$2\\$" "@TMP@/apps" && echo "package:/data/app/$2/base.apk"
"""
SUPERVISOR = """
echo "$*" >> "@TMP@/asked"
case "$*" in
    *"-m phone supervise"*) exec sleep 3600 ;;
    *"-m pip install"*llama-cpp-python*) [ -e "@TMP@/builds" ] || { echo "ninja: build stopped"; exit 1; } ;;
    *"-m pip install"*) ;;
    *"-m venv"*/.cache/litellm) [ -e "@TMP@/litellm" ] || { echo "ERROR: no wheel of litellm for this platform"; exit 1; }
        mkdir -p "$3/bin" && cp "@TMP@/litellm" "$3/bin/litellm" && cp "@TMP@/litellm" "$3/bin/python" ;;
    *) exec "$REAL" "$@" ;;
esac
"""


@dataclass
class BarePhone:
    """tmp: the folder that prefix, home and clone are in."""

    termux: TermuxPrefix
    tmp: Path

    @property
    def places(self) -> Places:
        return self.termux.places

    @property
    def root(self) -> Path:
        return self.places.root

    @property
    def boot(self) -> Path:
        return self.places.boot_scripts

    @property
    def manifest(self) -> Path:
        return self.places.state / "install.json"

    def script(self, name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`sh scripts/NAME` in a terminal."""
        given = {"PYTHON": sys.executable, "PIP_RETRIES": "0", **env}
        return self.termux.run("sh", self.root / "scripts" / name, *arguments, limit_s=LIMIT_S, env=given)

    def install(self, *arguments: str, **env: str) -> str:
        """Its output, both together; it must work."""
        return _worked(self.script("install", *arguments, **env))

    def uninstall(self, *arguments: str, **env: str) -> str:
        return _worked(self.script("uninstall", *arguments, **env))

    def stand_in(self) -> None:
        """An environment that counts as set up without the engine; building that fails unless there is a file `builds`."""
        self.termux.stand_in(SUPERVISOR.replace("@TMP@", str(self.tmp)))
        venv = self.root / ".venv"
        self.termux.write(venv / "bin" / "farmhand", '#!@PREFIX@/bin/sh\necho "farmhand $*"\n')
        version = ".".join(map(str, sys.version_info[:2]))
        (venv / "pyvenv.cfg").write_text(f"version = {version}.0\ncommand = python -m venv {venv}\n")
        (venv / "lib" / f"python{version}" / "site-packages" / "pip").mkdir(exist_ok=True)
        self.stamp()

    def stamp(self, *extras: str, version: tuple[int, int] = sys.version_info[:2]) -> None:
        made_from = recipe((self.root / "pyproject.toml").read_bytes(), setup_source(self.root / "scripts"), version, self.root)
        write_stamp(self.root / ".venv" / "farmhand-setup.json", made_from, frozenset(extras))

    def builds(self) -> int:
        """How often the embedded engine was tried."""
        asked = self.tmp / "asked"
        return asked.read_text().count("--no-binary llama-cpp-python") if asked.exists() else 0

    def set_apps(self, *packages: str) -> None:
        """Which apps `pm path` knows."""
        (self.tmp / "apps").write_text("".join(f"{name}\n" for name in packages))

    def take_away(self, package: str) -> None:
        """Not installed, but in the store."""
        for name in STORE[package]:
            shutil.move(self.termux.bin / name, self.tmp / "store" / package / name)
        (self.tmp / "dpkg" / package).unlink()

    def snapshot(self, *, times: bool = False, without: tuple[str, ...] = ()) -> dict[str, object]:
        """Everything that lies on the phone: kind, mode, content, and with `times` when it was last changed.

        without: names of files and folders that do not count.
        """
        found: dict[str, object] = {}
        for top in (self.places.prefix, self.places.user, self.root):
            for path in sorted(top.rglob("*")):
                if not {*without} & {*path.relative_to(self.tmp).parts}:
                    found[str(path.relative_to(self.tmp))] = _seen(path, times)
        return found


def _seen(path: Path, times: bool) -> object:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    content = ""
    if stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    return (stat.S_IFMT(status.st_mode), oct(mode), content, status.st_mtime_ns if times and content else 0)


def _worked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def copy_clone(folder: Path) -> Path:
    """What a `git clone` has of this working tree."""
    folder.mkdir(parents=True)
    for name in ("adapter", "phone", "scripts", "termux"):
        shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / name, folder / name)
    return folder


@contextmanager
def bare_phone(tmp_path: Path, *, stand_in: bool = True, daemon: bool = True) -> Iterator[BarePhone]:
    """daemon: runsvdir runs already, as after any login shell."""
    tmp = tmp_path / "com.termux"  # by this setup knows the prefix for Termux's
    tmp.mkdir()
    with termux_prefix(tmp, services=(), root=copy_clone(tmp_path / "clone")) as termux:
        phone = BarePhone(termux, tmp_path)
        _strip(termux)
        _android(phone)
        if stand_in:
            phone.stand_in()
        if daemon:
            termux.start_daemon()
        yield phone


def _strip(termux: TermuxPrefix) -> None:
    """What termux_prefix has put there of ours."""
    for folder in (termux.prefix / "etc" / "farmhand", termux.prefix / "libexec", termux.places.user):
        shutil.rmtree(folder)
    (termux.bin / "farmhand").unlink()
    termux.places.user.mkdir()


def _android(phone: BarePhone) -> None:
    for name in ("dpkg", "store"):
        (phone.tmp / name).mkdir()
    for package, files in STORE.items():
        (phone.tmp / "store" / package).mkdir()
        (phone.tmp / "dpkg" / f".{package}").write_text(" ".join(files))
        (phone.tmp / "dpkg" / package).touch()
    phone.set_apps("com.termux.boot", "com.termux.api")
    commands: Mapping[str, str] = {"pkg": PKG, "dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "pm": PM}
    for name, body in commands.items():
        phone.termux.command_file(name, body.replace("@TMP@", str(phone.tmp)))
    for package in NOT_THERE:
        for name in STORE[package]:
            phone.termux.command_file(name, 'echo "serving $*"\nexec sleep 3600\n')
        phone.take_away(package)


def runs(phone: BarePhone, name: str = "farmhand") -> int:
    """Its pid, as soon as there is one."""
    phone.termux.wait_until(lambda: phone.termux.status(name).pid, f"{name} runs")
    return phone.termux.pid(name)


def settled(phone: BarePhone) -> None:
    """The supervisor runs, and every logger has made its files: nothing changes any more by itself."""
    pid = runs(phone)
    names = [folder.name for folder in phone.places.services.iterdir()]
    phone.termux.wait_until(lambda: all(phone.places.log(name).exists() for name in names), f"logs of {names}")
    phone.termux.wait_until(lambda: "sleep" in phone.termux.processes().get(pid, ""), "its run script is done")


def written(phone: BarePhone) -> dict[str, object]:
    """The manifest."""
    found: dict[str, object] = json.loads(phone.manifest.read_text())
    return found


def enable(phone: BarePhone, *sections: str) -> None:
    """The configuration has these sections, enabled, and no other."""
    phone.places.config.parent.mkdir(parents=True, exist_ok=True)
    phone.places.config.write_text("".join(f"[{section}]\nenabled = true\n" for section in sections))
