"""Edits in a file of `NAME=value` lines, which a shell, `dotenv` libraries and Docker are to read alike. Pure.

What they do not read alike is not written: line breaks, backslashes, `$` outside of single quotes (python-dotenv fills in `${NAME}` even
there), values with both kinds of quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.connect.values import EditError

_ASSIGNMENT = re.compile(r"[ \t]*(?P<export>export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Means itself everywhere without quotes.
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_QUOTED = {"'": re.compile(r"'[^']*'"), '"': re.compile(r'"(?:[^"\\]|\\[\s\S])*"')}
_UNQUOTED = re.compile(r"[^\r\n]*?(?=[ \t]*(?:[ \t]#[^\r\n]*)?(?:[\r\n]|\Z))")


@dataclass(frozen=True, slots=True)
class _Line:
    """An assignment; start, end: of its value's text. head: where the line begins."""

    name: str
    exported: bool
    head: int
    start: int
    end: int


def edit_env(text: str, variables: Sequence[tuple[str, str]], *, export: bool) -> str:
    """The text with these variables set: in their place, or at the end. export: for shells. Raises `EditError`."""
    for name, value in variables:
        lines = [line for line in _lines(text) if line.name == name]
        wanted = quoted(name, value)
        if not lines:
            text = _appended(text, f"{'export ' * export}{name}={wanted}")
            continue
        line = lines[-1]  # of several the last one counts
        old = text[line.start : line.end]
        if meaning(old) != value:
            text = text[: line.start] + wanted + text[line.end :]
        if export and not line.exported:
            text = text[: line.head] + "export " + text[line.head :]
    return text


def read_env(text: str) -> dict[str, str]:
    """What the file says, the last line of each name. Raises `EditError`."""
    return {line.name: meaning(text[line.start : line.end]) for line in _lines(text)}


def quoted(name: str, value: str) -> str:
    """The value as it stands behind `NAME=`. Raises `EditError` naming the variable."""
    if not _NAME.fullmatch(name):
        raise EditError(f"{name[:40]!r} is no name for a variable")
    if any(char in "\r\n\0" for char in value):
        raise EditError(f"{name}: a value with a line break cannot be written into a file of variables")
    if _BARE.fullmatch(value):
        return value
    if "\\" in value or "${" in value or "$(" in value or "`" in value:
        raise EditError(f"{name}: shells and dotenv readers do not agree on a value with a backslash, a backtick or '${{'; set it by hand")
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value and "$" not in value and "!" not in value:
        return f'"{value}"'
    raise EditError(f"{name}: shells and dotenv readers do not agree on a value with such quotes; set it by hand")


def meaning(written: str) -> str:
    """The value that such a text stands for, as a shell reads it; one that is put together of several pieces is its text."""
    pattern = _QUOTED.get(written[:1])
    if pattern is None or not pattern.fullmatch(written):
        return written
    return written[1:-1] if written[0] == "'" else re.sub(r'\\([\\"$`])', r"\1", written[1:-1])


def _lines(text: str) -> list[_Line]:
    found = []
    at = 0
    while at < len(text):
        match = _ASSIGNMENT.match(text, at)
        if match:
            start, end = _value(text, match.end())
            head = at + len(match.group()) - len(match.group().lstrip(" \t"))
            found.append(_Line(match["name"], match["export"] is not None, head, start, end))
            at = end
        newline = text.find("\n", at)
        at = len(text) if newline < 0 else newline + 1
    return found


def _value(text: str, start: int) -> tuple[int, int]:
    """Where it begins and ends. start: of what follows the `=` and its blanks."""
    if text[start : start + 1] == "#" and text[start - 1] in " \t":  # no value, and a comment
        start = text.rindex("=", 0, start) + 1
        return start, start
    if text[start : start + 1] not in _QUOTED:
        found = _UNQUOTED.match(text, start)
        assert found is not None  # it may be empty
        return start, found.end()
    end = start
    while text[end : end + 1].strip():  # pieces without a blank between them are one value: 'it'\''s'
        end = _piece_end(text, end)
    return start, end


def _piece_end(text: str, start: int) -> int:
    pattern = _QUOTED.get(text[start])
    if pattern is None:
        return start + (2 if text[start] == "\\" and text[start + 1 : start + 2].strip() else 1)
    found = pattern.match(text, start)
    if found is None:
        line = text.count("\n", 0, start) + 1
        raise EditError("a quote is opened here and never closed", line, start - (text.rfind("\n", 0, start) + 1) + 1)
    return found.end()


def _appended(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text and not text.endswith("\n") else ""
    return f"{text}{gap}{line}{newline}"
