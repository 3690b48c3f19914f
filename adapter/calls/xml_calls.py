"""Calls as tags, `<function=now><parameter=zone>UTC</parameter></function>`: Qwen3-Coder, Qwen3.5 and their kin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.calls.arguments import ArgumentRules, any_order, literal, repeated
from adapter.calls.json_text import NotJson, parse_object, to_json
from adapter.calls.named_calls import MAX_NAME_CHARS, is_name
from adapter.calls.output import CallArguments, CallBegun, CallEnded
from adapter.calls.reader import Cursor, Steps, run_of, skip, space, upto
from adapter.calls.reader import literal as read_literal
from adapter.calls.tools import Spec, ToolBox
from adapter.calls.values import json_of, kinds, resolved, says_more
from adapter.chat import ToolCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
FUNCTION, END_FUNCTION = "<function=", "</function>"
PARAMETER, END_PARAMETER = "<parameter=", "</parameter>"
_MAX_KEY_CHARS = 256


class XmlCalls:
    """Models leave out the outer tag at times."""

    markers = (OPEN, FUNCTION)
    starts = ()
    shows = (OPEN, CLOSE)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        if not (yield from self._call(cursor, tools)):
            return False
        while True:
            begin = cursor.position
            yield from space(cursor)
            if not (yield from self._call(cursor, tools)):
                cursor.back_to(begin)
                return True

    def _call(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        if (yield from read_literal(cursor, OPEN)):
            yield from space(cursor)
        if not (yield from read_literal(cursor, FUNCTION)):
            return False
        name = yield from run_of(cursor, is_name, MAX_NAME_CHARS)
        if name not in tools or not (yield from read_literal(cursor, ">")):
            return False
        yield CallBegun(name)
        cursor.drop()
        if (yield from _parameters(cursor, tools[name])):
            yield CallEnded()
        yield from skip(cursor, CLOSE)
        return True

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        gap = rules.gap
        named = rules.by_name([(f"{spec.name}>", _parameters_body(rules, spec)) for spec in tools])
        call = rules.builder.rule("call", f"{literal(FUNCTION)} {named}")
        wrapped = rules.builder.rule("calls", f"{literal(OPEN)} {gap} {call} {gap} {literal(CLOSE)} | {call}")
        return repeated(wrapped, many=many, between=gap)

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(_written(call) for call in calls)


def _parameters(cursor: Cursor, spec: Spec) -> Steps[bool]:
    """Pass the arguments on, one at a time, as one JSON object. Is it complete?"""
    before = "{"
    while True:
        yield from space(cursor)
        if (yield from read_literal(cursor, END_FUNCTION)):
            yield CallArguments("{}" if before == "{" else "}")
            return True
        if not (yield from read_literal(cursor, PARAMETER)):
            return False
        key = yield from run_of(cursor, lambda char: char not in ">\n", _MAX_KEY_CHARS)
        if not (yield from read_literal(cursor, ">")):
            return False
        text = yield from upto(cursor, END_PARAMETER)
        if text is None:  # cut off in the middle
            rest = to_json(cursor.text[cursor.at :])[:-1]
            yield CallArguments(f"{before}{to_json(key)}: {rest}")
            cursor.at = len(cursor.text)
            return False
        value = json_of(_unframed(text), spec.properties.get(key), spec.schema)
        yield CallArguments(f"{before}{to_json(key)}: {value}")
        before = ", "
        cursor.drop()


def _unframed(text: str) -> str:
    """The value without the line breaks that belong to the tags."""
    return text.removeprefix("\n").removesuffix("\n")


def _parameters_body(rules: ArgumentRules, spec: Spec) -> str:
    """What comes behind the name."""
    parts = [rules.gap]
    if not spec.closed and not spec.properties:
        rules.unchecked.add(spec.name)
        value = rules.builder.until(END_PARAMETER)
        key = rules.builder.until(">", "\n")
        any_one = f'{literal(PARAMETER)} {key} ">" {value} {literal(END_PARAMETER)} {rules.gap}'
        parts.append(f"({rules.builder.rule('parameter', any_one)})*")
    pairs = {key: _parameter_body(rules, spec, key, schema) for key, schema in spec.properties.items()}
    if pairs:
        parts.append(any_order(rules, pairs, spec.required))
    return f"{' '.join(parts)} {literal(END_FUNCTION)}"


def _parameter_body(rules: ArgumentRules, spec: Spec, key: str, schema: Any) -> str:
    end = literal("\n" + END_PARAMETER)
    return f'{literal(PARAMETER + key + ">")} "\\n" {_value_rule(rules, spec, schema)} {end} {rules.gap}'


def _value_rule(rules: ArgumentRules, spec: Spec, schema: Any) -> str:
    named = kinds(schema, spec.schema)
    if "string" not in named:
        return rules.part(spec, schema)
    full = resolved(schema, spec.schema)
    options = [full["const"]] if "const" in full else full.get("enum")
    if isinstance(options, list) and options and named == {"string"}:
        return rules.one_of("option", [literal(option) for option in options])
    if len(named) > 1 or says_more(full):
        rules.unchecked.add(spec.name)
    return rules.builder.until(END_PARAMETER)


def _written(call: ToolCall) -> str:
    try:
        arguments = parse_object(call.arguments)
    except NotJson:
        arguments = {}
    lines = [OPEN, f"{FUNCTION}{call.name}>"]
    for key, value in arguments.items():
        text = value if isinstance(value, str) else to_json(value)
        lines += [f"{PARAMETER}{key}>", text, END_PARAMETER]
    return "\n".join([*lines, END_FUNCTION, CLOSE])
