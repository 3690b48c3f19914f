"""Programs that the client tests need, each set in an environment of its own, fetched once into the user's cache folder.

The folder's name says what is in it, so that other pins make another one. Where they cannot be fetched the tests fail and say so: a table of clients in
which nobody was tried is worth nothing. FARMHAND_TEST_OFFLINE=1 skips them instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

FETCH_S = 900.0
_CHIPS = {"x86_64": "x64", "aarch64": "arm64"}  # npm's words
# OpenClaw 2026.9.6 wants >=24.16 <25 or >=26.1 (`facts/termux.md` 11); the registry's package is the official program.
NODE_VERSION = "24.18.0"


def python_env(name: str, *requirements: str) -> Path:
    """The Python of a virtual environment that has `requirements` (pip's words)."""
    folder = _folder(name, requirements)
    python = folder / "bin" / "python"
    with _alone(folder):
        if not _is_ready(folder):
            venv.create(folder, with_pip=True, clear=True)
            _fetch([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements], name)
            _set_ready(folder)
    return python


def node() -> Path:
    """The program `node`, of version 24."""
    package = f"node-{sys.platform}-{_CHIPS.get(platform.machine(), platform.machine())}"
    return _npm("node", f"{package}@{NODE_VERSION}") / "node_modules" / package / "bin" / "node"


def node_env(name: str, *packages: str) -> Path:
    """A folder whose `node_modules` has `packages` (npm's words), to be run with `node()`."""
    return _npm(name, *packages)


def node_path() -> str:
    """A PATH on which `node` is that of `node()`."""
    return f"{node().parent}{os.pathsep}{os.environ['PATH']}"


def _npm(name: str, *packages: str) -> Path:
    folder = _folder(name, packages)
    env = os.environ if name == "node" else {**os.environ, "PATH": node_path()}  # install scripts run with the Node they are for
    with _alone(folder):
        if not _is_ready(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            _fetch(["npm", "install", "--loglevel", "error", "--no-audit", "--no-fund", "--prefix", str(folder), *packages], name, env)
            missing = [package for package in packages if not (folder / "node_modules" / _name_of(package)).exists()]
            if missing:  # npm may fail and say nothing
                pytest.fail(f"npm did not install {', '.join(missing)}")
            _set_ready(folder)
    return folder


def _name_of(package: str) -> str:
    """`@scope/name@1.2.3` -> `@scope/name`."""
    return package[0] + package[1:].partition("@")[0]


def _fetch(command: Sequence[str], name: str, env: os._Environ[str] | dict[str, str] = os.environ) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=FETCH_S, env=env, stdin=subprocess.DEVNULL)
        why = done.stderr.strip()[-600:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        why = f"nothing after {FETCH_S:g} s"
    except FileNotFoundError as exc:
        why = f"{exc.filename} is not installed; on Debian: apt-get install npm"
    if not why:
        return
    said = f"{name} cannot be fetched: {why}"
    if os.environ.get("FARMHAND_TEST_OFFLINE"):
        pytest.skip(said)
    pytest.fail(said)


def _folder(name: str, wanted: Sequence[str]) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farmhand-tests"
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"{name}-{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:10]}"


def _is_ready(folder: Path) -> bool:
    return (folder / ".ready").exists()


def _set_ready(folder: Path) -> None:
    (folder / ".ready").touch()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Several workers of one run want the same."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
