"""The supervisor's loop at work: real files, commands and HTTP; only the phone below it is a fake."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phone.device import Device
from phone.supervisor import keeping, news, store
from phone.supervisor.admin import Admin, AdminError
from phone.supervisor.decide import decide
from phone.supervisor.hold import Hold
from phone.supervisor.loop import Ended
from phone.supervisor.types import Service
from tests.wire.supervised import CONFIG, World, supervised

ADAPTER, PROXY, GATEWAY = Service.ADAPTER.folder, Service.PROXY.folder, Service.GATEWAY.folder
ALL = "[proxy]\nenabled = true\n[gateway]\nenabled = true\n"


@pytest.fixture(autouse=True)
def never_blocking() -> Iterator[None]:
    """A call of the supervisor that would block its loop fails, where `blockbuster` is installed."""
    if importlib.util.find_spec("blockbuster") is None:
        yield
        return
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx("phone"):
        yield


@pytest.fixture
def home(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    caplog.set_level(logging.INFO, "supervisor")
    return tmp_path


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- up and down -------------------------------------------------------------------------------------------------


async def test_up_in_order_and_down_in_reverse(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wake lock first, each one when the one before is ready, and back again; nothing is left but the files."""
    async with supervised(home, ALL) as world:
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


async def test_a_stop_before_anything_is_up(home: Path) -> None:
    async with supervised(home, ALL) as world:
        world.runit.modes[ADAPTER] = "slow"
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)] == [None] * 3


async def test_a_stop_in_the_middle_of_a_start(home: Path) -> None:
    async with supervised(home, ALL) as world:
        await world.until(lambda: world.runit.pid(ADAPTER))
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        assert [world.runit.pid(name) for name in (ADAPTER, PROXY, GATEWAY)] == [None] * 3


async def test_who_does_not_end_is_killed_after_its_time(home: Path) -> None:
    async with supervised(home, ALL) as world:
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


async def test_a_second_stop_hurries(home: Path) -> None:
    async with supervised(home, ALL) as world:
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


async def test_a_crash_is_explained_and_published(home: Path) -> None:
    async with supervised(home) as world:
        await world.ready()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: any("was killed (SIGKILL)" in text for text in world.sayings()))
        await world.ready()
        last = world.published().services["adapter"].last_exit
        assert last is not None and (last.code, last.signal) == (-1, 9) and "was killed" in last.words


async def test_a_crash_loop_is_left_alone_and_then_given_up_loudly(home: Path) -> None:
    async with supervised(home, begin=False) as world:
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


async def test_a_failing_sv_is_said_once(home: Path) -> None:
    async with supervised(home, begin=False) as world:
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


async def test_no_sv_at_all(home: Path) -> None:
    async with supervised(home, begin=False) as world:
        sv = world.where.prefix / "bin" / "sv"
        sv.rename(sv.with_name("sv.away"))
        await world.start()
        await world.until(lambda: any("pkg install termux-services" in text for text in world.sayings()))
        sv.with_name("sv.away").rename(sv)
        await world.ready()


async def test_enabled_but_not_installed(home: Path) -> None:
    async with supervised(home, ALL, services=(Service.ADAPTER,)) as world:
        await world.ready()
        assert [text.split(" is ")[0] for text in world.sayings() if "but there is no" in text] == ["litellm", "openclaw"]


# --- wake lock ---------------------------------------------------------------------------------------------------


async def test_a_wake_lock_that_hangs_does_not_stop_the_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_LOCK_S", 0.3)
    async with supervised(home, begin=False) as world:
        world.phone.set_mode("am", "hang")
        await world.start()
        await world.until(lambda: world.state(Service.ADAPTER) == "ready", 5)
        world.phone.set_mode("am", "normal")


async def test_a_refused_wake_lock_is_said(home: Path) -> None:
    async with supervised(home, begin=False) as world:
        world.phone.set_mode("am", "refused")
        await world.start()
        await world.ready()
        assert any(text.startswith("wake lock: the last ask failed") for text in world.sayings())
        assert "failed" in world.published().lock_words
        world.phone.set_mode("am", "normal")


async def test_serving_takes_the_lock_with_the_first_request(home: Path) -> None:
    """Given back when idle, once there is an anchor; there again within a second, however far the next look is."""
    anchor = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        async with supervised(home, '[wakelock]\npolicy = "serving"\nlinger_s = 10\n') as world:
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


async def test_somebody_else_dropped_the_lock(home: Path) -> None:
    async with supervised(home) as world:
        await world.ready()
        world.phone.drop_lock()
        world.shift_s += 901
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: world.phone.locked)


# --- governor ----------------------------------------------------------------------------------------------------


async def test_a_persons_pause_reaches_the_adapter_and_ends(home: Path) -> None:
    async with supervised(home) as world:
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


async def test_a_pause_with_an_end_ends_and_its_file_goes(home: Path) -> None:
    async with supervised(home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold(time.time() + 1.5, ""))
        await world.until(lambda: world.adapter.pressure == "pause")
        await world.until(lambda: world.adapter.pressure == "serve")
        await world.until(lambda: not store.hold_file(world.where).exists())
        await world.until(lambda: "the pause is over" in world.sayings())


async def test_a_damaged_pause_is_said_once(home: Path) -> None:
    async with supervised(home) as world:
        await asyncio.to_thread(store.write, store.hold_file(world.where), "nonsense")
        await world.ready()
        await world.until(lambda: any("hold.json" in text for text in world.sayings()))
        before = len(world.sayings())
        assert world.supervisor is not None
        world.supervisor.look_now()
        await world.until(lambda: world.state(Service.ADAPTER) == "ready")
        assert len([text for text in world.sayings() if "hold.json" in text]) == 1 and len(world.sayings()) <= before + 1


async def test_a_hot_battery_slows_the_engines(home: Path) -> None:
    async with supervised(home, begin=False) as world:
        world.phone.set_battery(temperature=42.0)
        await world.start()
        await world.until(lambda: world.adapter.pressure == "slow")
        assert "42" in world.adapter.orders[-1]["reason"]


async def test_an_adapter_that_was_started_again_is_told_again(home: Path) -> None:
    async with supervised(home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold())
        await world.until(lambda: world.adapter.pressure == "pause")
        orders = len(world.adapter.orders)
        world.adapter.forget()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: world.adapter.pressure == "pause")
        # Twice if its news came before runit's.
        assert orders < len(world.adapter.orders) <= orders + 2


async def test_an_order_is_renewed_before_it_lapses(home: Path) -> None:
    async with supervised(home) as world:
        await asyncio.to_thread(store.write_hold, world.where, Hold())
        await world.until(lambda: world.adapter.pressure == "pause")
        supervisor = world.supervisor
        assert supervisor is not None
        await world.until(lambda: supervisor._keeping._pressing.told)
        orders = len(world.adapter.orders)
        world.shift_s += 301
        await world.until(lambda: len(world.adapter.orders) == orders + 1)
        assert world.adapter.orders[-1]["level"] == "pause"


# --- the adapter's news ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["refuses", "older", "garbage", "page", "list", "broken"])
async def test_an_adapter_that_cannot_be_asked(home: Path, caplog: pytest.LogCaptureFixture, mode: str) -> None:
    """A normal state: the services are kept up all the same, it is said once at most, and asked again seldom."""
    async with supervised(home, begin=False) as world:
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


async def test_without_a_key_yet(home: Path) -> None:
    async with supervised(home, begin=False) as world:
        key = world.where.key_file.read_text()
        world.where.key_file.unlink()
        await world.start()
        await world.ready()
        assert world.adapter.polls == 0
        world.where.key_file.write_text(key)
        await world.until(lambda: world.adapter.waiting == 1, 10)


async def test_killed_in_the_middle_of_a_long_poll(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(home) as world:
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        await world.adapter.stop()
        world.runit.end(ADAPTER, -1, 9)
        await world.until(lambda: world.state(Service.ADAPTER) in ("starting", "unready"))
        await world.adapter.start()
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        assert not failures(caplog)


async def test_the_long_poll_does_not_hold_up_the_end(home: Path) -> None:
    async with supervised(home) as world:
        await world.ready()
        await world.until(lambda: world.adapter.waiting == 1)
        began = time.monotonic()
        assert world.supervisor is not None
        world.supervisor.hand_over()
        assert await world.ended() is Ended.HANDED_OVER
        assert time.monotonic() - began < 1.0
        await world.until(lambda: world.adapter.waiting == 0, 1.0)


async def test_a_busy_adapter_is_not_asked_all_the_time(home: Path) -> None:
    async with supervised(home) as world:
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


async def test_an_adapter_that_dribbles_is_cut_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the answer never does: the thread that reads it must end all the same."""
    monkeypatch.setattr(news, "LIMIT_S", 0.5)
    async with supervised(home, begin=False) as world:
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


# --- settings, successors ----------------------------------------------------------------------------------------


async def test_reload_a_wrong_configuration_and_a_right_one(home: Path) -> None:
    async with supervised(home) as world:
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


async def test_a_successor_goes_on_where_the_other_was(home: Path) -> None:
    """Handed over or killed: nobody is started or stopped for it, and what was crashing goes on being left alone."""
    async with supervised(home, "[proxy]\nenabled = true\n") as world:
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


async def test_what_was_given_up_has_a_new_chance_after_a_stop(home: Path) -> None:
    async with supervised(home) as world:
        await world.ready()
        for _ in range(3):
            world.runit.end(ADAPTER, 1)
        await world.until(lambda: world.state(Service.ADAPTER) == "backing off" or world.runit.asked("stop"))
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended() is Ended.STOPPED
        kept, _ = await asyncio.to_thread(store.load_kept, world.where, "this boot", world.now_s(), time.time())
        assert (kept.memory.of(Service.ADAPTER).quick, kept.memory.of(Service.ADAPTER).until_s) == (0, None)


async def test_a_lost_gateway_file_is_written_again(home: Path) -> None:
    async with supervised(home, "[gateway]\nenabled = true\n") as world:
        await world.ready()
        assert world.supervisor is not None
        world.supervisor.hand_over()
        await world.ended()
        store.gateway_env_file(world.where).unlink()
        await world.start()
        await world.until(lambda: store.gateway_env_file(world.where).exists())


# --- what must never end it --------------------------------------------------------------------------------------


async def test_looks_that_fail_do_not_end_it(home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Said once with all details, not at every look; and what makes them fail may be what is remembered."""
    async with supervised(home) as world:
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


async def test_it_can_be_stopped_even_if_every_look_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(home) as world:
        await world.ready()

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError("a bug of ours")

        monkeypatch.setattr("phone.supervisor.loop.decide", broken)
        assert world.supervisor is not None
        world.supervisor.stop()
        assert await world.ended(15) is Ended.STOPPED
        assert world.runit.pid(ADAPTER) is None


async def test_a_phone_that_cannot_be_read(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def unreadable(max_age_s: float) -> Device:
        raise PermissionError("no /proc for you")

    async with supervised(home, device=unreadable) as world:
        await world.ready()
        assert world.published().battery is None
        assert len(failures(caplog)) == 1


@pytest.mark.parametrize("mode", ["missing", "garbage", "error", "empty", "fails 1", "killed", "flood"])
async def test_a_termux_api_that_is_no_help(home: Path, caplog: pytest.LogCaptureFixture, mode: str) -> None:
    async with supervised(home, begin=False) as world:
        world.phone.set_mode("all", mode)
        world.phone.set_mode("am", "normal")
        await world.start()
        await world.ready()
        await world.until(lambda: world.phone.calls("termux-battery-status"))
        assert world.published().battery is None
        assert not failures(caplog)


async def test_a_place_where_nothing_can_be_written(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As on a full disk: said once, and everything else goes on."""
    async with supervised(home, begin=False) as world:
        store.published_file(world.where).mkdir()
        await world.start()
        await world.until(lambda: world.runit.pid(ADAPTER))
        await world.until(lambda: any("is ready" in record.getMessage() for record in caplog.records))
        assert len([text for text in failures(caplog) if "written down" in text]) == 1


async def test_a_damaged_memory_is_said(home: Path) -> None:
    async with supervised(home, begin=False) as world:
        await asyncio.to_thread(store.write, store.memory_file(world.where), "{")
        await world.start()
        await world.ready()
        assert any("memory.json cannot be read" in text for text in world.sayings())


async def test_a_clock_that_jumps(home: Path) -> None:
    """A day of sleep, and a wall clock that was set: nobody is restarted for it."""
    async with supervised(home, ALL) as world:
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


async def test_an_adapter_that_hangs_is_found_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, and does not answer: after its time it is started again."""
    async with supervised(home, begin=False) as world:
        world.configure(CONFIG.format(port=world.adapter.port).replace("tick_s = 1", "tick_s = 1\nready_s = 1.5"))
        await world.start()
        await world.ready()
        pid = world.runit.pid(ADAPTER)
        world.adapter.ready = None
        world.shift_s += 31  # when it would be asked again
        await world.until(lambda: world.runit.pid(ADAPTER) not in (None, pid), 15)
        assert any("has not answered" in text for text in world.sayings())


async def test_quiet_files(home: Path) -> None:
    """Nothing new, nothing written: flash wears."""
    async with supervised(home) as world:
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
