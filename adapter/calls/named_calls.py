"""Calls as a name and a JSON object, with control tokens between: newer Mistral models, DeepSeek. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.calls.arguments import ArgumentRules, literal, repeated
from adapter.calls.json_calls import written_arguments
from adapter.calls.json_text import stream_object
from adapter.calls.output import CallBegun, CallEnded
from adapter.calls.reader import Cursor, Steps, peek, run_of, skip, space
from adapter.calls.reader import literal as read_literal
from adapter.calls.tools import Spec, ToolBox
from adapter.chat import ToolCall

MAX_NAME_CHARS = 128


def is_name(char: str) -> bool:
    """May this character be part of a tool's name?"""
    return char.isascii() and (char.isalnum() or char in "_-.:/")


@dataclass(frozen=True, slots=True)
class NamedCalls:
    """`<all> <open> name <sep> {...} <close> <open> ... <end>`.

    all, end: around all calls; "" for none. id: the mark of a call's id, which may come between name and `sep`. kind: a word with a
    `sep` of its own before the name, and the arguments in a block of Markdown (DeepSeek R1).
    """

    open: str
    sep: str
    close: str = ""
    all: str = ""
    end: str = ""
    id: str = ""
    kind: str = ""

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(mark for mark in (self.all, self.open) if mark)

    @property
    def starts(self) -> tuple[str, ...]:
        return ()

    @property
    def shows(self) -> tuple[str, ...]:
        marks = (self.all, self.open, self.sep, self.close, self.end, self.id)
        return tuple(mark for mark in marks if mark)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        if self.all:
            yield from read_literal(cursor, self.all)
        if not (yield from self._call(cursor, tools)):
            return False
        while True:
            begin = cursor.position
            if not (yield from self._call(cursor, tools)):
                cursor.back_to(begin)
                break
        if self.end:
            yield from skip(cursor, self.end)
        return True

    def _call(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        """Read one call. False: it is none, and nothing was passed on."""
        yield from space(cursor)
        if not (yield from read_literal(cursor, self.open)):
            return False
        name = yield from self._name(cursor)
        if name not in tools:
            return False
        fenced = yield from skip(cursor, "```json")
        yield from space(cursor)
        if (yield from peek(cursor)) != "{":
            return False
        yield CallBegun(name)
        if not (yield from stream_object(cursor)):
            return True
        yield CallEnded()
        if fenced:
            yield from skip(cursor, "```")
        if self.close:
            yield from skip(cursor, self.close)
        return True

    def _name(self, cursor: Cursor) -> Steps[str]:
        """Read the name and the marks behind it; "" where that fails."""
        yield from space(cursor)
        name = yield from run_of(cursor, is_name, MAX_NAME_CHARS)
        if self.id and (yield from read_literal(cursor, self.id)):
            yield from run_of(cursor, is_name, MAX_NAME_CHARS)
        if not (yield from read_literal(cursor, self.sep)):
            return ""
        if self.kind and name == self.kind:
            name = (yield from run_of(cursor, is_name, MAX_NAME_CHARS)) or name
        return name

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        named = rules.by_name([(spec.name, self._arguments(rules, spec)) for spec in tools])
        kind = literal(self.kind + self.sep) if self.kind else ""
        call = rules.builder.rule("call", f"{literal(self.open)} {kind} {named}")
        body = repeated(call, many=many, between=rules.gap)
        first = f"{literal(self.all)} {rules.gap}" if self.all else ""
        last = f"{rules.gap} {literal(self.end)}" if self.end else ""
        return f"{first} {body} {last}"

    def _arguments(self, rules: ArgumentRules, spec: Spec) -> str:
        """What comes behind the name."""
        gap = rules.gap
        ident = f"({literal(self.id)} [a-zA-Z0-9]{{9}})?" if self.id else ""
        head, arguments = f"{ident} {literal(self.sep)}", rules.object(spec)
        if self.kind:
            head = f"{gap} {literal('```json')}"
            arguments += f' {gap} "```"'
        close = f"{gap} {literal(self.close)}" if self.close else ""
        return f"{head} {gap} {arguments} {close}"

    def write(self, calls: Sequence[ToolCall]) -> str:
        texts = [f"{self.open}{call.name}{self.sep}{written_arguments(call)}{self.close}" for call in calls]
        if self.kind:
            texts = [
                f"{self.open}{self.kind}{self.sep}{call.name}\n```json\n{written_arguments(call)}\n```{self.close}"
                for call in calls
            ]
        return f"{self.all}{''.join(texts)}{self.end}"
