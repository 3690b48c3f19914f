"""Our words -> the JSON that a server of OpenAI's kind is asked with. Pure.

Always a stream, whatever the client wants: so a stall is noticed, a leaving client frees the server, and there is one way to read answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from adapter.chat import (
    Chat,
    Completion,
    Message,
    OutputFormat,
    OutputKind,
    Role,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from adapter.dialects.upstream_openai_kinds import Dialect
from adapter.engines.base import Can
from adapter.errors import NotCapable

Json = dict[str, Any]


def dump(value: Json) -> bytes:
    """Compact UTF-8; no half surrogate pair comes this far (`whole_text`), and if one does it is sent as "?"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def render_chat(chat: Chat, dialect: Dialect, *, max_tokens: int | None = None) -> bytes:
    """The body of `POST /chat/completions`; `chat.model` is the server's own name.

    max_tokens: where the request has no limit of its own. Raises `NotCapable` for a form that this server has no word for.
    """
    body: Json = {"model": chat.model, "messages": [_message(message, dialect) for message in chat.messages]}
    body |= _stream(dialect) | _sampling(chat.sampling, dialect, max_tokens) | _tools(chat.tools, chat.tool_choice)
    if chat.output is not None:
        body |= _output(chat.output, dialect)
    if chat.n > 1:
        body["n"] = chat.n
    if chat.logprobs is not None:
        body |= {"logprobs": True, **({"top_logprobs": chat.logprobs} if chat.logprobs else {})}
    if chat.continues and Can.CONTINUE in dialect.can:
        body |= dialect.prefill_fields
    if chat.template_options != "{}" and "chat_template_kwargs" in dialect.fields:
        body["chat_template_kwargs"] = json.loads(chat.template_options)
    if chat.session is not None and "session_id" in dialect.fields:
        body["session_id"] = chat.session
    return dump(body | _reasoning(chat, dialect))


def render_completion(completion: Completion, dialect: Dialect, *, max_tokens: int | None = None) -> bytes:
    """The body of `POST /completions`. Errors as of `render_chat`."""
    prompt = completion.text if completion.tokens is None else list(completion.tokens)
    body: Json = {"model": completion.model, "prompt": prompt}
    body |= _stream(dialect) | _sampling(completion.sampling, dialect, max_tokens)
    if completion.suffix is not None:
        body["suffix"] = completion.suffix
    if completion.echo:
        body["echo"] = True
    if completion.output is not None:
        body |= _output(completion.output, dialect)
    if completion.n > 1:
        body["n"] = completion.n
    if completion.logprobs is not None:
        body["logprobs"] = completion.logprobs
    return dump(body)


def render_embedding(model: str, texts: Sequence[str]) -> bytes:
    """The body of `POST /embeddings`."""
    return dump({"model": model, "input": list(texts), "encoding_format": "float"})


def _stream(dialect: Dialect) -> Json:
    return {"stream": True, **({"stream_options": {"include_usage": True}} if dialect.usage else {})}


def _message(message: Message, dialect: Dialect) -> Json:
    """`content` is always there: Ollama refuses a message without it."""
    role = Role.SYSTEM if message.role is Role.DEVELOPER and not dialect.developer else message.role
    shown: Json = {"role": role.value, "content": _content(message)}
    if message.name is not None:
        shown["name"] = message.name
    if message.tool_calls:
        shown["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        shown["tool_call_id"] = message.tool_call_id
    return shown


def _content(message: Message) -> str | list[Json]:
    if not message.images:
        return message.content
    parts: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
    return [*parts, {"type": "text", "text": message.content}] if message.content else parts


def _sampling(sampling: Sampling, dialect: Dialect, max_tokens: int | None) -> Json:
    return {name: value for name, value in _set_fields(sampling, dialect, max_tokens) if value is not None}


def _set_fields(sampling: Sampling, dialect: Dialect, max_tokens: int | None) -> Iterator[tuple[str, Any]]:
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed"):
        yield name, getattr(sampling, name)
    for name in ("top_k", "min_p"):
        if name in dialect.fields:
            yield name, getattr(sampling, name)
    if dialect.repeat_field:
        yield dialect.repeat_field, sampling.repeat_penalty
    yield dialect.limit_field, max_tokens if sampling.max_tokens is None else sampling.max_tokens
    if sampling.stop:
        yield "stop", list(sampling.stop[: dialect.max_stops])
    if sampling.logit_bias:
        yield "logit_bias", {str(entry.token): entry.bias for entry in sampling.logit_bias}


def _tools(tools: Sequence[Tool], choice: ToolChoice) -> Json:
    """Tools that may not be called are not shown: some servers obey no `tool_choice`."""
    if not tools or choice.mode is ToolMode.NONE:
        return {}
    body: Json = {"tools": [{"type": "function", "function": _function(tool)} for tool in tools]}
    if choice.name is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif choice.mode is ToolMode.REQUIRED:
        body["tool_choice"] = "required"
    if not choice.parallel:
        body["parallel_tool_calls"] = False
    return body


def _function(tool: Tool) -> Json:
    function: Json = {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.parameters)}
    return {**function, "strict": True} if tool.strict else function


def _output(output: OutputFormat, dialect: Dialect) -> Json:
    match output.kind:
        case OutputKind.JSON:
            return {"response_format": {"type": "json_object"}}
        case OutputKind.SCHEMA if dialect.named_schema:
            named = {"name": "answer", "strict": True, "schema": json.loads(output.text)}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case OutputKind.SCHEMA:
            return {"response_format": {"type": "json_object", "schema": json.loads(output.text)}}
        case OutputKind.GRAMMAR if "grammar" in dialect.fields:
            return {"grammar": output.text}
        case OutputKind.REGEX if "regex" in dialect.fields:
            return {"regex": output.text}
        case OutputKind.CHOICE if "regex" in dialect.fields:  # a Farmhand knows vLLM's older word
            return {"guided_choice": json.loads(output.text)}
        case OutputKind.REGEX if "structured_outputs" in dialect.fields:
            return {"structured_outputs": {"regex": output.text}}
        case OutputKind.CHOICE if "structured_outputs" in dialect.fields:
            return {"structured_outputs": {"choice": json.loads(output.text)}}
        case _:
            raise NotCapable(
                f"'{output.param}' asks for a form ({output.kind}) that this upstream has no word for; ask for a JSON "
                "schema, or for a model of another engine.",
                param=output.param,
            )


def _reasoning(chat: Chat, dialect: Dialect) -> Json:
    asked: Json = {}
    if chat.reasoning.effort is not None:
        asked["reasoning_effort"] = chat.reasoning.effort
    if chat.reasoning.max_tokens is not None:
        for name in ("max_reasoning_tokens", "thinking_budget_tokens"):
            if name in dialect.fields:
                return {**asked, name: chat.reasoning.max_tokens}
    return asked
