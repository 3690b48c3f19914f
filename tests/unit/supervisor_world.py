"""A phone with runit in virtual time, for the supervisor's decisions: services that start, get ready, crash and end as a table says.

It does what runsv does (`facts/termux.md` 2.3): starts again what ends while it is wanted, at most once a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from phone.device import Device
from phone.settings import PhoneSettings
from phone.supervisor.decide import Decision, decide
from phone.supervisor.memory import Memory
from phone.supervisor.types import (
    Action,
    Exit,
    Goal,
    Observation,
    Phase,
    PointGateway,
    Restart,
    Runit,
    Say,
    Seen,
    Service,
    Start,
    Stop,
)

NEVER = float("inf")


@dataclass
class Program:
    """ready_s: from its start until it is ready. dies_s: from its start until it ends by itself. stop_s: what it takes to end."""

    ready_s: float = 1.0
    dies_s: float = NEVER
    end: tuple[int, int] = (1, 0)
    stop_s: float = 0.2
    installed: bool = True
    wants_up: bool = False
    pid: int | None = None
    began_s: float = 0.0
    ended_s: float = -10.0
    deaf: bool = False
    exits: list[Exit] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)


class World:
    """`run_for` looks every `look_s` and does what is decided, `history` tells what was done."""

    def __init__(self, settings: PhoneSettings, enabled: Iterable[Service], **programs: Program) -> None:
        self.settings = settings
        self.enabled = frozenset(enabled)
        self.programs = {s: programs.get(s.name.lower(), Program(installed=s in self.enabled)) for s in Service}
        self.memory = Memory()
        self.goal = Goal.UP
        self.now_s = 1_000.0
        self.device = Device()
        self.history: list[tuple[float, Action]] = []
        self.last: Decision = Decision(Memory())
        self._pids = 100

    def run_for(self, seconds: float, look_s: float = 0.5) -> Decision:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self._runit()
            self.look()
            self.now_s = round(self.now_s + look_s, 3)
        return self.last

    def look(self) -> Decision:
        self.last = decide(self.memory, self._observe(), self.settings, self.goal)
        self.memory = self.last.memory
        for action in self.last.actions:
            self.history.append((self.now_s - 1_000.0, action))
            self._do(action)
        return self.last

    def new_supervisor(self) -> None:
        """Its memory is what it wrote down."""
        self.memory = replace(self.memory)

    def kill(self, service: Service, signal: int = 9) -> None:
        self._end(self.programs[service], -1, signal)

    def by_hand(self, service: Service) -> None:
        self.programs[service].wants_up = True

    def done(self, kind: type[Action]) -> list[tuple[float, Action]]:
        return [(at, action) for at, action in self.history if isinstance(action, kind)]

    @property
    def said(self) -> str:
        return "\n".join(action.text for _, action in self.history if isinstance(action, Say))

    def order(self) -> list[str]:
        return [
            f"{type(action).__name__} {action.service.value}"
            for _, action in self.history
            if isinstance(action, Start | Stop | Restart)
        ]

    # --- runit -------------------------------------------------------------------------------------------------------

    def _runit(self) -> None:
        for program in self.programs.values():
            if program.pid is not None and self.now_s - program.began_s >= program.dies_s:
                self._end(program, *program.end)
            if program.pid is None and program.wants_up and self.now_s - program.ended_s >= 1.0:
                self._pids += 1
                program.pid, program.began_s = self._pids, self.now_s
                program.starts.append(self.now_s - 1_000.0)

    def _end(self, program: Program, code: int, signal: int) -> None:
        if program.pid is None:
            return
        program.exits.append(Exit(self.now_s, code, signal, 2 << 20, self.now_s - program.began_s))
        program.pid, program.ended_s = None, self.now_s

    def _observe(self) -> Observation:
        return Observation(self.now_s, {s: self._seen(p) for s, p in self.programs.items()}, self.enabled, self.device)

    def _seen(self, program: Program) -> Seen:
        if not program.installed:
            return Seen()
        phase = Phase.DOWN if program.pid is None else Phase.RUN
        exits, program.exits = tuple(program.exits), []
        is_ready = program.pid is not None and not program.deaf and self.now_s - program.began_s >= program.ready_s
        ready = is_ready if program.pid is not None else None
        return Seen(Runit(phase, program.pid, program.wants_up), ready, exits=exits)

    def _do(self, action: Action) -> None:
        match action:
            case Start(service):
                self.programs[service].wants_up = True
                self._runit()
            case Stop(service, _):
                self.programs[service].wants_up = False
                self._end(self.programs[service], 0, 15)
                self.now_s += self.programs[service].stop_s
            case Restart(service, _, _):
                self._end(self.programs[service], 0, 15)
            case PointGateway() | Say():
                pass
