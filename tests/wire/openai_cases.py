"""What the tests of the `openai` engine share: an engine in front of the fake, requests, answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapter.chat import Chat, Event, Finished, Message, Role, Sampling, Started, TextDelta
from adapter.dialects.openai_parse import parse_chat
from adapter.engines.base import Raw, Wire
from adapter.engines.openai import OpenaiEngine
from adapter.settings import OpenaiSettings
from tests.wire.test_engine_contract import is_ours

LONGEST_S = 20
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def engine_at(url: str, *, instance: str = "", **settings: Any) -> AsyncIterator[OpenaiEngine]:
    """Closed twice; no task of its own is left behind."""
    engine = OpenaiEngine(OpenaiSettings(name="up", kind="openai", url=url, **settings), instance=instance)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        await engine.close()
    assert [task for task in asyncio.all_tasks() if is_ours(task)] == []


def chat(text: str = "hi", **more: Any) -> Chat:
    sampling = Sampling(**{key: more.pop(key) for key in ("max_tokens", "stop") if key in more})
    return Chat(more.pop("model", "m"), (Message(Role.USER, text),), sampling, **more)


async def answered(engine: OpenaiEngine, request: Chat) -> list[Event]:
    async with asyncio.timeout(LONGEST_S):
        return [event async for event in engine.generate(request)]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def wire(*, hops: tuple[str, ...] = (), **fields: Any) -> tuple[Chat, Wire]:
    """A request as a client sent it, parsed and raw."""
    value = {**HI, **fields}
    body = json.dumps(value, indent=1).encode()
    return parse_chat(value).chat, Wire("/chat/completions", body, value, bool(value.get("stream")), hops)


async def relayed(engine: OpenaiEngine, request: tuple[Chat, Wire]) -> list[Started | Raw | Finished]:
    parts = engine.relay(*request)
    assert parts is not None
    async with asyncio.timeout(LONGEST_S):
        return [part async for part in parts]


def bytes_of(parts: list[Started | Raw | Finished]) -> bytes:
    return b"".join(part.data for part in parts if isinstance(part, Raw))
