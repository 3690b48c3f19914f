"""What a Farmhand lists of other servers, and how long it lets itself be kept waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapter.chat import Chat, Event, Finished, Started
from adapter.dialects.hops import HOPS_HEADER
from adapter.engines.base import Can, Health, ModelCard, Raw, Wire
from adapter.engines.echo import EchoEngine
from adapter.engines.registry import HURRY_S, Registry
from adapter.server.state import INSTANCE
from adapter.settings import EchoSettings
from tests.fakes.openai_server import FakeOpenAI
from tests.wire.openai_cases import engine_at
from tests.wire.server import RunningAdapter, running_adapter


class Slow:
    """Another server, which says what it has when it is told to."""

    name = "slow"

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = 0
        self.cards = [ModelCard("theirs", 4_096, 1_024, via=("c",))]

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def models(self) -> Sequence[ModelCard]:
        self.asked += 1
        await self.may_answer.wait()
        return self.cards

    async def health(self) -> Health:
        return Health(True, "It is slow.")

    def relay(self, chat: Chat, wire: Wire) -> AsyncGenerator[Started | Raw | Finished, None] | None:
        return None

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        raise AssertionError("nobody asks it for an answer")
        yield Started()


async def listed(adapter: RunningAdapter, *hops: str) -> dict[str, Any]:
    headers = {HOPS_HEADER: ", ".join(hops)} if hops else {}
    async with asyncio.timeout(10), adapter.session.get("/v1/models", headers=headers) as response:
        assert response.status == 200
        return {model["id"]: model["farmhand"] for model in (await response.json())["data"]}


async def test_another_farmhand_is_not_kept_waiting_for_a_third(tmp_path: Path) -> None:
    """It may be that third one. What was known is told; what is not known yet is there when it is asked again."""
    slow = Slow()
    async with running_adapter(engines=[EchoEngine(EchoSettings(name="own", kind="echo"), tmp_path), slow]) as adapter:
        began_s = asyncio.get_running_loop().time()
        assert "theirs" not in await listed(adapter, "a")
        assert asyncio.get_running_loop().time() - began_s < HURRY_S + 0.5
        assert slow.asked == 1
        waiting = asyncio.create_task(listed(adapter))  # a client of ours waits for the same question
        slow.may_answer.set()
        assert "theirs" in await waiting
        assert slow.asked == 1
        assert "theirs" in await listed(adapter, "a")


async def test_what_was_said_before_is_told_while_it_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    slow.may_answer.set()
    registry = Registry([slow], {})
    (before,) = await registry.listings()
    monkeypatch.setattr("adapter.engines.registry.LISTING_S", 0.0)
    slow.may_answer.clear()
    slow.cards = [ModelCard("newer", 4_096, 1_024)]
    for _ in range(3):
        assert await registry.listings(waiting=False) == [before]
    await asyncio.sleep(0)  # the question begins
    assert slow.asked == 2
    slow.may_answer.set()
    (after,) = await registry.listings()
    assert [card.id for card in after.cards] == ["newer"]
    await registry.close()


async def test_each_model_says_through_whom_it_is_reached(tmp_path: Path) -> None:
    slow = Slow()
    slow.may_answer.set()
    async with running_adapter(engines=[EchoEngine(EchoSettings(name="own", kind="echo"), tmp_path), slow]) as adapter:
        models, own = await listed(adapter), adapter.app[INSTANCE]
    assert models["theirs"]["via"] == [own, "c"]
    assert models["echo"]["via"] == [own]


async def test_what_another_farmhand_has_of_ours_is_not_listed() -> None:
    """Nor what it has of ours through a third one."""
    slow = Slow()
    slow.may_answer.set()
    slow.cards = [ModelCard("far", 4_096, 1_024, via=("b", "a")), ModelCard("near", 4_096, 1_024, via=("b",))]
    async with running_adapter(engines=[slow]) as adapter:
        async with engine_at(f"{adapter.url}/v1", key=adapter.key, instance="a") as engine:
            cards = {card.id: card for card in await engine.models()}
        assert "near" in cards and "far" not in cards
        assert cards["near"].via == (adapter.app[INSTANCE], "b")


async def test_embedding_models_by_setting() -> None:
    async with FakeOpenAI(models=("demo", "other")) as fake, engine_at(fake.url, embeddings=["demo"]) as engine:
        cards = {card.id: card.can for card in await engine.models()}
        assert cards["demo"] == {Can.EMBEDDINGS}
        assert Can.CHAT in cards["other"]
        assert (await engine.embed("demo", ["x"])).vectors
