"""The stamp in `.venv`: what the last complete setup installed, and from what."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def recipe(pyproject: bytes, setup_source: bytes, version: tuple[int, int], root: Path) -> str:
    """What an environment was made from, as a hash: it is out of date when this changes.

    Of pyproject.toml only what an installation depends on, so that a new lint rule installs nothing.
    """
    project = tomllib.loads(pyproject.decode())
    tools = project.get("tool", {})
    parts = [project.get("build-system"), project.get("project"), tools.get("setuptools"), version, str(root)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode() + setup_source).hexdigest()


def setup_source(scripts: Path) -> bytes:
    """All of setup's own Python files, in `scripts`, with their names: what they do decides what is installed."""
    files = [scripts / "_setup.py", *sorted((scripts / "setup_steps").glob("*.py"))]
    return b"".join(file.name.encode() + b"\0" + file.read_bytes() + b"\0" for file in files)


def up_to_date(stamp: Mapping[str, Any], now: str, wanted: frozenset[str]) -> bool:
    """Does the stamp say that an environment of recipe `now` holds at least these extras?"""
    return stamp.get("recipe") == now and wanted <= set(stamp.get("extras", ()))


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
