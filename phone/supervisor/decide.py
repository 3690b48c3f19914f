"""What to do about the services, from one look at them and what is remembered of earlier ones. Pure.

runit starts again what ends; here is decided who may be up, in which order, who is left alone for a while and who is given up. Each look
starts from what is there, so that a new supervisor goes on from whatever it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from phone.settings import PhoneSettings, SupervisorSettings
from phone.supervisor.gateway import adapter_url, gateway_target
from phone.supervisor.memory import Memory, Past
from phone.supervisor.postmortem import why
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

# Who must be ready before. All but the adapter are excused when they are late: one broken part must not keep the rest down.
NEEDS: Mapping[Service, tuple[Service, ...]] = {
    Service.ENGINE: (),
    Service.ADAPTER: (Service.ENGINE,),
    Service.PROXY: (Service.ADAPTER,),
    Service.GATEWAY: (Service.ADAPTER, Service.PROXY),
}
INDISPENSABLE = frozenset({Service.ADAPTER})


@dataclass(frozen=True, slots=True)
class Report:
    """How one service is, for people. state: disabled, missing, stopped, waiting, starting, ready, unready, backing off, given up or
    stopping. retry_in_s: until it is started again."""

    state: str
    words: str = ""
    gave_up: bool = False
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """actions: to be done in this order. stopped: the goal was DOWN, and nothing runs any more. ready: all that is enabled is."""

    memory: Memory
    actions: tuple[Action, ...] = ()
    stopped: bool = False
    ready: bool = False
    reports: Mapping[Service, Report] = field(default_factory=dict)


def decide(memory: Memory, seen: Observation, settings: PhoneSettings, goal: Goal) -> Decision:
    """The next actions. They are expected to be tried, not to work: the next look tells."""
    if goal is Goal.DOWN:
        return _wind_down(memory, seen, settings.supervisor)
    actions: list[Action] = []
    reports: dict[Service, Report] = {}
    for service in Service:
        look = _Look(service, memory.of(service), seen, settings.supervisor)
        if service in seen.enabled:
            past, report, wanted = look.keep_up(_blocked_by(service, seen.enabled, reports, memory))
        else:
            past, report, wanted = look.keep_down()
        memory = memory.with_(service, past)
        reports[service] = report
        actions += wanted
    memory, pointed = _point_gateway(memory, seen, settings, reports, actions)
    ready = bool(seen.enabled) and all(reports[s].state == "ready" for s in seen.enabled)
    return Decision(memory, (*pointed, *actions), ready=ready, reports=reports)


def _blocked_by(
    service: Service, enabled: frozenset[Service], reports: Mapping[Service, Report], memory: Memory
) -> Service | None:
    """Whom it still has to wait for."""
    for needed in NEEDS[service]:
        if needed not in enabled or reports[needed].state == "ready":
            continue
        past = memory.of(needed)
        excused = past.late or past.gave_up or past.until_s is not None or reports[needed].state == "missing"
        if needed in INDISPENSABLE or not excused:
            return needed
    return None


def _point_gateway(
    memory: Memory,
    seen: Observation,
    settings: PhoneSettings,
    reports: Mapping[Service, Report],
    actions: list[Action],
) -> tuple[Memory, tuple[Action, ...]]:
    """Where the gateway finds its models: written before it starts; a gateway that runs is started again for it."""
    if Service.GATEWAY not in seen.enabled:
        return memory, ()
    runs = seen.services.get(Service.GATEWAY, Seen()).runit.phase is Phase.RUN
    if not runs and Start(Service.GATEWAY) not in actions:
        return memory, ()
    url = gateway_target(memory, seen, settings, reports[Service.PROXY].state, gateway_runs=runs)
    # Without the file that we write, its run script takes the adapter's address.
    if url == (memory.gateway_url or (adapter_url(settings) if runs else "")):
        return replace(memory, gateway_url=url), ()
    memory = replace(memory, gateway_url=url)
    if not runs:
        return memory, (PointGateway(url),)
    past = memory.of(Service.GATEWAY)
    memory = memory.with_(Service.GATEWAY, replace(past, ending_pid=past.pid))
    actions.append(Restart(Service.GATEWAY, settings.supervisor.stop_s, f"its models are at {url} now"))
    return memory, (PointGateway(url),)


def _wind_down(memory: Memory, seen: Observation, settings: SupervisorSettings) -> Decision:
    """One after the other, the last started first: who still runs may need those that were there before."""
    reports: dict[Service, Report] = {}
    actions: tuple[Action, ...] = ()
    for service in reversed(Service):
        look = seen.services.get(service, Seen()).runit
        past = memory.of(service)
        if not _is_up(look):
            state = "missing" if look.phase is Phase.MISSING else "stopped"
            reports[service] = Report(state)
            memory = memory.with_(service, replace(past, pid=None, ending_pid=None, ready_at_s=None, unready_at_s=None))
            continue
        if not actions:
            actions = (Stop(service, settings.stop_s),)
        memory = memory.with_(service, replace(past, ending_pid=look.pid))
        reports[service] = Report("stopping")
    return Decision(memory, actions, stopped=not actions, reports=reports)


def _is_up(look: Runit) -> bool:
    return look.phase in (Phase.RUN, Phase.FINISH) or (look.wants_up and look.phase is not Phase.MISSING)


_Outcome = tuple[Past, Report, tuple[Action, ...]]


class _Look:
    """One service at one look."""

    def __init__(self, service: Service, past: Past, seen: Observation, settings: SupervisorSettings) -> None:
        self._service = service
        self._past = past
        self._seen = seen
        self._here = seen.services.get(service, Seen())
        self._now_s = seen.now_s
        self._settings = settings
        self._said: list[Action] = []

    def keep_down(self) -> _Outcome:
        """For what is not enabled: nobody's service but ours is called so, hence it is ended if it runs."""
        look, past = self._here.runit, Past(words=self._past.words)
        if look.phase is Phase.MISSING:
            return past, Report("disabled"), ()
        if _is_up(look):
            past = replace(past, ending_pid=look.pid)
            return past, Report("stopping"), (Stop(self._service, self._settings.stop_s),)
        return past, Report("disabled"), ()

    def keep_up(self, blocked_by: Service | None) -> _Outcome:
        look = self._here.runit
        if look.phase is Phase.MISSING:
            words = "runit does not look after it; if that lasts longer than 5 s, type: farmhand up"
            return replace(self._past, pid=None, ready_at_s=None, unready_at_s=None), Report("missing", words), ()
        past, ended = self._note_ends(self._past)
        past = self._note_process(past)
        if ended and past.quick >= self._settings.crashes:
            return self._leave_alone(past)
        if past.gave_up or past.until_s is not None:
            return self._left_alone(past)
        if look.phase is Phase.RUN and look.wants_up:
            return self._running(past)
        return self._not_running(past, blocked_by)

    # --- what has happened since the last look -------------------------------------------------------------------

    def _note_ends(self, past: Past) -> tuple[Past, int]:
        """Count the ends that nobody asked for, and say how each came."""
        ends = list(self._here.exits)
        replaced = past.pid is not None and self._here.runit.pid not in (None, past.pid)
        if not ends and replaced:  # its `finish` could not write
            ends = [Exit(0.0, -1, 0)]
        counted = 0
        for end in ends:
            if past.ending_pid is not None:  # the first one is the end that we made
                past = replace(past, ending_pid=None, pid=None, started_at_s=None)
                continue
            counted += 1
            past = self._one_end(past, end)
        return past, counted

    def _one_end(self, past: Past, end: Exit) -> Past:
        known = (end.code, end.signal) != (-1, 0)
        words = why(end, self._other_ends(), self._seen.device, self._here.last_line) if known else "was replaced unseen"
        ran_s = None if past.started_at_s is None else self._now_s - past.started_at_s
        good = ran_s is not None and ran_s >= self._settings.stable_s and past.ready_at_s is not None
        self._said.append(Say(f"{self._service.value} {words}"))
        return replace(
            past,
            quick=1 if good else past.quick + 1,
            pauses=0 if good else past.pauses,
            words=words,
            pid=None,
            started_at_s=None,
            ready_at_s=None,
            unready_at_s=None,
        )

    def _other_ends(self) -> list[Exit]:
        return [end for service, seen in self._seen.services.items() if service is not self._service for end in seen.exits]

    def _note_process(self, past: Past) -> Past:
        pid = self._here.runit.pid if self._here.runit.phase is Phase.RUN else None
        if pid == past.pid:
            return past
        if past.ending_pid is not None and pid is not None:  # what we ended is gone, record or not
            past = replace(past, ending_pid=None)
        began_s = None if pid is None else self._now_s
        return replace(past, pid=pid, started_at_s=began_s, ready_at_s=None, unready_at_s=None)

    # --- left alone ----------------------------------------------------------------------------------------------

    def _leave_alone(self, past: Past) -> _Outcome:
        settings = self._settings
        pauses = past.pauses + 1
        down = () if not _is_up(self._here.runit) else (Stop(self._service, settings.stop_s),)
        # 0: whatever process runit has started meanwhile, its end will be our doing.
        past = replace(past, quick=0, pauses=pauses, ending_pid=past.pid or 0, late=True)
        if pauses > settings.give_up:
            words = f"{self._service.value} is given up after {settings.give_up} pauses: it {past.words}"
            remedy = "When that is mended, type: farmhand restart"
            past = replace(past, gave_up=True, until_s=None)
            return self._result(past, Report("given up", past.words, gave_up=True), *down, Say(f"{words}. {remedy}", alert=True))
        wait_s = min(settings.max_backoff_s, settings.backoff_s * 2.0 ** (pauses - 1))
        past = replace(past, until_s=self._now_s + wait_s)
        report = Report("backing off", past.words, retry_in_s=wait_s)
        said = Say(f"{self._service.value} ended {settings.crashes} times in a row; tried again in {wait_s:g} s")
        return self._result(past, report, *down, said)

    def _left_alone(self, past: Past) -> _Outcome:
        look = self._here.runit
        if look.phase is Phase.RUN and look.wants_up:
            # Not by us: a person has started it by hand, and knows why.
            self._said.append(Say(f"{self._service.value} was started by somebody: it gets another chance"))
            return self._running(replace(past, quick=0, pauses=0, until_s=None, gave_up=False))
        if past.gave_up:
            return self._result(past, Report("given up", past.words, gave_up=True))
        assert past.until_s is not None
        left_s = past.until_s - self._now_s
        if left_s > 0:
            return self._result(past, Report("backing off", past.words, retry_in_s=left_s))
        past = replace(past, until_s=None, ending_pid=None)
        return self._result(past, Report("starting", past.words), Start(self._service))

    # --- up, or on its way ---------------------------------------------------------------------------------------

    def _not_running(self, past: Past, blocked_by: Service | None) -> _Outcome:
        look = self._here.runit
        if look.phase is Phase.RUN:  # runit was told to end it; it is started again when it has
            return self._result(past, Report("stopping"))
        if look.wants_up:  # runit starts it again by itself, at most once a second
            return self._result(past, Report("starting", past.words))
        if blocked_by is not None:
            return self._result(past, Report("waiting", f"for {blocked_by.value}"))
        return self._result(past, Report("starting", past.words), Start(self._service))

    def _running(self, past: Past) -> _Outcome:
        match self._here.ready:
            case True:
                return self._ready(past)
            case False:
                return self._unready(past)
            case None if past.ready_at_s is not None:
                return self._ready(past)
            case None:
                return self._unready(past)

    def _ready(self, past: Past) -> _Outcome:
        began_s = self._now_s if past.ready_at_s is None else past.ready_at_s
        if past.ready_at_s is None:
            self._said.append(Say(f"{self._service.value} is ready"))
        past = replace(past, ready_at_s=began_s, unready_at_s=None, late=False)
        started_s = began_s if past.started_at_s is None else past.started_at_s
        if self._now_s - started_s >= self._settings.stable_s:
            past = replace(past, quick=0, pauses=0, words="")
        return self._result(past, Report("ready", self._here.probe_words))

    def _unready(self, past: Past) -> _Outcome:
        """A missed probe is nothing; what never comes, or does not come back, is started again."""
        was_ready = past.ready_at_s is not None
        since_s = past.unready_at_s
        if since_s is None:
            began_s = self._now_s if was_ready or past.started_at_s is None else past.started_at_s
            past, since_s = replace(past, unready_at_s=began_s), began_s
        if self._now_s - since_s < self._settings.ready_s:
            state = "unready" if was_ready else "starting"
            return self._result(past, Report(state, self._here.probe_words or past.words))
        words = f"did not become ready within {self._settings.ready_s:g} s"
        if was_ready:
            words = f"has not answered for {self._settings.ready_s:g} s"
        words += f" ({self._here.probe_words})" if self._here.probe_words else ""
        past = replace(past, quick=past.quick + 1, words=words, late=True)
        self._said.append(Say(f"{self._service.value} {words}"))
        if past.quick >= self._settings.crashes:
            return self._leave_alone(past)
        past = replace(past, ending_pid=past.pid, ready_at_s=None, unready_at_s=None)
        return self._result(past, Report("unready", words), Restart(self._service, self._settings.stop_s, words))

    def _result(self, past: Past, report: Report, *actions: Action) -> _Outcome:
        return past, report, (*self._said, *actions)
