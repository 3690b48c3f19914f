"""Telling the adapter how hard it may work: what is decided while something else is being told."""

from __future__ import annotations

import asyncio
import threading
from typing import cast

from phone.supervisor.admin import Admin
from phone.supervisor.admin_words import Order
from phone.supervisor.pressing import Pressing
from phone.supervisor.types import AdapterState


class SlowAdapter:
    """Takes an order only when it is let."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.may_go = threading.Event()

    def press(self, order: Order) -> None:
        assert self.may_go.wait(10)
        self.took.append(order.level)

    def cut(self) -> None:
        self.may_go.set()


async def test_what_is_decided_meanwhile_is_told_at_once() -> None:
    """Not at the next look, which may be seconds or a minute away; and only the last of it."""
    adapter = SlowAdapter()
    admin = cast(Admin, adapter)
    pressing = Pressing(lambda: 1000.0)
    for level in ("slow", "unload", "pause"):
        pressing.look(Order(level, f"because of {level}", 60.0, 600.0), admin, AdapterState(), 999.0)
        await asyncio.sleep(0)
    adapter.may_go.set()
    async with asyncio.timeout(10):
        while adapter.took != ["slow", "pause"]:  # noqa: ASYNC110 - a thread of ours does it
            await asyncio.sleep(0.01)
    told = pressing.told
    assert told is None or told.order.level in ("slow", "pause")
    pressing.close()


async def test_nothing_is_told_twice() -> None:
    adapter = SlowAdapter()
    adapter.may_go.set()
    admin = cast(Admin, adapter)
    pressing = Pressing(lambda: 1000.0)
    for _ in range(3):
        pressing.look(Order("slow", "hot", None, 600.0), admin, AdapterState(), 999.0)
        await asyncio.sleep(0.05)
    assert adapter.took == ["slow"]
