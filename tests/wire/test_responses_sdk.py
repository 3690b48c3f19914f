"""What OpenAI's Python SDK makes of `/v1/responses`, its helper included, which insists on the order of events and the identity of items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai
from pydantic import BaseModel

from adapter.chat import Finished, FinishReason, ReasoningDelta, Started, TextDelta, ToolCallDelta
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import EngineFailed
from tests.fakes.scripted_engine import END, CapableEngine, Step
from tests.wire.server import RunningAdapter, running_adapter

HELLO = (Started(), ReasoningDelta("Well."), TextDelta("Hel"), TextDelta("lo."), END)
CALLS = (
    Started(),
    TextDelta("Let me see."),
    ToolCallDelta(0, "c1", "tide", ""),
    ToolCallDelta(0, arguments='{"place": "Emden"}'),
    ToolCallDelta(1, "c2", "moon", ""),
    Finished(FinishReason.TOOL_CALLS, END.usage),
)
TIDE: Any = {"type": "function", "name": "tide", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}, "strict": False}
MOON: Any = {"type": "function", "name": "moon", "parameters": None, "strict": False}


class Harbour(BaseModel):
    name: str
    berths: int


@asynccontextmanager
async def sdk_of(*script: Step, **sections: Any) -> AsyncIterator[tuple[openai.AsyncOpenAI, CapableEngine, RunningAdapter]]:
    engine = CapableEngine(script=script)
    engine.cards = (ModelCard("m", context_tokens=4_096, max_output_tokens=1_024, can=frozenset(Can) - {Can.CONTINUE, Can.EMBEDDINGS} | PLAIN_CHAT),)
    async with (
        running_adapter(engines=[engine], **sections) as adapter,
        openai.AsyncOpenAI(base_url=f"{adapter.url}/v1", api_key=adapter.key, max_retries=0, timeout=20) as sdk,
    ):
        yield sdk, engine, adapter


async def test_plain() -> None:
    async with sdk_of(*HELLO) as (sdk, _, _):
        answer = await sdk.responses.create(model="m", input="Go.", instructions="Be brief.")
    assert (answer.output_text, answer.status, answer.instructions) == ("Hello.", "completed", "Be brief.")
    assert answer.usage is not None and answer.usage.total_tokens == 5
    assert [item.type for item in answer.output] == ["reasoning", "message"]


async def test_streamed_by_hand() -> None:
    async with sdk_of(*HELLO) as (sdk, _, _):
        events = [event async for event in await sdk.responses.create(model="m", input="Go.", stream=True)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello."
    assert events[-1].type == "response.completed" and events[-1].response.output_text == "Hello."


@pytest.mark.parametrize("summary", [None, "auto"])
async def test_by_the_helper(summary: Any) -> None:
    async with (
        sdk_of(*HELLO) as (sdk, _, _),
        sdk.responses.stream(model="m", input="Go.", reasoning={"summary": summary}) as stream,
    ):
        kinds = {event.type async for event in stream}
        final = await stream.get_final_response()
    assert final.output_text == "Hello."
    assert ("response.reasoning_summary_text.delta" in kinds) is (summary == "auto")
    assert ("response.reasoning_text.delta" in kinds) is (summary is None)


async def test_the_helper_bears_signs_of_life() -> None:
    """In the middle of an item, where a second beginning would be an error."""
    async with (
        sdk_of(server={"status_hold_s": 0.0, "keepalive_s": 0.05}) as (sdk, engine, _),
        sdk.responses.stream(model="m", input="Go.", tools=[TIDE]) as stream,
    ):
        call, seen = await engine.next_call(), list[str]()
        async for event in stream:
            seen.append(event.type)
            if event.type == "response.in_progress" and seen.count(event.type) == 2:
                call.do(*CALLS[:4])
            elif event.type == "response.in_progress" and "response.function_call_arguments.delta" in seen:
                call.do(*CALLS[4:])
        final = await stream.get_final_response()
    assert seen.count("response.in_progress") >= 3
    assert [(item.name, item.arguments) for item in final.output if item.type == "function_call"] == [("tide", '{"place": "Emden"}'), ("moon", "{}")]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_and_their_results_by_id(streamed: bool) -> None:
    async with sdk_of(*CALLS) as (sdk, engine, _):
        if streamed:
            async with sdk.responses.stream(model="m", input="Go.", tools=[TIDE, MOON]) as stream:
                first: Any = await stream.get_final_response()
        else:
            first = await sdk.responses.create(model="m", input="Go.", tools=[TIDE, MOON])
        await engine.next_call()
        results: Any = [
            {"type": "function_call_output", "call_id": item.call_id, "output": f"of {item.name}"} for item in first.output if item.type == "function_call"
        ]
        await sdk.responses.create(model="m", input=results, tools=[TIDE, MOON], previous_response_id=first.id)
        chat = (await engine.next_call()).chat
    assert [(message.role.value, message.content) for message in chat.messages] == [
        ("user", "Go."), ("assistant", "Let me see."), ("tool", "of tide"), ("tool", "of moon"),
    ]  # fmt: skip
    assert [call.name for call in chat.messages[1].tool_calls] == ["tide", "moon"]


async def test_the_output_sent_back_as_input() -> None:
    """Stateless: the answer's own items, as the SDK dumps them, are a valid input."""
    async with sdk_of(*CALLS) as (sdk, engine, _):
        first = await sdk.responses.create(model="m", input="Go.", tools=[TIDE, MOON], store=False)
        await engine.next_call()
        back: Any = [*first.output, {"type": "function_call_output", "call_id": "c1", "output": "14:05"}]
        await sdk.responses.create(model="m", input=back, tools=[TIDE, MOON])
        chat = (await engine.next_call()).chat
    assert [message.role.value for message in chat.messages] == ["assistant", "tool"]


async def test_parse() -> None:
    async with sdk_of(Started(), TextDelta('{"name": "Emden", "berths": 3}'), END) as (sdk, engine, _):
        answer = await sdk.responses.parse(model="m", input="Go.", text_format=Harbour)
        async with sdk.responses.stream(model="m", input="Go.", text_format=Harbour) as stream:
            streamed = (await stream.get_final_response()).output_parsed
        output = (await engine.next_call()).chat.output
    assert answer.output_parsed == streamed == Harbour(name="Emden", berths=3)
    assert output is not None and '"berths"' in output.text


async def test_a_cut_answer() -> None:
    """The helper knows it by the event; who asks it for the final answer is told that there is none, as with OpenAI."""
    cut = (Started(), TextDelta("Hal"), Finished(FinishReason.LENGTH, END.usage))
    async with sdk_of(*cut) as (sdk, _, _):
        plain = await sdk.responses.create(model="m", input="Go.", max_output_tokens=1)
        async with sdk.responses.stream(model="m", input="Go.", max_output_tokens=1) as stream:
            last = [event async for event in stream][-1]
    assert (plain.status, plain.output_text) == ("incomplete", "Hal")
    assert plain.incomplete_details is not None and plain.incomplete_details.reason == "max_output_tokens"
    assert last.type == "response.incomplete" and last.response.output_text == "Hal"


@pytest.mark.parametrize("helper", [False, True])
async def test_a_break_in_mid_stream_is_seen_and_raised(helper: bool) -> None:
    last = ""
    async with sdk_of(Started(), TextDelta("Hal"), EngineFailed("The worker died.")) as (sdk, _, _):
        with pytest.raises(openai.APIError, match=r"The worker died\.") as caught:
            if helper:
                async with sdk.responses.stream(model="m", input="Go.") as stream:
                    async for event in stream:
                        last = event.type
            else:
                async for raw in await sdk.responses.create(model="m", input="Go.", stream=True):
                    last = raw.type
    assert caught.value.code == "engine_failed"
    assert last == "response.failed"


async def test_errors() -> None:
    async with sdk_of(*HELLO) as (sdk, _, _):
        with pytest.raises(openai.BadRequestError) as bad:
            await sdk.responses.create(model="m", input="Go.", tools=[{"type": "web_search"}])
        with pytest.raises(openai.BadRequestError) as gone:
            await sdk.responses.create(model="m", input="Go.", previous_response_id="resp_" + "0" * 48)
        with pytest.raises(openai.NotFoundError) as nowhere:
            await sdk.responses.retrieve("resp_" + "0" * 48)
        with pytest.raises(openai.NotFoundError) as nobody:
            await sdk.responses.create(model="nobody/m", input="Go.")
        with pytest.raises(openai.BadRequestError) as cannot:
            await sdk.responses.cancel("resp_" + "0" * 48)
    assert (bad.value.param, "web_search" in str(bad.value)) == ("tools[0].type", True)
    assert (gone.value.code, gone.value.param) == ("previous_response_not_found", "previous_response_id")
    assert (nowhere.value.code, nobody.value.code) == ("response_not_found", "model_not_found")
    assert "close the connection" in str(cannot.value)


async def test_kept_answers() -> None:
    async with sdk_of(*HELLO) as (sdk, _, _):
        first = await sdk.responses.create(model="m", input="Go.")
        second = await sdk.responses.create(model="m", input="And?", previous_response_id=first.id)
        assert (await sdk.responses.retrieve(second.id)).output_text == "Hello."
        items = [item async for item in sdk.responses.input_items.list(second.id, limit=1)]
        assert len(items) == len({item.id for item in items}) == 4  # page after page
        await sdk.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.retrieve(first.id)


async def test_leaving_a_stream() -> None:
    async with sdk_of(Started(), TextDelta("Hal")) as (sdk, engine, _):
        stream = await sdk.responses.create(model="m", input="Go.", stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        call = await engine.next_call()
        async with asyncio.timeout(10):
            await call.closed.wait()
