"""What the phone tells without Termux:API: memory, the clock of its big cores, and the processes of our own user (`facts/termux.md` 6).

Other sources are closed to an app: /proc/stat, /sys/class/thermal, other users' processes. What cannot be read is `None`, never an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phone.device import Battery, Device

_CPU = re.compile(r"cpu\d+")
_CPUFREQ = "cpufreq"


@dataclass(frozen=True, slots=True)
class Core:
    """Clocks in kHz. now: `None` while it is switched off, or where it may not be read."""

    highest: int
    now: int | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """One process of our own user, as far as it may be read. rss_bytes: what of it is in memory. command: its arguments, one text."""

    pid: int
    parent: int
    group: int
    session: int
    state: str
    name: str
    rss_bytes: int | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How Android treats this very process: which cores it may use, and how soon it goes when memory is short (-1000..1000)."""

    cpuset: str = ""
    cores: tuple[int, ...] = ()
    oom_score_adj: int | None = None


class AsksBattery(Protocol):
    def battery(self, max_age_s: float = ...) -> Battery | None: ...


class Sensors:
    """Reads the phone. proc, sys: where /proc and /sys are. uid: whose processes are listed; our own by default.

    Reading files takes milliseconds; `device` may take as long as Termux:API may (`phone/termux.py`), so call it in a thread.
    """

    def __init__(
        self,
        termux: AsksBattery,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        uid: int | None = None,
    ) -> None:
        self._termux = termux
        self._proc = proc
        self._sys = sys
        self._uid = os.getuid() if uid is None else uid

    def device(self, battery_max_age_s: float) -> Device:
        available, total = parse_meminfo(_read(self._proc / "meminfo"))
        return Device(
            battery=self._termux.battery(battery_max_age_s),
            available_bytes=available,
            total_bytes=total,
            big_clock=big_clock(self.cores()),
        )

    def cores(self) -> tuple[Core, ...]:
        """Those whose highest clock may be read."""
        return tuple(core for folder in self._cpu_folders() if (core := _core(folder / _CPUFREQ)))

    def standing(self) -> Standing:
        """For a log at the start: a daemon may have been given fewer cores than the app has (`facts/termux.md` 6)."""
        adjusted = _read(self._proc / "self" / "oom_score_adj").strip()
        return Standing(
            cpuset=_read(self._proc / "self" / "cpuset").strip(),
            cores=_affinity(),
            oom_score_adj=int(adjusted) if re.fullmatch(r"-?\d{1,4}", adjusted) else None,
        )

    def processes(self) -> tuple[Process, ...]:
        """Of our user, ourselves included, by pid: what the phantom killer counts (`facts/termux.md` 4.2)."""
        return processes(self._proc, self._uid)

    def _cpu_folders(self) -> list[Path]:
        base = self._sys / "devices" / "system" / "cpu"
        return sorted(base / name for name in _names(base) if _CPU.fullmatch(name))


def processes(proc: Path, uid: int) -> tuple[Process, ...]:
    found = (_process(proc / name, uid) for name in _names(proc) if name.isdecimal())
    return tuple(sorted((process for process in found if process), key=lambda process: process.pid))


def descendants(pid: int, known: Iterable[Process]) -> tuple[Process, ...]:
    """Children of `pid`, their children and so on; whose parent has ended is nobody's child any more."""
    by_parent: dict[int, list[Process]] = {}
    for process in known:
        by_parent.setdefault(process.parent, []).append(process)
    return tuple(_walk(pid, by_parent, {pid}))


def _walk(pid: int, by_parent: dict[int, list[Process]], seen: set[int]) -> Iterator[Process]:
    for child in by_parent.get(pid, []):
        if child.pid not in seen:
            seen.add(child.pid)
            yield child
            yield from _walk(child.pid, by_parent, seen)


# --- what the files say ------------------------------------------------------------------------------------------


def parse_meminfo(text: str) -> tuple[int | None, int | None]:
    """MemAvailable and MemTotal, in bytes."""
    values = {key: int(kib) * 1024 for key, kib in re.findall(r"^(\w+):\s+(\d{1,15}) kB", text, re.MULTILINE)}
    return values.get("MemAvailable"), values.get("MemTotal")


def big_clock(cores: Sequence[Core]) -> float | None:
    """The clock of now as a share of the highest, of the group of cores with the highest clock: the one of them that runs fastest,
    since the others may just have nothing to do. `None` if none of them can be read; 0..1."""
    top = max((core.highest for core in cores), default=0)
    shares = [core.now / top for core in cores if core.highest == top and core.now is not None]
    return min(1.0, max(shares)) if shares else None


def parse_stat(text: str) -> Process | None:
    """/proc/PID/stat. The name stands in brackets and may have brackets and spaces in it."""
    match = re.match(r"(\d{1,10}) \((.*)\) (\S) (-?\d{1,10}) (-?\d{1,10}) (-?\d{1,10}) ", text, re.DOTALL)
    if not match:
        return None
    pid, name, state, parent, group, session = match.groups()
    return Process(int(pid), int(parent), int(group), int(session), state, name)


def parse_status(text: str) -> tuple[int | None, int | None]:
    """/proc/PID/status: the real user's id, and bytes in memory (zombies have none)."""
    uid = re.search(r"^Uid:\s+(\d{1,10})\b", text, re.MULTILINE)
    rss = re.search(r"^VmRSS:\s+(\d{1,15}) kB", text, re.MULTILINE)
    return int(uid[1]) if uid else None, int(rss[1]) * 1024 if rss else None


def _process(folder: Path, uid: int) -> Process | None:
    owner, rss = parse_status(_read(folder / "status"))
    found = parse_stat(_read(folder / "stat")) if owner == uid else None
    if found is None:
        return None
    command = _read(folder / "cmdline").replace("\0", " ").strip()
    return Process(found.pid, found.parent, found.group, found.session, found.state, found.name, rss, command)


def _core(folder: Path) -> Core | None:
    highest = _kilohertz(folder / "cpuinfo_max_freq")
    return Core(highest, _kilohertz(folder / "scaling_cur_freq")) if highest else None


def _kilohertz(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if re.fullmatch(r"[1-9]\d{0,9}", text) else None


def _affinity() -> tuple[int, ...]:
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except (AttributeError, OSError):
        return ()


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path: Path) -> str:
    """Empty if it cannot be read: not there, not allowed, or its process has just ended."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
