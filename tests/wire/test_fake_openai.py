"""The fake OpenAI server is what it says: sound by default (the official SDK reads it), and wrong exactly as ordered."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai
import pytest

from tests.fakes.openai_server import KINDS, QUIRKS, Call, FakeOpenAI, How, Kind, Reply, count

USER = {"role": "user", "content": "hi"}
CHAT = {"model": "m", "messages": [USER]}
STREAM = {**CHAT, "stream": True}
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
TOOLS = {"tools": [{"type": "function", "function": WEATHER}], "tool_choice": "required"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def frames(self) -> list[Any]:
        """The JSON of each event; `[DONE]` as text."""
        lines = self.data.decode().replace("\r\n", "\n").split("\n")
        values = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        return [value if value == "[DONE]" else json.loads(value) for value in values]

    @property
    def choices(self) -> list[Any]:
        return [frame["choices"][0] for frame in self.frames if frame != "[DONE]" and frame.get("choices")]

    @property
    def text(self) -> str:
        return "".join(choice["delta"].get("content") or "" for choice in self.choices)

    @property
    def finishes(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice["finish_reason"]]


async def post(fake: FakeOpenAI, body: Mapping[str, Any], path: str = "/chat/completions", **headers: str) -> Answer:
    async with aiohttp.ClientSession() as session, session.post(fake.url + path, json=body, headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.read())


async def get(fake: FakeOpenAI, path: str) -> Answer:
    async with aiohttp.ClientSession() as session, session.get(fake.url.removesuffix("/v1") + path) as answer:
        return Answer(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def raw(fake: FakeOpenAI, body: Mapping[str, Any]) -> AsyncIterator[asyncio.StreamReader]:
    """A chat over a bare socket, for what HTTP clients smooth over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    data = json.dumps(body).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
    try:
        async with asyncio.timeout(10):
            yield reader
    finally:
        writer.close()


def sdk(fake: FakeOpenAI) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=fake.url, api_key="k", max_retries=0)


# Sound by default


@pytest.mark.parametrize("kind", list(KINDS))
async def test_the_official_sdk_reads_every_kind(kind: Kind) -> None:
    async with FakeOpenAI(kind=kind, key="k", words=5) as fake, sdk(fake) as client:
        assert "m" in [model.id async for model in client.models.list()]
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi there"}])
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (count(5), "stop")
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 5)
        async with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
            streamed = await stream.get_final_completion()
        assert streamed.choices[0].message.content == count(5)
        vectors = await client.embeddings.create(model="m", input=["a", "b", "a"])
    first, second, third = (item.embedding for item in vectors.data)
    assert first == third != second
    assert math.isclose(sum(value * value for value in first), 1.0, abs_tol=1e-6)


async def test_the_official_sdk_reads_its_calls() -> None:
    async with FakeOpenAI() as fake, sdk(fake) as client:
        messages: Any = [USER]
        tools: Any = TOOLS["tools"]
        async with client.chat.completions.stream(model="m", messages=messages, tools=tools, tool_choice="required") as stream:
            choice = (await stream.get_final_completion()).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "w0"}


@pytest.mark.parametrize(
    ("more", "text", "finish"),
    [
        ({"max_tokens": 2}, "w0 w1", "length"),
        ({"max_completion_tokens": 3}, "w0 w1 w2", "length"),
        ({"max_tokens": 16}, count(16), "stop"),
        ({"stop": "w3"}, "w0 w1 w2 ", "stop"),
        ({"stop": [" w2", "w1 w"]}, "w0 ", "stop"),
        ({"response_format": {"type": "json_object"}}, '{"answer": "w0"}', "stop"),
        ({"response_format": SCHEMA}, '{"n": 1}', "stop"),
        ({"tool_choice": "auto", "tools": TOOLS["tools"]}, count(16), "stop"),
    ],
)
async def test_what_it_honours(more: dict[str, Any], text: str, finish: str) -> None:
    async with FakeOpenAI() as fake:
        plain = await post(fake, {**CHAT, **more})
        streamed = await post(fake, {**STREAM, **more})
    assert (plain.json["choices"][0]["message"]["content"], plain.json["choices"][0]["finish_reason"]) == (text, finish)
    assert (streamed.text, streamed.finishes) == (text, [finish])


@pytest.mark.parametrize(
    ("kind", "more", "goes_on"),
    [
        ("llama-server", {}, True),
        ("ollama", {}, True),
        ("farmhand", {}, True),
        ("vllm", {}, False),
        ("vllm", {"continue_final_message": True, "add_generation_prompt": False}, True),
        ("plain", {}, False),
        ("lmstudio", {}, False),
        ("mlx", {}, False),
    ],
)
async def test_kinds_that_can_go_on_from_the_last_character(kind: Kind, more: dict[str, Any], goes_on: bool) -> None:
    started = "w0 w1 w2 w"
    body = {**STREAM, **more, "messages": [USER, {"role": "assistant", "content": started}]}
    async with FakeOpenAI(kind=kind, words=12) as fake:
        text = (await post(fake, body)).text
    assert (started + text == count(12)) is goes_on
    assert (text == count(12)) is not goes_on


async def test_a_reply_of_ones_own_by_request() -> None:
    def reply(body: dict[str, Any]) -> Reply:
        return Reply(["a", "b"], [Call("f", '{"x": 1}', "id7")], ["hm"], "tool_calls", (7, 9))

    async with FakeOpenAI(reply=reply, kind="vllm") as fake:
        plain = (await post(fake, CHAT)).json
        streamed = await post(fake, {**STREAM, "stream_options": {"include_usage": True}})
    message = plain["choices"][0]["message"]
    assert (message["content"], message["reasoning"], message["tool_calls"][0]["id"]) == ("ab", "hm", "id7")
    assert plain["usage"] == streamed.frames[-2]["usage"] == {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    parts = [c["delta"]["tool_calls"][0]["function"].get("arguments") for c in streamed.choices if "tool_calls" in c["delta"]]
    assert "".join(parts) == '{"x": 1}'


async def test_completions_and_several_choices() -> None:
    async with FakeOpenAI(words=3) as fake:
        text = (await post(fake, {"model": "m", "prompt": "say"}, "/completions")).json
        many = (await post(fake, {**CHAT, "n": 2})).json
        streamed = await post(fake, {"model": "m", "prompt": "say", "stream": True}, "/completions")
    assert text["choices"][0]["text"] == "w0 w1 w2"
    assert [choice["index"] for choice in many["choices"]] == [0, 1]
    assert "".join(choice["text"] for choice in streamed.choices) == "w0 w1 w2"


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("llama-server", "/props", {"total_slots": 4}),
        ("llama-server", "/health", {"status": "ok"}),
        ("ollama", "/api/version", {"version": "0.12.6"}),
        ("vllm", "/version", {"version": "0.11.0"}),
        ("lmstudio", "/health", {"error": "Unexpected endpoint or method. (GET /health)"}),
        ("farmhand", "/ready", {"status": "ready"}),
        ("mlx", "/health", {"status": "ok"}),
    ],
)
async def test_paths_of_the_kinds(kind: Kind, path: str, expected: dict[str, Any]) -> None:
    async with FakeOpenAI(kind=kind) as fake:
        answer = await get(fake, path)
    assert answer.status == 200
    assert expected.items() <= answer.json.items()


@pytest.mark.parametrize("kind", ["plain", "vllm", "farmhand"])
async def test_unknown_paths_are_404(kind: Kind) -> None:
    async with FakeOpenAI(kind=kind) as fake:
        assert (await get(fake, "/props")).status == 404
        assert (await post(fake, {}, "/tokenize")).status == 404


async def test_keys_and_model_names() -> None:
    async with FakeOpenAI(kind="vllm", key="k") as fake:
        assert (await post(fake, CHAT)).status == 401
        assert (await post(fake, {**CHAT, "model": "x"}, Authorization="Bearer k")).status == 404
        assert (await post(fake, CHAT, Authorization="Bearer k")).status == 200
    async with FakeOpenAI(kind="llama-server", models=["one"]) as fake:
        assert (await post(fake, CHAT)).status == 200  # one model, whatever it is called


async def test_a_prompt_that_is_too_long() -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": "a " * 60}]}
    async with FakeOpenAI(kind="llama-server", context_tokens=50) as fake:
        refused = await post(fake, body)
    async with FakeOpenAI(kind="ollama", context_tokens=50) as fake:
        cut = await post(fake, body)
    assert refused.status == 400
    assert refused.json["error"] | {"n_prompt_tokens": 60, "n_ctx": 50} == refused.json["error"]
    assert cut.status == 200


async def test_what_was_seen() -> None:
    async with FakeOpenAI(token_delay_s=0.001) as fake:
        await asyncio.gather(*(post(fake, STREAM, X_Test="1") for _ in range(3)))
        await get(fake, "/v1/models")
        assert (fake.max_in_flight, fake.in_flight, fake.left_early) == (3, 0, 0)
        assert [seen.path for seen in fake.requests] == ["/v1/chat/completions"] * 3 + ["/v1/models"]
        assert fake.requests[0].json == STREAM
        assert fake.requests[0].headers["x_test"] == "1"
        assert len(fake.generations) == 3


# Faults on order


async def test_fail_next_is_used_once_and_by_path() -> None:
    async with FakeOpenAI() as fake:
        fake.fail_next(503, {"error": "x"}, {"Retry-After": "3"}, path="chat")
        fake.fail_next(500, b"\xff<html>", content_type="text/html", path="chat")
        assert (await post(fake, {"model": "m", "input": "a"}, "/embeddings")).status == 200
        first, second, third = [await post(fake, CHAT) for _ in range(3)]
    assert (first.status, first.json, first.headers["Retry-After"]) == (503, {"error": "x"}, "3")
    assert (second.status, second.data, second.headers["Content-Type"]) == (500, b"\xff<html>", "text/html")
    assert third.status == 200


@pytest.mark.parametrize("how", ["frame", "clean_end", "no_done", "no_finish"])
async def test_streams_that_end_cleanly_and_wrongly(how: How) -> None:
    async with FakeOpenAI() as fake:
        fake.fail_after(3, how)
        answer = await post(fake, STREAM)
        assert (await post(fake, STREAM)).text == fake.text
    assert answer.text == "w0 w1 w2"
    assert answer.finishes == (["stop"] if how == "no_done" else [])
    assert (answer.frames[-1] == "[DONE]") is (how == "no_finish")
    assert ("error" in answer.frames[-1]) is (how == "frame")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_answers_that_are_cut(how: How, stream: bool) -> None:
    async with FakeOpenAI() as fake:
        fake.fail_after(3, how)
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await post(fake, {**CHAT, "stream": stream})


@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_what_arrives_before_a_cut(how: How) -> None:
    """A cut is an orderly end of the connection, a reset is not; both lack the last chunk of the body."""
    async with FakeOpenAI() as fake:
        fake.fail_after(2, how)
        async with raw(fake, STREAM) as reader:
            seen = await reader.readuntil(b"w1")
            rest = await _rest(reader)
    assert b'"w0"' in seen
    assert rest is None if how == "reset" else rest is not None and b"0\r\n\r\n" not in rest and b"w2" not in rest


async def _rest(reader: asyncio.StreamReader) -> bytes | None:
    """`None` after a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return None


async def test_every_byte_can_be_the_last() -> None:
    async with FakeOpenAI(words=2) as fake:
        whole = (await post(fake, STREAM)).data
        for at in range(0, len(whole), 37):
            fake.fail_at_byte(at, "clean_end")
            assert (await post(fake, STREAM)).data == whole[:at].replace(b"chatcmpl-1", b"chatcmpl-%d" % len(fake.requests))[:at]


async def test_plain_answers_break_too() -> None:
    async with FakeOpenAI() as fake:
        fake.fail_after(1, "frame")
        assert (await post(fake, CHAT)).status == 500
        fake.fail_after(1, "clean_end")
        with pytest.raises(ValueError, match="line 1"):
            _ = (await post(fake, CHAT)).json
        fake.fail_after(1, "no_finish")
        assert "finish_reason" not in (await post(fake, CHAT)).json["choices"][0]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stall_ends_when_the_client_leaves(stream: bool) -> None:
    async with FakeOpenAI() as fake:
        fake.fail_after(2, "stall")
        async with raw(fake, {**CHAT, "stream": stream}) as reader:
            await reader.readuntil(b"chatcmpl-1")
            assert fake.in_flight == 1
        await fake.until(lambda: fake.in_flight == 0)
        assert fake.left_early == 1


async def test_a_gate_holds_the_head_or_a_stream() -> None:
    async with FakeOpenAI() as fake:
        with fake.hold() as gate:
            asked = [asyncio.ensure_future(post(fake, CHAT)) for _ in range(2)]
            await gate.reached(2)
            assert fake.in_flight == 2
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        middle = fake.hold(after=2)
        async with raw(fake, STREAM) as reader:
            await reader.readuntil(b"w1")
            await middle.reached()
            middle.release()
            await reader.readuntil(b"[DONE]")


async def test_who_leaves_is_counted_and_the_work_ends() -> None:
    async with FakeOpenAI(quirks={"keeps_going"}) as fake:
        async with raw(fake, {**STREAM, "max_tokens": 2}) as reader:
            await reader.readuntil(b"w200")
        await fake.until(lambda: fake.left_early == 1 and fake.in_flight == 0 and not fake.open_connections)


async def test_it_comes_back_on_the_same_port() -> None:
    fake = FakeOpenAI()
    await fake.start()
    port = fake.port
    await fake.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://127.0.0.1:{port}/")
    async with fake:
        assert fake.port == port
        assert (await post(fake, CHAT)).status == 200


# Quirks


def _choice(answer: Answer) -> Any:
    return answer.json["choices"][0]


PLAIN_QUIRKS: list[tuple[str, dict[str, Any], Any]] = [
    ("no_usage", {}, lambda a: "usage" not in a.json),
    ("zero_usage", {}, lambda a: set(a.json["usage"].values()) == {0}),
    ("eos_finish", {}, lambda a: _choice(a)["finish_reason"] == "eos"),
    ("no_role", {}, lambda a: "role" not in _choice(a)["message"]),
    ("no_index", {}, lambda a: "index" not in _choice(a)),
    ("no_tool_id", TOOLS, lambda a: "id" not in _choice(a)["message"]["tool_calls"][0]),
    ("no_tool_type", TOOLS, lambda a: "type" not in _choice(a)["message"]["tool_calls"][0]),
    ("arguments_object", TOOLS, lambda a: _function(a)["arguments"] == {"city": "w0"}),
    ("empty_arguments", TOOLS, lambda a: _function(a)["arguments"] == ""),
    ("bad_arguments", TOOLS, lambda a: _is_broken(_function(a)["arguments"])),
    ("content_list", {}, lambda a: _choice(a)["message"]["content"][0]["type"] == "text"),
    ("content_null", {}, lambda a: _choice(a)["message"]["content"] is None),
    ("float_created", {}, lambda a: isinstance(a.json["created"], float)),
    ("no_id", {}, lambda a: not {"id", "object", "model"} & a.json.keys()),
    ("no_choices", {}, lambda a: a.json["choices"] == []),
    ("no_finish", {}, lambda a: "finish_reason" not in _choice(a)),
    ("n_is_one", {"n": 3}, lambda a: len(a.json["choices"]) == 1),
    ("think_in_text", {}, lambda a: _content(a).startswith("<think>thinking</think>\nw0")),
    ("gzip", {}, lambda a: _content(a) == count(16) and a.headers["Content-Encoding"] == "gzip"),
    ("ignores_max_tokens", {"max_tokens": 2}, lambda a: _content(a) == count(16)),
    ("max_tokens_only", {"max_completion_tokens": 2}, lambda a: _content(a) == count(16)),
    ("ignores_stop", {"stop": "w1"}, lambda a: _content(a) == count(16)),
    ("ignores_tools", TOOLS, lambda a: json.loads(_content(a)) == {"name": "get_weather", "arguments": {"city": "w0"}}),
    ("ignores_schema", {"response_format": SCHEMA}, lambda a: _content(a) == count(16)),
    ("max_completion_tokens_only", {"max_tokens": 2}, lambda a: a.status == 400 and a.json["error"]["param"] == "max_tokens"),
    ("max_completion_tokens_only", {"max_completion_tokens": 2}, lambda a: _content(a) == "w0 w1"),
    ("rejects_stream_options", {"stream_options": {}}, lambda a: a.status == 400 and "stream_options" in a.json["error"]["message"]),
    ("rejects_tools", TOOLS, lambda a: a.status == 400 and a.json["error"]["param"] == "tools"),
    ("rejects_schema", {"response_format": SCHEMA}, lambda a: a.status == 400),
    ("schema_500", {"response_format": SCHEMA}, lambda a: a.status == 500 and "validation error" in a.json["error"]["message"]),
    ("no_tools", TOOLS, lambda a: _content(a) == count(16)),
    ("no_json_object", {"response_format": {"type": "json_object"}}, lambda a: a.status == 400 and isinstance(a.json["error"], str)),
    ("error_200", {}, lambda a: a.status == 200 and "choices" not in a.json and a.json["error"]["message"]),
    ("html_error", {}, lambda a: a.status == 502 and a.data.startswith(b"<html>") and a.headers["Content-Type"] == "text/html"),
    ("text_error", {}, lambda a: (a.status, a.data) == (500, b"Internal Server Error")),
    ("error_string", {}, lambda a: a.status == 500 and a.json["error"] == "the model broke"),
    ("detail_error", {}, lambda a: a.status == 422 and a.json["detail"][0]["msg"]),
    ("model_404", {}, lambda a: a.status == 404 and a.json["error"]["code"] == "model_not_found"),
    ("busy_429", {}, lambda a: (a.status, a.headers["Retry-After"]) == (429, "7")),
    ("loading_503", {}, lambda a: a.status == 503 and a.json["error"]["message"] == "Loading model"),
    ("connection_close", {}, lambda a: a.headers["Connection"] == "close"),
]


def _function(answer: Answer) -> Any:
    return _choice(answer)["message"]["tool_calls"][0]["function"]


def _content(answer: Answer) -> Any:
    return _choice(answer)["message"]["content"]


def _is_broken(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(("quirk", "more", "shows"), PLAIN_QUIRKS, ids=[row[0] for row in PLAIN_QUIRKS])
async def test_quirks_of_plain_answers(quirk: str, more: dict[str, Any], shows: Any) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake:
        assert shows(await post(fake, {**CHAT, **more}))
    if quirk != "max_completion_tokens_only":
        async with FakeOpenAI() as sound:
            assert not _shows(shows, await post(sound, {**CHAT, **more}))


def _shows(shows: Any, answer: Answer) -> bool:
    try:
        return bool(shows(answer))
    except (KeyError, TypeError, ValueError):
        return False


USAGE = {"stream_options": {"include_usage": True}}
STREAM_QUIRKS: list[tuple[str, dict[str, Any], Any]] = [
    ("no_usage", USAGE, lambda a: not any("usage" in frame for frame in a.frames if frame != "[DONE]")),
    ("usage_every_chunk", {}, lambda a: all("usage" in frame for frame in a.frames if frame != "[DONE]")),
    ("json_for_stream", {}, lambda a: a.json["object"] == "chat.completion"),
    ("stream_as_json_type", {}, lambda a: a.headers["Content-Type"] == "application/json"),
    ("crlf", {}, lambda a: a.data.count(b"\r\n\r\n") == a.data.count(b"data:")),
    ("no_space_after_data", {}, lambda a: b"data:{" in a.data and b"data: " not in a.data),
    ("comments", {}, lambda a: a.data.count(b": ping\n\n") == len(a.frames)),
    ("event_lines", {}, lambda a: b"event: message\nid: 1\ndata: " in a.data),
    ("no_done", {}, lambda a: a.frames[-1] != "[DONE]" and a.finishes == ["stop"]),
    ("no_finish", {}, lambda a: a.frames[-1] == "[DONE]" and not a.finishes),
    ("no_role", {}, lambda a: not any("role" in choice["delta"] for choice in a.choices)),
    ("no_index", {}, lambda a: not any("index" in choice for choice in a.choices)),
    ("no_tool_index", TOOLS, lambda a: not any("index" in call for call in _calls(a)) and len(_calls(a)) > 1),
    ("no_tool_id", TOOLS, lambda a: not any("id" in call for call in _calls(a)) and len(_calls(a)) > 1),
    ("arguments_object", TOOLS, lambda a: [c["function"]["arguments"] for c in _calls(a)] == [{"city": "w0"}]),
    ("content_list", {}, lambda a: isinstance(a.choices[1]["delta"]["content"], list)),
    ("content_null", {}, lambda a: {choice["delta"].get("content") for choice in a.choices} == {None}),
    ("empty_stream", {}, lambda a: a.status == 200 and a.data == b""),
    ("no_choices", {}, lambda a: not a.choices and a.frames),
    ("huge_line", {}, lambda a: max(len(line) for line in a.data.split(b"\n")) > 300_000),
    ("think_in_text", {}, lambda a: a.text.startswith("<think>thinking</think>\nw0")),
]


def _calls(answer: Answer) -> list[Any]:
    return [call for choice in answer.choices for call in choice["delta"].get("tool_calls", ())]


@pytest.mark.parametrize(("quirk", "more", "shows"), STREAM_QUIRKS, ids=[row[0] for row in STREAM_QUIRKS])
async def test_quirks_of_streams(quirk: str, more: dict[str, Any], shows: Any) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake:
        assert shows(await post(fake, {**STREAM, **more}))
    async with FakeOpenAI() as sound:
        assert not _shows(shows, await post(sound, {**STREAM, **more}))


async def test_an_error_under_its_own_field() -> None:
    async with FakeOpenAI(quirks={"error_field"}) as fake:
        fake.fail_after(1, "frame")
        data = (await post(fake, STREAM)).data
    assert b'\nerror: {"message"' in data


@pytest.mark.parametrize("quirk", ["split_utf8", "byte_by_byte"])
async def test_characters_are_cut_between_writes(quirk: str) -> None:
    reply = None if quirk == "split_utf8" else Reply(["w0🙂"])
    async with FakeOpenAI(quirks={quirk}, words=1, reply=reply) as fake:
        parts: list[bytes] = []
        async with raw(fake, STREAM) as reader:
            await reader.readuntil(b"\r\n\r\n")
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                parts.append((await reader.readexactly(size + 2))[:-2])
    text = Answer(200, {}, b"".join(parts)).text
    assert text == "w0🙂"
    assert any(_is_cut(part) for part in parts)


def _is_cut(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return True
    return False


async def test_a_stream_in_one_segment() -> None:
    async with FakeOpenAI(quirks={"one_segment"}, words=2) as fake, raw(fake, STREAM) as reader:
        data = await reader.read(65_536)
    assert data.startswith(b"HTTP/1.1 200")
    assert data.endswith(b"0\r\n\r\n")


async def test_idle_connections_that_are_dropped() -> None:
    """The second request over a connection gets no answer at all; a client has to ask again over a new one."""
    async with FakeOpenAI(quirks={"drops_idle"}) as fake:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
            request = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
            writer.write(request)
            assert b'"m"' in await reader.readuntil(b"]}")
            writer.write(request)
            assert await reader.read() == b""
            writer.close()
    assert len(fake.requests) == 2


async def test_a_slow_head() -> None:
    async with FakeOpenAI(quirks={"slow_head"}, head_delay_s=30) as fake:
        async with raw(fake, CHAT):
            await fake.until(lambda: fake.in_flight == 1)
        await fake.until(lambda: fake.left_early == 1 and fake.in_flight == 0)


async def test_embeddings_that_are_odd() -> None:
    body = {"model": "m", "input": "a"}
    async with FakeOpenAI(quirks={"base64_embeddings"}) as fake:
        assert isinstance((await post(fake, body, "/embeddings")).json["data"][0]["embedding"], str)
    async with FakeOpenAI(kind="llama-server", quirks={"no_embeddings"}) as fake:
        assert (await post(fake, body, "/embeddings")).status == 501


@pytest.mark.parametrize(
    ("quirk", "words"),
    [
        ("context_400:openai", "maximum context length is 8192 tokens"),
        ("context_400:vllm", "your request has 8193 input tokens"),
        ("context_400:vllm_old", "However, you requested 8209 tokens"),
        ("context_400:llama-server", "request (8193 tokens) exceeds the available context size (8192 tokens)"),
        ("context_400:ollama", "input length exceeds the context length"),
        ("context_400:lmstudio", "n_keep: 8193>= n_ctx: 8192"),
        ("context_400:lmstudio_old", "loaded with context length of only 8192 tokens"),
        ("context_400:litellm", "ContextWindowExceededError"),
    ],
)
async def test_too_long_in_everybodys_words(quirk: str, words: str) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake:
        answer = await post(fake, CHAT)
    assert answer.status == 400
    assert words in answer.data.decode()


def test_a_misspelt_quirk_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="no_usge"):
        FakeOpenAI(quirks={"no_usge"})


def test_every_quirk_is_tried() -> None:
    tried = {row[0] for row in PLAIN_QUIRKS + STREAM_QUIRKS}
    tried |= {"error_field", "split_utf8", "byte_by_byte", "one_segment", "drops_idle", "slow_head", "keeps_going"}
    tried |= {"base64_embeddings", "no_embeddings"} | {quirk for quirk in QUIRKS if quirk.startswith("context_400:")}
    assert tried == set(QUIRKS)
