"""A phone in the states that the governor knows, and a governor that looks at it again and again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from phone.device import Battery, Device
from phone.settings import GovernorSettings
from phone.supervisor.governor import GovernorMemory, Hold, Ruling, govern
from phone.supervisor.types import Speed

TICK_S = 5.0
MIB = 1 << 20
FINE = Device(Battery(80.0, 30.0, False), 3000 * MIB, 8000 * MIB, 1.0)
FAST = (Speed("demo", "demo", 11.0, 11.0),)
SLOWED = (Speed("demo", "demo", 5.0, 11.0), Speed("demo", "other", 0.0, 0.0))


def at(celsius: float | None = 30.0, percent: float | None = 80.0, charging: bool | None = False) -> Device:
    return replace(FINE, battery=Battery(percent, celsius, charging))


WARM = at(38.5)
THROTTLED = replace(WARM, big_clock=0.4)


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
