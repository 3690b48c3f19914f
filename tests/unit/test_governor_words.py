"""What the governor says: why, and how long until it is better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phone.device import Device
from phone.settings import GovernorSettings
from phone.supervisor.governor import Level
from tests.unit.governor_cases import FINE, MIB, THROTTLED, Watch, at, ruled


@pytest.mark.parametrize(
    ("devices", "reason", "retry_s"),
    [
        ([at(41.6)], "The battery is at 41.6 degrees C; Farmhand works slowly at 41 and is fast again below 39.", 0),
        ([at(45.2)], "The battery is at 45.2 degrees C; Farmhand pauses at 44 and goes on below 42.", 384),
        ([at(43.0), at(44.0)], "The battery is at 44.0 degrees C; Farmhand pauses at 44 and goes on below 42.", 240),
        ([at(80.0)], "The battery is at 80.0 degrees C; Farmhand unloads its models at 47 and goes on below 45.", 900),
        (
            [at(percent=20)],
            "The battery is at 20 % and not charging; Farmhand works slowly at 25 and is fast again above 28 or on a charger.",
            0,
        ),
        (
            [at(percent=10)],
            "The battery is at 10 % and not charging; Farmhand pauses at 12 and goes on above 15 or on a charger.",
            900,
        ),
        ([at(percent=5, charging=True)], "The battery is at 5 %, though charging; Farmhand works slowly until it is above 15.", 0),
        (
            [replace(FINE, available_bytes=210 * MIB)],
            "The phone has 210 MiB of memory left; Farmhand unloads its models at 300 MiB and goes on above 500 MiB.",
            120,
        ),
        (
            [THROTTLED],
            "The battery is warm (38.5 degrees C) and the phone has throttled its processor; Farmhand works slowly until it is below 36, "
            + "and tries again now and then.",
            0,
        ),
    ],
)
def test_the_reason_is_a_sentence_and_the_time_fits_it(devices: list[Device], reason: str, retry_s: int) -> None:
    ruling = ruled(*devices)
    assert (ruling.reason, ruling.retry_after_s, ruling.because) == (reason, retry_s, (reason,))


@pytest.mark.parametrize(
    ("worse", "better", "reason", "retry_s"),
    [
        (at(44.0), at(41.5), "The battery has cooled to 41.5 degrees C; Farmhand goes on once it has stayed below 42 for 60 s.", 45),
        (
            at(percent=10),
            at(percent=10, charging=True),
            "The battery is at 10 % and charging again; Farmhand goes on in 45 s if it stays so.",
            45,
        ),
        (
            replace(FINE, available_bytes=100 * MIB),
            FINE,
            "The phone was short of memory and has 3000 MiB again; Farmhand goes on once it has had more than 500 MiB for 120 s.",
            105,
        ),
    ],
)
def test_who_waits_is_told_how_long(worse: Device, better: Device, reason: str, retry_s: int) -> None:
    watch = Watch()
    watch.stay(worse, 100)
    ruling = watch.stay(better, 20)
    assert (ruling.reason, ruling.retry_after_s) == (reason, retry_s)
    assert watch.stay(better, retry_s).level == ("serve" if better == FINE else "slow")


def test_a_level_without_a_cause_says_so() -> None:
    """Memory was low while it was hot: the battery is cool again, and the last change is not long enough ago."""
    watch = Watch(GovernorSettings(dwell_s=10, memory_dwell_s=10))
    watch.stay(at(44.0), 30)
    watch.settings = GovernorSettings(dwell_s=10)
    watch.stay(at(41.5), 15)
    watch.settings = GovernorSettings(dwell_s=300, warm_c=20, slow_c=43, pause_c=44, margin_c=0.0)
    watch.memory = replace(watch.memory, heat=replace(watch.memory.heat, level=Level.SERVE, better_since_s=None))
    ruling = watch.look(at(41.5))
    assert ruling.level == "slow"
    assert ruling.reason.startswith("The phone is better again; Farmhand goes on in 29")
    assert ruling.because == (ruling.reason,)
