"""`contents` and `systemInstruction` of Gemini's form -> messages. Pure.

One content may hold several of our messages: the results of calls that were made in parallel come as parts of one content, each of which is a message
of the role `tool` here. The other way about, `google-genai` keeps every chunk of a streamed answer as a content of its own, so neighbours of the
role `model` are one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import Message, Role, ToolCall
from adapter.dialects.gemini_values import at, fields, listed, text_of
from adapter.dialects.openai_messages import MAX_IMAGES, MAX_LINK_CHARS
from adapter.dialects.openai_values import json_text, kind_of, whole_text, wrong_type
from adapter.errors import BadRequest

# `function` is the role of results in older clients; no role is the user's.
_ROLES = ("user", "model", "function")
# What a part can be. The rest of its keys describe it.
_KINDS = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_UNSUPPORTED = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+")
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,40}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Contents:
    """messages: without the system's. ignored: what of them the model never sees, by name."""

    messages: tuple[Message, ...]
    ignored: tuple[str, ...] = ()


def parse_contents(value: object, limit: int, *, where: str = "contents") -> Contents:
    """limit: of contents and of messages. Raises `BadRequest` that names the part: `contents[2].parts[0]`."""
    entries = listed(value, where)
    if not entries:
        raise BadRequest(f"'{where}' is missing or empty; send at least one content with 'parts'.", param=where)
    if len(entries) > limit:
        raise _too_many(where, len(entries), limit)
    reader = _Reader()
    for index, entry in enumerate(entries):
        reader.read(entry, f"{where}[{index}]")
    reader.close_answer()
    if not reader.messages:
        raise BadRequest(f"'{where}' says nothing: no content has a part that the model could read.", param=where)
    if len(reader.messages) > limit:
        raise _too_many(where, len(reader.messages), limit)
    return Contents(tuple(reader.messages), tuple(dict.fromkeys(reader.ignored)))


def parse_system(value: object, where: str = "systemInstruction") -> Message | None:
    """A content or a string -> the system's message; `None` for an empty one."""
    if value is None:
        return None
    if isinstance(value, str):
        texts = [whole_text(value)]
    else:
        texts = [*_texts(value, where)]
    text = "\n".join(text for text in texts if text)
    return Message(Role.SYSTEM, text) if text else None


def parse_texts(value: object, where: str) -> str:
    """The text of a content without anything else in it, as for embeddings. Raises `BadRequest`, also for none."""
    text = whole_text(value) if isinstance(value, str) else "\n".join(_texts(value, where))
    if not text:
        raise BadRequest(f"'{where}' has no text.", param=where)
    return text


def _texts(value: object, where: str) -> Iterator[str]:
    for index, part in enumerate(listed(fields(value, where).get("parts"), at(where, "parts"))):
        place = f"{where}.parts[{index}]"
        given = fields(part, place)
        if "text" not in given:
            raise BadRequest(f"'{place}' must be a part with 'text'.", param=place)
        yield text_of(given, "text", place)


@dataclass(slots=True)
class _Reader:
    """The messages so far. open: calls that have no result yet, oldest first: results without an id belong to the first one of their name.

    said, called: the model's message under way. It is joined once: thousands of chunks of a streamed answer, each copied to the next, would take seconds.
    """

    messages: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    called: list[ToolCall] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    open: list[ToolCall] = field(default_factory=list)
    calls: int = 0

    def read(self, entry: object, where: str) -> None:
        given = fields({"parts": [{"text": entry}]} if isinstance(entry, str) else entry, where)
        role = given.get("role") or "user"
        if role not in _ROLES:
            shown = f"{role!s:.40}" if isinstance(role, str) else kind_of(role)
            raise BadRequest(f"'{where}.role' must be one of user, model; got {shown}.", param=f"{where}.role")
        parts = [
            (fields(part, f"{where}.parts[{index}]"), f"{where}.parts[{index}]")
            for index, part in enumerate(listed(given.get("parts"), f"{where}.parts"))
        ]
        if role == "model":
            self._model(parts)
        elif not parts:
            raise BadRequest(f"'{where}.parts' is missing or empty; send at least one part, such as {{\"text\": \"...\"}}.", param=f"{where}.parts")
        else:
            self._user(parts)

    def _model(self, parts: list[tuple[dict[str, Any], str]]) -> None:
        """An empty one is what a keepalive leaves in the history of a client."""
        for part, where in parts:
            kind = _kind(part, where)
            if "thoughtSignature" in part:
                self.ignored.append("contents.parts.thoughtSignature")
            if part.get("thought"):
                self.ignored.append("contents.parts.thought")
            elif kind == "text":
                self.said.append(text_of(part, "text", where))
            elif kind == "functionCall":
                self.called.append(self._call(part[kind], f"{where}.functionCall"))
            else:
                raise BadRequest(f"'{where}.{kind}' cannot be part of an answer of the model here; send its text only.", param=where)

    def close_answer(self) -> None:
        """Somebody else speaks, or nobody any more."""
        if (text := "".join(self.said)) or self.called:
            self.messages.append(Message(Role.ASSISTANT, text, tool_calls=tuple(self.called)))
        self.said, self.called = [], []

    def _user(self, parts: list[tuple[dict[str, Any], str]]) -> None:
        self.close_answer()
        texts, images = [], []
        for part, where in parts:
            kind = _kind(part, where)
            if kind == "text":
                texts.append(text_of(part, "text", where))
            elif kind == "functionResponse":
                self.messages.append(self._result(part[kind], f"{where}.functionResponse"))
            elif kind == "functionCall":
                raise BadRequest(f"'{where}.functionCall' belongs into a content of the role 'model'.", param=where)
            else:
                images.append(_image(part[kind], f"{where}.{kind}", linked=kind == "fileData"))
        if len(images) > MAX_IMAGES:
            place = parts[0][1].rpartition(".parts")[0]
            raise BadRequest(f"'{place}' has {len(images)} images; at most {MAX_IMAGES} are possible.", param=place)
        if texts or images:
            self.messages.append(Message(Role.USER, "\n".join(texts), images=tuple(images)))

    def _call(self, value: object, where: str) -> ToolCall:
        given = fields(value, where)
        name = _name(given, where)
        args = given.get("args", {})
        if not isinstance(args, dict):
            raise wrong_type(f"{where}.args", "an object", args)
        self.calls += 1
        call = ToolCall(text_of(given, "id", where) or f"call_{self.calls}", name, json_text(args, f"{where}.args"))
        self.open.append(call)
        return call

    def _result(self, value: object, where: str) -> Message:
        given = fields(value, where)
        name = _name(given, where)
        if given.get("parts"):
            raise BadRequest(f"'{where}.parts' is not supported: results are JSON, in 'response'.", param=f"{where}.parts")
        response = given.get("response", {})
        if not isinstance(response, dict):
            raise wrong_type(f"{where}.response", "an object", response)
        id = text_of(given, "id", where)
        call = next((call for call in self.open if (call.id == id if id else call.name == name)), None)
        if call is not None:
            self.open.remove(call)
        text = json_text(response, f"{where}.response")
        return Message(Role.TOOL, text, name=name, tool_call_id=id or (call.id if call else name))


def _kind(part: Mapping[str, Any], where: str) -> str:
    """Which of the kinds a part is. Raises `BadRequest` for none, several, and those that nobody here can use."""
    for name in _UNSUPPORTED:
        if name in part:
            raise BadRequest(
                f"'{where}.{name}' is not supported: nothing here runs code or tools for the model; send functions.",
                param=f"{where}.{name}",
            )
    kinds = [name for name in _KINDS if name in part]
    if len(kinds) == 1:
        return kinds[0]
    if not kinds and part.get("thought") is not None:
        return "text"
    raise BadRequest(f"'{where}' must have exactly one of {', '.join(_KINDS)}.", param=where)


def _name(given: Mapping[str, Any], where: str) -> str:
    name = text_of(given, "name", where)
    if not name:
        raise BadRequest(f"'{where}.name' is missing; it is the function's name.", param=f"{where}.name")
    return name


def _image(value: object, where: str, *, linked: bool) -> str:
    given = fields(value, where)
    mime = text_of(given, "mimeType", where)
    if not linked:
        return _inline(given, mime, where)
    uri = text_of(given, "fileUri", where)
    is_link = uri.lower().startswith(("http://", "https://")) and uri.isascii() and len(uri) <= MAX_LINK_CHARS
    if not is_link or (mime and not _IMAGE.fullmatch(mime)):
        raise BadRequest(
            f"'{where}' must be a picture's http(s) address of at most {MAX_LINK_CHARS} characters; Google's files are not reachable from here.",
            param=where,
        )
    return uri


def _inline(given: Mapping[str, Any], mime: str, where: str) -> str:
    if not _IMAGE.fullmatch(mime):
        shown = f"'{mime[:40]}'" if mime else "of no type"
        raise BadRequest(
            f"'{where}.mimeType' is {shown}: no engine here takes anything but text and pictures (image/...).",
            param=f"{where}.mimeType",
        )
    # `google-genai` writes the variant of base64 for addresses, others the usual one.
    data = text_of(given, "data", where).replace("-", "+").replace("_", "/").rstrip("=")
    if not _BASE64.fullmatch(data[:64]) or not data.isascii() or len(data) % 4 == 1:  # whoever decodes it looks at the rest
        raise BadRequest(f"'{where}.data' is not the base64 text of a picture.", param=f"{where}.data")
    data += "=" * (-len(data) % 4)
    return f"data:{mime.lower()};base64,{data}"


def _too_many(where: str, count: int, limit: int) -> BadRequest:
    return BadRequest(f"'{where}' has {count} entries; at most {limit} are possible (server.max_messages).", param=where)
