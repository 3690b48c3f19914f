"""A phone for the supervisor: its real loop, real files, `sv` and termux-* as executables, and an adapter that answers over HTTP.

    async with supervised(tmp_path) as world:
        await world.until(lambda: world.published().ready)
        world.adapter.begin()                  # a request comes in
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from phone.configuration import load
from phone.places import Places, places
from phone.probe import probe
from phone.readiness import Probe
from phone.runit import Runsv
from phone.sense import Sensors
from phone.settings import PhoneSettings
from phone.supervisor import clock, store
from phone.supervisor.loop import Ended, Supervisor
from phone.supervisor.parts import Parts
from phone.supervisor.published import Published, published_from_json
from phone.supervisor.types import Service
from phone.termux import Commands, Termux
from tests.fakes.runit import FakeRunit
from tests.fakes.termux import FakeTermux

KEY = "sk-test-0123456789abcdef"
SERVICES = (Service.ADAPTER, Service.PROXY, Service.GATEWAY)
ADAPTER, PROXY, GATEWAY = (service.folder for service in SERVICES)
# A configuration with all of them.
ALL = "[proxy]\nenabled = true\n[gateway]\nenabled = true\n"


class FakeAdapter:
    """What the supervisor knows of an adapter, on a port of its own; as a proxy and a gateway it answers too.

    mode: "normal", "refuses" (403), "older" (404), "garbage", "page" (HTML), "broken" (500), "dribbles" (never done answering).
    ready: what /ready says; `None`: it does not answer.
    """

    def __init__(self) -> None:
        self.port = 0
        self.version = 1
        self.running = 0
        self.requests = 0
        self.pressure = "serve"
        self.orders: list[dict[str, Any]] = []
        self.polls = 0
        self.waiting = 0
        self.mode = "normal"
        self.dribbled = 0
        self.ready: str | None = "ready"
        self.temperature = 30.0
        self._idle_since_s: float | None = None
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/admin/state", self._state)
        app.router.add_post("/admin/pressure", self._press)
        app.router.add_get("/{path:.*}", self._alive)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Gone in the middle of whatever it was doing."""
        if self._runner is not None:
            # Connections that are just being accepted are in nobody's list yet, and nothing tells when they are; nor when all are closed.
            await asyncio.sleep(0.05)
            await self._runner.cleanup()
            self._runner = None
            await asyncio.sleep(0.05)

    def forget(self) -> None:
        """As after a restart."""
        self.version, self.running, self.pressure = 1, 0, "serve"
        self._tell()

    def begin(self) -> None:
        self.running, self.requests = self.running + 1, self.requests + 1
        self._tell()

    def finish(self) -> None:
        self.running -= 1
        self._idle_since_s = asyncio.get_running_loop().time()
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._news.set()
        self._news = asyncio.Event()

    async def _alive(self, request: web.Request) -> web.Response:
        if self.ready is None:
            await asyncio.sleep(60)
        status = 200 if self.ready == "ready" else 503
        return web.json_response({"status": self.ready}, status=status)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        self.polls += 1
        if refused := await self._refused(request):
            return refused
        since, wait_s = request.query.get("since"), float(request.query.get("wait_s", "0"))
        assert wait_s <= 60
        if since is not None and int(since) == self.version:
            self.waiting += 1
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            finally:
                self.waiting -= 1
        idle_s = None
        if self._idle_since_s is not None:
            idle_s = 0.0 if self.running else asyncio.get_running_loop().time() - self._idle_since_s
        pressure = {"level": self.pressure, "reason": "", "lapses_in_s": None}
        return web.json_response({
            "version": self.version, "running": self.running, "waiting": 0, "idle_s": idle_s,
            "requests": self.requests, "pressure": pressure, "speeds": [],
        })  # fmt: skip

    async def _press(self, request: web.Request) -> web.StreamResponse:
        if refused := await self._refused(request):
            return refused
        order = await request.json()
        assert set(order) <= {"level", "reason", "retry_after_s", "for_s"}
        self.orders.append(order)
        self.pressure = order["level"]
        self._tell()
        return web.json_response({"level": self.pressure, "engines": {}})

    async def _refused(self, request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.Response(status=401)
        match self.mode:
            case "refuses":
                return web.Response(status=403)
            case "older":
                return web.json_response({"error": {"message": "no such path"}}, status=404)
            case "garbage":
                return web.Response(body=b"\xff\x00[1, 2")
            case "page":
                return web.Response(text="<html>It works!</html>", content_type="text/html")
            case "list":
                return web.json_response([{"version": 3}])
            case "broken":
                return web.Response(status=500)
            case "dribbles":
                return await self._dribble(request)
            case _:
                pass
        return None

    async def _dribble(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            for _ in range(600):
                await answer.write(b" ")
                await asyncio.sleep(0.1)
        finally:
            self.dribbled += 1
        return answer


@dataclass
class World:
    """shift_s: added to the supervisor's clock."""

    where: Places
    runit: FakeRunit
    phone: FakeTermux
    adapter: FakeAdapter
    commands: Commands
    shift_s: float = 0.0
    env: dict[str, str] = field(default_factory=dict)
    supervisor: Supervisor | None = None
    task: asyncio.Task[Ended] | None = None

    def parts(self, **others: Any) -> Parts:
        where = self.where
        termux = Termux(where, self.commands, self.now_s, self.phone.env())

        def ask(service: Service, settings: PhoneSettings, limit_s: float) -> Probe:
            return probe(service, "127.0.0.1", self.adapter.port, min(limit_s, 1.0))

        given: dict[str, Any] = {
            "places": where,
            "runsv": Runsv(where, self.commands),
            "termux": termux,
            "device": Sensors(termux).device,
            "probe": ask,
            "load": lambda: load(where.config, self.env),
            "boot_id": "this boot",
            "now_s": self.now_s,
        }
        return Parts(**{**given, **others})

    def now_s(self) -> float:
        return clock.now_s() + self.shift_s

    async def start(self, **others: Any) -> None:
        """others: instead of the real `Parts`."""

        def make() -> Supervisor:
            parts = self.parts(**others)
            return Supervisor(parts, parts.load())

        self.supervisor = await asyncio.to_thread(make)
        self.task = asyncio.get_running_loop().create_task(self.supervisor.run())

    async def ended(self, within_s: float = 10.0) -> Ended:
        assert self.task is not None
        async with asyncio.timeout(within_s):
            return await asyncio.shield(self.task)

    async def ready(self) -> None:
        await self.until(lambda: self.published().ready)

    def published(self) -> Published:
        path = store.published_file(self.where)
        found = published_from_json(json.loads(path.read_text())) if path.is_file() else None
        return found or Published(None, "", 0.0, "up", False)

    def state(self, service: Service) -> str:
        found = self.published().services.get(service.value)
        return found.state if found else ""

    def sayings(self) -> list[str]:
        return [saying.text for saying in self.published().alerts]

    async def until(self, holds: Callable[[], object], within_s: float = 8.0) -> None:
        """Files tell, and nobody tells that they have changed."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    if self.task is not None and self.task.done() and self.task.exception():
                        await self.task
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {within_s} s; {json.dumps(self.sayings(), indent=1)}") from None

    def configure(self, text: str) -> None:
        self.where.config.write_text(text)


# Quick enough for a test; what is not said here is as on a phone.
CONFIG = """
[server]
port = {port}
[supervisor]
tick_s = 1
stop_s = 2
crashes = 3
backoff_s = 1
"""


@asynccontextmanager
async def supervised(
    folder: Path, config: str = "", *, begin: bool = True, services: tuple[Service, ...] = SERVICES, **others: Any
) -> AsyncIterator[World]:
    """config: TOML after `CONFIG`. begin: start the supervisor. services: whose folders are there."""
    (folder / "home").mkdir()
    env: Mapping[str, str] = {
        "HOME": str(folder / "home"),
        "PREFIX": str(folder / "usr"),
        "FARMHAND_HOME": str(folder / "state"),
        "FARMHAND_CONFIG": str(folder / "config.toml"),
    }
    where = places(env, folder)
    where.run.mkdir(parents=True, mode=0o700)
    where.key_file.write_text(f"{KEY}\n")
    phone = FakeTermux(folder / "phone")
    adapter = FakeAdapter()
    await adapter.start()
    with FakeRunit(where.prefix, where.exits) as runit:
        for command in phone.bin.iterdir():
            (where.prefix / "bin" / command.name).symlink_to(command)
        for service in services:
            runit.add(service.folder)
        commands = await asyncio.to_thread(Commands)
        world = World(where, runit, phone, adapter, commands, env=dict(env))
        world.configure(CONFIG.format(port=adapter.port) + config)
        try:
            if begin:
                await world.start(**others)
            yield world
        finally:
            await _end(world)
            await adapter.stop()


async def _end(world: World) -> None:
    if world.task is not None:
        world.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await world.task
    # Those that ask the adapter go on for a moment; it must not vanish while one of them is being accepted.
    for thread in threading.enumerate():
        if thread.name in ("farmhand-news", "farmhand-probe", "farmhand-press"):
            await asyncio.to_thread(thread.join, 5.0)
    for pid, _ in world.phone.tasks:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log has of errors."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
