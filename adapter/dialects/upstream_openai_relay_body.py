"""Which requests can be passed on as they came, and what is then sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapter.chat import Chat, Role, ToolMode
from adapter.dialects.upstream_openai_kinds import Dialect, Trust
from adapter.dialects.upstream_openai_request import dump
from adapter.engines.base import Wire

# Fields beyond OpenAI's: passed on only to who knows them.
VENDOR_FIELDS = frozenset(
    {
        "top_k", "min_p", "repeat_penalty", "repetition_penalty", "chat_template_kwargs", "session_id", "regex", "grammar",
        "json_schema", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs",
        "max_reasoning_tokens", "thinking_budget_tokens", "reasoning",
    }
)  # fmt: skip


def relay_body(chat: Chat, wire: Wire, dialect: Dialect, *, adds_limit: bool = False) -> bytes | None:
    """The bytes to send: the client's own, or with another `model` in them; `None` where more would have to be changed.

    adds_limit: the engine has a limit for requests without one.
    """
    value = wire.value
    if wire.path != "/chat/completions" or _is_in_the_way(chat, value, dialect):
        return None
    has_limit = chat.sampling.max_tokens is not None
    if adds_limit and not has_limit:
        return None
    if value.get("model") == chat.model:
        return wire.body
    return _with_model(wire, chat.model)


def _is_in_the_way(chat: Chat, value: Mapping[str, Any], dialect: Dialect) -> bool:
    """Each of these needs another word, a check of the answer, or is not for this server."""
    options = value.get("stream_options")
    return (
        "functions" in value
        or "function_call" in value
        or _is_limit_in_the_way(value.get("max_completion_tokens"), value.get("max_tokens"), dialect)
        or (not VENDOR_FIELDS.isdisjoint(value) and _has_foreign_field(value, dialect))
        or (isinstance(options, dict) and bool(options.get("include_usage")) and not dialect.usage)
        or (bool(chat.tools) and (chat.tool_choice.mode is ToolMode.NONE or dialect.tools is not Trust.NATIVE))
        or (chat.output is not None and dialect.schema is not Trust.NATIVE)
        or (chat.continues and bool(dialect.prefill_fields))
        or len(chat.sampling.stop) > dialect.max_stops
        or (not dialect.developer and any(message.role is Role.DEVELOPER for message in chat.messages))
        or any(_is_odd(message) for message in value.get("messages") or ())
    )


def _is_limit_in_the_way(newer: object, older: object, dialect: Dialect) -> bool:
    if newer is None and older is None:
        return False
    if newer == -1 or older == -1 or (newer is not None and older is not None):
        return True
    return not dialect.any_limit and dialect.limit_field != ("max_tokens" if newer is None else "max_completion_tokens")


def _has_foreign_field(value: Mapping[str, Any], dialect: Dialect) -> bool:
    return any(value[name] is not None and name not in dialect.fields for name in VENDOR_FIELDS & value.keys())


def _is_odd(message: object) -> bool:
    """A shape that not every server takes: the role's old name, parts that are bare strings, no content at all."""
    if not isinstance(message, dict) or message.get("role") == "function" or "function_call" in message:
        return True
    content = message.get("content")
    if isinstance(content, list):
        return not all(isinstance(part, dict) and part.get("type") in ("text", "image_url") for part in content)
    return content is None and not message.get("tool_calls")


def _with_model(wire: Wire, model: str) -> bytes:
    """Spliced in where the bytes have the word "model" once (and no letter of it escaped), so that large bodies are not written anew."""
    old = wire.value.get("model")
    key = wire.body.find(b'"model"')
    is_plain = key >= 0 and wire.body.find(b'"model"', key + 7) < 0 and b"\\u006" not in wire.body
    if isinstance(old, str) and is_plain:
        quoted = json.dumps(old, ensure_ascii=False).encode("utf-8", "replace")
        at = wire.body.find(quoted, key + 7)
        if at >= 0 and wire.body[key + 7 : at].strip() == b":":
            return wire.body[:at] + json.dumps(model).encode() + wire.body[at + len(quoted) :]
    return dump({**wire.value, "model": model})


def adapted(body: bytes, dialect: Dialect) -> bytes:
    """A body that was refused for a word in it, in the words of `dialect`, which has been learned from that."""
    value = json.loads(body)
    for name in ("max_tokens", "max_completion_tokens"):
        if name != dialect.limit_field and value.get(name) is not None:
            value[dialect.limit_field] = value.pop(name)
    if not dialect.usage:
        value.pop("stream_options", None)
    form = value.get("response_format")
    if not dialect.named_schema and isinstance(form, dict) and isinstance(named := form.get("json_schema"), dict):
        value["response_format"] = {"type": "json_object", "schema": named.get("schema", {})}
    return dump(value)


def plainly(body: bytes) -> bytes:
    """The same request without `stream`."""
    value = json.loads(body)
    value.pop("stream_options", None)
    return dump({**value, "stream": False})
