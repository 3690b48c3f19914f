"""`InferrlmEngine` as a `Seated` engine: when the app's one place is really free again (sections 11 and 12)."""

from __future__ import annotations

import asyncio

import pytest

from adapter.engines.base import Seated
from tests.fakes.inferrlm import Build, FakeInferrLM, FakeModelRuntime
from tests.wire.inferrlm_cases import LONG, answer_of, engine_for, every_build, leave_after_text


async def test_an_engine_that_never_ran_is_settled() -> None:
    async with FakeInferrLM("B") as phone, engine_for(phone.url) as engine:
        assert isinstance(engine, Seated)
        assert engine.capacity == 1
        async with asyncio.timeout(5):
            await engine.settled()


@every_build
async def test_settled_waits_for_an_abandoned_answer(build: Build) -> None:
    """Builds A and B run it to its end; C stops at the next token."""
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        await leave_after_text(engine)
        assert engine._seats.taken == 1
        async with asyncio.timeout(10):
            await engine.settled()
        assert engine._seats.taken == 0
        assert phone.log.of("completion_end")
        assert await answer_of(engine) == "".join(LONG.pieces or ())
        assert phone.overlaps == 0


async def test_whoever_stops_waiting_harms_no_run() -> None:
    async with (
        FakeInferrLM("B", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        running = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("completion_start")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await engine.settled()
        assert await running == "".join(LONG.pieces or ())
