"""A synthetic hour in the sun, 360 rows of 10 s (tests/data/governor, made by scripts/bench/hot_afternoon.py): few changes, each for a reason."""

from __future__ import annotations

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from phone.settings import GovernorSettings
from phone.supervisor.steps import BADNESS, Level

ROOT = Path(__file__).resolve().parent.parent.parent
HOUR = ROOT / "tests" / "data" / "governor" / "hot_afternoon.csv"
DWELL_S = GovernorSettings().dwell_s


def load(path: Path) -> ModuleType:
    """A script is no module that can be imported by name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where its dataclasses look for their own names
    spec.loader.exec_module(module)
    return module


script = load(ROOT / "scripts" / "bench" / "hot_afternoon.py")
Change = script.Change
changes, governed_levels, naive_levels = script.changes, script.governed_levels, script.naive_levels


def rows() -> list[Any]:
    found: list[Any] = script.from_csv(HOUR.read_text(encoding="ascii"))
    return found


def governed() -> list[Any]:
    found: list[Any] = changes(governed_levels(rows()))
    return found


def test_the_hour_is_what_its_generator_writes() -> None:
    """Whoever changes the generator writes the file anew, and sees here what became of the governor."""
    assert script.to_csv(script.afternoon()) == HOUR.read_text(encoding="ascii")


def test_the_hour_has_in_it_what_it_is_for() -> None:
    hour = rows()
    assert [row.s for row in hour] == list(range(0, 3600, 10))
    near = [row.battery_c for row in hour if 1020 <= row.s < 2200]
    crossings = sum((one >= 44.0) != (other >= 44.0) for one, other in pairwise(near))
    assert crossings >= 10  # the noise about the threshold that a governor must not follow
    assert max(row.battery_c for row in hour if not 300 <= row.s < 330) < 47
    assert [row.s for row in hour if row.battery_c == 71.0] == [300, 310, 320]
    assert [row.s for row in hour if row.percent == 0] == [600, 610, 620]
    assert [row.s for row in hour if row.available_mib <= 300] == [900, *range(3000, 3090, 10)]
    assert {row.charging for row in hour if row.s >= 1860} == {1}


def test_the_changes_of_the_hour() -> None:
    """Six: heat twice up and twice down, memory up and down. Not the glitches, nor one dip of memory, nor 25 % of charge, which heat outweighs."""
    found = [(change.s, change.level, change.reason[:46]) for change in governed()]
    assert found == [
        (690, "slow", "The battery is at 41.2 degrees C; Farmhand wor"),
        (1050, "pause", "The battery is at 44.1 degrees C; Farmhand pau"),
        (2430, "slow", "The battery is at 41.0 degrees C; Farmhand wor"),
        (2730, "serve", ""),
        (3010, "unload", "The phone has 254 MiB of memory left; Farmhand"),
        (3210, "serve", ""),
    ]


def test_changes_are_far_apart() -> None:
    gaps = [later.s - sooner.s for sooner, later in pairwise(governed())]
    assert min(gaps) == 200
    assert min(gaps) >= DWELL_S


def test_what_got_better_stays_so_for_dwell_s() -> None:
    before = Change(0, "serve")
    for now, then in pairwise([*governed(), Change(3600, "end")]):
        if BADNESS[Level(now.level)] < BADNESS[Level(before.level)]:
            assert then.s - now.s >= DWELL_S
        before = now


def test_thresholds_alone_would_flap() -> None:
    plain = changes(naive_levels(rows()))
    assert len(plain) == 22
    assert min(later.s - sooner.s for sooner, later in pairwise(plain)) == 10


@pytest.mark.parametrize("seed", range(20))
def test_other_afternoons_are_as_calm(seed: int) -> None:
    """The hour of the file is no lucky one."""
    hour = script.afternoon(seed)
    found, plain = changes(governed_levels(hour)), changes(naive_levels(hour))
    assert len(found) <= 8
    assert len(found) < len(plain) / 2
    assert min(later.s - sooner.s for sooner, later in pairwise(found)) >= DWELL_S
