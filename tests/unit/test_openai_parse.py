"""OpenAI's request -> our words: every shape that real clients send, and what is wrong with the others."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from adapter.chat import Message, Role, Sampling, ToolCall
from adapter.dialects.openai_parse import ChatRequest, parse_chat
from adapter.dialects.openai_request import MAX_IGNORED
from adapter.engines.base import Can
from adapter.errors import BadRequest

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
EMOJI = "\N{SAILBOAT}"
HALF = "\ud83d"  # the first half of an emoji


def parsed(**fields: Any) -> ChatRequest:
    return parse_chat({"model": "m", "messages": HI, **fields})


def message(entry: dict[str, Any]) -> Message:
    return parsed(messages=[entry]).chat.messages[0]


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    return caught.value


# --- messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi", "hi"),
        ("", ""),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "a"}], "a"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "text", "text": ""}], ""),
        (["a", "b"], "a\nb"),
        ([{"type": "input_text", "text": "a"}], "a"),  # the words of /v1/responses
        ([{"type": "output_text", "text": "a", "annotations": []}], "a"),
        ([{"type": "refusal", "refusal": "no"}], "no"),
        ([{"text": "a"}], "a"),
        ([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}], "a"),
        (f"{EMOJI} Grüße 港", f"{EMOJI} Grüße 港"),
        (f"cut {HALF}", "cut \N{REPLACEMENT CHARACTER}"),
        ([{"type": "text", "text": HALF}], "\N{REPLACEMENT CHARACTER}"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),  # both halves, escaped one by one
        ("nul \x00 stays", "nul \x00 stays"),
    ],
)
@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool"])
def test_every_shape_of_content_in_every_role(role: str, content: object, text: str) -> None:
    """Clawdbot sends lists in assistant messages, OpenClaw in user ones, LiteLLM nulls (clients.md 2.7)."""
    assert message({"role": role, "content": content}) == Message(Role(role), text)


def test_no_content_key_at_all() -> None:
    """ADK and LiteLLM replay tool calls so."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert message({"role": "assistant", "tool_calls": [call]}) == Message(
        Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "f", '{"a": 1}'),)
    )


def test_foreign_keys_are_passed_over() -> None:
    """LiteLLM leaves `provider_specific_fields` in, others `name` or `annotations`."""
    entry = {"role": "user", "content": "hi", "name": "ann", "provider_specific_fields": None, "x": [1]}
    assert message(entry) == Message(Role.USER, "hi", name="ann")


def test_a_tool_result_keeps_its_call() -> None:
    entry = {"role": "tool", "content": "42", "tool_call_id": "c1"}
    assert message(entry) == Message(Role.TOOL, "42", tool_call_id="c1")


def test_the_function_role_is_the_tool_role_of_old() -> None:
    entry = {"role": "function", "name": "f", "content": "42"}
    assert message(entry) == Message(Role.TOOL, "42", name="f")


@pytest.mark.parametrize("arguments", ["", None, {}, "{}"])
def test_a_call_without_arguments_has_empty_ones(arguments: object) -> None:
    call = {"id": "c1", "function": {"name": "f", "arguments": arguments}}
    assert message({"role": "assistant", "tool_calls": [call]}).tool_calls == (ToolCall("c1", "f", "{}"),)


def test_arguments_replayed_as_an_object_become_text() -> None:
    call = {"id": 7, "function": {"name": "f", "arguments": {"ä": [1]}}}
    assert message({"role": "assistant", "tool_calls": [call]}).tool_calls == (
        ToolCall("7", "f", '{"ä": [1]}'),
    )


def test_function_call_is_the_tool_call_of_old() -> None:
    entry = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    assert message(entry).tool_calls == (ToolCall("", "f", "{}"),)


def test_half_surrogates_reach_no_engine() -> None:
    """They cannot be written as UTF-8, so one of them would break the answer of an engine much later."""
    call = {"id": HALF, "function": {"name": HALF, "arguments": HALF}}
    told = parsed(
        model=HALF,
        stop=[HALF],
        messages=[{"role": "assistant", "name": HALF, "tool_call_id": HALF, "tool_calls": [call]}],
        **{HALF: 1},
    )
    sent = json.dumps([asdict(told.chat), told.asked.model, told.asked.ignored], ensure_ascii=False)
    assert sent.count("\N{REPLACEMENT CHARACTER}") == 9
    sent.encode()


@pytest.mark.parametrize(
    ("entry", "param"),
    [
        ("hi", "messages[0]"),
        (None, "messages[0]"),
        ([], "messages[0]"),
        ({}, "messages[0].role"),
        ({"role": None, "content": "x"}, "messages[0].role"),
        ({"role": "User", "content": "x"}, "messages[0].role"),
        ({"role": HALF, "content": "x"}, "messages[0].role"),
        ({"role": ["user"], "content": "x"}, "messages[0].role"),
        ({"role": {}, "content": "x"}, "messages[0].role"),
        ({"role": True, "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": False}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text", "text": "x"}}, "messages[0].content"),
        ({"role": "user", "content": [None]}, "messages[0].content[0]"),
        ({"role": "user", "content": [["x"]]}, "messages[0].content[0]"),
        ({"role": "user", "content": ["x", {"type": "text"}]}, "messages[0].content[1]"),
        ({"role": "user", "content": [{"type": "text", "text": None}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": ["text"], "text": 1}]}, "messages[0].content[0]"),
        ({"role": "assistant", "tool_calls": {"id": "x"}}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": ["f"]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": "f"}]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "messages[0].tool_calls[0]"),
    ],
)
def test_a_wrong_message_is_named(entry: object, param: str) -> None:
    error = refused(messages=[entry])
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("image", "images"),
        ("input_audio", "audio"),
        ("file", "files"),
        ("video_url", "video"),
    ],
)
def test_media_is_refused_by_kind(kind: str, what: str) -> None:
    """Dropping a picture without a word would answer another question."""
    error = refused(messages=[*HI, {"role": "user", "content": [{"type": kind, kind: {"url": "x"}}]}])
    assert error.param == "messages[1].content[0]"
    assert what in error.message


DATA = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("parts", "content", "images"),
    [
        ([{"type": "image_url", "image_url": {"url": DATA}}], "", (DATA,)),
        ([{"type": "image_url", "image_url": DATA}], "", (DATA,)),
        ([{"type": "input_image", "image_url": "https://a/b.png"}, "what?"], "what?", ("https://a/b.png",)),
        (
            [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "HTTP://a/1", "detail": "low"}},
                {"type": "text", "text": "b"},
                {"type": "image_url", "image_url": {"url": DATA}},
            ],
            "a\nb",
            ("HTTP://a/1", DATA),
        ),
        ([{"type": "image_url", "image_url": {"url": DATA}}] * 64, "", (DATA,) * 64),
    ],
)
def test_pictures_stand_beside_the_text(parts: list[object], content: str, images: tuple[str, ...]) -> None:
    request = parsed(messages=[{"role": "user", "content": parts}])
    assert (request.chat.messages[0].content, request.chat.messages[0].images) == (content, images)
    assert request.asked.needs[Can.VISION] == "messages"


@pytest.mark.parametrize(
    "image",
    [
        None, 5, "", {}, {"url": None}, {"url": ""}, {"url": ["x"]}, {"url": "x"}, {"url": "file:///etc/passwd"},
        {"url": "ftp://a/b"}, {"file_id": "file-1"}, {"url": "https://a/" + "x" * 4_096}, {"url": "https://ä/"},
    ],
)  # fmt: skip
def test_what_is_no_picture_is_named(image: object) -> None:
    error = refused(messages=[*HI, {"role": "user", "content": ["x", {"type": "image_url", "image_url": image}]}])
    assert error.param == "messages[1].content[1].image_url"


def test_pictures_are_bounded() -> None:
    many = [{"type": "image_url", "image_url": {"url": DATA}}] * 65
    assert "at most 64" in refused(messages=[{"role": "user", "content": many}]).message


@pytest.mark.parametrize("messages", [None, [], {}, "hi", 5, True])
def test_messages_must_be_there(messages: object) -> None:
    assert refused(messages=messages).param == "messages"


def test_ten_thousand_messages() -> None:
    """Bounded by a setting that the error names; just below it all of them arrive."""
    assert "server.max_messages" in refused(messages=HI * 10_000).message
    assert len(parse_chat({"messages": HI * 10_000}, max_messages=10_000).chat.messages) == 10_000


# --- model, stream --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "asked"),
    [("a/b", "a/b"), (" a ", "a"), ("", "auto"), ("  ", "auto"), (None, "auto"), ("x" * 512, "x" * 512)],
)
def test_model(model: object, asked: str) -> None:
    assert parsed(model=model).chat.model == asked


@pytest.mark.parametrize("model", [5, True, ["a"], {"id": "a"}, "x" * 513])
def test_a_wrong_model_is_named(model: object) -> None:
    """A name is also looked up and logged, so it is bounded."""
    assert refused(model=model).param == "model"


@pytest.mark.parametrize(
    ("fields", "stream", "usage"),
    [
        ({}, False, False),
        ({"stream": None, "stream_options": None}, False, False),
        ({"stream": False}, False, False),
        ({"stream": True}, True, False),
        ({"stream": True, "stream_options": {}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": None}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True, "x": 1}}, True, True),
        ({"stream_options": {"include_usage": True}}, False, True),
    ],
)
def test_stream(fields: dict[str, Any], stream: bool, usage: bool) -> None:
    told = parsed(**fields)
    assert (told.asked.stream, told.asked.include_usage, told.asked.ignored) == (stream, usage, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_stream_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


# --- hints ----------------------------------------------------------------------------------------------------


def test_hints_pass_and_are_listed_in_order() -> None:
    fields = {"user": "u", "store": False, "metadata": {"a": 1}, "zzz": [0]}
    assert parsed(**fields).asked.ignored == ("user", "store", "metadata", "zzz")


def test_null_asks_for_nothing() -> None:
    """Many clients spell out every field."""
    fields = dict.fromkeys(("user", "tools", "response_format", "n", "stop", "seed", "logprobs", "audio"))
    assert parsed(**fields) == parsed()


def test_junk_does_not_come_back_in_bulk() -> None:
    """`ignored` is repeated in the answer: few names, short ones."""
    ignored = parsed(**{f"{n:05d}" * 50: n for n in range(5_000)}).asked.ignored
    assert len(ignored) == MAX_IGNORED
    assert max(map(len, ignored)) == 64


def test_a_request_is_a_value() -> None:
    """Equal bodies are equal requests: nothing of the moment is in them."""
    body = {"messages": HI, "temperature": 0.5}
    assert parse_chat(body) == parse_chat(json.loads(json.dumps(body)))
    assert parse_chat(body).chat.sampling == Sampling(temperature=0.5)
