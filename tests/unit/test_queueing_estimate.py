"""`adapter.queueing.estimate` and `refusals`: numbers, and the words they are told in."""

from __future__ import annotations

import pytest

from adapter.errors import QueueFull
from adapter.queueing.estimate import Forecast, ServiceTime, remaining_s, retry_after_s
from adapter.queueing.fair import Bound, FairLine
from adapter.queueing.refusals import closed, deadline_missed, queue_full


@pytest.mark.parametrize(
    ("ahead", "remaining", "capacity", "expected"),
    [
        (0, [], 1, 0.0),
        (0, [4.0], 1, 4.0),
        (3, [4.0], 1, 34.0),
        (0, [4.0], 2, 0.0),
        (0, [14.0], 2, 0.0),
        (1, [4.0], 2, 4.0),  # the one ahead takes the free seat
        (2, [4.0], 2, 10.0),
        (0, [9.0, 1.0], 2, 1.0),
        (1, [9.0, 1.0], 2, 9.0),
        (2, [9.0, 1.0], 2, 11.0),
        (5, [9.0, 1.0], 2, 29.0),
        (7, [8.0, 2.0, 4.0, 6.0], 4, 18.0),
    ],
)
def test_waits_with_answers_of_ten_seconds(
    ahead: int, remaining: list[float], capacity: int, expected: float
) -> None:
    assert Forecast(remaining, capacity, 10.0).wait_s(ahead) == pytest.approx(expected)


@pytest.mark.parametrize(("expected", "elapsed", "left"), [(10, 0, 10), (10, 4, 6), (10, 9.5, 1), (10, 99, 1), (0, 5, 0)])
def test_what_a_running_answer_needs_yet(expected: float, elapsed: float, left: float) -> None:
    assert remaining_s(expected, elapsed) == pytest.approx(left)


@pytest.mark.parametrize(
    ("took", "mean"),
    [
        ([40.0], 40.0),
        ([40.0, 4.0], 4.0),  # the first one had the loading of the model in it
        ([4.0, 40.0], 14.8),
        ([40.0, 4.0, 4.0], 4.0),
    ],
)
def test_a_first_answer_that_loaded_the_model_does_not_count_for_long(took: list[float], mean: float) -> None:
    service = ServiceTime()
    for seconds in took:
        service.learn(seconds)
    assert service.mean_s == pytest.approx(mean)


def test_the_mean_is_unknown_at_first_and_follows_a_change_within_a_few_answers() -> None:
    service = ServiceTime()
    assert service.mean_s is None
    service.learn(10.0)
    assert service.mean_s == 10.0
    for _ in range(6):
        service.learn(2.0)
    assert service.mean_s == pytest.approx(2.0, abs=1.0)
    assert service.served == 7


@pytest.mark.parametrize(("seconds", "told"), [(-5, 1), (0, 1), (0.2, 1), (1.01, 2), (44.1, 45), (120, 120), (5_000, 120)])
def test_retry_after_is_whole_and_within_what_the_sdk_obeys(seconds: float, told: int) -> None:
    assert retry_after_s(seconds) == told


def test_a_missed_deadline_says_its_numbers_early_in_the_text() -> None:
    error = deadline_missed("localllm", ahead=4, wait_s=40.2, patience_s=30.0, retry_s=19.3)
    assert error.message.startswith("busy: 4 requests ahead, about 40 s; your program waits 30 s. Try again in 20 s")
    assert len(error.message.encode()) < 400
    assert (error.status, error.retry_after_s, error.code) == (429, 20, "deadline_missed")


def test_unknown_numbers_are_left_out() -> None:
    error = deadline_missed("x", ahead=1, wait_s=None, patience_s=0.25, retry_s=None)
    assert error.message.startswith("busy: 1 request ahead; your program waits 0.2 s. Try again in 5 s")
    assert error.retry_after_s == QueueFull.default_retry_after_s


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Bound.QUEUE, "busy: the seat and all 16 places in the queue are taken. Try again in 8 s"),
        (Bound.KEY, "busy: this key has 12 of the 16 places"),
        (Bound.BACKGROUND, "busy: background requests have 8 of the 16 places"),
    ],
)
def test_a_full_queue_says_what_is_full(bound: Bound, words: str) -> None:
    error = queue_full("x", bound, FairLine(16), capacity=1, retry_s=7.5)
    assert error.message.startswith(words)
    assert len(error.message.encode()) < 400
    assert (error.status, error.retry_after_s, error.code) == (429, 8, "queue_full")


def test_closed_is_a_passing_condition() -> None:
    assert (closed("x").status, closed("x").retry_after_s) == (503, 5)
