"""The supervisor's loop at work: bugs of its own, a phone that cannot be read, a full disk, clocks that jump. None of it ends it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from phone.device import Device
from phone.supervisor import store
from phone.supervisor.decide import decide
from phone.supervisor.loop import Ended
from tests.wire.supervised import ADAPTER, ALL, CONFIG, GATEWAY, PROXY, World, failures, supervised

pytestmark = pytest.mark.usefixtures("supervisor_never_blocks")


async def test_looks_that_fail_do_not_end_it(farm_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Said once with all details, not at every look; and what makes them fail may be what is remembered."""
    async with supervised(farm_home) as world:
        await world.ready()
        calls: list[Any] = []

        def broken(memory: Any, *rest: Any) -> Any:
            calls.append(memory)
            if memory.services:
                raise ZeroDivisionError("a bug of ours")
            return decide(memory, *rest)

        monkeypatch.setattr("phone.supervisor.loop.decide", broken)
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: any("without a memory" in text for text in world.sayings()), 10)
        assert len(calls) >= 4
        assert len([text for text in failures(caplog) if "a look failed" in text]) <= 2
        monkeypatch.setattr("phone.supervisor.loop.decide", decide)
        world.supervisor.look_now()
        await world.ready()
        assert world.runit.asked("stop") == []


async def test_it_can_be_stopped_even_if_every_look_fails(farm_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(farm_home) as world:
        await world.ready()

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError("a bug of ours")

        monkeypatch.setattr("phone.supervisor.loop.decide", broken)
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended(15) is Ended.STOPPED
        assert world.runit.pid(ADAPTER) is None


async def test_a_phone_that_cannot_be_read(farm_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def unreadable(max_age_s: float) -> Device:
        raise PermissionError("no /proc for you")

    async with supervised(farm_home, device=unreadable) as world:
        await world.ready()
        assert world.published().battery is None
        assert len(failures(caplog)) == 1


@pytest.mark.parametrize("mode", ["missing", "garbage", "error", "empty", "fails 1", "killed", "flood"])
async def test_a_termux_api_that_is_no_help(farm_home: Path, caplog: pytest.LogCaptureFixture, mode: str) -> None:
    async with supervised(farm_home, begin=False) as world:
        world.phone.set_mode("all", mode)
        world.phone.set_mode("am", "normal")
        await world.start()
        await world.ready()
        await world.until(lambda: world.phone.calls("termux-battery-status"))
        assert world.published().battery is None
        assert not failures(caplog)


async def test_a_place_where_nothing_can_be_written(farm_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As on a full disk: said once, and everything else goes on."""
    async with supervised(farm_home, begin=False) as world:
        store.published_file(world.where).mkdir()
        await world.start()
        await world.until(lambda: world.runit.pid(ADAPTER))
        await world.until(lambda: any("is ready" in record.getMessage() for record in caplog.records))
        assert len([text for text in failures(caplog) if "written down" in text]) == 1


async def test_a_damaged_memory_is_said(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        await asyncio.to_thread(store.write, store.memory_file(world.where), "{")
        await world.start()
        await world.ready()
        assert any("memory.json cannot be read" in text for text in world.sayings())


async def test_a_clock_that_jumps(farm_home: Path) -> None:
    """A day of sleep, and a wall clock that was set: nobody is restarted for it."""
    async with supervised(farm_home, ALL) as world:
        await world.ready()
        pids = [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)]
        world.shift_s += 86_400
        assert world.supervisor is not None
        polls = world.published().wall_s
        world.supervisor.look_now()
        await world.until(lambda: world.published().wall_s > polls)
        await world.until(lambda: world.published().ready)
        assert [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)] == pids
        assert world.runit.asked("stop") == []


async def test_an_adapter_that_hangs_is_found_out(farm_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, and does not answer: after its time it is started again."""
    async with supervised(farm_home, begin=False) as world:
        world.configure(CONFIG.format(port=world.adapter.port).replace("tick_s = 1", "tick_s = 1\nready_s = 1.5"))
        await world.start()
        await world.ready()
        pid = world.runit.pid(ADAPTER)
        world.adapter.ready = None
        world.shift_s += 31  # when it would be asked again
        await world.until(lambda: world.runit.pid(ADAPTER) not in (None, pid), 15)
        assert any("has not answered" in text for text in world.sayings())


async def test_quiet_files(farm_home: Path) -> None:
    """Nothing new, nothing written: flash wears."""
    async with supervised(farm_home) as world:
        await world.ready()
        await world.until(lambda: world.published().battery is not None)
        await world.until(lambda: "asked for" in world.published().lock_words)
        await asyncio.sleep(0.3)
        files = [store.published_file(world.where), store.memory_file(world.where)]
        before = [path.stat().st_mtime_ns for path in files]
        looks = _counted(world)
        await world.until(lambda: len(looks) >= 3)
        assert [path.stat().st_mtime_ns for path in files] == before


def _counted(world: World) -> list[float]:
    """The looks from now on."""
    looks: list[float] = []
    assert world.supervisor is not None
    real = world.supervisor._look

    async def look() -> float:
        looks.append(time.monotonic())
        return await real()

    world.supervisor._look = look  # type: ignore[method-assign]
    return looks
