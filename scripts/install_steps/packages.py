"""Termux packages: which are missing, and bringing them. Nothing is ever upgraded unasked."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from install_steps.bounded import bounded
from install_steps.failure import InstallFailed
from setup_steps.carry_out import SetupFailed, carry_out
from setup_steps.step import Step

# Package: a file it brings. Runit comes with termux-services.
NEEDED = {"termux-services": "bin/service-daemon", "termux-api": "bin/termux-job-scheduler"}
LLAMA_CPP = {"llama-cpp": "bin/llama-server"}
# Termux moves every two weeks or so; libraries older than what is fetched now may not fit it.
STALE_DAYS = 14
QUERY_S = 20.0


def missing(prefix: Path, packages: dict[str, str] | None = None) -> list[str]:
    return [name for name, file in (NEEDED if packages is None else packages).items() if not os.access(prefix / file, os.X_OK)]


def absent(prefix: Path, names: Iterable[str]) -> list[str]:
    """Which of these packages are known not to be installed."""
    names = list(names)
    if not names:
        return []
    said = bounded(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names], QUERY_S, prefix)
    there = set(re.findall(r"^(\S+) installed$", said.out, re.MULTILINE))
    return [] if said.code is None else [name for name in names if name not in there]


def days_old(prefix: Path) -> int | None:
    """Since the package lists were fetched; `None` if that is not known."""
    lists = [path.stat().st_mtime for path in (prefix / "var" / "lib" / "apt" / "lists").glob("*Packages*")]
    return int((time.time() - max(lists)) / 86_400) if lists else None


def fetch(prefix: Path, names: Sequence[str], logs: Path, lock_fd: int) -> None:
    """`pkg install`; raises `InstallFailed`."""
    age = days_old(prefix)
    old = f"The package lists are {age} days old. " if age is not None and age >= STALE_DAYS else ""
    remedy = f"{old}Type: pkg upgrade, then run this again"
    if old:
        print(f"      The package lists here are {age} days old; if this fails, type: pkg upgrade", flush=True)
    step = Step("termux-packages", "", ("pkg", "install", "-y", *names), remedy=remedy)
    try:
        carry_out(step, logs, lock_fd)
    except SetupFailed as exc:
        raise InstallFailed(str(exc)) from None


def remove(prefix: Path, names: Sequence[str]) -> str:
    """Uninstall packages that nothing else needs. "" or why they are still there.

    First a rehearsal: a package somebody has since come to need would take that one along.
    """
    rehearsal = bounded(["apt-get", "--simulate", "remove", *names], QUERY_S, prefix)
    along = set(re.findall(r"^Remv (\S+)", rehearsal.out, re.MULTILINE)) - set(names)
    if rehearsal.code != 0:
        return rehearsal.out or "apt-get cannot say what would go with them"
    if along:
        return f"{', '.join(sorted(along))} would go with them"
    said = bounded(["pkg", "uninstall", "-y", *names], 300, prefix)
    return "" if said.code == 0 else said.out.splitlines()[-1] if said.out else "pkg uninstall did not work"
