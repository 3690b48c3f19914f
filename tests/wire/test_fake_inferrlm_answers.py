"""What the protocol document says and the recordings do not show, tried on the fake: requests and answers.

Section numbers in the docstrings are the protocol document's.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.inferrlm import (
    TRAITS,
    Build,
    FakeInferrLM,
    FakeModelRuntime,
    ManualClock,
    Message,
    Script,
    Settings,
    factory_settings,
)
from tests.fakes.inferrlm.payload import as_the_model_gets_it, parse_chat_messages, parse_generate_messages
from tests.fakes.inferrlm.raw_client import RawClient, ask, ask_stream, chat, text_of

# Requests (7, 8, 9)


@pytest.mark.parametrize(
    ("content", "heard"),
    [
        ("text", "text"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, "b"], "a b"),
        ({"text": "inside"}, "inside"),
        ({"other": 1}, "[object Object]"),
        (None, ""),
        (7.0, "7"),
        (True, "true"),
        ('{"type":"file_upload"}', "undefined\n\n"),
        ('{"type":"multimodal","content":[{"type":"text","text":"hi"}]}', "hi"),
        ('{"type":"other"}', '{"type":"other"}'),
        ('say {"type":"file_upload"}', 'say {"type":"file_upload"}'),
    ],
)
def test_what_becomes_of_content(content: Any, heard: str) -> None:
    """7.2, row by row."""
    messages = parse_chat_messages({"messages": [{"role": "user", "content": content}]})
    assert messages is not None
    assert as_the_model_gets_it(messages[0]) == Message("user", heard)


def test_where_system_prompts_go() -> None:
    """7.1: the two endpoints disagree; 7.2: entries without a role vanish, any role passes."""
    payload = {
        "system": "from system",
        "options": {"system_prompt": "from options"},
        "messages": [{"content": "no role"}, {"role": "tool", "content": "result"}],
    }
    chat_messages, generate_messages = parse_chat_messages(payload), parse_generate_messages(payload)
    assert chat_messages is not None
    assert generate_messages is not None
    assert [message.content for message in chat_messages] == ["from options", "from system", "result"]
    assert [message.content for message in generate_messages] == ["from system", "from options", "result"]


OWNER = Settings(max_tokens=2, mirostat=0, stop=("two",))
FOUR = "one two three four"


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("/api/chat", {}, "one"),  # the owner's stop word
        ("/api/chat", {"max_tokens": 1, "temperature": 0}, "one"),  # ignored at the top level
        ("/api/chat", {"options": {"num_predict": 1, "temperature": "0.1"}}, "one"),  # not recognised
        ("/api/chat", {"options": {"temperature": 0}}, FOUR),  # switches the owner's settings off
        ("/api/chat", {"options": {"temp": 0, "max_tokens": 3}}, "one two three"),
        ("/api/chat", {"options": {"stop": "three"}}, "one two"),
        ("/api/chat", {"options": {"stop": ["four", "", 5]}}, "one two three"),
        ("/api/chat", {"options": {"max_tokens": -1}}, FOUR),
        ("/v1/chat/completions", {"max_tokens": 3}, "one two three"),
        ("/v1/chat/completions", {"max_tokens": None}, "one"),
        ("/v1/chat/completions", {"max_completion_tokens": 3, "top_k": 1}, "one"),
        ("/v1/chat/completions", {"options": {"max_tokens": 3}}, "one"),
        ("/v1/chat/completions", {"stop": "three"}, "one two"),
    ],
)
async def test_which_options_count(path: str, fields: dict[str, Any], expected: str) -> None:
    """7.3 and 8.1: where each endpoint looks, and that one recognised key resets all others."""
    async with FakeInferrLM("B", owner_settings=OWNER) as phone:
        answer = await ask(phone.port, "POST", path, chat(FOUR, **fields))
    said = answer.json["response"] if "response" in answer.json else answer.json["choices"][0]["message"]
    assert said == expected or said["content"] == expected


@pytest.mark.parametrize(
    ("build", "mirostat", "max_tokens"), [("A", 2, 1200), ("B", 0, 4096), ("C", 0, 4096)]
)
async def test_factory_defaults(build: Build, mirostat: int, max_tokens: int) -> None:
    """7.3: A samples with mirostat unless told otherwise."""
    async with FakeInferrLM(build) as phone:
        await ask(phone.port, "POST", "/api/chat", chat("hi", options={"top_k": 3}))
        settings = phone.runtime.orders[0].settings
    assert (settings.mirostat, settings.max_tokens) == (mirostat, max_tokens)
    assert settings.numbers["top_k"] == 3
    assert settings.numbers["temperature"] == factory_settings(TRAITS[build]).numbers["temperature"]


@pytest.mark.parametrize(
    ("payload", "status", "keys"),
    [
        ({"input": ["a", 1, "b"]}, 200, ["model", "created_at", "embeddings"]),
        ({"prompt": ["a", None]}, 200, ["model", "created_at", "embedding"]),
        ({"input": [1], "text": "a"}, 400, ["error"]),
        ({}, 400, ["error"]),
        ({"model": "gemini", "input": "a"}, 404, ["error"]),
    ],
)
async def test_embeddings(payload: dict[str, Any], status: int, keys: list[str]) -> None:
    """9: entries that are no strings vanish; only the first present key counts; no cloud names."""
    async with FakeInferrLM("B") as phone:
        answer = await ask(phone.port, "POST", "/api/embeddings", payload)
    assert (answer.status, list(answer.json)) == (status, keys)


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/generate", 500, "server_error"),
        ("/api/embeddings", 500, "server_error"),
        ("/api/chat", 400, "messages_required"),
        ("/v1/chat/completions", 400, {"message": "messages_required", "type": "invalid_request_error"}),
    ],
)
async def test_the_body_null(path: str, status: int, error: Any) -> None:
    """10.1: in two places it crashes the handler."""
    async with FakeInferrLM("C") as phone, RawClient(phone.port) as client:
        await client.send(f"POST {path} HTTP/1.1\r\nContent-Length: 4\r\n\r\nnull".encode())
        answer = await client.answer()
    assert (answer.status, answer.json) == (status, {"error": error})


# How answers end (10, 13.1)


@pytest.mark.parametrize(
    ("refusal", "v1_status", "v1_code"),
    [("MODEL_BUSY", 503, "model_busy"), ("Context is busy", 500, "generation_failed")],
)
async def test_refusals(refusal: str, v1_status: int, v1_code: str) -> None:
    """10.2, 11: only an NDJSON stream tells the reason."""
    async with FakeInferrLM("C", engine=FakeModelRuntime(script=Script(refuse=refusal))) as phone:
        (record,) = await ask_stream(phone.port, "/api/chat", chat("hi"))
        native = await ask(phone.port, "POST", "/api/chat", chat("hi"))
        openai = await ask(phone.port, "POST", "/v1/chat/completions", chat("hi"))
        async with RawClient(phone.port) as client:
            await client.ask("POST", "/v1/chat/completions", chat("hi", stream=True))
            assert (await client.to_end())[1:] == ["data: [DONE]\n\n"]
    assert (record["error"], record["done"]) == (refusal, True)
    assert (native.status, native.json) == (500, {"error": "generation_failed"})
    assert (openai.status, openai.json["error"]["message"]) == (v1_status, v1_code)


async def test_output_may_differ_from_the_deltas() -> None:
    """7.4, 16 rule 9: the last record has the last word."""
    async with FakeInferrLM("C", engine=FakeModelRuntime(script=Script(output="the truth "))) as phone:
        records = await ask_stream(phone.port, "/api/chat", chat("one two"))
    assert text_of(records) == "one two"
    assert records[-1]["output"] == "the truth"


async def test_white_space_is_trimmed_from_output_only() -> None:
    """7.4: GGUF output is trimmed at both ends."""
    async with FakeInferrLM("A", engine=FakeModelRuntime(script=Script(pieces=("\n", " a", "b ")))) as phone:
        records = await ask_stream(phone.port, "/api/chat", chat("x"))
    assert (text_of(records), records[-1]["output"]) == ("\n ab ", "ab")


async def test_a_full_context_starts_the_answer_again_in_the_same_stream() -> None:
    """10.3: B and C; the deltas of both attempts follow one another, `output` has the last one."""
    async with FakeInferrLM(
        "B", engine=FakeModelRuntime(script=Script(context_full_after=(2, None)))
    ) as phone:
        records = await ask_stream(phone.port, "/api/chat", chat("one two three"))
    assert text_of(records) == "one twoone two three"
    assert records[-1]["output"] == "one two three"


async def test_a_full_context_thins_the_history() -> None:
    """10.3: first the last exchange stays, then only the last question; system messages always."""
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    messages = [{"role": role, "content": f"{role} {at}"} for at, role in enumerate(roles)]
    async with FakeInferrLM(
        "C", engine=FakeModelRuntime(script=Script(context_full_after=(0, 0, 0)))
    ) as phone:
        (record,) = await ask_stream(phone.port, "/api/chat", {"messages": messages})
        asked = [[message.content[-1] for message in order.messages] for order in phone.runtime.orders]
    assert record["error"] == "CONTEXT_LENGTH_EXCEEDED"
    assert [" ".join(history) for history in asked] == ["0 1 2 3 4 5", "0 3 4 5", "0 5"]


LINES = ("Hi", " you", ".\n", "More")


@pytest.mark.parametrize(
    ("build", "pieces", "stop", "deltas"),
    [
        ("A", LINES, "END", ["Hi", " you", ".\n", "More"]),
        ("B", LINES, "END", ["Hi", " you"]),  # the full stop shares a token with the newline
        ("C", ("\n", "Hi"), "END", []),
        ("C", ("<think>", "\n", "Hi"), "END", ["<think>"]),
        ("C", ("a", "\\n", "b"), "END", ["a"]),  # backslash and n, as two characters
        ("A", ("a", " E", "N", "D", "b"), "END", ["a"]),  # " " was held back together with "E"
        ("A", ("a", "E", "N", "x"), "END", ["a", "ENx"]),
        ("A", ("a", "E"), "END", ["a"]),  # ends while it might still become a stop word
        ("A", ("a", "bE"), "END", ["a", "bE"]),
    ],
)
async def test_stop_words(build: Build, pieces: tuple[str, ...], stop: str, deltas: list[str]) -> None:
    """13.1: the newline of B and C, and what a stop word takes with it."""
    async with FakeInferrLM(build, engine=FakeModelRuntime(script=Script(pieces=pieces))) as phone:
        records = await ask_stream(phone.port, "/api/chat", chat("x", options={"stop": stop}))
    assert [record["response"] for record in records[:-1]] == deltas
    assert records[-1]["output"] == "".join(deltas).strip()


async def test_slow_first_token() -> None:
    """16: head at once, then silence, then everything."""
    clock = ManualClock()
    runtime = FakeModelRuntime(script=Script(first_token_s=20.0))
    async with FakeInferrLM("C", engine=runtime, clock=clock) as phone, RawClient(phone.port) as client:
        await client.ask("POST", "/api/chat", chat("one", stream=True))
        await client.units(1)
        assert await client.is_silent()
        await clock.tick()
        assert clock.now_s() == 20.0
        assert '"response":"one"' in (await client.units(2))[1]
