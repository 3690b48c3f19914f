"""A long answer, and all that may happen to its supervisor meanwhile: nobody who waits for tokens notices."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from phone.supervisor.types import SUPERVISOR
from tests.live.bundle_clock import WallClock
from tests.live.bundle_prefix import Farm, bodies, bundle, measured, now_s, shown

WORDS = [f"word{n}" for n in range(100)]
TOKEN_S = 0.1
HOUR_S = 3600.0
# Nothing of that may be said.
ACTED = ("starting", "stopping", "restarting", "pointing", "wake lock", "pause")


def test_a_stream_outlives_its_supervisors(tmp_path: Path) -> None:
    with bundle(tmp_path, token_delay_s=TOKEN_S) as farm:
        clock = WallClock(farm)
        farm.phone.start_daemon()
        farm.wait_ready()
        pids, calls, began_s = farm.pids(), len(farm.fake.calls("termux-wake-lock")), now_s()
        with farm.open("/v1/chat/completions", farm.chat(" ".join(WORDS), stream=True), limit_s=30) as answer:
            head = answer.readline()
            replaced_by(farm, lambda: os.kill(farm.phone.pid(SUPERVISOR), signal.SIGKILL), "SIGKILL")
            replaced_by(farm, lambda: farm.phone.runsv.signal(SUPERVISOR, "2"), "hand-over (USR2)")
            the_clock_jumps(farm, clock)
            text = (head + answer.read()).decode()
        measured("the stream lasted", now_s() - began_s)
        frames = bodies(text)
        said = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames if frame["choices"])
        assert said == "You said: " + " ".join(WORDS)
        assert text.rstrip().endswith("data: [DONE]")
        assert farm.pids() == pids
        assert len(farm.fake.calls("termux-wake-lock")) == calls and farm.fake.locked
        acted = [line.text for line in farm.lines() if line.at_s > began_s and any(word in line.text for word in ACTED)]
        assert not acted
        assert farm.phone.exits("farmhand-adapter") == ()


def replaced_by(farm: Farm, blow: Callable[[], object], what: str) -> None:
    """The successor takes over what runs, at once."""
    first, began_s = farm.phone.pid(SUPERVISOR), now_s()
    blow()
    farm.wait(lambda: farm.phone.status(SUPERVISOR).pid not in (None, first) and farm.is_ready(), "a successor says that all is ready", 10)
    measured(f"{what} of the supervisor while a stream runs: its successor says that all is ready after", now_s() - began_s)


def the_clock_jumps(farm: Farm, clock: WallClock) -> None:
    """An hour on, then two back: nothing is started, stopped, released or taken anew; what people read stays sane."""
    for shift_s in (HOUR_S, -HOUR_S):
        clock.set(shift_s)
        assert farm.phone.runsv.signal(SUPERVISOR, "1").ok
        farm.wait(lambda: abs(shift_of(farm) - shift_s) < 60, "it reads the new clock", 10)  # noqa: B023 - waited for here
        assert farm.is_ready()
        assert set(farm.states().values()) == {"disabled", "ready"}
        shown(f"status after a jump of {shift_s:+g} s", farm.phone.run("farmhand", "status").stdout)


def shift_of(farm: Farm) -> float:
    """By how much the supervisor's wall clock is ahead of ours."""
    return farm.published.wall_s - now_s() if farm.published else 0.0
