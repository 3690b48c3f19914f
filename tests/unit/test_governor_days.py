"""The governor on bad days: random walks, successors, a phone in the sun, a memory that is damaged or too old."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from phone.device import Battery, Device
from phone.settings import GovernorSettings
from phone.supervisor.governor import (
    STEP_S,
    GovernorMemory,
    Level,
    Ruling,
    govern,
    governor_memory_from_json,
    to_json,
)
from phone.supervisor.steps import BADNESS
from phone.supervisor.types import Speed
from tests.unit.governor_cases import FAST, FINE, MIB, TICK_S, Watch, at


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
