"""JSON inside an answer: where a value ends, and values read by scripts. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from adapter.calls.output import CallArguments
from adapter.calls.reader import Cursor, Steps, peek, run_of, space

# Deeper than any tool's arguments; keeps json.loads off Python's recursion limit.
MAX_DEPTH = 100
_MAX_SCALAR_CHARS = 400
_CLOSES = {"{": "}", "[": "]"}
_BARE = re.compile(r"[-+.0-9A-Za-z,:\s]*")
_IN_STRING = re.compile(r'[^"\\\x00-\x1f]*')


class NotJson(ValueError):
    """The text is no JSON of the kind that was expected."""


def parse_json(text: str) -> Any:
    """Raises `NotJson`, also for NaN and Infinity, which Python would take."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise NotJson(str(exc)) from exc


def parse_object(text: str) -> dict[str, Any]:
    """Raises `NotJson`, also for an object that is nested too deeply to be handled safely."""
    scanner = Scanner()
    scanner.scan(text.lstrip(), 0)
    if not scanner.done:
        raise NotJson("not an object, cut, or nested too deeply")
    value = parse_json(text)
    if not isinstance(value, dict):
        raise NotJson("not an object")
    return value


def to_json(value: Any) -> str:
    """As models write it: other characters than ASCII as they are, unless they are halves of one that no text can hold."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _refuse(name: str) -> Any:
    raise NotJson(name)


class Scanner:
    """Finds the end of an object, an array or a string, whose first character comes first."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._in_string = False
        self._escaped = False
        self.done = False
        self.broken = False

    def scan(self, text: str, at: int) -> tuple[int, str]:
        """Read from `at` until the value ends, breaks or the text runs out -> where that is, and what was read.

        Raw control characters in strings come back as escapes: models write them, JSON has none.
        """
        parts = []
        while at < len(text) and not (self.done or self.broken):
            match = (_IN_STRING if self._in_string else _BARE).match(text, at) if not self._escaped else None
            if match is not None and match.end() > at:
                parts.append(match.group())
                at = match.end()
            else:
                parts.append(self._one(text[at]))
                at += not self.broken
        return at, "".join(parts)

    def _one(self, char: str) -> str:
        """Take a character with a meaning; return how it is written."""
        if self._escaped:
            self._escaped = False
        elif self._in_string:
            self._escaped = char == "\\"
            if char == '"':
                self._in_string = False
                self.done = not self._stack
            elif char < " ":
                return json.dumps(char)[1:-1]
        elif char == '"':
            self._in_string = True
        elif char in _CLOSES and len(self._stack) < MAX_DEPTH:
            self._stack.append(_CLOSES[char])
        elif self._stack and char == self._stack[-1]:
            self._stack.pop()
            self.done = not self._stack
        else:
            self.broken = True
            return ""
        return char


def take_value(cursor: Cursor) -> Steps[str | None]:
    """Read one JSON value whole, without passing anything on; `None` where there is none."""
    first = yield from peek(cursor)
    if first not in ("{", "[", '"'):
        scalar = yield from run_of(cursor, _is_scalar, _MAX_SCALAR_CHARS)
        return scalar or None
    scanner, parts = Scanner(), []
    while True:
        cursor.at, text = scanner.scan(cursor.text, cursor.at)
        parts.append(text)
        if scanner.done:
            return "".join(parts)
        if scanner.broken or cursor.ended:
            return None
        yield None


def take_string(cursor: Cursor) -> Steps[str | None]:
    """Read a JSON string -> what it says; `None` where there is none."""
    if (yield from peek(cursor)) != '"':
        return None
    text = yield from take_value(cursor)
    try:
        value = parse_json(text) if text is not None else None
    except NotJson:
        return None
    return value if isinstance(value, str) else None


def stream_object(cursor: Cursor) -> Steps[bool]:
    """Pass an object on as `CallArguments` while it comes. Is it complete, and valid?"""
    scanner, parts = Scanner(), []
    while True:
        cursor.at, text = scanner.scan(cursor.text, cursor.at)
        if text:
            parts.append(text)
            yield CallArguments(text)
        cursor.drop()
        if scanner.done:
            return is_object("".join(parts))
        if scanner.broken or cursor.ended:
            return False
        yield None


def is_object(text: str) -> bool:
    try:
        parse_object(text)
    except NotJson:
        return False
    return True


def comma(cursor: Cursor, char: str) -> Steps[bool]:
    """Read white space, `char` and more white space."""
    yield from space(cursor)
    if (yield from peek(cursor)) != char:
        return False
    cursor.at += 1
    yield from space(cursor)
    return True


def _is_scalar(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "+-.")
