"""`InferrlmEngine` when something is wrong: with an answer (section 10), with a model's name, with the app itself.

Each becomes the error that says so, and health and models stay true meanwhile.
An answer that somebody else cut (the owner's chat, an unload) looks whole on the wire and cannot be told
from one (10.2); there is no test for noticing it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from adapter.chat import Started
from adapter.engines.inferrlm_probe import BELIEVED_S
from adapter.errors import (
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.fakes.inferrlm import LLAMA, QWEN, Build, FakeInferrLM, FakeModelRuntime, Script
from tests.wire.inferrlm_cases import (
    LONG,
    answer_of,
    chat_of,
    chats,
    engine_for,
    every_build,
    failed,
    let_go_of_seat,
    text_of,
)

# --- how answers go wrong (10) ---------------------------------------------------------------------------------


@every_build
async def test_failure_before_the_first_token(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(fail_after=0))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert events == [Started()]
        assert type(error) is EngineFailed
        assert "Failed to evaluate" in error.message
        assert len(chats(phone)) == 1  # a failure of its own is not tried again


@every_build
async def test_failure_in_the_middle(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(fail_after=3))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert len(events) == 1 + 3
        assert type(error) is EngineFailed


@every_build
async def test_an_empty_answer_is_an_error(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of("nothing"))
        assert events == [Started()]
        assert type(error) is UpstreamProtocol
        assert ("line break" in error.message) == (build != "A")


@every_build
async def test_a_lost_tail_is_an_error(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(lose_tail_after=2))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert len(events) == 1 + 2
        assert type(error) is UpstreamProtocol


@every_build
async def test_a_phone_that_vanishes_in_mid_answer_is_an_error(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(reset_after=2))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine)
        assert type(error) is UpstreamProtocol


@pytest.mark.parametrize("build", ["B", "C"])
async def test_a_full_context_restarts_the_answer_which_is_an_error(build: Build) -> None:
    """B and C begin again in the same stream; A ends as if complete (10.3)."""
    for full in ((3, 3, 3), (3, None)):
        runtime = FakeModelRuntime(script=Script(context_full_after=full))
        async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
            _, error = await failed(engine)
            assert type(error) is EngineFailed
            assert "started it again" in error.message


@every_build
async def test_a_prompt_over_the_window_never_reaches_the_phone(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of("word " * 7000))
        assert events == []
        assert type(error) is ContextTooLong
        assert chats(phone) == []


@every_build
async def test_a_prompt_that_only_the_app_finds_too_long(build: Build) -> None:
    runtime = FakeModelRuntime(n_ctx=20)
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine, chat_of("word " * 50))
        assert type(error) is ContextTooLong


@every_build
async def test_a_model_that_cannot_be_loaded(build: Build) -> None:
    runtime = FakeModelRuntime(failing_models=frozenset({QWEN}))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of(model=QWEN))
        assert events == []
        assert type(error) is EngineFailed
        assert QWEN in error.message
        assert await answer_of(engine)


@every_build
async def test_no_first_token_within_the_limit(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url, first_token_s=0.1) as engine:
        events, error = await failed(engine, chat_of("hang"))
        assert events == [Started()]
        assert type(error) is UpstreamTimeout
        assert "first_token_s" in error.message
        await let_go_of_seat(engine)
        if build != "B":  # C was released by our leaving, A by the next request; on B the owner must unload
            assert await answer_of(engine) == "Say hello to the harbour."


@every_build
async def test_a_stall_between_tokens(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(hang_after=3))
    async with (
        FakeInferrLM(build, engine=runtime) as phone,
        engine_for(phone.url, first_token_s=0.2, between_tokens_s=0.05) as engine,
    ):
        events, error = await failed(engine)
        assert len(events) == 1 + 3
        assert type(error) is UpstreamTimeout
        assert "between_tokens_s" in error.message


async def test_a_slow_reader_loses_nothing() -> None:
    """The app's bytes are taken off its hands at once: what it still holds when it closes is lost (4.3)."""
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        async with aclosing(engine.generate(chat_of())) as stream:
            events = [await anext(stream)]
            await phone.log.wait_for("completion_end")
            await let_go_of_seat(engine)  # the seat is free although the reader has read nothing yet
            events += [event async for event in stream]
        assert text_of(events) == "".join(LONG.pieces or ())


# --- models ------------------------------------------------------------------------------------------------------


@every_build
async def test_unknown_models_are_answered_with_the_nearest_names(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        for name in ("Llama-3.2-3B-Instruct", "gemini", "mmproj-model-f16.gguf"):
            _, error = await failed(engine, chat_of(model=name))
            assert type(error) is ModelNotFound
            assert LLAMA in error.message
        assert chats(phone) == []


async def test_a_phone_without_models() -> None:
    async with FakeInferrLM("B", models=[], loaded=None) as phone, engine_for(phone.url) as engine:
        assert await engine.models() == []
        health = await engine.health()
        assert not health.ready
        assert "download" in health.detail
        assert type((await failed(engine))[1]) is EngineUnavailable


async def test_health_never_loads_a_model() -> None:
    async with FakeInferrLM("B", loaded=None) as phone, engine_for(phone.url) as engine:
        health = await engine.health()
        assert health.ready
        assert "first answer takes longer" in health.detail
        await engine.models()
        assert len(phone.log) == 0


async def test_probes_are_answered_while_the_phone_generates() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        running = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("completion_start")
        assert (await engine.health()).ready
        assert await engine.models()
        await running
        assert phone.overlaps == 0


# --- the app comes and goes --------------------------------------------------------------------------------------


async def test_app_closed() -> None:
    async with FakeInferrLM("C") as phone:
        url = phone.url
    async with engine_for(url) as engine:
        assert await engine.models() == []
        health = await engine.health()
        events, error = await failed(engine)
    assert not health.ready
    assert events == []
    assert type(error) is UpstreamUnreachable
    assert error.status == 503
    for said in (error.message, health.detail):
        assert all(word in said for word in ("InferrLM", url, "Server screen"))


async def test_the_app_returns_as_another_build() -> None:
    async with FakeInferrLM("A") as phone:
        port, url = phone.port, phone.url
        async with engine_for(url) as engine:
            await answer_of(engine)
            await phone.__aexit__(None, None, None)
            assert type((await failed(engine))[1]) is UpstreamUnreachable
            async with FakeInferrLM("C", port=port) as updated:
                assert await answer_of(engine) == "Say hello to the harbour."
                assert "mirostat" not in chats(updated)[0].json["options"]
                assert "build C" in (await engine.health()).detail


async def test_an_update_that_nobody_noticed_is_found_after_a_while() -> None:
    now_s = 0.0
    async with FakeInferrLM("B") as phone:
        port = phone.port
        async with engine_for(phone.url, now_s=lambda: now_s) as engine:
            await answer_of(engine)
            await phone.__aexit__(None, None, None)
            async with FakeInferrLM("C", port=port):
                now_s += BELIEVED_S / 2
                assert "build B" in (await engine.health()).detail  # both builds call themselves 0.8.7
                now_s += BELIEVED_S
                assert "build C" in (await engine.health()).detail


async def test_another_version_is_noticed_by_the_next_look() -> None:
    async with FakeInferrLM("A") as phone:
        port = phone.port
        async with engine_for(phone.url) as engine:
            await engine.health()
            await phone.__aexit__(None, None, None)
            async with FakeInferrLM("B", port=port):
                assert "build B" in (await engine.health()).detail
