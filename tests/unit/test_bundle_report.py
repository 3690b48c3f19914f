"""What `farmhand status`, `up` and `logs` say of the bundle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from phone.bundle.control import duration_s
from phone.bundle.log_lines import Line, as_json, merged, parse, shown
from phone.bundle.report import ago, bundle_lines, endings, progress
from phone.device import Battery
from phone.supervisor.published import Published, PublishedExit, PublishedService, Saying

NOW = 1_800_000_000.0
ADAPTER = PublishedService("farmhand-adapter", "ready", pid=412, ready=True, wall_since_s=NOW - 7_300)
PROXY = PublishedService(
    "farmhand-litellm", "backing off", "was killed (SIGKILL) with 2.0 GiB of memory free", retry_in_s=12.4,
    last_exit=PublishedExit(NOW - 5, -1, 9),
)  # fmt: skip
READY = Published(
    pid=400,
    boot_id="b",
    wall_s=NOW,
    goal="up",
    ready=True,
    services={"adapter": ADAPTER, "openclaw": PublishedService("farmhand-openclaw", "disabled")},
    lock_policy="always",
    lock_words="asked for 3 min ago; nobody can ask whether it is held",
    battery=Battery(78.0, 33.44, True, "PLUGGED_USB"),
)


def text(published: Published, alive: bool = True, width: int = 80) -> str:
    return "\n".join(bundle_lines(published, alive=alive, now_wall_s=NOW + 60, width=width))


def test_a_ready_bundle() -> None:
    assert text(READY) == (
        "The bundle is ready.\n"
        "adapter   ready        pid 412 for 2 h\n"
        "wake lock always: asked for 3 min ago; nobody can ask whether it is held\n"
        "battery   78 %, charging, 33.4 degrees C"
    )


@pytest.mark.parametrize(
    ("published", "alive", "said"),
    [
        (replace(READY, ready=False, services={"litellm": PROXY}), True, "NOT READY"),
        (replace(READY, services={"litellm": PROXY}), True, "tried again in 12 s; was killed (SIGKILL)"),
        (READY, False, "The supervisor is gone without a word (60 s ago). To start the bundle: farmhand up"),
        (replace(READY, pid=None), False, "The supervisor was stopped (60 s ago)"),
        (READY, False, "adapter   unknown"),
        (replace(READY, goal="down"), True, "is being stopped"),
        (replace(READY, level="pause", reason="The battery is at 45.2 degrees C."), True, "governor  pause: The battery is at 45.2"),
        (replace(READY, gateway_url="http://127.0.0.1:4000/v1"), True, "gateway   asks http://127.0.0.1:4000/v1"),
        (replace(READY, battery=None), True, "battery   not known yet"),
        (replace(READY, battery=None, api_missing=True), True, "Termux:API does not answer"),
        (replace(READY, battery=Battery(percent=9.0, charging=False)), True, "9 %, not charging"),
        (
            replace(READY, alerts=(Saying(NOW - 240, "adapter is given up", alert=True), Saying(NOW, "adapter is ready"))),
            True,
            "5 min ago: adapter is given up",
        ),
    ],
)
def test_what_is_said(published: Published, alive: bool, said: str) -> None:
    assert " ".join(said.split()) in " ".join(text(published, alive).split())


@pytest.mark.parametrize("width", [10, 40, 57, 80, 200])
def test_lines_fit_and_obey_no_terminal_codes(width: int) -> None:
    loud = replace(PROXY, words="\x1b[31mred\x07 " + "word " * 60)
    lines = bundle_lines(
        replace(READY, ready=False, services={"litellm": loud}), alive=True, now_wall_s=NOW, width=width
    )
    assert all(len(line) <= max(width, 40) for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_ago(seconds: float, said: str) -> None:
    assert ago(seconds) == said


def test_progress_tells_what_is_new() -> None:
    assert list(progress(None, READY)) == ["adapter   ready"]
    assert list(progress(READY, READY)) == []
    later = replace(READY, services={"adapter": replace(ADAPTER, state="starting", words="no answer yet"), "litellm": PROXY})
    assert list(progress(READY, later)) == [
        "adapter   starting (no answer yet)",
        "litellm   backing off (was killed (SIGKILL) with 2.0 GiB of memory free)",
    ]


def test_what_a_stopped_supervisor_said_is_left_out() -> None:
    """It is of no use to anybody; what a person was told still is."""
    stopped = replace(READY, pid=None, alerts=(Saying(NOW - 240, "adapter is given up", alert=True),))
    assert text(stopped, alive=False) == (
        "The supervisor was stopped (60 s ago). To start the bundle: farmhand up\nlast alert 5 min ago: adapter is given up"
    )


def test_endings_name_each_once() -> None:
    """Of those that ran: what was disabled is down all along."""
    down = {name: replace(one, state="stopped", pid=None) for name, one in READY.services.items()}
    stopping = replace(READY, services={**READY.services, "adapter": replace(ADAPTER, state="stopping")})
    assert list(endings(READY, stopping)) == []
    assert list(endings(stopping, replace(READY, services=down))) == ["adapter   stopped"]
    assert list(endings(replace(READY, services=down), replace(READY, services=down))) == []
    assert list(endings(None, READY)) == [] and list(endings(READY, None)) == []


# --- logs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "at", "said"),
    [
        ("2026-11-20_09:43:48.03596 up", "2026-11-20_09:43:48.035960000", "up"),
        ("2026-11-20_09:43:48.03596 ", "2026-11-20_09:43:48.035960000", ""),
        ("2026-11-20_09:43:48.03596", "2026-11-20_09:43:48.035960000", ""),
        ("the rest of a line", "", "the rest of a line"),
        ("", "", ""),
    ],
)
def test_a_line_of_svlogd(raw: str, at: str, said: str) -> None:
    assert parse("adapter", raw) == Line("adapter", at, said)


def test_the_column_names_the_logger() -> None:
    line = Line("supervisor", "2026-11-20_09:43:48.035960000", "I supervisor supervisor pid=7")
    assert shown(line, timedelta(0), width=10) == "11-20 09:43:48 supervisor I supervisor pid=7"


def test_logs_are_merged_by_time_and_keep_their_own_order() -> None:
    a = [Line("a", "2", "x"), Line("a", "", "rest of x"), Line("a", "1", "set back"), Line("a", "4", "y")]
    b = [Line("b", "1", "p"), Line("b", "3", "q")]
    assert [line.text for line in merged([a, b])] == ["p", "x", "rest of x", "set back", "q", "y"]
    assert merged([]) == []


def test_a_line_is_shown_in_local_time() -> None:
    line = parse("adapter", "2026-11-20_23:43:48.03596 two\x1b words")
    assert shown(line, timedelta(hours=1), width=8) == "11-21 00:43:48 adapter  two  words"
    assert shown(Line("adapter", "", "rest"), timedelta(), width=8) == "               adapter  rest"
    assert shown(parse("a", "2026-99-20_23:43:48.03596 x"), timedelta(), width=1) == "99-20 23:43:48 a x"
    assert as_json(line) == {"time": "2026-11-20T23:43:48.035960Z", "service": "adapter", "text": "two\x1b words"}


@pytest.mark.parametrize(
    ("words", "seconds"), [("90s", 90), ("30min", 1_800), ("30m", 1_800), ("2h", 7_200), ("1d", 86_400), ("5", 300), (" 5 min", 300)]
)
def test_durations(words: str, seconds: float) -> None:
    assert duration_s(words) == seconds


@pytest.mark.parametrize("words", ["", "0", "soon", "-3s", "31d", "1.5h", "3 weeks"])
def test_no_durations(words: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration_s(words)
