"""The fake itself: a port, the app's process behind it, its death and return."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from tests.fakes.localllm.app import App, Diary
from tests.fakes.localllm.exchange import JSON_TYPE, Connection, Exchange, SeenRequest
from tests.fakes.localllm.options import (
    AICORE_ID,
    AICore,
    Build,
    Deltas,
    Disconnect,
    Head,
    MidStreamFailure,
    Options,
    Overlap,
    Reply,
    Says,
    WholeNumbers,
    deltas_of,
    to_says,
)
from tests.fakes.localllm.orders import Order, Ordered
from tests.fakes.localllm.routes import Routes
from tests.fakes.localllm.runtime import Gate, Prompt, Stage


class FakeLocalLLM:
    """The LocalLLM app's HTTP server on 127.0.0.1, quirks and hazards included.

    Leaving the block closes every socket and ends every task; an error inside the fake itself is raised there.
    `deltas`: None is what the build does (8.4). `restart_s`: None means that it never comes back from a crash.
    """

    def __init__(
        self,
        *,
        build: Build = "warm",
        key: str = "",
        port: int = 0,
        models: Sequence[str] = ("gemma-4-e2b",),
        embedders: Sequence[str] = ("bge-small-en-v1.5",),
        selected: str = AICORE_ID,
        reply: Says | Reply | None = None,
        mid_stream_failure: MidStreamFailure = "cut",
        deltas: Deltas | None = None,
        head: Head = "with_body",
        overlap: Overlap = "crash",
        disconnect: Disconnect = "ignore",
        aicore: AICore = "available",
        context_tokens: int = 4096,
        queue_depth: int = 8,
        max_prompt_chars: int = 100_000,
        request_timeout_s: float = 120,
        rate: float = 0,
        burst: int = 10,
        token_delay_s: float = 0.002,
        load_delay_s: float = 0.01,
        keepalive_s: float = 10.0,
        restart_s: float | None = 0.05,
        warm_timeout_s: float = 60.0,
        whole_numbers: WholeNumbers = "int",
    ) -> None:
        self.options = Options(
            build=build,
            key=key.strip(),
            models=models,
            embedders=embedders,
            selected=selected,
            says=to_says(reply),
            mid_stream_failure=mid_stream_failure,
            deltas=deltas or deltas_of(build),
            head=head,
            overlap=overlap,
            disconnect=disconnect,
            aicore=aicore,
            context_tokens=context_tokens,
            queue_depth=queue_depth,
            max_prompt_chars=max_prompt_chars,
            request_timeout_s=request_timeout_s,
            rate=rate,
            burst=burst,
            token_delay_s=token_delay_s,
            load_delay_s=load_delay_s,
            keepalive_s=keepalive_s,
            warm_timeout_s=warm_timeout_s,
            whole_numbers=whole_numbers,
        )
        self.port = port
        """Known after the start."""
        self.requests: list[SeenRequest] = []
        self._restart_s = restart_s
        self._diary = Diary()
        self._stage = Stage()
        self._ordered = Ordered()
        self._app: App | None = None
        self._place: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarting: asyncio.Task[None] | None = None
        self._failures: list[BaseException] = []
        self._up = asyncio.Event()

    # What a test can see.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def crashes(self) -> int:
        """How often the app died (7.6)."""
        return self._diary.crashes

    @property
    def max_in_flight(self) -> int:
        """The most requests that had to do with a model at once, abandoned generations (7.8) included."""
        return self._diary.max_in_flight

    @property
    def overlaps(self) -> int:
        """How many such requests (chat, warm-up) came while another one was not over."""
        return self._diary.overlaps

    @property
    def engines(self) -> list[str]:
        """Keys of the loaded engines, oldest first, two at most."""
        return list(self._app.registry.loaded) if self._app else []

    @property
    def open_connections(self) -> int:
        """Connections that neither side has closed."""
        return len(self._connections)

    @property
    def log(self) -> list[str]:
        """Engine loads and drops, conversations created, closed, forgotten, sessions reused, inferences begun and ended."""
        return self._diary.log

    @property
    def prompts(self) -> list[Prompt]:
        """What the models were asked, in order."""
        return self._diary.prompts

    # What a test can do.

    def fail_next(
        self,
        status: int = 500,
        type: str = "server_error",
        code: int | str | None = None,
        message: str = "ordered failure",
        body: str | bytes | None = None,
        content_type: str = JSON_TYPE,
    ) -> None:
        """The next chat request gets this error, several calls the next several; `code` None is the status.

        Errors of the kind that comes before the queue (400, 401, 413, 429 ...) carry no queue headers, all others do.
        """
        self._ordered.orders.append(Order(status, type, code, message, body, content_type))

    def fail_after(self, pieces: int) -> None:
        """The next generation fails after so many pieces, or at its end if it has fewer."""
        self._stage.fail_after.append(pieces)

    def hold(self) -> Gate:
        """From now on every generation stops before its next piece (and before its end) until `release()`."""
        gate = Gate()
        self._stage.gates.append(gate)
        return gate

    def evict(self) -> None:
        """Memory pressure, or five minutes without requests (7.5): idle engines go, and their sessions with them."""
        if self._app is not None:
            self._app.evict()

    async def crash(self) -> None:
        """Kill the app, as Android would."""
        self._die()
        await asyncio.sleep(0)

    async def came_back(self, within_s: float = 10.0) -> None:
        """Wait until the port is open again."""
        async with asyncio.timeout(within_s):
            await self._up.wait()

    # Life and death.

    async def __aenter__(self) -> Self:
        self._place = _reserve(self.port)
        self.port = self._place.getsockname()[1]
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        restarting = self._restarting
        if restarting is not None:
            restarting.cancel()
            await asyncio.gather(restarting, return_exceptions=True)
        while self._connections or self._tasks:
            self._kill()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)
        self._kill()
        assert self._place is not None
        self._place.close()
        if self._failures and error is None:
            raise self._failures[0]

    async def _start(self) -> None:
        """A new process: cold engines, numbers from 1."""
        self._app = App(self.options, self._stage, self._diary, self._spawn, self._die)
        routes = Routes(self._app, self._ordered)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._accept(routes), "127.0.0.1", self.port)
        self._up.set()

    def _accept(self, routes: Routes) -> Connection:
        async def handle(exchange: Exchange) -> None:
            await routes.answer(exchange)

        connection = Connection(handle, self.requests.append, self._connections.discard, self.options.head)
        self._connections.add(connection)
        work = self._spawn(connection.serve())
        if self.options.disconnect == "stop":
            connection.when_gone = lambda: _cancel(work)
        return connection

    def _die(self) -> None:
        """The process is gone: every connection is reset, the port refuses, the engines are lost."""
        if self._app is None:
            return
        self._diary.crashes += 1
        self._diary.log.append("crash")
        self._kill()
        if self._restart_s is not None:
            self._restarting = asyncio.get_running_loop().create_task(self._come_back(self._restart_s))

    def _kill(self) -> None:
        self._app = None
        self._up.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.reset()
        for task in list(self._tasks):
            task.cancel()

    async def _come_back(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._start()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)
            for connection in list(self._connections):  # nobody shall wait for an answer that never comes
                connection.reset()


def _cancel(work: asyncio.Task[None]) -> None:
    work.cancel()


def _reserve(port: int) -> socket.socket:
    """Hold the port without listening, so that nobody else gets it while the app is down."""
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", port))
    return place
