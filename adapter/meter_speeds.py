"""How fast each model writes: lately, and usually, so that a hot phone is seen to slow down. Pure: times come in as arguments.

What is compared must be alike, so only whole answers count that an engine wrote alone, at full power (the caller sees to both), long enough to be
measured. Tokens/s of one model still vary, with the length of its prompt and what it guesses ahead: neither number is a promise.
"""

from __future__ import annotations

from dataclasses import dataclass

# Shorter answers, in tokens or seconds, measure the start and the clock. An app that sends its whole answer at once is among them.
MIN_TOKENS = 8
MIN_S = 0.1
# Weight of the newest answer in what is so lately: a fall is believed after three or four.
NEWEST = 0.3
# What is usual rises by a quarter of the way to a faster answer and falls by a fortieth to a slower one. It rests where one answer in some ten is
# faster: an afternoon of throttling hardly moves it, another model under the same name does, in a hundred answers.
RISE, FALL = 0.25, 0.025
# What is older says nothing of the phone's heat: it is not shown, and the next answer begins anew. Else a governor that slowed the phone down for
# a low number would never see a better one.
FRESH_S = 600.0
MOST = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens/s of one model: a moving mean of the last answers, and how fast it usually is."""

    engine: str
    model: str
    tokens_s: float
    usual_tokens_s: float


class Speeds:
    """At most `MOST` models; the one that has not answered for longest is forgotten first."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Speed, float]] = {}

    def learn(self, engine: str, model: str, tokens: int, first_s: float, last_s: float) -> None:
        """A whole answer of `tokens`, of which the first came at `first_s` and the last at `last_s`, on one clock."""
        took_s = last_s - first_s
        if tokens < MIN_TOKENS or took_s < MIN_S:
            return
        key = (engine, model)
        known = self._known.pop(key, None)
        if known is None and len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[key] = (_learned(key, (tokens - 1) / took_s, known, last_s), last_s)

    def shown(self, now_s: float) -> tuple[Speed, ...]:
        """What is fresh, by name."""
        fresh = (speed for speed, at_s in self._known.values() if now_s - at_s <= FRESH_S)
        return tuple(sorted(fresh, key=lambda speed: (speed.engine, speed.model)))


def _learned(key: tuple[str, str], tokens_s: float, known: tuple[Speed, float] | None, now_s: float) -> Speed:
    if known is None:
        return Speed(*key, tokens_s, tokens_s)
    before, at_s = known
    usual, lately = before.usual_tokens_s, tokens_s
    if now_s - at_s <= FRESH_S:
        lately = before.tokens_s + NEWEST * (tokens_s - before.tokens_s)
    usual += (RISE if tokens_s > usual else FALL) * (tokens_s - usual)
    return Speed(*key, lately, usual)
