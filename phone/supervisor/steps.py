"""Levels of work, and how one cause moves between them: soon for the worse, late for the better. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import FiniteFloat

# From one improvement until then a relapse counts as one: models are loaded by requests, which may be late.
RELAPSE_S = 3600.0
LONGEST_DWELL_S = 3600.0


class Level(StrEnum):
    """From best to worst; the adapter's words (`POST /admin/pressure`)."""

    SERVE = "serve"
    SLOW = "slow"
    PAUSE = "pause"
    UNLOAD = "unload"


BADNESS = {level: rank for rank, level in enumerate(Level)}


def worst(*levels: Level) -> Level:
    return max(levels, key=BADNESS.__getitem__, default=Level.SERVE)


def is_worse(one: Level, other: Level) -> bool:
    return BADNESS[one] > BADNESS[other]


@dataclass(frozen=True, slots=True)
class Pace:
    """confirm_s: how long something worse must have been seen, on two looks at least; 0: it counts at once. dwell_s: how long something better must.
    grows: each relapse doubles the dwell."""

    confirm_s: float
    dwell_s: float
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """One cause. level: what it asks for, since_s. worse_since_s, better_since_s: since when its reading has asked for something
    else without a break; better: the worst of what it asked for since then. improved_at_s: the last time for the better.
    relapses: how often it went from better to worse lately, in a row."""

    level: Level = Level.SERVE
    since_s: FiniteFloat = 0.0
    worse_since_s: FiniteFloat | None = None
    better_since_s: FiniteFloat | None = None
    better: Level = Level.SERVE
    improved_at_s: FiniteFloat | None = None
    relapses: int = 0


def dwell_s(track: Track, pace: Pace) -> float:
    """How long something better must hold now until it counts."""
    if not pace.grows:
        return pace.dwell_s
    # 2.0 ** 2000 would overflow.
    return max(pace.dwell_s, min(LONGEST_DWELL_S, pace.dwell_s * 2.0 ** min(track.relapses, 30)))


def better_in_s(track: Track, pace: Pace, now_s: float) -> float | None:
    """Seconds until it improves if its reading stays as good; `None` while the reading is not better."""
    if track.better_since_s is None:
        return None
    return max(0.0, track.better_since_s + dwell_s(track, pace) - now_s)


def step(track: Track, wish: Level, now_s: float, pace: Pace) -> Track:
    """wish: what the reading of now asks for, its margin included (`ladder`)."""
    if is_worse(wish, track.level):
        return _worse(replace(track, better_since_s=None), wish, now_s, pace)
    track = replace(track, worse_since_s=None)
    if wish is track.level:
        return replace(track, better_since_s=None)
    since_s = track.better_since_s
    if since_s is None:
        return replace(track, better_since_s=now_s, better=wish)
    track = replace(track, better=worst(track.better, wish))
    if now_s - since_s < dwell_s(track, pace):
        return track
    return replace(track, level=track.better, since_s=now_s, better_since_s=None, improved_at_s=now_s)


def _worse(track: Track, wish: Level, now_s: float, pace: Pace) -> Track:
    since_s = now_s if track.worse_since_s is None else track.worse_since_s
    if pace.confirm_s > 0 and (track.worse_since_s is None or now_s - since_s < pace.confirm_s):
        return replace(track, worse_since_s=since_s)
    is_relapse = track.improved_at_s is not None and now_s - track.improved_at_s <= RELAPSE_S
    relapses = track.relapses + 1 if is_relapse else 0
    return replace(track, level=wish, since_s=now_s, worse_since_s=None, relapses=relapses)


@dataclass(frozen=True, slots=True)
class Rung:
    """level: asked for from `at` on (upwards), and until it has come back below `at - margin`."""

    level: Level
    at: float


def ladder(value: float, level: Level, rungs: tuple[Rung, ...], margin: float) -> Level:
    """What a value asks for while `level` holds. Larger is worse: negate what is not. A rung that holds counts down to its margin."""
    return worst(
        *(rung.level for rung in rungs if value >= rung.at - (0.0 if is_worse(rung.level, level) else margin))
    )
