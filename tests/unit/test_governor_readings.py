"""What the governor believes of what the phone says: glitches, silence, short memory, clocks and speeds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from phone.device import Device
from phone.supervisor.causes import THROTTLE_CONFIRM_S, THROTTLE_STANDS_S
from phone.supervisor.governor import STEP_S, Ruling
from phone.supervisor.readings import KEEP_S, ODD_S
from phone.supervisor.steps import LONGEST_DWELL_S
from phone.supervisor.types import Speed
from tests.unit.governor_cases import FAST, FINE, MIB, SLOWED, THROTTLED, TICK_S, WARM, Watch, at, ruled

# --- readings that cannot be, or are not there -------------------------------------------------------------------


@pytest.mark.parametrize("odd", [at(71.0), at(-20.0), at(percent=0), at(charging=False, percent=5)], ids=str)
def test_one_odd_battery_report_counts_for_nothing(odd: Device) -> None:
    """It is looked at several times before there is a new one."""
    watch = Watch()
    usual = at(40.0, 30, charging=True)
    watch.stay(usual, 300)
    watch.stay(odd, 240 if odd.battery and odd.battery.charging else 60)
    watch.stay(usual, 300)
    assert watch.levels == []


def test_an_odd_reading_that_stays_is_believed() -> None:
    watch = Watch()
    watch.stay(at(30.0), 100)
    assert watch.stay(at(45.0), ODD_S - TICK_S).level == "serve"
    assert watch.stay(at(45.0), 2 * TICK_S).level == "pause"


def test_two_reports_that_agree_are_believed() -> None:
    """Two that are the same may be one report, looked at twice; two that are only close are not."""
    watch = Watch()
    watch.stay(at(38.0), 100)
    assert watch.stay(at(44.6), 60).level == "serve"
    assert watch.look(at(44.8)).level == "pause"


def test_readings_that_jump_about_are_not_believed_and_unknown_after_a_while() -> None:
    watch = Watch()
    ruling = watch.stay(at(38.0), 100)
    for celsius in (99.0, -20.0) * 1000:
        ruling = watch.look(at(celsius))
    assert (watch.levels, ruling.unknown) == ([], ("battery temperature",))


@pytest.mark.parametrize("report_s", [5, 60, 240])
def test_what_is_heated_quickly_is_not_odd(report_s: int) -> None:
    watch = Watch()
    for degree in range(30, 45, 5 if report_s == 240 else 2):
        watch.stay(at(float(degree)), report_s)
    assert watch.stay(at(45.0), STEP_S + TICK_S).level == "pause"


def test_after_a_long_sleep_any_reading_is_a_first_one() -> None:
    watch = Watch()
    watch.stay(FINE, 100)
    watch.now_s += KEEP_S
    assert watch.look(at(45.0, 20)).level == "pause"


def test_a_charger_counts_at_once_and_its_loss_when_it_lasts() -> None:
    watch = Watch()
    watch.stay(at(percent=10), 100)
    began_s = watch.now_s
    watch.stay(at(percent=10, charging=True), 100)
    assert watch.levels == [(1000.0, "pause"), (began_s + 60, "slow")]
    began_s = watch.now_s
    watch.stay(at(percent=10), 100)
    assert watch.levels[2:] == [(began_s + 90, "pause")]


def test_an_unknown_reading_is_the_last_one_for_ten_minutes_then_none() -> None:
    watch = Watch()
    watch.stay(at(45.0), 60)
    silent = replace(FINE, battery=None)
    ruling = watch.stay(silent, KEEP_S - 60)
    assert (ruling.level, ruling.unknown) == ("pause", ())
    ruling = watch.stay(silent, 75)
    assert ruling.reason == "It is not known any more how warm the battery is; Farmhand goes on without it in 50 s."
    ruling = watch.stay(silent, 120)
    assert ruling == Ruling("serve", "", 0, (), ("battery temperature", "battery charge", "charger"))


def test_nothing_is_known_of_a_machine_that_says_nothing() -> None:
    assert ruled(Device()).unknown == ("battery temperature", "battery charge", "charger", "available memory")


@pytest.mark.parametrize("celsius", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_no_reading(celsius: float) -> None:
    assert ruled(at(celsius)) == Ruling("serve", "", 0, (), ("battery temperature",))


# --- memory ------------------------------------------------------------------------------------------------------


def test_one_low_look_at_memory_counts_for_nothing() -> None:
    watch = Watch()
    low = replace(FINE, available_bytes=100 * MIB)
    for _ in range(20):
        assert watch.look(low).level == "serve"
        assert watch.look(FINE).level == "serve"


def test_two_low_looks_count_unless_they_are_one_moment() -> None:
    watch = Watch()
    low = replace(FINE, available_bytes=100 * MIB)
    watch.look(low)
    watch.now_s -= TICK_S - 0.1
    assert watch.look(low).level == "serve"
    assert watch.look(low).level == "unload"


def test_loading_and_unloading_do_not_alternate() -> None:
    """A model that does not fit: loaded as soon as it may be, it leaves 200 MiB; without it there are 1200."""
    watch, loaded_at_s = Watch(), -1e9
    is_loaded = False
    for _ in range(int(12 * 3600 / TICK_S)):
        device = replace(FINE, available_bytes=(200 if is_loaded and watch.now_s >= loaded_at_s + 10 else 1200) * MIB)
        level = watch.look(device).level
        if level == "serve" and not is_loaded:
            loaded_at_s = watch.now_s
        is_loaded = level == "serve"
    unloads = [s for s, level in watch.levels if level == "unload"]
    pauses = [round(later - sooner) for sooner, later in pairwise(unloads)]
    assert [round((pause - 20) / 120) for pause in pauses[:5]] == [1, 2, 4, 8, 16]
    assert all(abs(pause - LONGEST_DWELL_S) <= 30 for pause in pauses[5:])
    assert len(unloads) == 16


def test_a_good_hour_makes_it_trust_memory_again() -> None:
    watch = Watch()
    low = replace(FINE, available_bytes=100 * MIB)
    for _ in range(4):
        watch.stay(low, 10)
        watch.stay(FINE, 1000)
    assert watch.memory.memory.relapses == 3
    watch.stay(FINE, 4000)
    watch.stay(low, 10)
    assert watch.memory.memory.relapses == 0


# --- clock and tokens/s ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("device", "speeds"), [(THROTTLED, FAST), (WARM, SLOWED)], ids=["clock", "trend"])
def test_throttling_counts_only_on_a_warm_battery_and_when_it_lasts(device: Device, speeds: tuple[Speed, ...]) -> None:
    cool = replace(device, battery=FINE.battery)
    watch = Watch(speeds=speeds)
    assert watch.stay(cool, 600).level == "serve"
    watch = Watch(speeds=speeds)
    assert watch.stay(device, THROTTLE_CONFIRM_S).level == "serve"
    assert watch.stay(device, TICK_S).level == "slow"
    assert watch.stay(device, 600).level == "slow"


def test_idle_cores_are_not_throttled() -> None:
    watch = Watch(busy=False, speeds=SLOWED)
    assert watch.stay(THROTTLED, 600).level == "serve"


def test_short_answers_prove_nothing() -> None:
    watch = Watch()
    for _ in range(50):
        watch.busy = not watch.busy
        assert watch.stay(THROTTLED, 15).level == "serve"


def test_working_slowly_does_not_prove_itself_right() -> None:
    """Fewer threads write fewer tokens: what was slowed by heat is fast again when that is over, however slow it was meanwhile."""
    watch = Watch()
    watch.stay(at(41.5), 60)
    watch.speeds = SLOWED
    watch.stay(replace(at(39.5), big_clock=0.4), 300)
    watch.speeds = FAST
    assert watch.stay(replace(at(38.5), big_clock=1.0), 120).level == "serve"


def test_who_was_throttled_stays_slow_until_it_has_cooled_and_tries_again_now_and_then() -> None:
    watch = Watch()
    watch.stay(THROTTLED, 60)
    watch.stay(replace(WARM, big_clock=1.0), 300)
    assert watch.stay(at(36.0), 300).level == "slow"
    assert watch.stay(at(35.9), 90).level == "serve"
    watch = Watch()
    watch.stay(THROTTLED, 4 * 3600)
    slows = [s for s, level in watch.levels if level == "slow"]
    assert min(later - sooner for sooner, later in pairwise(slows)) >= THROTTLE_STANDS_S + 60
