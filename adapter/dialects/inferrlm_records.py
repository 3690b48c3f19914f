"""InferrLM's answers, record by record: JSON values -> typed pieces. Pure.

Sections are those of `protocols/inferrlm.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from adapter.errors import UpstreamProtocol

SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """New text; one token on GGUF models (13.1). Empty in LiteRT's last but one record."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The record that makes a stream complete (10.2). `output`: the whole text again, trimmed (7.4)."""

    output: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The last record of a failure, or a plain refusal. `word`: see `inferrlm_errors.py`."""

    word: str


Record = Piece | Done | Failed


def parse_records(values: Iterable[object]) -> list[Record]:
    """The records of a stream. Raises `UpstreamProtocol` for what is none."""
    return [_parse_record(value) for value in values]


def _parse_record(value: object) -> Record:
    if not isinstance(value, dict):
        raise _unreadable(value)
    if "error" in value:
        return Failed(_word(value))
    if value.get("done") is True:
        output = value.get("output")
        return Done(whole_characters(output) if isinstance(output, str) else None)
    text = value.get("response")
    if not isinstance(text, str):
        raise _unreadable(value)
    return Piece(whole_characters(text))


def parse_plain(value: object) -> str:
    """The text of an answer with `stream` false (7.4). Raises `UpstreamProtocol`."""
    text = value.get("response") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise _unreadable(value)
    return whole_characters(text)


def parse_refusal(value: object, status: int) -> Failed:
    """The word in the JSON body of an answer whose status is not 200 (10.1)."""
    return Failed(_word(value) if isinstance(value, dict) and "error" in value else f"HTTP {status}")


def _word(value: dict[str, object]) -> str:
    error = value["error"]
    return whole_characters(error) if isinstance(error, str) and error else repr(error)


def _unreadable(value: object) -> UpstreamProtocol:
    shown = json.dumps(value)[:SHOWN_CHARS]
    return UpstreamProtocol(
        f"InferrLM's answer has a record that is none of the known kinds: {shown}. "
        "This build of the app may be unknown to Farmhand; update both."
    )


def whole_characters(text: str) -> str:
    """`text` with pairs of surrogates joined and lone ones replaced by U+FFFD, so that it is valid Unicode."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
