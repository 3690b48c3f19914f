"""What the notification says, which buttons it has, and when it is worth showing anew."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from phone.command import Note
from phone.places import TERMUX_PREFIX, Places, places
from phone.supervisor.notification import (
    MAX_TEXT,
    NUMBERS_S,
    SMALL_NUMBERS_S,
    View,
    alert,
    note,
    should_update,
)

PHONE = places({}, Path("/clone"))
URL = "http://127.0.0.1:8888"
READY = (("adapter", "ready"), ("litellm", "ready"))
UP = View(services=READY, tokens_s=11.34, temperature_c=38.4, url=URL)
HOT = replace(
    UP,
    level="pause",
    reason="The battery is at 45.2 degrees C; Farmhand pauses at 44 and goes on below 42.",
    tokens_s=None,
    temperature_c=45.2,
)


@pytest.mark.parametrize(
    ("view", "title", "content"),
    [
        (View(), "Farmhand: serving", "Type in Termux: farmhand status"),
        (UP, "Farmhand: serving", "11 tokens/s · 38 °C · 127.0.0.1:8888"),
        (replace(UP, tokens_s=8.13), "Farmhand: serving", "8.1 tokens/s · 38 °C · 127.0.0.1:8888"),
        (replace(UP, tokens_s=0.517), "Farmhand: serving", "0.52 tokens/s · 38 °C · 127.0.0.1:8888"),
        (replace(UP, tokens_s=9.97), "Farmhand: serving", "10 tokens/s · 38 °C · 127.0.0.1:8888"),
        (replace(UP, tokens_s=123.4), "Farmhand: serving", "120 tokens/s · 38 °C · 127.0.0.1:8888"),
        (replace(UP, tokens_s=0.0, temperature_c=None), "Farmhand: serving", "127.0.0.1:8888"),
        (replace(UP, tokens_s=float("nan"), temperature_c=float("nan")), "Farmhand: serving", "127.0.0.1:8888"),
        (
            HOT,
            "Farmhand: paused",
            "The battery is at 45 degrees C; Farmhand pauses at 44 and goes on below 42.\n45 °C · 127.0.0.1:8888",
        ),
        (replace(HOT, level="slow", reason=""), "Farmhand: serving slowly", "45 °C · 127.0.0.1:8888"),
        (replace(HOT, level="unload", reason=""), "Farmhand: models unloaded", "45 °C · 127.0.0.1:8888"),
        (
            replace(UP, held=True, level="pause", reason="Farmhand was paused by hand."),
            "Farmhand: paused by hand",
            "Farmhand was paused by hand.\n11 tokens/s · 38 °C · 127.0.0.1:8888",
        ),
        (
            View("starting", (("adapter", "ready"), ("litellm", "starting")), url=URL),
            "Farmhand: starting",
            "litellm starting\n127.0.0.1:8888",
        ),
        (
            replace(UP, state="degraded", gave_up=("litellm",), services=(("adapter", "ready"), ("litellm", "gave up"))),
            "Farmhand: litellm gave up",
            "Type in Termux: farmhand doctor\n11 tokens/s · 38 °C · 127.0.0.1:8888",
        ),
        (
            replace(UP, lock="the last ask failed:\nopen Termux"),
            "Farmhand: serving",
            "11 tokens/s · 38 °C · 127.0.0.1:8888\nWake lock: the last ask failed: open Termux",
        ),
    ],
)
def test_what_it_says(view: View, title: str, content: str) -> None:
    made = note(view, PHONE)
    assert (made.title, made.content) == (title, content)


@pytest.mark.parametrize("view", [UP, HOT, View(), View("stopping")], ids=["up", "hot", "empty", "stopping"])
def test_it_is_one_quiet_pinned_note_that_a_tap_does_nothing_to(view: View) -> None:
    """The id makes a later one replace it; without a content `termux-notification` would wait for its standard input."""
    made = note(view, PHONE)
    assert (made.id, made.ongoing, made.quiet, made.urgent, made.on_tap) == ("farmhand", True, True, False, "")
    assert made.content
    assert len(made.title) <= 40


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (UP, {"Stop": "down", "Restart": "restart", "Pause": "pause"}),
        (HOT, {"Stop": "down", "Restart": "restart", "Pause": "pause"}),
        (replace(UP, held=True), {"Stop": "down", "Restart": "restart", "Resume": "resume"}),
        (View("stopping"), {}),
    ],
)
def test_its_buttons_call_the_command_by_its_whole_path(view: View, expected: dict[str, str]) -> None:
    """Actions run in the app's plain environment (`facts/termux.md` 5.3)."""
    buttons = {button.text: button.command for button in note(view, PHONE).buttons}
    assert buttons == {text: f"{TERMUX_PREFIX}/bin/farmhand {command}" for text, command in expected.items()}


def test_a_prefix_with_a_space_is_one_word() -> None:
    spaced: Places = replace(PHONE, prefix=Path("/a b/usr"))
    assert [shlex.split(button.command)[0] for button in note(UP, spaced).buttons] == ["/a b/usr/bin/farmhand"] * 3


def test_words_of_others_are_kept_short_and_on_one_line() -> None:
    lines = note(replace(HOT, reason="x\n" * 1000, lock="y " * 1000), PHONE).content.split("\n")
    assert len(lines) == 3
    assert max(len(line) for line in lines) <= MAX_TEXT + len("Wake lock: ")


@pytest.mark.parametrize(
    ("then", "now", "wait_s"),
    [
        (UP, HOT, 0.0),
        (HOT, UP, 0.0),
        (UP, replace(UP, held=True), 0.0),
        (UP, replace(UP, state="stopping"), 0.0),
        (UP, replace(UP, lock="given up"), 0.0),
        (UP, replace(UP, gave_up=("adapter",)), 0.0),
        (UP, replace(UP, tokens_s=None), 0.0),
        (UP, replace(UP, services=(("adapter", "ready"), ("litellm", "restarting"))), 0.0),
        (UP, replace(UP, tokens_s=14.0), NUMBERS_S),
        (UP, replace(UP, temperature_c=41.0), NUMBERS_S),
        (HOT, replace(HOT, reason=HOT.reason.replace("45.2", "47.6")), NUMBERS_S),
        (UP, replace(UP, tokens_s=12.1), SMALL_NUMBERS_S),
        (UP, replace(UP, temperature_c=39.4), SMALL_NUMBERS_S),
        (replace(UP, tokens_s=8.1), replace(UP, tokens_s=8.2), SMALL_NUMBERS_S),
        (replace(UP, tokens_s=8.1), replace(UP, tokens_s=8.4), NUMBERS_S),
        (replace(UP, tokens_s=9.9), replace(UP, tokens_s=10.2), SMALL_NUMBERS_S),
        (UP, UP, None),
        (UP, replace(UP, tokens_s=11.0, temperature_c=38.0), None),
        (HOT, replace(HOT, reason=HOT.reason.replace("45.2", "45.4"), temperature_c=45.4), None),
    ],
)
def test_when_it_is_shown_anew(then: View, now: View, wait_s: float | None) -> None:
    """0: at once. `None`: never, for nothing that can be seen has changed."""
    shown, fresh = note(then, PHONE), note(now, PHONE)
    for passed_s in (0.0, 29.0, 30.0, 299.0, 300.0, 1e6):
        expected = wait_s is not None and passed_s >= wait_s
        assert should_update(shown, fresh, 1000.0, 1000.0 + passed_s) is expected, passed_s


def test_the_first_one_is_shown_at_once() -> None:
    assert should_update(None, note(UP, PHONE), 0.0, 0.0)


def test_a_busy_hour_shows_it_a_few_times() -> None:
    """Tokens/s and temperature wander; each showing starts a Java program."""
    shown, shown_at_s, times = note(UP, PHONE), 0.0, []
    for now_s in range(5, 3600, 5):
        view = replace(UP, tokens_s=11 + (now_s // 5 % 3) * 0.4, temperature_c=38 + now_s / 1200 + (now_s % 2) * 0.4)
        fresh = note(view, PHONE)
        if should_update(shown, fresh, shown_at_s, float(now_s)):
            shown, shown_at_s = fresh, float(now_s)
            times.append(now_s)
    assert 3 <= len(times) <= 14
    assert min(later - sooner for sooner, later in pairwise(times)) >= NUMBERS_S


def test_an_alert_is_heard_and_goes_when_it_is_swiped_away() -> None:
    assert alert("litellm was killed\n5 times.") == Note(
        "farmhand-alert", "Farmhand needs you", "litellm was killed 5 times.", ongoing=False, quiet=False, urgent=True
    )
    assert alert("").content
    assert len(alert("x" * 5000).content) == MAX_TEXT
