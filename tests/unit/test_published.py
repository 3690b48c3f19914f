"""What the supervisor publishes: there and back, and what readers make of damaged files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from phone.device import Battery
from phone.supervisor.hold import Hold, hold_from_json
from phone.supervisor.hold import to_json as hold_to_json
from phone.supervisor.published import (
    MAX_ALERTS,
    Published,
    PublishedExit,
    PublishedService,
    Saying,
    published_from_json,
    same_news,
    to_json,
    with_saying,
)

FULL = Published(
    pid=4711,
    boot_id="b1",
    wall_s=1_700_000_000.5,
    goal="up",
    ready=True,
    services={
        "adapter": PublishedService("farmhand-adapter", "ready", "ready", 12, True, None, 1.0, PublishedExit(5.0, -1, 9, "was killed")),
        "litellm": PublishedService("farmhand-litellm", "backing off", "ended with status 1", retry_in_s=12.5),
    },
    level="slow",
    reason="The battery is at 42 degrees C.",
    lock_policy="always",
    lock_words="asked for 12 s ago; nobody can ask whether it is held",
    battery=Battery(78.0, 33.4, True, "PLUGGED_USB", "GOOD"),
    gateway_url="http://127.0.0.1:4000/v1",
    api_missing=False,
    alerts=(Saying(1.0, "adapter is ready"), Saying(2.0, "litellm is given up", True)),
)


def test_there_and_back() -> None:
    assert published_from_json(json.loads(json.dumps(to_json(FULL)))) == FULL


def test_the_form_that_others_read() -> None:
    data = to_json(FULL)
    assert data["version"] == 1
    assert data["lock"] == {"policy": "always", "words": FULL.lock_words}
    assert data["services"]["adapter"]["last_exit"] == {"wall_at_s": 5.0, "code": -1, "signal": 9, "words": "was killed"}
    assert {"pid", "boot_id", "wall_s", "goal", "ready", "level", "reason", "battery", "gateway_url", "api_missing", "alerts"} < set(data)


@pytest.mark.parametrize("data", [None, [], 3, "x", {}, {"version": 2}, {"version": "1"}])
def test_what_is_no_such_thing(data: object) -> None:
    assert published_from_json(data) is None


@pytest.mark.parametrize("bad", [None, 3, "x", [], [3], {"x": 3}, True, -1, float("nan"), 1e300, {"adapter": 3}, [{"text": 3}]])
def test_no_field_can_do_harm(bad: Any) -> None:
    """Each field replaced by nonsense: the others are still read, and what comes out can be written again."""
    for name in to_json(FULL):
        if name == "version":
            continue
        published = published_from_json({**to_json(FULL), name: bad})
        assert published is not None
        assert published_from_json(json.loads(json.dumps(to_json(published), allow_nan=False))) == published
        assert published.goal == FULL.goal or name == "goal"


def test_no_field_of_a_service_can_do_harm() -> None:
    for name in ("folder", "state", "words", "pid", "ready", "retry_in_s", "wall_since_s", "last_exit"):
        bads: tuple[Any, ...] = (None, [], {}, "x", True, 1.5, 10**30)
        for bad in bads:
            data = to_json(FULL)
            data["services"] = {"adapter": {**data["services"]["adapter"], name: bad}}
            published = published_from_json(data)
            assert published is not None and set(published.services) == {"adapter"}


def test_what_is_news() -> None:
    assert same_news(FULL, replace(FULL, wall_s=9.0))
    later = replace(FULL.services["litellm"], retry_in_s=3.0)
    assert same_news(FULL, replace(FULL, services={**FULL.services, "litellm": later}))
    assert same_news(FULL, replace(FULL, lock_words="asked for 15 min ago; nobody can ask whether it is held"))
    assert not same_news(FULL, replace(FULL, lock_words="given back 12 s ago; nobody can ask whether it is held"))
    ready = replace(FULL.services["litellm"], state="starting")
    assert not same_news(FULL, replace(FULL, services={**FULL.services, "litellm": ready}))
    assert not same_news(FULL, replace(FULL, pid=None))


def test_only_the_last_sayings_are_kept() -> None:
    alerts: tuple[Saying, ...] = ()
    for number in range(MAX_ALERTS + 5):
        alerts = with_saying(alerts, Saying(number, f"{number} " + "x" * 10_000))
    assert [alert.wall_s for alert in alerts] == [*range(5, MAX_ALERTS + 5)]
    assert max(len(alert.text) for alert in alerts) == 500


# --- a person's pause --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hold", [Hold(), Hold(1.5e9, "hot"), Hold(None, "by hand")])
def test_a_pause_there_and_back(hold: Hold) -> None:
    assert hold_from_json(json.loads(json.dumps(hold_to_json(hold)))) == hold


@pytest.mark.parametrize("data", [None, [], "x", 3, {"until_wall_s": "x"}, {"until_wall_s": True}, {"until_wall_s": float("nan")}])
def test_a_pause_that_cannot_be_read_is_said(data: object) -> None:
    with pytest.raises(ValueError, match="must"):
        hold_from_json(data)


def test_when_a_pause_is_over() -> None:
    assert not Hold().is_over(1e12)
    assert not Hold(100.0).is_over(99.9)
    assert Hold(100.0).is_over(100.0)
