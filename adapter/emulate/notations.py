"""Calls in the notations that need no marks of their own: JSON, Python, a name with JSON behind it. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from adapter.emulate.heads import Heads, Verdict, skip
from adapter.emulate.loose import Loose, Unreadable, strict_value
from adapter.emulate.names import Names
from adapter.emulate.pieces import INSIDE_A_CALL, Call, Fault, FaultKind, Part
from adapter.emulate.shapes import calls_in, unknown_name

# Where it stopped, and what it found.
Found = tuple[int, list[Part]]
_MAX_CALLS = 64
_NAMED = re.compile(r"([A-Za-z_][\w.:/-]{0,140})(\(\))?\s*(?:\[CALL_ID\]\s*[\w-]{0,40}\s*)?(?:\[ARGS\])?\s*(?=\{)")
_PYTHON = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(print\(\s*)?([A-Za-z_][\w.:/-]{0,140}?)(?:\.call)?\(")
_PRINTED_NAME = re.compile(r"\s*print\(\s*[A-Za-z_]\w*\s*\)[ \t]*;?[ \t]*(?=\n|\Z)")
_PYTHON_KEY = re.compile(r"([^\W\d]\w*)\s*[=:]\s*")
_TAGGED_NAME = re.compile(r"[A-Za-z_][\w.:/-]{0,140}")
_TAGGED = re.compile(r"\s*<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_ESCAPED = re.compile(r'[{\[\s]+\\"')
OPENING = re.compile(r"\s*```[\w+-]{0,40}[ \t]*\n?")
_BETWEEN = re.compile(r"(?:\s|[,;]|#[^\n]*)*")
_PARTIAL = re.compile(r"[\"'](?:arguments|parameters|args)[\"']\s*:\s*(\{.*)", re.DOTALL)
_PARTIAL_NAME = re.compile(r"[\"'](?:name|tool|function)[\"']\s*:\s*[\"']([^\"']{1,140})[\"']")


class Notations:
    """Reads calls of one complete answer. cut: `max_tokens` ended it."""

    def __init__(self, text: str, names: Names, *, cut: bool) -> None:
        self._text = text
        self._names = names
        self._heads = Heads(names)
        self._cut = cut

    def read(self, at: int, limit: int, *, marked: bool) -> Found | None:
        """One call or several, in any notation that needs no marks of its own. limit: no call that cannot be read as strict
        JSON goes beyond it. marked: a mark says that this is a call."""
        parts: list[Part] = []
        end = at
        while len(parts) < _MAX_CALLS:
            begin = self._begin(end if not parts else _between(self._text, self.printed(end)))
            found = self._one(begin, max(limit, begin), marked=marked)
            if found is None:
                break
            end = found[0]
            parts += found[1]
            if any(isinstance(part, Fault) for part in found[1]):
                break
        return (end, parts) if parts else None

    def printed(self, end: int) -> int:
        """Pass over `print(result)` behind `result = call(...)`."""
        while (match := _PRINTED_NAME.match(self._text, end)) is not None:
            end = match.end()
        return end

    def _begin(self, at: int) -> int:
        opening = OPENING.match(self._text, at)
        at = skip(self._text, at if opening is None else opening.end())
        while self._text.startswith("#", at):
            line = self._text.find("\n", at)
            at = len(self._text) if line < 0 else skip(self._text, line)
        return at

    def _one(self, at: int, limit: int, *, marked: bool) -> Found | None:
        text = self._text
        if text.startswith("functools[", at):
            at += len("functools")
        if text.startswith("{", at) or (text.startswith("[", at) and text[skip(text, at + 1) :][:1] in ("{", "[")):
            return self._json(at, limit, marked=marked)
        if text.startswith("[", at):
            return self._python_list(at, limit, marked=marked)
        return self._named(at, limit) or self._arg_tags(at, limit) or self._python(at, limit, marked=marked)

    def _json(self, at: int, limit: int, *, marked: bool) -> Found | None:
        strict = strict_value(self._text, at)
        if strict is not None:
            parts = calls_in(strict[0], self._names, marked=marked)
            return None if parts is None else (strict[1], parts)
        loose = Loose(self._text, at, end=limit, close=not self._cut or limit < len(self._text))
        try:
            value = loose.value()
        except Unreadable as wrong:
            return self._unescaped(at, limit, marked) or self._broken(at, limit, wrong, marked=marked)
        parts = calls_in(value, self._names, marked=marked, repairs=tuple(loose.repairs))
        return None if parts is None else (loose.at, parts)

    def _unescaped(self, at: int, limit: int, marked: bool) -> Found | None:
        """An object that was escaped as a whole, as if it stood in a string."""
        if not _ESCAPED.match(self._text, at):
            return None
        loose = Loose(self._text[at:limit].replace('\\"', '"'), close=not self._cut)
        try:
            parts = calls_in(loose.value(), self._names, marked=marked, repairs=("escapes put right",))
        except Unreadable:
            return None
        return None if parts is None else (limit, parts)

    def _broken(self, at: int, limit: int, wrong: Unreadable, *, marked: bool) -> Found | None:
        begin = skip(self._text, at + (self._text[at] == "["))
        surely = marked or self._heads.object(self._text, begin) is Verdict.MAYBE
        named = _PARTIAL_NAME.search(self._text, at, limit)
        if not surely or (not marked and (named is None or named.group(1) not in self._names)):
            return None
        return self.fault(at, limit, wrong)

    def _named(self, at: int, limit: int) -> Found | None:
        """`now {"zone": "UTC"}`, with Mistral's marks between the two or without."""
        match = _NAMED.match(self._text, at)
        if match is None:
            return None
        name = self._names.resolve(match.group(1))
        strict = strict_value(self._text, match.end())
        loose = Loose(self._text, match.end(), end=None if strict else limit, close=not self._cut)
        try:
            value = loose.value()
        except Unreadable as wrong:
            return self.fault(at, limit, wrong)
        if name is None:
            return loose.at, [unknown_name(match.group(1), self._names, self._text[at : loose.at])]
        return loose.at, [Call(name, value, tuple(loose.repairs))]

    def _arg_tags(self, at: int, limit: int) -> Found | None:
        """GLM: the name, then `<arg_key>zone</arg_key><arg_value>UTC</arg_value>`; or the name alone, in a tag."""
        line = _TAGGED_NAME.match(self._text, at)
        name = None if line is None else self._names.resolve(line.group())
        if line is None or name is None:
            return None
        end, arguments = line.end(), {}
        while (match := _TAGGED.match(self._text, end, limit)) is not None:
            raw = match.group(2)
            whole = strict_value(raw)
            arguments[match.group(1).strip()] = whole[0] if whole is not None and whole[1] == len(raw) else raw
            end = match.end()
        alone = not arguments and self._text[end:limit].strip() == "" and limit < len(self._text)
        return (end, [Call(name, arguments)]) if arguments or alone else None

    def _python_list(self, at: int, limit: int, *, marked: bool) -> Found | None:
        begin, parts = skip(self._text, at + 1), list[Part]()
        while len(parts) < _MAX_CALLS:
            found = self._python(begin, limit, marked=marked)
            if found is None:
                return None
            raw = self._text[at : found[0]]
            parts += [replace(part, raw=raw) if isinstance(part, Fault) else part for part in found[1]]
            end = skip(self._text, found[0])
            if isinstance(found[1][-1], Fault) or end >= len(self._text):
                return end, parts
            if self._text[end] == "]":
                return end + 1, parts
            begin = _between(self._text, end)
        return None

    def _python(self, at: int, limit: int, *, marked: bool) -> Found | None:
        match = _PYTHON.match(self._text, at)
        if match is None:
            return None
        name = self._names.resolve(match.group(2))
        if name is None:
            if not marked:
                return None
            return limit, [unknown_name(match.group(2), self._names, self._text[at:limit])]
        loose = Loose(self._text, match.end(), close=False)
        try:
            arguments = _arguments(loose, list(self._names[name].properties))
        except Unreadable as wrong:
            return self.fault(at, limit, wrong)
        end = loose.at
        if match.group(1) and loose.take(")"):
            end = loose.at
        return end, [Call(name, arguments)]

    def fault(self, at: int, limit: int, wrong: Unreadable) -> Found:
        raw = self._text[at:limit]
        if self._cut and wrong.ran_out and limit == len(self._text):
            name, arguments = _PARTIAL_NAME.search(raw), _PARTIAL.search(raw)
            tool = None if name is None else self._names.resolve(name.group(1))
            partial = arguments.group(1) if arguments is not None and tool is not None else None
            return limit, [Fault(FaultKind.CUT, INSIDE_A_CALL, raw, tool, partial)]
        return limit, [Fault(FaultKind.BROKEN, f"a call cannot be read: {wrong.what}", raw)]


def _arguments(loose: Loose, names: list[str]) -> dict[str, Any]:
    """The arguments of a call in Python, up to and with its bracket. names: of those that come without."""
    found: dict[str, Any] = {}
    while not loose.take(")"):
        begin = loose.at
        key = _PYTHON_KEY.match(loose.text, begin)
        if key is not None:
            loose.at = key.end()
        value = loose.value()
        if key is None and isinstance(value, dict) and not found and set(value) <= set(names):
            found.update(value)  # all of them as one object
        elif key is not None:
            found[key.group(1)] = value
        else:
            free = [name for name in names if name not in found]
            if not free:
                raise Unreadable("there are more values than arguments", begin)
            found[free[0]] = value
        if not loose.take(",") and loose.peek() != ")":
            what = "something else than a comma or the end follows an argument"
            raise Unreadable(what, loose.at, ran_out=not loose.peek())
    return found


def _between(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()
