"""`input` of `POST /v1/responses`, and what was said before it, -> messages. Pure.

A conversation is a flat list of items: messages, calls, their results, reasoning. Calls that stand together are one message of the assistant, as
models and their templates know them; the model's own reasoning is not shown to it again, as no chat template here asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapter.chat import Message, Role, ToolCall
from adapter.dialects.openai_messages import MAX_IMAGES, MAX_LINK_CHARS
from adapter.dialects.openai_values import json_text, kind_of, whole_text, wrong_type
from adapter.errors import BadRequest

Item = Mapping[str, Any]

# Who may speak in a message; a tool's words are an item of their own.
_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER)}
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_MEDIA = {"input_file": "files", "input_audio": "audio", "file": "files", "audio": "audio"}
PASSED_OVER = "input.reasoning"


@dataclass(slots=True)
class Conversation:
    """Messages as they are read from items, in their order.

    answered: ids of the calls whose results are among all the items: a call that was cut, and that nobody has answered, is left out. calls: ids of
    the calls so far. passed_over: were there items that say nothing to the model?
    """

    answered: frozenset[str] = frozenset()
    messages: list[Message] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    passed_over: bool = False

    def read(self, items: Sequence[object], where: str) -> None:
        """Go on with `items`, which stand in the request at `where`. Raises `BadRequest` naming the place: `input[2].content[0]`."""
        for index, item in enumerate(items):
            self._item(item, f"{where}[{index}]")

    def _item(self, item: object, where: str) -> None:
        if not isinstance(item, dict):
            raise wrong_type(where, "an object with 'type'", item)
        kind = item.get("type")
        if kind is None and "role" in item:
            kind = "message"
        match kind:
            case "message":
                self._said(_message(item, where))
            case "function_call":
                self._call(item, where)
            case "function_call_output":
                self._output(item, where)
            case "reasoning":
                self.passed_over = True
            case str():
                raise BadRequest(
                    f"'{where}' is of type '{whole_text(kind[:40])}', which is not supported; send message, function_call, "
                    "function_call_output, reasoning or item_reference.",
                    param=f"{where}.type",
                )
            case _:
                raise BadRequest(f"'{where}.type' must be a string, not {kind_of(kind)}.", param=f"{where}.type")

    def _said(self, message: Message) -> None:
        """What the model said behind its calls belongs to them: their results must follow at once, or a strict upstream refuses the conversation."""
        last = self.messages[-1] if self.messages else None
        if last is not None and last.tool_calls and message.role is Role.ASSISTANT:
            texts = [text for text in (last.content, message.content) if text]
            self.messages[-1] = replace(last, content="\n".join(texts), images=(*last.images, *message.images))
        else:
            self.messages.append(message)

    def _call(self, item: Item, where: str) -> None:
        call = ToolCall(id=_word(item, "call_id", where), name=_word(item, "name", where), arguments=_arguments(item, where))
        if item.get("status") == "incomplete" and call.id not in self.answered:
            return
        self.calls.add(call.id)
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role is Role.ASSISTANT:
            self.messages[-1] = replace(last, tool_calls=(*last.tool_calls, call))
        else:
            self.messages.append(Message(Role.ASSISTANT, "", tool_calls=(call,)))

    def _output(self, item: Item, where: str) -> None:
        call_id = _word(item, "call_id", where)
        if call_id not in self.calls:
            raise BadRequest(
                f"'{where}.call_id' is '{call_id[:80]}', but there is no function_call with it before; send the call too, or the "
                "'previous_response_id' of the answer that made it.",
                param=f"{where}.call_id",
            )
        text, images = _content(item.get("output"), f"{where}.output")
        self.messages.append(Message(Role.TOOL, text, tool_call_id=call_id, images=images))


def answered_calls(items: Iterable[object]) -> frozenset[str]:
    """Ids of the calls that have results among `items`."""
    return frozenset(
        item["call_id"]
        for item in items
        if isinstance(item, dict) and item.get("type") == "function_call_output" and isinstance(item.get("call_id"), str)
    )


def said_by_user(text: str) -> Item:
    """`input` as a string is short for this."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _message(item: Item, where: str) -> Message:
    value = item.get("role")
    role = _ROLES.get(value) if isinstance(value, str) else None
    if role is None:
        shown = f"'{whole_text(value[:40])}'" if isinstance(value, str) else kind_of(value)
        raise BadRequest(f"'{where}.role' must be one of {', '.join(_ROLES)}; got {shown}.", param=f"{where}.role")
    text, images = _content(item.get("content"), f"{where}.content")
    return Message(role, text, images=images)


def _content(value: object, where: str) -> tuple[str, tuple[str, ...]]:
    """String, list of parts, null or absent -> text and pictures. Parts of text are joined by line breaks, as in chats."""
    match value:
        case None:
            return "", ()
        case str():
            return whole_text(value), ()
        case list():
            return _parts(value, where)
        case _:
            raise wrong_type(where, "a string or an array of parts", value)


def _parts(parts: Sequence[object], where: str) -> tuple[str, tuple[str, ...]]:
    texts: list[str] = []
    images: list[str] = []
    for index, part in enumerate(parts):
        if isinstance(part, dict) and part.get("type") == "input_image":
            images.append(_image(part, f"{where}[{index}]"))
        else:
            texts.append(_text(part, f"{where}[{index}]"))
    if len(images) > MAX_IMAGES:
        raise BadRequest(f"'{where}' has {len(images)} images; at most {MAX_IMAGES} are possible.", param=where)
    return "\n".join(texts), tuple(images)


def _text(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise wrong_type(where, "an object with 'type'", part)
    kind = part.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        raise BadRequest(f"'{where}' is of type '{kind}': no engine here takes {_MEDIA[kind]}; send its text.", param=where)
    text = part.get("refusal") if kind == "refusal" else part.get("text") if kind in _TEXTS else None
    if not isinstance(text, str):
        raise BadRequest(
            f"'{where}' must be a part of type input_text or output_text with a string in 'text', or an input_image.", param=where
        )
    return whole_text(text)


def _image(part: Item, where: str) -> str:
    """A picture's address. A file's id means something to OpenAI only."""
    url = part.get("image_url")
    if isinstance(url, dict):  # as in chats
        url = url.get("url")
    if isinstance(url, str) and url.isascii():
        scheme = url[:8].lower()
        if scheme.startswith("data:") or (scheme.startswith(("http://", "https://")) and len(url) <= MAX_LINK_CHARS):
            return url
    raise BadRequest(
        f"'{where}.image_url' must be a picture as data:image/...;base64,... or an http(s) address of at most {MAX_LINK_CHARS} "
        "characters; ids of files mean nothing here.",
        param=f"{where}.image_url",
    )


def _arguments(item: Item, where: str) -> str:
    value = item.get("arguments") or "{}"
    if isinstance(value, dict):  # some clients replay the object that they parsed
        return json_text(value, f"{where}.arguments")
    if not isinstance(value, str):
        raise wrong_type(f"{where}.arguments", "a string, the JSON text of an object", value)
    return whole_text(value)


def _word(item: Item, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise wrong_type(f"{where}.{name}", "a string", value) if not isinstance(value, str) else BadRequest(
            f"'{where}.{name}' is empty.", param=f"{where}.{name}"
        )
    return whole_text(value)
