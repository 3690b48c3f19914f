"""Gemini's form over the wire: answers, streams in both forms, keys, errors, counts, vectors, models; and that nothing of it disturbs OpenAI's."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp
import pytest

from adapter.chat import (
    Finished,
    FinishReason,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolMode,
    Usage,
)
from adapter.engines.base import Can, ModelCard
from adapter.errors import EngineFailed, EngineUnavailable
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.server import KEY, RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

MODEL = "/v1beta/models/m"
HELLO: list[Step] = [Started(), TextDelta("hel"), TextDelta("lo"), END]
TOOLS = [{"functionDeclarations": [{"name": "tide", "parameters": {"type": "OBJECT", "properties": {"place": {"type": "STRING"}}}}]}]
CALLED: list[Step] = [
    Started(), ToolCallDelta(0, "c0", "tide"), ToolCallDelta(0, arguments='{"place": "Emden"}'),
    Finished(FinishReason.TOOL_CALLS, Usage(3, 2)),
]  # fmt: skip


def asking(text: str = "hi", **fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}


async def post(adapter: RunningAdapter, path: str, body: Any, **headers: str) -> tuple[int, Any, aiohttp.ClientResponse]:
    async with adapter.session.post(path, json=body, headers=headers or None) as response:
        return response.status, await response.json(), response


async def events(response: aiohttp.ClientResponse) -> list[Any]:
    text = (await response.read()).decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]


async def streamed(adapter: RunningAdapter, body: Any) -> list[Any]:
    async with asyncio.timeout(10), adapter.session.post(f"{MODEL}:streamGenerateContent?alt=sse", json=body) as response:
        assert response.status == 200 and response.content_type == "text/event-stream"
        return await events(response)


def text_of(chunks: list[Any]) -> str:
    return "".join(part.get("text", "") for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])


# --- answers ----------------------------------------------------------------------------------------------------


async def test_a_plain_answer_and_a_stream_say_the_same() -> None:
    async with running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter:
        status, body, _ = await post(adapter, f"{MODEL}:generateContent", asking())
        chunks = await streamed(adapter, asking())
        async with adapter.session.post(f"{MODEL}:streamGenerateContent", json=asking()) as response:
            assert response.status == 200 and response.content_type == "application/json"
            array = await response.json()
    assert status == 200 and body["candidates"][0]["finishReason"] == "STOP"
    assert text_of([body]) == text_of(chunks) == text_of(array) == "hello"
    assert chunks[-1]["usageMetadata"] == array[-1]["usageMetadata"] == body["usageMetadata"]
    assert body["farmhand"]["engine"] == "capable" and body["modelVersion"] == "m"


async def test_what_was_asked_for_arrives_at_the_engine() -> None:
    engine = CapableEngine(script=CALLED)
    body = asking(
        system_instruction={"parts": [{"text": "Be kind."}]},
        tools=TOOLS,
        toolConfig={"functionCallingConfig": {"mode": "ANY"}},
        generationConfig={"maxOutputTokens": 9, "topK": 3.0, "thinkingConfig": {"thinkingBudget": 0}},
    )
    async with running_adapter(engines=[engine]) as adapter:
        _, answer, _ = await post(adapter, f"{MODEL}:generateContent", body)
        chat = (await engine.next_call()).chat
        chunks = await streamed(adapter, body)
    assert [message.role for message in chat.messages] == [Role.SYSTEM, Role.USER]
    assert (chat.sampling.max_tokens, chat.sampling.top_k, chat.tool_choice.mode) == (9, 3, ToolMode.REQUIRED)
    assert chat.reasoning.effort == "none" and chat.tools[0].name == "tide"
    part = {"functionCall": {"id": "c0", "name": "tide", "args": {"place": "Emden"}}}
    assert answer["candidates"][0]["content"]["parts"] == [part]
    assert chunks[-1]["candidates"][0]["content"]["parts"] == [part]


async def test_tools_are_emulated_as_for_everybody() -> None:
    engine = ScriptedEngine(script=[Started(), TextDelta('<tool_call>{"name": "tide", "arguments": {"place": "Emden"}}</tool_call>'), END])
    async with running_adapter(engines=[engine]) as adapter:
        status, body, _ = await post(adapter, f"{MODEL}:generateContent", asking(tools=TOOLS))
    (part,) = body["candidates"][0]["content"]["parts"]
    assert status == 200 and part["functionCall"]["args"] == {"place": "Emden"} and part["functionCall"]["id"]


async def test_silence_is_filled_with_chunks_that_say_nothing() -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server={"keepalive_s": 0.05, "status_hold_s": 0.05}) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(f"{MODEL}:streamGenerateContent?alt=sse", json=asking()))
        call = await engine.next_call()
        call.start()
        async with asyncio.timeout(10):
            response = await asked
            first = [await response.content.readuntil(b"\n\n") for _ in range(3)]
            call.say("late")
            call.finish()
            chunks = await events(response)
    assert [text_of([json.loads(line[6:])]) for line in first] == ["", "", ""]
    assert text_of(chunks) == "late" and chunks[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_an_array_waits_as_well() -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server={"keepalive_s": 0.05, "status_hold_s": 0.05}) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(f"{MODEL}:streamGenerateContent", json=asking()))
        call = await engine.next_call()
        call.start()
        async with asyncio.timeout(10):
            response = await asked
            begun = await response.content.readuntil(b",\r\n")
            call.say("late")
            call.finish()
            rest = await response.read()
    assert text_of(json.loads(begun + rest)) == "late"


async def test_leaving_ends_the_answer() -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine]) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(f"{MODEL}:streamGenerateContent?alt=sse", json=asking()))
        call = await engine.next_call()
        call.start()
        call.say("one")
        response = await asked
        await response.content.readuntil(b"\n\n")
        response.close()
        async with asyncio.timeout(10):
            await call.closed.wait()


# --- errors -----------------------------------------------------------------------------------------------------


async def test_errors_before_the_first_byte_have_their_status() -> None:
    engine = CapableEngine(script=[EngineUnavailable("not yet", retry_after_s=7)])
    async with running_adapter(engines=[engine]) as adapter:
        for path in (f"{MODEL}:generateContent", f"{MODEL}:streamGenerateContent?alt=sse", f"{MODEL}:streamGenerateContent"):
            status, body, response = await post(adapter, path, asking())
            assert (status, body["error"]["status"], response.headers["Retry-After"]) == (503, "UNAVAILABLE", "7")
            assert body["error"]["details"][-1]["retryDelay"] == "7s"


@pytest.mark.parametrize("query", ["?alt=sse", ""])
async def test_an_error_in_mid_stream_is_told(query: str) -> None:
    engine = CapableEngine(script=[Started(), TextDelta("he"), EngineFailed("it broke")])
    async with (
        running_adapter(engines=[engine]) as adapter,
        adapter.session.post(f"{MODEL}:streamGenerateContent{query}", json=asking()) as response,
    ):
        assert response.status == 200
        chunks = await events(response) if query else await response.json()
    assert text_of(chunks[:-1]).startswith("he")
    assert list(chunks[-1]) == ["error"] and chunks[-1]["error"]["code"] == 500 and "it broke" in chunks[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "word", "said"),
    [
        ("/v1beta/models/nobody:generateContent", asking(), 404, "NOT_FOUND", "'nobody' does not exist"),
        (f"{MODEL}:generateContent", {}, 400, "INVALID_ARGUMENT", "'contents' is missing"),
        (f"{MODEL}:generateContent", asking(tools=[{"googleSearch": {}}]), 400, "INVALID_ARGUMENT", "tools[0].googleSearch"),
        (f"{MODEL}:predict", {}, 400, "INVALID_ARGUMENT", "does not end with a method"),
        ("/v1beta/models/vectors:generateContent", asking(), 400, "INVALID_ARGUMENT", "chat"),
        (f"{MODEL}:embedContent", {"content": "x"}, 400, "INVALID_ARGUMENT", "embeddings"),
        ("/v1beta/models/vectors:embedContent", {"content": "x", "outputDimensionality": 9}, 400, "INVALID_ARGUMENT", "vectors have 3"),
        ("/v1beta/cachedContents", {}, 404, "NOT_FOUND", "/v1beta/cachedContents"),
    ],
)
async def test_what_cannot_be_served(path: str, body: Any, status: int, word: str, said: str) -> None:
    async with running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter:
        found, answer, _ = await post(adapter, path, body)
    assert (found, answer["error"]["code"], answer["error"]["status"]) == (status, status, word)
    assert said in answer["error"]["message"]


# --- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"x-goog-api-key": KEY}, 200),
        (f"?key={KEY}", {}, 200),
        ("", {"Authorization": f"Bearer {KEY}"}, 200),
        ("", {}, 401),
        ("?key=wrong", {}, 401),
        (f"?key={KEY}", {"x-goog-api-key": "wrong"}, 401),
        (f"?key={KEY}", {"Authorization": "Bearer wrong"}, 401),
    ],
)
async def test_where_the_key_may_stand(query: str, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter,
        aiohttp.ClientSession(adapter.url) as anybody,
        anybody.post(f"{MODEL}:generateContent{query}", json=asking(), headers=headers) as response,
    ):
        body = await response.json()
    assert response.status == status
    if status == 401:
        assert body["error"]["status"] == "UNAUTHENTICATED"
    assert KEY not in caplog.text and "wrong" not in caplog.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/admin/state", "/v1/embeddings", "/metrics", "/v1/models"])
async def test_a_key_in_the_query_opens_nothing_else(path: str) -> None:
    async with (
        running_adapter() as adapter,
        aiohttp.ClientSession(adapter.url) as anybody,
        anybody.get(f"{path}?key={KEY}") as response,
    ):
        assert response.status == 401 and "type" in (await response.json())["error"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/admin/state", "/metrics"])
async def test_googles_header_opens_nothing_else(path: str) -> None:
    method = "POST" if "chat" in path else "GET"
    async with (
        running_adapter() as adapter,
        aiohttp.ClientSession(adapter.url) as anybody,
        anybody.request(method, path, headers={"x-goog-api-key": KEY}, json={}) as response,
    ):
        assert response.status == 401 and "type" in (await response.json())["error"]


# --- counts, vectors, models --------------------------------------------------------------------------------------


async def test_tokens_are_counted_or_estimated() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        _, exact, _ = await post(adapter, f"{MODEL}:countTokens", asking("four"))
        _, with_tools, _ = await post(adapter, f"{MODEL}:countTokens", {"generateContentRequest": asking("four", tools=TOOLS)})
        picture = {"contents": [{"parts": [{"text": "four"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}]}
        _, with_picture, _ = await post(adapter, f"{MODEL}:countTokens", picture)
    async with running_adapter(engines=[ScriptedEngine()]) as adapter:
        _, estimated, _ = await post(adapter, f"{MODEL}:countTokens", asking("four"))
    assert exact == {"totalTokens": 4, "farmhand": {"engine": "capable", "model": "m", "usage": {"prompt_tokens": "exact"}}}
    assert with_tools["totalTokens"] > 4 and with_tools["farmhand"]["usage"]["prompt_tokens"] == "estimated"
    assert (with_picture["totalTokens"], with_picture["farmhand"]["usage"]["prompt_tokens"]) == (4, "estimated")
    assert estimated["totalTokens"] > 0 and estimated["farmhand"]["usage"]["prompt_tokens"] == "estimated"


async def test_vectors() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        _, one, _ = await post(adapter, "/v1beta/models/vectors:embedContent", {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 2})
        requests = [{"model": "models/vectors", "content": {"parts": [{"text": text}]}, "taskType": "X"} for text in ("one", "two")]
        _, many, _ = await post(adapter, "/v1beta/models/auto:batchEmbedContents", {"requests": requests})
    assert one["embedding"]["values"] == [0.6, 0.8]
    assert [vector["values"] for vector in many["embeddings"]] == [[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]]
    assert many["farmhand"]["ignored"] == ["taskType"] and many["farmhand"]["model"] == "vectors"


async def test_models_in_both_forms() -> None:
    engine = CapableEngine()
    engine.cards = (*engine.cards, ModelCard("llama3:8b", context_tokens=64, max_output_tokens=32, can=frozenset({Can.CHAT})))
    async with running_adapter(engines=[engine]) as adapter, aiohttp.ClientSession(adapter.url) as google:
        key = {"x-goog-api-key": KEY}
        for path in ("/v1beta/models?pageSize=50", "/v1/models?pageSize=50", "/v1/v1beta/models", "/v1/v1/models"):
            async with google.get(path, headers=key) as response:
                listed = await response.json()
            assert {model["name"] for model in listed["models"]} == {"models/m", "models/vectors", "models/llama3:8b", "models/auto"}
        for path in ("/v1beta/models/llama3:8b", "/v1/models/llama3:8b"):
            async with google.get(path, headers=key) as response:
                assert (await response.json())["inputTokenLimit"] == 64
        async with google.get("/v1/models/nobody", headers=key) as response:
            assert (await response.json())["error"]["status"] == "NOT_FOUND"
        async with adapter.session.get("/v1/models") as response:
            assert (await response.json())["object"] == "list"
        async with adapter.session.get("/v1/models/llama3:8b") as response:
            assert (await response.json())["id"] == "llama3:8b"


@pytest.mark.parametrize("root", ["/v1beta", "/v1", "/v1/v1beta", "/v1/v1"])
@pytest.mark.parametrize("name", ["capable/m", "m", "capable/llama3:8b"])
async def test_every_root_and_name(root: str, name: str) -> None:
    """Where clients of every version ask, with our base URL or its root; names with slashes and colons."""
    engine = CapableEngine(script=HELLO)
    engine.cards = (*engine.cards, ModelCard("llama3:8b", context_tokens=64, max_output_tokens=32, can=frozenset({Can.CHAT})))
    async with running_adapter(engines=[engine]) as adapter:
        status, body, _ = await post(adapter, f"{root}/models/{name}:generateContent", asking())
    assert status == 200 and body["modelVersion"] == name.removeprefix("capable/")


async def test_hidden_reasoning_does_not_show() -> None:
    steps: list[Step] = [Started(), ReasoningDelta("hm"), TextDelta("yes"), END]
    async with running_adapter(engines=[CapableEngine(script=steps)]) as adapter:
        hidden = await streamed(adapter, asking())
        shown = await streamed(adapter, asking(generationConfig={"thinkingConfig": {"includeThoughts": True}}))
    assert text_of(hidden) == "yes" and text_of(shown) == "hmyes"
    assert shown[0]["candidates"][0]["content"]["parts"] == [{"text": "hm", "thought": True}]


async def test_a_key_without_the_scope_is_turned_away() -> None:
    secret = "sk-embed-0123456789abcdef"
    keys = [{"name": "tablet", "key": secret, "scope": ["embed"]}]
    async with running_adapter(key=keys) as adapter, aiohttp.ClientSession(adapter.url) as tablet:
        for path in ("/v1beta/models/echo:generateContent", "/v1/models/echo:countTokens"):
            async with tablet.post(path, json=asking(), headers={"x-goog-api-key": secret}) as response:
                body = await response.json()
            assert (response.status, body["error"]["status"]) == (403, "PERMISSION_DENIED")
