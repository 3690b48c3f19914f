"""When things are sent: the held status, keep-alives, failures early and late, and fallback to the next target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from adapter.chat import ReasoningDelta, Started, TextDelta
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    QueueFull,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.fakes.scripted_engine import END, Call, ScriptedEngine, Step
from tests.wire.raw import CHAT, chat, frames, text_of
from tests.wire.safe_form import check_error, check_plain, check_stream
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

NEVER_S = 60.0  # longer than any test waits
QUICK: dict[str, Any] = {"status_hold_s": 0.05, "keepalive_s": 0.05}
HOLDING: dict[str, Any] = {"status_hold_s": NEVER_S, "keepalive_s": NEVER_S}
AT_ONCE: dict[str, Any] = {"status_hold_s": 0.0, "keepalive_s": NEVER_S}

FAILURES = [
    (QueueFull("full"), 429, "5"),
    (UpstreamUnreachable("closed; open it", retry_after_s=7), 503, "7"),
    (UpstreamTimeout("silent"), 504, None),
    (UpstreamProtocol("gibberish"), 502, None),
    (EngineFailed("broke"), 500, None),
    (BadRequest("no", param="seed"), 400, None),
]


@asynccontextmanager
async def answering(
    engine: ScriptedEngine, server: dict[str, Any], *, stream: bool = True
) -> AsyncIterator[tuple[RunningAdapter, Call, asyncio.Task[aiohttp.ClientResponse]]]:
    """One request under way: its call in the engine, and a task that ends when its status arrives."""
    async with running_adapter(engines=[engine], server=server) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat(stream=stream)))
        try:
            yield adapter, await engine.next_call(), asked
        finally:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                asked.result().close()
            asked.cancel()


async def rest(response: aiohttp.ClientResponse) -> list[Any]:
    async with asyncio.timeout(10):
        return [frame async for frame in frames(response)]


# --- the status -----------------------------------------------------------------------------------------------


async def test_the_status_waits_for_the_first_text() -> None:
    async with answering(ScriptedEngine(), HOLDING) as (_, call, asked):
        call.start()
        done, _ = await asyncio.wait([asked], timeout=0.1)
        assert not done, "Started alone says nothing to a client"
        call.say("a")
        response = await asked
        call.finish()
        chunks = await rest(response)
    assert response.status == 200
    check_stream(chunks, usage=False)
    assert text_of(chunks) == "a"


async def test_reasoning_ends_the_hold_too() -> None:
    async with answering(ScriptedEngine(), HOLDING) as (_, call, asked):
        call.do(Started(), ReasoningDelta("hm"))
        response = await asked
        call.finish()
        chunks = await rest(response)
    assert chunks[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize(("error", "status", "retry"), FAILURES, ids=lambda value: type(value).__name__)
async def test_an_early_failure_keeps_its_status(
    error: AdapterError, status: int, retry: str | None, started: bool, stream: bool
) -> None:
    """Within the hold, before and after `Started`: body, status and Retry-After as for a plain answer."""
    steps: list[Step] = [Started(), error] if started else [error]
    async with (
        running_adapter(engines=[ScriptedEngine(script=steps)], server=HOLDING) as adapter,
        adapter.session.post(CHAT, json=chat(stream=stream)) as response,
    ):
        assert (response.status, response.headers.get("Retry-After")) == (status, retry)
        body = await response.json()
    check_error(body)
    assert body["error"] == {
        "message": error.message, "type": error.type, "param": error.param, "code": error.code,
    }  # fmt: skip


async def test_an_answer_without_an_end_is_no_answer() -> None:
    """An engine that breaks its contract: an error, never a 200 with nothing or half of it."""

    class Endless(ScriptedEngine):
        async def generate(self, chat: Any) -> Any:
            yield Started()

    async with running_adapter(engines=[Endless()], server=HOLDING) as adapter:
        for stream in (True, False):
            async with adapter.session.post(CHAT, json=chat(stream=stream)) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (
                    502,
                    "upstream_protocol",
                )


# --- keep-alive -----------------------------------------------------------------------------------------------


async def test_after_the_hold_the_role_and_then_empty_chunks_until_text_comes() -> None:
    """Empty content is the only form of patience that keeps every direct client (clients.md 6)."""
    async with answering(ScriptedEngine(), QUICK) as (_, call, asked):
        response = await asked  # without any text
        chunks: list[Any] = []
        async with asyncio.timeout(10):
            async for chunk in frames(response):
                chunks.append(chunk)
                if len(chunks) == 4:
                    call.start()
                    call.say("x")
                    call.finish()
    check_stream(chunks, usage=False)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[1:4] == [{"content": ""}] * 3
    assert deltas[-2:] == [{"content": "x"}, {}]


async def test_silence_between_tokens_is_filled_too() -> None:
    async with answering(ScriptedEngine(), QUICK) as (_, call, asked):
        call.say("a")
        response = await asked
        chunks: list[Any] = []
        async with asyncio.timeout(10):
            async for chunk in frames(response):
                chunks.append(chunk)
                if len(chunks) == 4:
                    call.say("b")
                    call.finish()
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]]
    assert deltas[:4] == ["", "a", "", ""]
    assert text_of(chunks) == "ab"


async def test_a_running_answer_needs_no_empty_chunks() -> None:
    async with answering(ScriptedEngine(), AT_ONCE) as (_, call, asked):
        call.say(*"abc")
        call.finish()
        chunks = await rest(await asked)
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]] == ["", "a", "b", "c", None]


async def test_a_hold_of_zero_sends_the_status_at_once() -> None:
    async with answering(ScriptedEngine(), AT_ONCE) as (_, call, asked):
        response = await asked
        assert response.status == 200
        call.finish()
        check_stream(await rest(response), usage=False)


# --- failures in the stream -----------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [AT_ONCE, HOLDING], ids=["before text", "after text"])
async def test_a_late_failure_is_an_error_frame_and_the_end(server: dict[str, Any]) -> None:
    """Never `[DONE]` after it, and no finish_reason: a clean end would pass for success (clients.md 2.3)."""
    async with answering(ScriptedEngine(), server) as (_, call, asked):
        if server is HOLDING:
            call.say("half ")
        response = await asked
        call.say("an answer")
        call.fail(EngineFailed("It broke."))
        chunks = await rest(response)
        assert call.closed.is_set()
    check_error(chunks[-1])
    assert chunks[-1]["error"]["message"] == "It broke."
    assert "[DONE]" not in chunks
    assert text_of(chunks).endswith("an answer"), "what was said before the failure arrives before it"
    assert all(choice["finish_reason"] is None for chunk in chunks[:-1] for choice in chunk["choices"])


async def test_a_bug_in_mid_stream_shows_no_details(caplog: pytest.LogCaptureFixture) -> None:
    async with answering(ScriptedEngine(), HOLDING) as (_, call, asked):
        call.say("a")
        response = await asked
        call.fail(RuntimeError("secret detail"))
        chunks = await rest(response)
    assert chunks[-1]["error"]["code"] == "internal_error"
    assert "secret" not in str(chunks) and "RuntimeError: secret detail" in caplog.text


async def test_an_answer_cut_short_in_mid_stream_is_an_error() -> None:
    class Short(ScriptedEngine):
        async def generate(self, chat: Any) -> Any:
            yield Started()
            yield TextDelta("half")

    async with (
        running_adapter(engines=[Short()], server=HOLDING) as adapter,
        adapter.session.post(CHAT, json=chat(stream=True)) as response,
    ):
        chunks = await rest(response)
    assert text_of(chunks) == "half" and chunks[-1]["error"]["code"] == "upstream_protocol"


# --- fallback -------------------------------------------------------------------------------------------------


def two(first: list[Any], second: list[Any]) -> dict[str, Any]:
    engines = [ScriptedEngine("one", first), ScriptedEngine("two", second)]
    return {"engines": engines, "routes": {"r": ["one/m", "two/m"]}, "server": HOLDING}


GOOD = [Started(), TextDelta("from two"), END]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "first",
    [
        [UpstreamUnreachable("closed")],
        [QueueFull("full")],
        [ContextTooLong.of(context_tokens=1, prompt_tokens=2)],
        [Started(), UpstreamTimeout("silent")],
    ],
    ids=["closed", "full", "too long", "silent"],
)
async def test_the_next_target_answers_where_the_first_cannot(first: list[Any], stream: bool) -> None:
    async with (
        running_adapter(**two(first, GOOD)) as adapter,
        adapter.session.post(CHAT, json=chat(model="r", stream=stream)) as response,
    ):
        assert response.status == 200
        if stream:
            chunks = await rest(response)
            check_stream(chunks, usage=False)
            assert (text_of(chunks), chunks[-2]["farmhand"]["engine"]) == ("from two", "two")
        else:
            body = await response.json()
            check_plain(body)
            assert body["farmhand"]["engine"] == "two"


async def test_after_the_first_text_nobody_else_takes_over() -> None:
    """Two halves of two answers are no answer."""
    async with (
        running_adapter(**two([Started(), TextDelta("from one"), EngineFailed("broke")], GOOD)) as adapter,
        adapter.session.post(CHAT, json=chat(model="r", stream=True)) as response,
    ):
        chunks = await rest(response)
    assert (text_of(chunks), chunks[-1]["error"]["message"]) == ("from one", "broke")


async def test_a_request_at_fault_is_not_tried_elsewhere() -> None:
    async with (
        running_adapter(**two([BadRequest("no", param="top_k")], GOOD)) as adapter,
        adapter.session.post(CHAT, json=chat(model="r")) as response,
    ):
        assert (response.status, (await response.json())["error"]["param"]) == (400, "top_k")


async def test_when_all_fail_the_first_ones_error_is_told() -> None:
    """It is the preferred engine's, so its remedy is the useful one."""
    async with (
        running_adapter(
            **two([UpstreamUnreachable("open it", retry_after_s=9)], [QueueFull("full")])
        ) as adapter,
        adapter.session.post(CHAT, json=chat(model="r")) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "9")
        assert (await response.json())["error"]["message"] == "open it"


# --- many -----------------------------------------------------------------------------------------------------


async def test_a_hundred_at_once() -> None:
    """All of them streams under way at the same time, each gets its own text, in order."""
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=HOLDING) as adapter:

        async def one(number: int) -> str:
            async with adapter.session.post(CHAT, json=chat(f"{number}", stream=True)) as response:
                chunks = await rest(response)
            check_stream(chunks, usage=False)
            return text_of(chunks)

        asked = [asyncio.create_task(one(number)) for number in range(100)]
        calls = [await engine.next_call() for _ in range(100)]  # nobody waits for anybody's end
        for piece in "abc":
            for call in calls:
                call.say(f"{piece}{call.chat.messages[0].content} ")
        for call in calls:
            call.finish()
        assert await asyncio.gather(*asked) == [f"a{n} b{n} c{n} " for n in range(100)]
        assert all(call.closed.is_set() for call in calls)
