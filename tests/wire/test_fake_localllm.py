"""The fake LocalLLM against protocols/localllm.md: the transport, the key, the errors and their order, the answers.

`# row n` is a row of the check list in section 19.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.localllm import FakeLocalLLM, Reply
from tests.fakes.localllm.raw_client import CHAT, Answer, ask, chat, connected, parse, post, request, send

QUEUE_HEADERS = {
    "x-queue-position",
    "x-queue-depth",
    "x-estimated-wait-ms",
    "x-request-id",
    "x-client-id",
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def is_plain(answer: Answer, status: int, kind: str) -> bool:
    error = answer.error
    assert (error.pop("type"), error.pop("code"), list(error)) == (kind, status, ["message"])
    return answer.status == status


def is_text_500(answer: Answer) -> bool:
    return answer.status == 500 and answer.headers["content-type"].startswith("text/plain") and bool(answer.body)


# Key (4)


@pytest.mark.parametrize("value", ["Bearer x", "nonsense", ""])
async def test_without_a_key_any_authorization_passes(value: str) -> None:  # row 1
    async with FakeLocalLLM() as phone:
        assert (await post(phone.port, chat(), Authorization=value)).status == 200


@pytest.mark.parametrize("value", ["bearer k", "BEARER k", "Token k", "Basic k", "k", "Bearer x", "Bearerk", ""])
async def test_a_wrong_key(value: str) -> None:  # row 2
    async with FakeLocalLLM(key=" k ") as phone:
        answer = await post(phone.port, chat(), Authorization=value, X_Api_Key="k")
        assert is_plain(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert not QUEUE_HEADERS & set(answer.headers)


@pytest.mark.parametrize("value", ["Bearer k", "Bearer   k  "])
async def test_a_right_key(value: str) -> None:  # row 3
    async with FakeLocalLLM(key="k") as phone:
        assert (await post(phone.port, chat(), Authorization=value)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "gated"),
    [
        ("GET", "/health", False),
        ("GET", "/metrics", False),
        ("POST", "/health/warm", False),
        ("GET", "/v1/models", True),
        ("POST", "/v1/embeddings", True),
        ("GET", "/v1/documents", True),
        ("POST", "/v1/search", True),
        ("GET", "/v1/tenants", True),
        ("GET", "/v1/aicore/status", True),
        ("GET", "/v1/aicore/benchmark", True),
    ],
)
async def test_gated_and_open_routes(method: str, path: str, gated: bool) -> None:  # row 4
    async with FakeLocalLLM(key="k") as phone:
        assert ((await ask(phone.port, method, path)).status == 401) == gated


# Framing (3)


async def test_unknown_paths_and_methods() -> None:  # row 23
    async with FakeLocalLLM(key="k") as phone:
        for method, path, status in [
            ("GET", "/v1/models/x", 404),
            ("GET", "/v1/models/", 404),
            ("GET", "/v1/completions", 404),
            ("PUT", "/v1/models", 405),
            ("HEAD", "/v1/models", 405),
            ("OPTIONS", CHAT, 405),
            ("GET", CHAT, 405),
        ]:
            answer = await ask(phone.port, method, path)
            assert (answer.status, answer.body, "content-type" in answer.headers) == (status, b"", False), path


@pytest.mark.parametrize(
    ("accept", "passes"),
    [("*/*", True), ("application/json;q=1, text/event-stream", True), ("application/*", True), ("text/html", False)],
)
async def test_an_accept_without_json_gets_an_empty_406(accept: str, passes: bool) -> None:
    async with FakeLocalLLM() as phone:
        for payload, status in [(chat(), 200), (chat(model="x"), 503)]:
            answer = await post(phone.port, payload, Accept=accept)
            assert answer.status == (status if passes else 406)
            assert bool(answer.body) == passes
        assert (await ask(phone.port, "GET", "/metrics", Accept=accept)).status == 200


async def test_a_stream_needs_no_json_in_accept_and_its_errors_do() -> None:
    async with FakeLocalLLM() as phone:
        assert (await post(phone.port, chat(stream=True), Accept="text/event-stream")).text == "oneoee"
        refused = await post(phone.port, chat(stream=True, model="x"), Accept="text/event-stream")
        assert (refused.status, refused.body) == (406, b"")


async def test_connections_persist_and_json_is_escaped_like_gson() -> None:
    said = "<a href='x'>&=\u2028é"
    async with FakeLocalLLM(reply=Reply((said,))) as phone, connected(phone.port) as (reader, writer):
        for number in (1, 2):
            writer.write(request("POST", CHAT, chat(), Connection=""))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(parse(head + b"?").headers["content-length"]))
            escaped = r"\u003ca href\u003d\u0027x\u0027\u003e\u0026\u003d\u2028é"
            assert f'"content":"{escaped}"}}'.encode() in body
            assert f'{{"id":"chatcmpl-{number}",'.encode() in body
            assert b"null" not in body and b": " not in body
            assert parse(head + body).text == said


@pytest.mark.parametrize("more", [{"HOST": "twice"}, {"Content_Length": "many"}])
async def test_a_malformed_head(more: dict[str, str]) -> None:
    async with FakeLocalLLM() as phone:
        answer = await ask(phone.port, "GET", "/health", **more)
        assert (answer.status, answer.body) == (400, b"")


async def test_chunked_upload_and_expect() -> None:
    data = request("POST", CHAT, Content_Type="application/json", Content_Length="", Transfer_Encoding="chunked")
    body = request("", "", chat("hello")).partition(b"\r\n\r\n")[2]
    chunks = b"%x\r\n%s\r\n5;x=y\r\n     \r\n0\r\n\r\n" % (len(body), body)
    async with FakeLocalLLM() as phone:
        assert (await send(phone.port, data + chunks)).text == "hello"
        assert phone.requests[-1].json == chat("hello")
        waited = await send(phone.port, request("POST", CHAT, chat(), Expect="100-continue"))
        assert waited.status == 100 and b"one two three" in waited.body


# The order of the checks (5.1)


@pytest.mark.parametrize("body", [b"null", b"", b"[]", b"{", b'"x"', b'{"model":"m","messages":"x"}'])
async def test_bodies_that_are_no_request(body: bytes) -> None:  # row 5
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, None, body=body, Content_Type="application/json")
        assert is_plain(answer, 400, "invalid_request_error")
        assert answer.error["message"].startswith("Invalid JSON body: ")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
async def test_a_wrong_content_type(content_type: str) -> None:  # row 5
    async with FakeLocalLLM() as phone:
        assert is_plain(await post(phone.port, chat(), Content_Type=content_type), 400, "invalid_request_error")
        right = await post(phone.port, chat(), Content_Type="Application/JSON; charset=utf-8")
        assert right.status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"model": {}},
        {"temperature": "warm"},
        {"temperature": True},
        {"top_k": 1.5},
        {"max_tokens": []},
        {"stream": 1},
        {"session_id": []},
        {"tools": {}},
        {"messages": ["hi"]},
        {"messages": [{"role": "user", "tool_calls": 1}]},
    ],
)
async def test_wrong_field_types(fields: dict[str, Any]) -> None:
    async with FakeLocalLLM() as phone:
        assert is_plain(await post(phone.port, {**chat(), **fields}), 400, "invalid_request_error")


async def test_nulls_count_as_absent_and_gson_bends_types() -> None:
    names = ("stream", "session_id", "temperature", "top_k", "max_tokens", "tools", "tool_choice")
    async with FakeLocalLLM() as phone:
        assert (await post(phone.port, chat() | dict.fromkeys(names))).text == "one two three"
        bent = await post(phone.port, chat(stream="TRUE", temperature="0.5", top_k=7.0))
        assert bent.headers["content-type"] == "text/event-stream"
        assert (phone.prompts[-1].temperature, phone.prompts[-1].top_k) == (0.5, 7)
        assert (phone.prompts[0].temperature, phone.prompts[0].top_k) == (0.8, 40)


@pytest.mark.parametrize(
    "payload", [{}, {"messages": []}, {"model": None, "messages": []}, {"model": "m"}, chat(messages=None)]
)
async def test_without_model_or_messages(payload: dict[str, Any]) -> None:  # row 6
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, payload)
        assert is_text_500(answer) and not QUEUE_HEADERS & set(answer.headers)


@pytest.mark.parametrize("model", ["", "  "])
async def test_a_blank_model_is_the_selected_one(model: str) -> None:  # row 7
    async with FakeLocalLLM(selected="gemma-4-e2b") as phone:
        answer = await post(phone.port, chat(model=model))
        assert (answer.status, answer.json["model"]) == (200, "gemma-4-e2b")


@pytest.mark.parametrize(
    "model", ["gemma3n-e2b", "Gemma-4-e2b", "openai/gemma-4-e2b", "gemma-4-e2b.litertlm", "bge-small-en-v1.5"]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model(model: str, stream: bool) -> None:  # row 8
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, chat(model=model, stream=stream))
        error = answer.error
        assert (answer.status, error["type"], error["code"]) == (503, "litert_engine_failed", "LITERT_INIT_FAILED")
        assert error["actionable"] is True and len(error["next_steps"]) == 3 and "aicore_status" not in error
        assert set(answer.headers) >= QUEUE_HEADERS


async def test_a_bundle_of_another_chip() -> None:
    name = "gemma3-1b-it-npu-tensor-g5"
    async with FakeLocalLLM(models=(name,)) as phone:
        assert (await post(phone.port, chat(model=name))).error["code"] == "LITERT_INIT_FAILED"


@pytest.mark.parametrize(
    ("messages", "fragment"),
    [
        ([], "no non-system messages"),
        ([{"role": "system", "content": "s"}], "no non-system messages"),
        ([{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "role=user or role=tool"),
        ([{"role": "developer", "content": "d"}], "role=user or role=tool"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_messages_that_litert_refuses(messages: list[Any], fragment: str, stream: bool) -> None:  # row 9
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, chat(messages=messages, stream=stream))
        assert is_plain(answer, 500, "server_error") and fragment in answer.error["message"]
        assert set(answer.headers) >= QUEUE_HEADERS


@pytest.mark.parametrize(
    "tool", [{"type": "function"}, {"function": {"name": "f"}}, {"function": {"parameters": {}}}, {"function": None}]
)
async def test_a_tool_without_its_parts(tool: dict[str, Any]) -> None:  # row 10
    async with FakeLocalLLM() as phone:
        assert is_plain(await post(phone.port, chat(tools=[tool])), 500, "server_error")


async def test_the_body_limit_is_read_from_the_head() -> None:  # row 12
    async with FakeLocalLLM() as phone:
        for size, status in [(208_192, 400), (208_193, 413)]:
            answer = await post(phone.port, None, body=b"[" * size)
            assert is_plain(answer, status, "invalid_request_error")
        async with connected(phone.port) as (reader, writer):
            writer.write(request("POST", CHAT, Content_Length="208193"))
            assert b" 413 " in await reader.readline()


async def test_the_text_limit_counts_text_only() -> None:
    parts = [{"type": "text", "text": "x" * 300}, {"type": "image_url", "image_url": "y" * 400}]
    just, longer = (
        chat(messages=[{"role": "system", "content": "x" * size}, {"role": "user", "content": parts}])
        for size in (300, 301)
    )
    async with FakeLocalLLM(max_prompt_chars=600) as phone:
        assert is_plain(await post(phone.port, longer), 413, "invalid_request_error")
        assert "image" in (await post(phone.port, just)).error["message"]


async def test_the_queue_is_full() -> None:  # row 11
    async with FakeLocalLLM(overlap="queue") as phone:
        with phone.hold() as gate:
            waiting = [asyncio.create_task(post(phone.port, chat()))]
            await gate.reached.wait()
            waiting += [asyncio.create_task(post(phone.port, chat())) for _ in range(8)]
            async with asyncio.timeout(10):
                while (await ask(phone.port, "GET", "/health")).json["queue_depth"] < 8:
                    pass
            answer = await post(phone.port, chat())
        assert is_plain(answer, 429, "rate_limit_error")
        assert answer.headers["retry-after"] == "5" and "Queue full" in answer.error["message"]
        assert not QUEUE_HEADERS & set(answer.headers)
        served = await asyncio.gather(*waiting)
    assert all(each.status == 200 for each in served)
    assert sorted(int(each.headers["x-request-id"]) for each in served) == list(range(1, 10))
    assert max(int(each.headers["x-queue-depth"]) for each in served) == 8
    assert (phone.max_in_flight, phone.overlaps, phone.crashes) == (9, 8, 0)


async def test_a_request_that_loads_an_engine_counts_as_waiting() -> None:
    async with FakeLocalLLM(queue_depth=1, load_delay_s=5) as phone:
        first = asyncio.create_task(post(phone.port, chat()))
        async with asyncio.timeout(10):
            while (await ask(phone.port, "GET", "/health")).json["queue_depth"] < 1:
                pass
        assert (await post(phone.port, chat())).status == 429
        await phone.crash()
        with pytest.raises(ConnectionResetError):
            await first


async def test_the_rate_limit_is_per_user_agent() -> None:
    async with FakeLocalLLM(rate=0.1, burst=2) as phone:
        statuses = [(await post(phone.port, {}, User_Agent="a")).status for _ in range(3)]
        assert statuses == [500, 500, 429]
        refused = await post(phone.port, {}, User_Agent="a")
        assert is_plain(refused, 429, "rate_limit_error")
        assert refused.headers["x-ratelimit-client"] == "a"
        assert refused.headers["retry-after"] == "10"
        assert (await post(phone.port, {}, User_Agent="b")).status == 500


async def test_the_key_is_checked_before_the_rate_and_the_rate_before_the_length() -> None:
    async with FakeLocalLLM(rate=0.1, burst=1, key="k") as phone:
        assert [(await post(phone.port, None)).status for _ in range(3)] == [401] * 3
        huge = request("POST", CHAT, Content_Length="999999", Authorization="Bearer k")
        for status in (b" 413 ", b" 429 "):
            async with connected(phone.port) as (reader, writer):
                writer.write(huge)
                assert status in await reader.readline()


# Answers (8)


async def test_a_blocking_answer() -> None:
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, chat(stop=["two"], n=2, response_format={"type": "json_object"}), User_Agent="me")
        body = answer.json
        assert isinstance(body.pop("created"), int)
        message = {"role": "assistant", "content": "one two three"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gemma-4-e2b"}
        assert body == {**head, "choices": [choice]}
        assert {name: answer.headers[name] for name in QUEUE_HEADERS} == {
            "x-queue-position": "1",
            "x-queue-depth": "1",
            "x-estimated-wait-ms": "0",
            "x-request-id": "1",
            "x-client-id": "me",
        }


@pytest.mark.parametrize(("whole_numbers", "written"), [("int", "3"), ("float", "3.0")])
async def test_blocking_calls_leave_no_content(whole_numbers: Any, written: str) -> None:  # row 13
    reply = Reply(("Let me see.",), (("f", {"lap": 3, "at": "a<b"}), ("g", {})))
    async with FakeLocalLLM(reply=reply, whole_numbers=whole_numbers) as phone:
        choice = (await post(phone.port, chat(tools=[TOOL], tool_choice="required"))).json["choices"][0]
    first, second = choice["message"].pop("tool_calls")
    assert choice == {"index": 0, "message": {"role": "assistant"}, "finish_reason": "tool_calls"}
    arguments = f'{{"lap":{written},"at":"a\\u003cb"}}'
    assert first == {"id": "call_1_0", "type": "function", "function": {"name": "f", "arguments": arguments}}
    assert (second["id"], second["function"]["arguments"]) == ("call_1_1", "{}")


@pytest.mark.parametrize("choice", ["none", "NONE", "None"])
async def test_tools_are_withheld_for_none_only(choice: str) -> None:  # row 20
    async with FakeLocalLLM(reply=Reply(("text",), (("f", {}),))) as phone:
        answer = await post(phone.port, chat(tools=[TOOL], tool_choice=choice))
        assert (answer.text, answer.json["choices"][0]["finish_reason"]) == ("text", "stop")
        assert (await post(phone.port, chat())).text == "text"
        for other in ("auto", "required", {"type": "none"}, {"type": "function", "function": {"name": "x"}}):
            answer = await post(phone.port, chat(tools=[TOOL], tool_choice=other))
            assert answer.json["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_stream() -> None:  # row 14
    async with FakeLocalLLM(deltas="correct") as phone:
        answer = await post(phone.port, chat(stream=True, stream_options={"include_usage": True}))
    assert answer.complete and set(answer.headers) >= QUEUE_HEADERS
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    contents = [{"content": piece} for piece in ("one", " two", " three")]
    assert answer.deltas == [{"role": "assistant"}, *contents, {}]
    assert answer.lines[-1] == "data: [DONE]"
    *early, last = (frame["choices"][0] for frame in answer.frames)
    assert last["finish_reason"] == "stop" and all("finish_reason" not in choice for choice in early)
    assert {(frame["id"], frame["object"]) for frame in answer.frames} == {("chatcmpl-1", "chat.completion.chunk")}
    assert not any("usage" in frame for frame in answer.frames)


async def test_the_heartbeat_begins_with_the_inference() -> None:  # row 14
    async with FakeLocalLLM(keepalive_s=0.02) as phone, connected(phone.port) as (reader, writer):
        with phone.hold():
            writer.write(request("POST", CHAT, chat(stream=True)))
            assert b'"role"' in await reader.readuntil(b'"role"')
            await reader.readuntil(b": ka\n\n")
            await reader.readuntil(b": ka\n\n")
        assert b"[DONE]" in await reader.readuntil(b"[DONE]")


async def test_streamed_calls_come_whole_after_the_text_and_without_index() -> None:
    async with FakeLocalLLM(reply=Reply(("Let me see.",), (("f", {}), ("g", {})))) as phone:
        answer = await post(phone.port, chat(stream=True, tools=[TOOL]))
    _, text, final = answer.deltas
    assert text == {"content": "Let me see."}
    assert [call["id"] for call in final["tool_calls"]] == ["call_1_0", "call_1_1"]
    assert not any("index" in call for call in final["tool_calls"])
    assert answer.frames[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("pieces", "arrives"),
    [
        (("Hel", "lo", " w", "orld"), ["Hel", "lo", "ld"]),
        (("abc", "", "abcd"), ["abc", "abcd"]),
        (("ab", "cd"), ["ab"]),
        (("\U0001f600", "xyz"), ["\U0001f600", "z"]),
        (("x", "\U0001f600"), ["x", "?"]),
    ],
)
async def test_the_length_rule(pieces: tuple[str, ...], arrives: list[str]) -> None:
    async with FakeLocalLLM(reply=Reply(pieces)) as phone:
        damaged = await post(phone.port, chat(stream=True))
        assert [delta["content"] for delta in damaged.deltas[1:-1]] == arrives
        assert (await post(phone.port, chat())).text == "".join(pieces)
        nano = await post(phone.port, chat(stream=True, model="gemini-nano-aicore"))
        assert [delta["content"] for delta in nano.deltas[1:-1]] == arrives


@pytest.mark.parametrize("build", ["monolith", "split"])
async def test_older_builds_stream_whole_text(build: Any) -> None:
    async with FakeLocalLLM(build=build) as phone:
        assert (await post(phone.port, chat(stream=True))).text == "one two three"


async def test_an_empty_answer() -> None:
    async with FakeLocalLLM(reply=Reply()) as phone:
        assert (await post(phone.port, chat())).text == ""
        assert (await post(phone.port, chat(stream=True))).deltas == [{"role": "assistant"}, {}]
