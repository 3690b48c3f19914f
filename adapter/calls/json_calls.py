"""Calls as JSON objects, alone or in a list, after a marker or bare: Hermes, Qwen, Granite, Llama 3, Mistral, Phi. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.calls.arguments import ArgumentRules, literal, repeated
from adapter.calls.envelope import read_envelope
from adapter.calls.json_text import NotJson, parse_json, to_json
from adapter.calls.reader import Cursor, Steps, peek, skip, space
from adapter.calls.reader import literal as read_literal
from adapter.calls.tools import Spec, ToolBox
from adapter.chat import ToolCall


@dataclass(frozen=True, slots=True)
class JsonCalls:
    """`<open> {"name": ..., "arguments": ...} <close>`, or with a list between the two.

    open: "" for calls that are nothing but JSON. also: further opening marks that models write. closes: what may end the calls, the
    usual one first. listed: all calls stand in one list (else each has its marks). key: of the arguments. id: models add
    `"id"`. typed: models may begin with `"type": "function"`. between: what stands between two calls. newline: what models write around the JSON.
    """

    open: str
    closes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    listed: bool = False
    key: str = "arguments"
    id: bool = False
    typed: bool = False
    between: str = ""
    newline: str = ""

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(mark for mark in (self.open, *self.also) if mark)

    @property
    def starts(self) -> tuple[str, ...]:
        """Bare JSON; after the marker's text was swallowed as a control token, also bare lists."""
        return ("{",) if not self.open else ("[",) if self.listed else ()

    @property
    def shows(self) -> tuple[str, ...]:
        return (*self.markers, *self.closes)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        marked = yield from self._mark(cursor)
        listed = yield from read_literal(cursor, "[")
        yield from space(cursor)
        if not (yield from read_envelope(cursor, tools, loose=marked)):
            return False
        while (yield from self._next(cursor, tools, loose=marked)):
            pass
        if listed:
            yield from skip(cursor, "]")
        for close in self.closes:
            if (yield from skip(cursor, close)):
                break
        return True

    def _next(self, cursor: Cursor, tools: ToolBox, *, loose: bool) -> Steps[bool]:
        """Read a further call behind a separator, or nothing."""
        begin = cursor.position
        yield from space(cursor)
        if (yield from peek(cursor)) in (",", ";"):
            cursor.at += 1
            yield from space(cursor)
        yield from self._mark(cursor)
        if (yield from peek(cursor)) == "{" and (yield from read_envelope(cursor, tools, loose=loose)):
            return True
        cursor.back_to(begin)
        return False

    def _mark(self, cursor: Cursor) -> Steps[bool]:
        """Read an opening mark and white space, if one is there."""
        for mark in self.markers:
            if (yield from read_literal(cursor, mark)):
                yield from space(cursor)
                return True
        return False

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        gap = rules.gap
        kind = f'("\\"type\\":" {gap} "\\"function\\"," {gap})? ' if self.typed else ""
        named = rules.by_name([(json.dumps(spec.name), self._arguments(rules, spec)) for spec in tools])
        call = rules.builder.rule("call", f'"{{" {gap} {kind}"\\"name\\":" {gap} {named}')
        marks = [f"{literal(mark)} {gap}" for mark in self.markers]
        opens = f"({' | '.join([*marks, gap] if self.starts else marks)})"
        close = f"{gap} {literal(self.closes[0])}" if self.closes else ""
        if self.listed:
            body = repeated(call, many=many, between=f'"," {gap}')
            return f'{opens} "[" {gap} {body} {gap} "]" {f"({close})?" if close else ""}'
        between = f"{gap} {literal(self.between)} {gap}" if self.between else gap
        whole = rules.builder.rule("calls", f"{opens} {call} {close}")
        return repeated(whole, many=many, between=between)

    def _arguments(self, rules: ArgumentRules, spec: Spec) -> str:
        """What comes behind the name."""
        gap = rules.gap
        last = f'("," {gap} "\\"id\\":" {gap} "\\"" [a-zA-Z0-9]{{9}} "\\"")? {gap}' if self.id else gap
        return f'"," {gap} {literal(json.dumps(self.key) + ":")} {gap} {rules.object(spec)} {last} "}}"'

    def write(self, calls: Sequence[ToolCall]) -> str:
        texts = [f'{{"name": {json.dumps(call.name)}, "{self.key}": {written_arguments(call)}}}' for call in calls]
        close = self.closes[0] if self.closes else ""
        if self.listed:
            return f"{self.open}[{', '.join(texts)}]{close}"
        line = self.newline
        return (self.between or "\n").join(f"{self.open}{line}{text}{line}{close}" for text in texts)


def written_arguments(call: ToolCall) -> str:
    """The arguments as JSON, whatever the client sent."""
    try:
        return to_json(parse_json(call.arguments))
    except NotJson:
        return to_json(call.arguments)
