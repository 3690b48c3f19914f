"""Edits in a JSON or JSON5 text: only what changes is replaced, all else stays byte for byte. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from adapter.connect.json5_text import Entry, Node, is_blank, parse
from adapter.connect.parts import Put, PutEntries
from adapter.connect.values import (
    MISSING,
    UNUSUAL,
    EditError,
    applied,
    is_ours,
    not_a_list,
    not_a_mapping,
    plain,
    same,
)

Syntax = Literal["json", "json5"]

_BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
# The rest of a line behind a value, if nothing but comments are on it.
_TAIL = re.compile(r"(?:[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/))*")
# A list of plain values stays on one line up to here.
ONE_LINE_CHARS = 72


def edit_json(text: str, edits: Sequence[Put | PutEntries], syntax: Syntax, head: str = "") -> str:
    """The text with the edits done. head: comment for a file with nothing in it yet. Raises `EditError`: broken, or not to be edited so."""
    before = MISSING if is_blank(text) else loads(text, syntax)
    expected = applied(before, edits)
    if before is MISSING:
        newline = newline_of(text)
        start = text + newline * (text != "" and not text.endswith("\n"))
        if syntax == "json5" and head and not text.strip():
            start += "".join(f"// {line}".rstrip() + newline for line in head.splitlines())
        style = Style(newline, "  ", bare=syntax == "json5")
        return start + style.render(expected, "") + newline
    new, fine = text, False
    with suppress(EditError):  # what there is could be read, so it is our doing
        for edit in edits:
            new = _Editor(new, syntax).done(edit)
        fine = same(loads(new, syntax), expected)
    if not fine:
        raise EditError(UNUSUAL)
    return new


def loads(text: str, syntax: Syntax) -> Any:
    """Raises `EditError` with line and column."""
    parse(text)  # its errors know their place
    try:
        if syntax == "json":
            return json.loads(text)
        with suppress(json.JSONDecodeError):  # most of these files are plain JSON, and 64 kB of it take the other library seconds
            return json.loads(text)
        import json5

        return json5.loads(text)
    except json.JSONDecodeError as exc:
        raise EditError(f"{exc.msg}; this file must be plain JSON, without comments and the like", exc.lineno, exc.colno) from None
    except ValueError as exc:
        raise EditError(f"not valid JSON5: {exc}") from None
    except RecursionError:
        raise EditError("nested too deeply to be read") from None


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# --- what is written ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Style:
    """bare: keys without quotes where they may be."""

    newline: str
    unit: str
    bare: bool

    def key(self, key: str) -> str:
        return key if self.bare and _BARE.fullmatch(key) else _dumps(key)

    def render(self, value: Any, indent: str | None) -> str:
        """indent: of the line that the value begins on; `None`: all on one line."""
        if isinstance(value, dict):
            return self._around("{", [f"{self.key(key)}: {self.render(item, self._deeper(indent))}" for key, item in value.items()], "}", indent)
        if isinstance(value, list):
            flat = f"[{', '.join(map(_dumps, value))}]" if not any(isinstance(item, dict | list) for item in value) else ""
            if flat and len(flat) <= ONE_LINE_CHARS:
                return flat
            return self._around("[", [self.render(item, self._deeper(indent)) for item in value], "]", indent)
        return _dumps(value)

    def _deeper(self, indent: str | None) -> str | None:
        return None if indent is None else indent + self.unit

    def _around(self, opening: str, items: list[str], closing: str, indent: str | None) -> str:
        if not items:
            return opening + closing
        if indent is None:
            return f"{opening}{', '.join(items)}{closing}"
        inside = f",{self.newline}".join(f"{indent}{self.unit}{item}" for item in items)
        return f"{opening}{self.newline}{inside}{self.newline}{indent}{closing}"


def _dumps(value: Any) -> str:
    # These two end a line in JSON5's eyes.
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# --- where it is written ------------------------------------------------------------------------------------


class _Editor:
    """One edit of one text; several splices read it anew each."""

    def __init__(self, text: str, syntax: Syntax) -> None:
        self.text = text
        self.syntax: Syntax = syntax

    def done(self, edit: Put | PutEntries) -> str:
        match edit:
            case Put(path=path, value=value, absent_only=absent_only):
                self._put(path, plain(value), absent_only)
            case PutEntries():
                self._put_entries(edit)
        return self.text

    def _put(self, path: tuple[str, ...], value: Any, absent_only: bool = False) -> None:
        chain, found = self._walk(path)
        container = chain[-1]
        if len(found) == len(path):
            if not absent_only:
                self._replace(chain[-2] if len(chain) > 1 else None, found[-1] if found else None, container, value)
            return
        if self._is_null(container):
            nested = _nested(path[len(found) :], value)
            self._replace(chain[-2] if len(chain) > 1 else None, found[-1] if found else None, container, nested)
            return
        if container.kind != "object":
            raise not_a_mapping(path[: len(found)])
        style = self._style(container)
        key, nested = path[len(found)], _nested(path[len(found) + 1 :], value)
        self._insert(container, style, lambda indent: f"{style.key(key)}: {style.render(nested, indent)}")

    def _put_entries(self, edit: PutEntries) -> None:
        fresh = [*plain(edit.entries)]
        chain, found = self._walk(edit.path)
        if len(found) < len(edit.path) or self._is_null(chain[-1]):
            self._put(edit.path, fresh)
            return
        if chain[-1].kind != "list":
            raise not_a_list(edit.path)
        items = chain[-1].entries
        slots = [index for index, item in enumerate(items) if is_ours(edit, self._value(item.value))]
        for index in reversed(slots[len(fresh) :]):
            self._delete(self._list(edit.path), index)
        for index, value in zip(slots, fresh, strict=False):
            node = self._list(edit.path)
            self._replace(node, node.entries[index], node.entries[index].value, value)
        for value in fresh[len(slots) :]:
            node = self._list(edit.path)
            style = self._style(node)
            self._insert(node, style, lambda indent, value=value, style=style: style.render(value, indent))

    def _list(self, path: tuple[str, ...]) -> Node:
        return self._walk(path)[0][-1]

    def _walk(self, path: tuple[str, ...]) -> tuple[list[Node], list[Entry]]:
        """As far along the path as there is something: the values, the root first, and the entries that led to them."""
        chain, found = [parse(self.text)], list[Entry]()
        for key in path:
            # Of a key that is there twice the last one counts.
            entry = next((one for one in reversed(chain[-1].entries) if chain[-1].kind == "object" and self._key(one) == key), None)
            if entry is None:
                break
            chain.append(entry.value)
            found.append(entry)
        return chain, found

    def _key(self, entry: Entry) -> str:
        quoted = entry.key[0] in "\"'"
        if "\\" in entry.key:
            return str(loads(entry.key if quoted else f'"{entry.key}"', "json5"))
        return entry.key[1:-1] if quoted else entry.key

    def _value(self, node: Node) -> Any:
        return loads(self.text[node.start : node.end], self.syntax)

    def _is_null(self, node: Node) -> bool:
        return self.text[node.start : node.end] == "null"

    # --- splices --------------------------------------------------------------------------------------------

    def _splice(self, start: int, end: int, new: str) -> None:
        self.text = self.text[:start] + new + self.text[end:]

    def _replace(self, container: Node | None, entry: Entry | None, node: Node, value: Any) -> None:
        if same(self._value(node), value):
            return
        inline = container is not None and self._is_inline(container)
        indent = None if inline else self._indent_at(entry.start if entry else node.start)
        self._splice(node.start, node.end, self._style(node, container).render(value, indent))

    def _insert(self, node: Node, style: Style, render: Any) -> None:
        if not node.entries:
            self._insert_first(node, style, render)
        elif self._is_inline(node):
            last = node.entries[-1]
            at = last.value.end if last.comma is None else last.comma + 1
            self._splice(at, at, f"{',' if last.comma is None else ''} {render(None)}{'' if last.comma is None else ','}")
        else:
            self._insert_last(node, style, render)

    def _insert_last(self, node: Node, style: Style, render: Any) -> None:
        last = node.entries[-1]
        indent = self._own_indent(last) or self._own_indent(node.entries[0])
        if indent is None:
            indent = self._indent_at(node.start) + style.unit
        behind = last.value.end if last.comma is None else last.comma + 1
        tail = _TAIL.match(self.text, behind)
        at = tail.end() if tail else behind
        self._splice(at, at, f"{style.newline}{indent}{render(indent)}{',' * (last.comma is not None)}")
        if last.comma is None:
            self._splice(last.value.end, last.value.end, ",")

    def _insert_first(self, node: Node, style: Style, render: Any) -> None:
        base = self._indent_at(node.start)
        indent = base + style.unit
        new = f"{indent}{render(indent)}{style.newline}"
        inside = self.text[node.start + 1 : node.end - 1]
        if not inside.strip():
            self._splice(node.start + 1, node.end - 1, f"{style.newline}{new}{base}")
            return
        before = self.text[: node.end - 1].rstrip(" \t")  # there are comments in it
        if before.endswith("\n"):
            self._splice(len(before), len(before), new)
        else:
            self._splice(node.end - 1, node.end - 1, f"{style.newline}{new}{base}")

    def _delete(self, node: Node, index: int) -> None:
        entry = node.entries[index]
        start, end = entry.start, entry.value.end if entry.comma is None else entry.comma + 1
        tail = _TAIL.match(self.text, end)
        line = self.text.rfind("\n", 0, start) + 1
        if not self.text[line:start].strip() and line > node.start:
            rest = re.compile(r"[ \t]*\r?\n").match(self.text, tail.end() if tail else end)
            if rest:
                start, end = line, rest.end()
        elif entry.comma is not None:
            while self.text[end : end + 1] == " ":
                end += 1
        previous = node.entries[index - 1] if index else None
        if entry.comma is None and previous is not None and previous.comma is not None and not self.text[previous.comma + 1 : start].strip(" \t"):
            start = previous.comma + 1
        self._splice(start, end, "")
        if entry.comma is None and previous is not None and previous.comma is not None:
            self._splice(previous.comma, previous.comma + 1, "")

    # --- the file's own ways --------------------------------------------------------------------------------

    def _is_inline(self, node: Node) -> bool:
        """Are its entries on the line that it begins on?"""
        return bool(node.entries) and "\n" not in self.text[node.start : node.entries[0].start]

    def _indent_at(self, at: int) -> str:
        """The blanks that the line of this place begins with."""
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))].lstrip("\ufeff")

    def _own_indent(self, entry: Entry) -> str | None:
        """The entry's indentation, if it is the first thing on its line."""
        line = self.text[self.text.rfind("\n", 0, entry.start) + 1 : entry.start]
        return None if line.strip(" \t") else line

    def _style(self, node: Node, container: Node | None = None) -> Style:
        root = parse(self.text)
        own = self._own_indent(root.entries[0]) if root.entries and not self._is_inline(root) else None
        siblings = next((n.entries for n in (node, container, root) if n is not None and n.kind == "object" and n.entries), [])
        quoted = any(entry.key[:1] in ("'", '"') for entry in siblings)
        return Style(newline_of(self.text), own or "  ", bare=self.syntax == "json5" and not quoted)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value

