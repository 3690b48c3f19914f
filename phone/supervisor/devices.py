"""The phone's state. Memory and clocks are read at each look; the battery beside them: Termux:API may take seconds, or never answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf

from phone.device import Device
from phone.supervisor.threads import in_thread

# How old the battery's state may be, which costs a Java program each time (`facts/termux.md` 5.1): while something runs, while nothing
# does, and while nothing does on battery.
BATTERY_S = 60.0
CALM_BATTERY_S = 120.0
UNPLUGGED_BATTERY_S = 240.0
CALM_S = 120.0

log = logging.getLogger("supervisor")


def battery_max_age_s(calm_s: float, charging: bool | None) -> float:
    """calm_s: since something changed or somebody asked for something."""
    if calm_s < CALM_S:
        return BATTERY_S
    return UNPLUGGED_BATTERY_S if charging is False else CALM_BATTERY_S


class Devices:
    """For one event loop. read: called with the battery's greatest age in seconds; without a limit it does not wait, else for long (but bounded)."""

    def __init__(self, read: Callable[[float], Device], poke: Callable[[], None], now_s: Callable[[], float]) -> None:
        """poke: called when the first news of the battery are there."""
        self._read = read
        self._poke = poke
        self._now_s = now_s
        self._task: asyncio.Task[None] | None = None
        self._asked_at_s: float | None = None
        self._trouble = ""

    def now(self) -> Device:
        """With the battery as it was last known. Blocks for a moment; never raises."""
        try:
            device = self._read(inf)
        except Exception as exc:  # noqa: BLE001 - what is not known does not count; the services must not suffer for it
            if str(exc) != self._trouble:
                log.error("the phone's state cannot be read: %s: %s", type(exc).__name__, exc)
            self._trouble = str(exc)
            return Device()
        self._trouble = ""
        return device

    def refresh(self, max_age_s: float) -> None:
        """Begin to ask for the battery, if it is time and nobody does."""
        is_fresh = self._asked_at_s is not None and self._now_s() - self._asked_at_s < max_age_s
        if self._task is None and not is_fresh:
            self._task = asyncio.get_running_loop().create_task(self._refresh(max_age_s))

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _refresh(self, max_age_s: float) -> None:
        is_first = self._asked_at_s is None
        try:
            # A little younger, so that what is just old enough is not taken for fresh.
            await in_thread(lambda: self._read(max_age_s / 2), "farmhand-battery")
        except Exception as exc:  # noqa: BLE001 - as above; said there
            log.debug("battery: %s", exc)
        finally:
            self._asked_at_s, self._task = self._now_s(), None
        if is_first:
            self._poke()
