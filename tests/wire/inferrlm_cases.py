"""An `InferrlmEngine` before the fake app, and what its tests ask of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from adapter.chat import Chat, Event, Finished, Message, Role, Sampling, Started, TextDelta
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.inferrlm_run import Pauses
from adapter.errors import AdapterError
from adapter.settings import InferrlmSettings
from tests.fakes.inferrlm import LLAMA, Build, FakeInferrLM, Script, SeenRequest

BUILDS: tuple[Build, ...] = ("A", "B", "C")
PAUSES = Pauses(retry_s=(0.01, 0.01, 0.02, 0.02), hang_up_s=0.5, settle_s=0.03)
LONG = Script(pieces=[f"w{n} " for n in range(40)])

every_build = pytest.mark.parametrize("build", BUILDS)


@asynccontextmanager
async def engine_for(
    url: str, *, pauses: Pauses = PAUSES, now_s: Callable[[], float] = time.monotonic, **settings: Any
) -> AsyncIterator[InferrlmEngine]:
    """An engine; at the end nothing of it is left running."""
    before = asyncio.all_tasks()
    configured = InferrlmSettings(name="phone", kind="inferrlm", url=url, **settings)
    engine = InferrlmEngine(configured, None, pauses=pauses, now_s=now_s)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        left = [task for task in asyncio.all_tasks() - before if task.get_name().startswith("inferrlm")]
        assert not left, "a task outlived its engine"


def chat_of(text: str = "Say hello to the harbour.", *, model: str = LLAMA, **sampling: Any) -> Chat:
    return Chat(model, (Message(Role.USER, text),), Sampling(**sampling))


async def events_of(engine: InferrlmEngine, chat: Chat | None = None) -> list[Event]:
    return [event async for event in engine.generate(chat or chat_of())]


def text_of(events: list[Event]) -> str:
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def answer_of(engine: InferrlmEngine, chat: Chat | None = None) -> str:
    return text_of(await events_of(engine, chat))


def chats(phone: FakeInferrLM) -> list[SeenRequest]:
    return [request for request in phone.requests if request.path == "/api/chat"]


async def nobody_connected(phone: FakeInferrLM) -> None:
    """Wait until no connection is open."""
    async with asyncio.timeout(5):
        await phone._nobody_connected.wait()


async def let_go_of_seat(engine: InferrlmEngine) -> None:
    """Wait until no run holds the seat."""
    await asyncio.gather(*engine._runs, return_exceptions=True)


async def leave_after_text(engine: InferrlmEngine) -> None:
    async with aclosing(engine.generate(chat_of())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break


async def failed(engine: InferrlmEngine, chat: Chat | None = None) -> tuple[list[Event], AdapterError]:
    """What came before the error, and the error."""
    events: list[Event] = []
    with pytest.raises(AdapterError) as caught:
        async for event in engine.generate(chat or chat_of()):
            events.append(event)  # noqa: PERF401  what came before the error is wanted too
    return events, caught.value
