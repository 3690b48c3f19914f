"""A connection as lines for a person, and as data for programs; keys shortened unless asked for. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from adapter.connect.edits import edited, is_private
from adapter.connect.parts import (
    Connection,
    Default,
    Document,
    EnvFile,
    Generate,
    Part,
    Put,
    PutEntries,
    Secret,
    Snippet,
)
from adapter.connect.values import MISSING, applied, mask, masked, plain

INDENT = "    "
# Shorter ones of nothing but letters are no keys but words like `none`, which stand in every text.
SHORTEST_KEY = 12
# A secret that is the client's own.
TO_BE_MADE = "(made by --write, where there is none yet)"


def lines(connection: Connection, *, key: str, show_key: bool, snippets_only: bool = False, width: int = 80) -> Iterator[str]:
    """key: the client's, to be shortened in texts too. snippets_only: the files have been written, so that they need not be shown."""
    for part in connection.parts:
        if isinstance(part, Snippet) or not snippets_only:
            yield from _titled(part)
            yield from (INDENT + line if line else "" for line in content(part, key=key, show_key=show_key).splitlines())
            yield ""
    for note in connection.notes:
        yield from note_lines(hide(note, key, show_key=show_key), width)


def note_lines(note: str, width: int) -> list[str]:
    return [
        line
        for number, paragraph in enumerate(note.splitlines())
        for line in textwrap.wrap(
            paragraph, width, initial_indent="- " if number == 0 else "  ", subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
        )
    ]


def _titled(part: Part) -> Iterator[str]:
    match part:
        case Snippet(title=title):
            yield f"{title}:"
        case _:
            private = ", which is made private (mode 0600)" if is_private(part) else ""
            yield f"In {part.path}{private}:"


def content(part: Part, *, key: str, show_key: bool) -> str:
    """Our part of the file as its text, or the snippet."""
    tell = plain if show_key else masked
    match part:
        case Snippet(text=text):
            return hide(text, key, show_key=show_key)
        case EnvFile(variables=variables, export=export):
            shown = [(name, _told(value, tell)) for name, value in variables]
            return "\n".join(f"{'export ' * export}{name}={TO_BE_MADE if value is None else value}" for name, value in shown)
        case Document(path=path, syntax=syntax, edits=edits):
            told = tuple(_retold(edit, tell) for edit in edits)
            text = edited(Document(path, syntax, told), "", lambda secret: TO_BE_MADE)
            return hide(text, key, show_key=show_key)


def _told(value: str | Secret | Generate | Default, tell: Callable[[Any], Any]) -> str | None:
    """`None`: it is made when it is written."""
    match value:
        case Generate():
            return None
        case Default(value=text):
            return text
        case _:
            return str(tell(value))


def _retold(edit: Put | PutEntries, tell: Callable[[Any], Any]) -> Put | PutEntries:
    return replace(edit, value=tell(edit.value)) if isinstance(edit, Put) else replace(edit, entries=tuple(tell(edit.entries)))


def hide(text: str, key: str, *, show_key: bool) -> str:
    return text if show_key or (len(key) < SHORTEST_KEY and (key.isalpha() or not key)) else text.replace(key, mask(key))


def for_programs(connection: Connection, *, key: str, show_key: bool) -> dict[str, Any]:
    return {
        "parts": [_part(part, key=key, show_key=show_key) for part in connection.parts],
        "notes": [hide(note, key, show_key=show_key) for note in connection.notes],
    }


def _part(part: Part, *, key: str, show_key: bool) -> dict[str, Any]:
    tell = plain if show_key else masked
    match part:
        case Snippet(title=title, language=language, text=text):
            return {"kind": "snippet", "title": title, "language": language, "text": hide(text, key, show_key=show_key)}
        case EnvFile(path=path, variables=variables, export=export):
            return {
                "kind": "variables", "path": str(path), "private": is_private(part), "export": export,
                "variables": {name: _told(value, tell) for name, value in variables},
            }  # fmt: skip
        case Document(path=path, syntax=syntax, edits=edits):
            told = tuple(_retold(edit, tell) for edit in edits)
            return {"kind": "document", "path": str(path), "syntax": syntax, "private": is_private(part), "content": applied(MISSING, told)}
