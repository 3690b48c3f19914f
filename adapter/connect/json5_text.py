"""Where in a JSON5 text each value stands, so that one can be changed and the rest left as it is. Pure.

JSON is JSON5 too. What the values mean is for the `json5` library to say; here is only their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from adapter.connect.values import EditError

DEEPEST = 150

_BLANK = re.compile(r"(?:[\s\ufeff]|//[^\n\r\u2028\u2029]*|/\*[\s\S]*?\*/)*")
_NUMBER = re.compile(r"[+-]?(?:Infinity|NaN|0[xX][0-9a-fA-F]+|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w$.])")
_WORD = re.compile(r"(?:true|false|null)(?![\w$])")
_NAME = re.compile(r"(?:[^\W\d]|[$_]|\\u[0-9a-fA-F]{4})(?:[\w$\u200c\u200d]|\\u[0-9a-fA-F]{4})*")
_STRING = {
    quote: re.compile(rf"{quote}(?:[^{quote}\\\n\r]|\\(?:\r\n|[\s\S]))*{quote}") for quote in ('"', "'")
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A value; `text[start:end]` is it. entries: of an object or a list."""

    kind: Literal["object", "list", "scalar"]
    start: int
    end: int = 0
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """start: of the key, or of a list's value. key: as written, quotes included; "" in a list. comma: where the one behind it is."""

    start: int
    key: str
    value: Node
    comma: int | None = None


def parse(text: str) -> Node:
    """The whole text as one value. Raises `EditError` with the place."""
    reader = _Reader(text)
    reader.blank()
    root = reader.value(0)
    reader.blank()
    if reader.at < len(text):
        raise reader.error("something follows the end of the file's value")
    return root


def is_blank(text: str) -> bool:
    """Nothing but blanks and comments?"""
    found = _BLANK.match(text)
    return found is not None and found.end() == len(text)


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of the character at `at`, both from 1."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, why: str) -> EditError:
        return EditError(why, *place(self.text, self.at))

    def blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None  # it matches the empty text too
        self.at = found.end()

    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.error(f"this is nested more than {DEEPEST} deep")
        match self.next():
            case "{":
                return self.container("object", "}", depth)
            case "[":
                return self.container("list", "]", depth)
            case '"' | "'" as quote:
                return Node("scalar", self.at, self.take(_STRING[quote], "a string without its end"))
            case "":
                raise self.error("the file ends where a value should be")
            case _:
                pattern = _WORD if _WORD.match(self.text, self.at) else _NUMBER
                return Node("scalar", self.at, self.take(pattern, f"{self.next()!r} is no value"))

    def take(self, pattern: re.Pattern[str], otherwise: str) -> int:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.error(otherwise)
        self.at = found.end()
        return self.at

    def container(self, kind: Literal["object", "list"], closing: str, depth: int) -> Node:
        node = Node(kind, self.at)
        self.at += 1
        self.blank()
        while self.next() != closing:
            entry = self.entry(kind, depth)
            node.entries.append(entry)
            self.blank()
            if self.next() == ",":
                entry.comma = self.at
                self.at += 1
                self.blank()
            elif self.next() != closing:
                raise self.error(f"expected ',' or {closing!r}" + (f", not {self.next()!r}" if self.next() else "; the file ends here"))
        self.at += 1
        node.end = self.at
        return node

    def entry(self, kind: str, depth: int) -> Entry:
        start = self.at
        if kind == "list":
            return Entry(start, "", self.value(depth + 1))
        quote = self.next()
        pattern = _STRING.get(quote, _NAME)
        self.take(pattern, "expected a key" if self.next() else "the file ends here, and a bracket is still open")
        key = self.text[start : self.at]
        self.blank()
        if self.next() != ":":
            raise self.error(f"expected ':' behind the key {key[:40]}")
        self.at += 1
        self.blank()
        return Entry(start, key, self.value(depth + 1))
