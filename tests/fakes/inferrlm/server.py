"""The fake itself: a listening socket, the app behind it, and what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tests.fakes.inferrlm.builds import TRAITS, Build
from tests.fakes.inferrlm.chat import Chat
from tests.fakes.inferrlm.clock import Clock, RealClock
from tests.fakes.inferrlm.connection import Connection
from tests.fakes.inferrlm.engine import Engine
from tests.fakes.inferrlm.http_parser import RawRequest, RequestBuffer
from tests.fakes.inferrlm.log import EngineLog, SeenConnection, SeenRequest
from tests.fakes.inferrlm.models import StoredModel, find_model, recorded_models
from tests.fakes.inferrlm.payload import AppCrash, Settings, factory_settings
from tests.fakes.inferrlm.routes import MODEL_ROUTES, Routes, loads, parse_json
from tests.fakes.inferrlm.runtime import FakeModelRuntime, Timing

FIRST = "the first stored model"


class FakeInferrLM:
    """The InferrLM app's HTTP server, builds A, B and C, on 127.0.0.1.

        async with FakeInferrLM("C", engine=FakeModelRuntime(script=Script(fail_after=3))) as phone:
            ...  # talk to phone.url

    Leaving the block closes every socket and ends every task; an error inside the fake
    itself is raised there.
    """

    def __init__(
        self,
        build: Build,
        *,
        models: Sequence[StoredModel] | None = None,
        loaded: str | None = FIRST,
        engine: FakeModelRuntime | None = None,
        token_delay_s: float = 0.004,
        load_delay_s: float = 0.012,
        busy_wait_s: float = 3.0,
        owner_settings: Settings | None = None,
        remote_models_enabled: bool = False,
        clock: Clock | None = None,
        port: int = 0,
    ) -> None:
        self.build: Build = build
        self.traits = TRAITS[build]
        self.models = tuple(recorded_models(build) if models is None else models)
        self.log = EngineLog()
        """What the model runtime was asked and did, in the recordings' words."""
        self.runtime = engine or FakeModelRuntime()
        timing = Timing(token_delay_s=token_delay_s, load_delay_s=load_delay_s, busy_wait_s=busy_wait_s)
        self.runtime.attach(clock or RealClock(), timing, self.log, self.traits.n_ctx)
        self.connections: list[SeenConnection] = []
        self.requests: list[SeenRequest] = []
        self.overlaps = 0
        """Requests that came while another one still had to do with the model (11)."""
        self.wedged = False
        self._loaded = loaded
        self._port = port
        owner = owner_settings or factory_settings(self.traits)
        self.engine = Engine(self.runtime, self.traits, self.models, owner)
        chat = Chat(self.engine, self.runtime, self.traits, remote_enabled=remote_models_enabled)
        self._routes = Routes(self.traits, self.engine, chat, self.models, lambda: len(self._open))
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._busy_with_model = 0
        self._closing = False
        self._nobody_connected = asyncio.Event()
        self._nobody_connected.set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """Connections that neither side has closed."""
        return len(self._open)

    @property
    def requests_per_connection(self) -> list[int]:
        """How many requests came over each connection; a good client makes them all 1 (4.3)."""
        return [len(connection.requests) for connection in self.connections]

    async def __aenter__(self) -> Self:
        self._preload()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._closing = True
        for connection in list(self._open):
            connection.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._nobody_connected.wait()
        await self._server.wait_closed()
        if self._failures and error is None:
            raise self._failures[0]

    def _preload(self) -> None:
        name = self.models[0].name if self._loaded == FIRST and self.models else self._loaded
        if name is None or name == FIRST:
            return
        model = find_model(name, self.models, extension_optional=False)
        assert model is not None, f"no stored model is called {name}"
        self.engine.preload(model)

    # What connections need (connection.Host).

    @property
    def answers_expect(self) -> bool:
        return self.traits.answers_expect

    def new_buffer(self) -> RequestBuffer:
        return RequestBuffer(counts_bytes=self.traits.byte_bodies)

    def opened(self, connection: Connection) -> SeenConnection:
        self._open.add(connection)
        self._nobody_connected.clear()
        if self._closing:  # accepted just before the listening socket closed
            connection.drop()
        self.connections.append(SeenConnection(len(self.connections)))
        return self.connections[-1]

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._nobody_connected.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    async def handle(self, connection: Connection, request: RawRequest) -> bool:
        """Answer one request; False if it crashed, which ends the work on its TCP segment (10.1)."""
        seen = _describe(connection.seen.index, request)
        self.requests.append(seen)
        connection.seen.requests.append(seen)
        try:
            with self._counting_overlaps(seen):
                await self._routes.answer(connection, seen.method, seen.path, request.body)
        except AppCrash:
            self._routes.reply_crash(connection)
            return False
        return True

    @contextmanager
    def _counting_overlaps(self, request: SeenRequest) -> Iterator[None]:
        touches_model = request.method == "POST" and (
            request.path in MODEL_ROUTES or loads(request.path, request.json)
        )
        self.overlaps += touches_model and self._busy_with_model > 0
        self._busy_with_model += touches_model
        try:
            yield
        finally:
            self._busy_with_model -= touches_model


def _describe(connection: int, request: RawRequest) -> SeenRequest:
    method, target, *_ = [*request.line.split(" "), "/"]
    path, _, query = target.partition("?")
    try:
        parsed = parse_json(request.body)
    except ValueError:
        parsed = None
    return SeenRequest(connection, method, path, query, request.headers, request.body, parsed)
