"""Calls as Python, `[now(zone="UTC")]`: LFM2 writes them between control tokens, Gemma 3 in a block of Markdown. Pure.

Each argument becomes JSON when it is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.calls.arguments import ArgumentRules, listed, literal, repeated
from adapter.calls.json_text import MAX_DEPTH, NotJson, comma, parse_object, to_json
from adapter.calls.named_calls import MAX_NAME_CHARS, is_name
from adapter.calls.output import CallArguments, CallBegun, CallEnded
from adapter.calls.python_value import python_value
from adapter.calls.reader import Cursor, Steps, run_of, skip, space
from adapter.calls.reader import literal as read_literal
from adapter.calls.tools import Spec, ToolBox
from adapter.calls.values import kinds
from adapter.chat import ToolCall


@dataclass(frozen=True, slots=True)
class PythonCalls:
    """Between `open` and `close`: a list of calls, or one call a line, also inside `print(...)`. bare: no list around them."""

    open: str
    close: str
    bare: bool = False

    @property
    def markers(self) -> tuple[str, ...]:
        return (self.open,)

    @property
    def starts(self) -> tuple[str, ...]:
        return ()

    @property
    def shows(self) -> tuple[str, ...]:
        return (self.open, self.close)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        yield from read_literal(cursor, self.open)
        yield from skip(cursor, "[")
        if not (yield from _call(cursor, tools)):
            return False
        while True:
            begin = cursor.position
            yield from comma(cursor, ",")
            yield from space(cursor)
            if not (yield from _call(cursor, tools)):
                cursor.back_to(begin)
                break
        yield from skip(cursor, "]")
        yield from skip(cursor, self.close)
        return True

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        call = rules.by_name([(f"{spec.name}(", _arguments_body(rules, spec)) for spec in tools])
        gap = rules.gap
        body = repeated(call, many=many, between=r'"\n"' if self.bare else f'"," {gap}')
        inner = body if self.bare else f'"[" {body} "]"'
        return f"{literal(self.open)} {gap} {inner} {gap} {literal(self.close)}"

    def write(self, calls: Sequence[ToolCall]) -> str:
        texts = [f"{call.name}({_written(call)})" for call in calls]
        if self.bare:
            return "\n".join([self.open, *texts, self.close])
        return f"{self.open}[{', '.join(texts)}]{self.close}"


def _arguments_body(rules: ArgumentRules, spec: Spec) -> str:
    """Arguments by name. JSON is read as if it were Python."""
    pairs = {key: f"{literal(key + '=')} {_value_rule(rules, spec, key)}" for key in spec.properties}
    body = listed(rules, pairs, spec.required, f'"," {rules.gap}')
    return f'{body} ")"'


def _value_rule(rules: ArgumentRules, spec: Spec, key: str) -> str:
    schema = spec.properties[key]
    if kinds(schema, spec.schema) == {"boolean"}:
        return '("True" | "False")'
    return rules.part(spec, schema)


def _written(call: ToolCall) -> str:
    try:
        arguments = parse_object(call.arguments)
    except NotJson:
        return ""
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())


# --- reading -----------------------------------------------------------------------------------------------------


def _call(cursor: Cursor, tools: ToolBox) -> Steps[bool]:
    """Read one call. False: it is none, and nothing was passed on."""
    yield from space(cursor)
    printed = yield from read_literal(cursor, "print(")
    name = yield from run_of(cursor, is_name, MAX_NAME_CHARS)
    if name not in tools or not (yield from read_literal(cursor, "(")):
        return False
    yield CallBegun(name)
    if (yield from _arguments(cursor, list(tools[name].properties))):
        yield CallEnded()
    if printed:
        yield from skip(cursor, ")")
    return True


def _arguments(cursor: Cursor, names: list[str]) -> Steps[bool]:
    """Pass the arguments on, one at a time, as one JSON object. names: of those that come without. Is it complete?"""
    before = "{"
    yield from space(cursor)
    while not (yield from read_literal(cursor, ")")):
        begin = cursor.at
        key = yield from _key(cursor)
        value = yield from python_value(cursor, MAX_DEPTH)
        if key is None and names:
            key = names.pop(0)
        if key is None or value is None:
            if cursor.ended and begin < len(cursor.text):  # cut off in the middle
                yield CallArguments(before + cursor.text[begin:])
                cursor.at = len(cursor.text)
            return False
        names = [name for name in names if name != key]
        yield CallArguments(f"{before}{to_json(key)}: {value}")
        before = ", "
        cursor.drop()
        yield from comma(cursor, ",")
    yield CallArguments("{}" if before == "{" else "}")
    return True


def _key(cursor: Cursor) -> Steps[str | None]:
    """Read `key=`, or nothing."""
    begin = cursor.at
    key = yield from run_of(cursor, lambda char: char.isalnum() or char in "_-", MAX_NAME_CHARS)
    yield from space(cursor)
    if key and (yield from read_literal(cursor, "=")):
        yield from space(cursor)
        return key
    cursor.at = begin
    return None
