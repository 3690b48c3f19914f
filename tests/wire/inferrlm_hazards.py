"""A fake InferrLM, the engine before it and a whole adapter before that: where the tests of its hazards take place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from adapter.engines.base import Engine
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.inferrlm_run import Pauses
from adapter.queueing.gate import GateState
from adapter.server.state import DISPATCHER
from adapter.settings import InferrlmSettings
from tests.fakes.inferrlm import LLAMA, Build, FakeInferrLM, FakeModelRuntime, Script
from tests.fakes.inferrlm.connection import Connection
from tests.fakes.inferrlm.engine import Refused
from tests.fakes.inferrlm.raw_client import RawClient, chat
from tests.wire.hazards import ONCE, TEXT, Client, Seen
from tests.wire.inferrlm_cases import LONG, PAUSES
from tests.wire.server import RunningAdapter, running_adapter

b_and_c = pytest.mark.parametrize("build", ["B", "C"])
a_and_b = pytest.mark.parametrize("build", ["A", "B"])

# All that the engine may ever ask the app for (section 5): four questions that touch no model, and the chat.
QUESTIONS = {"/api/version", "/api/tags", "/api/ps", "/api/show", "/v1/models"}
CHAT_PATH = "/api/chat"


@dataclass(frozen=True)
class Place:
    phone: FakeInferrLM
    engine: InferrlmEngine
    adapter: RunningAdapter
    model: str
    """What clients ask for: the phone's model, and behind it the second engine, if there is one."""

    def client(self, asked: Any = "Go.", *, stream: bool = True, model: str | None = None, **body: Any) -> Client:
        return Client(self.adapter, asked, model=model or self.model, stream=stream, **body)

    async def ask(self, asked: Any = "Go.", *, stream: bool = True, model: str | None = None, **body: Any) -> Seen:
        async with self.client(asked, stream=stream, model=model, **body) as client:
            return await client.sees()

    async def queued(self, count: int) -> None:
        """Wait until so many requests wait at the adapter for the phone."""
        await until(lambda: self._queue.waiting_interactive == count)
        assert self._queue.running == 1

    async def free(self) -> None:
        """Wait until nobody has the phone, as far as the adapter knows."""
        await until(lambda: self._queue.running == 0)

    @property
    def _queue(self) -> GateState:
        return self.adapter.app[DISPATCHER].queues()["phone"]

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all chats that the app was asked for, by whomever."""
        return [request.json for request in self.phone.requests if request.path == CHAT_PATH]

    @property
    def paths(self) -> set[str]:
        return {request.path for request in self.phone.requests}


@asynccontextmanager
async def place(
    build: Build,
    script: Script | None = None,
    *,
    runtime: FakeModelRuntime | None = None,
    phone: FakeInferrLM | None = None,
    second: Engine | None = None,
    model: str = LLAMA,
    pauses: Pauses = PAUSES,
    server: Mapping[str, Any] | None = None,
    router: Mapping[str, Any] = ONCE,
    app: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Place]:
    """script: how every generation goes. app: arguments of the fake. settings: of the engine. second: stands behind the phone."""
    runtime = runtime or FakeModelRuntime(script=script or Script())
    async with phone or FakeInferrLM(build, engine=runtime, **(app or {})) as fake:
        entry = {"name": "phone", "kind": "inferrlm", "url": fake.url, **settings}
        engine = InferrlmEngine(InferrlmSettings(**entry), None, pauses=pauses)
        engines: list[Engine] = [engine] + ([second] if second else [])
        routes = {"both": [f"phone/{model}", f"{second.name}/m"]} if second else {}
        async with running_adapter(
            engine=[entry], engines=engines, routes=routes, router=dict(router), server=dict(server or {})
        ) as adapter:
            yield Place(fake, engine, adapter, "both" if second else f"phone/{model}")


class Refusing(FakeInferrLM):
    """Refuses every chat with `status` and `{"error": word}`, or the first `times` of them; all else is the app's."""

    def __init__(self, build: Build, status: int, word: str, *, times: int | None = None) -> None:
        super().__init__(build)
        self._refusal = Refused(status, word)
        self._times = times
        table = self._routes._table
        self._real_chat = table["POST", CHAT_PATH]
        table["POST", CHAT_PATH] = self._refuse

    async def _refuse(self, connection: Connection, body: str) -> dict[str, Any] | None:
        if self._times == 0:
            return await self._real_chat(connection, body)
        self._times = None if self._times is None else self._times - 1
        raise self._refusal


def first_line(phone: FakeInferrLM) -> list[str]:
    """The status lines that the app sent, one a connection."""
    return [bytes(connection.sent).split(b"\r\n")[0].decode() for connection in phone.connections]


def told_how_far(text: str = TEXT, pieces: int = 3) -> str:
    """What a client has after so many pieces of `TEXT`."""
    return " ".join(text.split(" ")[:pieces])


TAKEN_UP = Script(pieces=LONG.pieces, hang_after=20)
"""Half of `LONG`, until the test lets it end, by `phone.engine.stop()`: the owner's finger on the app's stop button."""
HALF_TEXT = "".join(LONG.pieces[:20]) if LONG.pieces else ""

# How long the other programs of these tests hold the phone; nobody waits for it in vain.
PATIENT = Pauses(retry_s=(0.02,) * 200, hang_up_s=0.5, settle_s=0.03)


@asynccontextmanager
async def other_program(phone: FakeInferrLM, prompt: str = "hang", **body: Any) -> AsyncIterator[RawClient]:
    """Somebody else who streams from the app, past the adapter; the model has taken it up, or put it in its queue."""
    async with RawClient(phone.port) as client:
        await client.ask("POST", CHAT_PATH, chat(prompt, stream=True, **body))
        await client.units(1)
        yield client


async def chats_came(here: Place, count: int) -> None:
    """Wait until the app has got so many chats."""
    await until(lambda: len(here.chats) >= count)


async def until(true: Callable[[], bool]) -> None:
    """For what has no event to wait for."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
