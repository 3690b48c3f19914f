"""The queue in front of one engine: seats, places, and who is told to come back later.

The shell around `fair.py` and `estimate.py`: a future for each one that waits, a timer if it has a deadline, and a task only for a
seat that is not free yet when its request has left. One event loop; nothing here is safe across threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapter.caller import Caller, Urgency
from adapter.errors import AdapterError, DeadlineMissed, QueueFull
from adapter.queueing.estimate import Forecast, ServiceTime, remaining_s
from adapter.queueing.fair import Bound, FairLine, Ticket
from adapter.queueing.place import Place
from adapter.queueing.refusals import closed, deadline_missed, queue_full

logger = logging.getLogger(__name__)

# What a service is taken for, in scores only, before one is known.
NOMINAL_S = 1.0
# Estimates are not exact: a program is not sent away for less than this.
SLACK_S = 0.05


@dataclass(frozen=True, slots=True)
class GateState:
    """For `/ready`, `/metrics` and people.

    running: seats taken, also by what nobody waits for any more. served, refused: since the start; complete answers, and requests
    sent away for whatever reason. mean_s: seconds that a complete answer takes, `None` before the first. oldest_wait_s: `None` if nobody waits.
    """

    capacity: int
    running: int
    waiting_interactive: int
    waiting_background: int
    served: int
    refused: int
    mean_s: float | None
    oldest_wait_s: float | None


class Gate:
    """`capacity` seats (>= 1) and `queue` places to wait for one (>= 0)."""

    def __init__(self, *, engine: str, capacity: int, queue: int, now_s: Callable[[], float]) -> None:
        """engine: its name, for messages. now_s: the loop's clock, as in `Caller.deadline_s`."""
        self._engine = engine
        self._capacity = max(1, capacity)
        self._now_s = now_s
        self._line = FairLine(max(0, queue))
        self._service = ServiceTime()
        self._seated: dict[Ticket, Place] = {}
        self._waiting: dict[Ticket, Place] = {}
        self._hurried = 0  # how many of those who wait have a deadline
        self._settling: set[asyncio.Future[None]] = set()
        self._refused = 0
        self._closed = False
        self._held: Callable[[], AdapterError] | None = None
        self._seatings = 0

    def enter(self, caller: Caller, *, expected_s: float | None = None) -> Place:
        """A seat, or a place in the queue, at once. Whoever gets one owes a `Place.leave`.

        expected_s: how long this answer should take, where that is known better than by the mean of the others.
        Raises `QueueFull` where there is no place, `DeadlineMissed` where the answer cannot be had in time, both with the time after
        which that should be different, `EngineUnavailable` after `close`, and the error of `hold`. An idle engine is tried whatever its
        estimate says, as long as the deadline is not over: a mean that is too high could not correct itself otherwise.
        """
        if self._closed:
            raise closed(self._engine)
        if self._held is not None:
            self._refused += 1
            raise self._held()
        now_s = self._now_s()
        expected = self._service.mean_s if expected_s is None else expected_s
        ticket = Ticket(caller.key, caller.urgency, now_s, NOMINAL_S if expected is None else expected)
        place = Place(self, ticket, caller, expected_s)
        if caller.deadline_s is not None and caller.deadline_s <= now_s:
            self._refused += 1
            raise self._missed(place, 0, now_s)
        if len(self._seated) < self._capacity:
            # Seats are handed on as soon as they come free, so a free one means that nobody waits.
            self._line.seat(ticket)
            self._seated[ticket] = place
            self._seatings += 1
        else:
            self._queue_up(place, now_s)
        return place

    def snapshot(self) -> GateState:
        oldest_s = self._line.oldest_s()
        return GateState(
            capacity=self._capacity,
            running=len(self._seated),
            waiting_interactive=self._line.count(Urgency.INTERACTIVE),
            waiting_background=self._line.count(Urgency.BACKGROUND),
            served=self._service.served,
            refused=self._refused,
            mean_s=self._service.mean_s,
            oldest_wait_s=None if oldest_s is None else self._now_s() - oldest_s,
        )

    @property
    def crowd(self) -> tuple[int, int]:
        """How many are seated, and how many have been seated since the start: (1, n) twice, and nobody else was there in between."""
        return len(self._seated), self._seatings

    def hold(self, error: Callable[[], AdapterError] | None) -> None:
        """Begin nothing new: send away all who wait, and everybody who comes, with `error`, made anew for each. `None`: as usual again.

        Who is seated stays. Whoever waits learns it at once, since nobody knows how long it lasts, and somebody else may have time for it.
        """
        self._held = error
        if error is not None:
            for place in list(self._waiting.values()):
                self._send_away(place, error())

    def resize(self, capacity: int) -> None:
        """So many seats (>= 1) from now on. Nobody has to get up: where there are fewer, the next ones are not handed on."""
        self._capacity = max(1, capacity)
        self._hand_on(self._now_s())

    async def close(self) -> None:
        """Send away all who wait, free the seats that were still being settled, let nobody in any more. May be called twice."""
        self._closed = True
        for place in list(self._waiting.values()):
            self._send_away(place, closed(self._engine))
        settling = list(self._settling)
        for task in settling:
            task.cancel()
        await asyncio.gather(*settling, return_exceptions=True)

    # --- for Place -------------------------------------------------------------------------------------------------

    def has_waiting(self, ticket: Ticket) -> bool:
        return ticket in self._waiting

    def learn(self, service_s: float) -> None:
        self._service.learn(service_s)

    def too_late_in_s(self, place: Place) -> float:
        """For one that waits with a deadline: for how long a seat would still be of use to it."""
        assert place.deadline_s is not None
        return min(self._last_call_s(place) + SLACK_S, place.deadline_s) - self._now_s()

    def expire(self, place: Place) -> None:
        """It waits, and it is too late now."""
        now_s = self._now_s()
        self._send_away(place, self._missed(place, self._line.ahead_of(place.ticket, now_s, self._step_s()), now_s))

    def leave(self, place: Place, after: Awaitable[None] | None) -> None:
        ticket = place.ticket
        if ticket in self._waiting:
            self._forget(ticket)
            self._line.remove(ticket)
        elif ticket in self._seated and not place.settling:
            if after is not None and not self._closed:
                self._settle(place, after)
                return
            self._free(ticket)
        if asyncio.iscoroutine(after):
            after.close()  # nothing is left to settle, and Python complains of coroutines that are never awaited

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _queue_up(self, place: Place, now_s: float) -> None:
        ticket = place.ticket
        bound = self._line.bound(ticket.key, ticket.urgency)
        if bound is not None:
            self._refused += 1
            raise self._full(bound, ticket.key, now_s)
        ahead = self._line.ahead(ticket.key, ticket.urgency, now_s, self._step_s())
        wait = self._wait_s(ahead, now_s)
        if not self._in_time(place, wait, now_s):
            self._refused += 1
            raise self._missed(place, ahead, now_s)
        self._line.add(ticket)
        self._waiting[ticket] = place
        self._hurried += place.deadline_s is not None
        place.position, place.depth, place.wait_s = ahead + 1, len(self._line), wait

    def _forget(self, ticket: Ticket) -> Place:
        place = self._waiting.pop(ticket)
        self._hurried -= place.deadline_s is not None
        return place

    def _send_away(self, place: Place, error: AdapterError) -> None:
        self._forget(place.ticket)
        self._line.remove(place.ticket)
        self._refused += 1
        place.refuse(error)

    def _send_hopeless_away(self, now_s: float) -> None:
        """Tell those who cannot be served in time, by what is known now, instead of letting them wait in vain."""
        if not self._hurried:
            return
        forecast = self._forecast(now_s)
        kept, hopeless = list[Place](), list[tuple[Place, int]]()
        for ticket in self._line.order(now_s, self._step_s()):
            place = self._waiting[ticket]
            if self._in_time(place, forecast.wait_s(len(kept)), now_s):
                kept.append(place)
            else:
                hopeless.append((place, len(kept)))
        # From behind, so that each is told to come back after those who were before it, and not all at once.
        for place, ahead in reversed(hopeless):
            self._send_away(place, self._missed(place, ahead, now_s))
        for place in kept:
            place.set_timer()

    # --- seats -----------------------------------------------------------------------------------------------------

    def _settle(self, place: Place, after: Awaitable[None]) -> None:
        """Free the seat when `after` is over, however it ends."""
        place.settling = True
        task = asyncio.ensure_future(after)
        self._settling.add(task)

        def over(task: asyncio.Future[None]) -> None:
            self._settling.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.warning("Engine %r did not settle; its seat is free all the same: %r", self._engine, error)
            self._free(place.ticket)

        task.add_done_callback(over)

    def _free(self, ticket: Ticket) -> None:
        now_s = self._now_s()
        del self._seated[ticket]
        self._line.close(ticket, now_s)
        self._hand_on(now_s)

    def _hand_on(self, now_s: float) -> None:
        """Seats that are free now to those whose turn it is."""
        self._send_hopeless_away(now_s)
        while len(self._seated) < self._capacity and (following := self._line.next(now_s)) is not None:
            place = self._seated[following] = self._forget(following)
            self._seatings += 1
            expected = place.own_s(self._service.mean_s)
            following.expected_s = NOMINAL_S if expected is None else expected
            place.call()

    # --- estimates -------------------------------------------------------------------------------------------------

    def _step_s(self) -> float:
        """What one service adds to its key's score in predictions; never 0."""
        return self._service.mean_s or NOMINAL_S

    def _forecast(self, now_s: float) -> Forecast:
        mean_s = self._service.mean_s or 0.0
        remaining = (remaining_s(p.own_s(mean_s) or 0.0, now_s - t.seated_s) for t, p in self._seated.items())
        return Forecast(remaining, self._capacity, mean_s)

    def _wait_s(self, ahead: int, now_s: float) -> float | None:
        """`None` before the first complete answer: nothing is known."""
        return None if self._service.mean_s is None else self._forecast(now_s).wait_s(ahead)

    def _last_call_s(self, place: Place) -> float:
        """When its service must begin at the latest. Only for those with a deadline."""
        assert place.deadline_s is not None
        return place.deadline_s - place.needs_s(self._service.mean_s)

    def _in_time(self, place: Place, wait: float | None, now_s: float) -> bool:
        if place.deadline_s is None:
            return True
        return now_s < place.deadline_s and now_s + (wait or 0.0) <= self._last_call_s(place) + SLACK_S

    # --- refusals ----------------------------------------------------------------------------------------------------

    def _missed(self, place: Place, ahead: int, now_s: float) -> DeadlineMissed:
        """ahead: of those who wait; the message counts those who are being served, too."""
        assert place.deadline_s is not None
        ticket = place.ticket
        patience_s = max(0.0, place.deadline_s - ticket.since_s)
        # Whoever comes back is the last of its key again, with all its patience. An answer that is too long by itself fits nowhere;
        # it is tried as soon as a seat is free.
        again = self._wait_s(self._line.ahead(ticket.key, ticket.urgency, now_s, self._step_s()), now_s)
        fits_s = None if again is None else min(again, again + place.needs_s(self._service.mean_s) - patience_s)
        return deadline_missed(
            self._engine,
            ahead=ahead + len(self._seated),
            wait_s=self._wait_s(ahead, now_s),
            patience_s=patience_s,
            retry_s=fits_s,
        )

    def _full(self, bound: Bound, key: str, now_s: float) -> QueueFull:
        ahead = self._line.ahead_of_place(bound, key, now_s, self._step_s())
        return queue_full(
            self._engine, bound, self._line, capacity=self._capacity, retry_s=self._wait_s(ahead, now_s)
        )
