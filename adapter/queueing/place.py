"""One request's place: in an engine's queue, then in a seat. Made by `Gate.enter` only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from adapter.caller import Caller, OnDeadline
from adapter.errors import AdapterError
from adapter.queueing.fair import Ticket

# Somebody who takes what there is by the deadline (`OnDeadline.PARTIAL`) has use of a quarter of an answer, hardly of less.
PARTIAL_SHARE = 0.25
# A timer may ring a little early; it is not set again for less.
_SHORTEST_TIMER_S = 0.001


class Keeper(Protocol):
    """What a place needs of its gate."""

    def has_waiting(self, ticket: Ticket) -> bool: ...
    def learn(self, service_s: float) -> None: ...
    def too_late_in_s(self, place: Place) -> float: ...
    def expire(self, place: Place) -> None: ...
    def leave(self, place: Place, after: Awaitable[None] | None) -> None: ...


class Place:
    """position, depth, wait_s: as found at entering. position: 0 is no wait, 1 is next. depth: who waits, itself included.
    wait_s: estimated; `None`: nothing is known yet. The other attributes are the gate's.
    """

    __slots__ = (
        "_called",
        "_error",
        "_expected_s",
        "_gate",
        "_share",
        "_timer",
        "deadline_s",
        "depth",
        "position",
        "settling",
        "ticket",
        "wait_s",
    )

    def __init__(self, gate: Keeper, ticket: Ticket, caller: Caller, expected_s: float | None) -> None:
        self.position = 0
        self.depth = 0
        self.wait_s: float | None = 0.0
        self.ticket = ticket
        self.deadline_s = caller.deadline_s
        self.settling = False
        self._gate = gate
        self._expected_s = expected_s
        self._share = PARTIAL_SHARE if caller.on_deadline is OnDeadline.PARTIAL else 1.0
        self._called: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: AdapterError | None = None

    async def wait(self) -> None:
        """Return once seated; at once if that is so already. Not to be called after `leave`.

        Raises `DeadlineMissed` as soon as the answer cannot be had in time, at its deadline at the latest, and `EngineUnavailable`
        when the gate closes. Cancelling leaves the queue, or passes the seat on if it had just come free.
        """
        if self._error is None and self._gate.has_waiting(self.ticket):
            self._called = asyncio.get_running_loop().create_future()
            self.set_timer()
            try:
                await self._called
            except BaseException:
                self.leave()
                raise
            finally:
                if self._timer is not None:
                    self._timer.cancel()
        if self._error is not None:
            raise self._error

    def learned(self, service_s: float) -> None:
        """A complete answer took so many seconds of service. For estimates; cut and failed answers say nothing."""
        self._gate.learn(service_s)

    def leave(self, *, after: Awaitable[None] | None = None) -> None:
        """Give up the seat or the place in the queue; may be called again.

        after: the seat is free when this is over (`Seated.settled`), however it ends; without it at once. The gate sees to it.
        """
        self._gate.leave(self, after)

    # --- for the gate ------------------------------------------------------------------------------------------------

    def own_s(self, mean_s: float | None) -> float | None:
        """How long its own service should take."""
        return mean_s if self._expected_s is None else self._expected_s

    def needs_s(self, mean_s: float | None) -> float:
        """How much of it must fit in before the deadline; 0 where nothing is known."""
        return (self.own_s(mean_s) or 0.0) * self._share

    def call(self) -> None:
        """It has a seat now."""
        self._wake()

    def refuse(self, error: AdapterError) -> None:
        """It is out of the queue, and shall be told so."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._called is not None and not self._called.done():
            self._called.set_result(None)

    def set_timer(self) -> None:
        """For when it will be too late; again when what is known of that has changed."""
        if self.deadline_s is None or self._called is None or self._called.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        in_s = self._gate.too_late_in_s(self)
        if in_s <= 0:
            self._gate.expire(self)
        else:
            self._timer = asyncio.get_running_loop().call_later(max(in_s, _SHORTEST_TIMER_S), self.set_timer)
