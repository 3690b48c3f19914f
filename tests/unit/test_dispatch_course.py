"""Which target is tried next, as tables: order, cooldown, rounds, and who may take up a broken answer."""

from __future__ import annotations

import pytest

from adapter.dispatch.course import Course, Step, is_the_requests_fault
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    LoopDetected,
    NotCapable,
    UpstreamProtocol,
)
from adapter.routing import Target


def target(engine: str, *, goes_on: bool = False, emulated: frozenset[Can] = frozenset()) -> Target:
    can = PLAIN_CHAT | ({Can.CONTINUE} if goes_on else set())
    return Target(engine, "m", ModelCard("m", context_tokens=100, max_output_tokens=100, can=can), emulated)


A, B, C = target("a"), target("b"), target("c", goes_on=True)
FAILED = EngineFailed("broken")
CUT = UpstreamProtocol("cut off")


def course(*targets: Target, retries: int = 0) -> Course:
    return Course(targets, retries=lambda _: retries, retry_after_s=0.5)


def anybody(_: Target) -> bool:
    return True


def fails(course: Course, error: AdapterError = FAILED, *, begun: bool = False, continues: bool = False) -> Step:
    """Take the next step and let it fail."""
    step = course.next(anybody)
    assert step is not None
    course.failed(step.target, error, begun=begun, continues=continues)
    return step


def test_each_target_once_in_order_and_the_first_error_stands() -> None:
    tried = course(A, B)
    assert [fails(tried, FAILED).target, fails(tried, CUT).target] == [A, B]
    assert tried.next(anybody) is None
    assert tried.error is FAILED


def test_another_round_after_a_pause_as_often_as_the_policy_says() -> None:
    tried = course(A, B, retries=1)
    steps = [fails(tried) for _ in range(4)]
    assert [(step.target, step.pause_s) for step in steps] == [(A, 0.0), (B, 0.0), (A, 0.5), (B, 0.0)]
    assert tried.next(anybody) is None


def test_who_rests_is_passed_over_and_remembered() -> None:
    tried = course(A, B)
    step = tried.next(lambda t: t is B)
    assert step == Step(B)
    assert tried.resting == [A]


def test_when_all_rest_nothing_is_tried() -> None:
    tried = course(A, B, retries=3)
    assert tried.next(lambda _: False) is None
    assert (tried.error, tried.resting) == (None, [A, B])


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (BadRequest("no", param="messages"), True),
        (ContextTooLong.of(context_tokens=10, prompt_tokens=20), False),
        (NotCapable("no", param="tools"), False),
        (LoopDetected("no"), False),
        (FAILED, False),
    ],
)
def test_only_the_requests_own_fault_ends_it_at_once(error: AdapterError, ends: bool) -> None:
    assert is_the_requests_fault(error) is ends
    tried = course(A, B)
    fails(tried, error)
    assert (tried.next(anybody) is None) is ends
    assert tried.error is error


def test_who_it_was_too_long_for() -> None:
    tried = course(A, B)
    fails(tried, ContextTooLong.of(context_tokens=10, prompt_tokens=20))
    fails(tried, FAILED)
    assert tried.too_long == [A]


def test_a_broken_text_goes_to_who_can_go_on() -> None:
    tried = course(A, B, C)
    fails(tried, CUT, begun=True, continues=True)
    assert tried.next(anybody) == Step(C, continues=A, code="upstream_protocol")
    assert tried.error is CUT


def test_a_broken_call_goes_to_nobody() -> None:
    tried = course(A, C)
    fails(tried, CUT, begun=True, continues=False)
    assert tried.next(anybody) is None
    assert tried.error is CUT


def test_an_engine_may_go_on_with_its_own_answer_but_not_for_ever() -> None:
    """A worker that dies comes back; one that dies each time must not be asked each time."""
    tried = course(C)
    fails(tried, FAILED, begun=True, continues=True)
    step = fails(tried, FAILED, begun=True, continues=True)
    assert (step.target, step.continues) == (C, C)
    assert tried.next(anybody) is None


def test_who_has_not_been_tried_goes_on_first() -> None:
    first, second = target("x", goes_on=True), target("y", goes_on=True)
    tried = course(first, second)
    fails(tried, FAILED, begun=True, continues=True)
    assert [fails(tried, begun=True, continues=True).target.engine for _ in range(3)] == ["y", "x", "y"]
    assert tried.next(anybody) is None


def test_where_tools_are_put_into_words_no_text_is_taken_up() -> None:
    tried = course(A, target("d", goes_on=True, emulated=frozenset({Can.TOOLS})))
    fails(tried, CUT, begun=True, continues=True)
    assert tried.next(anybody) is None
