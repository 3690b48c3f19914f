"""`farmhand supervise` as a process: its signals, and that there is only one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from phone.supervisor.types import Service
from tests.wire.supervised import World, supervised

ADAPTER = Service.ADAPTER.folder
ROOT = Path(__file__).resolve().parent.parent.parent


class Supervising:
    """One process; its log is kept."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.log: list[str] = []
        self._reader = asyncio.get_running_loop().create_task(self._read())
        self._news = asyncio.Event()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.log.append(line.decode().rstrip())
            self._news.set()

    async def says(self, words: str, within_s: float = 10.0) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not any(words in line for line in self.log):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} not in {self.log}") from None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ends(self, within_s: float = 10.0) -> int:
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            await self._reader
        return code

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self._reader.cancel()


def environment(world: World) -> Mapping[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**keep, **world.env, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def supervise(world: World, count: int = 1) -> AsyncIterator[list[Supervising]]:
    started: list[Supervising] = []
    try:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-u", "-m", "phone", "supervise", env=environment(world), cwd=ROOT, stdout=PIPE
            )
            one = Supervising(process)
            started.append(one)
            await one.says("adapter is ready" if len(started) == 1 else "waiting until it has ended")
        yield started
    finally:
        for one in started:
            await one.kill()


async def test_term_stops_everything(tmp_path: Path) -> None:
    async with supervised(tmp_path, begin=False) as world, supervise(world) as (one,):
        one.signal(signal.SIGTERM)
        assert await one.ends() == 0
        assert world.runit.pid(ADAPTER) is None and not world.phone.locked
        assert one.log[-1] == "I supervisor the bundle is stopped"
        assert not [line for line in one.log if line.startswith("E ") or "Traceback" in line]


async def test_int_is_for_people_in_a_terminal(tmp_path: Path) -> None:
    async with supervised(tmp_path, begin=False) as world, supervise(world) as (one,):
        one.signal(signal.SIGINT)
        assert await one.ends() == 0
        assert world.runit.pid(ADAPTER) is None


async def test_usr2_hands_over_and_hup_and_usr1_end_nothing(tmp_path: Path) -> None:
    async with supervised(tmp_path, begin=False) as world, supervise(world) as (one,):
        pid = world.runit.pid(ADAPTER)
        one.signal(signal.SIGHUP)
        await one.says("the configuration has been read anew")
        world.configure("[server\n")
        one.signal(signal.SIGHUP)
        await one.says("not taken over")
        one.signal(signal.SIGUSR1)
        one.signal(signal.SIGUSR2)
        assert await one.ends() == 0
        assert world.runit.pid(ADAPTER) == pid and world.phone.locked
        assert world.runit.asked("stop") == []


async def test_the_second_waits_and_takes_over(tmp_path: Path) -> None:
    """Killed, the first one leaves everything as it is; nobody is started or stopped for the change."""
    async with supervised(tmp_path, begin=False) as world, supervise(world, 2) as (first, second):
        assert f"process {first.process.pid} is the supervisor already" in second.log[0]
        commands, pid = list(world.runit.commands), world.runit.pid(ADAPTER)
        first.signal(signal.SIGKILL)
        await second.says("it has ended")
        await world.until(lambda: world.published().pid == second.process.pid)
        assert (world.runit.commands, world.runit.pid(ADAPTER)) == (commands, pid)
        second.signal(signal.SIGTERM)
        assert await second.ends() == 0
        assert world.runit.pid(ADAPTER) is None


async def test_who_waits_can_be_sent_away(tmp_path: Path) -> None:
    """runit's `down` of it stops nothing of the other's; a signal that is not for it does nothing."""
    async with supervised(tmp_path, begin=False) as world, supervise(world, 2) as (first, second):
        second.signal(signal.SIGHUP)
        second.signal(signal.SIGUSR1)
        second.signal(signal.SIGTERM)
        assert await second.ends() == 0
        assert second.process.returncode == 0 and world.runit.pid(ADAPTER) is not None
        assert world.runit.asked("stop") == [] and first.process.returncode is None


async def test_a_person_in_a_terminal_is_told_at_once(tmp_path: Path) -> None:
    async with supervised(tmp_path, begin=False) as world, supervise(world) as (first,):
        master, terminal = pty.openpty()
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "phone", "supervise", env=environment(world), cwd=ROOT, stdout=terminal
        )
        os.close(terminal)
        try:
            async with asyncio.timeout(10):
                assert await second.wait() == 75
            said = os.read(master, 1000).decode()
            assert f"process {first.process.pid} is the supervisor already; see: farmhand status" in said
        finally:
            with contextlib.suppress(ProcessLookupError):
                second.kill()
            os.close(master)


async def test_a_wrong_configuration_at_the_start(tmp_path: Path) -> None:
    """The phone stays reachable with the defaults, and it is said; mended, it is taken over."""
    async with supervised(tmp_path, begin=False) as world:
        good = world.where.config.read_text()
        world.configure("[supervisor]\ntick_s = 0\n")
        world.env["FARMHAND_SERVER_PORT"] = str(world.adapter.port)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "-m", "phone", "supervise", env=environment(world), cwd=ROOT, stdout=PIPE
        )
        one = Supervising(process)
        try:
            await one.says("the defaults hold until it is mended")
            await one.says("tick_s")
            world.configure(good)
            await one.says("starting adapter")
            one.signal(signal.SIGHUP)
            await one.says("the configuration has been read anew")
            await one.says("adapter is ready")
            one.signal(signal.SIGTERM)
            assert await one.ends() == 0
        finally:
            await one.kill()


async def test_nobody_reads_its_log(tmp_path: Path) -> None:
    """runit's logger waits for space on the disk: the pipe fills, and the supervisor goes on."""
    async with supervised(tmp_path, begin=False) as world:
        reads, writes = os.pipe()
        os.set_blocking(writes, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writes, b"x" * 4096):
                pass
        os.set_blocking(writes, True)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "-m", "phone", "supervise", env=environment(world), cwd=ROOT, stdout=writes
        )
        os.close(writes)
        try:
            await world.ready()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            os.close(reads)


async def test_a_state_folder_of_no_use(tmp_path: Path) -> None:
    async with supervised(tmp_path, begin=False) as world:
        (tmp_path / "file").touch()
        master, terminal = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "phone", "supervise", cwd=ROOT, stdout=terminal,
            env={**environment(world), "FARMHAND_HOME": str(tmp_path / "file")},
        )  # fmt: skip
        os.close(terminal)
        try:
            async with asyncio.timeout(10):
                assert await process.wait() == 73
            assert "the state folder cannot be used" in os.read(master, 1000).decode()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            os.close(master)
