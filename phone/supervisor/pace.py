"""How soon to look again: often while something is on its way, seldom while nothing changes. Pure."""

from __future__ import annotations

from phone.settings import PhoneSettings
from phone.supervisor.decide import Decision
from phone.supervisor.types import Observation

# While something starts or stops: soon enough that a start looks prompt, for as long as people watch it.
BUSY_S = 0.5
# What comes up slowly is not asked twice a second for minutes.
PATIENT_S = 2.0
PROMPT_FOR_S = 15.0
# Nobody has asked for anything for so long: three times as seldom, and on battery once a minute after ten times as long.
CALM_S = 120.0
ASLEEP_S = 1_200.0
ASLEEP_LOOK_S = 60.0

ON_THE_WAY = frozenset({"starting", "stopping", "unready", "waiting"})


def next_look_s(seen: Observation, decision: Decision, settings: PhoneSettings, calm_s: float) -> float:
    """Seconds until the next look, if nothing wakes the supervisor before (a signal, news from the adapter).

    calm_s: since something changed or somebody asked for something.
    """
    on_the_way = any(report.state in ON_THE_WAY for report in decision.reports.values())
    tick_s = settings.supervisor.tick_s
    if on_the_way:
        look_s = BUSY_S if calm_s < PROMPT_FOR_S else min(PATIENT_S, tick_s)
    elif calm_s < CALM_S:
        look_s = tick_s
    elif calm_s >= ASLEEP_S and not _charging(seen):
        look_s = max(ASLEEP_LOOK_S, tick_s)
    else:
        look_s = 3 * tick_s
    due = [r.retry_in_s for r in decision.reports.values() if r.retry_in_s is not None]
    return max(0.1, min([look_s, *due]))


def _charging(seen: Observation) -> bool:
    """What is not known counts as plugged in: looking more often does no harm there."""
    battery = seen.device.battery
    return battery is None or battery.charging is not False
