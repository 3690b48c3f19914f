"""What svlogd writes, taken apart and put together for people. Pure.

A line is `2026-11-20_09:43:48.03596 text`, in UTC (`facts/termux.md` 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d:\d\d:\d\d)\.(\d{1,9}) ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a service's log. at: its stamp as written, which sorts by time; "" for a line without one, such as the rest of
    one that was cut by a rotation: it belongs to the line before."""

    service: str
    at: str
    text: str


def parse(service: str, raw: str) -> Line:
    found = _STAMP.fullmatch(raw)
    if found is None:
        return Line(service, "", raw)
    day, clock, fraction, text = found.groups()
    return Line(service, f"{day}_{clock}.{fraction:0<9}", text)


def merged(logs: Iterable[Sequence[Line]]) -> list[Line]:
    """Lines of several logs by time; of each log in their own order, even where its clock was set back."""
    keyed = []
    for number, log in enumerate(logs):
        latest = ""
        for place, line in enumerate(log):
            latest = max(latest, line.at)
            keyed.append((latest, number, place, line))
    return [line for *_, line in sorted(keyed, key=lambda entry: entry[:3])]


def shown(line: Line, offset: timedelta, *, width: int) -> str:
    """`11-20 10:43:48 adapter  text`, in local time; without control characters. offset: of local time from UTC. width: of the name's column."""
    clean = "".join(char if char.isprintable() else " " for char in line.text)
    clean = re.sub(rf"^([A-Z]) {line.service} ", r"\1 ", clean)  # its logger's name is what the column says
    return f"{_local(line.at, offset):14} {line.service:{width}} {clean}".rstrip()


def as_json(line: Line) -> dict[str, str]:
    """time in UTC, as ISO 8601; empty for a line without one."""
    stamp = line.at.replace("_", "T")
    return {"time": f"{stamp[:-3]}Z" if stamp else "", "service": line.service, "text": line.text}


def _local(at: str, offset: timedelta) -> str:
    if not at:
        return ""
    try:
        utc = datetime.strptime(at[:19], "%Y-%m-%d_%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:  # digits that are no date
        return at[5:19].replace("_", " ")
    return (utc + offset).strftime("%m-%d %H:%M:%S")
