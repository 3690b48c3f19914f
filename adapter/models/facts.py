"""The small JSON files beside a model and beside an unfinished one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapter.models.replies import Validators


@dataclass(frozen=True, slots=True)
class Facts:
    """What is remembered about a model in the store: `NAME.gguf.json`.

    sha256: of the file when it was whole. checked: who vouched for it (`source`, `you`), or `computed` if nobody did and
    it was only written down. commit: of the Hub's repository.
    """

    origin: str
    sha256: str
    size_bytes: int
    checked: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What is remembered about an unfinished download: `NAME.gguf.part.json`."""

    origin: str
    validators: Validators
    commit: str | None = None


def read_facts(path: Path) -> Facts | None:
    """`None` if nothing is remembered, or nothing that can be read: it is only a convenience."""
    data = _read(path)
    try:
        return Facts(
            origin=_text(data["origin"]),
            sha256=_text(data["sha256"]),
            size_bytes=int(data["size_bytes"]),
            checked=_text(data["checked"]),
            commit=data.get("commit"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def read_begun(path: Path) -> Begun | None:
    """As `read_facts`. Without it an unfinished download starts over."""
    data = _read(path)
    try:
        return Begun(_text(data["origin"]), Validators(**data["validators"]), data.get("commit"))
    except (KeyError, TypeError, ValueError):
        return None


def write_json(path: Path, what: Facts | Begun) -> None:
    """Whole or not at all: a kill in between leaves what was there."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump(asdict(what), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
