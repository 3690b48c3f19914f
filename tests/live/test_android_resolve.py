"""Every runtime dependency can be installed on the phone: a wheel for Android, or one of three written exceptions.

pip answers for one requirement at a time ("which wheel would a phone get?"), and the tree is walked here: pip
itself would evaluate the markers of dependencies for the machine that the test runs on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from setup_steps.plan import PYDANTIC

ROOT = Path(__file__).resolve().parent.parent.parent

PHONE_PYTHON = "3.14"
# Python's own oldest Android is 21; Termux calls itself 24 on every phone, and takes what is older.
PLATFORMS = [f"android_{level}_arm64_v8a" for level in (24, 23, 22, 21)]
PHONE = Environment(
    implementation_name="cpython",
    implementation_version=f"{PHONE_PYTHON}.6",
    os_name="posix",
    platform_machine="aarch64",
    platform_python_implementation="CPython",
    platform_release="",
    platform_system="Android",
    platform_version="",
    python_full_version=f"{PHONE_PYTHON}.6",
    python_version=PHONE_PYTHON,
    sys_platform="android",
)

PIP_LIMIT_S = 120.0
PIP_SILENCE_S = 20


@dataclass(frozen=True)
class ByOtherMeans:
    """A distribution that a phone gets elsewhere: from where, in which version, and what it needs in turn."""

    source: str
    version: str
    requires: tuple[str, ...]


# The whole list. Each of them is a step of scripts/setup on the phone.
EXCEPTIONS = {
    "pydantic-core": ByOtherMeans(
        "wheel in the Termux user repository", "2.41.5", ("typing-extensions>=4.14.1",)
    ),
    "numpy": ByOtherMeans("Termux package python-numpy", "2.4.4", ()),
    "llama-cpp-python": ByOtherMeans(
        "compiled on the phone",
        "0.3.36",
        ("typing-extensions>=4.5.0", "numpy>=1.20.0", "diskcache>=5.6.1", "jinja2>=2.11.3"),
    ),
}

Found = tuple[Version, Sequence[str]]  # a version, and its Requires-Dist lines
Lookup = Callable[[Requirement], Found | None]  # None: a phone finds no wheel for it


@dataclass
class Walk:
    """The dependency tree of a phone, as far as it resolved."""

    versions: dict[str, Version] = field(default_factory=dict)
    by_other_means: set[str] = field(default_factory=set)
    without_wheel: set[str] = field(default_factory=set)


def walk(roots: Iterable[str], look_up: Lookup) -> Walk:
    """Follow requirements from `roots`. Each name is looked up under all specifiers met for it so far."""
    result = Walk()
    asked: dict[str, SpecifierSet] = {}
    todo = [(Requirement(line), frozenset[str]()) for line in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement, extras_of_parent = todo.pop(0)
        if not _applies(requirement, extras_of_parent):
            continue
        name = canonicalize_name(requirement.name)
        asked[name] = asked.get(name, SpecifierSet()) & requirement.specifier
        extras = frozenset(requirement.extras)
        satisfied = name in result.versions and asked[name].contains(result.versions[name], prereleases=True)
        if name in result.without_wheel or (satisfied and (name, extras) in seen):
            continue
        seen.add((name, extras))
        found = _excepted(name) or look_up(Requirement(f"{name}{asked[name]}"))
        if found is None or not asked[name].contains(found[0], prereleases=True):
            result.without_wheel.add(name)
            continue
        if name in EXCEPTIONS:
            result.by_other_means.add(name)
        result.versions[name] = found[0]
        todo += [(Requirement(line), extras) for line in found[1]]
    return result


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    phone = {key: str(value) for key, value in PHONE.items()}
    return any(requirement.marker.evaluate({**phone, "extra": extra}) for extra in (extras or {""}))


def _excepted(name: str) -> Found | None:
    exception = EXCEPTIONS.get(name)
    return None if exception is None else (Version(exception.version), exception.requires)


def runtime_requirements() -> list[str]:
    """What a phone installs: the project's dependencies, the `llama` extra, and setup's pin of pydantic."""
    project = _project()
    return [PYDANTIC, *project["dependencies"], *project["optional-dependencies"]["llama"]]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


# --- asking pip ----------------------------------------------------------------------------------------------


def _pip(folder: Path, *arguments: str) -> Found | None:
    """What pip would install for a requirement, from the indexes it is configured for; None if one is not there.

    arguments: options and requirements; of several requirements the answer is about the first.
    """
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet"]
    argv += ["--target", str(folder / "target"), "--cache-dir", str(folder / "cache"), "--report", "-"]
    argv += ["--disable-pip-version-check", "--no-input", f"--timeout={PIP_SILENCE_S}", "--retries=1"]
    argv += ["--only-binary=:all:", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PIP_LIMIT_S, check=False)
    if done.returncode:
        return None
    said = json.loads(done.stdout)["install"][0]["metadata"]
    return Version(said["version"]), said.get("requires_dist", [])


@pytest.fixture(scope="module")
def phone_pip(tmp_path_factory: pytest.TempPathFactory) -> Lookup:
    """Looks requirements up as a phone would. Skips where no index answers; a CI run must have one."""
    folder = tmp_path_factory.mktemp("pip")
    # For this machine they exist whatever a phone gets. All of them, as a local folder may hold some.
    if _pip(folder, *_project()["dependencies"]) is None:
        message = "pip reached no package index, so nothing can be said about wheels for Android"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    phone = [f"--platform={platform}" for platform in PLATFORMS]
    phone += [f"--python-version={PHONE_PYTHON}", "--implementation=cp", "--abi=cp314"]
    return lambda requirement: _pip(folder, *phone, str(requirement))


def test_every_runtime_dependency_has_a_wheel_for_the_phone(phone_pip: Lookup) -> None:
    """A dependency that would be compiled on the phone is noticed when it is added, not by its first user."""
    result = walk(runtime_requirements(), phone_pip)
    assert result.without_wheel == set(), "no wheel for Android: choose another library, or make it optional"
    assert result.by_other_means == set(EXCEPTIONS), "an exception that nothing needs any more should go"
    assert {"aiohttp", "pydantic", "sh", "jinja2", "markupsafe", "multidict"} <= result.versions.keys()


def test_a_dependency_without_a_wheel_is_found_out(phone_pip: Lookup) -> None:
    """The check can fail: jiter is compiled everywhere and has no Android wheel; sh is fine."""
    result = walk(["sh>=2.2.2", "jiter", "pydantic==2.12.5"], phone_pip)
    assert result.without_wheel == {"jiter"}
    assert {"sh", "pydantic", "typing-extensions"} <= result.versions.keys()


# --- the walk itself, without pip ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roots", "without_wheel", "reached"),
    [
        (["a"], set(), {"a", "b", "c"}),
        (["a", "rusty"], {"rusty"}, {"a", "b", "c"}),
        (["indirect"], {"rusty"}, {"indirect"}),
        (["indirect; sys_platform == 'linux'"], set(), set()),
        (["windows-only"], set(), {"windows-only"}),
        (["with-extra"], set(), {"with-extra"}),
        (["with-extra[fast]"], {"rusty"}, {"with-extra"}),
        (["a", "b>=2"], {"b"}, {"a", "c"}),
        (["numpy>=99"], {"numpy"}, set()),
        (["llama_cpp_python==0.3.36"], set(), {"llama-cpp-python", "numpy", "diskcache"}),
    ],
)
def test_walk(roots: list[str], without_wheel: set[str], reached: set[str]) -> None:
    """Markers, extras, exceptions and colliding bounds, over a made-up index."""
    index: dict[str, Found] = {
        "a": (Version("1"), ["b>=1", "c; python_version >= '3.14'", "rusty; extra == 'fast'"]),
        "b": (Version("1"), []),
        "c": (Version("1"), ["a"]),
        "indirect": (Version("1"), ["rusty; platform_system == 'Android'"]),
        "windows-only": (Version("1"), ["rusty; sys_platform == 'win32'"]),
        "with-extra": (Version("1"), ["rusty; extra == 'fast'"]),
        **{name: (Version("99"), []) for name in ("typing-extensions", "diskcache", "jinja2")},
    }
    result = walk(roots, lambda requirement: index.get(requirement.name))
    assert result.without_wheel == without_wheel
    assert reached <= result.versions.keys() | without_wheel
    assert not without_wheel & {"a", "c"}


@pytest.mark.parametrize("name", [name for name, exception in EXCEPTIONS.items() if exception.requires])
def test_what_the_exceptions_need_is_as_written(name: str) -> None:
    """The table repeats what the installed distribution says of itself; numpy comes whole from its package."""
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed here: scripts/setup without --no-llama installs it")
    assert EXCEPTIONS[name].version == installed.version
    needs = [Requirement(line) for line in installed.requires or ()]
    assert {str(r) for r in needs if _applies(r, frozenset())} == set(EXCEPTIONS[name].requires)
