"""How long an answer takes, and how long a request will wait for its turn. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

# Weight of the newest answer: a model that was changed is believed after three or four.
NEWEST = 0.3
# What a service that has taken longer than expected is taken to need yet: a tenth of the mean. It may end at any moment.
OVERDUE_SHARE = 0.1
# The Python SDK obeys `Retry-After` up to 120 s, and gives up at more (`protocols/clients.md` 4).
LONGEST_RETRY_S = 120


class ServiceTime:
    """Seconds that an answer takes from its seat to its end: a moving mean over complete ones. mean_s: `None` before the first.

    The first answer of an app often has the loading of its model in it, so a shorter second one stands for both.
    """

    def __init__(self) -> None:
        self.mean_s: float | None = None
        self.served = 0

    def learn(self, service_s: float) -> None:
        service_s = max(0.0, service_s)
        self.served += 1
        if self.mean_s is None or (self.served == 2 and service_s < self.mean_s):
            self.mean_s = service_s
        else:
            self.mean_s += NEWEST * (service_s - self.mean_s)


def remaining_s(expected_s: float, elapsed_s: float) -> float:
    """What a running service should need yet."""
    return max(expected_s - elapsed_s, expected_s * OVERDUE_SHARE)


class Forecast:
    """When seats come free: in the order of what remains of the running services, and again after a mean service each."""

    def __init__(self, remaining: Iterable[float], capacity: int, mean_s: float) -> None:
        """remaining: of those who are seated, in seconds. capacity: >= 1; there may be more of them for a while (`Gate.resize`)."""
        # Where too many are seated, the first to get up make room for nobody.
        frees = sorted(remaining)[-capacity:]
        self._free = capacity - len(frees)
        # Seats that are free now are taken by the first of those who wait.
        self._frees_s = sorted([*frees, *[mean_s] * self._free])
        self._mean_s = mean_s

    def wait_s(self, ahead: int) -> float:
        """Until there is a seat for somebody behind `ahead` others."""
        if ahead < self._free:
            return 0.0
        rounds, seat = divmod(ahead - self._free, len(self._frees_s))
        return self._frees_s[seat] + rounds * self._mean_s


def retry_after_s(seconds: float) -> int:
    """Whole seconds for `Retry-After`, 1..120."""
    return min(LONGEST_RETRY_S, max(1, ceil(seconds)))
