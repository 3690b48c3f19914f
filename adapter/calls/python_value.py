"""Python's literals, read by a script -> JSON text. JSON itself is read, too: models mix the two. Pure."""

from __future__ import annotations

import json
import re

from adapter.calls.json_text import NotJson, comma, parse_json, to_json
from adapter.calls.reader import Cursor, Steps, literal, peek, run_of, space, upto

_MAX_SCALAR_CHARS = 400
_WORDS = {"True": "true", "False": "false", "None": "null", "true": "true", "false": "false", "null": "null"}
_CLOSES = {"{": "}", "[": "]", "(": ")"}
# A backslash and what it stands with, or a character that JSON does not take as it is.
_UNFIT = re.compile(r"""\\x([0-9a-fA-F]{2})|\\(u[0-9a-fA-F]{4}|["\\/bfnrt])|\\(.)|(["\x00-\x1f])""", re.DOTALL)


def python_value(cursor: Cursor, levels: int) -> Steps[str | None]:
    """Read one value; `None` where there is none, or one nested deeper than `levels`."""
    first = yield from peek(cursor)
    if first in ("'", '"') and first:
        return (yield from _string(cursor, first))
    if first in _CLOSES:
        if not levels:
            return None
        cursor.at += 1
        return (yield from _several(cursor, first, levels - 1))
    word = yield from run_of(cursor, lambda char: char.isalnum() or char in "+-._", _MAX_SCALAR_CHARS)
    if word in _WORDS:
        return _WORDS[word]
    try:
        return json.dumps(parse_json(word))
    except NotJson:
        return None


def _string(cursor: Cursor, quote: str) -> Steps[str | None]:
    """Read a string in quotes, also in three of them."""
    if (yield from literal(cursor, quote * 3)):
        body = yield from upto(cursor, quote * 3)
        return None if body is None else _as_json(body)
    begin = cursor.at
    at = begin + 1
    while True:
        while at < len(cursor.text) and cursor.text[at] != quote:
            at += 2 if cursor.text[at] == "\\" else 1
        if at < len(cursor.text):
            cursor.at = at + 1
            return _as_json(cursor.text[begin + 1 : at])
        if cursor.ended:
            return None
        yield None


def _as_json(body: str) -> str:
    return f'"{_UNFIT.sub(_escape, body)}"'


def _escape(match: re.Match[str]) -> str:
    code, known, other, raw = match.groups()
    if code is not None:
        return f"\\u00{code}"
    if known is not None:
        return f"\\{known}"
    if raw is not None:
        return json.dumps(raw)[1:-1]
    if other in ("'", "\n"):  # a quote, or a line that goes on
        return other.strip("\n")
    return "\\\\" + to_json(other)[1:-1]


def _several(cursor: Cursor, opened: str, levels: int) -> Steps[str | None]:
    items = []
    yield from space(cursor)
    while not (yield from literal(cursor, _CLOSES[opened])):
        item = yield from python_value(cursor, levels)
        if item is None:
            return None
        if opened == "{":
            if not item.startswith('"') or not (yield from comma(cursor, ":")):
                return None
            value = yield from python_value(cursor, levels)
            if value is None:
                return None
            item = f"{item}: {value}"
        items.append(item)
        yield from comma(cursor, ",")
    return f"{{{', '.join(items)}}}" if opened == "{" else f"[{', '.join(items)}]"
