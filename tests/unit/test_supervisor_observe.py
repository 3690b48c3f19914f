"""One look at the disk, the last words of a service, the adapter's words, and when it is told something."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phone.command import Done
from phone.places import Places, places
from phone.runit import Runsv
from phone.settings import GatewaySettings, PhoneSettings, ProxySettings
from phone.supervisor import store
from phone.supervisor.admin import Admin
from phone.supervisor.admin_words import Order, aged, is_busy, state_from_json
from phone.supervisor.devices import battery_max_age_s
from phone.supervisor.hold import Hold
from phone.supervisor.last_line import last_line
from phone.supervisor.observe import Glance, glance, is_anchored
from phone.supervisor.pressing import Told, is_due
from phone.supervisor.types import AdapterState, Exit, Phase, Runit, Service, Speed
from tests.fakes.runit import FakeRunit

ALL = PhoneSettings(proxy=ProxySettings(enabled=True), gateway=GatewaySettings(enabled=True))
NOW = 1_700_000_000.0


@pytest.fixture
def where(tmp_path: Path) -> Places:
    env = {"HOME": str(tmp_path), "PREFIX": str(tmp_path / "usr"), "FARMHAND_HOME": str(tmp_path / "state")}
    return places(env, tmp_path)


@pytest.fixture
def runit(where: Places) -> Iterator[FakeRunit]:
    with FakeRunit(where.prefix, where.exits) as fake:
        yield fake


def nobody_runs_anything(argv: Any, **_: Any) -> Done:
    raise AssertionError(f"a look ran {argv}")


def look(where: Places, offsets: dict[Service, int] | None = None, settings: PhoneSettings = ALL) -> Glance:
    return glance(where, Runsv(where, nobody_runs_anything), settings, offsets or {}, NOW)


# --- services ----------------------------------------------------------------------------------------------------


def test_a_bare_phone(where: Places) -> None:
    """Nothing is installed, not even the state folder is there: the adapter is what is missing."""
    at = look(where)
    assert set(at.runits.values()) == {Runit()}
    assert at.enabled == {Service.ADAPTER}
    assert at.absent == {Service.PROXY, Service.GATEWAY}
    assert at.offsets == dict.fromkeys(Service, 0)
    assert (at.hold, at.hold_over, at.hold_words, at.anchored) == (None, False, "", False)


def test_who_is_wanted(where: Places, runit: FakeRunit) -> None:
    for service in Service:
        runit.add(service.folder)
    assert look(where, settings=PhoneSettings()).enabled == {Service.ADAPTER}
    assert look(where).enabled == {Service.ADAPTER, Service.PROXY, Service.GATEWAY}
    (where.state / "engine.env").parent.mkdir(exist_ok=True)
    (where.state / "engine.env").write_text("ENGINE_MODEL=/x.gguf\n")
    assert look(where).enabled == set(Service)


def test_an_engine_without_its_service_is_not_missed(where: Places) -> None:
    where.state.mkdir()
    (where.state / "engine.env").touch()
    at = look(where)
    assert Service.ENGINE not in at.enabled | at.absent


def test_a_folder_that_nobody_looks_after_is_installed(where: Places) -> None:
    where.service("farmhand-litellm").mkdir(parents=True)
    at = look(where)
    assert Service.PROXY in at.enabled and at.runits[Service.PROXY].phase is Phase.MISSING


def test_states_come_from_runits_files(where: Places, runit: FakeRunit) -> None:
    runit.add("farmhand-adapter", up=True)
    runit.add("farmhand-litellm")
    at = look(where)
    assert at.runits[Service.ADAPTER].phase is Phase.RUN
    assert at.runits[Service.ADAPTER].pid == runit.pid("farmhand-adapter")
    assert at.runits[Service.PROXY].phase is Phase.DOWN
    assert runit.commands == []


# --- ends --------------------------------------------------------------------------------------------------------


def test_ends_are_told_once(where: Places, runit: FakeRunit) -> None:
    runit.add("farmhand-adapter", up=True)
    at = look(where)
    runit.end("farmhand-adapter", 1)
    runit.end("farmhand-adapter", -1, 9)
    at = look(where, dict(at.offsets))
    assert [(end.code, end.signal) for end in at.exits[Service.ADAPTER]] == [(1, 0), (-1, 9)]
    assert look(where, dict(at.offsets)).exits[Service.ADAPTER] == ()


def test_without_a_memory_old_ends_do_not_count(where: Places, runit: FakeRunit) -> None:
    runit.add("farmhand-adapter", up=True)
    runit.end("farmhand-adapter", 1)
    at = look(where)
    assert at.exits[Service.ADAPTER] == ()
    runit.end("farmhand-adapter", 2)
    assert [end.code for end in look(where, dict(at.offsets)).exits[Service.ADAPTER]] == [2]


class Restless:
    """Ends, and is started again, between the two reads of the first look."""

    def __init__(self) -> None:
        self.reads = 0

    def status(self, folder: str) -> Runit:
        self.reads += folder == "farmhand-adapter"
        return Runit(Phase.RUN, 10 if self.reads == 1 else 11, wants_up=True)

    def exits(self, folder: str, after_offset: int) -> tuple[tuple[Exit, ...], int]:
        return (Exit(1.0, 1, 0),), 20


def test_an_end_in_the_middle_of_a_look_counts_once(where: Places) -> None:
    """The end and the process that came after it, never the end and the process that ended."""
    at = glance(where, Restless(), PhoneSettings(), dict.fromkeys(Service, 0), NOW)
    assert at.runits[Service.ADAPTER].pid == 11
    assert len(at.exits[Service.ADAPTER]) == 1


class Finishing(Restless):
    def status(self, folder: str) -> Runit:
        return Runit(Phase.FINISH, 99, wants_up=True)


def test_the_pid_of_finish_is_nobodys(where: Places) -> None:
    at = glance(where, Finishing(), PhoneSettings(), {}, NOW)
    assert at.runits[Service.ADAPTER] == Runit(Phase.FINISH, None, wants_up=True)


# --- last words --------------------------------------------------------------------------------------------------

AT = 1_700_000_000  # 2023-11-14 22:13:20 UTC
LOG = """\
half a line of something
2023-11-14_22:13:18.00000 Traceback (most recent call last):
2023-11-14_22:13:19.50000 ValueError: no such model
2023-11-14_22:13:20.10000 farmhand-adapter: ended with code 1 after 3 s
2023-11-14_22:13:20.20000 the next one starts in the same second
2023-11-14_22:13:21.00000 and goes on
"""


@pytest.mark.parametrize(
    ("log", "at_s", "words"),
    [
        (LOG, AT, "ValueError: no such model"),
        (LOG, AT + 1, "and goes on"),
        (LOG, AT - 2, "Traceback (most recent call last):"),
        (LOG, AT - 60, ""),
        ("", AT, ""),
        ("no time stamps\nat all\n", AT, ""),
        ("2023-11-14_22:13:19.5 farmhand-adapter: engine.env is missing. Type: x\n", AT, "engine.env is missing. Type: x"),
        ("2023-11-14_22:13:19.5 said\n2023-11-14_22:13:19.6 \n", AT, "said"),
        ("2023-99-14_22:13:19.5 said\n", AT, "said"),  # no such day: no reason to lose the words
        ("2023-11-14_22:13:19.5 " + "x" * 999, AT, "x" * 200),
    ],
)
def test_last_words(log: str, at_s: float, words: str) -> None:
    assert last_line(log, "farmhand-adapter", at_s) == words


def test_last_words_come_from_the_end_of_a_long_log(where: Places, runit: FakeRunit) -> None:
    runit.add("farmhand-adapter", up=True)
    at = look(where)
    stamp = time.strftime("%Y-%m-%d_%H:%M:%S.00000", time.gmtime(time.time() - 1))
    log = where.log("farmhand-adapter")
    log.parent.mkdir(parents=True)
    log.write_bytes(b"\xff old line\n" * 10_000 + f"{stamp} last words\n".encode())
    runit.end("farmhand-adapter", 1)
    assert look(where, dict(at.offsets)).last_lines == {Service.ADAPTER: "last words"}


# --- a person's pause, the anchor --------------------------------------------------------------------------------


def test_a_pause(where: Places) -> None:
    store.write_hold(where, Hold(NOW + 1, "hot"))
    assert look(where).hold == Hold(NOW + 1, "hot")
    store.write_hold(where, Hold(NOW, "hot"))
    assert (look(where).hold, look(where).hold_over) == (None, True)
    store.write(store.hold_file(where), "nonsense")
    at = look(where)
    assert at.hold is None and not at.hold_over and "hold.json" in at.hold_words


def test_the_anchor(tmp_path: Path) -> None:
    file, proc = tmp_path / "anchor.pid", tmp_path / "proc"
    (proc / "12").mkdir(parents=True)
    assert not is_anchored(file, proc)
    for text, comm, expected in (("12\n", "sleep\n", True), ("12\n", "python\n", False), ("13\n", "sleep\n", False), ("../12", "sleep", False)):
        file.write_text(text)
        (proc / "12" / "comm").write_text(comm)
        assert is_anchored(file, proc) is expected


# --- the adapter's words -----------------------------------------------------------------------------------------

STATE = {
    "version": 17,
    "running": 1,
    "waiting": 2,
    "idle_s": 0.0,
    "requests": 12,
    "pressure": {"level": "slow", "reason": "warm", "lapses_in_s": 5},
    "speeds": [{"engine": "demo", "model": "demo", "tokens_s": 8.1, "usual_tokens_s": 11.0}],
}


def test_the_state_as_the_adapter_says_it() -> None:
    assert state_from_json(STATE) == AdapterState(17, 1, 2, 0.0, "slow", "warm", (Speed("demo", "demo", 8.1, 11.0),), 12)


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"version": "1"}, {"version": True}, {"version": None}, {"version": 1.5}])
def test_what_is_no_state(data: object) -> None:
    with pytest.raises(ValueError, match="no answer of a Farmhand"):
        state_from_json(data)


@pytest.mark.parametrize("bad", [None, [], {}, "x", -1, True, 1.5, float("nan"), float("inf"), [3, {}, {"tokens_s": 1}], {"level": 3}])
def test_no_field_of_a_state_can_do_harm(bad: Any) -> None:
    for name in STATE:
        if name != "version":
            state = state_from_json({**STATE, name: bad})
            assert state.version == 17 and state.running >= 0 and state.waiting >= 0
            assert state.idle_s is None or 0 <= state.idle_s < float("inf")


def test_a_state_ages_while_nothing_runs() -> None:
    idle = AdapterState(1, idle_s=5.0)
    assert aged(idle, 7.0).idle_s == 12.0
    assert aged(idle, -7.0).idle_s == 5.0
    assert aged(replace(idle, running=1, idle_s=0.0), 7.0).idle_s == 0.0
    assert aged(replace(idle, idle_s=None), 7.0).idle_s is None
    assert is_busy(AdapterState(waiting=1)) and not is_busy(idle) and not is_busy(None)


def test_an_order_is_one_line() -> None:
    assert Order("serve").body() == {"level": "serve"}
    body = Order("pause", "by \x1b[31m hand\n\nand " + "x" * 500, 120.0, 600.0).body()
    assert body["reason"].startswith("by [31m hand and x") and len(body["reason"]) == 300
    assert (body["retry_after_s"], body["for_s"]) == (120.0, 600.0)


ONE, OTHER = Admin("127.0.0.1", 1, Path("k")), Admin("127.0.0.1", 1, Path("k"))
SERVE, SLOW = Order("serve"), Order("slow", "warm", None, 600.0)


@pytest.mark.parametrize(
    ("order", "told", "state", "known_at_s", "now_s", "due"),
    [
        (SERVE, None, AdapterState(), 0.0, 0.0, False),  # it serves anyway
        (SLOW, None, AdapterState(), 0.0, 0.0, True),
        (SERVE, None, AdapterState(pressure="pause"), 0.0, 0.0, True),  # left by a supervisor before us
        (SLOW, Told(ONE, SLOW, 10.0), AdapterState(), 9.0, 11.0, False),  # what it says is older than what it was told
        (SLOW, Told(ONE, SLOW, 10.0), AdapterState(), 10.5, 11.0, True),  # it has forgotten
        (SLOW, Told(OTHER, SLOW, 10.0), AdapterState(), 9.0, 11.0, True),  # another process
        (SERVE, Told(OTHER, SLOW, 10.0), AdapterState(), 9.0, 11.0, False),
        (SERVE, Told(ONE, SLOW, 10.0), AdapterState(pressure="slow"), 9.0, 11.0, True),
        (SLOW, Told(ONE, SLOW, 10.0), AdapterState(pressure="slow"), 11.0, 309.0, False),
        (SLOW, Told(ONE, SLOW, 10.0), AdapterState(pressure="slow"), 11.0, 310.0, True),  # before it lapses
        (SERVE, Told(ONE, SERVE, 10.0), AdapterState(), 11.0, 9_999.0, False),  # that never does
        (replace(SLOW, reason="hot"), Told(ONE, SLOW, 10.0), AdapterState(pressure="slow"), 11.0, 39.0, False),
        (replace(SLOW, reason="hot"), Told(ONE, SLOW, 10.0), AdapterState(pressure="slow"), 11.0, 40.0, True),
    ],
)
def test_when_it_is_told(order: Order, told: Told | None, state: AdapterState, known_at_s: float, now_s: float, due: bool) -> None:
    assert is_due(order, told, ONE, state, known_at_s, now_s) is due


def test_the_battery_is_asked_for_seldom_where_that_costs_most() -> None:
    ages = [battery_max_age_s(calm_s, charging) for calm_s, charging in ((0, False), (0, True), (120, True), (120, None), (120, False))]
    assert ages == [60.0, 60.0, 120.0, 120.0, 240.0]
