"""The supervisor's clock: it counts the phone's sleep, nobody sets it, and it says which boot its times belong to."""

from __future__ import annotations

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# By how much two clocks may disagree about a pause and still be of the same boot; people and networks set one of them.
MAY_DIFFER_S = 300.0


def now_s() -> float:
    """Seconds since the boot, sleep included (CLOCK_BOOTTIME; elsewhere than on Linux a clock that stops in sleep)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot_id() -> str:
    """The kernel's name for this boot; empty where it is not to be read."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def same_boot(then_id: str, now_id: str, passed_s: float, wall_passed_s: float) -> bool:
    """Do times kept then still mean something? passed_s: by this clock; it goes back with a reboot. wall_passed_s: by the wall's."""
    if then_id and now_id:
        return then_id == now_id
    return passed_s >= 0 and abs(wall_passed_s - passed_s) <= MAY_DIFFER_S
