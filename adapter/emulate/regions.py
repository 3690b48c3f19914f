"""A call in a complete answer with what stands around it: tags, blocks of Markdown, `Action:`. Pure.

Each reader returns where it stopped and what it found, or `None`: then what stands there is text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from adapter.calls.families import DEEPSEEK as DEEPSEEK_FAMILY
from adapter.calls.family import CallForm
from adapter.calls.gemma4 import Gemma4Calls
from adapter.calls.json_text import NotJson, parse_object
from adapter.calls.output import CallArguments, CallBegun, CallEnded, Piece
from adapter.calls.reader import Cursor
from adapter.calls.xml_calls import XmlCalls
from adapter.emulate.heads import skip
from adapter.emulate.loose import Loose, Unreadable, strict_value
from adapter.emulate.names import Names
from adapter.emulate.notations import OPENING, Found, Notations
from adapter.emulate.pieces import INSIDE_A_CALL, Call, Fault, FaultKind, Part
from adapter.emulate.shapes import as_arguments, unknown_name
from adapter.emulate.starts import (
    ACTION,
    ATTRIBUTE,
    CALL_LANGUAGES,
    DEEPSEEK,
    FENCE,
    FORMS,
    TAGS,
    XML,
    behind,
)

_CLOSING = re.compile(r"[\s}\])>,;]*```")
_LEFT_OVER = re.compile(r"[\s}\])>,;]*")
_END_MARKS = ("<|im_end|>", "<|eom_id|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>")
_INPUT = re.compile(r"\s*\**Action Input:\**[ \t]*")
_FUNCTION_TAG = re.compile(r"<function(?:=| name=\")\s*([^>\"]{0,140})\"?\s*>")
_FUNCTION_JSON = re.compile(r"<function=[^>]{0,140}>\s*\{")
_FUNCTION_END = re.compile(r"\s*</function>")
_FORM_NAME = re.compile(r"<function=([^>]{1,140})>|<\|tool_call>call:([\w.:/-]{1,140})\{")
_FENCE_END = re.compile(r"\s*```")
_FENCE_LINE = re.compile(r"^[ \t>]*```", re.MULTILINE)


class Regions:
    """Reads the calls of one complete answer. cut: `max_tokens` ended it."""

    def __init__(self, text: str, names: Names, *, cut: bool) -> None:
        self._text = text
        self._names = names
        self._cut = cut
        self._notations = Notations(text, names, cut=cut)

    def read(self, at: int) -> Found | None:
        """What begins at `at`, where the starts say that it may be a call."""
        text = self._text
        if text.startswith(FENCE, at):
            return self._fence(at)
        for tag, close in TAGS.items():
            if text.startswith(tag, at):
                return self._tagged(at, at + behind(tag), tag, close)
        if text.startswith(FORMS, at):
            return self._form(at)
        if text.startswith(ACTION, at):
            return self._action(at)
        return self._bare(at)

    # --- what stands around calls ----------------------------------------------------------------------------

    def _tagged(self, at: int, begin: int, tag: str, close: str) -> Found | None:
        limit = self._limit(begin, tag, close)
        if self._text.startswith(XML, skip(self._text, begin)):
            found = self._form(skip(self._text, begin))
        else:
            found = self._notations.read(begin, limit, marked=True)
        if found is None:
            if self._cut and not self._text[begin:].strip():
                return len(self._text), [Fault(FaultKind.CUT, INSIDE_A_CALL, self._text[at:])]
            return None
        end, parts = found
        if OPENING.match(self._text, begin) and (fence := _CLOSING.match(self._text, end)):
            end = fence.end()
        left = _LEFT_OVER.match(self._text, end)
        after = end if left is None else left.end()
        if close and self._text.startswith(close, after):
            return after + len(close), parts
        # Some close with the opening mark. Where more follows it opens the next call.
        if self._text.startswith(tag, after) and not self._text[after + len(tag) :].strip():
            return after + len(tag), parts
        return (after if after >= len(self._text) else end), parts

    def _limit(self, begin: int, tag: str, close: str) -> int:
        """Where the text of a call that cannot be read ends at the latest."""
        ends = [self._text.find(mark, begin) for mark in (close, tag) if mark]
        return min([end for end in ends if end >= 0], default=len(self._text))

    def _fence(self, at: int) -> Found | None:
        opening = OPENING.match(self._text, at)
        assert opening is not None
        language = opening.group().strip().removeprefix(FENCE).lower()
        begin = opening.end()
        closing = _fence_end(self._text, begin)
        inside = skip(self._text, begin)
        if self._text.startswith((*TAGS, *FORMS), inside):
            found = self.read(inside)
        else:
            found = self._notations.read(begin, closing, marked=language in CALL_LANGUAGES)
        if found is None or any(isinstance(part, Fault) for part in found[1]):
            return found
        end = self._notations.printed(found[0])
        left = _LEFT_OVER.match(self._text, end)
        after = end if left is None else left.end()
        if self._text.startswith(FENCE, after):
            return after + len(FENCE), found[1]
        if after >= len(self._text):
            return after, found[1]
        # A program, or an example with more in it.
        if language not in CALL_LANGUAGES:
            return None
        return self._notations.fault(at, closing, Unreadable("the block holds something else than calls", end))

    def _bare(self, at: int) -> Found | None:
        python = self._text[at] not in "{["
        found = self._notations.read(at, len(self._text), marked=False)
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
            begin = skip(self._text, begin)
            if self._text.startswith(FENCE, begin):
                return self._fence(begin)
            return self._notations.read(begin, len(self._text), marked=True)
        if "(" in line:
            return self._notations.read(begin, len(self._text), marked=True)
        told = _INPUT.match(self._text, line_end)
        name = self._names.resolve(line)
        if name is None:
            return len(self._text), [unknown_name(line, self._names, self._text[at:])]
        if told is None:
            return max(line_end, begin), [Call(name, {})]
        return self._action_input(at, told.end(), name)

    def _action_input(self, at: int, begin: int, name: str) -> Found:
        opening = OPENING.match(self._text, begin)
        inside = skip(self._text, begin if opening is None else opening.end())
        if self._text[inside : inside + 1] in ("{", "["):
            loose = Loose(self._text, inside, close=not self._cut)
            try:
                value = loose.value()
            except Unreadable as wrong:
                return self._notations.fault(at, len(self._text), wrong)
            end = loose.at
            if opening is not None and (close := _FENCE_END.match(self._text, end)):
                end = close.end()
            return end, [Call(name, value, tuple(loose.repairs))]
        line_end = self._text.find("\n", begin)
        end = len(self._text) if line_end < 0 else line_end
        value = self._text[begin:end].strip().strip("\"'`")
        return end, [Call(name, as_arguments(value, self._names[name]))]

    # --- forms that `adapter.calls` reads ------------------------------------------------------------------------

    def _form(self, at: int) -> Found | None:
        text = self._text
        if text.startswith(ATTRIBUTE, at) or (text.startswith(XML, at) and _FUNCTION_JSON.match(text, at)):
            return self._function_tag(at)
        forms: Sequence[CallForm] = (XmlCalls(),) if text.startswith(XML, at) else (Gemma4Calls(),)
        if text.startswith(DEEPSEEK, at):
            forms = DEEPSEEK_FAMILY.forms
        for form in forms:
            end, pieces, called = _run(form, text, at, self._names)
            if called:
                return end, self._collected(at, end, pieces)
        name = _FORM_NAME.match(text, at)
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
                    tool = self._names.resolve(name)
                    parts.append(Fault(kind, what, self._text[at:end], tool, arguments or None))
                name, arguments = piece.name, ""
            elif isinstance(piece, CallArguments):
                arguments += piece.text
            elif isinstance(piece, CallEnded):
                parts.append(Call(self._names.resolve(name) or name, _object_of(arguments)))
                name = ""
        return parts

    def _function_tag(self, at: int) -> Found | None:
        """`<function=now>{"zone": "UTC"}</function>`"""
        opening = _FUNCTION_TAG.match(self._text, at)
        if opening is None:
            return None
        limit = self._limit(opening.end(), "<function", "</function>")
        name = self._names.resolve(opening.group(1))
        if name is None:
            return limit, [unknown_name(opening.group(1), self._names, self._text[at:limit])]
        strict = strict_value(self._text, opening.end())
        loose = Loose(self._text, opening.end(), end=None if strict else limit, close=not self._cut)
        try:
            value = loose.value() if self._text[opening.end() : limit].strip() else {}
        except Unreadable as wrong:
            return self._notations.fault(at, limit, wrong)
        end = max(loose.at, opening.end())
        close = _FUNCTION_END.match(self._text, end)
        return (end if close is None else close.end()), [Call(name, value, tuple(loose.repairs))]


def end_marks(text: str) -> int:
    """Where the tokens of chat templates that end an answer begin, if it has any at its end."""
    while (bare := text.rstrip()).endswith(_END_MARKS):
        text = bare[: bare.rindex("<")]
    return len(text)


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


def _fence_end(text: str, begin: int) -> int:
    """Where the closing marks of a block stand; the text's length where they are missing."""
    line = _FENCE_LINE.search(text, begin)
    if line is not None:
        return text.index(FENCE, line.start())
    found = text.find(FENCE, begin)
    return len(text) if found < 0 else found
