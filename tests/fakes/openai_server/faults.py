"""What is to go wrong, on order; and gates that hold an answer until a test lets it go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

How = Literal["frame", "cut", "reset", "clean_end", "stall", "no_done", "no_finish"]
"""How an answer ends before its time.

frame: an error frame, then a clean end (plain: 500). cut: the connection closes in the middle of the body. reset: so, with a TCP
reset. clean_end: the body ends as if it were whole. stall: silence until the client leaves. no_done: with `finish_reason` but
without `[DONE]`. no_finish: with `[DONE]` but without `finish_reason`.
"""


@dataclass(frozen=True)
class Refusal:
    """A whole answer that stands for the next one. path: it is for requests whose path has this in it."""

    status: int
    body: bytes | str | Mapping[str, Any] | None
    headers: Mapping[str, str]
    content_type: str
    path: str


@dataclass(frozen=True)
class Break:
    """pieces: deltas before it; `None`: at byte `at_byte` of the body instead (before chunked framing)."""

    how: How
    pieces: int | None = None
    at_byte: int = 0


@dataclass
class Orders:
    """What was ordered, oldest first; each is used up by one request, in the order of their arrival."""

    refusals: list[Refusal] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)

    def refusal(self, path: str) -> Refusal | None:
        for refusal in self.refusals:
            if refusal.path in path:
                self.refusals.remove(refusal)
                return refusal
        return None

    def next_break(self) -> Break | None:
        return self.breaks.pop(0) if self.breaks else None


class Gate:
    """Holds every generation until `release`. after: so many deltas pass first; `None`: not even the head does."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.waiting = 0
        self._open = asyncio.Event()
        self._news = asyncio.Event()

    def release(self) -> None:
        self._open.set()

    async def reached(self, number: int = 1, *, within_s: float = 10.0) -> None:
        """Returns when so many requests have come to the gate."""
        async with asyncio.timeout(within_s):
            while self.waiting < number:
                self._news.clear()
                await self._news.wait()

    async def pass_through(self) -> None:
        if self._open.is_set():
            return
        self.waiting += 1
        self._news.set()
        await self._open.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
