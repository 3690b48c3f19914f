"""Chats in LocalLLM's words: the body, the messages, the tools, the pictures (`protocols/localllm.md` 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import (
    Chat,
    Message,
    OutputFormat,
    OutputKind,
    Reasoning,
    Role,
    Sampling,
    TokenBias,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
)
from adapter.dialects.localllm import Ask, render_chat, unheeded
from adapter.dialects.localllm_messages import MAX_INLINE_CHARS
from adapter.dialects.localllm_models import AICORE_ID, model_of
from adapter.errors import AdapterError, BadRequest, ContextTooLong, NotCapable

GEMMA = "gemma-4-e2b"
BLIND = "gemma3-1b"
PNG = "data:image/png;base64,AAAA"


def ask_of(*messages: Message, model: str = GEMMA, tokens: int = 4_096, **fields: Any) -> Ask:
    chat = Chat(model, messages, **fields)
    return render_chat(chat, model_of(model), configured_tokens=tokens, default_max_tokens=1_024)


def body_of(ask: Ask, *, stream: bool = False, session: str | None = None) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(ask.body(stream=stream, session=session))
    return value


def said(role: Role, text: str = "", **fields: Any) -> Message:
    return Message(role, text, **fields)


SYSTEM, DEVELOPER, USER, ASSISTANT, TOOL = Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([said(USER, "hi")], [("user", "hi")]),
        ([said(USER, "")], [("user", "")]),
        (
            [said(SYSTEM, "a"), said(USER, "hi"), said(DEVELOPER, "b"), said(SYSTEM, ""), said(USER, "ho")],
            [("system", "a\n\nb"), ("user", "hi\n\nho")],
        ),
        (
            [said(USER, "a"), said(USER, "b"), said(ASSISTANT, "c"), said(USER, "d"), said(USER, ""), said(USER, "e")],
            [("user", "a\n\nb"), ("assistant", "c"), ("user", "d\n\ne")],
        ),
        ([said(ASSISTANT, "a"), said(ASSISTANT, "b"), said(USER, "c")], [("assistant", "a"), ("assistant", "b"), ("user", "c")]),
        ([said(USER, "a"), said(TOOL, "r")], [("user", "a"), ("tool", "r")]),
    ],
)
def test_messages_of_litert(messages: list[Message], expected: list[tuple[str, str]]) -> None:
    sent = body_of(ask_of(*messages))["messages"]
    assert [(m["role"], m["content"]) for m in sent] == expected


def test_calls_and_results_in_the_history() -> None:
    calls = (ToolCall("c1", "f", '{"lap" : 3, "ä": null}'), ToolCall("c2", "g", "broken"))
    sent = body_of(
        ask_of(
            said(USER, "a"),
            said(ASSISTANT, "", tool_calls=calls),
            said(TOOL, "1", tool_call_id="c1"),
            said(TOOL, "2", tool_call_id="c2"),
        )
    )["messages"]
    assert sent[1] == {
        "role": "assistant",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"lap":3,"ä":null}'}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "broken"}},
        ],
    }
    assert sent[2:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
    ]


def test_messages_of_aicore() -> None:
    """7.2: flattened there, so calls are put into words; an assistant message may be the last."""
    sent = body_of(
        ask_of(
            said(USER, "a"),
            said(SYSTEM, "s"),
            said(ASSISTANT, "", tool_calls=(ToolCall("c", "f", "{}"),)),
            said(TOOL, "r"),
            said(USER, ""),
            said(ASSISTANT, "so"),
            model=AICORE_ID,
        )
    )["messages"]
    assert [(m["role"], m["content"]) for m in sent] == [
        ("system", "s"), ("user", "a"), ("assistant", "(called f with {})"), ("tool", "r"), ("assistant", "so"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sampling", "model", "expected"),
    [
        (Sampling(), GEMMA, {}),
        (Sampling(temperature=0.0, top_k=5, max_tokens=7, top_p=0.3, seed=1), GEMMA, {"temperature": 0.0, "top_k": 5}),
        (Sampling(top_k=0), GEMMA, {}),
        (Sampling(), AICORE_ID, {}),
        (Sampling(max_tokens=7, temperature=1.5), AICORE_ID, {"max_tokens": 7, "temperature": 1.5}),
        (Sampling(max_tokens=9_000), AICORE_ID, {"max_tokens": 256}),
    ],
)
def test_fields(sampling: Sampling, model: str, expected: dict[str, Any]) -> None:
    body = body_of(ask_of(said(USER, "hi"), model=model, sampling=sampling))
    assert {key: value for key, value in body.items() if key not in ("model", "messages", "stream")} == expected
    assert body["model"] == model


@pytest.mark.parametrize(("model", "asked", "limit"), [(GEMMA, None, 1_024), (GEMMA, 7, 7), (AICORE_ID, None, 256), (AICORE_ID, 9, 9)])
def test_the_limit_that_is_ours_to_keep(model: str, asked: int | None, limit: int) -> None:
    assert ask_of(said(USER, "hi"), model=model, sampling=Sampling(max_tokens=asked)).max_tokens == limit


def test_a_session_is_for_litert_only() -> None:
    assert body_of(ask_of(said(USER, "a")), session="s")["session_id"] == "s"
    assert "session_id" not in body_of(ask_of(said(USER, "a")))
    assert "session_id" not in body_of(ask_of(said(USER, "a"), model=AICORE_ID), session="s")


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (ToolChoice(), ["f", "g"]),
        (ToolChoice(ToolMode.REQUIRED), ["f", "g"]),
        (ToolChoice(ToolMode.REQUIRED, "g"), ["g"]),
        (ToolChoice(ToolMode.NONE), []),
    ],
)
def test_tools(choice: ToolChoice, names: list[str]) -> None:
    tools = (Tool("f", "does f", '{"type":"OBJECT"}', strict=True), Tool("g"))
    ask = ask_of(said(USER, "a"), tools=tools, tool_choice=choice)
    sent = body_of(ask).get("tools", [])
    assert [tool["function"]["name"] for tool in sent] == names
    assert sorted(ask.schemas) == names
    for tool in sent:
        assert tool["type"] == "function"
        assert tool["function"]["parameters"] == {"type": "object", "properties": {}}
    assert ("tools" in body_of(ask)) == bool(names)
    assert [tool["function"].get("description") for tool in sent if tool["function"]["name"] == "g"] in ([None], [])


def picture(url: str, text: str = "see") -> Message:
    return said(USER, text, images=(url,))


@pytest.mark.parametrize(
    "url",
    [
        PNG,
        "data:image/svg+xml;base64,AA",
        "DATA:IMAGE/JPEG;BASE64,AA",
        "http://127.0.0.1:8000/a.png",
        "http://localhost/a",
        "http://[::1]:1/a",
    ],
)
def test_pictures_that_the_app_takes(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    assert body_of(ask_of(picture(url)))["messages"][0]["content"] == [part, {"type": "text", "text": "see"}]
    assert body_of(ask_of(picture(url, "")))["messages"][0]["content"] == [part]
    assert ask_of(picture(url)).has_images


def test_pictures_of_neighbouring_messages_stand_before_their_text() -> None:
    content = body_of(ask_of(said(USER, "a"), picture(PNG, "b"), picture(PNG, "c")))["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[2]["text"] == "a\n\nb\n\nc"


@pytest.mark.parametrize(
    ("messages", "fields", "kind", "param"),
    [
        ([], {}, NotCapable, "messages"),
        ([said(SYSTEM, "s")], {}, NotCapable, "messages"),
        ([said(USER, "a"), said(ASSISTANT, "b")], {}, NotCapable, "messages"),
        ([said(USER, "a"), said(ASSISTANT, "", tool_calls=(ToolCall("c", "f", "{}"),))], {}, NotCapable, "messages"),
        ([said(USER, "")], {"model": AICORE_ID}, BadRequest, "messages"),
        ([said(USER, "w " * 5_000)], {}, ContextTooLong, "messages"),
        ([said(USER, "w " * 800)], {"tokens": 700}, ContextTooLong, "messages"),
        ([said(USER, "a")], {"tools": (Tool("f", "w " * 5_000),)}, ContextTooLong, "messages"),
        ([said(USER, "a")], {"tools": (Tool("f"),), "model": AICORE_ID}, NotCapable, "tools"),
        ([said(USER, "a")], {"tools": (Tool("f", "", "[]"),)}, BadRequest, "tools"),
        ([said(USER, "a")], {"tools": (Tool("f", "", "{"),)}, BadRequest, "tools"),
        ([said(USER, "a")], {"model": "bge-small-en-v1.5"}, NotCapable, "model"),
        ([picture(PNG)], {"model": BLIND}, NotCapable, "messages[0].content"),
        ([picture(PNG)], {"model": AICORE_ID}, NotCapable, "messages[0].content"),
        ([said(USER, "a"), said(TOOL, "b", images=(PNG,))], {}, BadRequest, "messages[1].content"),
        ([said(SYSTEM, "s", images=(PNG,)), said(USER, "b")], {}, BadRequest, "messages[0].content"),
        ([picture("https://127.0.0.1/a")], {}, BadRequest, "messages[0].content"),
        ([picture("http://192.168.0.2/a")], {}, BadRequest, "messages[0].content"),
        ([picture("http://127.0.0.1.evil.org/a")], {}, BadRequest, "messages[0].content"),
        ([picture("http://[bad/a")], {}, BadRequest, "messages[0].content"),
        ([picture("file:///etc/passwd")], {}, BadRequest, "messages[0].content"),
        ([picture("data:text/plain;base64,AA")], {}, BadRequest, "messages[0].content"),
        ([picture("data:image/png,AA")], {}, BadRequest, "messages[0].content"),
        ([picture(PNG + "A" * MAX_INLINE_CHARS)], {}, BadRequest, "messages[0].content"),
    ],
)
def test_what_the_app_could_not_take(
    messages: list[Message], fields: dict[str, Any], kind: type[AdapterError], param: str
) -> None:
    with pytest.raises(AdapterError) as caught:
        ask_of(*messages, **fields)
    assert (type(caught.value), caught.value.param) == (kind, param)
    assert len(caught.value.message) < 400


def test_estimates_count_tools_and_pictures() -> None:
    bare = ask_of(said(USER, "hi")).prompt_tokens
    assert ask_of(said(USER, "hi"), tools=(Tool("f", "describes much"),)).prompt_tokens > bare + 10
    assert ask_of(picture(PNG, "hi")).prompt_tokens >= bare + 256


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ()),
        ({"sampling": Sampling(temperature=0, top_k=4, max_tokens=5, stop=("x",))}, ()),
        (
            {
                "sampling": Sampling(
                    top_p=0.5, top_k=0, min_p=0.1, seed=0, frequency_penalty=1, presence_penalty=1,
                    repeat_penalty=1.1, logit_bias=(TokenBias(1, 1),),
                )
            },
            (
                "top_p", "top_k", "min_p", "seed", "frequency_penalty", "presence_penalty", "repeat_penalty",
                "logit_bias",
            ),
        ),
        ({"sampling": Sampling(frequency_penalty=0, presence_penalty=0, repeat_penalty=1)}, ()),
        ({"reasoning": Reasoning(effort="low")}, ("reasoning_effort",)),
        ({"template_options": '{"a":1}'}, ("chat_template_kwargs",)),
        ({"tools": (Tool("f"),), "tool_choice": ToolChoice(parallel=False)}, ()),  # calls are checked, and those too many left out
        ({"output": OutputFormat(OutputKind.JSON)}, ()),  # emulated and checked, so not unheeded
    ],
)  # fmt: skip
def test_what_has_no_effect(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert unheeded(Chat(GEMMA, (said(USER, "a"),), **fields)) == names
