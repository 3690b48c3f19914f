"""Edits in a YAML text: only what changes is replaced, all else stays byte for byte. Pure.

ruamel.yaml says where each value stands and writes ours; what stands between the user's values is never written anew.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

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

# What readers of YAML 1.1 (PyYAML) and 1.2 both take for a string; anything else of ours is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_COMMENTS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*(?:#[^\n]*)?\Z")
_TAIL = re.compile(r"[ \t]*(?:#[^\r\n]*)?")


def edit_yaml(text: str, edits: Sequence[Put | PutEntries], head: str = "") -> str:
    """The text with the edits done. head: comment for a file with nothing in it yet. Raises `EditError`: broken, or not to be edited so."""
    before = MISSING if _COMMENTS.match(text) else loads(text)
    expected = applied(MISSING if before is None else before, edits)
    if before is MISSING or before is None:
        if before is None and text.replace("-", "").replace("null", "").replace("~", "").strip():
            raise EditError("there is nothing but an empty value in it; delete the file, or put the configuration in by hand")
        newline = "\r\n" if "\r\n" in text else "\n"
        start = "" if before is None else text + newline * (text != "" and not text.endswith("\n"))
        start += "".join(f"# {line}".rstrip() + newline for line in head.splitlines()) if not text.strip() else ""
        return start + render(expected).replace("\n", newline)
    new, fine = text, False
    with suppress(EditError, ValueError, StopIteration):  # what there is could be read, so it is our doing
        editor = _Editor(text)
        for edit in edits:
            new = editor.done(edit)
        fine = same(loads(new), expected)
    if not fine:
        raise EditError(UNUSUAL)
    return new


def loads(text: str) -> Any:
    """Raises `EditError` with line and column."""
    return _read(text, lambda yaml: yaml.load(text))


def render(value: Any) -> str:
    """As a block, its lines without indentation, each with its end."""
    yaml = _yaml("rt")
    yaml.width = 1 << 16
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_quoted(value), out)
    return out.getvalue().removesuffix("...\n")


def _yaml(kind: str) -> Any:
    from ruamel.yaml import YAML  # slow to import

    yaml = YAML(typ=kind, pure=True)
    yaml.allow_unicode = True
    return yaml


def _read(text: str, how: Callable[[Any], Any]) -> Any:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return how(_yaml("safe"))
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        why = " ".join(str(exc.problem or exc.context).split())
        if "expected a single document" in f"{exc.context}":
            why = "several documents are in this file"
        raise EditError(f"not valid YAML: {why}", mark.line + 1 if mark else 0, mark.column + 1 if mark else 0) from None
    except YAMLError as exc:
        raise EditError(f"not valid YAML: {' '.join(str(exc).split())[:200]}") from None
    except (ValueError, TypeError, AttributeError) as exc:  # a date that is none, a tag that nobody knows
        raise EditError(f"not valid YAML: {' '.join(str(exc).split())[:200]}") from None
    except RecursionError:
        raise EditError("nested too deeply to be read") from None


def _quoted(value: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if isinstance(value, dict):
        return {_quoted(key): _quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if not isinstance(value, str) or is_plain(value):
        return value
    if "\n" in value and all(line.isprintable() for line in value.split("\n")):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value)


def is_plain(text: str) -> bool:
    """Does every reader of YAML take it for this very string, without quotes?"""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


# --- where it is written ------------------------------------------------------------------------------------


class _Editor:
    """One edit of one text; several splices read it anew each. Nodes are ruamel's, with marks of where they begin and end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._composed: Any = None  # of this text: reading it takes long

    def done(self, edit: Put | PutEntries) -> str:
        match edit:
            case Put(path=path, value=value, absent_only=absent_only):
                self._put(path, plain(value), absent_only)
            case PutEntries():
                self._put_entries(edit)
        return self.text

    def _put(self, path: tuple[str, ...], value: Any, absent_only: bool = False) -> None:
        chain, found = self._walk(path)
        node = chain[-1]
        if found == len(path):
            if not absent_only:
                self._replace(path, node, value)
        elif self._value(node) is None:
            self._replace(path[:found], node, _nested(path[found:], value))
        elif node.id != "mapping":
            raise not_a_mapping(path[:found])
        else:
            self._insert(node, {path[found]: _nested(path[found + 1 :], value)})

    def _put_entries(self, edit: PutEntries) -> None:
        fresh = [*plain(edit.entries)]
        chain, found = self._walk(edit.path)
        if found < len(edit.path) or self._value(chain[-1]) is None:
            self._put(edit.path, fresh)
            return
        if chain[-1].id != "sequence":
            raise not_a_list(edit.path)
        slots = [index for index, item in enumerate(chain[-1].value) if is_ours(edit, self._value(item))]
        for index in reversed(slots[len(fresh) :]):
            self._delete(self._walk(edit.path)[0][-1], index)
        node = self._walk(edit.path)[0][-1]
        renewed = [*zip(slots, fresh, strict=False)]
        flow = bool(renewed) and self._inside_flow(node.value[slots[0]])
        for index, value in reversed(renewed):  # so that the places of those before stay right
            self._replace_item(node.value[index], value, flow=flow)
        rest = fresh[len(slots) :]
        node = self._walk(edit.path)[0][-1]
        if rest and not node.value:
            self._replace(edit.path, node, rest)
        elif rest:
            self._insert(node, rest)

    def _walk(self, path: tuple[str, ...]) -> tuple[list[Any], int]:
        """As far along the path as there is something: the nodes, the root first, and how many keys led to them."""
        from ruamel.yaml.nodes import ScalarNode

        chain = [self._root()]
        for key in path:
            pairs = chain[-1].value if chain[-1].id == "mapping" else []
            node = next((value for name, value in reversed(pairs) if isinstance(name, ScalarNode) and name.value == key), None)
            if node is None:
                break
            chain.append(node)
        return chain, len(chain) - 1

    def _root(self) -> Any:
        if self._composed is None:
            self._composed = _read(self.text, lambda yaml: yaml.compose(self.text))
        return self._composed

    def _value(self, node: Any) -> Any:
        if "<<" in self.text:  # what is merged in is put among the node's own entries
            self._composed = None
        return _read(self.text, lambda yaml: yaml.constructor.construct_document(node))

    # --- splices --------------------------------------------------------------------------------------------

    def _splice(self, start: int, end: int, new: str) -> None:
        self.text = self.text[:start] + new + self.text[end:]
        self._composed = None

    def _replace_item(self, node: Any, value: Any, *, flow: bool) -> None:
        """Of a list. flow: it stands within brackets."""
        if same(self._value(node), value):
            return
        start, end = node.start_mark.index, self._end(node)
        column = start - (self.text.rfind("\n", 0, start) + 1)
        on_a_line = flow or not isinstance(value, dict | list)
        self._splice(start, end, _flow(value) if on_a_line else self._block(value, column).strip())

    def _replace(self, path: tuple[str, ...], node: Any, value: Any) -> None:
        """The value of a key, or all there is (no path)."""
        if same(self._value(node), value):
            return
        start, end = node.start_mark.index, self._end(node)
        if not path:
            self._splice(start, end, self._block(value, 0).rstrip())
            return
        key = self._key(path)
        behind = self.text.index(":", key.end_mark.index) + 1
        empty = start == end  # `key:`, whose value has its mark anywhere up to the next thing
        if self._inside_flow(node) or not isinstance(value, dict | list) or not value:
            own_line = not empty and "\n" in self.text[behind:start] and "#" not in self.text[behind:start]
            start, end = (behind, end) if own_line else (behind, behind) if empty else (start, end)
            self._splice(start, end, f"{' ' * (start == behind)}{_flow(value)}")
            return
        end = behind if empty else end
        tail = _TAIL.match(self.text, end) if empty or node.id == "scalar" or node.flow_style else None
        comment = tail.group().rstrip() if tail else ""
        after = tail.end() if tail else end
        self._splice(behind, after, f"{comment}{self.newline}{self._block(value, key.start_mark.column + 2).rstrip()}")

    def _insert(self, node: Any, value: Any) -> None:
        """The entries of `value`, a mapping or a list as `node` is, behind its last one."""
        if node.flow_style and not node.value:
            self._splice(node.start_mark.index, node.end_mark.index, _flow(value))
            return
        if node.flow_style:
            last = node.value[-1][1] if node.id == "mapping" else node.value[-1]
            at = self._end(last)
            self._splice(at, at, f", {_flow(value)[1:-1]}")
            return
        at = self._line_end(self._end(node))
        gap = "" if at == 0 or self.text[at - 1] == "\n" else self.newline
        self._splice(at, at, gap + self._block(value, self._first_column(node)))

    def _delete(self, node: Any, index: int) -> None:
        """An item of a list."""
        item = node.value[index]
        start, end = item.start_mark.index, self._end(item)
        if len(node.value) == 1:
            self._splice(node.start_mark.index, self._end(node), "[]")
            return
        if node.flow_style:
            if index:
                self._splice(self._end(node.value[index - 1]), end, "")
            else:
                self._splice(start, node.value[1].start_mark.index, "")
            return
        dash = self.text.rfind("-", 0, start)
        line = self.text.rfind("\n", 0, dash) + 1
        self._splice(line, self._line_end(end), "")

    # --- the file's own ways --------------------------------------------------------------------------------

    def _end(self, node: Any) -> int:
        """Where the last thing in it ends: a block's own end is where the next thing begins, comments between included."""
        if node.id == "scalar" or node.flow_style or not node.value:
            at = int(node.end_mark.index)
            return at if node.id != "scalar" or node.style not in ("|", ">") else len(self.text[:at].rstrip("\r\n \t"))
        key, last = node.value[-1] if node.id == "mapping" else (None, node.value[-1])
        if last.start_mark.index < last.end_mark.index:
            return self._end(last)
        # An empty value has its mark anywhere up to the next thing.
        return self.text.index(":", key.end_mark.index) + 1 if key else self.text.rindex("-", 0, last.start_mark.index) + 1

    def _line_end(self, at: int) -> int:
        """Behind the line break of this line."""
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def _first_column(self, node: Any) -> int:
        """Of a block's entries: of their keys, or of their dashes."""
        if node.id == "mapping":
            return int(node.value[0][0].start_mark.column)
        start = node.value[0].start_mark.index
        dash = self.text.rfind("-", 0, start) if self.text[start : start + 1] != "-" else start
        dash = node.start_mark.index if self.text[node.start_mark.index : node.start_mark.index + 1] == "-" else dash
        return int(dash - (self.text.rfind("\n", 0, dash) + 1))

    def _key(self, path: tuple[str, ...]) -> Any:
        chain, _ = self._walk(path)
        return next(name for name, value in chain[-2].value if value is chain[-1])

    def _inside_flow(self, node: Any) -> bool:
        """Does it stand within brackets, where there are no blocks?"""
        pending = [self._root()]
        while pending:
            one = pending.pop()
            if one.id == "scalar":
                continue
            children = [child for pair in one.value for child in pair] if one.id == "mapping" else [*one.value]
            if one.flow_style and one.start_mark.index < node.start_mark.index < one.end_mark.index:
                return True
            pending += children
        return False

    def _block(self, value: Any, column: int) -> str:
        """The lines of a mapping or a list, indented."""
        block = "".join(map(_dashed, value)) if isinstance(value, list) else render(value)
        return "".join(f"{' ' * column if line else ''}{line}{self.newline}" for line in block.splitlines())


def _dashed(item: Any) -> str:
    lines = render(item).splitlines() if item and isinstance(item, dict) else [_flow(item)]
    return "".join(f"{'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines))


def _flow(value: Any) -> str:
    """On one line: JSON is YAML too. Strings without quotes where they need none."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str) and is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value
