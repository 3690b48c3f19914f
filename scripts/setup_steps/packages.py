"""What must come from the system's package manager, and the steps that bring it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from setup_steps.facts import Facts
from setup_steps.step import Step


@dataclass(frozen=True)
class Need:
    """Something the system must have, and the packages that bring it. Optional: we go on without it."""

    termux: tuple[str, ...]
    debian: tuple[str, ...]
    words: str
    optional: bool = False


# `{minor}`: of the Python that makes the environment.
NEEDS: dict[str, Need] = {
    "venv": Need(
        ("python-pip", "python-ensurepip-wheels"), ("python3.{minor}-venv",), "Python's venv and ensurepip"
    ),
    "numpy": Need(("python-numpy",), (), "numpy"),
    "c++": Need(("clang", "make", "pkg-config", "libandroid-spawn"), ("g++",), "a C++ compiler"),
    "cmake": Need(("cmake",), ("cmake",), "cmake"),
    "ninja": Need(("ninja",), ("ninja-build",), "ninja"),
    "shellcheck": Need(("shellcheck",), ("shellcheck",), "shellcheck", optional=True),
    "curl": Need(("curl",), ("curl",), "curl", optional=True),
    # For tests/live: the phone's service manager and the laptop's end of the cable, the real ones.
    "runsvdir": Need(("runit",), ("runit",), "runit", optional=True),
    "adb": Need(("android-tools",), ("adb",), "adb", optional=True),
    # Fetches the JavaScript clients, the gateways, and the Node that they run on (tests/live/kit.py).
    "npm": Need(("nodejs",), ("npm",), "npm", optional=True),
}


def needs_of(system: str, wanted: frozenset[str]) -> frozenset[str]:
    """Which keys of NEEDS this system must have for these extras."""
    needs = {"venv"}
    if "llama" in wanted:
        needs |= {"c++", "cmake", "ninja"}
    if "test" in wanted:
        needs |= {"shellcheck", "curl", "runsvdir", "adb", "npm"}
    # Everywhere else numpy is an ordinary wheel.
    if system == "termux" and wanted & {"llama", "test"}:
        needs |= {"numpy"}
    return frozenset(needs)


def system_steps(facts: Facts) -> list[Step]:
    steps: list[Step] = []
    for optional in (False, True):
        needs = [n for key, n in NEEDS.items() if key in facts.missing and n.optional == optional]
        if needs:
            steps += _package_steps(facts, needs, optional)
    if facts.system == "debian" and facts.admin is not None and steps:
        # A fresh container has no package lists; without a network the install may still find its packages.
        update = (*facts.admin, "apt-get", "update")
        steps.insert(0, Step("apt-update", "Reading the package lists", update, optional=True))
    return steps


def _package_steps(facts: Facts, needs: Sequence[Need], optional: bool) -> list[Step]:
    name = "packages-optional" if optional else "packages"
    if facts.system == "termux":
        packages = [p for n in needs for p in n.termux]
        say = f"Installing with pkg: {' '.join(packages)}"
        return [Step(name, say, ("pkg", "install", "-y", *packages), optional=optional)]
    packages = [p.format(minor=facts.version[1]) for n in needs for p in n.debian]
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if facts.system == "debian" and facts.admin is not None:
        # sudo drops variables, env is there to set them; a second apt waits for the first.
        apt = (
            *facts.admin,
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            *install,
            "-o",
            "DPkg::Lock::Timeout=300",
        )
        return [Step(name, f"Installing with apt-get: {' '.join(packages)}", apt, optional=optional)]
    return [] if optional else [_stop(facts, needs, install)]


def _stop(facts: Facts, needs: Sequence[Need], install: Sequence[str]) -> Step:
    remedy = "Install it with your system's package manager, then run this again."
    if facts.system == "debian":
        remedy = f"Type: sudo apt-get update && sudo {shlex.join(install)}"
    for_llama_only = all(n in (NEEDS["c++"], NEEDS["cmake"], NEEDS["ninja"]) for n in needs)
    less = "\nOr go without the embedded engine: add --no-llama." if for_llama_only else ""
    return Step("packages", f"this machine lacks {', '.join(n.words for n in needs)}.\n{remedy}{less}")
