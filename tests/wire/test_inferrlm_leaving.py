"""Clients of `InferrlmEngine` that leave, at every moment (section 12), and the engine that is closed or breaks.

Nobody else is harmed, nothing hangs, and the seat is free only when the model has stopped.
"""

from __future__ import annotations

import asyncio

import pytest

from adapter.chat import Started
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.inferrlm_run import Pauses
from adapter.errors import EngineUnavailable
from adapter.settings import InferrlmSettings
from tests.fakes.inferrlm import Build, FakeInferrLM, FakeModelRuntime, Script
from tests.wire.inferrlm_cases import (
    LONG,
    answer_of,
    chat_of,
    chats,
    engine_for,
    every_build,
    failed,
    let_go_of_seat,
    nobody_connected,
)


@every_build
async def test_leaving_the_queue_harms_nobody(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        first = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("completion_start")
        queued = asyncio.create_task(answer_of(engine))
        last = asyncio.create_task(answer_of(engine))
        await asyncio.sleep(0.02)
        queued.cancel()
        await asyncio.gather(queued, return_exceptions=True)
        assert await first == await last == "".join(LONG.pieces or ())
        assert len(chats(phone)) == 2
        assert phone.overlaps == 0


@every_build
async def test_leaving_before_the_headers_keeps_the_seat_until_the_app_is_done(build: Build) -> None:
    """A load does not notice that its client has left (6)."""
    async with (
        FakeInferrLM(build, loaded=None, load_delay_s=0.1, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        leaver = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("init_llama")
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        await answer_of(engine, chat_of(max_tokens=1))
        assert phone.overlaps == 0
        abandoned = phone.log.of("completion_end")[0].fields["n"]
        assert abandoned < 40 if build == "C" else abandoned == 40
        assert phone.connections[chats(phone)[0].connection].closed_by != "reset"


async def test_leaving_before_anything_was_sent_sends_nothing() -> None:
    async with FakeInferrLM("B") as phone, engine_for(phone.url) as engine:
        run = engine._start(await engine._plan(chat_of()), engine._seats.take())
        run.leave()
        await run.task
        assert chats(phone) == []
        assert engine._seats.taken == 0


async def test_leaving_before_the_headers_on_c_is_made_good_when_they_come() -> None:
    """Without waiting for text, which may never come."""
    async with (
        FakeInferrLM("C", loaded=None, load_delay_s=0.05) as phone,
        engine_for(phone.url) as engine,
    ):
        leaver = asyncio.create_task(answer_of(engine, chat_of("hang")))
        await phone.log.wait_for("init_llama")
        leaver.cancel()
        await phone.log.wait_for("completion_end")
        assert await answer_of(engine)
        assert phone.overlaps == 0


async def test_leaving_while_the_app_is_only_asked_again_ends_at_once() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=Script(refuse="MODEL_BUSY"))) as phone,
        engine_for(phone.url, pauses=Pauses(retry_s=(100.0,))) as engine,
    ):
        stream = engine.generate(chat_of())
        assert await anext(stream) == Started()
        await nobody_connected(phone)
        await stream.aclose()
        async with asyncio.timeout(5):
            await let_go_of_seat(engine)
        assert len(chats(phone)) == 1


@every_build
async def test_closing_the_engine_ends_what_runs(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=Script(hang_after=2))) as phone,
        engine_for(phone.url) as engine,
    ):
        running, queued = (asyncio.create_task(failed(engine)) for _ in range(2))
        await phone.log.wait_for("completion_start")
        await engine.close()
        assert type((await running)[1]) is EngineUnavailable
        assert type((await queued)[1]) is EngineUnavailable
        await engine.close()


async def test_a_fault_of_ours_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may wait for ever because a background task broke."""
    async with FakeInferrLM("C") as phone, engine_for(phone.url) as engine:
        monkeypatch.setattr("adapter.engines.inferrlm_run.parse_records", lambda values: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await answer_of(engine)
        monkeypatch.undo()
        assert await answer_of(engine)


async def test_close_before_start_does_nothing() -> None:
    engine = InferrlmEngine(InferrlmSettings(name="phone", kind="inferrlm"))
    await engine.close()
    await engine.close()
