"""A pause at the engines that only have to begin nothing new: the apps, and servers on this phone. Their fakes see what comes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapter.engines.base import Adjusts, Engine, Placed, Pressure
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.llama.engine import LlamaEngine
from adapter.engines.localllm import LocalllmEngine
from adapter.engines.openai import OpenaiEngine
from adapter.engines.registry import Registry
from adapter.errors import EngineUnavailable
from adapter.settings import InferrlmSettings, LlamaSettings, LocalllmSettings, OpenaiSettings
from tests.fakes.inferrlm import FakeInferrLM, FakeModelRuntime
from tests.fakes.localllm import FakeLocalLLM
from tests.fakes.openai_server import FakeOpenAI
from tests.wire import inferrlm_cases, localllm_cases, openai_cases
from tests.wire.localllm_cases import until, watched

pytestmark = pytest.mark.usefixtures("never_blocking")

HOT = "The battery is at 45 degrees C."


async def pause(engine: Adjusts, level: Pressure = Pressure.PAUSE) -> None:
    await engine.pressure(level, reason=HOT, retry_after_s=120)


def is_told(error: BaseException) -> bool:
    return type(error) is EngineUnavailable and HOT in str(error) and error.retry_after_s == 120


refusing = pytest.mark.parametrize("level", [Pressure.PAUSE, Pressure.UNLOAD])


# --- InferrLM -------------------------------------------------------------------------------------------------------------


@refusing
async def test_inferrlm_begins_nothing_and_ends_what_it_began(level: Pressure) -> None:
    runtime = FakeModelRuntime(script=inferrlm_cases.LONG)
    async with FakeInferrLM("B", engine=runtime) as phone, inferrlm_cases.engine_for(phone.url) as engine:
        running = asyncio.create_task(inferrlm_cases.answer_of(engine))
        await phone.log.wait_for("completion_start")
        waiting = [asyncio.create_task(inferrlm_cases.answer_of(engine)) for _ in range(3)]
        await until(lambda: engine._seats.waiting == 3)
        await pause(engine, level)
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(is_told(error) for error in errors if isinstance(error, BaseException)) and len(errors) == 3
        assert not running.done(), "nobody had to wait for its end"
        _, error = await inferrlm_cases.failed(engine)
        assert is_told(error)
        health = await engine.health()
        assert (health.ready, HOT in health.detail) == (False, True)
        assert len(await engine.models()) > 0
        assert await running == "".join(inferrlm_cases.LONG.pieces or ())
        assert len(inferrlm_cases.chats(phone)) == 1
        await engine.pressure(Pressure.SERVE)
        assert (await engine.health()).ready
        assert await inferrlm_cases.answer_of(engine)


async def test_a_pause_that_comes_while_inferrlm_is_being_asked_who_it_is() -> None:
    """The request had its seat already."""
    async with FakeInferrLM("B") as phone, inferrlm_cases.engine_for(phone.url) as engine:
        asked = asyncio.create_task(inferrlm_cases.answer_of(engine))
        # Turn by turn: in the time of a longer wait the app would have said who it is.
        while engine._seats.taken == 0:  # noqa: ASYNC110 - the seats have no event for it
            await asyncio.sleep(0)
        await pause(engine)
        errors = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(errors[0], BaseException) and is_told(errors[0])
        assert (inferrlm_cases.chats(phone), engine._seats.taken) == ([], 0)


async def test_who_was_sent_away_never_runs_without_a_seat() -> None:
    """It had not begun to wait, and the pause was over before it did."""
    async with FakeInferrLM("B") as phone, inferrlm_cases.engine_for(phone.url) as engine:
        taken = engine._seats.take()
        asked = asyncio.create_task(inferrlm_cases.answer_of(engine))
        await asyncio.sleep(0)
        assert engine._seats.waiting == 1
        await pause(engine)
        await engine.pressure(Pressure.SERVE)
        errors = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(errors[0], BaseException) and is_told(errors[0])
        assert inferrlm_cases.chats(phone) == []
        taken.leave()


async def test_a_slow_phone_changes_nothing_for_an_app() -> None:
    async with FakeInferrLM("B") as phone, inferrlm_cases.engine_for(phone.url) as engine:
        await pause(engine, Pressure.SLOW)
        assert engine.capacity == 1
        assert await inferrlm_cases.answer_of(engine)


# --- LocalLLM --------------------------------------------------------------------------------------------------------------


@refusing
async def test_localllm_begins_nothing_and_ends_what_it_began(level: Pressure) -> None:
    async with FakeLocalLLM(overlap="crash") as phone, localllm_cases.engine_for(phone.url) as engine:
        with phone.hold() as gate:
            running = asyncio.create_task(localllm_cases.answer_of(engine))
            await gate.reached.wait()
            waiting = [asyncio.create_task(localllm_cases.answer_of(engine)) for _ in range(2)]
            vectors = asyncio.create_task(engine.embed("bge-small-en-v1.5", ["a"]))
            await until(lambda: engine._seats.waiting == 3)
            await pause(engine, level)
            errors = await asyncio.gather(*waiting, vectors, return_exceptions=True)
            assert [is_told(error) for error in errors if isinstance(error, BaseException)] == [True] * 3
            _, error = await localllm_cases.failed(engine)
            assert is_told(error)
            with pytest.raises(EngineUnavailable, match="45 degrees"):
                await engine.embed("bge-small-en-v1.5", ["a"])
            assert not (await engine.health()).ready
        assert await running
        assert len(localllm_cases.chats(phone)) == 1
        await engine.pressure(Pressure.SERVE)
        assert await localllm_cases.answer_of(engine)
        assert (phone.crashes, phone.overlaps) == (0, 0)


async def test_localllm_is_not_warmed_up_during_a_pause_but_after_it() -> None:
    def warm_ups() -> int:
        return sum(request.path == "/health/warm" for request in phone.requests)

    async with FakeLocalLLM() as phone:
        configured = LocalllmSettings(name="phone", kind="localllm", url=phone.url, warm=True, stream="never")
        engine = LocalllmEngine(configured, pauses=localllm_cases.PAUSES)
        try:
            await pause(engine)
            await engine.start()
            assert await engine.models()
            await watched(engine)
            assert await engine.models()
            await watched(engine)
            assert warm_ups() == 0
            await engine.pressure(Pressure.SERVE)
            assert await engine.models()
            await until(lambda: warm_ups() == 1)
            await watched(engine)
        finally:
            await engine.close()


# --- servers on this phone -----------------------------------------------------------------------------------------------


@refusing
async def test_a_server_on_this_phone_begins_nothing(level: Pressure) -> None:
    """Termux's own llama-server: answers, texts, vectors, and what would only be passed on."""
    async with FakeOpenAI() as server, openai_cases.engine_at(server.url) as engine:
        assert engine.on_this_phone
        assert openai_cases.text_of(await openai_cases.answered(engine, openai_cases.chat()))
        before = len(server.requests)
        await pause(engine, level)
        with pytest.raises(EngineUnavailable) as caught:
            await openai_cases.answered(engine, openai_cases.chat())
        assert is_told(caught.value)
        with pytest.raises(EngineUnavailable) as caught:
            await openai_cases.relayed(engine, openai_cases.wire(stream=True))
        assert is_told(caught.value)
        with pytest.raises(EngineUnavailable) as caught:
            await engine.embed("m", ["a"])
        assert is_told(caught.value)
        assert not (await engine.health()).ready
        assert len(server.requests) == before
        await engine.pressure(Pressure.SERVE)
        assert openai_cases.text_of(await openai_cases.answered(engine, openai_cases.chat()))


# --- who is told ---------------------------------------------------------------------------------------------------------------


def engines(home: Path) -> list[Engine]:
    def openai(name: str, url: str) -> OpenaiEngine:
        return OpenaiEngine(OpenaiSettings(name=name, kind="openai", url=url))

    return [
        InferrlmEngine(InferrlmSettings(name="inferrlm", kind="inferrlm")),
        InferrlmEngine(InferrlmSettings(name="other-phone", kind="inferrlm", url="http://192.168.1.9:8889")),
        LocalllmEngine(LocalllmSettings(name="localllm", kind="localllm")),
        LocalllmEngine(LocalllmSettings(name="other-localllm", kind="localllm", url="http://192.168.1.9:8099")),
        openai("termux", "http://127.0.0.1:8080/v1"),
        openai("laptop", "http://192.168.1.2:11434/v1"),
        openai("cloud", "https://api.example.com/v1"),
        LlamaEngine(LlamaSettings(name="demo", kind="llama"), home),
    ]


async def test_every_engine_on_this_phone_is_told_and_no_other(tmp_path: Path) -> None:
    registry = Registry(engines(tmp_path), {})
    try:
        here = ["inferrlm", "localllm", "termux", "demo"]
        assert registry.on_this_phone == here
        assert await registry.pressure(Pressure.PAUSE, reason=HOT, retry_after_s=120) == here
        for name, engine in registry.engines.items():
            assert isinstance(engine, Adjusts) and (name == "demo" or isinstance(engine, Placed))
            health = await engine.health() if name in here else None
            assert health is None or HOT in health.detail
    finally:
        await registry.close()


# --- the embedded engine ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def embedded(home: Path, **settings: Any) -> AsyncIterator[LlamaEngine]:
    """Without a model file: what is asked of it stops at the pause, or at that."""
    async with AsyncExitStack() as stack:
        engine = LlamaEngine(LlamaSettings(name="demo", kind="llama", model="no-such-model", **settings), home)
        stack.push_async_callback(engine.close)
        yield engine


@refusing
async def test_the_embedded_engine_gives_the_reason_too(tmp_path: Path, level: Pressure) -> None:
    async with embedded(tmp_path) as engine:
        await pause(engine, level)
        for what in (anext(engine.generate(openai_cases.chat())), engine.embed("m", ["a"]), engine.detokenize("m", [1])):
            with pytest.raises(EngineUnavailable) as caught:
                await what
            assert is_told(caught.value)
        assert HOT in (await engine.health()).detail
        await engine.pressure(level, reason="The battery is nearly empty.", retry_after_s=5)
        assert (await engine.health()).detail.count("nearly empty") == 1, "the same level for another reason"
        await engine.pressure(Pressure.SERVE)
        with pytest.raises(EngineUnavailable) as caught:
            await engine.embed("m", ["a"])
        assert not is_told(caught.value)


async def test_the_embedded_engines_seats_follow(tmp_path: Path) -> None:
    async with embedded(tmp_path, slots=3) as engine:
        found = []
        for level in Pressure:
            await pause(engine, level)
            found.append(engine.capacity)
        assert found == [3, 1, 3, 3]
