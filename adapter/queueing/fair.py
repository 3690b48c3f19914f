"""Whose turn it is: a line of waiting requests, fair between keys, in two classes. Pure: times come in as arguments.

- INTERACTIVE goes before BACKGROUND. A background request that has waited `BACKGROUND_WAITS_S` gets a turn in between, at most
  one for every `TURNS_BETWEEN` interactive ones, so that titles and heartbeats are late but never starve.
- Within a class the key goes first that has had the least service lately, in seconds, not in requests (start-time fair
  queueing). A key that returns after a pause starts level with the one whose turn was last: idling earns nothing, and having had a
  phone to oneself costs nothing. Equal keys go by arrival, requests of one key first come, first served.
- Places are bounded, and so is each key's and each class's part of them (`FairLine.bound`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heapreplace

from adapter.caller import Urgency

BACKGROUND_WAITS_S = 60.0
TURNS_BETWEEN = 3
# Accounts of keys in one class; there are as many keys as the settings have, but this file does not know that.
MOST_ACCOUNTS = 256


class Bound(StrEnum):
    """What is full: the whole line, or the part of it that one key, or the background class, may have."""

    QUEUE = "queue"
    KEY = "key"
    BACKGROUND = "background"


@dataclass(slots=True, eq=False)
class Ticket:
    """One request, waiting or seated. expected_s: how long its service should take. seated_s: since when it is served."""

    key: str
    urgency: Urgency
    since_s: float
    expected_s: float
    seated_s: float = 0.0
    number: int = -1


@dataclass(slots=True, eq=False)
class _Account:
    """One key in one class. had_s: seconds of service, on the lane's own scale."""

    had_s: float
    waiting: deque[Ticket] = field(default_factory=deque)
    seated: list[Ticket] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return bool(self.waiting or self.seated)

    def score_s(self, now_s: float) -> float:
        """Service so far; what is being served counts as long as it is expected to take, or longer once it has."""
        return self.had_s + sum(max(t.expected_s, now_s - t.seated_s) for t in self.seated)


class _Lane:
    """One class. floor_s: where newcomers start, the score of the key whose turn was last."""

    def __init__(self) -> None:
        self.accounts: dict[str, _Account] = {}
        self.waiting = 0
        self.floor_s = 0.0

    def account(self, key: str) -> _Account:
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = _Account(self.floor_s)
        elif not account.active:
            account.had_s = max(account.had_s, self.floor_s)
        return account

    def oldest_s(self) -> float | None:
        """When the one that has waited longest came."""
        return min((a.waiting[0].since_s for a in self.accounts.values() if a.waiting), default=None)

    def first(self, now_s: float) -> Ticket:
        account = min(
            (a for a in self.accounts.values() if a.waiting), key=lambda a: (a.score_s(now_s), a.waiting[0].number)
        )
        return account.waiting[0]

    def order(self, now_s: float, mean_s: float) -> Iterator[Ticket]:
        """Who would go after whom, if nobody came and each service took `mean_s`."""
        heads = [(a.score_s(now_s), a.waiting[0].number, 0, a) for a in self.accounts.values() if a.waiting]
        heapify(heads)
        while heads:
            score_s, _, index, account = heads[0]
            yield account.waiting[index]
            if index + 1 < len(account.waiting):
                following = account.waiting[index + 1]
                heapreplace(heads, (score_s + mean_s, following.number, index + 1, account))
            else:
                heappop(heads)

    def ahead(self, key: str, index: int, now_s: float, mean_s: float) -> int:
        """How many in this lane go before the request of `key` at `index` of its own; `index` may be one past its last."""
        own = self.accounts.get(key)
        base_s = self.floor_s if own is None else own.score_s(now_s)
        if own is not None and not own.active:
            base_s = max(base_s, self.floor_s)
        number = own.waiting[index].number if own is not None and index < len(own.waiting) else None
        count = index
        for account in self.accounts.values():
            if account is not own and account.waiting:
                level = (base_s + index * mean_s - account.score_s(now_s)) / mean_s
                count += _turns_before(account, level, number)
        return count

    def close(self, ticket: Ticket, now_s: float) -> None:
        account = self.accounts[ticket.key]
        account.seated.remove(ticket)
        account.had_s += max(0.0, now_s - ticket.seated_s)
        self._forget()

    def _forget(self) -> None:
        """Drop the accounts that a newcomer's would equal, and all that rest where there are too many: they must not pile up."""
        if not any(a.active for a in self.accounts.values()):
            self.floor_s = max([self.floor_s, *(a.had_s for a in self.accounts.values())])
        too_many = len(self.accounts) > MOST_ACCOUNTS
        for key in [k for k, a in self.accounts.items() if not a.active and (too_many or a.had_s <= self.floor_s)]:
            del self.accounts[key]


# Scores are sums of clock readings: what differs by less than this is equal.
_LEVEL = 1e-6


def _turns_before(account: _Account, level: float, number: int | None) -> int:
    """How many of the account's waiting have a turn before another's, whose score lies `level` services above its own.

    number: of that other one, for ties; `None`: it has just come.
    """
    if level < -_LEVEL:
        return 0
    whole = int(level + _LEVEL)
    if whole >= len(account.waiting):
        return len(account.waiting)
    tie = abs(level - whole) <= _LEVEL
    goes_first = not tie or number is None or account.waiting[whole].number < number
    return whole + goes_first


class FairLine:
    """`places` (>= 0) to wait in. Whoever takes a ticket out with `next` or `seat` owes a `close`."""

    def __init__(self, places: int) -> None:
        self.places = places
        # A quarter of the places always stays for the other keys: a flood from one of them cannot shut the rest out.
        self.places_a_key = max(1, places - places // 4)
        # Half of them stay for somebody who waits in person: Open WebUI sends three background calls after each answer.
        self.places_background = (places + 1) // 2
        self._lanes = {Urgency.INTERACTIVE: _Lane(), Urgency.BACKGROUND: _Lane()}
        self._inter = self._lanes[Urgency.INTERACTIVE]
        self._back = self._lanes[Urgency.BACKGROUND]
        self._since_background = TURNS_BETWEEN
        self._numbers = 0

    def __len__(self) -> int:
        return self._inter.waiting + self._back.waiting

    def count(self, urgency: Urgency) -> int:
        return self._lanes[urgency].waiting

    def oldest_s(self) -> float | None:
        """When the one that has waited longest came; `None` if nobody waits."""
        return min((s for lane in self._lanes.values() if (s := lane.oldest_s()) is not None), default=None)

    def bound(self, key: str, urgency: Urgency) -> Bound | None:
        """Which bound keeps one more request out, if one does."""
        if len(self) >= self.places:
            return Bound.QUEUE
        own = sum(len(a.waiting) for lane in self._lanes.values() if (a := lane.accounts.get(key)))
        if own >= self.places_a_key:
            return Bound.KEY
        if urgency is Urgency.BACKGROUND and self._back.waiting >= self.places_background:
            return Bound.BACKGROUND
        return None

    def add(self, ticket: Ticket) -> None:
        """Queue it up; the caller has asked `bound`."""
        lane = self._lanes[ticket.urgency]
        ticket.number = self._numbers
        self._numbers += 1
        lane.account(ticket.key).waiting.append(ticket)
        lane.waiting += 1

    def remove(self, ticket: Ticket) -> None:
        """It leaves without having been served."""
        lane = self._lanes[ticket.urgency]
        lane.accounts[ticket.key].waiting.remove(ticket)
        lane.waiting -= 1
        lane._forget()

    def next(self, now_s: float) -> Ticket | None:
        """Take out whose turn it is; its service begins now."""
        if not len(self):
            return None
        lane = self._back if self._background_next(now_s) else self._inter
        ticket = lane.first(now_s)
        self._seat(lane, ticket, now_s)
        lane.accounts[ticket.key].waiting.popleft()
        lane.waiting -= 1
        return ticket

    def seat(self, ticket: Ticket) -> None:
        """Its service begins at `ticket.since_s`, without waiting: nobody else was there."""
        self._seat(self._lanes[ticket.urgency], ticket, ticket.since_s)

    def close(self, ticket: Ticket, now_s: float) -> None:
        """Its service is over."""
        self._lanes[ticket.urgency].close(ticket, now_s)

    def order(self, now_s: float, mean_s: float) -> Iterator[Ticket]:
        """All who wait, in the order in which they would go if nobody came and each service took `mean_s` (> 0).

        A prediction: who becomes overdue on the way is not foreseen. Do not change the line meanwhile.
        """
        inter, back = self._inter.order(now_s, mean_s), self._back.order(now_s, mean_s)
        overdue, since = self._overdue(now_s), self._since_background
        for ticket in inter:
            if overdue and since >= TURNS_BETWEEN:
                yield next(back)
                overdue, since = overdue - 1, 0
            yield ticket
            since += 1
        yield from back

    def ahead(self, key: str, urgency: Urgency, now_s: float, mean_s: float, index: int | None = None) -> int:
        """How many would go before a request of `key`: the one at `index` of its own, or (`None`) one that comes now."""
        lane = self._lanes[urgency]
        if index is None:
            own = lane.accounts.get(key)
            index = 0 if own is None else len(own.waiting)
        ahead = lane.ahead(key, index, now_s, mean_s)
        if urgency is Urgency.BACKGROUND:
            return ahead + self._inter.waiting
        first = max(0, TURNS_BETWEEN - self._since_background)
        turns = 0 if ahead < first else (ahead - first) // TURNS_BETWEEN + 1
        return ahead + min(turns, self._overdue(now_s))

    def ahead_of(self, ticket: Ticket, now_s: float, mean_s: float) -> int:
        """The same for one that waits."""
        index = self._lanes[ticket.urgency].accounts[ticket.key].waiting.index(ticket)
        return self.ahead(ticket.key, ticket.urgency, now_s, mean_s, index)

    def ahead_of_place(self, bound: Bound, key: str, now_s: float, mean_s: float) -> int:
        """How many would go before the one whose turn makes room where `bound` is full."""
        if bound is Bound.QUEUE or not len(self):
            return 0
        if bound is Bound.BACKGROUND:
            return self._inter.waiting
        return min(
            self.ahead(key, urgency, now_s, mean_s, 0)
            for urgency, lane in self._lanes.items()
            if (account := lane.accounts.get(key)) and account.waiting
        )

    def _seat(self, lane: _Lane, ticket: Ticket, now_s: float) -> None:
        account = lane.account(ticket.key)
        lane.floor_s = max(lane.floor_s, account.score_s(now_s))
        ticket.seated_s = now_s
        account.seated.append(ticket)
        if lane is self._back:
            self._since_background = 0
        else:
            self._since_background = min(self._since_background + 1, TURNS_BETWEEN)

    def _background_next(self, now_s: float) -> bool:
        if not self._inter.waiting:
            return True
        return self._since_background >= TURNS_BETWEEN and self._overdue(now_s) > 0

    def _overdue(self, now_s: float) -> int:
        """How many of the background class have waited too long."""
        return sum(
            now_s - t.since_s > BACKGROUND_WAITS_S for a in self._back.accounts.values() for t in a.waiting
        )
