"""Sets up `.venv` for this clone. Run by `scripts/setup`; standard library only, Python 3.11 or later.

Three parts: `observe` reads the machine, `plan` decides from what was observed (pure, tested by tables),
`carry_out` runs the steps one by one. A stamp in `.venv` says what the last complete run installed: while it
matches nothing is run at all. A lock lets any number of setups start at the same moment.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent

# What a phone gets, so every clone gets it: 2.12.5 is the newest whose Rust core (2.41.5) is prebuilt for
# Termux, in this index of the Termux user repository. Newer ones would be compiled on the phone.
PYDANTIC = "pydantic==2.12.5"
TERMUX_WHEELS = "https://termux-user-repository.github.io/pypi/"

# OpenMP is off in Termux's own builds of llama.cpp too; LLAVA is the multimodal library, which we do not use.
CMAKE_ARGS = "-DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF"
# More at once heats the phone and can use up its memory; the rest of the cores is slow anyway.
PHONE_BUILD_JOBS = 4
# Until 23.1 pip threw away what it had compiled under --no-binary, and compiled it again in the next clone.
PIP_KEEPS_BUILDS = (23, 1)

AGAIN = "Is there a network? Run it again: what was downloaded is kept"

PROGRESS_EVERY_S = 10.0
SUDO_PROBE_S = 10.0
TAIL_LINES = 30
INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


# --- decisions: pure -----------------------------------------------------------------------------------------


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
}


@dataclass(frozen=True)
class Facts:
    """What `plan` decides from. `admin`: the words before a command that needs root, None if we cannot be root.

    python: the interpreter that makes the environment, of version `version`; pip: the version it bundles.
    missing: keys of NEEDS. current: the environment holds the project as it is now, with the extras `kept`;
    otherwise `kept` were there once and come back. extras: pyproject's requirements, extra by extra.
    """

    root: Path
    python: str
    version: tuple[int, int]
    pip: tuple[int, int]
    system: Literal["termux", "debian", "other"]
    admin: tuple[str, ...] | None
    missing: frozenset[str]
    venv: Literal["none", "stale", "usable"]
    current: bool
    kept: frozenset[str]
    extras: Mapping[str, tuple[str, ...]]
    cores: int


@dataclass(frozen=True)
class Step:
    """One command with its announcement; without `argv` it is where setup stops, and `say` tells why.

    gives: the extras that are complete after this step, None if the environment is not usable yet.
    optional: a failure is reported, and setup goes on.
    """

    name: str
    say: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    gives: frozenset[str] | None = None
    optional: bool = False


def is_termux(platform: str, prefix: str) -> bool:
    """platform: `sys.platform` ("linux" in Termux's Python up to 3.12); prefix: the variable PREFIX."""
    return platform == "android" or "com.termux" in prefix


def needs_of(system: str, wanted: frozenset[str]) -> frozenset[str]:
    """Which keys of NEEDS this system must have for these extras."""
    needs = {"venv"}
    if "llama" in wanted:
        needs |= {"c++", "cmake", "ninja"}
    if "test" in wanted:
        needs |= {"shellcheck"}
    # Everywhere else numpy is an ordinary wheel.
    if system == "termux" and wanted & {"llama", "test"}:
        needs |= {"numpy"}
    return frozenset(needs)


def plan(facts: Facts, wanted: frozenset[str]) -> list[Step]:
    """The steps that bring this machine to `wanted` (extras of the project), in order. Raises nothing."""
    steps = _system_steps(facts)
    if any(not step.argv for step in steps):
        return steps
    done: frozenset[str] = frozenset()
    if facts.current:
        # The project stays as it is: somebody may be starting from this environment at this very moment.
        done = facts.kept
    else:
        if facts.venv != "usable":
            steps.append(_venv_step(facts))
        steps += _project_steps(facts)
    for extra in sorted((wanted | facts.kept) - done, reverse=True):  # the long build of `llama` last
        done |= {extra}
        steps.append(_llama_step(facts, done) if extra == "llama" else _extra_step(facts, extra, done))
    return steps


def _system_steps(facts: Facts) -> list[Step]:
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


def _venv_step(facts: Facts) -> Step:
    major, minor = facts.version
    say = f"Making .venv with Python {major}.{minor}"
    if facts.venv == "stale":
        say += " (the one there was made by another Python or at another place)"
    argv = [facts.python, "-m", "venv", "--clear"]
    if facts.system == "termux":
        # numpy has no wheel for Android; this shows the environment the one that pkg installed.
        argv.append("--system-site-packages")
    return Step("venv", say, (*argv, str(facts.root / ".venv")))


def _project_steps(facts: Facts) -> list[Step]:
    steps = []
    if facts.system == "termux":
        # On its own: pip takes the highest version of any index, and this one must decide nothing else.
        pydantic = (*_pip(facts), PYDANTIC, "--extra-index-url", TERMUX_WHEELS)
        steps.append(Step("pydantic", "Installing pydantic for Termux", pydantic, _env(facts), AGAIN))
    argv = (*_pip(facts), PYDANTIC, "--editable", str(facts.root))
    say = "Installing Farmhand and its libraries"
    steps.append(Step("project", say, argv, _env(facts), AGAIN, gives=frozenset()))
    return steps


def _extra_step(facts: Facts, extra: str, done: frozenset[str]) -> Step:
    argv = (*_pip(facts), PYDANTIC, *facts.extras[extra])
    return Step(extra, f"Installing what `{extra}` needs", argv, _env(facts), AGAIN, gives=done)


def _llama_step(facts: Facts, done: frozenset[str]) -> Step:
    say = f"Building the embedded llama.cpp engine on {_jobs(facts)} cores: some minutes, the first time only"
    if facts.system == "termux":
        say += ". Keep Termux on the screen meanwhile"
    argv = [*_pip(facts), "--verbose", "--no-binary", "llama-cpp-python"]
    if facts.pip < PIP_KEEPS_BUILDS:
        argv.append("--use-feature=no-binary-enable-wheel-cache")
    return Step(
        "llama",
        say,
        (*argv, PYDANTIC, *facts.extras["llama"]),
        {**_env(facts), "CMAKE_ARGS": CMAKE_ARGS, "CMAKE_BUILD_PARALLEL_LEVEL": str(_jobs(facts))},
        remedy="Farmhand works without its embedded engine: `scripts/setup --no-llama` sets up the rest, and "
        "`scripts/up --no-llama` starts it. To try again, run the same command; "
        "a compiler that was killed lacked memory",
        gives=done,
    )


def _pip(facts: Facts) -> tuple[str, ...]:
    python = str(facts.root / ".venv" / "bin" / "python")
    return (python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")


def _jobs(facts: Facts) -> int:
    return min(facts.cores, PHONE_BUILD_JOBS) if facts.system == "termux" else facts.cores


def _env(facts: Facts) -> dict[str, str]:
    # Python and pip in Termux call themselves 24 on every phone; a build tool that asks the phone gets it wrong.
    return {"ANDROID_API_LEVEL": "24"} if facts.system == "termux" else {}


def recipe(pyproject: bytes, this_file: bytes, version: tuple[int, int], root: Path) -> str:
    """What an environment was made from, as a hash: it is out of date when this changes.

    Of pyproject.toml only what an installation depends on, so that a new lint rule installs nothing.
    """
    project = tomllib.loads(pyproject.decode())
    tools = project.get("tool", {})
    parts = [project.get("build-system"), project.get("project"), tools.get("setuptools"), version, str(root)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode() + this_file).hexdigest()


def up_to_date(stamp: Mapping[str, Any], now: str, wanted: frozenset[str]) -> bool:
    """Does the stamp say that an environment of recipe `now` holds at least these extras?"""
    return stamp.get("recipe") == now and wanted <= set(stamp.get("extras", ()))


def venv_state(
    cfg: str | None, version: tuple[int, int], venv: Path, works: bool
) -> Literal["none", "stale", "usable"]:
    """Judge an environment by its pyvenv.cfg (None: there is none). works: it has a Python and a pip.

    Stale: half made, made by another Python minor (its libraries are not found any more), or moved here
    from elsewhere (its commands point to the old place).
    """
    if cfg is None:
        return "none"
    keys: dict[str, str] = dict(re.findall(r"^(\S+) *= *(.*)$", cfg, re.MULTILINE))
    made_by = (keys.get("version") or keys.get("version_info") or "").split(".")[:2]
    moved = "command" in keys and not keys["command"].endswith(str(venv))
    if not works or moved or made_by != [str(part) for part in version]:
        return "stale"
    return "usable"


def compiled_pct(log: str) -> int | None:
    """How far ninja is by the last `[n/m]` of its output, in percent; None before it has begun."""
    found = re.findall(r"^\s*\[(\d+)/(\d+)\] ", log, re.MULTILINE)
    if not found or int(found[-1][1]) == 0:
        return None
    done, total = map(int, found[-1])
    return 100 * done // total


def duration(seconds: float) -> str:
    """`83.4` as "1 min 23 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


# --- what is there -------------------------------------------------------------------------------------------


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


def read_stamp(path: Path) -> dict[str, Any]:
    """What the last complete setup wrote; empty where there was none."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, recipe_now: str, extras: frozenset[str]) -> None:
    """Whole or not at all, as another setup may be reading it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"recipe": recipe_now, "extras": sorted(extras)}) + "\n", encoding="utf-8")
    fresh.replace(path)


# --- doing it ------------------------------------------------------------------------------------------------


class SetupFailed(Exception):
    """A step did not work. The text says what happened and what to do."""


@contextmanager
def only_one(lock: Path) -> Iterator[int]:
    """Wait for other setups of this clone, then keep them waiting. Gives the lock's file descriptor.

    Commands inherit it: were this process killed, the next setup still waits for the pip it left behind.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another setup of this clone to finish", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def carry_out(step: Step, logs: Path, lock_fd: int) -> None:
    """Run one step, output to a log in `logs`, a line of progress now and then. Raises `SetupFailed`."""
    if not step.argv:
        raise SetupFailed(step.say)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"setup-{step.name}.log"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                step.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **step.env},
                pass_fds=(lock_fd,),
            )
        except OSError as exc:
            raise SetupFailed(f"{step.argv[0]} cannot be run: {exc.strerror}") from None
        try:
            code = _wait(process, log)
        except KeyboardInterrupt:
            # The terminal sent Ctrl-C to it as well, unless only we were signalled.
            process.terminate()
            process.wait()
            raise
    if code and step.optional:
        print(f"      that did not work (exit status {code}, see {log}); going on without it", flush=True)
    elif code:
        raise SetupFailed(_report(step, code, log))


def _wait(process: subprocess.Popen[bytes], log: Path) -> int:
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=PROGRESS_EVERY_S)
        except subprocess.TimeoutExpired:
            pct = compiled_pct(_read(log))
            compiled = "" if pct is None else f", {pct} % compiled"
            print(f"      {duration(time.monotonic() - began)}{compiled}", flush=True)


def _report(step: Step, code: int, log: Path) -> str:
    tail = "\n".join(f"    {line}" for line in _read(log).splitlines()[-TAIL_LINES:])
    remedy = f"\n{step.remedy}." if step.remedy else ""
    return f"{shlex.join(step.argv)}\nfailed with exit status {code}. It ended with:\n{tail}\nAll of it: {log}{remedy}"


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def run(root: Path, wanted: frozenset[str], declined: frozenset[str], *, quiet: bool, dry_run: bool) -> None:
    """Bring `root/.venv` to the extras `wanted`. Any number of these may run at once. Raises `SetupFailed`.

    declined: extras not to bring back when the environment is made anew.
    """
    path = root / ".venv" / "farmhand-setup.json"
    now = recipe(
        (root / "pyproject.toml").read_bytes(), Path(__file__).read_bytes(), sys.version_info[:2], root
    )
    if up_to_date(read_stamp(path), now, wanted):
        if not quiet:
            print("Everything is set up already.")
    elif dry_run:
        for step in _plan_here(root, wanted, declined, read_stamp(path), now):
            print(step.say, *([f"    {shlex.join(step.argv)}"] if step.argv else []), sep="\n")
    else:
        with only_one(root / ".cache" / "setup.lock") as lock_fd:
            stamp = read_stamp(path)  # the one we waited for may have done it all
            if not up_to_date(stamp, now, wanted):
                steps = _plan_here(root, wanted, declined, stamp, now)
                _carry_out_all(steps, root / ".cache", path, now, lock_fd)


def _plan_here(
    root: Path, wanted: frozenset[str], declined: frozenset[str], stamp: Mapping[str, Any], now: str
) -> list[Step]:
    kept = frozenset(stamp.get("extras", ()))
    current = stamp.get("recipe") == now
    if not current:
        kept -= declined
    return plan(observe(root, wanted, kept, current=current), wanted)


def _carry_out_all(steps: Sequence[Step], logs: Path, stamp: Path, now: str, lock_fd: int) -> None:
    began = time.monotonic()
    for number, step in enumerate(steps, 1):
        if step.argv:
            print(f"[{number}/{len(steps)}] {step.say}", flush=True)
        if step.name in ("venv", "project"):
            stamp.unlink(missing_ok=True)  # until the next stamp the environment is in pieces
        carry_out(step, logs, lock_fd)
        if step.gives is not None:
            write_stamp(stamp, now, step.gives)
    print(f"Set up in {duration(time.monotonic() - began)}.", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/setup",
        description="Makes .venv and installs Farmhand in it; quick when there is nothing to do.",
    )
    parser.add_argument(
        "--no-llama", action="store_true", help="leave the embedded engine (a long build) out"
    )
    parser.add_argument("--test", action="store_true", help="with what scripts/test needs")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be run")
    parser.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to do")
    flags = parser.parse_args(argv)
    wanted = frozenset(["test"] if flags.test else []) | frozenset([] if flags.no_llama else ["llama"])
    declined = frozenset(["llama"] if flags.no_llama else [])
    try:
        run(ROOT, wanted, declined, quiet=flags.quiet, dry_run=flags.dry_run)
    except SetupFailed as exc:
        print(f"scripts/setup: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nscripts/setup: interrupted; run it again to carry on", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
