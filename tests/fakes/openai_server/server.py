"""The fake itself: a listening socket, what was seen, and what is to go wrong."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.fakes.openai_server import quirks as quirk_words
from tests.fakes.openai_server.answers import Answers
from tests.fakes.openai_server.connection import ClientLeft, Connection, Request
from tests.fakes.openai_server.faults import Break, Gate, How, Orders, Refusal
from tests.fakes.openai_server.kinds import KINDS, Kind
from tests.fakes.openai_server.model import Reply, count
from tests.fakes.openai_server.writer import Broken, Writer


@dataclass(frozen=True)
class SeenRequest:
    """headers: names in lower case. json: the parsed body, or `None`. connection: which one it came over, from 0."""

    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any


class FakeOpenAI:
    """kind: whose forms and wordings it has. key: what it wants as bearer. reply: what it answers, for all or by request; without it counts.
    words: how far it counts. token_delay_s: before every delta. context_tokens: a word is a token; more is refused in the kind's words.
    head_delay_s: for the quirk `slow_head`."""

    def __init__(
        self,
        *,
        kind: Kind = "plain",
        key: str = "",
        models: Sequence[str] = ("m",),
        reply: Callable[[dict[str, Any]], Reply] | Reply | None = None,
        quirks: Collection[str] = (),
        token_delay_s: float = 0.0,
        port: int = 0,
        words: int = 16,
        context_tokens: int = 8_192,
        head_delay_s: float = 0.2,
    ) -> None:
        self.kind: Kind = kind
        self.key = key
        self.models = tuple(models)
        self.reply = reply
        self.quirks = quirk_words.check(quirks)
        self.token_delay_s = token_delay_s
        self.words = words
        self.context_tokens = context_tokens
        self.head_delay_s = head_delay_s
        self.requests: list[SeenRequest] = []
        self.in_flight = 0
        """Generations that are worked on now (chats, completions, embeddings)."""
        self.max_in_flight = 0
        self.left_early = 0
        """Clients that went before the end of their answer."""
        self.connections = 0
        """How many were opened, ever."""
        self.orders = Orders()
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._numbers = itertools.count()
        self._news = asyncio.Event()
        self._answers = Answers(self)

    # What tests see

    @property
    def port(self) -> int:
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def text(self) -> str:
        """What it says when nothing else is asked of it."""
        return count(self.words, unicode="split_utf8" in self.quirks)

    @property
    def generations(self) -> list[SeenRequest]:
        """The requests that asked for an answer."""
        return [seen for seen in self.requests if seen.method == "POST"]

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def until(self, condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        """Waits for something that the fake sees: `await fake.until(lambda: fake.left_early == 1)`."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    # What tests order

    def fail_next(
        self,
        status: int,
        body: bytes | str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        *,
        path: str = "",
        times: int = 1,
    ) -> None:
        """The next POST (whose path has `path` in it) is answered so. body: `None` is the kind's own words for a broken model."""
        self.orders.refusals += [Refusal(status, body, dict(headers or {}), content_type, path)] * times

    def fail_after(self, pieces: int, how: How = "cut", *, times: int = 1) -> None:
        """The next chat or completion breaks after so many deltas (text, reasoning, parts of calls)."""
        self.orders.breaks += [Break(how, pieces=pieces)] * times

    def fail_at_byte(self, n: int, how: How = "cut", *, times: int = 1) -> None:
        """The next chat or completion breaks at this byte of its body; a shorter one comes whole."""
        self.orders.breaks += [Break(how, at_byte=n)] * times

    def hold(self, after: int | None = None) -> Gate:
        """All generations wait at a gate until it is released. after: so many deltas pass first; `None`: not even the head does."""
        gate = Gate(after)
        self.orders.gates.append(gate)
        return gate

    def reset_connections(self) -> None:
        """All connections break with a TCP reset, now."""
        for connection in list(self._open):
            connection.reset()

    # Life

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self, self._numbers.__next__), "127.0.0.1", self._port)
        self._port = self.port

    async def close(self) -> None:
        """Everything ends, listening included; may be started again, on the same port."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._open):
            connection.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.until(lambda: not self._open)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
        if self._failures and error is None:
            raise self._failures[0]

    # What connections need

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self.connections += 1
        self._news.set()

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._news.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    async def handle(self, connection: Connection, request: Request) -> None:
        """One request to its end, which may be the client's leaving."""
        if "drops_idle" in self.quirks and connection.answers:
            connection.close()
            return
        seen = _seen(connection.index, request)
        self.requests.append(seen)
        generates = seen.method == "POST"
        self._count(generates)
        work = asyncio.ensure_future(self._respond(connection, seen))
        leaving = asyncio.ensure_future(connection.left.wait())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left_early = not work.done()
            leaving.cancel()
            work.cancel()
            outcome, _ = await asyncio.gather(work, leaving, return_exceptions=True)
            self.left_early += generates and (left_early or isinstance(outcome, ClientLeft))
            self._count(generates, -1)
        if isinstance(outcome, Exception) and not isinstance(outcome, ClientLeft):
            connection.drop()
            raise outcome

    def _count(self, generates: bool, change: int = 1) -> None:
        self.in_flight += change * generates
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._news.set()

    async def _respond(self, connection: Connection, seen: SeenRequest) -> None:
        writer = Writer(connection, self.quirks, KINDS[self.kind].server, http10=KINDS[self.kind].http10)
        try:
            await self._answers.answer(writer, seen)
            await writer.end()
        except Broken as broken:
            await writer.flush()
            await self._break_off(connection, writer, broken.how)
        if "connection_close" in self.quirks or KINDS[self.kind].http10:
            connection.close()

    async def _break_off(self, connection: Connection, writer: Writer, how: How) -> None:
        match how:
            case "cut":
                connection.close()
            case "reset":
                connection.reset()
            case "stall":
                await connection.left.wait()
                raise ClientLeft
            case _:
                await writer.end()


def _seen(connection: int, request: Request) -> SeenRequest:
    try:
        value = json.loads(request.body) if request.body else None
    except ValueError:
        value = None
    return SeenRequest(connection, request.method, request.target.partition("?")[0], request.headers, request.body, value)
