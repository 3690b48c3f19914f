"""A `LocalllmEngine` before the fake app, and what its tests ask of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapter.chat import Chat, Event, Finished, Message, Role, Sampling, Started, TextDelta, ToolCallDelta
from adapter.engines.localllm import LocalllmEngine
from adapter.engines.localllm_pauses import Pauses
from adapter.errors import AdapterError
from adapter.settings import LocalllmSettings
from tests.fakes.localllm import FakeLocalLLM, SeenRequest

GEMMA = "gemma-4-e2b"
PAUSES = Pauses(taken_s=0.2, idle_s=0.01, find_s=(0.02, 0.05, 0.1, 0.2, 0.4))
CHAT_PATH = "/v1/chat/completions"


@asynccontextmanager
async def engine_for(
    url: str | None,
    *,
    pauses: Pauses = PAUSES,
    ports: Sequence[int] = (),
    now_s: Callable[[], float] = time.monotonic,
    warm: bool = False,
    stream: str = "never",
    **settings: Any,
) -> AsyncIterator[LocalllmEngine]:
    """An engine; at the end nothing of it is left running. Streams and the warm-up are off unless a test is about them."""
    before = asyncio.all_tasks()
    configured = LocalllmSettings(name="phone", kind="localllm", url=url, warm=warm, stream=stream, **settings)  # type: ignore[arg-type]
    engine = LocalllmEngine(configured, None, pauses=pauses, ports=ports, now_s=now_s)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        left = [task for task in asyncio.all_tasks() - before if task.get_name().startswith("localllm")]
        assert not left, "a task outlived its engine"


def chat_of(text: str = "say hello to the harbour", *, model: str = GEMMA, **sampling: Any) -> Chat:
    return Chat(model, (Message(Role.USER, text),), Sampling(**sampling))


def longer(chat: Chat, answer: str, text: str) -> Chat:
    """The next turn of the conversation."""
    return replace(chat, messages=(*chat.messages, Message(Role.ASSISTANT, answer), Message(Role.USER, text)))


async def events_of(engine: LocalllmEngine, chat: Chat | None = None) -> list[Event]:
    return [event async for event in engine.generate(chat or chat_of())]


def text_of(events: list[Event]) -> str:
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls_of(events: list[Event]) -> list[ToolCallDelta]:
    return [event for event in events if isinstance(event, ToolCallDelta)]


def end_of(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


async def answer_of(engine: LocalllmEngine, chat: Chat | None = None) -> str:
    return text_of(await events_of(engine, chat))


def chats(phone: FakeLocalLLM) -> list[SeenRequest]:
    return [request for request in phone.requests if request.path == CHAT_PATH]


async def failed(engine: LocalllmEngine, chat: Chat | None = None) -> tuple[list[Event], AdapterError]:
    """What came before the error, and the error."""
    events: list[Event] = []
    with pytest.raises(AdapterError) as caught:
        async for event in engine.generate(chat or chat_of()):
            events.append(event)  # noqa: PERF401  what came before the error is wanted too
    return events, caught.value


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until `condition()` holds, looking often."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it never came to be"
        await asyncio.sleep(0.005)


async def watched(engine: LocalllmEngine) -> None:
    """Wait until the engine's background task has nothing left to do."""
    await until(lambda: engine._watch._task is None or engine._watch._task.done())


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of ours where nobody listens."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        yield place.getsockname()[1]
