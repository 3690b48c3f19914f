"""`POST /v1/responses` through the real server: plain and streamed, failing at each point, cut at a deadline, left by its client."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter import meter_metrics
from adapter.chat import (
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import AdapterError, ContextTooLong, EngineFailed, QueueFull, UpstreamProtocol
from tests.fakes.counting_engine import CountingEngine
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.raw import connected, request
from tests.wire.responses_cases import EAGER, HELLO, LONG, ONCE, PATH, TEXT, TIDE, ask, both, events_of, kept
from tests.wire.responses_shape import check_events, check_response, output_text, parsed_events
from tests.wire.server import running_adapter, settings

pytestmark = pytest.mark.usefixtures("never_blocking")
# Loaded when the first one asks, which reads files of its own: not while blocking calls are watched for.
METRICS = meter_metrics.CONTENT_TYPE

# --- the answer -------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_an_answer(prefix: str, stream: bool) -> None:
    engine = CapableEngine(script=(Started(), ReasoningDelta("Well."), *HELLO[1:]))
    async with running_adapter(engines=[engine]) as adapter:
        async with adapter.session.post(f"{prefix}/responses", json={"model": "m", "input": "Go.", "instructions": "Be brief.", "stream": stream}) as answer:
            assert answer.status == 200
            data = await answer.read()
        body = check_events(parsed_events(data)) if stream else json.loads(data)
        check_response(body, status="completed")
        asked = (await engine.next_call()).chat
    assert [item["type"] for item in body["output"]] == ["reasoning", "message"]
    assert (output_text(body), body["model"], body["store"]) == ("Hello.", "m", True)
    assert body["farmhand"]["engine"] == "capable"
    assert asked.messages == (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Go."))


@both
async def test_an_id_is_not_what_the_client_calls_its_request(stream: bool) -> None:
    """Whoever knows it may go on from the answer, with the same key."""
    async with running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter:
        adapter.session.headers["X-Request-Id"] = "mine"
        _, first, headers = await ask(adapter, stream=stream)
        _, second, _ = await ask(adapter, stream=stream)
    assert headers["X-Request-Id"] == "mine"
    assert "mine" not in first["id"] and first["id"] != second["id"]


@both
async def test_an_answer_cut_by_its_length(stream: bool) -> None:
    engine = CapableEngine(script=(Started(), ToolCallDelta(0, "c1", "tide", '{"pla'), LONG))
    async with running_adapter(engines=[engine]) as adapter:
        _, body, _ = await ask(adapter, stream=stream, max_output_tokens=5, tools=[TIDE])
        assert (await engine.next_call()).chat.sampling.max_tokens == 5
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (body["output"][0]["status"], body["output"][0]["arguments"], body["max_output_tokens"]) == ("incomplete", '{"pla', 5)


@both
async def test_a_form_for_an_engine_that_knows_none(stream: bool) -> None:
    """As in a chat it is put into words, checked, and asked for again: nothing of a wrong answer is out before."""
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}
    engine = ScriptedEngine(script=(Started(), TextDelta('Sure: {"a": 1}'), END))
    async with running_adapter(engines=[engine]) as adapter:
        status, body, _ = await ask(adapter, stream=stream, text={"format": form})
    assert (status, json.loads(output_text(body)), body["text"]["format"]) == (200, {"a": 1}, form)


@both
async def test_a_form_that_is_never_met(stream: bool) -> None:
    engine = ScriptedEngine(script=(Started(), TextDelta("No."), END))
    async with running_adapter(engines=[engine]) as adapter:
        status, error, _ = await ask(adapter, stream=stream, text={"format": {"type": "json_object"}})
    assert (status, error["code"], error["param"]) == (500, "output_invalid", "text.format")


@both
async def test_what_has_no_effect_is_said(stream: bool) -> None:
    async with running_adapter(engines=[ScriptedEngine(script=HELLO)]) as adapter:
        _, body, _ = await ask(adapter, stream=stream, service_tier="flex", reasoning={"effort": "low"}, truncation="auto")
    assert body["farmhand"]["ignored"] == ["service_tier", "truncation", "reasoning.effort"]


# --- errors -----------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]}]}, "input"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"guided_grammar": "root ::= 'a'"}, "guided_grammar"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_a_refusal_names_the_field(body: dict[str, Any], param: str, stream: bool) -> None:
    async with running_adapter(engines=[ScriptedEngine(script=HELLO)]) as adapter:
        status, error, _ = await ask(adapter, body, stream=stream)
    assert (status, error["param"]) == (400, param)
    assert error["message"]


@both
@pytest.mark.parametrize(
    ("error", "status", "param"),
    [
        (ContextTooLong.of(context_tokens=8, prompt_tokens=9), 400, "input"),
        (EngineFailed("It broke."), 500, None),
        (UpstreamProtocol("What was that?"), 502, None),
        (QueueFull("Full."), 429, None),
    ],
)
async def test_a_failure_before_anything_has_a_status(error: AdapterError, status: int, param: str | None, stream: bool) -> None:
    async with running_adapter(engines=[ScriptedEngine(script=(Started(), error))], **ONCE) as adapter:
        got, body, headers = await ask(adapter, stream=stream)
    assert (got, body["code"], body["message"], body["param"]) == (status, error.code, error.message, param)
    assert ("Retry-After" in headers) is (status == 429)


@pytest.mark.parametrize("said", [(), (ReasoningDelta("Well"),), (TextDelta("Hal"),), (ToolCallDelta(0, "c1", "tide", '{"pl'),)])
async def test_a_failure_behind_the_first_byte(said: tuple[Step, ...]) -> None:
    engine = CapableEngine(script=(Started(), *said))
    engine.cards = (ModelCard("m", context_tokens=4_096, max_output_tokens=1_024, can=PLAIN_CHAT | {Can.TOOLS}),)
    async with running_adapter(engines=[engine], server=EAGER, **ONCE) as adapter:
        async with adapter.session.post(PATH, json={"model": "m", "input": "Go.", "stream": True}) as answer:
            assert answer.status == 200
            call = await engine.next_call()
            assert await answer.content.readline() == b"event: response.created\n"
            call.fail(EngineFailed("The worker died."))
            events = parsed_events(b"event: response.created\n" + await answer.content.read())
        assert (await adapter.session.get(f"{PATH}/{events[0]['response']['id']}")).status == 404, "what failed is not kept"
    response = check_events(events)
    assert response["error"] == {"code": "server_error", "message": "The worker died."}
    assert (events[-1]["code"], events[-1]["error"]["type"]) == ("engine_failed", "server_error")


@pytest.mark.parametrize("fault", [RuntimeError("secret"), ConnectionResetError("secret"), BrokenPipeError("secret")])
async def test_a_fault_of_our_own_in_mid_stream_says_no_details(fault: Exception) -> None:
    """An engine's broken pipe is not its client's: that stream must not end in silence."""
    engine = CapableEngine(script=(Started(), TextDelta("Hal"), fault))
    async with running_adapter(engines=[engine], server=EAGER, **ONCE) as adapter:
        response = check_events(await events_of(adapter))
    assert response["error"]["code"] == "server_error" and "secret" not in json.dumps(response)


@both
async def test_no_key_no_answer(stream: bool) -> None:
    async with running_adapter(engines=[ScriptedEngine(script=HELLO)]) as adapter:
        adapter.session.headers["Authorization"] = "Bearer sk-wrong-0123456789"
        status, error, _ = await ask(adapter, stream=stream)
    assert (status, error["code"]) == (401, "invalid_api_key")


# --- time, seams, leaving -------------------------------------------------------------------------------------------


async def test_silence_is_filled_before_and_within_an_answer() -> None:
    engine = CapableEngine()
    async with (
        running_adapter(engines=[engine], server={"status_hold_s": 0.0, "keepalive_s": 0.05}) as adapter,
        adapter.session.post(PATH, json={"model": "m", "input": "Go.", "stream": True}) as answer,
    ):
        call = await engine.next_call()
        call.start()
        seen = await until_alive(answer.content, 2)
        call.say("Hel")
        seen += await until_alive(answer.content, 2)
        call.say("lo.")
        call.finish()
        seen += await answer.content.read()
    events = parsed_events(seen)
    assert output_text(check_events(events)) == "Hello."
    text = [event["type"] for event in events].index("response.output_text.delta")
    assert [event["type"] for event in events[text:]].count("response.in_progress") >= 1


async def until_alive(content: aiohttp.StreamReader, times: int) -> bytes:
    """What comes until so many events have said that the answer is in progress."""
    seen = b""
    async with asyncio.timeout(20):
        while seen.count(b"event: response.in_progress") < times or not seen.endswith(b"\n\n"):
            seen += await content.readline()
    return seen


@both
async def test_a_text_that_is_continued_elsewhere_is_one_answer(stream: bool) -> None:
    first = CountingEngine("first", TEXT, can=PLAIN_CHAT, fail_at=30, error=UpstreamProtocol("The app broke its answer off."))
    async with running_adapter(engines=[first, CountingEngine("second", TEXT, seed=1)], **ONCE) as adapter:
        _, body, _ = await ask(adapter, stream=stream)
        assert output_text(await kept(adapter, body["id"])) == TEXT
    assert (output_text(body), len(body["output"])) == (TEXT, 1)
    [seam] = body["farmhand"]["seams"]
    assert (seam["at_chars"], seam["before"], seam["after"]) == (30, "first/m", "second/m")


@both
async def test_what_there_is_at_the_deadline(stream: bool, tmp_path: Path) -> None:
    """It is kept as well: its client goes on from what it got."""
    config = settings(
        tmp_path, key=[{"name": "pitwall", "key": "sk-pitwall-0123456789", "deadline_s": 2.0, "on_deadline": "partial"}]
    )
    engine = CapableEngine(script=(Started(), TextDelta("Half")))
    async with running_adapter(config, engines=[engine]) as adapter:
        adapter.session.headers["Authorization"] = "Bearer sk-pitwall-0123456789"
        _, body, _ = await ask(adapter, stream=stream)
        call = await engine.next_call()
        async with asyncio.timeout(10):
            await call.closed.wait()
        assert output_text(await kept(adapter, body["id"])) == "Half"
    assert (body["status"], output_text(body), body["incomplete_details"]) == ("incomplete", "Half", {"reason": "max_output_tokens"})
    assert body["farmhand"]["usage"] == {"prompt_tokens": "estimated", "completion_tokens": "estimated"}


async def test_a_deadline_that_cannot_be_met_is_an_error(tmp_path: Path) -> None:
    engine = CapableEngine(script=(Started(), TextDelta("Half")))
    async with running_adapter(engines=[engine]) as adapter:
        adapter.session.headers["X-Farmhand-Deadline-Ms"] = "500"
        status, error, _ = await ask(adapter)
    assert (status, error["code"]) == (429, "deadline_missed")


@both
@pytest.mark.parametrize("steps", [[], [Started()], [Started(), TextDelta("a")]], ids=["queued", "prefill", "middle"])
async def test_a_client_that_leaves_stops_its_answer(steps: list[Any], stream: bool, tmp_path: Path) -> None:
    engine = CapableEngine()
    async with running_adapter(settings(tmp_path), engines=[engine]) as adapter, connected(adapter) as connection:
        await connection.send(request(path=PATH, body=json.dumps({"model": "m", "input": "Go.", "stream": stream}).encode()))
        call = await engine.next_call()
        call.do(*steps)
        await connection.leave()
        async with asyncio.timeout(5):
            await call.closed.wait()
    assert not (tmp_path / "responses").exists(), "nobody has its id"


async def test_a_long_conversation_is_shortened_where_that_is_configured() -> None:
    """`[router] prompt_diet` holds for this form, too, whatever `truncation` says; the answer tells what was done."""
    card = ModelCard("m", context_tokens=300, max_output_tokens=64, can=PLAIN_CHAT | {Can.TOKENIZE})

    class Small(CapableEngine):
        def generate(self, chat: Any) -> Any:
            size = sum(len(message.content) for message in chat.messages)
            if size > 1_200:
                self._script = (ContextTooLong.of(context_tokens=300, prompt_tokens=size // 4),)
            else:
                self._script = HELLO
            return super().generate(chat)

    engine = Small()
    engine.cards = (card,)
    turns = [{"role": role, "content": "tide " * 100} for _ in range(4) for role in ("user", "assistant")]
    async with running_adapter(engines=[engine], router={"prompt_diet": True}) as adapter:
        status, body, _ = await ask(adapter, input=[*turns, {"role": "user", "content": "When?"}], truncation="auto", max_output_tokens=32)
    assert status == 200 and body["farmhand"]["diet"]["prompt_tokens_after"] < body["farmhand"]["diet"]["prompt_tokens_before"]
    assert "ignored" not in body["farmhand"]


async def test_usage_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    usage = Usage(prompt_tokens=11, completion_tokens=7, cached_tokens=3)
    engine = CapableEngine(script=(Started(), TextDelta("x"), Finished(FinishReason.STOP, usage)))
    async with running_adapter(engines=[engine]) as adapter:
        _, body, _ = await ask(adapter)
        answer = await adapter.session.get("/metrics")
        metrics = await answer.text()
    assert answer.headers["Content-Type"] == METRICS
    assert body["usage"]["input_tokens_details"]["cached_tokens"] == 3
    assert "POST /v1/responses status=200 engine=capable model=m prompt=11 cached=3 completion=7" in caplog.text
    assert 'farmhand_requests_total{engine="capable",path="/responses",status="200"} 1.0' in metrics
