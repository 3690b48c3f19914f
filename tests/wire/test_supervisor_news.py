"""The supervisor's loop at work: the adapter's news, and an adapter that gives none."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path

import pytest

from phone.supervisor import news, store
from phone.supervisor.admin import Admin, AdminError
from phone.supervisor.hold import Hold
from phone.supervisor.loop import Ended
from phone.supervisor.types import Service
from tests.wire.supervised import ADAPTER, failures, supervised

pytestmark = pytest.mark.usefixtures("supervisor_never_blocks")


@pytest.mark.parametrize("mode", ["refuses", "older", "garbage", "page", "list", "broken"])
async def test_an_adapter_that_cannot_be_asked(farm_home: Path, caplog: pytest.LogCaptureFixture, mode: str) -> None:
    """A normal state: the services are kept up all the same, it is said once at most, and asked again seldom."""
    async with supervised(farm_home, begin=False) as world:
        world.adapter.mode = mode
        await world.start()
        await world.ready()
        await asyncio.to_thread(store.write_hold, world.where, Hold())
        await world.until(lambda: world.published().level == "pause")
        await asyncio.sleep(1.2)
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING and "dapter" in record.getMessage()]
        assert len(warnings) == (0 if mode == "broken" else 1)
        assert world.adapter.polls <= 5
        assert not failures(caplog)


async def test_without_a_key_yet(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        key = world.where.key_file.read_text()
        world.where.key_file.unlink()
        await world.start()
        await world.ready()
        assert world.adapter.polls == 0
        world.where.key_file.write_text(key)
        await world.until(lambda: world.adapter.waiting == 1, 10)


async def test_killed_in_the_middle_of_a_long_poll(farm_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        await world.adapter.stop()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: world.state(Service.ADAPTER) in ("starting", "unready"))
        await world.adapter.start()
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        assert not failures(caplog)


async def test_the_long_poll_does_not_hold_up_the_end(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        began = time.monotonic()
        assert world.supervisor is not None
        world.supervisor.hand_over()
        assert await world.ended() is Ended.HANDED_OVER
        assert time.monotonic() - began < 1.0
        await world.until(lambda: world.adapter.waiting == 0, 1.0)


async def test_a_busy_adapter_is_not_asked_all_the_time(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        before = world.adapter.polls
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            world.adapter.begin()
            await asyncio.sleep(0.01)
            world.adapter.finish()
            await asyncio.sleep(0.01)
        assert world.adapter.polls - before <= 5


def test_whoever_waits_is_cut_off_from_any_thread(tmp_path: Path) -> None:
    import socket

    (tmp_path / "key").write_text("sk-x\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        admin = Admin("127.0.0.1", server.getsockname()[1], tmp_path / "key")
        raised: list[Exception] = []

        def ask() -> None:
            try:
                admin.state(1, 60.0)
            except AdminError as exc:
                raised.append(exc)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        connection, _ = server.accept()
        connection.recv(1000)
        began = time.monotonic()
        admin.close()
        thread.join(5.0)
        assert time.monotonic() - began < 1.0 and len(raised) == 1
        connection.close()
        with pytest.raises(AdminError):
            admin.state()


async def test_an_adapter_that_dribbles_is_cut_off(farm_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the answer never does: the thread that reads it must end all the same."""
    monkeypatch.setattr(news, "LIMIT_S", 0.5)
    async with supervised(farm_home, begin=False) as world:
        world.adapter.mode = "dribbles"
        await world.start()
        await world.ready()
        await world.until(lambda: world.adapter.dribbled >= 2)
        reading = [thread for thread in threading.enumerate() if thread.name == "farmhand-news"]
        assert len(reading) <= 1
        assert world.supervisor is not None
        world.supervisor.hand_over()
        await world.ended()
        await world.until(lambda: not any(thread.name == "farmhand-news" for thread in threading.enumerate()))
