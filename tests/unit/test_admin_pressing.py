"""`Pressing`: one word at a time, and none for ever where it was given for a while. Time is virtual: see `queueing_time`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from adapter.dialects.openai_pressure import Order
from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.base import Pressure
from adapter.engines.registry import Registry
from adapter.errors import EngineUnavailable
from adapter.server.pressing import Pressing
from adapter.settings import Settings
from tests.fakes.scripted_engine import CapableEngine
from tests.unit.queueing_time import now_s, run


class Slow(CapableEngine):
    """Takes its time to do as it is told. takes_s: for each word."""

    takes_s = 0.0

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        await asyncio.sleep(self.takes_s)
        await super().pressure(level, reason=reason, retry_after_s=retry_after_s)


class Phone:
    """told: what `on_change` was."""

    def __init__(self) -> None:
        self.engine = Slow()
        registry = Registry([self.engine], {})
        settings = Settings(home=Path("nowhere"), engine=[{"name": "capable", "kind": "echo"}])  # type: ignore[arg-type]
        self.told: list[Pressure] = []
        self.pressing = Pressing(
            registry, Dispatcher(registry, settings, now_s=now_s), on_change=lambda level: self.told.append(level)
        )


def on_a_phone(main: Callable[[Phone], Awaitable[None]]) -> None:
    async def whole() -> None:
        phone = Phone()
        await main(phone)
        await phone.pressing.close()
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("pressure")] == []

    run(whole())


def pause(for_s: float | None = None, reason: str = "It is hot.") -> Order:
    return Order(Pressure.PAUSE, reason, None, for_s)


def test_it_lapses_by_itself() -> None:
    async def main(phone: Phone) -> None:
        await phone.pressing.tell(pause(600))
        assert (phone.pressing.pauses, phone.pressing.lapses_in_s, phone.pressing.held_s) == (True, 600, 0)
        await asyncio.sleep(599)
        assert (phone.pressing.pauses, phone.pressing.lapses_in_s, phone.pressing.held_s) == (True, 1, 599)
        await asyncio.sleep(2)
        assert (phone.pressing.order, phone.pressing.lapses_in_s, phone.pressing.held_s) == (Order(), None, 1)
        assert phone.engine.levels == phone.told == [Pressure.PAUSE, Pressure.SERVE]

    on_a_phone(main)


def test_renewals_put_it_off_and_are_no_news() -> None:
    async def main(phone: Phone) -> None:
        for _ in range(5):
            await phone.pressing.tell(pause(600))
            await asyncio.sleep(400)
        assert (phone.pressing.pauses, phone.pressing.held_s, phone.told) == (True, 2_000, [Pressure.PAUSE])
        await phone.pressing.tell(pause(600, reason="It is empty."))
        assert phone.told == [Pressure.PAUSE] * 2
        await asyncio.sleep(601)
        assert not phone.pressing.pauses

    on_a_phone(main)


@pytest.mark.parametrize("order", [pause(None), Order(Pressure.SLOW)])
def test_without_a_time_it_holds(order: Order) -> None:
    async def main(phone: Phone) -> None:
        await phone.pressing.tell(pause(10))
        await phone.pressing.tell(order)
        await asyncio.sleep(1_000_000)
        assert phone.pressing.order == order

    on_a_phone(main)


def test_serving_has_nothing_to_lapse_to() -> None:
    async def main(phone: Phone) -> None:
        await phone.pressing.tell(Order(Pressure.SERVE, for_s=10))
        assert phone.pressing.lapses_in_s is None

    on_a_phone(main)


def test_a_lapse_that_was_overtaken_by_a_renewal_says_nothing() -> None:
    """The renewal had come, but it waited for the engine to have done with the first word."""

    async def main(phone: Phone) -> None:
        phone.engine.takes_s = 30.0
        first = asyncio.create_task(phone.pressing.tell(pause(10)))
        await asyncio.sleep(5)
        renewal = asyncio.create_task(phone.pressing.tell(pause(3_600)))
        await asyncio.gather(first, renewal)
        await asyncio.sleep(100)
        assert phone.pressing.pauses
        assert phone.engine.levels == [Pressure.PAUSE] * 2

    on_a_phone(main)


def test_words_are_passed_on_in_their_order() -> None:
    async def main(phone: Phone) -> None:
        phone.engine.takes_s = 3.0
        order = [Pressure.SLOW, Pressure.UNLOAD, Pressure.SERVE, Pressure.PAUSE]
        await asyncio.gather(*(phone.pressing.tell(Order(level)) for level in order))
        assert phone.engine.levels == phone.told == order
        assert now_s() == 12

    on_a_phone(main)


def test_whoever_leaves_has_said_it() -> None:
    async def main(phone: Phone) -> None:
        phone.engine.takes_s = 3.0
        task = asyncio.create_task(phone.pressing.tell(pause()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(5)
        assert phone.engine.levels == [Pressure.PAUSE]

    on_a_phone(main)


def test_a_failure_is_told_and_the_word_stands() -> None:
    async def main(phone: Phone) -> None:
        phone.engine.failure = EngineUnavailable("It is just stopping.")
        with pytest.raises(EngineUnavailable, match="just stopping"):
            await phone.pressing.tell(pause(60))
        assert phone.pressing.pauses
        await asyncio.sleep(61)  # that the lapse fails too is in the log
        assert not phone.pressing.pauses

    on_a_phone(main)


def test_closing_ends_what_is_under_way() -> None:
    async def main(phone: Phone) -> None:
        phone.engine.takes_s = 1_000.0
        await asyncio.sleep(0)
        task = asyncio.create_task(phone.pressing.tell(pause(5_000)))
        await asyncio.sleep(1)
        await phone.pressing.close()
        await phone.pressing.close()
        assert now_s() == 1
        assert phone.pressing.lapses_in_s is None
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(EngineUnavailable, match="stopping"):
            await phone.pressing.tell(Order())

    on_a_phone(main)
