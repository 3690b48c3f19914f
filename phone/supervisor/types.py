"""The words of the supervisor: what it sees, what it remembers, what it does. Pure.

Times `*_at_s` and `now_s` are seconds of a clock that counts sleep and that nobody sets (CLOCK_BOOTTIME); `wall` ones are for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from phone.device import Device


class Service(StrEnum):
    """In the order of their start. The value is what people call it; its folder is `farmhand-VALUE`.

    ENGINE: Termux's own llama-server, where the embedded engine could not be built.
    """

    ENGINE = "engine"
    ADAPTER = "adapter"
    PROXY = "litellm"
    GATEWAY = "openclaw"

    @property
    def folder(self) -> str:
        return f"farmhand-{self.value}"


SUPERVISOR = "farmhand"
"""The supervisor's own service folder: the only one that is enabled."""


class Phase(StrEnum):
    """MISSING: no service folder, or nobody (no runsv) looks after it. FINISH: it has ended, and its `finish` runs."""

    MISSING = "missing"
    DOWN = "down"
    RUN = "run"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Runit:
    """What runsv says of a service. wants_up: it starts it again when it ends. wall_since_s: of its phase, Unix time by the
    clock of then; only for people, since a set clock makes it wrong."""

    phase: Phase = Phase.MISSING
    pid: int | None = None
    wants_up: bool = False
    paused: bool = False
    wall_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """One end of a service, as its `finish` wrote it down. code: -1 after a signal. signal: 0 without one.

    available_kb: MemAvailable right after it. ran_s: how long it had run, if known (by the wall clock: may be nonsense).
    """

    wall_at_s: float
    code: int
    signal: int
    available_kb: int | None = None
    ran_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One service at one look. ready: its probe's answer, `None` if it was not asked. exits: new ones since the last look, oldest first.

    probe_words: what the probe said, for people. last_line: the end of its log, where `exits` has one that is its own fault.
    """

    runit: Runit = Runit()
    ready: bool | None = None
    probe_words: str = ""
    exits: tuple[Exit, ...] = ()
    last_line: str = ""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one model of an engine on this phone writes, tokens/s: lately, and usually."""

    engine: str
    model: str
    tokens_s: float
    usual_tokens_s: float


@dataclass(frozen=True, slots=True)
class AdapterState:
    """`GET /admin/state` of the adapter. version: changes when it has news. idle_s: since a request last ran; 0 while one does, `None`
    if there was none yet. pressure: "serve", "slow", "pause" or "unload", as it was last told."""

    version: int = 0
    running: int = 0
    waiting: int = 0
    idle_s: float | None = None
    pressure: str = "serve"
    pressure_reason: str = ""
    speeds: tuple[Speed, ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at everything. enabled: services that are installed and wanted, by settings and folders."""

    now_s: float
    services: Mapping[Service, Seen] = field(default_factory=dict)
    enabled: frozenset[Service] = frozenset({Service.ADAPTER})
    device: Device = field(default_factory=Device)
    adapter: AdapterState | None = None


class Goal(StrEnum):
    UP = "up"
    DOWN = "down"


# --- what is to be done ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """`sv up`."""

    service: Service


@dataclass(frozen=True, slots=True)
class Stop:
    """`sv down`; who has not ended after `within_s` is killed."""

    service: Service
    within_s: float


@dataclass(frozen=True, slots=True)
class Restart:
    """End it (TERM, killed after `within_s`) and start it again, with the settings of now."""

    service: Service
    within_s: float
    why: str


@dataclass(frozen=True, slots=True)
class PointGateway:
    """Write the base URL that the gateway is started with."""

    url: str


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence for the log; with `alert` for the person as well, as a notification of its own."""

    text: str
    alert: bool = False


Action = Start | Stop | Restart | PointGateway | Say
