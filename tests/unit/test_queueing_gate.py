"""`adapter.queueing.gate`: seats, places, deadlines. Time is virtual: see `queueing_time`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from adapter.caller import ANYBODY, Caller, OnDeadline, Urgency
from adapter.dialects.openai_render import render_error
from adapter.errors import AdapterError, DeadlineMissed, EngineUnavailable, QueueFull
from adapter.queueing.gate import Gate, GateState
from adapter.queueing.place import Place
from tests.unit.queueing_time import now_s, run


def gate(*, capacity: int = 1, queue: int = 8, mean_s: float | None = None) -> Gate:
    """With `mean_s` it has already served somebody for so long."""
    made = Gate(engine="app", capacity=capacity, queue=queue, now_s=now_s)
    if mean_s is not None:
        place = made.enter(ANYBODY)
        place.learned(mean_s)
        place.leave()
    return made


def within(seconds: float, *, key: str = "", on: OnDeadline = OnDeadline.REFUSE) -> Caller:
    return Caller(key=key, deadline_s=now_s() + seconds, on_deadline=on)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def outcome(place: Place) -> str:
    """When and how waiting ended: `seated 10`, `DeadlineMissed 30`."""
    try:
        await place.wait()
    except AdapterError as exc:
        return f"{type(exc).__name__} {now_s():g}"
    return f"seated {now_s():g}"


def test_a_free_seat_is_taken_at_once_and_position_zero() -> None:
    async def main() -> None:
        made = gate(capacity=2)
        places = [made.enter(ANYBODY) for _ in range(3)]
        assert [(p.position, p.depth, p.wait_s) for p in places] == [(0, 0, 0.0), (0, 0, 0.0), (1, 1, None)]
        await places[0].wait()
        await places[1].wait()
        state = made.snapshot()
        assert (state.capacity, state.running, state.waiting_interactive, state.oldest_wait_s) == (2, 2, 1, 0.0)

    run(main())


def test_the_seat_is_handed_on_in_turn() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        order: list[tuple[str, float]] = []

        async def use(key: str) -> None:
            place = made.enter(Caller(key=key))
            await place.wait()
            order.append((key, now_s()))
            await asyncio.sleep(10.0)
            place.learned(10.0)
            place.leave()

        await asyncio.gather(*(use(key) for key in "aaab"))
        assert order == [("a", 0.0), ("b", 10.0), ("a", 20.0), ("a", 30.0)]
        assert made.snapshot() == GateState(1, 0, 0, 0, 5, 0, 10.0, None)

    run(main())


def test_positions_and_waits_as_found_at_entering() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        made.enter(Caller(key="a"))
        await asyncio.sleep(4.0)
        found = [made.enter(Caller(key=key)) for key in "aaab"]
        titles = made.enter(Caller(key="b", urgency=Urgency.BACKGROUND))
        assert [(p.position, p.depth, p.wait_s) for p in found] == [(1, 1, 6), (2, 2, 16), (3, 3, 26), (1, 4, 6)]
        assert (titles.position, titles.depth, titles.wait_s) == (5, 5, 46)
        assert (made.snapshot().waiting_interactive, made.snapshot().waiting_background) == (4, 1)

    run(main())


def test_refused_at_once_by_the_estimate_with_the_time_when_it_would_fit() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        for _ in range(4):
            made.enter(Caller(key="a"))
        with pytest.raises(DeadlineMissed) as caught:
            made.enter(within(30.0, key="a"))  # 40 s of waiting and 10 s of its own
        assert caught.value.message.startswith("busy: 4 requests ahead, about 40 s; your program waits 30 s. Try again in 20 s")
        assert caught.value.retry_after_s == 20
        assert made.snapshot().refused == 1
        assert made.enter(within(50.0, key="a")).position == 4

    run(main())


def test_nothing_is_refused_by_an_estimate_before_one_is_known_and_the_deadline_ends_the_wait() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        waiting = made.enter(within(30.0))
        assert waiting.wait_s is None
        assert await outcome(waiting) == "DeadlineMissed 30"
        assert made.snapshot().waiting_interactive == 0
        seat.leave()
        assert made.snapshot().running == 0

    run(main())


def test_waiting_ends_when_an_answer_no_longer_fits() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        seat = made.enter(ANYBODY)  # and takes far longer than 10 s
        waiting = made.enter(within(30.0))
        assert await outcome(waiting) == "DeadlineMissed 20.05"
        seat.leave()

    run(main())


def test_who_takes_a_part_waits_longer() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        made.enter(ANYBODY)
        assert await outcome(made.enter(within(30.0, on=OnDeadline.PARTIAL))) == "DeadlineMissed 27.55"

    run(main())


def test_those_behind_are_told_as_soon_as_the_first_answer_shows_how_long_it_takes() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        waiting = [asyncio.ensure_future(outcome(made.enter(within(45.0)))) for _ in range(6)]
        await asyncio.sleep(10.0)
        seat.learned(10.0)
        seat.leave()
        await turns()
        assert [w.result() for w in waiting if w.done()] == ["seated 10", *["DeadlineMissed 10"] * 3]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(main())


def test_what_was_learned_while_it_waited_counts_for_when_it_gives_up() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        next_one = made.enter(ANYBODY)
        waiting = asyncio.ensure_future(outcome(made.enter(within(45.0))))
        await asyncio.sleep(10.0)
        seat.learned(10.0)
        seat.leave()
        await next_one.wait()  # and keeps the seat
        assert await waiting == "DeadlineMissed 35.05"

    run(main())


def test_those_sent_away_together_are_told_to_come_back_one_after_the_other() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        places = [made.enter(within(25.0)) for _ in range(4)]
        await asyncio.sleep(10.0)
        seat.learned(10.0)
        seat.leave()
        told = []
        for place in places[1:]:
            with pytest.raises(DeadlineMissed) as caught:
                await place.wait()
            told.append(caught.value.retry_after_s)
        assert told == [5, 15, 25]

    run(main())


def test_an_idle_engine_is_tried_whatever_its_estimate_says() -> None:
    async def main() -> None:
        made = gate(mean_s=60.0)
        place = made.enter(within(30.0))
        assert place.position == 0
        with pytest.raises(DeadlineMissed) as caught:
            made.enter(within(30.0))
        assert caught.value.retry_after_s == 60  # when the seat should be free, and it would be tried
        place.leave()

    run(main())


def test_a_deadline_that_is_over_is_refused_even_by_an_idle_engine() -> None:
    async def main() -> None:
        made = gate()
        with pytest.raises(DeadlineMissed):
            made.enter(within(0.0))
        assert made.snapshot().running == 0
        assert made.enter(ANYBODY).position == 0

    run(main())


def test_an_own_estimate_counts_instead_of_the_mean() -> None:
    async def main() -> None:
        made = gate(mean_s=10.0)
        made.enter(ANYBODY, expected_s=100.0)
        assert made.enter(ANYBODY).wait_s == pytest.approx(100.0)
        with pytest.raises(DeadlineMissed):
            made.enter(within(140.0), expected_s=50.0)
        assert made.enter(within(140.0), expected_s=5.0).position == 2

    run(main())


@pytest.mark.parametrize(
    ("queue", "entered", "asks", "retry_s"),
    [
        (2, [("a", "i")] * 3, ("b", "i"), 10),  # a place is free when the running one is done
        (8, [("a", "i")] * 7, ("a", "i"), 10),  # six of eight are its own; its next one goes then
        (4, [("a", "i"), ("a", "i"), ("a", "b"), ("b", "b")], ("c", "b"), 20),  # background moves behind one interactive
    ],
)
def test_a_full_queue_says_when_there_is_a_place(
    queue: int, entered: list[tuple[str, str]], asks: tuple[str, str], retry_s: int
) -> None:
    async def main() -> None:
        made = gate(queue=queue, mean_s=10.0)
        words = {"i": Urgency.INTERACTIVE, "b": Urgency.BACKGROUND}
        for key, urgency in entered:
            made.enter(Caller(key=key, urgency=words[urgency]))
        with pytest.raises(QueueFull) as caught:
            made.enter(Caller(key=asks[0], urgency=words[asks[1]]))
        assert type(caught.value) is QueueFull
        assert caught.value.retry_after_s == retry_s
        assert f"Try again in {retry_s} s" in caught.value.message

    run(main())


def test_no_queue_at_all() -> None:
    async def main() -> None:
        made = gate(queue=0)
        place = made.enter(ANYBODY)
        with pytest.raises(QueueFull) as caught:
            made.enter(ANYBODY)
        assert caught.value.retry_after_s == 5  # nothing is known yet
        place.leave()
        made.enter(ANYBODY)

    run(main())


def test_cancelling_leaves_the_queue() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        first, second = (asyncio.ensure_future(outcome(made.enter(within(99.0)))) for _ in range(2))
        await turns()
        first.cancel()
        await turns()
        assert made.snapshot().waiting_interactive == 1
        seat.leave()
        assert await second == "seated 0"

    run(main())


def test_cancelled_in_the_moment_of_being_called_the_seat_goes_to_the_next() -> None:
    async def main() -> None:
        made = gate()
        seat = made.enter(ANYBODY)
        first, second = (asyncio.ensure_future(outcome(made.enter(ANYBODY))) for _ in range(2))
        await turns()
        seat.leave()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == "seated 0"
        assert made.snapshot().running == 1

    run(main())


def test_leaving_twice_frees_one_seat() -> None:
    async def main() -> None:
        made = gate(capacity=2)
        first, second, third = (made.enter(ANYBODY) for _ in range(3))
        first.leave()
        first.leave()
        assert third.position == 1
        await third.wait()
        assert made.snapshot().running == 2
        second.leave()
        third.leave()
        assert made.snapshot().running == 0

    run(main())


def test_called_before_it_waits() -> None:
    async def main() -> None:
        made = gate()
        seat, place = made.enter(ANYBODY), made.enter(within(5.0))
        seat.leave()
        assert await outcome(place) == "seated 0"

    run(main())


def test_refused_before_it_waits() -> None:
    async def main() -> None:
        made = gate(mean_s=1.0)
        seat, place = made.enter(ANYBODY), made.enter(within(5.0))
        seat.learned(100.0)
        seat.leave()
        assert await outcome(place) == "DeadlineMissed 0"

    run(main())


def test_a_seat_is_not_given_to_somebody_whose_deadline_is_over() -> None:
    async def main() -> None:
        made = gate()
        seat, place = made.enter(ANYBODY), made.enter(within(5.0))
        await asyncio.sleep(5.01)
        seat.leave()
        assert made.snapshot().running == 0
        assert await outcome(place) == "DeadlineMissed 5.01"

    run(main())


def test_the_numbers_are_within_what_pitwall_shows_of_a_body() -> None:
    """The first 512 bytes (`protocols/pitwall.md` 3)."""

    async def main() -> None:
        made = gate(mean_s=10.0)
        for _ in range(4):
            made.enter(ANYBODY)
        with pytest.raises(DeadlineMissed) as caught:
            made.enter(within(30.0))
        body = json.dumps(render_error(caught.value)).encode()[:512]
        assert b"busy: 4 requests ahead, about 40 s; your program waits 30 s. Try again in 20 s" in body

    run(main())


async def fails() -> None:
    await asyncio.sleep(3.0)
    raise RuntimeError("the app is gone")


async def takes(seconds: float) -> None:
    await asyncio.sleep(seconds)


@pytest.mark.parametrize(("after", "seated"), [(takes(3.0), "seated 3"), (fails(), "seated 3"), (takes(0.0), "seated 0")])
def test_the_seat_is_free_when_its_work_is_settled(after: Coroutine[Any, Any, None], seated: str) -> None:
    async def main() -> None:
        made = gate()
        first, second = made.enter(ANYBODY), made.enter(ANYBODY)
        first.leave(after=after)
        assert made.snapshot().running == 1
        assert await outcome(second) == seated
        second.leave()
        assert made.snapshot().running == 0

    run(main())


def test_a_failure_to_settle_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        made = gate()
        made.enter(ANYBODY).leave(after=fails())
        await asyncio.sleep(4.0)
        assert made.snapshot().running == 0

    run(main())
    assert "the app is gone" in caplog.text


def test_settling_goes_on_once_although_left_again() -> None:
    async def main() -> None:
        made = gate()
        place = made.enter(ANYBODY)
        place.leave(after=takes(3.0))
        place.leave()
        place.leave(after=takes(9.0))
        assert made.snapshot().running == 1
        await asyncio.sleep(3.0)
        await turns()
        assert made.snapshot().running == 0

    run(main())


def test_nothing_is_settled_for_those_who_had_no_seat() -> None:
    """And no coroutine is left that was never awaited: that warning is an error here."""

    async def main() -> None:
        made = gate()
        made.enter(ANYBODY)
        made.enter(ANYBODY).leave(after=takes(3.0))
        assert made.snapshot().waiting_interactive == 0

    run(main())


def test_closing_sends_all_away_and_frees_what_was_settling() -> None:
    async def main() -> None:
        made = gate(capacity=2)
        running, settling = made.enter(ANYBODY), made.enter(ANYBODY)
        waiting = asyncio.ensure_future(outcome(made.enter(ANYBODY)))
        await turns()
        settling.leave(after=asyncio.Event().wait())  # type: ignore[arg-type]  # for ever
        await made.close()
        await made.close()
        assert await waiting == "EngineUnavailable 0"
        assert made.snapshot().running == 1
        with pytest.raises(EngineUnavailable):
            made.enter(ANYBODY)
        running.leave(after=takes(60.0))
        assert made.snapshot().running == 0

    run(main())
