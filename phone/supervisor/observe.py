"""One look at what lies on the disk: runit's states, new ends, who is wanted, a person's pause. Blocking, short; for a thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from phone.places import Places
from phone.settings import PhoneSettings
from phone.supervisor.hold import Hold
from phone.supervisor.last_line import last_line
from phone.supervisor.store import read_hold
from phone.supervisor.types import Exit, Phase, Runit, Service

# The end of a log that is read for the last words of a service.
TAIL_BYTES = 8192
# Who changes its state more often than that within one look is looked at again soon.
READS = 3


class Reads(Protocol):
    """Of `phone/runit.py`, what reads."""

    def status(self, folder: str) -> Runit: ...

    def exits(self, folder: str, after_offset: int) -> tuple[tuple[Exit, ...], int]: ...


@dataclass(frozen=True, slots=True)
class Glance:
    """offsets: how far the records of ends are read now. absent: wanted by the settings, but without a service folder. hold: a person's pause that
    counts now; hold_over: there was one. hold_words: why it could not be read. anchored: a task of ours in Termux lives."""

    runits: Mapping[Service, Runit] = field(default_factory=dict)
    exits: Mapping[Service, tuple[Exit, ...]] = field(default_factory=dict)
    offsets: Mapping[Service, int] = field(default_factory=dict)
    last_lines: Mapping[Service, str] = field(default_factory=dict)
    enabled: frozenset[Service] = frozenset()
    absent: frozenset[Service] = frozenset()
    hold: Hold | None = None
    hold_over: bool = False
    hold_words: str = ""
    anchored: bool = False


def glance(
    places: Places, runit: Reads, settings: PhoneSettings, offsets: Mapping[Service, int], wall_s: float
) -> Glance:
    """offsets: as the last look left them; a service that is not in them has no past, so its old ends do not count."""
    runits: dict[Service, Runit] = {}
    exits: dict[Service, tuple[Exit, ...]] = {}
    read: dict[Service, int] = {}
    for service in Service:
        runits[service], exits[service], read[service] = _one(places, runit, service, offsets.get(service))
    wanted = wanted_by(settings) | ({Service.ENGINE} if (places.state / "engine.env").exists() else set())
    there = {service for service in wanted if _is_there(places, service, runits[service])}
    hold, over, words = _hold(places, wall_s)
    return Glance(
        runits,
        exits,
        read,
        {service: _last_words(places, service, ends[-1]) for service, ends in exits.items() if ends},
        # Without the adapter there is nothing to supervise: where it is missing, that is said.
        enabled=frozenset(there | {Service.ADAPTER}),
        absent=frozenset(wanted - there - {Service.ADAPTER, Service.ENGINE}),
        hold=hold,
        hold_over=over,
        hold_words=words,
        anchored=is_anchored(places.run / "anchor.pid"),
    )


def _one(
    places: Places, runit: Reads, service: Service, offset: int | None
) -> tuple[Runit, tuple[Exit, ...], int]:
    """State and ends that belong together: a service that ends between two reads must not count twice."""
    look = runit.status(service.folder)
    exits: tuple[Exit, ...] = ()
    read = 0
    for _ in range(READS):
        if offset is None:
            read = _size(places.exits / service.folder)
        else:
            exits, read = runit.exits(service.folder, offset)
        before, look = look, runit.status(service.folder)
        if look == before:
            break
    # The pid of `finish` is not the service's.
    return (replace(look, pid=None) if look.phase is Phase.FINISH else look), exits, read


def wanted_by(settings: PhoneSettings) -> set[Service]:
    wanted = {Service.ADAPTER}
    if settings.proxy.enabled:
        wanted.add(Service.PROXY)
    if settings.gateway.enabled:
        wanted.add(Service.GATEWAY)
    return wanted


def _is_there(places: Places, service: Service, runit: Runit) -> bool:
    return runit.phase is not Phase.MISSING or places.service(service.folder).is_dir()


def _hold(places: Places, wall_s: float) -> tuple[Hold | None, bool, str]:
    try:
        hold = read_hold(places)
    except ValueError as exc:
        return None, False, str(exc)
    if hold is None:
        return None, False, ""
    return (None, True, "") if hold.is_over(wall_s) else (hold, False, "")


def _last_words(places: Places, service: Service, end: Exit) -> str:
    return last_line(_tail(places.log(service.folder)), service.folder, end.wall_at_s)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_anchored(pid_file: Path, proc: Path = Path("/proc")) -> bool:
    """Does the anchor live? A pid may have gone to another program since it was written down."""
    try:
        pid = pid_file.read_text(encoding="ascii").strip()
        return pid.isdecimal() and (proc / pid / "comm").read_text(encoding="utf-8").strip() == "sleep"
    except (OSError, ValueError):
        return False
