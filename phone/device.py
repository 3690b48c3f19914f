"""What is known of the phone at one moment: charge, heat, memory, clock. Pure data; `phone/sense.py` reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Battery:
    """From `termux-battery-status` (`facts/termux.md` 5.2); `None` is what it did not say, or what cannot be.

    percent: 0-100. temperature_c: -30..100. charging: on a charger or full. plugged: the app's word, such as "PLUGGED_USB".
    """

    percent: float | None = None
    temperature_c: float | None = None
    charging: bool | None = None
    plugged: str = ""
    health: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """battery: `None` without Termux:API, or while it does not answer. available_bytes, total_bytes: MemAvailable and MemTotal.
    big_clock: now, as a share of the highest, of the fastest cores (0..1)."""

    battery: Battery | None = None
    available_bytes: int | None = None
    total_bytes: int | None = None
    big_clock: float | None = None
