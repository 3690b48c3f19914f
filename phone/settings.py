"""What can be set of the bundle, and within which bounds: frozen, made by `phone/configuration.py`. Pure.

The adapter reads the same file and leaves these sections alone (`adapter/configuration.py` knows their names).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Percent = Annotated[float, Field(ge=0, le=100)]
# What a phone's battery can have and live (`facts/termux.md` 5.2 rejects sensors beyond -30..100).
Celsius = Annotated[float, Field(ge=20, le=80)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SupervisorSettings(Section):
    """`[supervisor]`. Times in seconds.

    tick_s: between two looks while nothing changes; longer when nobody has asked for anything lately. ready_s: what a service gets
    to become ready. stop_s: what it gets to end by itself. crashes: ends soon after a start, after which a service is left alone for a
    while; backoff_s: for how long at first, doubled each time up to max_backoff_s. give_up: after how many such pauses it is given up.
    """

    tick_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    ready_s: Seconds = 120.0
    stop_s: Seconds = 10.0
    stable_s: Seconds = 60.0
    crashes: Annotated[int, Field(ge=1, le=100)] = 3
    backoff_s: Seconds = 10.0
    max_backoff_s: Seconds = 300.0
    give_up: Annotated[int, Field(ge=1, le=100)] = 5


class ProxySettings(Section):
    """`[proxy]`: LiteLLM in front of the adapter. upstream: `[[proxy.upstream]]`, what it reaches besides; `farmhand connect litellm` reads and
    checks them (`adapter/connect/upstreams.py`), since they mean nothing to the bundle.
    """

    enabled: bool = False
    port: Port = 4000
    upstream: tuple[dict[str, Any], ...] = ()


class GatewaySettings(Section):
    """`[gateway]`: OpenClaw."""

    enabled: bool = False
    port: Port = 18789


class LockPolicy(StrEnum):
    ALWAYS = "always"
    SERVING = "serving"
    CHARGING = "charging"


class OnStop(StrEnum):
    RELEASE = "release"
    KEEP = "keep"


class WakeLockSettings(Section):
    """`[wakelock]`. retake_s: how often the lock is taken anew, since anybody may drop it. linger_s: `serving` and `charging` hold it for that
    long after it was last needed. on_stop: what becomes of it when the bundle is stopped; Android's lock is one for all of Termux, so who
    holds it for other things as well wants "keep".
    """

    policy: LockPolicy = LockPolicy.ALWAYS
    retake_s: Annotated[float, Field(ge=60, le=86_400)] = 900.0
    linger_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    on_stop: OnStop = OnStop.RELEASE


class GovernorSettings(Section):
    """`[governor]`. Battery temperature in degrees C and charge in percent, at which the engines work slowly, pause, unload. Charge counts only
    while the phone is not charging. memory_low_bytes: of MemAvailable, below which models are unloaded. margin_*: how far back a reading must
    come before it goes on as before.

    warm_c: from there on a phone that is seen to throttle works slowly. slow_clock: share of the big cores' highest clock, slow_trend: share of
    the engine's usual tokens/s, below which it throttles.

    dwell_s: how long a better state must have held until it counts, and the least time between two changes for the better. memory_dwell_s: the
    same after memory ran low; doubled each time that it runs low again soon after.
    """

    enabled: bool = True
    warm_c: Celsius = 38.0
    slow_c: Celsius = 41.0
    pause_c: Celsius = 44.0
    unload_c: Celsius = 47.0
    slow_percent: Percent = 25.0
    pause_percent: Percent = 12.0
    unload_percent: Percent = 6.0
    memory_low_bytes: Annotated[int, Field(ge=0)] = 300 << 20
    slow_clock: Annotated[float, Field(ge=0, le=1)] = 0.55
    slow_trend: Annotated[float, Field(ge=0, le=1)] = 0.6
    margin_c: Annotated[float, Field(ge=0, le=20)] = 2.0
    margin_percent: Percent = 3.0
    margin_memory_bytes: Annotated[int, Field(ge=0)] = 200 << 20
    dwell_s: Seconds = 60.0
    memory_dwell_s: Seconds = 120.0

    @model_validator(mode="after")
    def _worse_is_worse(self) -> GovernorSettings:
        if not self.warm_c <= self.slow_c <= self.pause_c <= self.unload_c:
            raise ValueError("warm_c, slow_c, pause_c and unload_c must rise in this order")
        if not self.slow_percent >= self.pause_percent >= self.unload_percent:
            raise ValueError("slow_percent, pause_percent and unload_percent must fall in this order")
        return self


class NotificationSettings(Section):
    """`[notification]`: the one that stays in Android's list while the bundle runs."""

    enabled: bool = True


class Server(Section):
    """Of the adapter's `[server]`, what tells where it listens."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8888


class PhoneSettings(Section):
    """The sections of the configuration file that are the bundle's."""

    server: Server = Server()
    supervisor: SupervisorSettings = SupervisorSettings()
    proxy: ProxySettings = ProxySettings()
    gateway: GatewaySettings = GatewaySettings()
    wakelock: WakeLockSettings = WakeLockSettings()
    governor: GovernorSettings = GovernorSettings()
    notification: NotificationSettings = NotificationSettings()
