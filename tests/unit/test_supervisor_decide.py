"""The supervisor's decisions, in virtual time, with runit's behaviour around them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from phone.settings import GatewaySettings, PhoneSettings, ProxySettings, SupervisorSettings
from phone.supervisor.decide import decide
from phone.supervisor.memory import Memory, Past, forgive, memory_from_json, to_json
from phone.supervisor.types import (
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
from tests.unit.supervisor_world import NEVER, Program, World

ADAPTER, PROXY, GATEWAY, ENGINE = Service.ADAPTER, Service.PROXY, Service.GATEWAY, Service.ENGINE
CHAIN = (ADAPTER, PROXY, GATEWAY)
QUICK = SupervisorSettings(ready_s=20, stop_s=5, stable_s=30, crashes=3, backoff_s=10, max_backoff_s=40, give_up=3)
SETTINGS = PhoneSettings(
    supervisor=QUICK, proxy=ProxySettings(enabled=True), gateway=GatewaySettings(enabled=True)
)


def world(*enabled: Service, settings: PhoneSettings = SETTINGS, **programs: Program) -> World:
    return World(settings, enabled or CHAIN, **programs)


# --- starting and stopping ---------------------------------------------------------------------------------------


def test_each_starts_when_the_one_before_is_ready() -> None:
    w = world(adapter=Program(ready_s=3), litellm=Program(), proxy=Program(ready_s=6), gateway=Program(ready_s=2))
    w.run_for(20)
    assert w.order() == ["Start adapter", "Start litellm", "Start openclaw"]
    starts = [w.programs[s].starts[0] for s in CHAIN]
    assert starts[0] == 0
    assert 3 <= starts[1] <= 4
    assert starts[1] + 6 <= starts[2] <= starts[1] + 7
    assert w.last.ready


def test_what_runs_already_is_left_as_it_is() -> None:
    """A new supervisor, with and without what the old one remembered, does nothing at all."""
    w = world()
    w.run_for(60)
    before = len(w.history)
    w.new_supervisor()
    w.run_for(60)
    w.memory = replace(Memory(), gateway_url=w.memory.gateway_url)
    w.run_for(60)
    assert [a for _, a in w.history[before:] if not isinstance(a, Say)] == []


def test_a_gateway_of_unknown_direction_is_taken_to_have_the_adapters_address() -> None:
    w = world(ADAPTER, GATEWAY)
    w.run_for(30)
    w.memory = Memory()
    w.run_for(30)
    assert not w.done(Restart)


def test_the_stop_is_the_reverse_one_at_a_time() -> None:
    w = world(ENGINE, *CHAIN, gateway=Program(stop_s=3.0))
    w.run_for(30)
    w.history.clear()
    w.goal = Goal.DOWN
    decision = w.run_for(10)
    assert w.order() == ["Stop openclaw", "Stop litellm", "Stop adapter", "Stop engine"]
    assert decision.stopped
    assert all(program.pid is None for program in w.programs.values())


def test_a_stop_ends_what_runit_is_just_starting_again() -> None:
    seen = Observation(5.0, {ADAPTER: Seen(Runit(Phase.DOWN, None, wants_up=True))})
    decision = decide(Memory(), seen, SETTINGS, Goal.DOWN)
    assert decision.actions == (Stop(ADAPTER, 5),)
    assert not decision.stopped


def test_stopped_without_anything_to_stop() -> None:
    assert decide(Memory(), Observation(5.0), SETTINGS, Goal.DOWN).stopped


def test_an_ordered_stop_is_no_crash() -> None:
    w = world(ADAPTER)
    w.run_for(10)
    w.goal = Goal.DOWN
    w.run_for(5)
    w.goal = Goal.UP
    decision = w.run_for(5)
    assert decision.memory.of(ADAPTER).quick == 0
    assert decision.reports[ADAPTER].state == "ready"


def test_what_is_not_enabled_is_ended() -> None:
    w = world()
    w.run_for(40)
    w.enabled = frozenset({ADAPTER})
    decision = w.run_for(5)
    assert decision.reports[GATEWAY].state == "disabled"
    assert w.programs[GATEWAY].pid is None
    assert w.programs[PROXY].pid is None
    assert w.programs[ADAPTER].pid is not None


def test_what_is_not_installed_is_said_and_keeps_nobody_waiting_but_the_adapter_does() -> None:
    w = world(proxy=Program(installed=False))
    w.run_for(10)
    assert w.last.reports[PROXY].state == "missing"
    assert w.last.reports[GATEWAY].state == "ready"
    w = world(adapter=Program(installed=False))
    w.run_for(10)
    assert w.order() == []
    assert w.last.reports[GATEWAY].state == "waiting"
    assert "adapter" in w.last.reports[GATEWAY].words


# --- crashes -----------------------------------------------------------------------------------------------------


def test_one_crash_is_runits_business() -> None:
    w = world(ADAPTER)
    w.run_for(40)
    w.kill(ADAPTER)
    decision = w.run_for(5)
    assert w.order() == ["Start adapter"]
    assert "adapter was killed (SIGKILL)" in w.said
    assert decision.reports[ADAPTER].state == "ready"


def test_later_services_stay_when_an_earlier_one_comes_back() -> None:
    w = world()
    w.run_for(60)
    w.kill(ADAPTER)
    w.run_for(20)
    assert len(w.programs[GATEWAY].starts) == 1
    assert len(w.programs[PROXY].starts) == 1


def test_a_crash_loop_backs_off_then_gives_up_loudly() -> None:
    w = world(ADAPTER, adapter=Program(dies_s=0.5, end=(1, 0)))
    w.run_for(200)
    stops = [at for at, _ in w.done(Stop)]
    starts = [at for at, _ in w.done(Start)]
    gaps = [round(start - stop) for stop, start in zip(stops, starts[1:], strict=False)]
    assert gaps == [10, 20, 40], "doubled, up to the maximum"
    assert w.last.reports[ADAPTER].gave_up
    alerts = [action for _, action in w.history if isinstance(action, Say) and action.alert]
    assert len(alerts) == 1
    assert "farmhand restart" in alerts[0].text
    assert "ended with status 1" in alerts[0].text
    before = len(w.programs[ADAPTER].starts)
    w.run_for(1_000)
    assert len(w.programs[ADAPTER].starts) == before
    assert len([a for _, a in w.history if isinstance(a, Say) and a.alert]) == 1


def test_crashes_far_apart_are_no_loop() -> None:
    w = world(ADAPTER, adapter=Program(dies_s=40))
    w.run_for(600)
    assert w.order() == ["Start adapter"]
    assert len(w.programs[ADAPTER].starts) > 10


def test_a_good_run_makes_the_pauses_short_again() -> None:
    w = world(ADAPTER, adapter=Program(dies_s=0.5))
    w.run_for(10)
    assert w.memory.of(ADAPTER).pauses == 1
    w.programs[ADAPTER].dies_s = NEVER
    w.run_for(60)
    assert w.memory.of(ADAPTER).pauses == 0
    assert w.last.reports[ADAPTER].state == "ready"


def test_backing_off_tells_for_how_long() -> None:
    w = world(ADAPTER, adapter=Program(dies_s=0.5))
    w.run_for(8)
    report = w.last.reports[ADAPTER]
    assert report.state == "backing off"
    assert report.retry_in_s is not None
    assert 0 < report.retry_in_s <= 10


@pytest.mark.parametrize("after_s", [15, 300])
def test_somebody_who_starts_it_by_hand_gets_another_chance(after_s: float) -> None:
    w = world(ADAPTER, adapter=Program(dies_s=0.5))
    w.run_for(after_s)
    w.programs[ADAPTER].dies_s = NEVER
    w.by_hand(ADAPTER)
    w.run_for(40)
    assert w.last.reports[ADAPTER].state == "ready"
    assert not w.memory.of(ADAPTER).gave_up


def test_forgiving_starts_what_was_given_up() -> None:
    w = world(ADAPTER, adapter=Program(dies_s=0.5))
    w.run_for(300)
    assert w.last.reports[ADAPTER].gave_up
    w.programs[ADAPTER].dies_s = NEVER
    w.memory = forgive(w.memory)
    w.run_for(5)
    assert w.last.reports[ADAPTER].state == "ready"


def test_a_proxy_in_a_loop_does_not_keep_the_gateway_down() -> None:
    w = world(proxy=Program(dies_s=0.5))
    w.run_for(30)
    assert w.last.reports[GATEWAY].state == "ready"
    assert cast(PointGateway, w.done(PointGateway)[0][1]).url == "http://127.0.0.1:8888/v1"


def test_a_replaced_process_without_a_record_counts_as_a_crash() -> None:
    seen = Observation(50.0, {ADAPTER: Seen(Runit(Phase.RUN, 8, wants_up=True), ready=True)})
    memory = Memory({ADAPTER: Past(pid=7, started_at_s=45.0)})
    past = decide(memory, seen, SETTINGS, Goal.UP).memory.of(ADAPTER)
    assert (past.quick, past.pid, past.started_at_s) == (1, 8, 50.0)


# --- readiness ---------------------------------------------------------------------------------------------------


def test_who_never_gets_ready_is_started_again_then_left_alone() -> None:
    w = world(proxy=Program(ready_s=NEVER))
    w.run_for(100)
    assert [type(a).__name__ for _, a in w.history if getattr(a, "service", None) is PROXY][:5] == [
        "Start",
        "Restart",
        "Restart",
        "Stop",
        "Start",
    ]
    assert "litellm did not become ready within 20 s" in w.said
    assert w.last.reports[GATEWAY].state == "ready", "it waited for the proxy's time only"
    assert w.programs[GATEWAY].starts[0] == pytest.approx(22, abs=2)


def test_a_missed_probe_is_nothing() -> None:
    w = world(ADAPTER)
    w.run_for(40)
    w.programs[ADAPTER].deaf = True
    w.run_for(15)
    assert w.last.reports[ADAPTER].state == "unready"
    w.programs[ADAPTER].deaf = False
    w.run_for(5)
    assert w.order() == ["Start adapter"]
    assert w.last.reports[ADAPTER].state == "ready"


def test_who_stops_answering_for_good_is_started_again() -> None:
    w = world(ADAPTER)
    w.run_for(40)
    w.programs[ADAPTER].deaf = True
    w.run_for(21)
    assert w.order() == ["Start adapter", "Restart adapter"]
    assert "has not answered for 20 s" in w.said


def test_a_look_without_a_probe_changes_nothing() -> None:
    memory = Memory({ADAPTER: Past(pid=7, started_at_s=0.0, ready_at_s=1.0)})
    seen = Observation(500.0, {ADAPTER: Seen(Runit(Phase.RUN, 7, wants_up=True), ready=None)})
    decision = decide(memory, seen, SETTINGS, Goal.UP)
    assert decision.reports[ADAPTER].state == "ready"
    assert decision.actions == ()


# --- the gateway's base URL --------------------------------------------------------------------------------------


def test_the_gateway_follows_the_proxy() -> None:
    w = world()
    w.run_for(60)
    assert [cast(PointGateway, a).url for _, a in w.done(PointGateway)] == ["http://127.0.0.1:4000/v1"]
    w.programs[PROXY].dies_s = 0.1
    w.kill(PROXY)
    w.run_for(60)
    assert cast(PointGateway, w.done(PointGateway)[-1][1]).url == "http://127.0.0.1:8888/v1"
    assert len(w.done(Restart)) == 1, "the gateway was started again for it, once"
    w.programs[PROXY].dies_s = NEVER
    w.run_for(120)
    assert cast(PointGateway, w.done(PointGateway)[-1][1]).url == "http://127.0.0.1:4000/v1"
    assert len(w.done(Restart)) == 2
    assert w.memory.of(GATEWAY).quick == 0, "its restarts are ours"


def test_a_proxy_that_comes_back_at_once_moves_nobody() -> None:
    w = world()
    w.run_for(60)
    w.kill(PROXY)
    w.run_for(60)
    assert w.done(Restart) == []
    assert len(w.done(PointGateway)) == 1


def test_the_base_url_is_written_before_the_gateway_starts() -> None:
    w = world(ADAPTER, GATEWAY)
    w.run_for(10)
    kinds = [type(a).__name__ for _, a in w.history if not isinstance(a, Say)]
    assert kinds.index("PointGateway") < len(kinds) - 1 - kinds[::-1].index("Start")


# --- memory ------------------------------------------------------------------------------------------------------


def test_memory_survives_as_json() -> None:
    w = world(proxy=Program(dies_s=0.5))
    w.run_for(30)
    assert memory_from_json(to_json(w.memory)) == w.memory


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"services": 3},
        {"services": {"adapter": 7}, "gateway_url": 9},
        {"services": {"adapter": {"pid": "x", "quick": None, "gave_up": 1, "until_s": True}, "nobody": {}}},
    ],
)
def test_damaged_memory_is_no_memory(data: object) -> None:
    memory = memory_from_json(data)
    assert memory.of(ADAPTER) == Past()
    assert memory.gateway_url == ""


def test_start_is_repeated_until_runit_has_taken_it() -> None:
    seen = Observation(5.0, {ADAPTER: Seen(Runit(Phase.DOWN))})
    first = decide(Memory(), seen, SETTINGS, Goal.UP)
    assert first.actions == (Start(ADAPTER),)
    assert decide(first.memory, seen, SETTINGS, Goal.UP).actions == (Start(ADAPTER),)
