"""Circuit breakers: who failed too often lately is left alone for a while, and then tried by one request. Pure: time comes in.

Two for each target: one for its engine (is anybody there, and may we in?), one for its model there (does it answer?).

    closed     failures of the last minute are counted; more than `allowed_fails` open it. One success forgets them
    open       nobody is sent there for `cooldown_time` seconds, twice as long after each failed trial, at most `max_cooldown_time`
    half_open  after that: one request is the trial and the others are kept away. Its success closes, its failure opens again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

from adapter.errors import (
    AdapterError,
    EngineFailed,
    OutputInvalid,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.routing_types import Target
from adapter.settings import RouterSettings

State = Literal["closed", "open", "half_open"]

# How long a failure counts; LiteLLM's `allowed_fails` are per minute too.
WINDOW_S = 60.0
# What to tell those who come while a trial is under way: nobody knows how long it takes.
TRIAL_S = 1.0
# Names of models may come from clients, so there is an end to how many are remembered.
MAX_BREAKERS = 256
MAX_MESSAGE = 300


class Verdict(Enum):
    """What an error says about whoever made it."""

    NONE = auto()
    ALIVE = auto()
    MODEL_FAILED = auto()
    ENGINE_FAILED = auto()


# The first class that fits. Whatever is not here says nothing about health: a request's own fault (400 to 413), a full queue or a
# client's short patience (429), a fault of ours. Nor does a plain `EngineUnavailable` (loading, paused for the battery, stopping): it is refused
# at once and ends by itself at a time that it names; a cooldown on top would keep a model shut that has long been loaded. The embedded
# engine paces the restarts of its worker itself.
VERDICTS: tuple[tuple[type[AdapterError], Verdict], ...] = (
    (UpstreamUnreachable, Verdict.ENGINE_FAILED),
    (UpstreamRefused, Verdict.ENGINE_FAILED),
    (OutputInvalid, Verdict.ALIVE),  # a whole answer; only its form was wrong
    (EngineFailed, Verdict.MODEL_FAILED),
    (UpstreamProtocol, Verdict.MODEL_FAILED),
    (UpstreamTimeout, Verdict.MODEL_FAILED),
)


def verdict_of(error: AdapterError) -> Verdict:
    return next((verdict for kind, verdict in VERDICTS if isinstance(error, kind)), Verdict.NONE)


@dataclass(frozen=True, slots=True)
class BreakerState:
    """For display. target: `engine/model`, or an engine's name alone for its own breaker.

    fails: failures that count now, or in a row since it opened. until_s: when an open one lets a trial through, on the caller's clock. code, message: of
    the last failure.
    """

    target: str
    state: State = "closed"
    fails: int = 0
    until_s: float | None = None
    code: str = ""
    message: str = ""


@dataclass(slots=True)
class _Breaker:
    """settings: as configured. until_s: not `None` once it is open. trial_until_s: while a trial is under way."""

    settings: RouterSettings
    failed_at: list[float] = field(default_factory=list)
    fails: int = 0
    until_s: float | None = None
    cooldown_s: float = 0.0
    trial_until_s: float | None = None
    code: str = ""
    message: str = ""

    def lets(self, now_s: float) -> bool:
        return self.until_s is None or (now_s >= self.until_s and not self.has_trial(now_s))

    def has_trial(self, now_s: float) -> bool:
        return self.trial_until_s is not None and now_s < self.trial_until_s

    def begin(self, now_s: float) -> None:
        """Whoever was let through sets out. Should nobody say how a trial ended, another one may follow after a long while."""
        if self.until_s is not None:
            self.trial_until_s = now_s + self._longest_s()

    def fail(self, error: AdapterError, now_s: float) -> None:
        self.code, self.message = error.code, error.message[:MAX_MESSAGE]
        if self.until_s is None:
            self._count(now_s)
        elif self.trial_until_s is not None:
            self.fails += 1
            self._open(min(2 * self.cooldown_s, self._longest_s()), now_s)
        # Else it set out before the breaker opened, and tells nothing new.

    def _count(self, now_s: float) -> None:
        # One more than allowed is enough to know.
        self.failed_at = [*self._recent(now_s), now_s][-(self.settings.allowed_fails + 1) :]
        self.fails = len(self.failed_at)
        if self.fails > self.settings.allowed_fails and not self.settings.disable_cooldowns:
            self._open(self.settings.cooldown_time, now_s)

    def _recent(self, now_s: float) -> list[float]:
        return [at for at in self.failed_at if now_s - at < WINDOW_S]

    def _open(self, cooldown_s: float, now_s: float) -> None:
        self.cooldown_s, self.until_s = cooldown_s, now_s + cooldown_s
        self.failed_at, self.trial_until_s = [], None

    def _longest_s(self) -> float:
        return max(self.settings.cooldown_time, self.settings.max_cooldown_time)

    def is_idle(self, now_s: float) -> bool:
        """Closed, and its failures no longer count: as good as none."""
        return self.until_s is None and not self._recent(now_s)

    def wait_s(self, now_s: float) -> float:
        if self.until_s is None:
            return 0.0
        return max(self.until_s - now_s, TRIAL_S if self.has_trial(now_s) else 0.0)

    def shown(self, target: str, now_s: float) -> BreakerState:
        is_open = self.until_s is not None and now_s < self.until_s
        state: State = "open" if is_open else "closed" if self.until_s is None else "half_open"
        fails = self.fails if self.until_s is not None else len(self._recent(now_s))
        return BreakerState(target, state, fails, self.until_s if is_open else None, self.code, self.message)


class Breakers:
    """All breakers of one adapter. `now_s` is always the same clock, one that never goes back.

    For each `may_try` that said yes, exactly one of `succeeded`, `failed`, `abandoned` follows when the answer has ended, whole or not: an
    answer that begins is no proof, since engines fail in the middle as well.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._known: dict[str, _Breaker] = {}
        self._now_s = 0.0

    def may_try(self, target: Target, now_s: float) -> bool:
        """May a request go there now? If it is half-open and nobody is trying, the caller is the trial from now on."""
        self._now_s = now_s
        both = self._of(target)
        if not all(breaker.lets(now_s) for breaker in both):
            return False
        for breaker in both:
            breaker.begin(now_s)
        return True

    def succeeded(self, target: Target, now_s: float) -> None:
        """A whole answer: both are forgotten."""
        self._now_s = now_s
        for name in _names(target):
            self._known.pop(name, None)

    def failed(self, target: Target, error: AdapterError, now_s: float) -> None:
        """The answer failed, or never began. Only what speaks of the target's health counts; see `VERDICTS`."""
        self._now_s = now_s
        engine, model = _names(target)
        match verdict_of(error):
            case Verdict.ENGINE_FAILED:
                self._end_trial(model)  # nothing was learned about the model
                self._breaker(engine, now_s).fail(error, now_s)
            case Verdict.MODEL_FAILED:
                self._known.pop(engine, None)  # somebody is there
                self._breaker(model, now_s).fail(error, now_s)
            case Verdict.ALIVE:
                self.succeeded(target, now_s)
            case Verdict.NONE:
                self.abandoned(target, now_s)

    def abandoned(self, target: Target, now_s: float) -> None:
        """The client left, or something else that is no verdict: a trial becomes free again."""
        self._now_s = now_s
        for name in _names(target):
            self._end_trial(name)

    def answers(self, engine: str, now_s: float) -> None:
        """A probe reached the engine: an app that was closed is open again, and the next request may see, whatever is left of the cooldown.

        Says nothing about an engine that refuses our key, or about its models.
        """
        self._now_s = now_s
        breaker = self._known.get(engine)
        if breaker and breaker.until_s is not None and breaker.code == UpstreamUnreachable.code:
            breaker.until_s = min(breaker.until_s, now_s)

    def state(self, target: Target, now_s: float | None = None) -> BreakerState:
        """Of `engine/model`, or of its engine where that one is what keeps requests away."""
        now_s = self._now_s if now_s is None else now_s
        engine, model = (
            breaker.shown(name, now_s) if (breaker := self._known.get(name)) else BreakerState(name)
            for name in _names(target)
        )
        return engine if engine.state != "closed" else model

    def states(self, now_s: float | None = None) -> tuple[BreakerState, ...]:
        """All that have failed lately or are not closed, by name. now_s: without it, as of the last call."""
        now_s = self._now_s if now_s is None else now_s
        return tuple(b.shown(name, now_s) for name, b in sorted(self._known.items()) if not b.is_idle(now_s))

    def reopens_in_s(self, targets: Sequence[Target], now_s: float) -> float:
        """Seconds until the first of `targets` may be tried, 0.0 if one may be now or there are none."""
        return min((self._wait_s(target, now_s) for target in targets), default=0.0)

    def _wait_s(self, target: Target, now_s: float) -> float:
        return max((breaker.wait_s(now_s) for breaker in self._of(target)), default=0.0)

    def _of(self, target: Target) -> list[_Breaker]:
        return [breaker for name in _names(target) if (breaker := self._known.get(name))]

    def _end_trial(self, name: str) -> None:
        if breaker := self._known.get(name):
            breaker.trial_until_s = None

    def _breaker(self, name: str, now_s: float) -> _Breaker:
        if name not in self._known:
            self._make_room(now_s)
            self._known[name] = _Breaker(self._settings)
        return self._known[name]

    def _make_room(self, now_s: float) -> None:
        """Forget those that count for nothing any more, and if that is not enough the oldest."""
        if len(self._known) < MAX_BREAKERS:
            return
        self._known = {name: breaker for name, breaker in self._known.items() if not breaker.is_idle(now_s)}
        while len(self._known) >= MAX_BREAKERS:
            del self._known[next(iter(self._known))]


def _names(target: Target) -> tuple[str, str]:
    """Of the engine's breaker and the model's. No engine's name has a slash in it (`settings.Name`)."""
    return target.engine, f"{target.engine}/{target.model}"
