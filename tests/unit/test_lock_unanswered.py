"""A step of the wake lock whose end nobody tells: its supervisor was killed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phone.settings import LockPolicy, WakeLockSettings
from phone.supervisor.lock import ANSWER_S, LockMemory, LockStep, LockView, lock, lock_done, unanswered

SERVING = WakeLockSettings(policy=LockPolicy.SERVING, linger_s=10)
GIVEN_BACK = LockMemory(taken=False, asked_at_s=100.0, needed_at_s=50.0)


def idle(now_s: float) -> LockView:
    return LockView(now_s, idle_s=now_s - 200.0, anchored=True)


@pytest.mark.parametrize("step", [LockStep.TAKE, LockStep.RELEASE])
@pytest.mark.parametrize("taken", [True, False, None])
def test_it_is_asked_for_anew_and_given_back_in_time(step: LockStep, taken: bool | None) -> None:
    """Whichever it was: a lock that was taken after all must not stay for ever, one that was given back is missed by a request."""
    memory = unanswered(replace(GIVEN_BACK, taken=taken, pending=step, tried_at_s=200.0))
    memory, now, words = lock(memory, idle(201.0), SERVING)
    assert now is LockStep.TAKE and words
    memory = lock_done(memory, now, True, 202.0, "")
    memory, now, _ = lock(memory, idle(230.0), SERVING)
    assert now is LockStep.RELEASE


def test_it_is_waited_for_no_longer_than_its_time() -> None:
    memory = replace(GIVEN_BACK, pending=LockStep.TAKE, tried_at_s=200.0)
    assert lock(memory, idle(200.0 + ANSWER_S - 1), SERVING)[1] is LockStep.NONE
    assert lock(memory, idle(200.0 + ANSWER_S), SERVING)[1] is LockStep.TAKE


def test_an_anchor_says_nothing_of_the_lock() -> None:
    memory = replace(GIVEN_BACK, taken=True, pending=LockStep.ANCHOR, tried_at_s=200.0)
    assert unanswered(memory) == replace(memory, pending=LockStep.NONE)
    assert unanswered(GIVEN_BACK) == GIVEN_BACK
