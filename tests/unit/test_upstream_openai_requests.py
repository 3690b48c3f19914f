"""Our words -> the body that a server of OpenAI's kind gets; and which requests can be passed on as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapter.chat import (
    Chat,
    Completion,
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
from adapter.dialects.openai_parse import parse_chat
from adapter.dialects.upstream_openai_kinds import DIALECTS, Dialect, Kind, Trust
from adapter.dialects.upstream_openai_relay_body import adapted, relay_body
from adapter.dialects.upstream_openai_request import render_chat, render_completion, render_embedding
from adapter.engines.base import Wire
from adapter.errors import NotCapable

HI = (Message(Role.USER, "hi"),)
UNKNOWN = DIALECTS[Kind.UNKNOWN]


def body(chat: Chat, kind: Kind = Kind.UNKNOWN, **more: Any) -> dict[str, Any]:
    return dict(json.loads(render_chat(chat, DIALECTS[kind], **more)))


def test_the_least_that_is_said() -> None:
    assert body(Chat("m", HI)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in body(Chat("m", HI), Kind.LLAMA_CPP_PYTHON)


SAMPLING = Sampling(
    temperature=0.5, top_p=0.9, top_k=40, min_p=0.1, frequency_penalty=1, presence_penalty=-1, repeat_penalty=1.1,
    max_tokens=7, seed=3, stop=("a", "b", "c", "d", "e"), logit_bias=(TokenBias(5, -100.0),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "there", "absent"),
    [
        (Kind.VLLM, {"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "max_tokens": 7}, {"repeat_penalty"}),
        (Kind.LLAMA_SERVER, {"top_k": 40, "repeat_penalty": 1.1, "max_tokens": 7}, {"repetition_penalty"}),
        (Kind.OPENAI, {"max_completion_tokens": 7, "stop": list("abcd")}, {"top_k", "min_p", "repeat_penalty", "max_tokens"}),
        (Kind.OLLAMA, {"max_tokens": 7, "stop": list("abcde")}, {"top_k", "max_completion_tokens"}),
    ],
)
def test_sampling_in_each_ones_words(kind: Kind, there: dict[str, Any], absent: set[str]) -> None:
    found = body(Chat("m", HI, SAMPLING), kind)
    common = {"temperature": 0.5, "top_p": 0.9, "frequency_penalty": 1, "presence_penalty": -1, "seed": 3, "logit_bias": {"5": -100.0}}
    assert {key: found[key] for key in common | there} == common | there
    assert not absent & found.keys()


def test_a_limit_of_the_engines_own_is_for_who_has_none() -> None:
    assert body(Chat("m", HI), max_tokens=5)["max_tokens"] == 5
    assert body(Chat("m", HI, Sampling(max_tokens=3)), max_tokens=5)["max_tokens"] == 3


def test_messages_in_every_role() -> None:
    messages = (
        Message(Role.DEVELOPER, "be brief"),
        Message(Role.USER, "what is this?", images=("data:image/png;base64,AA==", "https://a/b.png")),
        Message(Role.USER, "", images=("data:x",)),
        Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "f", '{"a":1}'),)),
        Message(Role.TOOL, "42", name="f", tool_call_id="c1"),
    )
    found = body(Chat("m", messages))["messages"]
    assert found[0] == {"role": "system", "content": "be brief"}
    assert [part["type"] for part in found[1]["content"]] == ["image_url", "image_url", "text"]
    assert found[1]["content"][1] == {"type": "image_url", "image_url": {"url": "https://a/b.png"}}
    assert [part["type"] for part in found[2]["content"]] == ["image_url"]
    assert found[3]["content"] == ""
    assert found[3]["tool_calls"] == [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    assert found[4] == {"role": "tool", "content": "42", "name": "f", "tool_call_id": "c1"}
    assert body(Chat("m", messages), Kind.VLLM)["messages"][0]["role"] == "developer"


TOOL = Tool("f", "does f", '{"type":"object"}')


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(), {}),
        (ToolChoice(ToolMode.REQUIRED), {"tool_choice": "required"}),
        (ToolChoice(ToolMode.REQUIRED, "f"), {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (ToolChoice(parallel=False), {"parallel_tool_calls": False}),
    ],
)
def test_tools(choice: ToolChoice, said: dict[str, Any]) -> None:
    found = body(Chat("m", HI, tools=(TOOL, replace(TOOL, name="g", strict=True)), tool_choice=choice))
    assert [tool["function"]["name"] for tool in found["tools"]] == ["f", "g"]
    assert found["tools"][0]["function"] == {"name": "f", "description": "does f", "parameters": {"type": "object"}}
    assert found["tools"][1]["function"]["strict"] is True
    assert {key: found[key] for key in ("tool_choice", "parallel_tool_calls") if key in found} == said


def test_tools_that_may_not_be_called_are_not_shown() -> None:
    found = body(Chat("m", HI, tools=(TOOL,), tool_choice=ToolChoice(ToolMode.NONE)))
    assert not {"tools", "tool_choice"} & found.keys()


SCHEMA = OutputFormat(OutputKind.SCHEMA, '{"type":"object"}')


@pytest.mark.parametrize(
    ("output", "kind", "said"),
    [
        (OutputFormat(OutputKind.JSON), Kind.UNKNOWN, {"response_format": {"type": "json_object"}}),
        (
            SCHEMA,
            Kind.VLLM,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}}}},
        ),
        (SCHEMA, Kind.LLAMA_CPP_PYTHON, {"response_format": {"type": "json_object", "schema": {"type": "object"}}}),
        (OutputFormat(OutputKind.GRAMMAR, "root ::= x"), Kind.LLAMA_SERVER, {"grammar": "root ::= x"}),
        (OutputFormat(OutputKind.REGEX, "a+"), Kind.FARMHAND, {"regex": "a+"}),
        (OutputFormat(OutputKind.CHOICE, '["a"]'), Kind.FARMHAND, {"guided_choice": ["a"]}),
        (OutputFormat(OutputKind.REGEX, "a+"), Kind.VLLM, {"structured_outputs": {"regex": "a+"}}),
        (OutputFormat(OutputKind.CHOICE, '["a"]'), Kind.VLLM, {"structured_outputs": {"choice": ["a"]}}),
    ],
)
def test_forms(output: OutputFormat, kind: Kind, said: dict[str, Any]) -> None:
    found = body(Chat("m", HI, output=output), kind)
    assert {key: found[key] for key in said} == said


@pytest.mark.parametrize(("output", "kind"), [(OutputKind.REGEX, Kind.OLLAMA), (OutputKind.GRAMMAR, Kind.VLLM), (OutputKind.CHOICE, Kind.LLAMA_SERVER)])
def test_a_form_without_a_word_is_somebody_elses(output: OutputKind, kind: Kind) -> None:
    with pytest.raises(NotCapable) as caught:
        body(Chat("m", HI, output=OutputFormat(output, '["a"]', "guided_x")), kind)
    assert caught.value.param == "guided_x"


def test_the_rest() -> None:
    chat = Chat(
        "m", (*HI, Message(Role.ASSISTANT, "I am")), n=3, logprobs=2, template_options='{"a":1}', session="s",
        reasoning=Reasoning("low", 50),
    )  # fmt: skip
    found = body(chat, Kind.VLLM)
    assert (found["n"], found["logprobs"], found["top_logprobs"], found["chat_template_kwargs"]) == (3, True, 2, {"a": 1})
    assert (found["continue_final_message"], found["add_generation_prompt"]) == (True, False)
    assert found["reasoning_effort"] == "low"
    assert "session_id" not in found
    assert "continue_final_message" not in body(chat, Kind.LLAMA_SERVER)
    assert body(chat, Kind.LLAMA_SERVER)["thinking_budget_tokens"] == 50
    assert body(chat, Kind.FARMHAND)["session_id"] == "s"
    assert body(chat, Kind.FARMHAND)["max_reasoning_tokens"] == 50


def test_completions_and_embeddings() -> None:
    completion = Completion("m", text="Once", suffix="end", echo=True, sampling=Sampling(max_tokens=4), n=2, logprobs=1)
    found = json.loads(render_completion(completion, UNKNOWN))
    assert found.items() >= {"prompt": "Once", "suffix": "end", "echo": True, "max_tokens": 4, "n": 2, "logprobs": 1, "stream": True}.items()
    assert json.loads(render_completion(Completion("m", tokens=(1, 2)), UNKNOWN))["prompt"] == [1, 2]
    assert json.loads(render_embedding("m", ["a", "b"])) == {"model": "m", "input": ["a", "b"], "encoding_format": "float"}


def test_half_a_character_does_no_harm() -> None:
    assert b"?" in render_chat(Chat("m", (Message(Role.USER, "\ud83c"),)), UNKNOWN)


# --- passing on -----------------------------------------------------------------------------------------------


def passed(kind: Kind = Kind.UNKNOWN, *, model: str = "m", dialect: Dialect | None = None, path: str = "/chat/completions", **fields: Any) -> bytes | None:
    value = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    raw = json.dumps(value, indent=1).encode()
    chat = replace(parse_chat(value).chat, model=model)
    return relay_body(chat, Wire(path, raw, value, bool(value.get("stream"))), dialect or DIALECTS[kind])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0.1, "seed": 5, "stop": ["x"]},
        {"max_tokens": 5},
        {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}]}]},
        {"user": "me", "metadata": {"a": "b"}, "service_tier": "auto", "store": False},
        {"top_k": None},
        {"top_k": 5, "min_p": 0.1},
        {"tools": None, "response_format": None},
        {"response_format": {"type": "text"}},
    ],
)  # fmt: skip
def test_the_very_same_bytes_go_out(fields: dict[str, Any]) -> None:
    value = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    assert passed(**fields) == json.dumps(value, indent=1).encode()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.LLAMA_SERVER, {"functions": [{"name": "f"}]}),
        (Kind.LLAMA_SERVER, {"function_call": "auto"}),
        (Kind.UNKNOWN, {"max_tokens": -1}),
        (Kind.UNKNOWN, {"max_completion_tokens": 5}),
        (Kind.OPENAI, {"max_tokens": 5}),
        (Kind.OPENAI, {"top_k": 5}),
        (Kind.OPENAI, {"stop": list("abcde")}),
        (Kind.VLLM, {"max_tokens": 5, "max_completion_tokens": 6}),
        (Kind.VLLM, {"repeat_penalty": 1.1}),
        (Kind.VLLM, {"session_id": "s"}),
        (Kind.VLLM, {"regex": "a+"}),
        (Kind.OLLAMA, {"chat_template_kwargs": {"a": 1}}),
        (Kind.LLAMA_SERVER, {"reasoning": {"effort": "low"}}),
        (Kind.LLAMA_CPP_PYTHON, {"stream": True, "stream_options": {"include_usage": True}}),
        (Kind.UNKNOWN, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        (Kind.LLAMA_SERVER, {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"}),
        (Kind.UNKNOWN, {"response_format": {"type": "json_object"}}),
        (Kind.OLLAMA, {"messages": [{"role": "developer", "content": "x"}]}),
        (Kind.LLAMA_SERVER, {"messages": [{"role": "function", "content": "x"}]}),
        (Kind.LLAMA_SERVER, {"messages": [{"role": "user", "content": ["x"]}]}),
        (Kind.LLAMA_SERVER, {"messages": [{"role": "user"}]}),
        (Kind.VLLM, {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "I"}]}),
        (Kind.LLAMA_SERVER, {"path": "/completions"}),
    ],
)
def test_what_needs_another_word_is_not_passed_on(kind: Kind, fields: dict[str, Any]) -> None:
    assert passed(kind, **fields) is None


def test_tools_and_forms_are_passed_on_to_who_is_trusted() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert passed(Kind.LLAMA_SERVER, tools=tools, response_format={"type": "json_object"}) is not None
    assert passed(dialect=replace(UNKNOWN, tools=Trust.NATIVE), tools=tools) is not None


def test_a_limit_of_our_own_stands_in_the_way() -> None:
    value = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    wire = Wire("/chat/completions", json.dumps(value).encode(), value, False)
    assert relay_body(parse_chat(value).chat, wire, UNKNOWN, adds_limit=True) is None
    with_limit = {**value, "max_tokens": 5}
    wire = Wire("/chat/completions", json.dumps(with_limit).encode(), with_limit, False)
    assert relay_body(parse_chat(with_limit).chat, wire, UNKNOWN, adds_limit=True) == wire.body


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model" : "up/m", "messages":[{"role":"user","content":"h\xc3\xa9"}], "x": 1.50}',
        b'{"messages":[{"role":"user","content":"\\"model\\""}],"model":"up/m","metadata":{"model":"up/m"}}',
        b'{"messages":[{"role":"user","content":"model"}],"model":"up\\/m"}',
        b'{"metadata":{"model":"up/m"},"messages":[{"role":"user","content":"up/m"}],"mod\\u0065l":"up/m"}',
        b'{"messages":[{"role":"user","content":"no name"}]}',
        b'{"model":null,"messages":[{"role":"user","content":"no name"}]}',
    ],
)
def test_only_the_name_of_the_model_is_replaced(raw: bytes) -> None:
    value = json.loads(raw)
    chat = replace(parse_chat(value).chat, model='its "own"')
    sent = relay_body(chat, Wire("/chat/completions", raw, value, False), UNKNOWN)
    assert sent is not None
    assert json.loads(sent) == {**value, "model": 'its "own"'}


def test_a_lesson_changes_the_words_only() -> None:
    raw = b'{"model":"m","max_tokens":5,"stream":true,"stream_options":{"include_usage":true},"x":1}'
    dialect = replace(UNKNOWN, limit_field="max_completion_tokens", usage=False)
    assert json.loads(adapted(raw, dialect)) == {"model": "m", "max_completion_tokens": 5, "stream": True, "x": 1}
