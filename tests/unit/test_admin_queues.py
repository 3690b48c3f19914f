"""What a pause and a slow phone do to those who wait: `Gate.hold`, `Gate.resize`, `Seats.send_away`. Time is virtual: see `queueing_time`."""

from __future__ import annotations

import asyncio

import pytest

from adapter.caller import ANYBODY, Caller
from adapter.engines.seats import Seats
from adapter.errors import DeadlineMissed, EngineUnavailable
from adapter.queueing.estimate import Forecast
from adapter.queueing.gate import Gate
from tests.unit.queueing_time import now_s, run


def gate(*, capacity: int = 1, queue: int = 8) -> Gate:
    return Gate(engine="app", capacity=capacity, queue=queue, now_s=now_s)


def paused() -> EngineUnavailable:
    return EngineUnavailable("It is hot.", retry_after_s=120)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# --- a pause -------------------------------------------------------------------------------------------------------


def test_who_waits_is_told_at_once_and_who_is_seated_stays() -> None:
    async def main() -> None:
        made = gate()
        seated = made.enter(ANYBODY)
        waiting = [asyncio.create_task(made.enter(ANYBODY).wait()) for _ in range(3)]
        await asyncio.sleep(1)
        made.hold(paused)
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert now_s() == 1
        assert [(type(e), str(e), e.retry_after_s) for e in errors if isinstance(e, EngineUnavailable)] == [
            (EngineUnavailable, "It is hot.", 120)
        ] * 3
        assert len({id(e) for e in errors}) == 3
        with pytest.raises(EngineUnavailable, match="It is hot"):
            made.enter(ANYBODY)
        state = made.snapshot()
        assert (state.running, state.waiting_interactive, state.refused) == (1, 0, 4)
        seated.leave()
        with pytest.raises(EngineUnavailable):  # a free seat changes nothing
            made.enter(ANYBODY)
        made.hold(None)
        assert made.enter(ANYBODY).position == 0

    run(main())


def test_a_place_that_nobody_waits_at_yet_is_told_when_it_does() -> None:
    async def main() -> None:
        made = gate()
        made.enter(ANYBODY)
        place = made.enter(ANYBODY)
        made.hold(paused)
        with pytest.raises(EngineUnavailable, match="It is hot"):
            await place.wait()
        place.leave()

    run(main())


def test_telling_twice_and_closing_are_in_order() -> None:
    async def main() -> None:
        made = gate()
        made.hold(paused)
        made.hold(paused)
        await made.close()
        with pytest.raises(EngineUnavailable, match="shutting down"):
            made.enter(ANYBODY)

    run(main())


# --- a slow phone --------------------------------------------------------------------------------------------------


def test_fewer_seats_nobody_gets_up_and_the_next_wait_for_the_last() -> None:
    async def main() -> None:
        made = gate(capacity=3)
        seated = [made.enter(ANYBODY) for _ in range(3)]
        made.resize(1)
        following = made.enter(ANYBODY)
        task = asyncio.create_task(following.wait())
        assert (made.snapshot().capacity, made.snapshot().running, following.position) == (1, 3, 1)
        for place in seated[:2]:
            place.leave()
            await turns()
            assert not task.done()
        seated[2].leave()
        await task
        assert made.snapshot().running == 1

    run(main())


def test_more_seats_are_handed_on_at_once() -> None:
    async def main() -> None:
        made = gate(capacity=1)
        made.enter(ANYBODY)
        waiting = [asyncio.create_task(made.enter(ANYBODY).wait()) for _ in range(4)]
        await turns()
        made.resize(3)
        await turns()
        assert [task.done() for task in waiting] == [True, True, False, False]
        made.resize(0)
        assert made.snapshot().capacity == 1
        for task in waiting:
            task.cancel()

    run(main())


def test_who_cannot_be_served_in_time_any_more_is_told() -> None:
    async def main() -> None:
        made = gate(capacity=2)
        for place in [made.enter(ANYBODY), made.enter(ANYBODY)]:
            place.learned(10.0)
            place.leave()
        made.enter(ANYBODY)
        made.enter(ANYBODY)
        hurried = made.enter(Caller(deadline_s=now_s() + 25))
        made.enter(ANYBODY)
        late = made.enter(Caller(deadline_s=now_s() + 35))  # 20 s with two seats, 30 s with one
        tasks = [asyncio.create_task(place.wait()) for place in (hurried, late)]
        await asyncio.sleep(1)
        made.resize(1)
        await turns()
        assert (tasks[0].done(), type(tasks[1].exception())) == (False, DeadlineMissed)
        tasks[0].cancel()

    run(main())


@pytest.mark.parametrize(
    ("remaining", "capacity", "waits"),
    [
        ([1, 10, 10, 10], 1, [10, 20, 30]),
        ([9, 1, 5, 2], 2, [5, 9, 15, 19]),  # the third to get up makes room for the first
        ([4, 8], 2, [4, 8, 14]),
        ([4], 2, [0, 4, 10]),
    ],
)
def test_forecasts_where_too_many_are_seated(remaining: list[float], capacity: int, waits: list[float]) -> None:
    forecast = Forecast(remaining, capacity, 10.0)
    assert [forecast.wait_s(ahead) for ahead in range(len(waits))] == waits


def test_a_crowd_of_one_is_known_to_have_been_alone() -> None:
    async def main() -> None:
        made = gate(capacity=2)
        first = made.enter(ANYBODY)
        alone = made.crowd
        assert (alone[0], made.crowd) == (1, alone)
        other = made.enter(ANYBODY)
        assert made.crowd[0] == 2
        other.leave()
        assert made.crowd != alone, "somebody was there in between"
        first.leave()

    run(main())


# --- an app's own seats ------------------------------------------------------------------------------------------------


def test_seats_send_away_who_waits() -> None:
    async def main() -> None:
        seats = Seats(queue=4)
        seated = seats.take()
        early, late = seats.take(), seats.take()
        waits = asyncio.create_task(early.wait())
        await turns()
        seats.send_away(paused)
        with pytest.raises(EngineUnavailable, match="It is hot"):
            await waits
        assert (late.position, seats.waiting, seats.taken, seated.position) == (None, 0, 1, 0)
        with pytest.raises(EngineUnavailable, match="It is hot"):  # it had not begun to wait yet
            await late.wait()
        late.leave()
        seated.leave()
        assert seats.take().position == 0

    run(main())
