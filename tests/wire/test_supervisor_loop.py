"""The supervisor's loop at work: real files, commands and HTTP; only the phone below it is a fake.

Here the services: up and down, what goes wrong with them, new settings, successors. Elsewhere: test_supervisor_power.py,
test_supervisor_news.py, test_supervisor_endures.py.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from phone.supervisor import store
from phone.supervisor.loop import Ended
from phone.supervisor.types import Service
from tests.wire.supervised import ADAPTER, ALL, CONFIG, GATEWAY, PROXY, failures, supervised

pytestmark = pytest.mark.usefixtures("supervisor_never_blocks")


# --- up and down -------------------------------------------------------------------------------------------------


async def test_up_in_order_and_down_in_reverse(farm_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wake lock first, each one when the one before is ready, and back again; nothing is left but the files."""
    async with supervised(farm_home, ALL) as world:
        locked_at_start: list[bool] = []
        world.runit.on_start[ADAPTER] = lambda pid: locked_at_start.append(world.phone.locked)
        await world.ready()
        assert world.runit.asked("up") == [ADAPTER, PROXY, GATEWAY]
        assert locked_at_start == [True]
        said = [text for text in world.sayings() if text.endswith("is ready")]
        assert said == ["adapter is ready", "litellm is ready", "openclaw is ready"]
        assert store.gateway_env_file(world.where).read_text() == "NEURAL_FARM_BASE_URL=http://127.0.0.1:4000/v1\n"
        await world.until(lambda: "farmhand" in world.phone.notes and "serving" in world.phone.notes["farmhand"].title)
        await world.until(lambda: world.published().battery)
        published = world.published()
        assert (published.goal, published.level, published.lock_policy) == ("up", "serve", "always")
        assert published.battery is not None and published.battery.percent == 78

        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert world.runit.asked("stop") == [GATEWAY, PROXY, ADAPTER]
        assert not world.phone.locked and not world.phone.notes
        published = world.published()
        assert (published.goal, published.pid, published.ready) == ("down", None, False)
        assert {service.state for service in published.services.values()} == {"stopped", "missing"}
        assert list(published.services) == [service.value for service in Service]
        assert not failures(caplog)


async def test_a_stop_before_anything_is_up(farm_home: Path) -> None:
    async with supervised(farm_home, ALL) as world:
        world.runit.modes[ADAPTER] = "slow"
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)] == [None] * 3


async def test_a_stop_in_the_middle_of_a_start(farm_home: Path) -> None:
    async with supervised(farm_home, ALL) as world:
        await world.until(lambda: world.runit.pid(ADAPTER))
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)] == [None] * 3


async def test_who_does_not_end_is_killed_after_its_time(farm_home: Path) -> None:
    async with supervised(farm_home, ALL) as world:
        await world.ready()
        world.runit.modes[PROXY] = "deaf"
        began = time.monotonic()
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert 2.0 <= time.monotonic() - began < 8.0
        assert world.runit.asked("kill") == [PROXY]
        assert world.runit.asked("stop")[-1] == ADAPTER
        assert any("was killed" in text for text in world.sayings())


async def test_a_second_stop_hurries(farm_home: Path) -> None:
    async with supervised(farm_home, ALL) as world:
        await world.ready()
        world.configure(CONFIG.format(port=world.adapter.port).replace("stop_s = 2", "stop_s = 600") + ALL)
        assert world.supervisor is not None
        world.supervisor.reload()
        await world.until(lambda: "the configuration has been read anew" in world.sayings())
        for name in (ADAPTER, PROXY, GATEWAY):
            world.runit.modes[name] = "deaf"
        world.supervisor.stop()
        await world.until(lambda: world.runit.asked("stop") == [GATEWAY])
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert {*world.runit.asked("kill")} == {ADAPTER, PROXY, GATEWAY}


# --- what goes wrong with services -------------------------------------------------------------------------------


async def test_a_crash_is_explained_and_published(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: any("was killed (SIGKILL)" in text for text in world.sayings()))
        await world.ready()
        last = world.published().services["adapter"].last_exit
        assert last is not None and (last.code, last.signal) == (-1, 9) and "was killed" in last.words


async def test_a_crash_loop_is_left_alone_and_then_given_up_loudly(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        quick = CONFIG.replace("backoff_s = 1", "backoff_s = 0.2\ngive_up = 1\nmax_backoff_s = 1")
        world.configure(quick.format(port=world.adapter.port) + "[proxy]\nenabled = true\n")
        world.runit.on_start[PROXY] = lambda pid: threading.Timer(0.05, world.runit.end, (PROXY, 1)).start()
        await world.start()
        await world.until(lambda: world.state(Service.PROXY) == "given up", 20)
        world.runit.on_start.clear()
        assert world.state(Service.ADAPTER) == "ready"
        await world.until(lambda: "farmhand-alert" in world.phone.notes)
        assert "litellm" in world.phone.notes["farmhand-alert"].content
        assert any(saying.alert and "given up" in saying.text for saying in world.published().alerts)
        await world.until(lambda: world.runit.pid(PROXY) is None)
        assert not any("somebody" in text for text in world.sayings())

        assert world.supervisor is not None
        world.supervisor.reload()  # somebody has mended it
        await world.until(lambda: world.state(Service.PROXY) == "ready")


async def test_a_failing_sv_is_said_once(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        world.runit.modes[ADAPTER] = "refuses"
        await world.start()
        await world.until(lambda: len(world.runit.asked("up")) >= 2)
        said = [text for text in world.sayings() if "starting adapter: that failed" in text]
        assert len(said) == 1 and "unable to change to service directory" in said[0]
        await world.until(lambda: "that failed" in world.published().services["adapter"].words or world.state(Service.ADAPTER) == "starting")
        asked = len(world.runit.asked("up"))
        assert asked <= 4  # with pauses between them, not at every look
        del world.runit.modes[ADAPTER]
        await world.ready()


async def test_no_sv_at_all(farm_home: Path) -> None:
    async with supervised(farm_home, begin=False) as world:
        sv = world.where.prefix / "bin" / "sv"
        sv.rename(sv.with_name("sv.away"))
        await world.start()
        await world.until(lambda: any("pkg install termux-services" in text for text in world.sayings()))
        sv.with_name("sv.away").rename(sv)
        await world.ready()


async def test_enabled_but_not_installed(farm_home: Path) -> None:
    async with supervised(farm_home, ALL, services=(Service.ADAPTER,)) as world:
        await world.ready()
        assert [text.split(" is ")[0] for text in world.sayings() if "but there is no" in text] == ["litellm", "openclaw"]


# --- settings, successors ----------------------------------------------------------------------------------------


async def test_reload_a_wrong_configuration_and_a_right_one(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        good = world.where.config.read_text()
        world.configure(good + "[proxy]\nenabeld = true\n")
        assert world.supervisor is not None
        world.supervisor.reload()
        await world.until(lambda: any("not taken over" in text and "enabeld" in text for text in world.sayings()))
        assert world.state(Service.PROXY) == "disabled" and world.state(Service.ADAPTER) == "ready"
        world.configure(good + "[proxy]\nenabled = true\n")
        world.supervisor.reload()
        await world.until(lambda: world.state(Service.PROXY) == "ready")
        world.configure(good)
        world.supervisor.reload()
        await world.until(lambda: world.state(Service.PROXY) == "disabled" and world.runit.pid(PROXY) is None)


async def test_a_successor_goes_on_where_the_other_was(farm_home: Path) -> None:
    """Handed over or killed: nobody is started or stopped for it, and what was crashing goes on being left alone."""
    async with supervised(farm_home, "[proxy]\nenabled = true\n") as world:
        await world.ready()
        commands, pids = list(world.runit.commands), [world.runit.pid(ADAPTER), world.runit.pid(PROXY)]
        assert world.supervisor is not None
        world.supervisor.hand_over()
        assert await world.ended() is Ended.HANDED_OVER
        assert world.phone.locked and "farmhand" in world.phone.notes
        world.runit.end(PROXY, 1)  # while nobody looks
        await world.start()
        await world.until(lambda: any("litellm ended with status 1" in text for text in world.sayings()))
        await world.ready()
        assert world.runit.commands == commands
        assert world.runit.pid(ADAPTER) == pids[0]
        assert world.sayings().count("adapter is ready") == 1


async def test_what_was_given_up_has_a_new_chance_after_a_stop(farm_home: Path) -> None:
    async with supervised(farm_home) as world:
        await world.ready()
        for _ in range(3):
            world.runit.end(ADAPTER, 1)
        await world.until(lambda: world.state(Service.ADAPTER) == "backing off" or world.runit.asked("stop"))
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        kept, _ = await asyncio.to_thread(store.load_kept, world.where, "this boot", world.now_s(), time.time())
        assert (kept.memory.of(Service.ADAPTER).quick, kept.memory.of(Service.ADAPTER).until_s) == (0, None)


async def test_a_lost_gateway_file_is_written_again(farm_home: Path) -> None:
    async with supervised(farm_home, "[gateway]\nenabled = true\n") as world:
        await world.ready()
        assert world.supervisor is not None
        world.supervisor.hand_over()
        await world.ended()
        store.gateway_env_file(world.where).unlink()
        await world.start()
        await world.until(lambda: store.gateway_env_file(world.where).exists())
