"""The request tracker: who waits, who ran, how long (protocols/localllm.md 7.6, 9, 11.3)."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from tests.fakes.localllm.errors import plain
from tests.fakes.localllm.options import Options


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that was let into the queue; `number` is the one of `chatcmpl-…`."""

    number: int
    client: str
    position: int
    estimated_wait_ms: int
    started_s: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Depth is the number waiting, this one included, and so is its place among them."""
        return {
            "X-Queue-Position": str(self.position),
            "X-Queue-Depth": str(self.position),
            "X-Estimated-Wait-Ms": str(self.estimated_wait_ms),
            "X-Request-Id": str(self.number),
            "X-Client-Id": self.client,
        }


@dataclass(eq=False, slots=True)
class Counters:
    requests: int = 0
    completed: int = 0
    errored: int = 0
    cancelled: int = 0
    stream_chunks: int = 0
    inference_s: float = 0.0
    inferences: int = 0

    @property
    def average_s(self) -> float:
        return self.inference_s / self.inferences if self.inferences else 0.0


class Ledger:
    """Lives as long as the app's process: numbers begin at 1 after a crash."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.counters = Counters()
        self.waiting: list[Ticket] = []
        self.running: Ticket | None = None
        self.recent: deque[tuple[str, float]] = deque(maxlen=50)
        """Client and inference seconds of the last requests."""

    def enter(self, client: str) -> Ticket:
        """Row 8 of 5.1: a place among the waiting, or 429."""
        if len(self.waiting) >= self._options.queue_depth:
            message = f"Queue full: {len(self.waiting)} requests wait already"
            raise plain(429, "rate_limit_error", message, {"Retry-After": "5"})
        self.counters.requests += 1
        position = len(self.waiting) + 1
        wait_ms = round((position - 1) * self.counters.average_s * 1000)
        ticket = Ticket(self.counters.requests, client, position, wait_ms)
        self.waiting.append(ticket)
        return ticket

    def start(self, ticket: Ticket) -> None:
        """Its inference begins: it waits no longer. AICore requests overwrite each other here."""
        self.waiting.remove(ticket)
        self.running = ticket
        ticket.started_s = time.monotonic()

    def leave(self, ticket: Ticket) -> None:
        """The end, however it came."""
        if ticket in self.waiting:
            self.waiting.remove(ticket)
        if self.running is ticket:
            self.running = None
        took_s = 0.0 if ticket.started_s is None else time.monotonic() - ticket.started_s
        if ticket.started_s is not None:
            self.counters.inference_s += took_s
            self.counters.inferences += 1
        self.recent.append((ticket.client, took_s))


@dataclass(eq=False, slots=True)
class Buckets:
    """A token bucket per User-Agent, for chat only; rate 0 is off (9)."""

    rate: float
    burst: int
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, client: str) -> None:
        """One token, or 429 with the seconds until there is one, rounded up. A refusal costs nothing."""
        if self.rate <= 0:
            return
        now_s = time.monotonic()
        level, at_s = self._levels.get(client, (float(self.burst), now_s))
        level = min(self.burst, level + (now_s - at_s) * self.rate)
        if level < 1:
            self._levels[client] = (level, now_s)
            seconds = max(1, math.ceil((1 - level) / self.rate))
            headers = {"Retry-After": str(seconds), "X-RateLimit-Client": client}
            raise plain(429, "rate_limit_error", "Too many requests from this client", headers)
        self._levels[client] = (level - 1, now_s)
