"""The supervisor's loop at work: the wake lock, and how hard the engines may work."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from phone.supervisor import keeping, store
from phone.supervisor.hold import Hold
from phone.supervisor.types import Service
from tests.wire.supervised import ADAPTER, supervised

pytestmark = pytest.mark.usefixtures("supervisor_never_blocks")


# --- wake lock ---------------------------------------------------------------------------------------------------


async def test_a_wake_lock_that_hangs_does_not_stop_the_start(farm_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_LOCK_S", 0.3)
    async with supervised(farm_home, begin=False) as world:
        world.phone.set_mode("am", "hang")
        await world.start()
        await world.until(lambda: world.state(Service.ADAPTER) == "ready", 5)
        world.phone.set_mode("am", "normal")


async def test_a_refused_wake_lock_is_said(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        world.phone.set_mode("am", "refused")
        await world.start()
        await world.ready()
        assert any(text.startswith("wake lock: the last ask failed") for text in world.sayings())
        assert "failed" in world.published().lock_words
        world.phone.set_mode("am", "normal")


async def test_serving_takes_the_lock_with_the_first_request(farm_home: Path) -> None:
    """Given back when idle, once there is an anchor; there again within a second, however far the next look is."""
    anchor = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        async with supervised(farm_home, '[wakelock]\npolicy = "serving"\nlinger_s = 10\n') as world:
            (world.where.run / "anchor.pid").write_text(f"{anchor.pid}\n")
            await world.ready()
            assert world.phone.locked
            world.shift_s += 5_000
            await world.until(lambda: not world.phone.locked)
            await world.until(lambda: "given back" in world.published().lock_words)
            await world.until(lambda: world.adapter.waiting == 1)
            began = time.monotonic()
            world.adapter.begin()
            await world.until(lambda: world.phone.locked, 1.0)
            assert time.monotonic() - began < 1.0
            world.adapter.finish()
    finally:
        anchor.kill()
        await anchor.wait()


async def test_somebody_else_dropped_the_lock(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        world.phone.drop_lock()
        world.shift_s += 901
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: world.phone.locked)


# --- governor ----------------------------------------------------------------------------------------------------


async def test_a_persons_pause_reaches_the_adapter_and_ends(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        assert world.adapter.orders == []
        await asyncio.to_thread(store.write_hold, world.where, Hold(None, "I need the phone"))
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: world.adapter.pressure == "pause")
        assert "I need the phone" in world.adapter.orders[-1]["reason"]
        assert world.adapter.orders[-1]["for_s"] == 600
        await world.until(lambda: world.published().level == "pause")
        await asyncio.to_thread(store.remove_hold, world.where)
        world.supervisor.look_now()
        await world.until(lambda: world.adapter.pressure == "serve")
        assert [order["level"] for order in world.adapter.orders] == ["pause", "serve"]


async def test_a_pause_with_an_end_ends_and_its_file_goes(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold(time.time() + 1.5, ""))
        await world.until(lambda: world.adapter.pressure == "pause")
        await world.until(lambda: world.adapter.pressure == "serve")
        await world.until(lambda: not store.hold_file(world.where).exists())
        await world.until(lambda: "the pause is over" in world.sayings())


async def test_a_damaged_pause_is_said_once(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await asyncio.to_thread(store.write, store.hold_file(world.where), "nonsense")
        await world.ready()
        await world.until(lambda: any("hold.json" in text for text in world.sayings()))
        before = len(world.sayings())
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: world.state(Service.ADAPTER) == "ready")
        assert len([text for text in world.sayings() if "hold.json" in text]) == 1 and len(world.sayings()) <= before + 1


async def test_a_hot_battery_slows_the_engines(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        world.phone.set_battery(temperature=42.0)
        await world.start()
        await world.until(lambda: world.adapter.pressure == "slow")
        assert "42" in world.adapter.orders[-1]["reason"]


async def test_an_adapter_that_was_started_again_is_told_again(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold())
        await world.until(lambda: world.adapter.pressure == "pause")
        orders = len(world.adapter.orders)
        world.adapter.forget()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: world.adapter.pressure == "pause")
        # Twice if its news came before runit's.
        assert orders < len(world.adapter.orders) <= orders + 2


async def test_an_order_is_renewed_before_it_lapses(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold())
        await world.until(lambda: world.adapter.pressure == "pause")
        supervisor = world.supervisor
        assert supervisor is not None
        await world.until(lambda: supervisor._keeping._pressing.told)
        orders = len(world.adapter.orders)
        world.shift_s += 301
        await world.until(lambda: len(world.adapter.orders) == orders + 1)
        assert world.adapter.orders[-1]["level"] == "pause"
