"""What setup knows about a machine, and how it judges what it sees there. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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


def is_termux(platform: str, prefix: str) -> bool:
    """platform: `sys.platform` ("linux" in Termux's Python up to 3.12); prefix: the variable PREFIX."""
    return platform == "android" or "com.termux" in prefix


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
