"""The OpenAI Python SDK reads every new shape: its helpers put calls, choices and logprobs together by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai

from adapter.chat import (
    ChoiceFinished,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from tests.fakes.scripted_engine import END, VECTORS, CapableEngine, ScriptedEngine, Step
from tests.wire.server import KEY, running_adapter

MESSAGES: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "strict": True,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
CALLS: list[Step] = [
    Started(),
    ToolCallDelta(0, "call_0", "weather"),
    ToolCallDelta(0, arguments='{"city": '),
    ToolCallDelta(0, arguments='"Köln"}'),
    ToolCallDelta(1, "call_1", "weather", "{}"),
    Finished(FinishReason.TOOL_CALLS, Usage(3, 2)),
]
LOGPROBS = (TokenLogprob("é", (195, 169), -0.25, (TokenLogprob("é", (195, 169), -0.25),)),)


@asynccontextmanager
async def client_of(engine: ScriptedEngine) -> AsyncIterator[openai.AsyncOpenAI]:
    async with running_adapter(engines=[engine]) as adapter:
        base = f"{adapter.url}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0, timeout=20) as client:
            yield client


@pytest.mark.parametrize("streamed", [True, False])
async def test_calls(streamed: bool) -> None:
    async with client_of(CapableEngine(script=CALLS)) as client:
        chats = client.chat.completions
        if streamed:
            async with chats.stream(model="auto", messages=MESSAGES, tools=TOOLS) as stream:
                message: Any = (await stream.get_final_completion()).choices[0].message
        else:
            message = (await chats.create(model="auto", messages=MESSAGES, tools=TOOLS)).choices[0].message
    found = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert found == [("call_0", "weather", '{"city": "Köln"}'), ("call_1", "weather", "{}")]


async def test_choices_and_logprobs_in_a_stream() -> None:
    steps: list[Step] = [
        Started(),
        TextDelta("b", 1, LOGPROBS),
        TextDelta("a", 0, LOGPROBS),
        ChoiceFinished(1, FinishReason.STOP),
        TextDelta("a", 0, LOGPROBS),
        ChoiceFinished(0, FinishReason.STOP),
        END,
    ]
    async with client_of(CapableEngine(script=steps)) as client:
        asked: dict[str, Any] = {"model": "auto", "messages": MESSAGES, "n": 2, "logprobs": True, "top_logprobs": 1}
        async with client.chat.completions.stream(**asked) as stream:
            choices = (await stream.get_final_completion()).choices
    assert [choice.message.content for choice in choices] == ["aa", "b"]
    assert choices[0].logprobs is not None and choices[0].logprobs.content is not None
    assert [token.bytes for token in choices[0].logprobs.content] == [[195, 169]] * 2


async def test_completions() -> None:
    steps: list[Step] = [Started(), TextDelta("é", logprobs=LOGPROBS), END]
    async with client_of(CapableEngine(script=steps)) as client:
        answer = await client.completions.create(model="auto", prompt=["a", "b"], logprobs=1)
        stream = await client.completions.create(model="auto", prompt=["a", "b"], stream=True)
        pieces = [(choice.index, choice.text) async for chunk in stream for choice in chunk.choices if choice.text]
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "é"), (1, "é")]
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.top_logprobs == [{"é": -0.25}]
    assert sorted(pieces) == [(0, "é"), (1, "é")]


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
async def test_embeddings(options: dict[str, Any]) -> None:
    """The SDK asks for base64 unless told otherwise, and decodes it by itself."""
    async with client_of(CapableEngine()) as client:
        answer = await client.embeddings.create(model="auto", input=["one", "two"], **options)
    assert [item.embedding for item in answer.data] == [
        pytest.approx(list(VECTORS["one"])), pytest.approx(list(VECTORS["two"])),
    ]  # fmt: skip
    assert answer.usage.prompt_tokens == 6


async def test_not_capable_is_an_error_with_its_field() -> None:
    async with client_of(ScriptedEngine()) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="auto", messages=MESSAGES, logprobs=True)
    assert (caught.value.code, caught.value.param) == ("not_capable", "logprobs")
