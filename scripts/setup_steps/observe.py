"""Reads the machine that setup runs on."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Literal

from setup_steps.facts import Facts, is_termux, venv_state
from setup_steps.packages import needs_of

SUDO_PROBE_S = 10.0


def observe(root: Path, wanted: frozenset[str], kept: frozenset[str], *, current: bool) -> Facts:
    """Read this machine. Runs at most one command (`sudo -n true`), and changes nothing.

    kept: extras that the stamp names. current: the stamp is of the recipe of now.
    """
    system: Literal["termux", "debian", "other"] = "other"
    if is_termux(sys.platform, os.environ.get("PREFIX", "")):
        system = "termux"
    elif shutil.which("apt-get"):
        system = "debian"
    missing = frozenset(need for need in needs_of(system, wanted | kept) if not _has(need))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    venv = _venv_here(root / ".venv")
    return Facts(
        root=root,
        python=_base_python(),
        version=sys.version_info[:2],
        pip=_bundled_pip(),
        system=system,
        admin=_admin() if missing else None,
        missing=missing,
        venv=venv,
        current=current and venv == "usable",
        kept=kept,
        extras={extra: tuple(names) for extra, names in project["optional-dependencies"].items()},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


def _has(need: str) -> bool:
    match need:
        case "venv":
            return _bundled_pip() != (0, 0)
        case "numpy":
            return importlib.util.find_spec("numpy") is not None
        case "c++":
            return any(shutil.which(name) for name in ("c++", "g++", "clang++"))
        case _:
            return shutil.which(need) is not None


def _bundled_pip() -> tuple[int, int]:
    """The version of the pip that a new environment gets; (0, 0) where the system left ensurepip out."""
    try:
        import ensurepip  # Debian puts it into a package of its own
    except ImportError:
        return (0, 0)
    shared = sysconfig.get_config_var("WHEEL_PKG_DIR")
    folders = [Path(ensurepip.__file__).parent / "_bundled", *([Path(shared)] if shared else [])]
    for wheel in (w for folder in folders for w in folder.glob("pip-*.whl")):
        major, minor = re.findall(r"\d+", wheel.name)[:2]
        return int(major), int(minor)
    return (0, 0)


def _base_python() -> str:
    """The Python behind the environment we may be running in: that one makes it anew."""
    return getattr(sys, "_base_executable", "") or sys.executable


def _venv_here(venv: Path) -> Literal["none", "stale", "usable"]:
    try:
        cfg = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        # --clear empties a folder that is no environment, so one of these is made anew as well.
        return "stale" if venv.exists() else "none"
    site = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip"
    works = os.access(venv / "bin" / "python", os.X_OK) and site.is_dir()
    return venv_state(cfg, sys.version_info[:2], venv, works)


def _admin() -> tuple[str, ...] | None:
    if os.geteuid() == 0:
        return ()
    if not shutil.which("sudo"):
        return None
    probe = ["sudo", "-n", "true"]
    try:
        done = subprocess.run(
            probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=SUDO_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return ("sudo", "-n") if done.returncode == 0 else None
