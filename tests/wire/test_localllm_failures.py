"""`LocalllmEngine` and everything that goes wrong at the app, by whose fault it is (`protocols/localllm.md` 5, 8.5, 18)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter.chat import Started
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.secrets import SecretError
from tests.fakes.localllm import AICORE_ID, Build, FakeLocalLLM, Reply
from tests.wire.localllm_cases import (
    GEMMA,
    PAUSES,
    answer_of,
    chat_of,
    chats,
    closed_port,
    engine_for,
    failed,
    until,
)

LONG = Reply(tuple(f"w{n} " for n in range(12)))


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize(
    ("order", "kind", "said"),
    [
        ({"message": "no non-system messages"}, BadRequest, "of the user"),
        ({"message": "Input token ids are too long: 892 >= 256"}, ContextTooLong, "256 tokens. However"),
        ({"message": "something native broke"}, EngineFailed, "something native broke"),
        ({"body": "java.lang.OutOfMemoryError", "content_type": "text/plain"}, EngineFailed, "OutOfMemory"),
        ({"body": "", "content_type": "text/plain"}, EngineFailed, "status 500"),
        ({"status": 401, "type": "invalid_api_key"}, UpstreamRefused, "`key`"),
        ({"status": 408, "type": "timeout"}, UpstreamTimeout, "request timeout"),
        ({"status": 413, "type": "invalid_request_error"}, ContextTooLong, "max prompt chars"),
        ({"status": 400, "type": "invalid_request_error"}, UpstreamProtocol, "400"),
        ({"status": 404, "body": "", "content_type": "text/plain"}, UpstreamProtocol, "404"),
        ({"status": 405, "body": "", "content_type": "text/plain"}, UpstreamProtocol, "405"),
        ({"status": 406, "body": "", "content_type": "text/plain"}, UpstreamProtocol, "406"),
        ({"status": 429, "type": "rate_limit_error", "message": "Queue full"}, QueueFull, "Queue full"),
        ({"status": 503, "code": "LITERT_INIT_FAILED", "type": "litert_engine_failed"}, EngineUnavailable, "load"),
        ({"status": 425, "code": "AICORE_DOWNLOADING", "type": "aicore_unavailable"}, EngineUnavailable, "downloading"),
        ({"status": 503, "code": "AICORE_DOWNLOADABLE", "type": "aicore_unavailable"}, EngineUnavailable, "Models tab"),
        ({"status": 503, "code": "AICORE_UNAVAILABLE", "type": "aicore_unavailable"}, EngineUnavailable, "this phone"),
        ({"status": 503, "code": "AICORE_UNKNOWN", "type": "aicore_unavailable"}, EngineUnavailable, "this phone"),
        (
            {"status": 403, "code": "AICORE_BACKGROUND_BLOCKED", "type": "aicore_background_blocked"},
            EngineUnavailable,
            "on the screen",
        ),
        ({"code": "AICORE_RUNTIME_ERROR", "type": "aicore_runtime_error"}, EngineFailed, "Gemini Nano failed"),
    ],
)
async def test_each_error_by_whose_fault_it_is(
    order: dict[str, object], kind: type[AdapterError], said: str, stream: str
) -> None:
    async with FakeLocalLLM(deltas="correct") as phone, engine_for(phone.url, stream=stream) as engine:
        phone.fail_next(**order)  # type: ignore[arg-type]
        events, error = await failed(engine)
        assert (events, type(error)) == ([], kind)
        assert said in error.message
        assert (error.retry_after_s is not None) == (kind in (QueueFull, EngineUnavailable))
        assert len(chats(phone)) == 1, "nothing is asked again blindly"
        assert await answer_of(engine) == "say hello to the harbour"


async def test_numbers_of_a_prompt_that_is_too_long_are_read_from_the_app() -> None:
    async with FakeLocalLLM(context_tokens=30) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine, chat_of("word " * 50))
        assert isinstance(error, ContextTooLong)
        assert error.context_tokens == 30
        assert error.prompt_tokens is not None and error.prompt_tokens > 50


@pytest.mark.parametrize("words", ["stuck conversation: the engine was thrown away", "Conversation is not alive"])
async def test_a_conversation_in_the_way_is_tried_again_once(words: str) -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        phone.fail_next(message=words)
        assert await answer_of(engine) == "say hello to the harbour"
        assert len(chats(phone)) == 2
        phone.fail_next(message=words)
        phone.fail_next(message=words)
        _, error = await failed(engine)
        assert type(error) is EngineFailed
        assert len(chats(phone)) == 4


async def test_a_stuck_engine_after_a_failed_first_turn_costs_one_retry() -> None:
    """7.5, as the app makes it."""
    async with FakeLocalLLM() as phone, engine_for(phone.url, sessions=True) as engine:
        phone.fail_after(2)
        _, error = await failed(engine)
        assert type(error) is EngineFailed
        assert await answer_of(engine) == "say hello to the harbour"
        assert any("stuck" in line for line in phone.log)


@pytest.mark.parametrize("how", ["frame", "cut"])
@pytest.mark.parametrize("after", [0, 3, 12])
async def test_a_stream_that_fails_in_the_middle_is_an_error(how: str, after: int) -> None:
    """8.5: an error frame, or the end without `[DONE]`; never a short answer that looks whole."""
    async with (
        FakeLocalLLM(reply=LONG, deltas="correct", mid_stream_failure=how) as phone,  # type: ignore[arg-type]
        engine_for(phone.url, stream="always") as engine,
    ):
        phone.fail_after(after)
        _, error = await failed(engine)
        assert type(error) is (EngineFailed if how == "frame" else UpstreamProtocol)
        assert len(chats(phone)) == 1
        assert await answer_of(engine) == "".join(LONG.pieces)


@pytest.mark.parametrize("build", ["monolith", "warm"])
async def test_a_model_that_vanishes_is_not_found(build: Build) -> None:
    async with FakeLocalLLM(build=build, models=(GEMMA,)) as phone, engine_for(phone.url) as engine:
        await engine.models()
        phone.options = replace(phone.options, models=())
        phone._app.options = phone.options  # type: ignore[union-attr]
        phone._app.registry._options = phone.options  # type: ignore[union-attr]
        _, error = await failed(engine)
        assert isinstance(error, ModelNotFound)


async def test_an_empty_answer_is_an_error() -> None:
    async with FakeLocalLLM(reply=Reply(())) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine)
        assert type(error) is UpstreamProtocol
        assert "without a word" in error.message


async def test_a_crash_is_told_and_the_app_found_again() -> None:
    """5.1, row 19."""
    async with FakeLocalLLM() as phone, engine_for(phone.url, warm=True) as engine:
        await engine.models()
        await until(lambda: any(r.path == "/health/warm" for r in phone.requests))
        await until(lambda: engine._seats.taken == 0)
        with phone.hold() as gate:
            running = asyncio.create_task(failed(engine))
            await gate.reached.wait()
            await phone.crash()
            _, error = await running
        assert isinstance(error, EngineFailed)
        assert "crashed" in error.message
        await phone.came_back()
        await until(lambda: sum(r.path == "/health/warm" for r in phone.requests) == 2)
        assert await answer_of(engine) == "say hello to the harbour"
        assert (phone.crashes, phone.overlaps) == (1, 0)


async def test_a_crash_in_a_stream_is_an_error_after_the_text() -> None:
    async with (
        FakeLocalLLM(reply=LONG, deltas="correct") as phone,
        engine_for(phone.url, stream="always") as engine,
    ):
        stream = engine.generate(chat_of())
        assert await anext(stream) == Started()
        with phone.hold():
            await anext(stream)
            await phone.crash()
            with pytest.raises(AdapterError) as caught:
                async for _ in stream:
                    pass
        assert isinstance(caught.value, UpstreamProtocol | EngineFailed)
        await phone.came_back()
        assert await answer_of(engine) == "".join(LONG.pieces)


async def test_a_restart_is_noticed_by_the_number_of_the_request() -> None:
    """9, 18 rule 16: what was found out about the streams of the process before is forgotten."""
    async with FakeLocalLLM(deltas="correct") as phone, engine_for(phone.url, stream="auto") as engine:
        for _ in range(3):
            await answer_of(engine)
        first = engine._life
        await phone.crash()
        await phone.came_back()
        await answer_of(engine)
        assert engine._life is not first
        await answer_of(engine)
        modes = [request.json["stream"] for request in chats(phone)]
        assert modes == [False, True, True, True, True, True, False, True, True]


async def test_nobody_there() -> None:
    with closed_port() as port:
        async with engine_for(f"http://127.0.0.1:{port}") as engine:
            assert await engine.models() == []
            health = await engine.health()
            assert not health.ready and "open LocalLLM" in health.detail
            _, error = await failed(engine)
            assert type(error) is UpstreamUnreachable


async def test_the_key() -> None:
    """4: `/health` says nothing about it."""
    async with FakeLocalLLM(key="s3cret") as phone:
        async with engine_for(phone.url, key="s3cret") as engine:
            assert await answer_of(engine) == "say hello to the harbour"
            assert (await engine.health()).ready
            assert chats(phone)[0].headers["authorization"] == "Bearer s3cret"
        for wrong in ("other", None):
            async with engine_for(phone.url, key=wrong) as engine:
                assert await engine.models() == []
                health = await engine.health()
                assert not health.ready and "`key`" in health.detail
                _, error = await failed(engine)
                assert type(error) is UpstreamRefused


FRAME = 'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":%s}]}\n\n'
FINAL = 'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
TEXT = FRAME % '{"content":"some text"}'


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (TEXT + FINAL + "data: [DONE]\n\n", True),
        (TEXT + FINAL + "data: [DONE]\n\nrubbish that nobody reads", True),
        (TEXT, False),
        (TEXT + FINAL, False),
        (TEXT + "data: [DONE]\n\n", False),
        (TEXT + FINAL[:-9], False),
        ("", False),
    ],
)
async def test_a_stream_that_ends_orderly_but_is_not_whole(body: str, whole: bool) -> None:
    """8.5: only the final frame and `[DONE]` together make it whole, however the connection ends."""

    async def told(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/health":
                return web.json_response({"service": "localllm-android"})
            case "/v1/models":
                return web.json_response({"data": [{"id": GEMMA}]})
            case "/v1/chat/completions":
                return web.Response(body=body.encode(), headers={"Content-Type": "text/event-stream"})
            case _:
                return web.Response(status=404)

    async with TestServer(web_app(told)) as server, engine_for(str(server.make_url("")), stream="always") as engine:
        if whole:
            assert await answer_of(engine) == "some text"
        else:
            _, error = await failed(engine)
            assert type(error) is UpstreamProtocol


def web_app(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


async def test_a_key_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(SecretError, match=r'"phone": key'):
        async with engine_for("http://127.0.0.1:9", key="file:/nowhere/at/all"):
            pass


async def test_aicore_as_the_app_refuses_it() -> None:
    for state, said in [("background", "on the screen"), ("downloading", "downloading"), ("downloadable", "Models tab")]:
        async with FakeLocalLLM(aicore=state) as phone, engine_for(phone.url) as engine:  # type: ignore[arg-type]
            events, error = await failed(engine, chat_of(model=AICORE_ID))
            assert (events, type(error)) == ([], EngineUnavailable)
            assert said in error.message


async def test_gemini_nano_is_not_listed_where_the_phone_has_none() -> None:
    """6: the app lists it everywhere."""
    async with FakeLocalLLM(aicore="unavailable") as phone, engine_for(phone.url) as engine:
        assert AICORE_ID not in {card.id for card in await engine.models()}
        assert (await engine.health()).ready
    async with FakeLocalLLM(aicore="downloading", models=()) as phone, engine_for(phone.url) as engine:
        health = await engine.health()
        assert not health.ready and "Gemini Nano is downloading" in health.detail


async def test_a_stall_in_a_stream_is_told_and_the_seat_kept() -> None:
    async with (
        FakeLocalLLM(reply=LONG, deltas="correct") as phone,
        engine_for(phone.url, stream="always", between_tokens_s=0.1) as engine,
    ):
        stream = engine.generate(chat_of())
        assert await anext(stream) == Started()
        with phone.hold():
            with pytest.raises(UpstreamTimeout, match="between_tokens_s"):
                async for _ in stream:
                    pass
            assert engine._seats.taken == 1
        await engine.settled()
        assert engine._seats.taken == 0


async def test_an_answer_that_never_comes_is_given_up() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url, pauses=PAUSES) as engine:
        engine._limits = replace(engine._limits, whole_s=0.2)
        with phone.hold():
            _, error = await failed(engine)
            assert type(error) is UpstreamTimeout
            assert engine._seats.taken == 1
            async with asyncio.timeout(5):
                await engine.settled()
            assert engine._seats.taken == 0
