"""`POST /v1/completions` over the wire: one prompt and several, plain and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from adapter.chat import (
    ChoiceFinished,
    Completion,
    Event,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageSource,
)
from adapter.errors import EngineFailed, QueueFull, UpstreamUnreachable
from adapter.server.merge import AT_ONCE
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.raw import frames
from tests.wire.safe_form import check_error, check_text, check_text_stream
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

PATH = "/v1/completions"
ANSWER: list[Step] = [Started(), TextDelta("upon "), TextDelta("a time"), END]
HOLDING: dict[str, Any] = {"status_hold_s": 60.0, "keepalive_s": 60.0}


async def plain(adapter: RunningAdapter, path: str = PATH, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with adapter.session.post(path, json={"prompt": "Once", **fields}) as response:
        return response.status, await response.json()


async def stream(adapter: RunningAdapter, **fields: Any) -> list[Any]:
    async with (
        asyncio.timeout(10),
        adapter.session.post(PATH, json={"prompt": "Once", "stream": True, **fields}) as response,
    ):
        assert response.status == 200
        return [frame async for frame in frames(response)]


def texts(chunks: list[Any], n: int = 1) -> list[str]:
    choices = [choice for chunk in chunks[:-1] for choice in chunk["choices"]]
    return ["".join(c["text"] for c in choices if c["index"] == index) for index in range(n)]


@pytest.mark.parametrize("path", ["/completions", "/v1/completions"])
async def test_plain(path: str) -> None:
    engine = CapableEngine(script=ANSWER)
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await plain(adapter, path, suffix="end", echo=True, max_tokens=9)
        asked = (await engine.next_call()).completion
    assert status == 200
    check_text(body)
    assert body["choices"][0]["text"] == "upon a time"
    assert body["id"].startswith("cmpl-")
    assert (asked.model, asked.text, asked.suffix, asked.echo, asked.sampling.max_tokens) == (
        "m", "Once", "end", True, 9,
    )  # fmt: skip


@pytest.mark.parametrize("usage", [True, False])
async def test_streamed(usage: bool) -> None:
    async with running_adapter(engines=[CapableEngine(script=ANSWER)]) as adapter:
        chunks = await stream(adapter, stream_options={"include_usage": usage})
    check_text_stream(chunks, usage=usage)
    assert texts(chunks) == ["upon a time"]


async def test_token_ids_arrive_as_such() -> None:
    engine = CapableEngine(script=ANSWER)
    async with running_adapter(engines=[engine]) as adapter:
        await plain(adapter, prompt=[5, 7])
        asked = (await engine.next_call()).completion
    assert (asked.text, asked.tokens) == (None, (5, 7))


async def test_logprobs_in_the_old_form() -> None:
    tokens = (TokenLogprob("a", (97,), -0.5, (TokenLogprob("b", (98,), -1.0),)),)
    steps: list[Step] = [Started(), TextDelta("a", logprobs=tokens), END]
    async with running_adapter(engines=[CapableEngine(script=steps)]) as adapter:
        _, body = await plain(adapter, logprobs=1)
        chunks = await stream(adapter, logprobs=1)
    check_text_stream(chunks, usage=False)
    old = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"b": -1.0}], "text_offset": [0]}
    assert body["choices"][0]["logprobs"] == old
    assert [c["logprobs"] for chunk in chunks[:-1] for c in chunk["choices"] if c["logprobs"]] == [old]


async def test_patience_before_the_first_token() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine], server={"status_hold_s": 0.0, "keepalive_s": 0.05}) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(PATH, json={"prompt": "x", "stream": True}))
        call = await engine.next_call()
        async with asyncio.timeout(10):
            chunks: list[Any] = []
            async for chunk in frames(await asked):
                chunks.append(chunk)
                if len(chunks) == 3:
                    call.do(Started(), TextDelta("a"), END)
    check_text_stream(chunks, usage=False)
    assert [chunk["choices"][0]["text"] for chunk in chunks[:3]] == [""] * 3
    assert texts(chunks) == ["a"]


# --- several --------------------------------------------------------------------------------------------------


class Saying(CapableEngine):
    """Answers each prompt with itself, in `n` choices; notes how many are under way. Holds all back until `go`."""

    def __init__(self) -> None:
        super().__init__("saying")
        self.running = 0
        self.most = 0
        self.full = asyncio.Event()
        self.go = asyncio.Event()

    async def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running == AT_ONCE:
            self.full.set()
        try:
            if completion.text == "bad":
                raise EngineFailed("this prompt broke it")
            await self.go.wait()
            yield Started()
            for choice in range(completion.n):
                yield TextDelta(f"{completion.text}{choice}", choice=choice)
            if completion.n > 1:
                for choice in range(completion.n):
                    yield ChoiceFinished(choice, FinishReason.LENGTH if choice else FinishReason.STOP)
            source = UsageSource.ESTIMATED if completion.text == "b" else UsageSource.EXACT
            yield Finished(FinishReason.STOP, Usage(2, 3, cached_tokens=1, prompt_source=source))
        finally:
            self.running -= 1


async def test_choices_of_several_prompts_stand_in_the_order_of_the_prompts() -> None:
    engine = Saying()
    engine.go.set()
    async with running_adapter(engines=[engine]) as adapter:
        _, body = await plain(adapter, prompt=["a", "b", "c"], n=2)
        chunks = await stream(adapter, prompt=["a", "b", "c"], n=2, stream_options={"include_usage": True})
    check_text(body, n=6)
    assert [choice["text"] for choice in body["choices"]] == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert [choice["finish_reason"] for choice in body["choices"]] == ["stop", "length"] * 3
    assert body["usage"]["prompt_tokens"] == 6 and body["usage"]["completion_tokens"] == 9
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}
    assert body["farmhand"]["usage"] == {"prompt_tokens": "estimated", "completion_tokens": "exact"}
    check_text_stream(chunks, usage=True, n=6)
    assert texts(chunks, 6) == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert chunks[-2]["usage"]["total_tokens"] == 15


async def test_prompts_run_side_by_side_but_do_not_fill_the_queue() -> None:
    engine = Saying()
    async with running_adapter(engines=[engine], server=HOLDING) as adapter:
        asked = asyncio.create_task(plain(adapter, prompt=[f"p{n}" for n in range(20)]))
        async with asyncio.timeout(10):
            await engine.full.wait()
            engine.go.set()
            status, body = await asked
    assert status == 200
    check_text(body, n=20)
    assert [choice["text"] for choice in body["choices"]] == [f"p{n}0" for n in range(20)]
    assert engine.most == AT_ONCE


async def test_what_is_said_does_not_wait_for_the_next_prompt() -> None:
    """One that is complete makes room for another, which may take minutes to say anything."""
    engine = CapableEngine()
    async with running_adapter(engines=[engine], server=HOLDING) as adapter:
        body = {"prompt": ["x"] * (AT_ONCE + 1), "stream": True}
        asked = asyncio.ensure_future(adapter.session.post(PATH, json=body))
        calls = [await engine.next_call() for _ in range(AT_ONCE)]
        calls[0].do(Started(), TextDelta("a"), END)
        async with asyncio.timeout(10):
            chunks: list[Any] = []
            async for chunk in frames(await asked):
                chunks.append(chunk)
                if len(chunks) == 2:
                    assert chunk["choices"][0]["finish_reason"] == "stop"
                    for call in [*calls[1:], await engine.next_call()]:
                        call.do(Started(), TextDelta("b"), END)
    check_text_stream(chunks, usage=False, n=AT_ONCE + 1)
    assert texts(chunks, AT_ONCE + 1) == ["a", *"b" * AT_ONCE]


@pytest.mark.parametrize("streamed", [True, False])
async def test_one_that_fails_fails_all(streamed: bool) -> None:
    engine = Saying()
    async with running_adapter(engines=[engine], server=HOLDING) as adapter:
        status, body = await plain(adapter, prompt=["a", "bad", "c"], stream=streamed)
    check_error(body)
    assert (status, body["error"]["message"]) == (500, "this prompt broke it")
    assert engine.running == 0, "the others were let go"


async def test_a_client_that_leaves_ends_all() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        asked = asyncio.create_task(plain(adapter, prompt=["a", "b"]))
        calls = [await engine.next_call(), await engine.next_call()]
        asked.cancel()
        async with asyncio.timeout(10):
            for call in calls:
                await call.closed.wait()


async def test_an_answer_without_an_end_is_no_answer() -> None:
    class Short(CapableEngine):
        async def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
            yield Started()
            yield TextDelta("half")

    async with running_adapter(engines=[Short()]) as adapter:
        for prompt in ("a", ["a", "b"]):
            status, body = await plain(adapter, prompt=prompt)
            assert (status, body["error"]["code"]) == (502, "upstream_protocol")


# --- who can --------------------------------------------------------------------------------------------------


async def test_chat_engines_are_not_asked() -> None:
    async with running_adapter(engines=[ScriptedEngine("first", ANSWER), CapableEngine("second", ANSWER)]) as adapter:
        assert (await plain(adapter))[1]["farmhand"]["engine"] == "second"
        status, body = await plain(adapter, model="first/m")
    check_error(body)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "not_capable", "model")


@pytest.mark.parametrize("error", [QueueFull("full"), UpstreamUnreachable("closed")])
async def test_the_next_engine_answers_where_the_first_cannot(error: Exception) -> None:
    engines = [CapableEngine("first", [error]), CapableEngine("second", ANSWER)]
    async with running_adapter(engines=engines) as adapter:
        status, body = await plain(adapter)
    assert (status, body["farmhand"]["engine"]) == (200, "second")


async def test_a_wrong_field_is_named() -> None:
    async with running_adapter() as adapter:
        status, body = await plain(adapter, best_of=3)
    check_error(body)
    assert (status, body["error"]["param"]) == (400, "best_of")
