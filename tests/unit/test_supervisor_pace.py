"""How soon the supervisor looks again."""

from __future__ import annotations

import pytest

from phone.device import Battery, Device
from phone.settings import PhoneSettings
from phone.supervisor.decide import Decision, Report
from phone.supervisor.memory import Memory
from phone.supervisor.pace import next_look_s
from phone.supervisor.types import Observation, Service

CHARGING, ON_BATTERY = Battery(charging=True), Battery(charging=False)


@pytest.mark.parametrize(
    ("state", "retry_in_s", "calm_s", "battery", "expected"),
    [
        ("starting", None, 0.0, None, 0.5),
        ("waiting", None, 14.0, None, 0.5),
        ("stopping", None, 40.0, None, 2.0),
        ("unready", None, 40.0, None, 2.0),
        ("ready", None, 0.0, None, 5.0),
        ("ready", None, 119.0, ON_BATTERY, 5.0),
        ("ready", None, 121.0, ON_BATTERY, 15.0),
        ("ready", None, 1_300.0, ON_BATTERY, 60.0),
        ("ready", None, 1_300.0, CHARGING, 15.0),
        ("ready", None, 1_300.0, None, 15.0),
        ("backing off", 3.0, 0.0, None, 3.0),
        ("backing off", 0.0, 0.0, None, 0.1),
        ("backing off", 300.0, 1_300.0, ON_BATTERY, 60.0),
        ("given up", None, 1_300.0, ON_BATTERY, 60.0),
    ],
)
def test_next_look(
    state: str, retry_in_s: float | None, calm_s: float, battery: Battery | None, expected: float
) -> None:
    decision = Decision(Memory(), reports={Service.ADAPTER: Report(state, retry_in_s=retry_in_s)})
    seen = Observation(1.0, device=Device(battery=battery))
    assert next_look_s(seen, decision, PhoneSettings(), calm_s) == expected


def test_at_most_one_look_in_five_seconds_while_nothing_changes() -> None:
    decision = Decision(Memory(), reports={s: Report("ready") for s in Service})
    looks = [next_look_s(Observation(1.0), decision, PhoneSettings(), calm_s) for calm_s in range(0, 4_000, 10)]
    assert min(looks) == 5.0
