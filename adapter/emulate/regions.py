"""A call in a complete answer, read from where it begins. Pure.

Each reader returns where it stopped and what it found, or `None`: then what stands there is text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapter.calls.families import DEEPSEEK as DEEPSEEK_FAMILY
from adapter.calls.family import CallForm
from adapter.calls.gemma4 import Gemma4Calls
from adapter.calls.json_text import NotJson, parse_object
from adapter.calls.output import CallArguments, CallBegun, CallEnded, Piece
from adapter.calls.reader import Cursor
from adapter.calls.xml_calls import XmlCalls
from adapter.emulate.loose import Loose, Unreadable, strict_value
from adapter.emulate.names import Names
from adapter.emulate.pieces import Call, Fault, FaultKind, Part
from adapter.emulate.shapes import as_arguments, calls_in, unknown_name
from adapter.emulate.starts import (
    ACTION,
    ATTRIBUTE,
    CALL_LANGUAGES,
    DEEPSEEK,
    FENCE,
    FORMS,
    TAGS,
    XML,
    Starts,
    Verdict,
)

Found = tuple[int, list[Part]]
_MAX_CALLS = 64
_NAMED = re.compile(r"([A-Za-z_][\w.:/-]{0,140})(\(\))?\s*(?:\[CALL_ID\]\s*[\w-]{0,40}\s*)?(?:\[ARGS\])?\s*(?=\{)")
_PYTHON = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(print\(\s*)?([A-Za-z_][\w.:/-]{0,140}?)(?:\.call)?\(")
_ARG = re.compile(r"\s*<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_CLOSING = re.compile(r"[\s}\])>,;]*```")
_OPENING = re.compile(r"\s*```[\w+-]{0,40}[ \t]*\n?")
_LEFT_OVER = re.compile(r"[\s}\])>,;]*")
_END_MARKS = ("<|im_end|>", "<|eom_id|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>")
_INPUT = re.compile(r"\s*\**Action Input:\**[ \t]*")
_PRINTED_NAME = re.compile(r"\s*print\(\s*[A-Za-z_]\w*\s*\)[ \t]*;?[ \t]*(?=\n|\Z)")
_BETWEEN = re.compile(r"(?:\s|[,;]|#[^\n]*)*")
_PARTIAL = re.compile(r"[\"'](?:arguments|parameters|args)[\"']\s*:\s*(\{.*)", re.DOTALL)
_PARTIAL_NAME = re.compile(r"[\"'](?:name|tool|function)[\"']\s*:\s*[\"']([^\"']{1,140})[\"']")


class Regions:
    """Reads the calls of one complete answer. cut: `max_tokens` ended it."""

    def __init__(self, text: str, names: Names, starts: Starts, *, cut: bool) -> None:
        self._text = text
        self._names = names
        self._starts = starts
        self._cut = cut

    def read(self, at: int) -> Found | None:
        """What begins at `at`, where the starts say that it may be a call."""
        text = self._text
        if text.startswith(FENCE, at):
            return self._fence(at)
        for tag, close in TAGS.items():
            if text.startswith(tag, at):
                return self._tagged(at, at + len(tag) - (tag == "functools["), tag, close)
        if text.startswith(FORMS, at):
            return self._form(at)
        if text.startswith(ACTION, at):
            return self._action(at)
        return self._bare(at)

    # --- what stands around calls ----------------------------------------------------------------------------

    def _tagged(self, at: int, begin: int, tag: str, close: str) -> Found | None:
        limit = self._limit(begin, tag, close)
        if self._text.startswith(XML, _skipped(self._text, begin)):
            found = self._form(_skipped(self._text, begin))
        else:
            found = self._payload(begin, limit, marked=True)
        if found is None:
            if self._cut and not self._text[begin:].strip():
                return len(self._text), [Fault(FaultKind.CUT, "max_tokens ended the answer inside a call", self._text[at:])]
            return None
        end, parts = found
        if _OPENING.match(self._text, begin) and (fence := _CLOSING.match(self._text, end)):
            end = fence.end()
        left = _LEFT_OVER.match(self._text, end)
        closers = tuple(one for one in (close, *(tag,) * (tag == "<tool_call>")) if one)
        behind = end if left is None else left.end()
        for closer in closers:
            # The opening mark closes only where nothing follows: else it opens the next call.
            if self._text.startswith(closer, behind) and (closer == close or not self._text[behind + len(tag) :].strip()):
                return behind + len(closer), parts
        if behind >= len(self._text):
            return behind, parts
        return end, parts

    def _limit(self, begin: int, tag: str, close: str) -> int:
        """Where the text of a call that cannot be read ends at the latest."""
        ends = [self._text.find(mark, begin) for mark in (close, tag) if mark]
        return min([end for end in ends if end >= 0], default=len(self._text))

    def _fence(self, at: int) -> Found | None:
        opening = _OPENING.match(self._text, at)
        assert opening is not None
        language = opening.group().strip().removeprefix(FENCE).lower()
        begin = opening.end()
        closing = _fence_end(self._text, begin)
        inside = _skipped(self._text, begin)
        if self._text.startswith((*TAGS, *FORMS), inside):
            found = self.read(inside)
        else:
            found = self._payload(begin, closing, marked=language in CALL_LANGUAGES, sure=True)
        if found is None or any(isinstance(part, Fault) for part in found[1]):
            return found
        end = self._printed(found[0])
        left = _LEFT_OVER.match(self._text, end)
        behind = end if left is None else left.end()
        if self._text.startswith(FENCE, behind):
            return behind + len(FENCE), found[1]
        if behind >= len(self._text):
            return behind, found[1]
        # A program, or an example with more in it.
        return self._fault(at, closing, Unreadable("the block holds something else than calls", end)) if language in CALL_LANGUAGES else None

    def _printed(self, end: int) -> int:
        """Pass over `print(result)` behind `result = call(...)`."""
        while (match := _PRINTED_NAME.match(self._text, end)) is not None:
            end = match.end()
        return end

    def _bare(self, at: int) -> Found | None:
        python = self._text[at] not in "{["
        found = self._payload(at, len(self._text), marked=False)
        if found is None or not python:
            return found
        rest = self._text[found[0] :].partition("\n")[0]
        return found if not rest.strip(" \t;,") or isinstance(found[1][-1], Fault) else None

    def _action(self, at: int) -> Found | None:
        """`Action: now` and on the next line `Action Input: {...}`."""
        line_end = self._text.find("\n", at)
        line_end = len(self._text) if line_end < 0 else line_end
        begin = at + len(ACTION)
        line = self._text[begin:line_end].strip(" *`\"'")
        if not line:
            begin = _skipped(self._text, begin)
            return self._fence(begin) if self._text.startswith(FENCE, begin) else self._payload(begin, len(self._text), marked=True)
        if "(" in line:
            return self._payload(begin, len(self._text), marked=True)
        told = _INPUT.match(self._text, line_end)
        name = self._names.resolve(line)
        if name is None:
            return len(self._text), [unknown_name(line, self._names, self._text[at:])]
        if told is None:
            return max(line_end, begin), [Call(name, {})]
        return self._action_input(at, told.end(), name)

    def _action_input(self, at: int, begin: int, name: str) -> Found:
        opening = _OPENING.match(self._text, begin)
        inside = _skipped(self._text, begin if opening is None else opening.end())
        if self._text[inside : inside + 1] in ("{", "["):
            loose = Loose(self._text, inside, close=not self._cut)
            try:
                value = loose.value()
            except Unreadable as wrong:
                return self._fault(at, len(self._text), wrong)
            end = loose.at
            if opening is not None and (close := re.compile(r"\s*```").match(self._text, end)):
                end = close.end()
            return end, [Call(name, value, tuple(loose.repairs))]
        line_end = self._text.find("\n", begin)
        end = len(self._text) if line_end < 0 else line_end
        value = self._text[begin:end].strip().strip("\"'`")
        return end, [Call(name, as_arguments(value, self._names[name]))]

    # --- calls ------------------------------------------------------------------------------------------------

    def _payload(self, at: int, limit: int, *, marked: bool, sure: bool = False) -> Found | None:
        """One call or several, in any notation that needs no marks of its own. limit: no call that cannot be read as strict
        JSON goes beyond it. marked: a mark says that this is a call. sure: an end may be missing although more text follows."""
        parts: list[Part] = []
        end = at
        while len(parts) < _MAX_CALLS:
            begin = self._begin(end if not parts else _between(self._text, self._printed(end)))
            found = self._one(begin, max(limit, begin), marked=marked, first=not parts, sure=sure)
            if found is None:
                break
            end = found[0]
            parts += found[1]
            if any(isinstance(part, Fault) for part in found[1]):
                break
        return (end, parts) if parts else None

    def _begin(self, at: int) -> int:
        opening = _OPENING.match(self._text, at)
        at = _skipped(self._text, at if opening is None else opening.end())
        while self._text.startswith("#", at):
            line = self._text.find("\n", at)
            at = len(self._text) if line < 0 else _skipped(self._text, line)
        return at

    def _one(self, at: int, limit: int, *, marked: bool, first: bool, sure: bool) -> Found | None:
        text = self._text
        if text.startswith("functools[", at):
            at += len("functools")
        if text.startswith("{", at) or (text.startswith("[", at) and text[_skipped(text, at + 1) :][:1] in ("{", "[")):
            return self._json(at, limit, marked=marked, first=first, sure=sure)
        if text.startswith("[", at):
            return self._python_list(at, limit, marked=marked)
        return self._named(at, limit) or self._arg_tags(at, limit) or self._python(at, limit, marked=marked)

    def _json(self, at: int, limit: int, *, marked: bool, first: bool, sure: bool) -> Found | None:
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
        if not re.compile(r'[{\[\s]+\\"').match(self._text, at):
            return None
        loose = Loose(self._text[at:limit].replace('\\"', '"'), close=not self._cut)
        try:
            parts = calls_in(loose.value(), self._names, marked=marked, repairs=("escapes put right",))
        except Unreadable:
            return None
        return None if parts is None else (limit, parts)

    def _broken(self, at: int, limit: int, wrong: Unreadable, *, marked: bool) -> Found | None:
        surely = marked or self._starts.object(self._text, _skipped(self._text, at + (self._text[at] == "["))) is Verdict.MAYBE
        named = _PARTIAL_NAME.search(self._text, at, limit)
        if not surely or (not marked and (named is None or named.group(1) not in self._names)):
            return None
        return self._fault(at, limit, wrong)

    def _fault(self, at: int, limit: int, wrong: Unreadable) -> Found:
        raw = self._text[at:limit]
        if self._cut and wrong.ran_out and limit == len(self._text):
            name, arguments = _PARTIAL_NAME.search(raw), _PARTIAL.search(raw)
            tool = None if name is None else self._names.resolve(name.group(1))
            partial = arguments.group(1) if arguments is not None and tool is not None else None
            return limit, [Fault(FaultKind.CUT, "max_tokens ended the answer inside a call", raw, tool, partial)]
        return limit, [Fault(FaultKind.BROKEN, f"a call cannot be read: {wrong.what}", raw)]

    def _named(self, at: int, limit: int) -> Found | None:
        """`now {"zone": "UTC"}`, with Mistral's marks between the two or without."""
        match = _NAMED.match(self._text, at)
        if match is None:
            return None
        name = self._names.resolve(match.group(1))
        loose = Loose(self._text, match.end(), end=None if strict_value(self._text, match.end()) else limit, close=not self._cut)
        try:
            value = loose.value()
        except Unreadable as wrong:
            return self._fault(at, limit, wrong)
        raw = self._text[at : loose.at]
        return loose.at, [unknown_name(match.group(1), self._names, raw) if name is None else Call(name, value, tuple(loose.repairs))]

    def _arg_tags(self, at: int, limit: int) -> Found | None:
        """GLM: the name, then `<arg_key>zone</arg_key><arg_value>UTC</arg_value>`; or the name alone, in a tag."""
        line = re.compile(r"[A-Za-z_][\w.:/-]{0,140}").match(self._text, at)
        name = None if line is None else self._names.resolve(line.group())
        if line is None or name is None:
            return None
        end, arguments = line.end(), {}
        while (match := _ARG.match(self._text, end, limit)) is not None:
            raw = match.group(2)
            whole = strict_value(raw)
            arguments[match.group(1).strip()] = whole[0] if whole is not None and whole[1] == len(raw) else raw
            end = match.end()
        alone = not arguments and self._text[end:limit].strip() == "" and limit < len(self._text)
        return (end, [Call(name, arguments)]) if arguments or alone else None

    def _python_list(self, at: int, limit: int, *, marked: bool) -> Found | None:
        begin, parts = _skipped(self._text, at + 1), list[Part]()
        while len(parts) < _MAX_CALLS:
            found = self._python(begin, limit, marked=marked)
            if found is None:
                return None
            parts += [replace(part, raw=self._text[at : found[0]]) if isinstance(part, Fault) else part for part in found[1]]
            end = _skipped(self._text, found[0])
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
            return self._fault(at, limit, wrong)
        end = loose.at
        if match.group(1) and loose.take(")"):
            end = loose.at
        return end, [Call(name, arguments)]

    # --- forms that `adapter.calls` reads ------------------------------------------------------------------------

    def _form(self, at: int) -> Found | None:
        text = self._text
        if text.startswith(ATTRIBUTE, at) or (text.startswith(XML, at) and re.compile(r"<function=[^>]*>\s*\{").match(text, at)):
            return self._function_tag(at)
        forms: Sequence[CallForm] = (XmlCalls(),) if text.startswith(XML, at) else (Gemma4Calls(),)
        if text.startswith(DEEPSEEK, at):
            forms = DEEPSEEK_FAMILY.forms
        for form in forms:
            end, pieces, called = _run(form, text, at, self._names)
            if called:
                return end, self._collected(at, end, pieces)
        name = re.compile(r"<function=([^>]{1,140})>|<\|tool_call>call:([\w.:/-]{1,140})\{").match(text, at)
        if name is None:
            return None
        limit = self._limit(at + 1, XML, "</tool_call>")
        return limit, [unknown_name(name.group(1) or name.group(2), self._names, text[at:limit])]

    def _collected(self, at: int, end: int, pieces: list[Piece]) -> list[Part]:
        parts: list[Part] = []
        name, arguments = "", ""
        for piece in [*pieces, CallBegun("")]:
            if isinstance(piece, CallBegun):
                if name:  # the one before it has no end
                    kind = FaultKind.CUT if self._cut else FaultKind.BROKEN
                    what = "a call is not complete, or its arguments cannot be read"
                    parts.append(Fault(kind, what, self._text[at:end], self._names.resolve(name), arguments or None))
                name, arguments = piece.name, ""
            elif isinstance(piece, CallArguments):
                arguments += piece.text
            elif isinstance(piece, CallEnded):
                parts.append(Call(self._names.resolve(name) or name, _object_of(arguments)))
                name = ""
        return parts

    def _function_tag(self, at: int) -> Found | None:
        """`<function=now>{"zone": "UTC"}</function>`"""
        opening = re.compile(r"<function(?:=| name=\")\s*([^>\"]{0,140})\"?\s*>").match(self._text, at)
        if opening is None:
            return None
        limit = self._limit(opening.end(), "<function", "</function>")
        name = self._names.resolve(opening.group(1))
        if name is None:
            return limit, [unknown_name(opening.group(1), self._names, self._text[at:limit])]
        loose = Loose(self._text, opening.end(), end=None if strict_value(self._text, opening.end()) else limit, close=not self._cut)
        try:
            value = loose.value() if self._text[opening.end() : limit].strip() else {}
        except Unreadable as wrong:
            return self._fault(at, limit, wrong)
        end = max(loose.at, opening.end())
        close = re.compile(r"\s*</function>").match(self._text, end)
        return (end if close is None else close.end()), [Call(name, value, tuple(loose.repairs))]


def end_marks(text: str) -> int:
    """Where the tokens of chat templates that end an answer begin, if it has any at its end."""
    while (bare := text.rstrip()).endswith(_END_MARKS):
        text = bare[: bare.rindex("<")]
    return len(text)


def _arguments(loose: Loose, names: list[str]) -> dict[str, Any]:
    """The arguments of a call in Python, up to and with its bracket. names: of those that come without."""
    found: dict[str, Any] = {}
    while not loose.take(")"):
        begin = loose.at
        key = re.compile(r"([^\W\d]\w*)\s*[=:]\s*").match(loose.text, begin)
        if key is not None:
            loose.at = key.end()
        value = loose.value()
        if key is None and isinstance(value, dict) and not found and (not names or names[0] not in value or set(value) <= set(names)):
            found.update(value)
        elif key is not None:
            found[key.group(1)] = value
        else:
            free = [name for name in names if name not in found]
            if not free:
                raise Unreadable("there are more values than arguments", begin)
            found[free[0]] = value
        if not loose.take(",") and loose.peek() != ")":
            raise Unreadable("something else than a comma or the end follows an argument", loose.at, ran_out=not loose.peek())
    return found


def _run(form: CallForm, text: str, at: int, names: Names) -> tuple[int, list[Piece], bool]:
    """Let a form of `adapter.calls` read a complete text from `at` on."""
    cursor = Cursor()
    cursor.push(text[at:])
    cursor.ended = True
    pieces: list[Piece] = []
    steps = form.read(cursor, names)
    try:
        while True:
            piece = next(steps)
            if piece is not None:
                pieces.append(piece)
    except StopIteration as done:
        return at + cursor.position, pieces, bool(done.value)


def _object_of(text: str) -> Any:
    try:
        return parse_object(text)
    except NotJson:
        return text


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _between(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()


def _fence_end(text: str, begin: int) -> int:
    """Where the closing marks of a block stand; the text's length where they are missing."""
    line = re.compile(r"^[ \t>]*```", re.MULTILINE).search(text, begin)
    if line is not None:
        return text.index(FENCE, line.start())
    found = text.find(FENCE, begin)
    return len(text) if found < 0 else found
