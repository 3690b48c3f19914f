"""A fake LocalLLM, the engine before it and a whole adapter before that: where the tests of its hazards take place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from adapter.engines.base import Engine
from adapter.engines.localllm import LocalllmEngine
from adapter.engines.localllm_pauses import Pauses
from adapter.settings import LocalllmSettings
from tests.fakes.localllm import FakeLocalLLM
from tests.wire.hazards import ONCE, Client, Seen
from tests.wire.localllm_cases import CHAT_PATH, GEMMA, PAUSES
from tests.wire.server import RunningAdapter, running_adapter

# How the app itself is asked, whatever the client of ours wants.
asked_both_ways = pytest.mark.parametrize("upstream", ["never", "always"], ids=["app-plain", "app-stream"])


@dataclass(frozen=True)
class Place:
    phone: FakeLocalLLM
    engine: LocalllmEngine
    adapter: RunningAdapter
    model: str
    """What clients ask for: the phone's model, and behind it the second engine, if there is one."""

    def client(self, asked: Any = "say hello", *, stream: bool = True, model: str | None = None, **body: Any) -> Client:
        return Client(self.adapter, asked, model=model or self.model, stream=stream, **body)

    async def ask(self, asked: Any = "say hello", *, stream: bool = True, model: str | None = None, **body: Any) -> Seen:
        async with self.client(asked, stream=stream, model=model, **body) as client:
            return await client.sees()

    async def ready(self) -> dict[str, Any]:
        """What `/ready` says of the phone."""
        async with self.adapter.session.get("/ready") as response:
            found: dict[str, Any] = (await response.json())["engines"]["phone"]
            return found

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all chats that the app was asked for, by whomever."""
        return [request.json for request in self.phone.requests if request.path == CHAT_PATH]

    @property
    def unhurt(self) -> bool:
        """No two at once, and nothing crashed."""
        return (self.phone.crashes, self.phone.overlaps) == (0, 0) and self.phone.max_in_flight <= 1


@asynccontextmanager
async def place(
    phone: FakeLocalLLM | None = None,
    *,
    second: Engine | None = None,
    model: str = GEMMA,
    pauses: Pauses = PAUSES,
    server: Mapping[str, Any] | None = None,
    router: Mapping[str, Any] = ONCE,
    keys: list[dict[str, Any]] | None = None,
    stream: str = "never",
    warm: bool = False,
    **settings: Any,
) -> AsyncIterator[Place]:
    """stream: is the app asked for streams? settings: of the engine. second: stands behind the phone. keys: `[[key]]`s."""
    async with phone or FakeLocalLLM() as fake:
        entry = {"name": "phone", "kind": "localllm", "url": fake.url, "stream": stream, "warm": warm, **settings}
        engine = LocalllmEngine(LocalllmSettings(**entry), None, pauses=pauses)
        engines: list[Engine] = [engine] + ([second] if second else [])
        routes = {"both": [f"phone/{model}", f"{second.name}/m"]} if second else {}
        async with running_adapter(
            engine=[entry], engines=engines, routes=routes, router=dict(router), server=dict(server or {}), key=keys or []
        ) as adapter:
            yield Place(fake, engine, adapter, "both" if second else f"phone/{model}")
