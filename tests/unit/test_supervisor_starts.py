"""A start that was given is not given again at once: runit takes the order, and its files show the process a moment later."""

from __future__ import annotations

import asyncio

from phone.command import Outcome
from phone.supervisor.act import Doer
from phone.supervisor.types import Service, Start, Stop


class Runsv:
    def __init__(self) -> None:
        self.orders: list[str] = []

    def up(self, folder: str) -> Outcome:
        self.orders.append(f"up {folder}")
        return Outcome(True)

    def down(self, folder: str, within_s: float) -> Outcome:
        self.orders.append(f"down {folder}")
        return Outcome(True)

    def restart(self, folder: str, within_s: float) -> Outcome:
        self.orders.append(f"restart {folder}")
        return Outcome(True)


class Clock:
    now_s = 1000.0


def doer(runsv: Runsv, clock: Clock) -> Doer:
    return Doer(runsv, lambda url: None, lambda text, alert: None, lambda: None, lambda: clock.now_s)


async def order(doing: Doer, action: Start | Stop) -> None:
    doing.do([action])
    await doing.settle(10)


async def test_a_start_is_given_once_a_second() -> None:
    """`sv up` ends before runsv has forked; each look until then would start another `sv` (some fifty in a second were seen)."""
    runsv, clock = Runsv(), Clock()
    doing = doer(runsv, clock)
    for _ in range(5):
        await order(doing, Start(Service.ADAPTER))
        clock.now_s += 0.1
    assert runsv.orders == ["up farmhand-adapter"]
    await order(doing, Start(Service.PROXY))
    assert runsv.orders[1:] == ["up farmhand-litellm"]
    clock.now_s += 1.0
    await order(doing, Start(Service.ADAPTER))
    assert runsv.orders[2:] == ["up farmhand-adapter"]


async def test_after_a_stop_it_is_another_start() -> None:
    runsv, clock = Runsv(), Clock()
    doing = doer(runsv, clock)
    for action in (Start(Service.ADAPTER), Stop(Service.ADAPTER, 1.0), Start(Service.ADAPTER)):
        await order(doing, action)
        await asyncio.sleep(0)
    assert runsv.orders == ["up farmhand-adapter", "down farmhand-adapter", "up farmhand-adapter"]
