"""Which file of `termux/` goes where. Pure.

Their text has Termux's own prefix in it, shebangs too (`facts/termux.md` 2.3: nothing maps them where they are started from). In
another prefix it is replaced, and nothing else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from install_steps.where import Here
from phone.places import SERVICE_PREFIX, TERMUX_PREFIX

# Each folder costs two processes, runsv and svlogd, even while its service is down; Android bears 32 of all apps together
# (`facts/termux.md` 4.2). So these are put in their place only where they are wanted.
ENGINE_SERVICE = f"{SERVICE_PREFIX}-engine"
OPTIONAL = {"proxy": f"{SERVICE_PREFIX}-litellm", "gateway": f"{SERVICE_PREFIX}-openclaw"}
DOWN = "down"
ENSURE = "ensure"


@dataclass(frozen=True, slots=True)
class File:
    """once: written where there is none, and from then on a person's own."""

    path: Path
    content: bytes
    mode: int = 0o600
    once: bool = False

    @property
    def digest(self) -> str:
        return digest(self.content)


@dataclass(frozen=True, slots=True)
class Service:
    """One folder of runit's. files: with absolute paths; `down` among them keeps it from starting by itself."""

    name: str
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """All files of an installation. services: the supervisor's own last, since it starts as soon as it is there."""

    services: tuple[Service, ...] = ()
    files: tuple[File, ...] = ()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wanted(
    sources: Mapping[str, bytes], here: Here, *, shortcuts: bool, without: Collection[str] = (), extra: Sequence[File] = ()
) -> Wanted:
    """sources: path below `termux/` -> content. shortcuts: Termux:Widget reads them. without: services that are not wanted.

    extra: files with a text of their own making. Raises nothing; what it does not know goes nowhere.
    """
    services: dict[str, list[File]] = {}
    files: list[File] = []
    for source, content in sorted(sources.items()):
        parts = PurePosixPath(source).parts
        target = _target(parts, here)
        if target is None or (parts[0] == "shortcuts" and not shortcuts):
            continue
        mapped = content.replace(TERMUX_PREFIX.encode(), str(here.places.prefix).encode())
        file = File(target, mapped, 0o700 if content.startswith(b"#!") else 0o600)
        if target.is_relative_to(here.places.services):
            services.setdefault(parts[1], []).append(file)
        elif parts[0] != "sv" or parts[1] not in without:
            files.append(file)
    for name in without:
        services.pop(name, None)
    ordered = sorted(services, key=lambda name: (name == SERVICE_PREFIX, name))
    return Wanted(tuple(Service(name, tuple(services[name])) for name in ordered), (*extra, *files))


def _target(parts: Sequence[str], here: Here) -> Path | None:
    places = here.places
    match list(parts):
        case ["sv", name, "log", "config"]:  # svlogd reads it where it writes (`facts/termux.md` 2.4)
            return places.log(name).with_name("config")
        case ["sv", name, *rest] if rest:
            return places.service(name).joinpath(*rest)
        case ["bin", name]:
            return places.prefix / "bin" / name
        case ["boot", name]:
            return places.boot_scripts / name
        case ["shortcuts", *rest] if rest:
            return places.user.joinpath(".shortcuts", *rest)
        case [name]:
            return here.libexec / name
        case _:
            return None
