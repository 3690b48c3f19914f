"""Each cause as a sentence for whoever is refused, and when to ask again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from phone.settings import GovernorSettings
from phone.supervisor.causes import GovernorMemory, heat_pace, memory_pace, throttle_pace
from phone.supervisor.steps import BADNESS, Level, Pace, Track, better_in_s, dwell_s

# A phone that has stopped working cools by about half a degree a minute.
COOLING_S_PER_C = 120.0
HEAT_RETRY_S = (120.0, 900.0)
CHARGE_RETRY_S = 900.0
MEMORY_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Cause:
    """retry_s: after how long it is worth asking again, if this were the only one."""

    level: Level
    sentence: str
    retry_s: float


def causes_of(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> tuple[Cause, ...]:
    """Those that ask for less than full speed, worst first."""
    found = (
        _heat(memory, settings, now_s),
        _charge(memory, settings, now_s),
        _memory(memory, settings, now_s),
        _throttle(memory, settings, now_s),
    )
    return tuple(sorted((cause for cause in found if cause), key=lambda cause: -BADNESS[cause.level]))


def _heat(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> Cause | None:
    level, degrees = memory.heat.level, memory.temperature.value
    if level is Level.SERVE:
        return None
    pace = heat_pace(settings)
    if degrees is None:
        return _blind(memory.heat, pace, now_s, "how warm the battery is")
    at = {Level.SLOW: settings.slow_c, Level.PAUSE: settings.pause_c, Level.UNLOAD: settings.unload_c}[level]
    back = at - settings.margin_c
    shortest_s, longest_s = HEAT_RETRY_S
    retry_s = max(shortest_s, min(longest_s, (degrees - back) * COOLING_S_PER_C))
    if degrees < back:
        now, rule = "has cooled to", f"{_again(level)} once it has stayed below {back:g} for {pace.dwell_s:g} s"
    else:
        now, rule = "is at", f"{_does(level)} at {at:g} and {_again(level)} below {back:g}"
    return Cause(level, f"The battery {now} {degrees:.1f} degrees C; Farmhand {rule}.", _retry(memory.heat, pace, now_s, retry_s))


def _charge(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> Cause | None:
    level, percent, charging = memory.charge.level, memory.percent.value, memory.charging.value
    if level is Level.SERVE:
        return None
    pace = heat_pace(settings)
    if percent is None or charging is None:
        return _blind(memory.charge, pace, now_s, "how full the battery is")
    retry_s = _retry(memory.charge, pace, now_s, CHARGE_RETRY_S)
    if charging:
        back = settings.pause_percent + settings.margin_percent
        if level is Level.SLOW:
            sentence = f"The battery is at {percent:.0f} %, though charging; Farmhand works slowly until it is above {back:g}."
        else:
            sentence = f"The battery is at {percent:.0f} % and charging again; Farmhand goes on in {retry_s:.0f} s if it stays so."
        return Cause(level, sentence, retry_s)
    at = {Level.SLOW: settings.slow_percent, Level.PAUSE: settings.pause_percent, Level.UNLOAD: settings.unload_percent}[level]
    back = at + settings.margin_percent
    rule = f"Farmhand {_does(level)} at {at:g} and {_again(level)} above {back:g} or on a charger."
    return Cause(level, f"The battery is at {percent:.0f} % and not charging; {rule}", retry_s)


def _memory(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> Cause | None:
    if memory.memory.level is Level.SERVE:
        return None
    pace = memory_pace(settings)
    available = memory.available.value
    if available is None:
        return _blind(memory.memory, pace, now_s, "how much memory is free")
    back = settings.memory_low_bytes + settings.margin_memory_bytes
    wait_s = dwell_s(memory.memory, pace)
    if available > back:
        now = f"The phone was short of memory and has {_mib(available)} again"
        rule = f"goes on once it has had more than {_mib(back)} for {wait_s:.0f} s"
    else:
        now = f"The phone has {_mib(available)} of memory left"
        rule = f"unloads its models at {_mib(settings.memory_low_bytes)} and goes on above {_mib(back)}"
    return Cause(Level.UNLOAD, f"{now}; Farmhand {rule}.", max(MEMORY_RETRY_S, _retry(memory.memory, pace, now_s, wait_s)))


def _throttle(memory: GovernorMemory, settings: GovernorSettings, now_s: float) -> Cause | None:
    if memory.throttle.level is Level.SERVE:
        return None
    pace, degrees = throttle_pace(settings), memory.temperature.value
    if degrees is None:
        return _blind(memory.throttle, pace, now_s, "how warm the battery is")
    back = settings.warm_c - settings.margin_c
    sentence = (
        f"The battery is warm ({degrees:.1f} degrees C) and the phone has throttled its processor; "
        f"Farmhand works slowly until it is below {back:g}, and tries again now and then."
    )
    return Cause(memory.throttle.level, sentence, _retry(memory.throttle, pace, now_s, 0.0))


def _blind(track: Track, pace: Pace, now_s: float, what: str) -> Cause:
    retry_s = _retry(track, pace, now_s, pace.dwell_s)
    return Cause(track.level, f"It is not known any more {what}; Farmhand goes on without it in {retry_s:.0f} s.", retry_s)


def _retry(track: Track, pace: Pace, now_s: float, else_s: float) -> float:
    """The rest of its dwell, where it is better already."""
    better_s = better_in_s(track, pace, now_s)
    return else_s if better_s is None else better_s


def _does(level: Level) -> str:
    return {Level.SLOW: "works slowly", Level.PAUSE: "pauses", Level.UNLOAD: "unloads its models"}[level]


def _again(level: Level) -> str:
    return "is fast again" if level is Level.SLOW else "goes on"


def _mib(amount: float) -> str:
    return f"{round(amount / (1 << 20))} MiB"
