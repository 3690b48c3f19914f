"""Failover and continuation through the real server: what the client sees when engines fail, as streams and plain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapter.chat import Finished, FinishReason, ReasoningDelta, Started, TextDelta, ToolCallDelta, Usage
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import AdapterError, BadRequest, EngineFailed, QueueFull, UpstreamProtocol
from tests.fakes.counting_engine import CountingEngine, words
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.server import RunningAdapter, running_adapter

CUT = UpstreamProtocol("The app broke its answer off.")
ONCE: Mapping[str, Any] = {"router": {"retry_policy": {"InternalServerErrorRetries": 0}}}
TEXT = words(60)


async def ask(adapter: RunningAdapter, *, stream: bool, **body: Any) -> tuple[int, list[dict[str, Any]], Mapping[str, str]]:
    """Status, the chunks (or the one plain body), and the headers. A stream's `[DONE]` is the chunk {"done": True}."""
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Go."}], "stream": stream, **body}
    async with adapter.session.post("/v1/chat/completions", json=asked) as response:
        data = (await response.read()).decode()
        if response.content_type == "application/json":
            return response.status, [json.loads(data)], response.headers
        frames = [line.removeprefix("data: ") for line in data.split("\n\n") if line]
        return response.status, [{"done": True} if f == "[DONE]" else json.loads(f) for f in frames], response.headers


def text_of(chunks: list[dict[str, Any]]) -> str:
    parts = [c["choices"][0] for c in chunks if c.get("choices")]
    return "".join((p.get("delta") or p.get("message") or {}).get("content") or "" for p in parts)


def extension(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = next(c["farmhand"] for c in reversed(chunks) if "farmhand" in c)
    return found


def scripted(name: str, *steps: Step, can: frozenset[Can] = PLAIN_CHAT) -> ScriptedEngine:
    engine = CapableEngine(name, steps)
    engine.cards = (ModelCard("m", context_tokens=4_096, max_output_tokens=1_024, can=can),)
    return engine


both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


@both
@pytest.mark.parametrize("error", [CUT, EngineFailed("dead"), QueueFull("full")])
async def test_a_failure_before_the_first_token_is_unseen(stream: bool, error: AdapterError) -> None:
    engines = [scripted("first", Started(), error), scripted("second", Started(), TextDelta("Fine."), END)]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, chunks, headers = await ask(adapter, stream=stream)
    assert (status, text_of(chunks)) == (200, "Fine.")
    assert extension(chunks)["engine"] == "second" and "seams" not in extension(chunks)
    assert headers["X-Farmhand-Engine"] == "second"


@both
async def test_the_first_engines_error_is_told_when_all_fail(stream: bool) -> None:
    engines = [scripted("first", CUT), scripted("second", EngineFailed("dead"))]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, [body], _ = await ask(adapter, stream=stream)
    assert (status, body["error"]["code"]) == (502, "upstream_protocol")


@both
async def test_a_wrong_field_is_nobody_elses_business(stream: bool) -> None:
    second = scripted("second", Started(), TextDelta("Fine."), END)
    engines = [scripted("first", BadRequest("no", param="messages")), second]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, [body], _ = await ask(adapter, stream=stream)
    assert (status, body["error"]["param"]) == (400, "messages")


@both
@pytest.mark.parametrize("fail_at", [1, 2, 17, 100, len(TEXT) - 1])
async def test_a_broken_text_is_continued(stream: bool, fail_at: int) -> None:
    first = CountingEngine("first", TEXT, can=PLAIN_CHAT, fail_at=fail_at, error=CUT)
    second = CountingEngine("second", TEXT, seed=1)
    async with running_adapter(engines=[first, second], **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=stream, stream_options={"include_usage": True} if stream else None)
    assert (status, text_of(chunks)) == (200, TEXT)
    [seam] = extension(chunks)["seams"]
    assert seam == {"at_chars": fail_at, "before": "first/m", "after": "second/m", "code": "upstream_protocol"}
    usage = next(c["usage"] for c in chunks if c.get("usage"))
    assert usage["completion_tokens"] == len(TEXT) and usage["prompt_tokens"] == 10
    assert len({c["id"] for c in chunks if "id" in c}) == 1, "it is one answer"


@both
async def test_max_tokens_holds_for_both_parts_together(stream: bool) -> None:
    first = CountingEngine("first", TEXT, can=PLAIN_CHAT, fail_at=30, error=CUT)
    second = CountingEngine("second", TEXT, seed=1)
    async with running_adapter(engines=[first, second], **ONCE) as adapter:
        _, chunks, _ = await ask(adapter, stream=stream, max_tokens=50)
    assert text_of(chunks) == TEXT[:50]
    assert [c["choices"][0]["finish_reason"] for c in chunks if c.get("choices")][-1] == "length"
    assert second.asked[0].sampling.max_tokens == 20


@both
async def test_an_answer_that_broke_at_its_limit_is_complete(stream: bool) -> None:
    first = CountingEngine("first", TEXT, can=PLAIN_CHAT, fail_at=50, error=CUT)
    second = CountingEngine("second", TEXT)
    async with running_adapter(engines=[first, second], **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=stream, max_tokens=50)
    # The first engine gives 50 characters and ends there; to fail at the end it must be asked for more.
    assert (status, text_of(chunks)) == (200, TEXT[:50])
    assert second.asked == []


async def test_without_anybody_who_can_go_on_a_stream_ends_in_an_error_frame() -> None:
    engines = [scripted("first", Started(), TextDelta("Half"), CUT), scripted("second", Started(), TextDelta("x"), END)]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=True)
    assert (status, text_of(chunks)) == (200, "Half")
    assert chunks[-1]["error"]["code"] == "upstream_protocol", "an error frame, last, and no [DONE]"


async def test_without_anybody_who_can_go_on_a_plain_answer_begins_anew() -> None:
    engines = [scripted("first", Started(), TextDelta("Half"), CUT), scripted("second", Started(), TextDelta("x"), END)]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=False)
    assert (status, text_of(chunks)) == (200, "x")


CALL = ToolCallDelta(0, "call_1", "f", '{"a": ')
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}]
TOOLED = PLAIN_CHAT | {Can.TOOLS, Can.OUTPUT, Can.CONTINUE}
CALLED = Finished(FinishReason.TOOL_CALLS, Usage(3, 2))


async def test_a_call_is_never_spliced_in_a_stream() -> None:
    engines = [
        scripted("first", Started(), CALL, CUT, can=TOOLED),
        scripted("second", Started(), CALL, ToolCallDelta(0, arguments="1}"), CALLED, can=TOOLED),
    ]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        _, chunks, _ = await ask(adapter, stream=True, tools=TOOLS)
    assert chunks[-1]["error"]["code"] == "upstream_protocol"


async def test_a_call_begins_anew_in_a_plain_answer() -> None:
    engines = [
        scripted("first", Started(), TextDelta("Let me see."), CALL, CUT, can=TOOLED),
        scripted("second", Started(), CALL, ToolCallDelta(0, arguments="1}"), CALLED, can=TOOLED),
    ]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, [body], _ = await ask(adapter, stream=False, tools=TOOLS)
    message = body["choices"][0]["message"]
    assert status == 200 and message["content"] == ""
    assert [json.loads(c["function"]["arguments"]) for c in message["tool_calls"]] == [{"a": 1}]


@pytest.mark.parametrize(("stream", "text"), [(True, None), (False, '{"b": 2}')])
async def test_a_form_is_never_spliced(stream: bool, text: str | None) -> None:
    engines = [
        scripted("first", Started(), TextDelta('{"a": '), CUT, can=TOOLED),
        scripted("second", Started(), TextDelta('{"b": 2}'), END, can=TOOLED),
    ]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        _, chunks, _ = await ask(adapter, stream=stream, response_format={"type": "json_object"})
    if text is None:
        assert "error" in chunks[-1]
    else:
        assert text_of(chunks) == text


@both
async def test_who_has_only_thought_is_replaced(stream: bool) -> None:
    engines = [
        scripted("first", Started(), ReasoningDelta("Hm, "), CUT),
        scripted("second", Started(), ReasoningDelta("So."), TextDelta("Yes."), END),
    ]
    async with running_adapter(engines=engines, **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=stream)
    assert (status, text_of(chunks)) == (200, "Yes.")


@both
async def test_an_engine_goes_on_with_its_own_answer(stream: bool) -> None:
    engine = CountingEngine("only", TEXT, fail_at=40, error=EngineFailed("The worker died."))
    async with running_adapter(engines=[engine], **ONCE) as adapter:
        engine_fails_once(engine)
        status, chunks, _ = await ask(adapter, stream=stream)
    assert (status, text_of(chunks)) == (200, TEXT)
    assert [seam["after"] for seam in extension(chunks)["seams"]] == ["only/m"]


def engine_fails_once(engine: CountingEngine) -> None:
    """The error is taken away when the second answer begins."""
    first = engine.generate

    def generate(chat: Any) -> Any:
        if engine.asked:
            engine.error = None
        return first(chat)

    engine.generate = generate  # type: ignore[method-assign]


@both
async def test_one_that_breaks_each_time_is_given_up(stream: bool) -> None:
    engine = CountingEngine("only", TEXT, fail_at=10, error=EngineFailed("The worker died."))
    async with running_adapter(engines=[engine], **ONCE) as adapter:
        status, chunks, _ = await ask(adapter, stream=stream)
    assert chunks[-1]["error"]["code"] == "engine_failed"
    assert status == (200 if stream else 500)
    assert len(engine.asked) == 2


async def test_a_second_round_by_default() -> None:
    engine = scripted("only")
    async with running_adapter(engines=[engine]) as adapter:
        asking = asyncio.create_task(ask(adapter, stream=False))
        (await engine.next_call()).fail(EngineFailed("crashed"))
        call = await engine.next_call()
        call.start()
        call.say("Back.")
        call.finish()
        status, chunks, _ = await asking
    assert (status, text_of(chunks)) == (200, "Back.")


async def test_a_target_that_fails_often_is_left_alone() -> None:
    engine = scripted("only", EngineFailed("crashed"))
    router = {"allowed_fails": 2, "cooldown_time": 60, "retry_policy": {"InternalServerErrorRetries": 0}}
    async with running_adapter(engines=[engine], router=router) as adapter:
        statuses = [(await ask(adapter, stream=False))[0] for _ in range(3)]
        status, [body], headers = await ask(adapter, stream=False)
        async with adapter.session.get("/ready") as response:
            shown = (await response.json())["engines"]["only"]["breakers"]
    assert (statuses, status) == ([500, 500, 500], 503)
    assert "crashed" in body["error"]["message"] and 1 <= int(headers["Retry-After"]) <= 60
    assert [(b["target"], b["state"], b["code"]) for b in shown] == [("only/m", "open", "engine_failed")]
