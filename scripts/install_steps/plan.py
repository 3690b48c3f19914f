"""What is still to be done of an installation, from what lies on the disk and what `install.json` says is ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from install_steps.manifest import Manifest
from install_steps.shipped import DOWN, File, Service, Wanted
from phone.places import SERVICE_PREFIX, Places

NO_FILE = "no file"


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path. digest: `NO_FILE` for a folder, a link or anything else that is no plain file."""

    digest: str
    mode: int = 0o600


Disk = Mapping[Path, Found]
"""What is not in it is not there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """In the order of doing. folders: to make, outer ones first. claims, adopted: files and services that are as shipped, only not
    written down (somebody deleted the state folder).

    writes: put in place, one by one; edited: which of them (and of `removals`) a person has changed, so that their text is kept.
    modes: files with the right text and the wrong mode. removals: files of an older version. ended: services of an older version.
    """

    conflicts: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    claims: tuple[File, ...] = ()
    adopted: tuple[str, ...] = ()
    writes: tuple[File, ...] = ()
    edited: frozenset[Path] = frozenset()
    modes: tuple[File, ...] = ()
    removals: tuple[Path, ...] = ()
    ended: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()

    @property
    def empty(self) -> bool:
        return self == Plan()


def plan(want: Wanted, disk: Disk, manifest: Manifest, places: Places, *, start: bool) -> Plan:
    """start: the supervisor is to run; otherwise a `down` keeps a new one from it."""
    fresh = [service for service in want.services if places.service(service.name) not in disk]
    known = [service for service in want.services if service not in fresh]
    if not start:
        fresh = [_held(service, places) for service in fresh]
    living = [file for service in known for file in service.files if file.path.name != DOWN]
    files = [*want.files, *living]
    judged = {file.path: _judge(file, disk, manifest) for file in files}
    strangers = [service for service in known if service.name not in manifest.services]
    foreign = [file for file in files if judged[file.path] == "foreign"]
    foreign += [file for service in strangers for file in service.files if judged.get(file.path, "same") != "same"]
    writes = tuple(file for file in files if judged[file.path] in ("missing", "old", "edited"))
    removals = _obsolete(want, disk, manifest, places)
    edited = {path for path in judged if judged[path] == "edited"}
    edited |= {path for path in removals if disk[path].digest not in manifest.hashes(path)}
    return Plan(
        conflicts=tuple(dict.fromkeys(_conflict(file, places) for file in foreign)),
        folders=_folders([*(file.path.parent for file in writes), places.services, places.logs / "sv"], disk),
        claims=tuple(file for file in files if judged[file.path] == "same" and not manifest.has(file.path)),
        adopted=tuple(service.name for service in strangers),
        writes=writes,
        edited=frozenset(edited),
        modes=tuple(file for file in files if judged[file.path] == "same" and disk[file.path].mode != file.mode),
        removals=removals,
        ended=tuple(name for name in manifest.services if _is_obsolete_service(name, want, disk, places)),
        services=tuple(fresh),
    )


def _judge(file: File, disk: Disk, manifest: Manifest) -> str:
    found = disk.get(file.path)
    if found is None:
        return "missing"
    if file.once:
        return "theirs"
    if found.digest == file.digest:
        return "same"
    if not manifest.has(file.path) or found.digest == NO_FILE:
        return "foreign"
    return "old" if found.digest in manifest.hashes(file.path) else "edited"


def _conflict(file: File, places: Places) -> str:
    """A sentence, and what to type."""
    if file.path.is_relative_to(places.services):
        folder = places.services / file.path.relative_to(places.services).parts[0]
        aside = places.user / f"{folder.name}.old"
        return (
            f"{folder} is a service that scripts/install did not make here.\n"
            f"    If nobody needs it: sv -w 30 down {folder}; sv exit {folder}; mv {folder} {aside}"
        )
    return f"{file.path} is not from scripts/install.\n    If nobody needs it: mv {file.path} {places.user / file.path.name}.old"


def _held(service: Service, places: Places) -> Service:
    path = places.service(service.name) / DOWN
    if service.name != SERVICE_PREFIX or any(file.path == path for file in service.files):
        return service
    return replace(service, files=(*service.files, File(path, b"")))


def _folders(needed: Sequence[Path], disk: Disk) -> tuple[Path, ...]:
    missing = {folder for path in needed for folder in (path, *path.parents) if folder not in disk}
    return tuple(sorted(missing, key=lambda folder: (len(folder.parts), str(folder))))


def _obsolete(want: Wanted, disk: Disk, manifest: Manifest, places: Places) -> tuple[Path, ...]:
    """Files of ours that this version has not. Those of a service that ends go with its folder, `once` ones are a person's."""
    keep = {file.path for file in (*want.files, *(file for service in want.services for file in service.files))}
    ending = [places.service(s) for s in manifest.services if _is_obsolete_service(s, want, disk, places)]
    return tuple(
        path
        for path in map(Path, manifest.files)
        if path not in keep
        and path in disk
        and disk[path].digest != NO_FILE
        and path.name != DOWN
        # Whoever changed the configuration may need what else is in it.
        and (path != places.config or disk[path].digest in manifest.hashes(path))
        and not any(path.is_relative_to(folder) for folder in ending)
    )


def _is_obsolete_service(name: str, want: Wanted, disk: Disk, places: Places) -> bool:
    return name not in {service.name for service in want.services} and places.service(name) in disk
