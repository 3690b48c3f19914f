"""`install.json`: all that an installation made, written before it is made. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

VERSION = 1


class ManifestError(ValueError):
    """The text is no manifest. Says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """files: path -> hashes (`shipped.digest`) of what we put there, the newest last: after an interruption either may lie there.

    folders: made by us, outer ones first. services: names of service folders. packages: newly installed for us. job: the id in Android's
    job scheduler. key: made by us. held: the `down` of the supervisor is ours (`--no-start`). llama: "" (built, or declined), or
    "failed": Termux's own llama-server serves instead.
    """

    root: str = ""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    job: int | None = None
    key: bool = False
    held: bool = False
    llama: str = ""

    def has(self, path: Path) -> bool:
        return str(path) in self.files

    def hashes(self, path: Path) -> tuple[str, ...]:
        return self.files.get(str(path), ())

    def with_file(self, path: Path, digest: str) -> Manifest:
        """With what is about to be put at `path`, beside what lay there."""
        known = tuple(h for h in self.hashes(path) if h != digest)[-1:]
        return replace(self, files={**self.files, str(path): (*known, digest)})

    def without_file(self, path: Path) -> Manifest:
        return replace(self, files={name: hashes for name, hashes in self.files.items() if name != str(path)})

    def with_folders(self, *paths: Path) -> Manifest:
        new = tuple(text for path in paths if (text := str(path)) not in self.folders)
        return replace(self, folders=(*self.folders, *new))

    def with_service(self, name: str) -> Manifest:
        return self if name in self.services else replace(self, services=(*self.services, name))

    def with_packages(self, *names: str) -> Manifest:
        return replace(self, packages=(*self.packages, *(name for name in names if name not in self.packages)))


def text_of(manifest: Manifest) -> str:
    return json.dumps({"version": VERSION, **asdict(manifest)}, indent=1, sort_keys=True) + "\n"


def parse(text: str) -> Manifest:
    """Raises `ManifestError`."""
    try:
        data = json.loads(text)
    except ValueError as exc:
        raise ManifestError(f"is not JSON ({exc})") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ManifestError("is of another version of Farmhand, or of something else")
    try:
        return _manifest(data)
    except (KeyError, TypeError, AttributeError) as exc:
        raise ManifestError(f"lacks what it should say ({exc!r})") from None


def _manifest(data: Mapping[str, Any]) -> Manifest:
    job = data["job"]
    return Manifest(
        root=str(data["root"]),
        files={str(path): tuple(str(h) for h in hashes) for path, hashes in data["files"].items()},
        folders=_texts(data["folders"]),
        services=_texts(data["services"]),
        packages=_texts(data["packages"]),
        job=None if job is None else int(job),
        key=bool(data["key"]),
        held=bool(data["held"]),
        llama=str(data["llama"]),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(str(entry) for entry in value)
