"""A streamed answer, bytes -> pieces that can be shown. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# A chunk of ours has a few hundred bytes; a stranger's endless line must not fill the memory.
MAX_LINE_BYTES = 8 << 20


class StreamError(Exception):
    """The stream says that the answer failed, or is no stream of an OpenAI server. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the answer ended: `stop`, `length` ..."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The stream is complete."""


Piece = Text | Reasoning | Finish | Done


class AnswerReader:
    """Feed it the body as it comes, cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that are complete now. Raises `StreamError`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise StreamError("the server sends a line without an end")
        return [piece for line in lines for piece in _pieces(line.rstrip(b"\r"))]


def _pieces(line: bytes) -> list[Piece]:
    """Comments, event names and empty lines carry nothing."""
    field, _, value = line.partition(b":")
    if field != b"data":
        return []
    value = value.strip()
    if value == b"[DONE]":
        return [Done()]
    try:
        frame = json.loads(value)
    except ValueError:
        raise StreamError("the server sends something that is no answer") from None
    if not isinstance(frame, dict):
        raise StreamError("the server sends something that is no answer")
    if "error" in frame:
        raise StreamError(error_message(frame) or "the server reports an error without words")
    choices = frame.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return _of_choice(choice) if isinstance(choice, dict) else []


def _of_choice(choice: dict[str, Any]) -> list[Piece]:
    found: list[Piece] = []
    delta = choice.get("delta")
    if isinstance(delta, dict):
        # Servers differ in the name; ours says the first.
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            found.append(Reasoning(reasoning))
        content = delta.get("content")
        if isinstance(content, str) and content:
            found.append(Text(content))
    reason = choice.get("finish_reason")
    if isinstance(reason, str):
        found.append(Finish(reason))
    return found


def error_message(body: object) -> str | None:
    """The message in an OpenAI error, or in what others send as one."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) and message else None
