"""What the fake has seen: engine events as in the recordings, requests, connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class EngineEvent:
    """One thing the model runtime was asked or did; `what` and `fields` are the recordings' words."""

    time_s: float
    what: str
    fields: Mapping[str, Any]


class EngineLog:
    """The runtime's diary, in order. Tests can wait for an entry instead of sleeping."""

    def __init__(self) -> None:
        self._events: list[EngineEvent] = []
        self._grown = asyncio.Event()

    def add(self, time_s: float, what: str, **fields: Any) -> None:
        self._events.append(EngineEvent(time_s, what, fields))
        self._grown.set()

    def __iter__(self) -> Iterator[EngineEvent]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def whats(self) -> list[str]:
        """The kinds of all events, in order."""
        return [event.what for event in self._events]

    def of(self, what: str) -> list[EngineEvent]:
        """All events of one kind, in order."""
        return [event for event in self._events if event.what == what]

    async def wait_for(self, what: str, count: int = 1, *, within_s: float = 10.0) -> EngineEvent:
        """Wait until `count` events of this kind have happened; return that last one."""
        async with asyncio.timeout(within_s):
            while len(self.of(what)) < count:
                self._grown.clear()
                await self._grown.wait()
        return self.of(what)[count - 1]


@dataclass(frozen=True)
class SeenRequest:
    """One request as the server's own parser cut it out of its connection's bytes."""

    connection: int
    """Index of the connection in `FakeInferrLM.connections`."""
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last one, as in the app."""
    body: str
    json: Any
    """The parsed body, or None if it is empty or not JSON."""


@dataclass
class SeenConnection:
    """One TCP connection: every byte the client sent, the requests cut from them, how it ended."""

    index: int
    received: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    requests: list[SeenRequest] = field(default_factory=list)
    closed_by: Literal["client", "reset", "server"] | None = None
