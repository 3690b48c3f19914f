"""A conversation in the shape that LocalLLM keeps whole (`protocols/localllm.md` 7.2). Pure.

LiteRT models: one system text, a string, first; no two user messages in a row; a user or tool message last. Gemini Nano
gets everything flattened by the app, so calls are put into words. Pictures go to models that see, by the app's own rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from adapter.chat import Message, Role, ToolCall
from adapter.dialects.localllm_models import Model
from adapter.errors import BadRequest, NotCapable

Json = dict[str, Any]

# What the app takes in one request if its owner raises "max prompt chars" to the end: 2 x 2,000,000 + 8192 bytes (5.1, 15).
MAX_INLINE_CHARS = 4_008_192
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DATA = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_SYSTEM = frozenset({Role.SYSTEM, Role.DEVELOPER})


def litert_messages(messages: Sequence[Message], model: Model) -> list[Json]:
    """For a LiteRT model. Raises `NotCapable` for what it cannot take, and `BadRequest` for a picture that the app refuses."""
    system = system_text(messages)
    found: list[Json] = [{"role": "system", "content": system}] if system else []
    for index, message in enumerate(messages):
        if message.role in _SYSTEM:
            _pictures(message, model, index)
    spoken = [(i, message) for i, message in enumerate(messages) if message.role not in _SYSTEM]
    if not spoken:
        raise NotCapable(
            "LocalLLM answers only to a message of the user (or of a tool); add one.", param="messages"
        )
    if spoken[-1][1].role is Role.ASSISTANT:
        raise NotCapable(
            "LocalLLM cannot go on from an assistant message; the last one must be of the user or of a tool.",
            param="messages",
        )
    for index, message in spoken:
        rendered = _litert_message(message, model, index)
        if found and rendered["role"] == "user" and found[-1]["role"] == "user":
            found[-1] = {"role": "user", "content": _joined(found[-1]["content"], rendered["content"])}
        else:
            found.append(rendered)
    return found


def aicore_messages(messages: Sequence[Message], model: Model) -> list[Json]:
    """For Gemini Nano, which sees lines of `role: text` (7.2). The system text goes first there too."""
    for index, message in enumerate(messages):
        _pictures(message, model, index)
    system = system_text(messages)
    found: list[Json] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        text = _in_words(message)
        if message.role in _SYSTEM or not text:
            continue
        role = message.role.value
        if found and found[-1]["role"] == role == "user":
            found[-1] = {"role": "user", "content": f"{found[-1]['content']}\n\n{text}"}
        else:
            found.append({"role": role, "content": text})
    if not found:
        raise BadRequest("There is no message with a text; send at least one.", param="messages")
    return found


def system_text(messages: Sequence[Message]) -> str:
    """All system and developer texts as one: the app keeps only the first, and only as a string."""
    texts = (message.content for message in messages if message.role in _SYSTEM)
    return "\n\n".join(text for text in texts if text)


def _litert_message(message: Message, model: Model, index: int) -> Json:
    pictures = _pictures(message, model, index)
    match message.role:
        case Role.TOOL:
            # It is shown to the model under the name of `tool_call_id`; without one as `tool`.
            known = {"tool_call_id": message.tool_call_id} if message.tool_call_id else {}
            return {"role": "tool", **known, "content": message.content}
        case Role.ASSISTANT if message.tool_calls:
            said = {"content": message.content} if message.content else {}
            return {"role": "assistant", **said, "tool_calls": [_call(call) for call in message.tool_calls]}
        case Role.ASSISTANT:
            return {"role": "assistant", "content": message.content}
        case _ if pictures:
            text: list[Json] = [{"type": "text", "text": message.content}] if message.content else []
            return {"role": "user", "content": pictures + text}
        case _:
            return {"role": "user", "content": message.content}


def _call(call: ToolCall) -> Json:
    """Arguments always in one form, however a client wrote them again: a session goes on only if they are the same (7.5)."""
    function = {"name": call.name, "arguments": canonical_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def canonical_arguments(text: str) -> str:
    """The JSON text of an object without blanks; as it is, if it is none (the app then takes `{}`)."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            return text
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text


def _joined(before: str | list[Json], after: str | list[Json]) -> str | list[Json]:
    """Two neighbouring user contents as one: what a template makes of two user turns in a row is anybody's guess."""
    if isinstance(before, str) and isinstance(after, str):
        return "\n\n".join(text for text in (before, after) if text)
    parts = [*_parts(before), *_parts(after)]
    pictures = [part for part in parts if part["type"] == "image_url"]
    text = "\n\n".join(part["text"] for part in parts if part["type"] == "text" and part["text"])
    return [*pictures, *([{"type": "text", "text": text}] if text else [])]


def _parts(content: str | list[Json]) -> list[Json]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _in_words(message: Message) -> str:
    """With what flattening would lose: the calls, and what a result belongs to."""
    calls = [f"(called {call.name} with {call.arguments})" for call in message.tool_calls]
    return "\n".join(part for part in (message.content, *calls) if part)


# --- pictures -------------------------------------------------------------------------------------------------------


def _pictures(message: Message, model: Model, index: int) -> list[Json]:
    """The message's pictures as parts. Raises for those that the app would refuse, or drop."""
    parts: list[Json] = []
    for url in message.images:
        where = f"messages[{index}].content"
        if not model.sees:
            raise NotCapable(f"'{model.id}' in LocalLLM sees no pictures; ask for a model that does.", param=where)
        if message.role is not Role.USER:
            raise BadRequest("LocalLLM takes pictures in messages of the user only.", param=where)
        _check_picture(url, where)
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


def _check_picture(url: str, where: str) -> None:
    """Raises `BadRequest`: the app would answer 500, which clients send again (7.2)."""
    if url[:5].lower() == "data:":
        if not _DATA.match(url):
            raise BadRequest("A picture in a data: URL must begin with data:image/...;base64,", param=where)
        if len(url) > MAX_INLINE_CHARS:
            raise BadRequest(
                f"The picture has {len(url)} characters in its data: URL; LocalLLM takes {MAX_INLINE_CHARS} at most. "
                "Send a smaller one (longer sides than 1024 pixels are scaled down anyway).",
                param=where,
            )
        return
    if not _is_loopback(url):
        raise BadRequest(
            "LocalLLM loads pictures from data: URLs and from http://127.0.0.1 on the phone only; "
            f"send the picture as a data: URL instead of {url[:80]!r}.",
            param=where,
        )


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in LOOPBACK
    except ValueError:
        return False
