"""Seats in front of something that serves few at a time: first come, first served, with a bounded queue.

No I/O and no clock. One event loop; nothing here is safe across threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from adapter.errors import AdapterError, QueueFull


class Seats:
    """`capacity` seats (>= 1) and `queue` places to wait for one (>= 0)."""

    def __init__(self, *, capacity: int = 1, queue: int, retry_after_s: int | None = None) -> None:
        """`retry_after_s`: what to tell those who find the queue full."""
        self._capacity = capacity
        self._queue = queue
        self._retry_after_s = retry_after_s
        self._seated: set[Seat] = set()
        self._waiting: deque[Seat] = deque()

    @property
    def taken(self) -> int:
        return len(self._seated)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self) -> Seat:
        """Sit down or queue up, at once and without waiting; raises `QueueFull`.

        The caller owes a `Seat.leave`, sooner or later; `async with` and a failed `Seat.wait` see to it.
        """
        seat = Seat(self)
        if len(self._seated) < self._capacity and not self._waiting:
            self._seated.add(seat)
        elif len(self._waiting) < self._queue:
            self._waiting.append(seat)
        else:
            raise QueueFull(
                f"All {self._capacity} seats and all {self._queue} places in the queue are taken. "
                "Try again later, or send fewer requests at a time.",
                retry_after_s=self._retry_after_s,
            )
        return seat

    def send_away(self, error: Callable[[], AdapterError]) -> None:
        """Tell all who wait that it is in vain; who is seated stays. error: made anew for each."""
        waiting, self._waiting = self._waiting, deque()
        for seat in waiting:
            seat._refuse(error())

    def _position(self, seat: Seat) -> int | None:
        if seat in self._seated:
            return 0
        return self._waiting.index(seat) + 1 if seat in self._waiting else None

    def _remove(self, seat: Seat) -> None:
        if seat in self._seated:
            self._seated.remove(seat)
            self._call_next()
        elif seat in self._waiting:
            self._waiting.remove(seat)

    def _call_next(self) -> None:
        while self._waiting and len(self._seated) < self._capacity:
            seat = self._waiting.popleft()
            self._seated.add(seat)
            seat._called.set()


class Seat:
    """One place, in the queue or at the table. Made by `Seats.take` only."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._called = asyncio.Event()
        self._error: AdapterError | None = None

    @property
    def position(self) -> int | None:
        """0: seated; 1: next in the queue; and so on. `None` after `leave`, and once it was sent away."""
        return self._seats._position(self)

    def _refuse(self, error: AdapterError) -> None:
        self._error = error
        self._called.set()

    async def wait(self) -> None:
        """Return once seated; at once if that is so already. Must not be called after `leave`.

        Raises what `Seats.send_away` was given. Cancelling the wait leaves the queue, or gives the seat to the next one if it had
        just come free.
        """
        if self.position == 0:
            return
        try:
            await self._called.wait()
        except BaseException:
            self.leave()
            raise
        if self._error is not None:
            raise self._error

    def leave(self) -> None:
        """Give up the seat or the place in the queue; may be called again."""
        self._seats._remove(self)

    async def __aenter__(self) -> Self:
        await self.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
