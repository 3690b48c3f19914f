"""What the dispatcher hands to the server, besides an engine's own events. Pure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Chat, Event
from adapter.engines.base import Raw
from adapter.routing import Target


@dataclass(frozen=True, slots=True)
class Seam:
    """What follows comes from another engine, or from the same one after it failed.

    at_chars: how much of the answer's text came before. before, after: who answered and who goes on, as engine/model. code: of the error that
    made it so. relayed_id: the answer's id so far, where it was not ours.
    """

    at_chars: int
    before: str
    after: str
    code: str
    relayed_id: str = ""


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


# How a stage asks for an answer to a chat: an engine's `generate`, or another stage around it. `chat.model` is the engine's own name for it.
Generate = Callable[[Chat], AsyncGenerator[Event, None]]
Begin = Callable[[Chat], AsyncGenerator[Event | Remark, None]]
Item = Event | Raw | Target | Seam | Remark | Queued
Extension = Mapping[str, Any]
