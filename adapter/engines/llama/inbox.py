"""What the decode loop is told, and what it talks to: the words between the worker's two threads."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.engines.llama import link
from adapter.engines.llama.answers import Job
from adapter.engines.llama.kv_index import Stored
from adapter.engines.llama.model import Buffer

BROKEN = "a request failed because of us task=%s"
BROKEN_MESSAGE = "Farmhand failed on this answer; the log says where."
PAUSED = "Farmhand is paused to spare the phone and begins nothing new. Try again later."


class Send(Protocol):
    """Writes frames to the adapter, all in one go. Raises OSError when it is gone."""

    def __call__(self, *frames: link.Frame) -> None: ...


class Store(Protocol):
    """Computed prefixes on disk; see `kv_store.KvStore`."""

    def longest(self, prompt: Sequence[int]) -> Stored | None: ...

    def load(self, key: str) -> Buffer | None: ...

    def reject(self, key: str) -> None:
        """What was loaded does not fit after all."""

    def ready(self) -> bool:
        """Would `save` take a payload now?"""

    def covered(self, tokens: Sequence[int]) -> int:
        """How many of the first tokens need not be computed again."""

    def save(self, tokens: Sequence[int], payload: Buffer, *, pinned: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class CancelJob:
    id: int


@dataclass(frozen=True, slots=True)
class Bake:
    """Compute this prompt when nobody wants anything else, and keep it in the store."""

    prompt: tuple[int, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Pressure:
    level: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the loop; what runs fails."""


Item = Job | CancelJob | Bake | Pressure | Stop
Inbox = queue.SimpleQueue[Item]
