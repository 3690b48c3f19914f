"""The `openai` engine passing bytes on, and what it lists."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapter.chat import Finished, FinishReason, Started
from adapter.dialects.hops import HOPS_HEADER
from adapter.dialects.upstream_openai_relay import relayed as read
from adapter.engines import openai_run
from adapter.engines.base import Can, Completes, Embeds, Raw, Relays, Seated
from adapter.engines.openai import OpenaiEngine
from adapter.engines.registry import build_engine
from adapter.errors import (
    AdapterError,
    ContextTooLong,
    EngineFailed,
    ModelNotFound,
    UpstreamProtocol,
    UpstreamTimeout,
)
from adapter.secrets import SecretError
from adapter.settings import OpenaiSettings
from tests.fakes.openai_server import Call, FakeOpenAI, Reply
from tests.wire.openai_cases import answered, bytes_of, chat, engine_at, relayed, text_of, wire

STREAMS = (
    "", "no_usage", "usage_every_chunk", "eos_finish", "no_role", "no_index", "content_list", "float_created", "no_id", "no_done",
    "json_for_stream", "stream_as_json_type", "crlf", "no_space_after_data", "comments", "event_lines", "byte_by_byte", "huge_line",
    "one_segment", "connection_close", "drops_idle", "split_utf8",
)  # fmt: skip


def values(data: bytes) -> list[dict[str, Any]]:
    lines = (line.partition(b":")[2].strip() for line in data.splitlines() if line.startswith(b"data:"))
    return [json.loads(line) for line in lines if line != b"[DONE]"]


@pytest.mark.parametrize("quirk", STREAMS)
async def test_a_stream_is_passed_on_whole_and_in_the_safe_form(quirk: str) -> None:
    async with FakeOpenAI(quirks={quirk} if quirk else ()) as fake, engine_at(fake.url) as engine:
        await engine.models()
        for _ in range(2):
            request = wire(stream=True)
            parts = await relayed(engine, request)
            assert isinstance(parts[0], Started) and isinstance(parts[-1], Finished)
            assert parts[-1].reason is FinishReason.STOP and parts[-1].usage.completion_tokens > 0
            data = bytes_of(parts)
            assert read(data).text == fake.text
            assert data.rstrip().endswith(b"[DONE]")
            assert fake.generations[-1].body == request[1].body
            for value in values(data):
                assert isinstance(value["id"], str) and isinstance(value["created"], int)
                assert all(choice["index"] == 0 for choice in value["choices"])
            assert values(data)[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("quirk", ["", "no_usage", "eos_finish", "no_role", "no_index", "no_id", "float_created", "content_list", "gzip"])
async def test_a_plain_answer_is_passed_on_in_the_safe_form(quirk: str) -> None:
    async with FakeOpenAI(quirks={quirk} if quirk else ()) as fake, engine_at(fake.url) as engine:
        await engine.models()
        parts = await relayed(engine, wire(max_tokens=50))
    assert [type(part) for part in parts] == [Started, Raw, Finished]
    value = json.loads(bytes_of(parts))
    assert (value["object"], value["model"], value["choices"][0]["index"]) == ("chat.completion", "m", 0)
    assert value["choices"][0]["message"] == {"role": "assistant", "content": fake.text}
    assert value["choices"][0]["finish_reason"] == "stop"


BREAKS: list[tuple[str, type[AdapterError]]] = [
    ("frame", EngineFailed), ("cut", UpstreamProtocol), ("reset", UpstreamProtocol), ("clean_end", UpstreamProtocol),
    ("no_finish", UpstreamProtocol), ("stall", UpstreamTimeout),
]  # fmt: skip


@pytest.mark.parametrize(("how", "error"), BREAKS)
@pytest.mark.parametrize("pieces", [0, 1, 7])
async def test_a_broken_stream_tells_exactly_what_was_said(how: str, error: type[AdapterError], pieces: int) -> None:
    """And before anything is said, nothing is passed on."""
    async with FakeOpenAI() as fake, engine_at(fake.url, first_token_s=0.3, between_tokens_s=0.3) as engine:
        await engine.models()
        fake.fail_after(pieces, how)  # type: ignore[arg-type]  # one of its words
        parts = engine.relay(*wire(stream=True))
        assert parts is not None
        data = b""
        with pytest.raises(AdapterError) as caught:
            async for part in parts:
                data += part.data if isinstance(part, Raw) else b""
        assert type(caught.value) is error
        assert read(data).text == "".join(f" w{i}" for i in range(pieces)).lstrip()
        assert b"[DONE]" not in data and b'"error"' not in data
        assert (data == b"") is (pieces == 0)


@pytest.mark.parametrize("at", range(0, 2_000, 97))
async def test_cut_anywhere_only_whole_frames_are_passed_on(at: int) -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        await engine.models()
        fake.fail_at_byte(at, "cut")
        parts = engine.relay(*wire(stream=True))
        assert parts is not None
        data = b""
        with pytest.raises(UpstreamProtocol):
            async for part in parts:
                data += part.data if isinstance(part, Raw) else b""
        assert data == b"" or data.endswith(b"\n\n")
        assert fake.text.startswith(read(data).text)


ERRORS: list[tuple[str, type[AdapterError]]] = [
    ("no_choices", UpstreamProtocol), ("error_200", EngineFailed), ("html_error", EngineFailed), ("context_400:llama-server", ContextTooLong),
    ("content_null", UpstreamProtocol),
]  # fmt: skip


@pytest.mark.parametrize(("quirk", "error"), ERRORS)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_has_its_type(quirk: str, error: type[AdapterError], stream: bool) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake, engine_at(fake.url) as engine:
        await engine.models()
        with pytest.raises(AdapterError) as caught:
            await relayed(engine, wire(stream=stream))
    assert type(caught.value) is error


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_closes_the_connection_at_once(stream: bool) -> None:
    async with FakeOpenAI(quirks={"keeps_going"}) as fake, engine_at(fake.url) as engine:
        await engine.models()
        parts = engine.relay(*wire(stream=stream))
        assert parts is not None

        async def read_some() -> None:
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, Raw):
                        break

        task = asyncio.create_task(read_some())
        if stream:
            await task
        else:
            await fake.until(lambda: fake.in_flight == 1)
            task.cancel()
            await asyncio.wait([task])
        await fake.until(lambda: fake.left_early == 1)


async def test_an_endless_answer_ends_with_length_and_is_read_the_next_time() -> None:
    async with FakeOpenAI(quirks={"keeps_going"}) as fake, engine_at(fake.url) as engine:
        await engine.models()
        parts = await relayed(engine, wire(stream=True, max_tokens=5))
        assert isinstance(parts[-1], Finished) and parts[-1].reason is FinishReason.LENGTH
        assert values(bytes_of(parts))[-1]["choices"][0]["finish_reason"] == "length"
        assert engine.relay(*wire(stream=True, max_tokens=5)) is None


async def test_reasoning_in_the_text_is_read_the_next_time() -> None:
    async with FakeOpenAI(reply=Reply(("so",), reasoning=("hm",)), quirks={"think_in_text"}) as fake, engine_at(fake.url) as engine:
        await engine.models()
        await relayed(engine, wire(stream=True))
        assert engine.relay(*wire(stream=True)) is None


async def test_calls_are_passed_on_where_tools_are_trusted() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    async with FakeOpenAI(kind="llama-server", reply=Reply((), (Call("f", '{"a": 1}'),), finish="tool_calls")) as fake, engine_at(fake.url) as engine:
        await engine.models()
        parts = await relayed(engine, wire(stream=True, tools=tools))
    assert read(bytes_of(parts)).calls
    assert isinstance(parts[-1], Finished) and parts[-1].reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_stream_is_asked_for_once_more_without_stream(stream: bool) -> None:
    async with FakeOpenAI(quirks={"empty_stream"}) as fake, engine_at(fake.url) as engine:
        await engine.models()
        parts = await relayed(engine, wire(stream=stream))
        assert isinstance(parts[0], Started) and not any(isinstance(part, Started) for part in parts[1:])
        data = bytes_of(parts)
        assert (read(data).text if stream else json.loads(data)["choices"][0]["message"]["content"]) == fake.text
        assert [seen.json.get("stream", False) for seen in fake.generations] == ([True, False] if stream else [False])


async def test_a_trusted_schema_that_is_refused_with_500_is_asked_for_in_the_other_words() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    async with FakeOpenAI(quirks={"schema_500"}) as fake, engine_at(fake.url, schema="native") as engine:
        await engine.models()
        await relayed(engine, wire(stream=True, response_format=form))
        assert fake.generations[-1].json["response_format"] == {"type": "json_object", "schema": {"type": "object"}}


async def test_nothing_is_passed_on_before_the_server_is_known() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        assert engine.relay(*wire(stream=True)) is None
        assert fake.requests == []


async def test_the_name_map() -> None:
    async with FakeOpenAI(models=("org/m", "other")) as fake, engine_at(fake.url, models={"m": "org/m"}) as engine:
        assert [card.id for card in await engine.models()] == ["m"]
        await answered(engine, chat())
        assert fake.generations[-1].json["model"] == "org/m"
        await relayed(engine, wire(stream=True))
        assert fake.generations[-1].json["model"] == "org/m"
        assert engine.relay(*wire(model="other")) is None
        with pytest.raises(ModelNotFound):
            await answered(engine, chat(model="other"))


@pytest.mark.parametrize(("instance", "hops", "said"), [("b", ("a", "b"), "a, b"), ("b", (), "b"), ("", (), None)])
async def test_the_hop_header_goes_with_every_request(instance: str, hops: tuple[str, ...], said: str | None) -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url, instance=instance) as engine:
        await engine.models()
        await engine.health()
        name = HOPS_HEADER.lower()
        assert {seen.headers.get(name) for seen in fake.requests} == {instance or None}
        await answered(engine, chat(hops=hops))
        assert fake.requests[-1].headers.get(name) == said
        await relayed(engine, wire(stream=True, hops=hops))
        assert fake.requests[-1].headers.get(name) == said


async def test_key_and_headers_go_with_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-from-outside")
    settings: dict[str, Any] = {"key": "os.environ/UP_KEY", "headers": {"X-Team": "farm"}}
    async with FakeOpenAI(key="sk-from-outside") as fake, engine_at(fake.url, **settings) as engine:
        await engine.models()
        await answered(engine, chat())
        await relayed(engine, wire())
        for seen in fake.requests:
            assert seen.headers["authorization"] == "Bearer sk-from-outside"
            assert (seen.headers["x-team"], seen.headers["accept-encoding"]) == ("farm", "identity")


def test_a_key_that_is_not_there_is_an_error_at_the_start() -> None:
    with pytest.raises(SecretError):
        OpenaiEngine(OpenaiSettings(name="up", kind="openai", url="http://127.0.0.1:9/v1", key="os.environ/NOT_THERE_AT_ALL"))


@pytest.mark.parametrize(
    ("kind", "context", "some", "checked"),
    [
        ("plain", 8_192, {Can.TOOLS, Can.OUTPUT}, {Can.TOOLS, Can.OUTPUT}),
        ("llama-server", 5_000, {Can.TOOLS, Can.CONTINUE, Can.GRAMMAR}, set()),
        ("ollama", 5_000, {Can.TOOLS, Can.OUTPUT}, {Can.TOOLS, Can.OUTPUT}),
        ("vllm", 5_000, {Can.MANY, Can.CONTINUE}, {Can.TOOLS}),
        ("lmstudio", 5_000, {Can.OUTPUT}, {Can.TOOLS}),
        ("mlx", 8_192, {Can.LOGPROBS}, {Can.TOOLS}),
        ("farmhand", 5_000, {Can.CONTINUE, Can.EMBEDDINGS}, set()),
    ],
)
async def test_models_of_every_kind_of_server(kind: str, context: int, some: set[Can], checked: set[Can]) -> None:
    async with FakeOpenAI(kind=kind, context_tokens=5_000) as fake, engine_at(fake.url) as engine:  # type: ignore[arg-type]
        (card,) = await engine.models()
        assert (card.id, card.context_tokens, set(card.checked)) == ("m", context, checked)
        assert some <= card.can and Can.TOKENIZE not in card.can
        health = await engine.health()
        assert health.ready and health.detail.endswith("1 model.")
        assert fake.generations == []  # nothing was spent on finding out


async def test_a_server_without_a_list_has_the_models_that_are_named() -> None:
    async with FakeOpenAI() as fake:
        async with engine_at(fake.url + "/nowhere", models={"ours": "m"}) as engine:
            assert [card.id for card in await engine.models()] == ["ours"]
            assert (await engine.health()).ready
        async with engine_at(fake.url + "/nowhere") as engine:
            assert list(await engine.models()) == []
            assert "/v1" in (await engine.health()).detail


async def test_default_max_tokens_counts_only_where_it_is_set() -> None:
    async with FakeOpenAI() as fake:
        async with engine_at(fake.url) as engine:
            await answered(engine, chat())
            assert "max_tokens" not in fake.generations[-1].json
        async with engine_at(fake.url, default_max_tokens=3) as engine:
            await engine.models()
            assert engine.relay(*wire()) is None
            await answered(engine, chat())
            assert fake.generations[-1].json["max_tokens"] == 3


async def test_what_it_can_be_asked_for(tmp_path: Path) -> None:
    engine = build_engine(OpenaiSettings(name="up", kind="openai", url="http://127.0.0.1:9/v1", capacity=3), tmp_path)
    assert isinstance(engine, Completes) and isinstance(engine, Embeds) and isinstance(engine, Relays) and isinstance(engine, Seated)
    assert (engine.name, engine.capacity) == ("up", 3)
    await engine.settled()
    await engine.close()


async def test_connections_are_used_again() -> None:
    async with FakeOpenAI(kind="vllm") as fake, engine_at(fake.url) as engine:
        await engine.models()
        for stream in (True, False, True):
            await relayed(engine, wire(stream=stream))
            await answered(engine, chat())
        assert fake.connections == 1


@pytest.mark.parametrize("passes_on", [True, False])
async def test_a_server_that_never_ends_a_complete_answer(passes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last reason only the usage and the end are waited for, and not for long."""
    monkeypatch.setattr(openai_run, "AFTER_END_S", 0.1)
    left = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        for delta, reason in (({"role": "assistant", "content": "hello"}, None), ({}, "stop")):
            chunk = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return response

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "owned_by": "vllm"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", hang)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with engine_at(f"http://{host}:{port}/v1") as engine:
            await engine.models()
            if passes_on:
                data = bytes_of(await relayed(engine, wire(stream=True)))
                assert read(data).text == "hello" and data.endswith(b"data: [DONE]\n\n")
            else:
                assert text_of(await answered(engine, chat())) == "hello"
            async with asyncio.timeout(5):
                await left.wait()
    finally:
        await runner.cleanup()
