"""How hard the engines may work, given what the phone says: thresholds, margins, waiting, a person's pause.

Readings that cannot be: test_governor_readings.py; sentences: test_governor_words.py; long days: test_governor_days.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from phone.device import Device
from phone.settings import GovernorSettings
from phone.supervisor.governor import STEP_S, GovernorMemory, Hold, Ruling, govern
from tests.unit.governor_cases import FAST, FINE, MIB, Watch, at, ruled

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
