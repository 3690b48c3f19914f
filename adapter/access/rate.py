"""`60/min`: how many requests a key may make in how much time. Pure; times are seconds of any clock that never goes back.

A bucket of `count` requests that fills evenly within the period (GCRA: one number, the moment at which it will be full, is its whole
state). A key that was quiet for a period may spend it at once; what is refused costs nothing, so that asking too early does not make it later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS_S = {"s": 1, "min": 60, "h": 3_600, "day": 86_400}
_FORM = re.compile(r"([1-9][0-9]{0,6})/(s|min|h|day)", re.ASCII)
MOST = 1_000_000
# Below what a float of seconds since boot can tell apart.
_EPSILON_S = 1e-9


@dataclass(frozen=True, slots=True)
class Rate:
    """count: requests, at least 1. period_s: in which they may be made."""

    count: int
    period_s: int

    @property
    def interval_s(self) -> float:
        return self.period_s / self.count


def parse_rate(text: str) -> Rate:
    """`5/s`, `60/min`, `100/h`, `1000/day`. Raises `ValueError` with a sentence."""
    found = _FORM.fullmatch(text)
    if found is None or int(found[1]) > MOST:
        raise ValueError(
            f"{text[:40]!r} is no rate; write it like 60/min, with one of /s, /min, /h, /day and at most {MOST} before it"
        )
    return Rate(int(found[1]), _UNITS_S[found[2]])


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands after one more request.

    limit: of its rate. remaining: requests that it could make at once. reset_s: until it could make `limit` at once. wait_s: 0 if the
    request may pass, else how long until one may.
    """

    limit: int
    remaining: int
    reset_s: float
    wait_s: float = 0.0


class Bucket:
    """The requests of one key."""

    __slots__ = ("_full_s", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._full_s = float("-inf")

    def take(self, now_s: float) -> Standing:
        """One request at `now_s`. It may pass if `wait_s` of the answer is 0."""
        rate, full_s = self.rate, max(self._full_s, now_s)
        after_s = full_s + rate.interval_s
        wait_s = after_s - now_s - rate.period_s
        if wait_s > _EPSILON_S:
            return Standing(rate.count, 0, full_s - now_s, wait_s)
        self._full_s = after_s
        return Standing(rate.count, int((_EPSILON_S - wait_s) / rate.interval_s), after_s - now_s)
