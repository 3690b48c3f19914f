"""Recorded exchanges of the real server, and how to compare them with another one.

The format is described beside the recordings. What is compared are *units*: a whole plain
answer, the head of a stream, one chunk, one server-sent event, the end of a connection, one
engine event. TCP segments and times are not.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ENGINE = "engine"
CLIENT = "client"
"""Labels under which engine events and the clients' acts stand in a timeline, beside the connections'."""

FIN = "fin"

# Events closer than this have no order across connections: the recorder's client read one socket
# after the other, and its engine lines are good to some milliseconds only.
WIRE_TIE_S = 0.005
ENGINE_TIE_S = 0.015

_VOLATILE = [
    (r'"(created_at|modified_at|loaded_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', r'"\1":"TIME"'),
    (r'"created":\d{10}\b', r'"created":TIME'),
    (r'"id":"chatcmpl-\d{13}-[0-9a-z]{6}"', r'"id":"chatcmpl-ID"'),
    (r'"total_duration_ms":\d+', r'"total_duration_ms":DURATION'),
]
_UNIT_HEAD = re.compile(rb"HTTP/1\.1 .*?\r\n\r\n", re.DOTALL)
_UNIT_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")
_UNIT_EVENT = re.compile(rb"data: .*?\n\n", re.DOTALL)


@dataclass(frozen=True)
class ClientAct:
    """Something the recorded client did."""

    time_s: float
    connection: str
    what: Literal["send", "fin", "half_close"]
    data: bytes
    units_before: dict[str, int]
    """How many units it had received on each connection by then: the cause of the act."""


@dataclass(frozen=True)
class Happening:
    """One unit on one connection, one engine event, or one act of a client."""

    time_s: float
    label: str
    what: str


@dataclass
class Timeline:
    """Everything a server did, and when its clients acted, in the order seen."""

    happenings: list[Happening] = field(default_factory=list)
    _pending: dict[str, bytes] = field(default_factory=dict)

    def receive(self, time_s: float, connection: str, data: bytes) -> None:
        """Bytes from the server; whole units become happenings."""
        units, rest = split_units(self._pending.pop(connection, b"") + data)
        self.happenings += [Happening(time_s, connection, normalized(unit)) for unit in units]
        if rest:
            self._pending[connection] = rest

    def end(self, time_s: float, connection: str) -> None:
        self.happenings.append(Happening(time_s, connection, FIN))

    def engine(self, time_s: float, what: str, fields: dict[str, Any]) -> None:
        self.happenings.append(Happening(time_s, ENGINE, f"{what} {json.dumps(fields, sort_keys=True)}"))

    def act(self, time_s: float, connection: str, what: str) -> None:
        self.happenings.append(Happening(time_s, CLIENT, f"{connection} {what}"))

    def of(self, label: str) -> list[str]:
        """What happened under one label, and what is left over of an unfinished unit."""
        left_over = [repr(self._pending[label])] if label in self._pending else []
        return [happening.what for happening in self.happenings if happening.label == label] + left_over

    def counts(self) -> dict[str, int]:
        labels = {happening.label for happening in self.happenings}
        return {label: len(self.of(label)) for label in labels}


@dataclass(frozen=True)
class Recording:
    """One file."""

    scenario: str
    acts: list[ClientAct]
    timeline: Timeline
    end_s: float
    """When the last thing happened."""


def read_recording(path: Path) -> Recording:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    scenario = lines.pop(0)["meta"]["scenario"]
    acts: list[ClientAct] = []
    timeline = Timeline()
    first_gen = min((line["gen"] for line in lines if "gen" in line), default=0)
    for line in lines:
        time_s = line["t"]
        if "engine" in line:
            timeline.engine(time_s, line["engine"], relative_fields(line, first_gen))
        elif line.get("dir") == "c2s":
            data = base64.b64decode(line.get("b64", ""))
            what = line.get("event", "send")
            acts.append(ClientAct(time_s, line["c"], what, data, _wire_counts(timeline)))
            timeline.act(time_s, line["c"], what)
        elif "b64" in line:
            timeline.receive(time_s, line["c"], base64.b64decode(line["b64"]))
        elif line.get("event"):
            assert line["event"] == FIN, line
            timeline.end(time_s, line["c"])
    return Recording(scenario, acts, timeline, lines[-1]["t"])


def relative_fields(fields: Iterable[tuple[str, Any]] | dict[str, Any], first_gen: int) -> dict[str, Any]:
    """An engine event's own fields; generations are numbered from 0, wherever the recorder was."""
    own = {key: value for key, value in dict(fields).items() if key not in ("t", "engine")}
    return {**own, "gen": own["gen"] - first_gen} if "gen" in own else own


def split_units(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut what a server sent into units; the rest is not complete yet.

    A unit tells by its first bytes what it is, so an answer in the middle of a chunked body
    (interleaved-answers) is cut out as well.
    """
    units: list[bytes] = []
    while data and (length := _unit_length(data)) is not None and length <= len(data):
        units.append(data[:length])
        data = data[length:]
    return units, data


def readable(unit: bytes) -> str:
    """A unit as text; a chunk's size must be right, then it is left out."""
    chunk = _UNIT_CHUNK.match(unit)
    if chunk is not None:
        body = unit[chunk.end() : -2]
        assert len(body) == int(chunk[1], 16) and unit.endswith(b"\r\n"), unit
        unit = b"chunk: " + body
    return unit.decode()


def normalized(unit: bytes) -> str:
    """A readable unit without what differs from run to run."""
    text = readable(unit)
    for pattern, replacement in _VOLATILE:
        text = re.sub(pattern, replacement, text)
    return text


def _unit_length(data: bytes) -> int | None:
    head = _UNIT_HEAD.match(data)
    if head is not None:
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head[0])
        return head.end() + (int(length[1]) if length else 0)
    chunk = _UNIT_CHUNK.match(data)
    if chunk is not None:
        return chunk.end() + int(chunk[1], 16) + 2
    event = _UNIT_EVENT.match(data)
    return event.end() if event is not None else None


def _wire_counts(timeline: Timeline) -> dict[str, int]:
    return {label: count for label, count in timeline.counts().items() if label not in (ENGINE, CLIENT)}


def order_violations(recorded: Timeline, replayed: Timeline) -> Iterator[str]:
    """Pairs under different labels whose recorded order is clear and was not kept.

    Both timelines must have the same happenings under each label.
    """
    position = _positions(replayed)
    known = [(happening, position[key]) for happening, key in _keyed(recorded)]
    for later, (second, second_at) in enumerate(known):
        for first, first_at in known[:later]:
            tie_s = ENGINE_TIE_S if ENGINE in (first.label, second.label) else WIRE_TIE_S
            clear = first.label != second.label and second.time_s - first.time_s > tie_s
            if clear and first_at > second_at:
                yield f"{second.label} {second.what!r} came before {first.label} {first.what!r}"


def _keyed(timeline: Timeline) -> Iterator[tuple[Happening, tuple[str, int]]]:
    seen: dict[str, int] = {}
    for happening in timeline.happenings:
        seen[happening.label] = seen.get(happening.label, -1) + 1
        yield happening, (happening.label, seen[happening.label])


def _positions(timeline: Timeline) -> dict[tuple[str, int], int]:
    return {key: at for at, (_, key) in enumerate(_keyed(timeline))}
