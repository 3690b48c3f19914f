"""How hard the engines may work, given what the phone says: thresholds, margins, waiting, glitches, sentences."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from phone.device import Battery, Device
from phone.settings import GovernorSettings
from phone.supervisor.causes import THROTTLE_CONFIRM_S, THROTTLE_STANDS_S
from phone.supervisor.governor import (
    STEP_S,
    GovernorMemory,
    Hold,
    Level,
    Ruling,
    govern,
    governor_memory_from_json,
    to_json,
)
from phone.supervisor.readings import KEEP_S, ODD_S
from phone.supervisor.steps import BADNESS, LONGEST_DWELL_S
from phone.supervisor.types import Speed

TICK_S = 5.0
MIB = 1 << 20
FINE = Device(Battery(80.0, 30.0, False), 3000 * MIB, 8000 * MIB, 1.0)
FAST = (Speed("demo", "demo", 11.0, 11.0),)
SLOWED = (Speed("demo", "demo", 5.0, 11.0), Speed("demo", "other", 0.0, 0.0))


def at(celsius: float | None = 30.0, percent: float | None = 80.0, charging: bool | None = False) -> Device:
    return replace(FINE, battery=Battery(percent, celsius, charging))


@dataclass
class Watch:
    """A governor that looks each TICK_S at what `device` is then."""

    settings: GovernorSettings = field(default_factory=GovernorSettings)
    memory: GovernorMemory = field(default_factory=GovernorMemory)
    now_s: float = 1000.0
    speeds: tuple[Speed, ...] = FAST
    busy: bool = True
    hold: Hold | None = None
    levels: list[tuple[float, str]] = field(default_factory=list)

    def look(self, device: Device) -> Ruling:
        self.memory, ruling = govern(
            self.memory, device, self.speeds, self.settings, self.now_s, self.hold, busy=self.busy
        )
        if ruling.level != (self.levels[-1][1] if self.levels else "serve"):
            self.levels.append((self.now_s, ruling.level))
        self.now_s += TICK_S
        return ruling

    def stay(self, device: Device, seconds: float) -> Ruling:
        until_s = self.now_s + seconds
        ruling = self.look(device)
        while self.now_s < until_s:
            ruling = self.look(device)
        return ruling


def ruled(*devices: Device, each_s: float = 120.0) -> Ruling:
    """After each of them has stood for a while."""
    watch = Watch()
    return [watch.stay(device, each_s) for device in devices][-1]


# --- thresholds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "level"),
    [
        (FINE, "serve"),
        (Device(), "serve"),
        (at(40.9), "serve"),
        (at(41.0), "slow"),
        (at(43.9), "slow"),
        (at(44.0), "pause"),
        (at(47.0), "unload"),
        (at(percent=26), "serve"),
        (at(percent=25), "slow"),
        (at(percent=12), "pause"),
        (at(percent=6), "unload"),
        (at(percent=12.5, charging=True), "serve"),
        (at(percent=12, charging=True), "slow"),
        (at(percent=1, charging=True), "slow"),
        (at(percent=1, charging=None), "serve"),
        (at(percent=None, charging=False), "serve"),
        (replace(FINE, available_bytes=301 * MIB), "serve"),
        (replace(FINE, available_bytes=300 * MIB), "unload"),
        (replace(FINE, big_clock=0.2), "serve"),
        (replace(at(37.9), big_clock=0.2), "serve"),
        (replace(at(38.0), big_clock=0.54), "slow"),
        (replace(at(38.0), big_clock=0.55), "serve"),
        (replace(at(None), big_clock=0.2), "serve"),
        (replace(at(44.0), available_bytes=100 * MIB), "unload"),
        (at(44.0, 20), "pause"),
        (at(42.0, 12), "pause"),
    ],
)
def test_what_stands_is_judged_by_its_worst(device: Device, level: str) -> None:
    assert ruled(device).level == level


@pytest.mark.parametrize(
    ("first", "then", "level"),
    [
        (at(44.0), at(42.0), "pause"),
        (at(44.0), at(41.9), "slow"),
        (at(44.0), at(39.0), "slow"),
        (at(44.0), at(38.9), "serve"),
        (at(47.0), at(45.0), "unload"),
        (at(47.0), at(44.9), "pause"),
        (at(percent=25), at(percent=28), "slow"),
        (at(percent=25), at(percent=28.1), "serve"),
        (at(percent=12), at(percent=12, charging=True), "slow"),
        (at(percent=5), at(percent=5, charging=True), "slow"),
        (at(percent=12, charging=True), at(percent=15, charging=True), "slow"),
        (at(percent=12, charging=True), at(percent=15.1, charging=True), "serve"),
        (at(percent=25), at(percent=25, charging=True), "serve"),
        (replace(FINE, available_bytes=100 * MIB), replace(FINE, available_bytes=500 * MIB), "unload"),
        (replace(FINE, available_bytes=100 * MIB), replace(FINE, available_bytes=501 * MIB), "serve"),
    ],
)
def test_it_must_come_back_by_a_margin(first: Device, then: Device, level: str) -> None:
    """Jumps are believed after a while, so this lasts."""
    assert ruled(first, then, each_s=600.0).level == level


def test_thresholds_are_settings() -> None:
    settings = GovernorSettings(warm_c=25, slow_c=30, pause_c=33, unload_c=36, margin_c=1, dwell_s=20)
    watch = Watch(settings)
    assert watch.look(at(33.5)).reason == "The battery is at 33.5 degrees C; Farmhand pauses at 33 and goes on below 32."
    assert watch.stay(at(31.0), 15).level == "pause"
    assert watch.stay(at(31.0), 15).level == "slow"


def test_a_governor_that_is_off_rules_nothing_but_a_persons_pause() -> None:
    watch = Watch(GovernorSettings(enabled=False))
    assert watch.stay(at(60.0, 1), 60) == Ruling("serve", "", 0, ())
    watch.hold = Hold(None, "")
    assert watch.look(at(60.0, 1)).level == "pause"


# --- time --------------------------------------------------------------------------------------------------------


def test_worse_counts_at_once() -> None:
    watch = Watch()
    watch.stay(FINE, 60)
    watch.stay(at(43.0), 600)
    assert watch.look(at(44.1)).level == "pause"


def test_better_counts_when_it_has_held_for_dwell_s() -> None:
    watch = Watch()
    watch.stay(at(44.0), 100)
    began_s = watch.now_s
    watch.stay(at(41.5), 100)
    assert watch.levels == [(1000.0, "pause"), (began_s + 60, "slow")]


def test_a_relapse_begins_the_waiting_anew() -> None:
    watch = Watch()
    watch.stay(at(44.0), 100)
    for _ in range(20):
        assert watch.stay(at(41.9), 55).level == "pause"
        assert watch.look(at(42.1)).level == "pause"


def test_the_worst_of_what_was_seen_while_waiting_is_what_it_comes_back_to() -> None:
    """Two degrees of noise at the end of a pause: 38.9 alone would be full speed."""
    watch = Watch()
    watch.stay(at(44.0), 100)
    watch.look(at(42.5))
    began_s = watch.now_s
    for celsius in (38.9, 41.0) * 7:
        watch.look(at(celsius))
    assert watch.levels[1:] == [(began_s + 60, "slow")]


def test_what_gets_worse_again_has_its_waiting_before_it() -> None:
    watch = Watch(GovernorSettings(margin_c=1.0))
    watch.stay(at(44.0), 100)
    watch.stay(at(42.9), 55)
    assert watch.look(at(47.0)).level == "unload"
    assert watch.stay(at(45.9), 60).level == "unload"
    assert watch.look(at(45.9)).level == "pause"


def test_two_improvements_of_different_causes_are_dwell_s_apart() -> None:
    watch = Watch(GovernorSettings(slow_c=44.0))
    watch.stay(at(44.0, 25), 100)
    began_s = watch.now_s
    watch.stay(at(41.5, 25), 25)
    watch.stay(at(41.5, 25, charging=True), 200)
    assert watch.levels[1:] == [(began_s + 60, "slow"), (began_s + 120, "serve")]


def test_steps_for_the_worse_have_a_pause_between_them_but_not_before_unloading() -> None:
    watch = Watch()
    watch.stay(at(43.9), 5)
    watch.stay(at(44.0), 60)
    assert watch.levels == [(1000.0, "slow"), (1000.0 + STEP_S, "pause")]
    watch = Watch()
    watch.stay(at(46.9), 5)
    assert watch.look(at(47.0)).level == "unload"


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

WARM = at(38.5)
THROTTLED = replace(WARM, big_clock=0.4)


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


# --- a person's pause --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hold", "level", "reason", "retry_s"),
    [
        (None, "serve", "", 0),
        (Hold(1000.0, "over"), "serve", "", 0),
        (Hold(None, ""), "pause", "Farmhand was paused by hand; it goes on after `farmhand resume`.", 300),
        (Hold(float("inf"), ""), "pause", "Farmhand was paused by hand; it goes on after `farmhand resume`.", 300),
        (Hold(1000.5, " a\ncall "), "pause", "Farmhand was paused by hand (a call); it goes on in 1 s.", 1),
        (Hold(1045.0, "a call"), "pause", "Farmhand was paused by hand (a call); it goes on in 45 s.", 45),
        (Hold(2800.0, ""), "pause", "Farmhand was paused by hand; it goes on in 30 min.", 1800),
        (Hold(1e12, ""), "pause", None, 86_400),
    ],
)
def test_a_persons_pause_begins_and_ends_at_once(hold: Hold | None, level: str, reason: str | None, retry_s: int) -> None:
    _, ruling = govern(GovernorMemory(), FINE, FAST, GovernorSettings(), 1000.0, hold)
    assert (ruling.level, ruling.retry_after_s) == (level, retry_s)
    assert reason is None or ruling.reason == reason


def test_a_persons_pause_does_not_hide_what_is_worse() -> None:
    watch = Watch(hold=Hold(None, ""))
    ruling = watch.stay(replace(at(45.0), available_bytes=100 * MIB), 30)
    assert ruling.level == "unload"
    assert [sentence.split()[1] for sentence in ruling.because] == ["phone", "was", "battery"]
    assert ruling.reason == ruling.because[0]
    watch = Watch(hold=Hold(None, ""))
    ruling = watch.stay(at(45.0), 30)
    assert [sentence.split()[1] for sentence in ruling.because] == ["was", "battery"]
    watch.hold = None
    assert watch.look(at(45.0)).reason.startswith("The battery is at 45.0 degrees C")


# --- words -------------------------------------------------------------------------------------------------------


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


# --- whatever happens --------------------------------------------------------------------------------------------


def walk(seed: int) -> Iterator[tuple[float, Device, tuple[Speed, ...], bool]]:
    """A phone that has a bad day: seconds since the last look, and all that was seen."""
    chance = random.Random(seed)
    celsius, percent, mib, clock, charging = 38.0, 30.0, 800.0, 0.8, False
    for _ in range(1500):
        celsius = min(52.0, max(28.0, celsius + chance.gauss(0, 0.5)))
        percent = min(100.0, max(1.0, percent + chance.gauss(0.1 if charging else -0.1, 0.4)))
        mib = min(2000.0, max(100.0, mib + chance.gauss(0, 60)))
        clock = min(1.0, max(0.2, clock + chance.gauss(0, 0.1)))
        charging = charging ^ (chance.random() < 0.02)
        battery = None if chance.random() < 0.1 else Battery(round(percent), round(celsius, 1), charging)
        if battery and chance.random() < 0.01:
            battery = replace(battery, temperature_c=chance.uniform(-30, 100))
        speeds = (Speed("demo", "demo", 11 * clock * chance.uniform(0.5, 1.2), 11.0),)
        device = Device(battery, int(mib) * MIB, 8000 * MIB, round(clock, 2))
        yield chance.choice((0.1, 5.0, 5.0, 5.0, 30.0, 700.0 if chance.random() < 0.02 else 5.0)), device, speeds, chance.random() < 0.7


def on_a_walk(seed: int, see: Callable[[float, GovernorMemory, Ruling], None]) -> list[tuple[float, str]]:
    memory, now_s, levels = GovernorMemory(), 50.0, [(0.0, "serve")]
    settings = GovernorSettings()
    for passed_s, device, speeds, busy in walk(seed):
        now_s += passed_s
        memory, ruling = govern(memory, device, speeds, settings, now_s, busy=busy)
        see(now_s, memory, ruling)
        if ruling.level != levels[-1][1]:
            levels.append((now_s, ruling.level))
    return levels


SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_improvements_are_never_closer_than_dwell_s(seed: int) -> None:
    levels = on_a_walk(seed, lambda now_s, memory, ruling: None)
    assert len(levels) > 4
    for (_, before), (then_s, middle), (now_s, after) in zip(levels, levels[1:], levels[2:], strict=False):
        if BADNESS[Level(after)] < BADNESS[Level(middle)]:
            assert now_s - then_s >= 60.0, (before, middle, after)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_never_better_than_its_worst_cause_but_for_the_pause_between_steps(seed: int) -> None:
    late: list[float] = []

    def see(now_s: float, memory: GovernorMemory, ruling: Ruling) -> None:
        tracks = (memory.heat, memory.charge, memory.memory, memory.throttle)
        worst = max((track.level for track in tracks), key=BADNESS.__getitem__)
        if BADNESS[worst] > BADNESS[Level(ruling.level)]:
            late.append(now_s - (memory.changed_at_s or 0.0))
        assert bool(ruling.reason) == (ruling.level != "serve")
        assert (ruling.retry_after_s > 0) == (ruling.level in ("pause", "unload"))
        assert ruling.level == "serve" or ruling.reason == ruling.because[0]

    on_a_walk(seed, see)
    assert all(since_s < STEP_S for since_s in late)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_day_is_judged_the_same_also_by_successors(seed: int) -> None:
    """A supervisor that is killed after each look, and one that lives on."""
    watched: list[Ruling] = []
    on_a_walk(seed, lambda now_s, memory, ruling: watched.append(ruling))
    memory, now_s, settings = GovernorMemory(), 50.0, GovernorSettings()
    for (passed_s, device, speeds, busy), expected in zip(walk(seed), watched, strict=True):
        now_s += passed_s
        memory = governor_memory_from_json(json.loads(json.dumps(to_json(memory))))
        memory, ruling = govern(memory, device, speeds, settings, now_s, busy=busy)
        assert ruling == expected


@pytest.mark.parametrize("sun_c", [29.0, 31.0, 35.0, 38.0, 40.0, 42.0])
def test_a_phone_that_cools_by_resting_does_not_flap(sun_c: float) -> None:
    """Closed loop, eight hours: full work adds 12 degrees to what is around, slow work 6, with the time constant of a phone in a case."""
    chance = random.Random(7)
    watch, celsius = Watch(), 32.0
    heats = {"serve": 12.0, "slow": 6.0, "pause": 0.0, "unload": 0.0}
    ruling = watch.look(at(celsius))
    shown_c = celsius
    for index in range(int(8 * 3600 / TICK_S)):
        celsius += (sun_c + heats[ruling.level] - celsius) * TICK_S / 480
        if index % 6 == 0:
            shown_c = round(celsius + chance.uniform(-0.3, 0.3), 1)
        ruling = watch.look(at(shown_c, charging=True))
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(watch.levels)]
    assert 1 <= len(watch.levels) <= 8 * 10
    assert min(gaps, default=1e9) >= 120.0


@pytest.mark.parametrize("data", [None, "x", {"heat": {"level": "dance"}}, {"level": "slow", "changed_at_s": float("nan")}], ids=repr)
def test_a_memory_that_cannot_be_read_is_none(data: object) -> None:
    assert governor_memory_from_json(data) == GovernorMemory()


def test_a_memory_of_an_earlier_boot_is_dropped() -> None:
    watch = Watch(now_s=90_000.0)
    watch.stay(at(45.0), 60)
    memory, ruling = govern(watch.memory, FINE, FAST, GovernorSettings(), 30.0)
    assert (ruling.level, memory.changed_at_s) == ("serve", None)
