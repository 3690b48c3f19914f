"""What is believed of a sensor: the last value for a bounded while, and no jump that a battery cannot make. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import FiniteFloat

# Termux:API answers late or not at all now and then; an older value than that says nothing about now.
KEEP_S = 600.0
# A jump is believed when another report comes close to it, or when it has stood that long. One report is looked at for up to four minutes before
# there is a new one (each costs a Java program, `facts/termux.md` 5.1), and nobody says when it was made: a count of looks would prove nothing.
ODD_S = 300.0


@dataclass(frozen=True, slots=True)
class Reading:
    """value: believed, since last confirmed at_s; `None`: nothing is known. odd: what the sensor says instead, since odd_since_s."""

    value: FiniteFloat | None = None
    at_s: FiniteFloat = 0.0
    odd: FiniteFloat | None = None
    odd_since_s: FiniteFloat = 0.0


@dataclass(frozen=True, slots=True)
class Likely:
    """By how much a value may change between two reports; what changes by more is odd, until it has stood for odd_s."""

    step: float
    odd_s: float = ODD_S


ANY_CHANGE = Likely(float("inf"))


def read(reading: Reading, raw: float | None, now_s: float, likely: Likely = ANY_CHANGE) -> Reading:
    """raw: as the sensor says now, `None` if it says nothing (NaN and infinities count as nothing)."""
    if raw is None or not abs(raw) < float("inf"):
        return _kept(reading, now_s)
    reading = _kept(reading, now_s)
    if reading.value is None and reading.odd is None:
        return Reading(raw, now_s)  # nothing to compare it with
    if reading.value is not None and abs(raw - reading.value) <= likely.step:
        return Reading(raw, now_s)
    if reading.odd is None or abs(raw - reading.odd) > likely.step:
        return replace(reading, odd=raw, odd_since_s=now_s)
    if raw != reading.odd or now_s - reading.odd_since_s >= likely.odd_s:
        return Reading(raw, now_s)
    return reading


def _kept(reading: Reading, now_s: float) -> Reading:
    """What is odd stays so: a sensor that jumps about for ever must not be believed every ten minutes."""
    return replace(reading, value=None) if reading.value is not None and now_s - reading.at_s > KEEP_S else reading
