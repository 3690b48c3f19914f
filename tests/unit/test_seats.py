"""`adapter.engines.seats`: who sits, who waits, who is sent away."""

from __future__ import annotations

import asyncio

import pytest

from adapter.engines.seats import Seat, Seats
from adapter.errors import QueueFull


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served() -> None:
    seats = Seats(queue=3)
    order: list[int] = []

    async def use(number: int) -> None:
        async with seats.take():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(use(number) for number in range(4)))
    assert order == [0, 1, 2, 3]
    assert (seats.taken, seats.waiting) == (0, 0)


async def test_never_more_than_the_capacity_at_a_time() -> None:
    seats = Seats(capacity=2, queue=10)
    most = 0

    async def use() -> None:
        nonlocal most
        async with seats.take():
            most = max(most, seats.taken)
            await asyncio.sleep(0)

    await asyncio.gather(*(use() for _ in range(8)))
    assert most == 2


async def test_positions() -> None:
    seats = Seats(queue=2)
    first, second, third = seats.take(), seats.take(), seats.take()
    assert [seat.position for seat in (first, second, third)] == [0, 1, 2]
    assert (seats.taken, seats.waiting) == (1, 2)
    second.leave()
    assert [seat.position for seat in (first, second, third)] == [0, None, 1]
    first.leave()
    assert third.position == 0


async def test_the_queue_is_bounded() -> None:
    seats = Seats(queue=1, retry_after_s=9)
    seats.take(), seats.take()
    with pytest.raises(QueueFull) as caught:
        seats.take()
    assert caught.value.retry_after_s == 9
    assert (seats.taken, seats.waiting) == (1, 1)


async def test_no_queue_at_all() -> None:
    seats = Seats(queue=0)
    seat = seats.take()
    with pytest.raises(QueueFull):
        seats.take()
    seat.leave()
    seats.take()


async def test_cancel_while_queued_harms_nobody() -> None:
    seats = Seats(queue=3)
    holder, middle, last = seats.take(), seats.take(), seats.take()
    waiting = asyncio.create_task(middle.wait())
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (middle.position, last.position) == (None, 1)
    holder.leave()
    await last.wait()
    assert last.position == 0


async def test_cancel_in_the_moment_of_being_called_passes_the_seat_on() -> None:
    seats = Seats(queue=3)
    holder, called, next_one = seats.take(), seats.take(), seats.take()
    waiting = asyncio.create_task(called.wait())
    await settle()
    holder.leave()  # the seat is `called`'s now, but its task has not run yet
    assert called.position == 0
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await next_one.wait()
    assert (seats.taken, seats.waiting) == (1, 0)


async def test_leaving_twice_gives_up_one_seat_only() -> None:
    seats = Seats(queue=3)
    first, second, third = seats.take(), seats.take(), seats.take()
    first.leave()
    first.leave()
    assert [seat.position for seat in (second, third)] == [0, 1]


async def test_newcomers_do_not_overtake_the_queue() -> None:
    seats = Seats(capacity=2, queue=3)
    one, two, waiting = seats.take(), seats.take(), seats.take()
    one.leave()
    assert waiting.position == 0
    assert seats.take().position == 1
    two.leave()


async def test_a_failure_inside_the_block_frees_the_seat() -> None:
    seats = Seats(queue=0)
    with pytest.raises(RuntimeError):
        async with seats.take() as seat:
            assert isinstance(seat, Seat)
            raise RuntimeError
    assert seats.taken == 0
