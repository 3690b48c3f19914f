"""How hard the engines may work on this phone, and why, in a sentence that a client can be told. Pure: readings and time come in.

Each cause (`causes.py`) asks for a level; the worst of them is what holds. Worse counts at once; better only when it has held for a while
(`steps.py`), and not sooner than `dwell_s` after the last change, whatever the causes were. So it cannot flap: two improvements are at least
`dwell_s` apart. A person's pause (`farmhand pause`) is on top of that, and begins and ends at once.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from phone.device import Device
from phone.settings import GovernorSettings
from phone.supervisor.causes import GovernorMemory, look, unknown
from phone.supervisor.reasons import Cause, causes_of
from phone.supervisor.steps import Level, is_worse, worst
from phone.supervisor.types import Speed

__all__ = ["GovernorMemory", "Hold", "Level", "Ruling", "govern", "governor_memory_from_json", "to_json"]

# Between two changes for the worse; unloading does not wait, since what it prevents is being killed.
STEP_S = 15.0
# A look may have begun before what it is compared with was written down.
LOOKS_LATE_S = 60.0
# For a person's pause that has no end of its own.
HELD_RETRY_S = 300.0
LONGEST_RETRY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's pause. until_s: on the clock of `now_s`, `None` until somebody ends it. why: the person's words, may be empty."""

    until_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """level: "serve", "slow", "pause" or "unload". reason: a sentence, empty for "serve". retry_after_s: 0 for "serve" and "slow".
    because: a sentence for each cause that counts, worst first. unknown: readings that do not count because nobody knows them."""

    level: str
    reason: str
    retry_after_s: int
    because: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def govern(
    memory: GovernorMemory,
    device: Device,
    speeds: tuple[Speed, ...],
    settings: GovernorSettings,
    now_s: float,
    hold: Hold | None = None,
    *,
    busy: bool = True,
) -> tuple[GovernorMemory, Ruling]:
    """One look. speeds: of engines on this phone. busy: whether one of them works now; idle cores clock down, which is no throttling.

    Deterministic, raises nothing. A memory from the future is of an earlier boot and is dropped.
    """
    if not settings.enabled:
        return GovernorMemory(), _ruling(GovernorMemory(), settings, now_s, hold)
    memory = look(_of_this_boot(memory, now_s), device, speeds, settings, now_s, busy=busy)
    memory = _settle(memory, settings, now_s)
    return memory, _ruling(memory, settings, now_s, hold)


def to_json(memory: GovernorMemory) -> dict[str, Any]:
    return asdict(memory)


def governor_memory_from_json(data: object) -> GovernorMemory:
    """What `to_json` gave; anything else is as if nothing had been seen yet. Belongs to one boot: drop it after another."""
    try:
        return _reader().validate_python(data)
    except ValidationError:
        return GovernorMemory()


@cache
def _reader() -> TypeAdapter[GovernorMemory]:
    """Made when it is first needed: it costs some milliseconds."""
    return TypeAdapter(GovernorMemory)


def _of_this_boot(memory: GovernorMemory, now_s: float) -> GovernorMemory:
    readings = (memory.temperature, memory.percent, memory.available, memory.charging)
    latest_s = max(memory.changed_at_s or 0.0, *(reading.at_s for reading in readings))
    return memory if latest_s <= now_s + LOOKS_LATE_S else GovernorMemory()


def _settle(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> GovernorMemory:
    """From the causes' levels to the one that holds."""
    wanted = worst(memory.heat.level, memory.charge.level, memory.memory.level, memory.throttle.level)
    if wanted is memory.level:
        return memory
    since_s = float("inf") if memory.changed_at_s is None else now_s - memory.changed_at_s
    got_worse = is_worse(wanted, memory.level)
    if got_worse:
        waits = memory.got_worse and since_s < STEP_S and wanted is not Level.UNLOAD
    else:
        waits = since_s < settings.dwell_s
    return memory if waits else replace(memory, level=wanted, changed_at_s=now_s, got_worse=got_worse)


# --- the ruling --------------------------------------------------------------------------------------------------


def _ruling(memory: GovernorMemory, settings: GovernorSettings, now_s: float, hold: Hold | None) -> Ruling:
    causes = causes_of(memory, settings, now_s)
    ruled = [*causes] if causes and not is_worse(memory.level, causes[0].level) else [_waiting(memory, settings, now_s), *causes]
    held = _held(hold, now_s)
    if held:
        # What a person did comes first, but for what is worse than that.
        ruled.insert(1 if is_worse(memory.level, held.level) else 0, held)
    level = worst(memory.level, held.level) if held else memory.level
    refusing = [cause.retry_s for cause in ruled if is_worse(cause.level, Level.SLOW)]
    return Ruling(
        level=level.value,
        reason="" if level is Level.SERVE else ruled[0].sentence,
        retry_after_s=_whole_s(max(refusing, default=0.0)) if is_worse(level, Level.SLOW) else 0,
        because=tuple(cause.sentence for cause in ruled if cause.level is not Level.SERVE),
        unknown=unknown(memory) if settings.enabled else (),
    )


def _waiting(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> Cause:
    """The level that still holds although no cause asks for it any more."""
    rest_s = max(0.0, (memory.changed_at_s or 0.0) + settings.dwell_s - now_s)
    return Cause(memory.level, f"The phone is better again; Farmhand goes on in {rest_s:.0f} s if it stays so.", rest_s)


def _held(hold: Hold | None, now_s: float) -> Cause | None:
    if hold is None or (hold.until_s is not None and now_s >= hold.until_s):
        return None
    why = f" ({' '.join(hold.why.split())})" if hold.why.strip() else ""
    if hold.until_s is None or not hold.until_s < float("inf"):
        return Cause(Level.PAUSE, f"Farmhand was paused by hand{why}; it goes on after `farmhand resume`.", HELD_RETRY_S)
    rest_s = hold.until_s - now_s
    return Cause(Level.PAUSE, f"Farmhand was paused by hand{why}; it goes on in {_span(rest_s)}.", rest_s)


def _whole_s(seconds: float) -> int:
    """For a Retry-After header: at least a second, rounded up."""
    return max(1, math.ceil(round(min(LONGEST_RETRY_S, seconds), 3)))


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds <= 90 else f"{math.ceil(seconds / 60)} min"
