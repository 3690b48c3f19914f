"""`messages` -> our words: content in every shape, the roles that clients use, replayed tool calls. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapter.chat import Message, Role, ToolCall
from adapter.dialects.openai_values import kind_of, whole_text, wrong_type
from adapter.errors import BadRequest


def parse_messages(given: Mapping[str, Any], limit: int) -> tuple[Message, ...]:
    value = given.get("messages")
    if value is None:
        raise BadRequest("'messages' is missing; send an array with at least one message.", param="messages")
    if not isinstance(value, list):
        raise wrong_type("messages", "an array", value)
    if not value:
        raise BadRequest("'messages' is empty; send at least one message.", param="messages")
    if len(value) > limit:
        raise BadRequest(
            f"'messages' has {len(value)} entries; at most {limit} are possible (server.max_messages).",
            param="messages",
        )
    return tuple(_message(entry, f"messages[{index}]") for index, entry in enumerate(value))


def _message(entry: object, where: str) -> Message:
    if not isinstance(entry, dict):
        raise wrong_type(where, "an object with 'role' and 'content'", entry)
    role = _role(entry.get("role"), f"{where}.role")
    name = entry.get("name")
    call_id = entry.get("tool_call_id")
    images = _images(entry.get("content"), f"{where}.content")
    return Message(
        role=role,
        content=_content(entry.get("content"), f"{where}.content"),
        name=whole_text(name) if isinstance(name, str) else None,
        tool_calls=_tool_calls(entry, where) if role is Role.ASSISTANT else (),
        tool_call_id=whole_text(call_id) if isinstance(call_id, str) else None,
        images=images,
    )


def _role(value: object, where: str) -> Role:
    role = _ROLES.get(value) if isinstance(value, str) else None
    if role is None:
        known = ", ".join(Role)
        shown = f"{value!s:.40}" if isinstance(value, str) else kind_of(value)
        raise BadRequest(f"'{where}' must be one of {known}; got {shown}.", param=where)
    return role


# With the tool role's name before 2023-11.
_ROLES = {**{role.value: role for role in Role}, "function": Role.TOOL}


def _content(value: object, where: str) -> str:
    """String, list of parts, null or absent. Parts of text are joined by line breaks, as llama-server does."""
    match value:
        case None:
            return ""
        case str():
            return whole_text(value)
        case list():
            texts = [
                _part(part, f"{where}[{index}]") for index, part in enumerate(value) if not _is_image(part)
            ]
            return "\n".join(texts)
        case _:
            raise wrong_type(where, "a string or an array of parts", value)


# Ways to send a picture: OpenAI's, and what its newer API calls it.
_IMAGES = ("image_url", "input_image")
MAX_IMAGES = 64
MAX_LINK_CHARS = 4_096
_MEDIA = {
    "image": "images",
    "input_audio": "audio",
    "audio": "audio",
    "file": "files",
    "input_file": "files",
    "video_url": "video",
}


def _part(part: object, where: str) -> str:
    if isinstance(part, str):
        return whole_text(part)
    if not isinstance(part, dict):
        raise wrong_type(where, "an object with 'type'", part)
    kind = part.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        raise BadRequest(
            f"'{where}' is of type '{kind}': no engine here takes {_MEDIA[kind]}; send text only.", param=where
        )
    text = part.get("refusal") if kind == "refusal" else part.get("text")
    if not isinstance(text, str):
        raise BadRequest(f"'{where}' must be a part with 'type': 'text' and a string in 'text'.", param=where)
    return whole_text(text)


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _IMAGES


def _images(value: object, where: str) -> tuple[str, ...]:
    """The URLs of a message's pictures. Whether the model can see them is the router's question."""
    if not isinstance(value, list):
        return ()
    urls = [_image(part, f"{where}[{index}]") for index, part in enumerate(value) if _is_image(part)]
    if len(urls) > MAX_IMAGES:
        raise BadRequest(f"'{where}' has {len(urls)} images; at most {MAX_IMAGES} are possible.", param=where)
    return tuple(urls)


def _image(part: Mapping[str, Any], where: str) -> str:
    """`{"url": ...}` or the URL itself. A file's id means something to OpenAI only."""
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if isinstance(url, str) and url.isascii():
        scheme = url[:8].lower()
        is_link = scheme.startswith(("http://", "https://")) and len(url) <= MAX_LINK_CHARS
        if scheme.startswith("data:") or is_link:
            return url
    raise BadRequest(
        f"'{where}.image_url.url' must be a picture as data:image/...;base64,... or an http(s) address of at most "
        f"{MAX_LINK_CHARS} characters.",
        param=f"{where}.image_url",
    )


def _tool_calls(entry: Mapping[str, Any], where: str) -> tuple[ToolCall, ...]:
    """Earlier calls in the history, in the present form or in `function_call`, its forerunner."""
    calls = entry.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong_type(f"{where}.tool_calls", "an array", calls)
    if not calls and isinstance(entry.get("function_call"), dict):
        calls = [{"id": "", "function": entry["function_call"]}]
    return tuple(_tool_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls))


def _tool_call(call: object, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise BadRequest(f"'{where}' must be an object with 'function'.", param=where)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"'{where}.function.name' must be a string.", param=where)
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):  # some clients replay the object that they parsed
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=whole_text(str(call.get("id") or "")), name=whole_text(name), arguments=whole_text(arguments))
