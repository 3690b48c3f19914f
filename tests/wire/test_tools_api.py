"""Calls, output formats, several choices and logprobs over the wire, from an engine that has all of them; and the
choice of an engine that can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from adapter.chat import (
    ChoiceFinished,
    Finished,
    FinishReason,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCallDelta,
    ToolChoice,
    ToolMode,
    Usage,
)
from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import NotCapable, UpstreamUnreachable
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.raw import CHAT, chat, frames, text_of
from tests.wire.safe_form import check_error, check_plain, check_stream, joined_calls
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
USAGE = Usage(prompt_tokens=3, completion_tokens=2)
CALLED = Finished(FinishReason.TOOL_CALLS, USAGE)
CALLS: list[Step] = [
    Started(),
    ReasoningDelta("hm"),
    ToolCallDelta(0, "call_0", "weather"),
    ToolCallDelta(0, arguments='{"city": '),
    ToolCallDelta(0, arguments='"Köln"}'),
    ToolCallDelta(1, "call_1", "weather"),
    ToolCallDelta(1, arguments="{}"),
    CALLED,
]


async def plain(adapter: RunningAdapter, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with adapter.session.post(CHAT, json=chat(**fields)) as response:
        return response.status, await response.json()


async def stream(adapter: RunningAdapter, **fields: Any) -> list[Any]:
    async with asyncio.timeout(10), adapter.session.post(CHAT, json=chat(stream=True, **fields)) as response:
        assert response.status == 200
        return [frame async for frame in frames(response)]


def choices_of(chunks: Sequence[Any], index: int = 0) -> list[Any]:
    found = [choice for chunk in chunks if isinstance(chunk, dict) for choice in chunk.get("choices", ())]
    return [choice for choice in found if choice["index"] == index]


# --- calls ----------------------------------------------------------------------------------------------------


async def test_calls_in_a_plain_answer() -> None:
    async with running_adapter(engines=[CapableEngine(script=CALLS)]) as adapter:
        status, body = await plain(adapter, tools=TOOLS)
    assert status == 200
    check_plain(body)
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == ""
    assert [call["id"] for call in choice["message"]["tool_calls"]] == ["call_0", "call_1"]
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Köln"}


@pytest.mark.parametrize("usage", [True, False])
async def test_calls_in_a_stream(usage: bool) -> None:
    async with running_adapter(engines=[CapableEngine(script=CALLS)]) as adapter:
        chunks = await stream(adapter, tools=TOOLS, stream_options={"include_usage": usage})
    check_stream(chunks, usage=usage)
    choices = choices_of(chunks)
    calls = joined_calls([call for choice in choices for call in choice["delta"].get("tool_calls", ())])
    assert [call["function"]["arguments"] for call in calls] == ['{"city": "Köln"}', "{}"]
    assert choices[-1]["finish_reason"] == "tool_calls"


async def test_a_call_ends_the_hold() -> None:
    """Its name is the first thing there is to send."""
    engine = CapableEngine()
    server = {"status_hold_s": 60.0, "keepalive_s": 60.0}
    async with running_adapter(engines=[engine], server=server) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat(stream=True, tools=TOOLS)))
        call = await engine.next_call()
        call.do(Started(), ToolCallDelta(0, "c", "weather"))
        async with asyncio.timeout(10):
            response = await asked
            call.do(ToolCallDelta(0, arguments="{}"), CALLED)
            check_stream([frame async for frame in frames(response)], usage=False)


async def test_a_cut_call_is_not_shown_as_one() -> None:
    steps: list[Step] = [
        Started(), ToolCallDelta(0, "c", "weather", '{"ci'), Finished(FinishReason.LENGTH, USAGE),
    ]  # fmt: skip
    async with running_adapter(engines=[CapableEngine(script=steps)]) as adapter:
        _, body = await plain(adapter, tools=TOOLS)
        chunks = await stream(adapter, tools=TOOLS)
    check_plain(body)
    assert "tool_calls" not in body["choices"][0]["message"]
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["farmhand"]["incomplete_tool_calls"] == [
        {"choice": 0, "id": "c", "name": "weather", "arguments": '{"ci'}
    ]
    check_stream(chunks, usage=False)


async def test_functions_are_answered_in_their_own_form() -> None:
    functions = [TOOLS[0]["function"]]
    async with running_adapter(engines=[CapableEngine(script=[*CALLS[:5], CALLED])]) as adapter:
        _, body = await plain(adapter, functions=functions)
        chunks = await stream(adapter, functions=functions)
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Köln"}'}
    pieces = [choice["delta"].get("function_call", {}) for choice in choices_of(chunks)]
    assert "".join(piece.get("arguments", "") for piece in pieces) == '{"city": "Köln"}'
    assert choices_of(chunks)[-1]["finish_reason"] == "function_call"


async def test_what_was_asked_for_arrives_at_the_engine() -> None:
    engine = CapableEngine(script=[Started(), TextDelta("x"), END])
    fields = {
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "guided_regex": "[a-z]",
        "reasoning_effort": "low",
        "max_reasoning_tokens": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "logit_bias": {"5": -100},
        "chat_template_kwargs": {"a": 1},
    }
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await plain(adapter, **fields)
        asked = (await engine.next_call()).chat
    assert status == 200
    assert asked.model == "m"
    assert asked.tools == (Tool("weather", "", json.dumps(SCHEMA)),)
    assert asked.tool_choice == ToolChoice(ToolMode.REQUIRED, "weather", parallel=False)
    assert asked.output == OutputFormat(OutputKind.REGEX, "[a-z]", "guided_regex")
    assert asked.reasoning == Reasoning("low", 7)
    assert (asked.logprobs, asked.template_options) == (2, '{"a": 1}')
    assert [(bias.token, bias.bias) for bias in asked.sampling.logit_bias] == [(5, -100.0)]
    assert "ignored" not in body["farmhand"]


# --- several choices, logprobs --------------------------------------------------------------------------------

THREE: list[Step] = [
    Started(),
    TextDelta("b", choice=1),
    TextDelta("a"),
    ToolCallDelta(0, "c2", "weather", "{}", choice=2),
    ChoiceFinished(1, FinishReason.LENGTH),
    TextDelta("a"),
    ChoiceFinished(0, FinishReason.STOP),
    ChoiceFinished(2, FinishReason.TOOL_CALLS),
    END,
]


async def test_several_choices_in_a_plain_answer() -> None:
    async with running_adapter(engines=[CapableEngine(script=THREE)]) as adapter:
        _, body = await plain(adapter, n=3, tools=TOOLS)
    check_plain(body, n=3)
    shown = [(choice["message"]["content"], choice["finish_reason"]) for choice in body["choices"]]
    assert shown == [("aa", "stop"), ("b", "length"), ("", "tool_calls")]
    assert body["choices"][2]["message"]["tool_calls"][0]["id"] == "c2"


@pytest.mark.parametrize("usage", [True, False])
async def test_several_choices_in_a_stream(usage: bool) -> None:
    async with running_adapter(engines=[CapableEngine(script=THREE)]) as adapter:
        chunks = await stream(adapter, n=3, tools=TOOLS, stream_options={"include_usage": usage})
    check_stream(chunks, usage=usage, n=3)
    assert [choices_of(chunks, index)[-1]["finish_reason"] for index in range(3)] == ["stop", "length", "tool_calls"]
    assert "".join(choice["delta"].get("content") or "" for choice in choices_of(chunks)) == "aa"
    told = [chunk for chunk in chunks[:-1] if "farmhand" in chunk]
    assert [chunk["choices"][0]["index"] for chunk in told] == [2], "who answered is told once, at the end"


async def test_a_choice_that_is_complete_is_told_at_once() -> None:
    """The others may take minutes."""
    engine = CapableEngine()
    server = {"status_hold_s": 60.0, "keepalive_s": 60.0}
    async with running_adapter(engines=[engine], server=server) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat(stream=True, n=2)))
        call = await engine.next_call()
        call.do(Started(), TextDelta("a"), ChoiceFinished(0, FinishReason.STOP))
        async with asyncio.timeout(10):
            chunks: list[Any] = []
            async for chunk in frames(await asked):
                chunks.append(chunk)
                if len(chunks) == 4:
                    assert chunk["choices"][0]["finish_reason"] == "stop"
                    call.do(TextDelta("b", choice=1), ChoiceFinished(1, FinishReason.STOP), END)
    check_stream(chunks, usage=False, n=2)


async def test_patience_is_shown_for_a_choice_that_goes_on() -> None:
    engine = CapableEngine()
    server = {"status_hold_s": 60.0, "keepalive_s": 0.05}
    async with running_adapter(engines=[engine], server=server) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat(stream=True, n=2)))
        call = await engine.next_call()
        call.do(Started(), TextDelta("a"), ChoiceFinished(0, FinishReason.STOP))
        async with asyncio.timeout(10):
            chunks: list[Any] = []
            async for chunk in frames(await asked):
                chunks.append(chunk)
                if len(chunks) == 6:
                    call.do(TextDelta("b", choice=1), ChoiceFinished(1, FinishReason.STOP), END)
    check_stream(chunks, usage=False, n=2)
    assert [chunk["choices"][0]["index"] for chunk in chunks[4:6]] == [1, 1]


LOGPROBS = (TokenLogprob("é", (195, 169), -0.25, (TokenLogprob("é", (195, 169), -0.25),)),)


@pytest.mark.parametrize("streamed", [True, False])
async def test_logprobs(streamed: bool) -> None:
    steps: list[Step] = [Started(), TextDelta("é", logprobs=LOGPROBS), END]
    async with running_adapter(engines=[CapableEngine(script=steps)]) as adapter:
        if streamed:
            chunks = await stream(adapter, logprobs=True, top_logprobs=1)
            check_stream(chunks, usage=False)
            (found,) = [choice["logprobs"] for choice in choices_of(chunks) if "logprobs" in choice]
        else:
            _, body = await plain(adapter, logprobs=True, top_logprobs=1)
            check_plain(body)
            found = body["choices"][0]["logprobs"]
    (token,) = found["content"]
    assert (token["token"], token["bytes"], token["logprob"]) == ("é", [195, 169], -0.25)
    assert token["top_logprobs"] == [{"token": "é", "bytes": [195, 169], "logprob": -0.25}]


# --- who can --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": "root ::= x"}, "grammar"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_engine_that_cannot_is_never_asked(fields: dict[str, Any], param: str, streamed: bool) -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await plain(adapter, stream=streamed, **fields)
    check_error(body)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "not_capable", param)
    assert f"'{param}'" in body["error"]["message"] and "scripted/m" in body["error"]["message"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await engine.next_call()


@pytest.mark.parametrize("streamed", [True, False])
async def test_several_answers_are_asked_for_one_after_the_other(streamed: bool) -> None:
    """Each with a seed of its own, so that they are not the same again."""
    engine = ScriptedEngine(script=ANSWER)
    async with running_adapter(engines=[engine]) as adapter:
        if streamed:
            chunks = await stream(adapter, n=3, seed=7)
            check_stream(chunks, usage=False, n=3)
        else:
            _, body = await plain(adapter, n=3, seed=7)
            check_plain(body, n=3)
            assert [choice["message"]["content"] for choice in body["choices"]] == ["x", "x", "x"]
            assert body["usage"]["completion_tokens"] == 3 * END.usage.completion_tokens
    asked = [(await engine.next_call()).chat for _ in range(3)]
    assert [(chat.n, chat.sampling.seed) for chat in asked] == [(1, 7), (1, 8), (1, 9)]


ANSWER: list[Step] = [Started(), TextDelta("x"), END]
CALLING: list[Step] = [Started(), TextDelta('<tool_call>{"name": "weather", "arguments": {"city": "Köln"}}</tool_call>'), END]
FORMED: list[Step] = [Started(), TextDelta('Here it is: {"a": 1}'), END]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"tools": TOOLS}, CALLING),
        ({"functions": [TOOLS[0]["function"]]}, CALLING),
        ({"response_format": {"type": "json_object"}}, FORMED),
    ],
    ids=["tools", "functions", "response_format"],
)
async def test_what_an_engine_has_not_is_done_around_it(
    fields: dict[str, Any], steps: list[Step], streamed: bool
) -> None:
    """The engine sees words instead of fields; the client sees what it asked for, and how it came about."""
    engine = ScriptedEngine(script=steps)
    async with running_adapter(engines=[engine]) as adapter:
        if streamed:
            chunks = await stream(adapter, **fields)
            if "functions" not in fields:  # the old form has words of its own
                check_stream(chunks, usage=False)
            reason, extension = choices_of(chunks)[-1]["finish_reason"], chunks[-2]["farmhand"]
        else:
            _, body = await plain(adapter, **fields)
            if "functions" not in fields:
                check_plain(body)
            reason, extension = body["choices"][0]["finish_reason"], body["farmhand"]
            if "response_format" in fields:
                assert json.loads(body["choices"][0]["message"]["content"]) == {"a": 1}
    asked = (await engine.next_call()).chat
    assert (asked.tools, asked.output) == ((), None)
    assert reason == {"tools": "tool_calls", "functions": "function_call"}.get(next(iter(fields)), "stop")
    assert ("response_format" if "response_format" in fields else "tools") in extension["emulated"]


async def test_auto_goes_to_the_engine_that_can() -> None:
    """A plain chat stays with the preferred one."""
    engines = [ScriptedEngine("first", ANSWER), CapableEngine("second", ANSWER)]
    async with running_adapter(engines=engines) as adapter:
        assert (await plain(adapter))[1]["farmhand"]["engine"] == "first"
        assert (await plain(adapter, tools=TOOLS))[1]["farmhand"]["engine"] == "second"
        _, body = await plain(adapter, logprobs=True, model="first/m")
    assert "Ask for second/m, which can." in body["error"]["message"]


async def test_a_partial_answer_goes_to_who_can_continue_it_else_to_anybody() -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "well"}]
    first, second = ScriptedEngine("first", ANSWER), CapableEngine("second", ANSWER)
    for engines, name in (([first, second], "second"), ([first], "first")):
        async with running_adapter(engines=engines) as adapter:
            status, body = await plain(adapter, messages=messages)
        assert (status, body["farmhand"]["engine"]) == (200, name)


@pytest.mark.parametrize("streamed", [True, False])
async def test_hints_are_told_to_have_no_effect_by_who_answers(streamed: bool) -> None:
    """Not by who was asked first."""
    hints: dict[str, Any] = {"reasoning_effort": "low", "user": "u", "tools": TOOLS, "tool_choice": "none"}
    can, cannot = CapableEngine("can", ANSWER), ScriptedEngine("cannot", ANSWER)
    closed: list[Step] = [UpstreamUnreachable("closed")]
    for engines, ignored in (
        ([can, cannot], ["user"]),
        ([cannot, can], ["user", "tools", "reasoning_effort"]),
        ([CapableEngine("closed", closed), cannot], ["user", "tools", "reasoning_effort"]),
        ([ScriptedEngine("closed", closed), can], ["user"]),
    ):
        async with running_adapter(engines=engines) as adapter:
            if streamed:
                said = (await stream(adapter, **hints))[-2]["farmhand"]
            else:
                said = (await plain(adapter, **hints))[1]["farmhand"]
        assert said["ignored"] == ignored


async def test_a_model_that_finds_out_itself_that_it_cannot_is_passed_over() -> None:
    engines = [CapableEngine("one", [NotCapable("not this schema", param="response_format")]), CapableEngine("two", ANSWER)]
    async with running_adapter(engines=engines) as adapter:
        status, body = await plain(adapter, response_format={"type": "json_object"})
    assert (status, body["farmhand"]["engine"]) == (200, "two")


async def test_models_tell_what_they_can() -> None:
    async with (
        running_adapter(engines=[CapableEngine(), ScriptedEngine("plain")]) as adapter,
        adapter.session.get("/v1/models") as response,
    ):
        models = {model["id"]: model["farmhand"] for model in (await response.json())["data"]}
    assert models["m"]["can"] == sorted(set(Can) - {Can.EMBEDDINGS})
    assert (models["vectors"]["can"], models["vectors"]["embedding_size"]) == (["embeddings", "tokenize"], 3)
    assert models["plain/m"]["can"] == ["chat"]
    assert models["auto"] == models["m"]


async def test_auto_is_no_embedding_model() -> None:
    """Neither its name nor its sizes."""
    engine = CapableEngine()
    engine.cards = engine.cards[::-1]
    async with running_adapter(engines=[engine]) as adapter:
        async with adapter.session.get("/v1/models/auto") as response:
            auto = await response.json()
        async with adapter.session.get("/v1/models/capable/auto") as response:
            named = await response.json()
    assert (auto["context_length"], auto["farmhand"]["model"], named["farmhand"]["model"]) == (4_096, "m", "m")


async def test_without_a_chat_model_there_is_no_auto() -> None:
    engine = CapableEngine()
    engine.cards = engine.cards[1:]
    async with running_adapter(engines=[engine]) as adapter:
        async with adapter.session.get("/v1/models") as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["vectors"]
        status, body = await plain(adapter)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "not_capable", "model")


async def test_what_an_engine_has_no_method_for_it_cannot() -> None:
    """Its card may say what it likes."""
    engine = ScriptedEngine()
    engine.cards = (ModelCard("m", 4_096, 1_024, can=PLAIN_CHAT | {Can.COMPLETIONS, Can.EMBEDDINGS, Can.TOKENIZE}),)
    async with running_adapter(engines=[engine]) as adapter:
        for path, body in (
            ("/v1/completions", {"prompt": "x"}),
            ("/v1/embeddings", {"input": "x"}),
            ("/tokenize", {"content": "x"}),
        ):
            async with adapter.session.post(path, json=body) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (400, "not_capable")


async def test_events_that_are_ready_together_leave_together() -> None:
    """Many small writes cost a phone more than the tokens in them."""
    steps: list[Step] = [Started(), *(TextDelta("x") for _ in range(200)), END]
    async with (
        running_adapter(engines=[CapableEngine(script=steps)]) as adapter,
        adapter.session.post(CHAT, json=chat(stream=True)) as response,
    ):
        pieces = [data async for data, _ in response.content.iter_chunks() if data]
        text = b"".join(pieces)
    assert text.count(b'"content":"x"') == 200
    assert len(pieces) < 50
    assert text_of([json.loads(line[6:]) for line in text.split(b"\n\n") if line.startswith(b"data: {")]) == "x" * 200
