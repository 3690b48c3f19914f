"""`/admin/pressure` and `/admin/state`: bodies and queries in, what is said out; and the words of a paused phone."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.dialects.admin_state import parse_state_query, render_pressure, render_state
from adapter.dialects.openai_pressure import Order, parse_pressure
from adapter.engines.base import Pressure
from adapter.engines.pause import Pause, is_here, refusal
from adapter.errors import BadRequest, EngineUnavailable
from adapter.meter_speeds import Speed
from adapter.terminal.report import report

HOT = "The battery is at 45 degrees C."


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", Pressure)
def test_a_level_alone_is_an_order(level: Pressure) -> None:
    assert parse_pressure({"level": str(level)}) == Order(level, "", None, None)


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({"reason": HOT, "retry_after_s": 120, "for_s": 600}, Order(Pressure.PAUSE, HOT, 120, 600.0)),
        ({"reason": "  It is hot ", "retry_after_s": 1.2}, Order(Pressure.PAUSE, "It is hot.", 2, None)),
        ({"reason": "Why now?", "for_s": 0.9 + 0.1}, Order(Pressure.PAUSE, "Why now?", None, 1.0)),
        ({"reason": "   ", "retry_after_s": None, "for_s": None}, Order(Pressure.PAUSE)),
        ({"reason": None, "for_s": 86_400, "retry_after_s": 3_600}, Order(Pressure.PAUSE, "", 3_600, 86_400.0)),
        ({"reason": "x" * 300}, Order(Pressure.PAUSE, "x" * 300 + ".")),
    ],
)
def test_the_other_fields(body: dict[str, Any], order: Order) -> None:
    assert parse_pressure({"level": "pause", **body}) == order


@pytest.mark.parametrize("body", [{}, {"level": None}, {"level": "fast"}, {"level": ["slow"]}, {"level": 1}])
def test_other_levels_are_refused_with_the_list(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="serve, slow, pause, unload") as caught:
        parse_pressure(body)
    assert caught.value.param == "level"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reason", 5, "must be a string, not a number"),
        ("reason", "x" * 301, "one line of at most 300 characters"),
        ("reason", "two\nlines", "one line"),
        ("reason", "red \x1b[31m", "one line"),
        ("retry_after_s", 0, "from 1 to 3600; got 0"),
        ("retry_after_s", 3_601, "from 1 to 3600"),
        ("retry_after_s", "60", "must be a number from 1 to 3600, not a string"),
        ("retry_after_s", True, "not a boolean"),
        ("for_s", 0.5, "from 1 to 86400"),
        ("for_s", 86_401, "from 1 to 86400"),
        ("for_s", [], "not an array"),
        ("until", 5, "'until' is no field here; there are level, reason, retry_after_s, for_s."),
    ],
)
def test_wrong_fields_are_named(field: str, value: object, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_pressure({"level": "pause", field: value})
    assert caught.value.param == field
    assert said in caught.value.message


# --- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, (None, 0.0)),
        ({"since": "17"}, (17, 0.0)),
        ({"since": "0", "wait_s": "60"}, (0, 60.0)),
        ({"wait_s": "0.5"}, (None, 0.5)),
    ],
)
def test_queries(query: dict[str, str], found: tuple[int | None, float]) -> None:
    assert parse_state_query(query) == found


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"since": ""}, "since"),
        ({"since": "-1"}, "since"),
        ({"since": "1.5"}, "since"),
        ({"since": "9" * 20}, "since"),
        ({"since": "٣"}, "since"),
        ({"wait_s": "61"}, "wait_s"),
        ({"wait_s": "-1"}, "wait_s"),
        ({"wait_s": "nan"}, "wait_s"),
        ({"wait_s": "inf"}, "wait_s"),
        ({"wait_s": ""}, "wait_s"),
        ({"wait_s": "0" * 21}, "wait_s"),
        ({"sinse": "1"}, "sinse"),
    ],
)
def test_wrong_queries_are_named(query: dict[str, str], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_state_query(query)
    assert (caught.value.param, f"'{param}'" in caught.value.message) == (param, True)


def test_the_state_as_the_supervisor_reads_it() -> None:
    shown = render_state(
        version=17,
        running=1,
        waiting=2,
        idle_s=0.0,
        requests=12,
        pressure=render_pressure(Order(Pressure.SLOW, HOT, for_s=600), 599.96),
        speeds=[Speed("demo", "demo", 8.123, 11.0)],
    )
    assert shown == {
        "version": 17,
        "running": 1,
        "waiting": 2,
        "idle_s": 0.0,
        "requests": 12,
        "pressure": {"level": "slow", "reason": HOT, "lapses_in_s": 600.0},
        "speeds": [{"engine": "demo", "model": "demo", "tokens_s": 8.12, "usual_tokens_s": 11.0}],
    }
    assert render_pressure(Order(), None) == {"level": "serve", "reason": "", "lapses_in_s": None}


# --- what clients are told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [Pressure.SERVE, Pressure.SLOW])
def test_who_may_begin_is_not_refused(level: Pressure) -> None:
    assert refusal(level, HOT, 120) is None
    pause = Pause()
    pause.set(level, HOT, 120)
    pause.check()


@pytest.mark.parametrize(
    ("level", "reason", "retry_after_s", "text", "after_s"),
    [
        (Pressure.PAUSE, HOT, 120, f"Farmhand is paused: {HOT} Answers under way go on; try again in 120 s.", 120),
        (Pressure.UNLOAD, HOT, None, f"Farmhand is paused and has unloaded its model: {HOT} Try again in 30 s.", 30),
        (Pressure.PAUSE, "", 7, "Farmhand is paused to let the phone cool down", 7),
        (Pressure.UNLOAD, "", None, "Farmhand has unloaded the model because", 30),
    ],
)
def test_refusals_give_the_reason_and_the_time(
    level: Pressure, reason: str, retry_after_s: int | None, text: str, after_s: int
) -> None:
    pause = Pause()
    pause.set(level, reason, retry_after_s)
    with pytest.raises(EngineUnavailable) as caught:
        pause.check()
    assert caught.value.message.startswith(text)
    assert (caught.value.status, caught.value.retry_after_s) == (503, after_s)
    assert pause.refusal is not pause.refusal, "an error of one's own, since its traceback grows"
    pause.set(Pressure.SERVE)
    pause.check()


@pytest.mark.parametrize(
    ("url", "here"),
    [
        (None, True),
        ("http://127.0.0.1:8889", True),
        ("http://localhost:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://192.168.1.5:8889", False),
        ("https://api.example.com/v1", False),
        ("http://localhost.evil.com/v1", False),
    ],
)
def test_what_burns_this_phones_battery(url: str | None, here: bool) -> None:
    assert is_here(url) is here


# --- what people see ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pressure", "line"),
    [
        ({"level": "slow", "reason": ""}, "It works slowly."),
        ({"level": "slow", "reason": HOT, "held_s": 12.4}, f"It works slowly: {HOT} For 12 s now."),
        (
            {"level": "pause", "reason": HOT, "held_s": 185.0, "lapses_in_s": 480.0},
            f"It is paused and begins nothing new: {HOT} For 3 min now, for another 8 min unless renewed.",
        ),
        (
            {"level": "unload", "reason": "", "held_s": 20_000, "lapses_in_s": None},
            "It is paused and has unloaded its models. For 6 h now.",
        ),
        ({"level": "unload", "lapses_in_s": 5}, "It is paused and has unloaded its models. For another 5 s unless renewed."),
        ({"level": "pause", "reason": 5, "held_s": "x", "lapses_in_s": True}, "It is paused and begins nothing new."),
    ],
)
def test_status_says_it_behind_the_first_line(pressure: dict[str, Any], line: str) -> None:
    lines = report({"status": "ready", "pressure": pressure, "engines": {}}, "http://x/v1", width=80)
    assert lines[0] == "Farmhand at http://x/v1 is ready."
    assert " ".join(lines[1:-1]) == line
    assert all(len(one) <= 80 for one in lines)


@pytest.mark.parametrize("pressure", [{"level": "serve", "reason": "", "held_s": 5.0}, {}, None, [], {"level": "hot"}, {"level": 3}])
def test_nothing_is_said_where_nothing_presses(pressure: object) -> None:
    lines = report({"status": "ready", "pressure": pressure, "engines": {}}, "http://x/v1", width=80)
    assert lines == ["Farmhand at http://x/v1 is ready.", "No engine is configured."]
