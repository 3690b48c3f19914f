"""The pump's two ways of reading: without a task, and from `engage` on with one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from adapter.errors import AdapterError, EngineUnavailable
from adapter.server.pump import EventPump


class Source:
    """Numbers; after `until` of them it waits for ever. closed: somebody has seen to its end."""

    def __init__(self, until: int = 1 << 30) -> None:
        self.until = until
        self.waiting = asyncio.Event()
        self.closed = False

    async def numbers(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(10):
                if number == self.until:
                    self.waiting.set()
                    await asyncio.Event().wait()
                yield number
        finally:
            self.closed = True


def stopped() -> AdapterError:
    return EngineUnavailable("Farmhand was stopped.")


async def first_of(pump: EventPump[int], count: int) -> list[int]:
    found = []
    async for number in pump.rest():
        found.append(number)
        if len(found) == count:
            break
    return found


async def test_the_task_goes_on_where_the_reader_stopped() -> None:
    source = Source()
    async with EventPump(source.numbers(), direct=True) as pump:
        found = await first_of(pump, 3)
        pump.engage()
        pump.engage()
        while (number := await pump.next()) is not None:
            found.append(number)
    assert found == list(range(10)) and source.closed


@pytest.mark.parametrize("engaged", [False, True])
async def test_leaving_closes_the_iterator(engaged: bool) -> None:
    source = Source()
    async with EventPump(source.numbers(), direct=True) as pump:
        assert await first_of(pump, 2) == [0, 1]
        if engaged:
            pump.engage()  # and the task has no time for a single step
    assert source.closed


async def test_a_reader_is_called_away_with_the_error() -> None:
    source = Source(until=2)

    async def read() -> AdapterError | None:
        async with EventPump(source.numbers(), direct=True) as pump:
            pumps.append(pump)
            try:
                await first_of(pump, 5)
            except asyncio.CancelledError:
                return pump.why_cancelled()
        return None

    pumps: list[EventPump[int]] = []
    reading = asyncio.create_task(read())
    await source.waiting.wait()
    pumps[0].abort(stopped())
    async with asyncio.timeout(2):
        assert isinstance(await reading, EngineUnavailable)
    assert source.closed and not reading.cancelling()


async def test_called_away_in_the_moment_in_which_it_engages() -> None:
    """The cancelling is on its way already, and must still be known for what it is."""
    source = Source()

    async def read() -> AdapterError | None:
        async with EventPump(source.numbers(), direct=True) as pump:
            assert await first_of(pump, 1) == [0]
            pump.abort(stopped())
            pump.engage()
            try:
                await pump.next()
            except asyncio.CancelledError:
                return pump.why_cancelled()
        return None

    async with asyncio.timeout(2):
        assert isinstance(await asyncio.create_task(read()), EngineUnavailable)
    assert source.closed


async def test_a_cancelling_of_somebody_else_is_none_of_ours() -> None:
    source = Source(until=1)

    async def read() -> None:
        async with EventPump(source.numbers(), direct=True) as pump:
            try:
                await first_of(pump, 5)
            except asyncio.CancelledError:
                assert pump.why_cancelled() is None
                raise

    reading = asyncio.create_task(read())
    await source.waiting.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.closed
