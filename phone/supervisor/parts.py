"""What the supervisor works with: made in `phone/supervise.py`, and by tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from phone.device import Device
from phone.places import Places
from phone.settings import PhoneSettings
from phone.supervisor import clock
from phone.supervisor.act import Acts
from phone.supervisor.notices import Notifies
from phone.supervisor.observe import Reads
from phone.supervisor.probes import Answer
from phone.supervisor.types import Service
from phone.supervisor.wake import Locks


class Runs(Reads, Acts, Protocol):
    """`phone/runit.py`."""


class Asks(Locks, Notifies, Protocol):
    """`phone/termux.py`."""

    @property
    def api_missing(self) -> str:
        """Why Termux:API cannot be asked; empty while it can."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """device: reads the phone, with the battery's greatest age in seconds. probe: asks one service, within seconds. load: the settings of now;
    raises `ConfigError`. All of these block, and are called in threads. boot_id: of this boot, for the files. now_s, wall_s: the clocks."""

    places: Places
    runsv: Runs
    termux: Asks
    device: Callable[[float], Device]
    probe: Callable[[Service, PhoneSettings, float], Answer]
    load: Callable[[], PhoneSettings]
    boot_id: str = ""
    now_s: Callable[[], float] = clock.now_s
    wall_s: Callable[[], float] = time.time
