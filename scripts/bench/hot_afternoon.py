"""A made-up hour of a phone that serves behind a window in the sun, and what the governor makes of it.

`.venv/bin/python scripts/bench/hot_afternoon.py [--write FILE]` prints every change of level, for the governor and for a naive rule that compares
each reading with a threshold. `--write` writes the hour as CSV: a row each 10 s with

    s              since the beginning
    battery_c      as Android reports it: a new value each 30 s at most, in tenths of a degree, 0.3 to either side of the truth
    percent        charge, whole
    charging       1 on a charger
    available_mib  MemAvailable
    big_clock      of the big cores, as a share of their highest
    tokens_s       what the engine writes; it usually writes USUAL_TOKENS_S

The hour is open: what the governor would do has no effect on it. Story: one long answer after the other from 2 min on, with gaps from 40 min on;
sun from 8 min on, clouds now and then from 15 min on, which keep the battery close to 44 degrees C, shade from 36 min on; a charger from 31 min on,
which warms as well; sensor glitches (one battery report of 71 degrees C, one of 0 %); memory that dips for one row at 15 min, and at 50 min for
a minute and a half. The same seed gives the same hour on every machine: sums and products only.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from phone.device import Battery, Device
from phone.settings import GovernorSettings
from phone.supervisor.governor import GovernorMemory, Level, govern
from phone.supervisor.steps import worst
from phone.supervisor.types import Speed

SEED = 5
ROWS = 360
STEP_S = 10
USUAL_TOKENS_S = 11.0


@dataclass(frozen=True)
class Row:
    s: int
    battery_c: float
    percent: int
    charging: int
    available_mib: int
    big_clock: float
    tokens_s: float


@dataclass(frozen=True)
class Change:
    s: int
    level: str
    reason: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the hour as CSV")
    given = parser.parse_args()
    rows = afternoon()
    if given.write:
        given.write.write_text(to_csv(rows), encoding="ascii")
    governed, plain = changes(governed_levels(rows)), changes(naive_levels(rows))
    print(f"governor: {len(governed)} changes")
    for change in governed:
        print(f"  {change.s // 60:02}:{change.s % 60:02}  {change.level:6}  {change.reason}")
    print(f"thresholds alone: {len(plain)} changes")
    print("  " + " ".join(f"{change.s // 60:02}:{change.s % 60:02} {change.level}," for change in plain).rstrip(","))


# --- the hour ----------------------------------------------------------------------------------------------------


def afternoon(seed: int = SEED) -> list[Row]:
    chance = random.Random(seed)
    truth_c, shown_c, charge = 35.0, 35.0, 29.6
    rows = []
    for s in range(0, ROWS * STEP_S, STEP_S):
        minute, is_charging = s / 60, s >= 31 * 60
        load = _load(s)
        truth_c += (_around_c(minute) + 7.0 * load + 1.0 * is_charging - truth_c) * STEP_S / 420
        charge += (0.012 if is_charging else -0.03) * STEP_S / 10
        if s % 30 == 0:
            shown_c = round(truth_c + chance.uniform(-0.3, 0.3), 1)
        clock = min(1.0, 1.0 - max(0.0, truth_c - 40.0) * 0.11) + chance.uniform(-0.05, 0.05)
        speed = USUAL_TOKENS_S * clock * chance.uniform(0.85, 1.1) * (load > 0)
        rows.append(
            Row(
                s=s,
                battery_c=71.0 if 300 <= s < 330 else shown_c,
                percent=0 if 600 <= s < 630 else int(charge),
                charging=int(is_charging),
                available_mib=_available_mib(s) + chance.randrange(-40, 40),
                big_clock=round(min(1.0, clock if load > 0 else 0.3), 2),
                tokens_s=round(speed, 1),
            )
        )
    return rows


def _load(s: int) -> int:
    """1 while the engine works: not yet at first, later with a pause in each half minute."""
    return 0 if s < 120 or (s >= 2400 and s % 30 == 0) else 1


def _around_c(minute: float) -> float:
    """What the phone would come to if it did nothing: warm, in the sun, with clouds, in the shade."""
    if minute < 8:
        return 33.0
    if minute < 15:
        return 39.5
    if minute < 36:
        return 35.4 if int(minute) % 6 < 3 else 38.6
    return 30.0


def _available_mib(s: int) -> int:
    if s == 900:
        return 180  # another app starts, and is pushed out again at once
    return 230 if 3000 <= s < 3090 else 1200


def to_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def from_csv(text: str) -> list[Row]:
    readers: dict[str, Callable[[str], float]] = {
        field.name: int if field.type == "int" else float for field in fields(Row)
    }
    return [
        Row(**{name: readers[name](value) for name, value in row.items()})  # type: ignore[arg-type]  # as its field says
        for row in csv.DictReader(io.StringIO(text))
    ]


# --- what is made of it ------------------------------------------------------------------------------------------


def governed_levels(rows: Sequence[Row], settings: GovernorSettings | None = None) -> list[Change]:
    """The level at each row, with its reason."""
    settings = settings or GovernorSettings()
    memory, levels = GovernorMemory(), []
    for row in rows:
        memory, ruling = govern(memory, device_of(row), speeds_of(row), settings, float(row.s), busy=row.tokens_s > 0)
        levels.append(Change(row.s, ruling.level, ruling.reason))
    return levels


def naive_levels(rows: Sequence[Row], settings: GovernorSettings | None = None) -> list[Change]:
    """The same thresholds on each reading as it comes: no margins, no waiting."""
    settings = settings or GovernorSettings()
    return [Change(row.s, _naive(row, settings).value) for row in rows]


def _naive(row: Row, settings: GovernorSettings) -> Level:
    heat = _rung(row.battery_c, settings.slow_c, settings.pause_c, settings.unload_c)
    charge = _rung(-row.percent, -settings.slow_percent, -settings.pause_percent, -settings.unload_percent)
    is_low = row.available_mib << 20 <= settings.memory_low_bytes
    is_slow = row.tokens_s > 0 and (
        row.big_clock < settings.slow_clock or row.tokens_s < settings.slow_trend * USUAL_TOKENS_S
    )
    return worst(
        heat,
        Level.SERVE if row.charging else charge,
        Level.UNLOAD if is_low else Level.SERVE,
        Level.SLOW if is_slow and row.battery_c >= settings.warm_c else Level.SERVE,
    )


def _rung(value: float, slow: float, pause: float, unload: float) -> Level:
    return Level.UNLOAD if value >= unload else Level.PAUSE if value >= pause else Level.SLOW if value >= slow else Level.SERVE


def changes(levels: Sequence[Change]) -> list[Change]:
    """Those rows whose level is not that of the row before; before the first there was "serve"."""
    before = [Change(0, Level.SERVE.value), *levels]
    return [now for then, now in zip(before, levels, strict=False) if then.level != now.level]


def device_of(row: Row) -> Device:
    plugged = "PLUGGED_AC" if row.charging else "UNPLUGGED"
    battery = Battery(row.percent, row.battery_c, bool(row.charging), plugged, "GOOD")
    return Device(battery, row.available_mib << 20, 8 << 30, row.big_clock)


def speeds_of(row: Row) -> tuple[Speed, ...]:
    return (Speed("demo", "demo", row.tokens_s, USUAL_TOKENS_S),) if row.tokens_s > 0 else ()


if __name__ == "__main__":
    main()
