"""What the dispatcher hands to the server, besides an engine's own events. Pure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Chat, Event
from adapter.engines.base import Raw
from adapter.routing import Target

# How a stage asks for an answer to a chat: an engine's `generate`, or another stage around it. `chat.model` is the engine's own name for it.
Begin = Callable[[Chat], AsyncGenerator[Event, None]]


@dataclass(frozen=True, slots=True)
class Seam:
    """What follows comes from another engine, or from the same one after it failed.

    at_chars: how much of the answer's text came before. engine, model: who goes on. code: of the error that made it so.
    """

    at_chars: int
    engine: str
    model: str
    code: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the client should know about its answer, for the extension `farmhand`: value (JSON) under `key`."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Queued:
    """The request is in an engine's queue. position: 0 is no wait. depth: who waits there, itself included. wait_s: estimated, `None` if unknown."""

    position: int
    depth: int
    wait_s: float | None


Item = Event | Raw | Target | Seam | Remark | Queued
Extension = Mapping[str, Any]
