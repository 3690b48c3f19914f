"""What speaks against working at full speed: heat, charge, memory, throttling. Each by itself, from readings to a level. Pure.

A cause whose reading is unknown does not count; `unknown` names it. Clock and tokens/s never pause anything: an engine's speed varies with its
prompts, and idle cores clock down, so the two speak only while something runs at full speed on a warm battery, and then only for "slow".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pydantic import FiniteFloat

from phone.device import Battery, Device
from phone.settings import GovernorSettings
from phone.supervisor.readings import ANY_CHANGE, Likely, Reading, read
from phone.supervisor.steps import Level, Pace, Rung, Track, ladder, step
from phone.supervisor.types import Speed

# What a battery can do between two reports, a minute apart while it works, four while it rests.
LIKELY_HEAT = Likely(5.0)
LIKELY_PERCENT = Likely(10.0)
# A loose contact. That the charger is back counts at once: it makes nothing worse, and a better level waits anyway.
LIKELY_UNPLUGGED = Likely(0.5, odd_s=90.0)

# Memory is read every four seconds at most (`devices.py`), and looks may follow each other sooner: two looks with that much between them
# have seen two readings.
MEMORY_CONFIRM_S = 4.8
# Cores change their clock many times a second; what throttles does so for minutes.
THROTTLE_CONFIRM_S = 20.0
# While it works slowly neither clock nor tokens/s say how it would be at full speed. So it stays slow until it has cooled,
# and tries again after that time if it does not.
THROTTLE_STANDS_S = 900.0


@dataclass(frozen=True, slots=True)
class GovernorMemory:
    """Readings: degrees C, percent, 1 or 0, bytes, share of the highest clock, share of the usual tokens/s. Then the causes. level: of them
    together, as it was decided at changed_at_s, for the worse or not."""

    temperature: Reading = field(default_factory=Reading)
    percent: Reading = field(default_factory=Reading)
    charging: Reading = field(default_factory=Reading)
    available: Reading = field(default_factory=Reading)
    clock: Reading = field(default_factory=Reading)
    trend: Reading = field(default_factory=Reading)
    heat: Track = field(default_factory=Track)
    charge: Track = field(default_factory=Track)
    memory: Track = field(default_factory=Track)
    throttle: Track = field(default_factory=Track)
    level: Level = Level.SERVE
    changed_at_s: FiniteFloat | None = None
    got_worse: bool = False


def look(
    memory: GovernorMemory, device: Device, speeds: Iterable[Speed], settings: GovernorSettings, now_s: float, *, busy: bool
) -> GovernorMemory:
    """With what the phone says now. busy: does one of our engines work?"""
    battery = device.battery or Battery()
    charging = None if battery.charging is None else float(battery.charging)
    available = None if device.available_bytes is None else float(device.available_bytes)
    memory = replace(
        memory,
        temperature=read(memory.temperature, battery.temperature_c, now_s, LIKELY_HEAT),
        percent=read(memory.percent, battery.percent, now_s, LIKELY_PERCENT),
        charging=read(memory.charging, charging, now_s, ANY_CHANGE if charging else LIKELY_UNPLUGGED),
        available=read(memory.available, available, now_s),
        clock=read(memory.clock, device.big_clock if busy else None, now_s),
        trend=read(memory.trend, _trend(speeds) if busy else None, now_s),
    )
    return replace(
        memory,
        heat=step(memory.heat, _heat(memory, settings), now_s, heat_pace(settings)),
        charge=step(memory.charge, _charge(memory, settings), now_s, heat_pace(settings)),
        memory=step(memory.memory, _memory(memory, settings), now_s, memory_pace(settings)),
        throttle=step(memory.throttle, _throttle(memory, settings, now_s, busy), now_s, throttle_pace(settings)),
    )


def unknown(memory: GovernorMemory) -> tuple[str, ...]:
    """What does not count because nobody knows it; clock and tokens/s are left out, since they often have no say."""
    named = {
        "battery temperature": memory.temperature,
        "battery charge": memory.percent,
        "charger": memory.charging,
        "available memory": memory.available,
    }
    return tuple(name for name, reading in named.items() if reading.value is None)


def heat_pace(settings: GovernorSettings) -> Pace:
    return Pace(0.0, settings.dwell_s)


def memory_pace(settings: GovernorSettings) -> Pace:
    """Unloading frees the very memory whose lack unloaded, so memory that is free again proves nothing: the next request may load the model
    and end in the same place. Each such round doubles the pause before the next, up to an hour."""
    return Pace(MEMORY_CONFIRM_S, max(settings.memory_dwell_s, settings.dwell_s), grows=True)


def throttle_pace(settings: GovernorSettings) -> Pace:
    return Pace(THROTTLE_CONFIRM_S, settings.dwell_s)


# --- from readings to what they ask for --------------------------------------------------------------------------


def _heat(memory: GovernorMemory, settings: GovernorSettings) -> Level:
    if memory.temperature.value is None:
        return Level.SERVE
    rungs = (
        Rung(Level.SLOW, settings.slow_c),
        Rung(Level.PAUSE, settings.pause_c),
        Rung(Level.UNLOAD, settings.unload_c),
    )
    return ladder(memory.temperature.value, memory.heat.level, rungs, settings.margin_c)


def _charge(memory: GovernorMemory, settings: GovernorSettings) -> Level:
    """On a charger a nearly empty battery only slows: a laptop's USB port gives less than an engine at full speed takes."""
    if memory.percent.value is None or memory.charging.value is None:
        return Level.SERVE
    if memory.charging.value:
        rungs: tuple[Rung, ...] = (Rung(Level.SLOW, -settings.pause_percent),)
    else:
        rungs = (
            Rung(Level.SLOW, -settings.slow_percent),
            Rung(Level.PAUSE, -settings.pause_percent),
            Rung(Level.UNLOAD, -settings.unload_percent),
        )
    return ladder(-memory.percent.value, memory.charge.level, rungs, settings.margin_percent)


def _memory(memory: GovernorMemory, settings: GovernorSettings) -> Level:
    """Pausing frees nothing, so there is no step between."""
    if memory.available.value is None:
        return Level.SERVE
    rungs = (Rung(Level.UNLOAD, -settings.memory_low_bytes),)
    return ladder(-memory.available.value, memory.memory.level, rungs, settings.margin_memory_bytes)


def _throttle(memory: GovernorMemory, settings: GovernorSettings, now_s: float, busy: bool) -> Level:
    degrees = memory.temperature.value
    if degrees is None:
        return Level.SERVE
    if memory.throttle.level is not Level.SERVE:
        stands = degrees >= settings.warm_c - settings.margin_c and now_s - memory.throttle.since_s < THROTTLE_STANDS_S
        return Level.SLOW if stands else Level.SERVE
    may_tell = busy and memory.level is Level.SERVE and degrees >= settings.warm_c
    is_slow = _is_below(memory.clock, settings.slow_clock) or _is_below(memory.trend, settings.slow_trend)
    return Level.SLOW if may_tell and is_slow else Level.SERVE


def _is_below(reading: Reading, limit: float) -> bool:
    return reading.value is not None and reading.value < limit


def _trend(speeds: Iterable[Speed]) -> float | None:
    """Of the engine that has lost most."""
    return min((one.tokens_s / one.usual_tokens_s for one in speeds if one.usual_tokens_s > 0 and one.tokens_s > 0), default=None)
