"""LocalLLM's answers: bytes of a stream, or a plain JSON value -> typed records. Pure.

Sections are those of `protocols/localllm.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.dialects.localllm_errors import Refusal, refusal_of
from adapter.errors import UpstreamProtocol

MAX_LINE_BYTES = 4 << 20
SHOWN_BYTES = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """New text; never empty. May end in the first half of a surrogate pair, the other half being in the next one."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A whole call. arguments: JSON text as the app wrote it (7.3)."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class End:
    """The final frame, behind which `[DONE]` must come. calls: all of them come here (8.3)."""

    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A plain answer (8.1, 8.2)."""

    text: str
    calls: tuple[Call, ...] = ()


Record = Piece | End | Refusal


class FrameDecoder:
    """Fed bytes of a stream as they come; the result does not depend on how they were cut.

    `done` after `[DONE]`; what follows it is ignored. Comments (`: ka`, 8.3) and unknown fields are passed over.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._ended = False
        self.done = False

    @property
    def complete(self) -> bool:
        """The final frame and `[DONE]` have come: without both the answer is not whole (8.5)."""
        return self.done and self._ended

    def feed(self, data: bytes) -> list[Record]:
        """Raises `UpstreamProtocol` for what is no frame of LocalLLM's."""
        search_from = len(self._held)
        self._held += data
        records: list[Record] = []
        start = 0
        while (end := self._held.find(b"\n", search_from)) >= 0:
            records += self._line(bytes(self._held[start:end]))
            start = search_from = end + 1
        del self._held[:start]
        if len(self._held) > MAX_LINE_BYTES:
            raise _unreadable(bytes(self._held))
        return records

    def _line(self, line: bytes) -> list[Record]:
        line = line.rstrip(b"\r")
        if self.done or not line.startswith(b"data:"):
            return []
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return []
        try:
            value = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise _unreadable(line) from None
        return self._frame(value, line)

    def _frame(self, value: object, line: bytes) -> list[Record]:
        if not isinstance(value, dict):
            raise _unreadable(line)
        if "error" in value:
            # Where the app's own code is a word, the status is told by that word.
            return [refusal_of(_status_in(value["error"]), value)]
        choice = _first_choice(value)
        if choice is None:
            raise _unreadable(line)
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        text = delta.get("content")
        records: list[Record] = [Piece(text)] if isinstance(text, str) and text else []
        if choice.get("finish_reason") is not None:
            self._ended = True
            records.append(End(_calls(delta.get("tool_calls"))))
        return records


def parse_plain(value: object) -> Whole:
    """Raises `UpstreamProtocol` for what is no answer of LocalLLM's."""
    choice = _first_choice(value) if isinstance(value, dict) else None
    message = choice.get("message") if choice else None
    if not isinstance(message, dict):
        raise _unreadable(json.dumps(value).encode())
    text = message.get("content")
    return Whole(text if isinstance(text, str) else "", _calls(message.get("tool_calls")))


def request_number(header: str | None) -> int | None:
    """The decimal counter in `X-Request-Id` (9), which starts at 1 in each process of the app."""
    return int(header) if header and header.isascii() and header.isdecimal() and len(header) < 16 else None


def parse_vectors(value: object, count: int) -> tuple[list[list[float]], int]:
    """The vectors of `POST /v1/embeddings` in the order of their texts, and `usage.prompt_tokens` (13). Raises `UpstreamProtocol`."""
    data = value.get("data") if isinstance(value, dict) else None
    usage = value.get("usage") if isinstance(value, dict) else None
    if not isinstance(data, list) or len(data) != count:
        raise _unreadable(json.dumps(value).encode())
    vectors: dict[int, list[float]] = {}
    for place, entry in enumerate(data):
        vector = entry.get("embedding") if isinstance(entry, dict) else None
        index = entry.get("index", place) if isinstance(entry, dict) else None
        if not isinstance(vector, list) or not _numbers(vector) or not isinstance(index, int) or not 0 <= index < count or index in vectors:
            raise _unreadable(json.dumps(value).encode())
        vectors[index] = [float(number) for number in vector]
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return [vectors[index] for index in range(count)], tokens if isinstance(tokens, int) else 0


def _numbers(value: list[Any]) -> bool:
    return bool(value) and all(type(number) in (int, float) for number in value)


def _first_choice(value: Mapping[str, Any]) -> dict[str, Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _calls(value: object) -> tuple[Call, ...]:
    if not isinstance(value, list):
        return ()
    found = []
    for entry in value:
        function = entry.get("function") if isinstance(entry, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise _unreadable(json.dumps(entry).encode())
        arguments = function.get("arguments")
        found.append(Call(name, arguments if isinstance(arguments, str) else json.dumps(arguments or {})))
    return tuple(found)


_STATUS_OF_CODE = {
    "LITERT_INIT_FAILED": 503,
    "AICORE_DOWNLOADABLE": 503,
    "AICORE_DOWNLOADING": 425,
    "AICORE_UNAVAILABLE": 503,
    "AICORE_UNKNOWN": 503,
    "AICORE_BACKGROUND_BLOCKED": 403,
    "AICORE_RUNTIME_ERROR": 500,
}


def _status_in(error: object) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int):
        return code
    return _STATUS_OF_CODE.get(code, 500) if isinstance(code, str) else 500


def _unreadable(line: bytes) -> UpstreamProtocol:
    return UpstreamProtocol(
        f"LocalLLM sent something that is none of its known answers: {line[:SHOWN_BYTES]!r}. "
        "This build of the app may be unknown to Farmhand; update both."
    )
