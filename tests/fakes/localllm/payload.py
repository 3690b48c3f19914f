"""The body of a chat request, as far as the app reads it (protocols/localllm.md 5.1, 7.1 to 7.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.localllm import gson
from tests.fakes.localllm.errors import ModelFailed, Unhandled, invalid

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    model: str
    messages: tuple[Json, ...]
    stream: bool
    session_id: str
    temperature: float
    top_k: int
    max_tokens: int | None
    tools: tuple[Any, ...]
    """Empty where they are withheld (`tool_choice` none)."""

    @property
    def characters(self) -> int:
        """UTF-16 units of text over all messages; images do not count (row 7)."""
        return sum(len(text_of(message).encode("utf-16-le", "surrogatepass")) // 2 for message in self.messages)


def parse_chat(content_type: str, body: bytes) -> ChatRequest:
    """Rows 4 to 6 of 5.1. Raises Refused (400) or Unhandled (500, text/plain)."""
    given = parse_object(content_type, body)
    try:
        request = _typed(given)
    except gson.WrongType as wrong:
        raise _unparsable(str(wrong)) from None
    if request is None:
        missing = "messages" if given.get("model") is not None else "model"
        raise Unhandled(f"Parameter specified as non-null is null: parameter {missing}")
    return request


def parse_object(content_type: str, body: bytes) -> Json:
    """A JSON object with the right content type; raises the 400 of row 4."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise _unparsable("UnsupportedMediaTypeException: cannot read this content type")
    try:
        given = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise _unparsable("JsonSyntaxException: not JSON") from None
    if not isinstance(given, dict):
        raise _unparsable("JsonSyntaxException: Expected BEGIN_OBJECT")
    return given


def _unparsable(what: str) -> Exception:
    return invalid(400, f"Invalid JSON body: {what}")


def _typed(given: Json) -> ChatRequest | None:
    """None if `model` or `messages` is null or absent. Raises WrongType."""
    model = gson.string(given.get("model"))
    messages = _list(given.get("messages"))
    temperature = gson.number(given.get("temperature"))
    top_k = gson.integer(given.get("top_k"))
    stream = gson.boolean(given.get("stream")) or False
    session_id = gson.string(given.get("session_id")) or ""
    max_tokens = gson.integer(given.get("max_tokens"))
    choice = given.get("tool_choice")
    withheld = isinstance(choice, str) and choice.lower() == "none"
    tools = () if withheld else tuple(_list(given.get("tools")) or ())
    if model is None or messages is None:
        return None
    return ChatRequest(
        model=model,
        messages=tuple(_message(message) for message in messages),
        stream=stream,
        session_id=session_id,
        temperature=0.8 if temperature is None else temperature,
        top_k=40 if top_k is None else top_k,
        max_tokens=max_tokens,
        tools=tools,
    )


def _list(value: Any) -> list[Any] | None:
    if value is not None and not isinstance(value, list):
        raise gson.WrongType("JsonSyntaxException: Expected BEGIN_ARRAY")
    return value


def _message(value: Any) -> Json:
    if not isinstance(value, dict):
        raise gson.WrongType("JsonSyntaxException: Expected BEGIN_OBJECT")
    calls = _list(value.get("tool_calls"))
    role, call_id = gson.string(value.get("role")) or "", gson.string(value.get("tool_call_id"))
    return {"role": role, "content": value.get("content"), "tool_call_id": call_id, "tool_calls": calls}


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: a string, or its text parts joined with a space; everything else is no text."""
    content = message["content"]
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return " ".join(text for text in texts if isinstance(text, str))


def image_urls(message: Mapping[str, Any]) -> list[str]:
    """The `image_url` parts of a message; each may be a string or an object with `url` (7.2)."""
    parts = message["content"] if isinstance(message["content"], list) else []
    images = [part.get("image_url") for part in parts if isinstance(part, dict) and part.get("type") == "image_url"]
    urls = [image.get("url") if isinstance(image, dict) else image for image in images]
    return [url if isinstance(url, str) else "" for url in urls]


def tool_names(tools: tuple[Any, ...]) -> tuple[str, ...]:
    """The names of the offered tools; raises ModelFailed for one without function, name or parameters (7.3)."""
    names = []
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or function.get("name") is None or function.get("parameters") is None:
            raise ModelFailed("Attempt to invoke a method on a null object reference")
        names.append(str(function["name"]))
    return tuple(names)
