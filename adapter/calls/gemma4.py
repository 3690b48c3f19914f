"""Gemma 4's calls: `<|tool_call>call:now{zone:<|"|>UTC<|"|>,at:{hour:9}}<tool_call|>`. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from adapter.calls.arguments import ArgumentRules, listed, literal, repeated
from adapter.calls.json_text import (
    MAX_DEPTH,
    NotJson,
    comma,
    parse_json,
    parse_object,
    take_string,
    take_value,
    to_json,
)
from adapter.calls.named_calls import MAX_NAME_CHARS, is_name
from adapter.calls.output import CallArguments, CallBegun, CallEnded
from adapter.calls.reader import Cursor, Steps, peek, run_of, skip, space, upto
from adapter.calls.reader import literal as read_literal
from adapter.calls.tools import Spec, ToolBox
from adapter.calls.values import kinds, resolved, says_more
from adapter.chat import ToolCall

OPEN, CLOSE, QUOTE, RESPONSE = "<|tool_call>", "<tool_call|>", '<|"|>', "<|tool_response>"
_MAX_KEY_CHARS = 256
_SIMPLE = {"integer", "number", "boolean", "null"}


class Gemma4Calls:
    markers = (OPEN,)
    starts = ()
    shows = (OPEN, CLOSE, QUOTE)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        if not (yield from self._call(cursor, tools)):
            return False
        while True:
            begin = cursor.position
            yield from space(cursor)
            if not (yield from self._call(cursor, tools)):
                cursor.back_to(begin)
                break
        yield from skip(cursor, RESPONSE)  # where the model waits for the result
        return True

    def _call(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        if not (yield from read_literal(cursor, OPEN + "call:")):
            return False
        name = yield from run_of(cursor, is_name, MAX_NAME_CHARS)
        if name not in tools or not (yield from read_literal(cursor, "{")):
            return False
        yield CallBegun(name)
        if (yield from _members(cursor)):
            yield CallEnded()
        yield from skip(cursor, CLOSE)
        return True

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        named = rules.by_name([(f"{spec.name}{{", _members_body(rules, spec)) for spec in tools])
        return repeated(rules.builder.rule("call", f"{literal(OPEN + 'call:')} {named}"), many=many)

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "".join(f"{OPEN}call:{call.name}{_arguments(call)}{CLOSE}" for call in calls)


def _members(cursor: Cursor) -> Steps[bool]:
    """Pass the arguments on, one at a time, as one JSON object. Is it complete?"""
    before = "{"
    yield from space(cursor)
    while not (yield from read_literal(cursor, "}")):
        begin = cursor.at
        member = yield from _member(cursor, MAX_DEPTH)
        if member is None:
            if cursor.ended and begin < len(cursor.text):  # cut off in the middle
                yield CallArguments(before + cursor.text[begin:])
                cursor.at = len(cursor.text)
            return False
        yield CallArguments(before + member)
        before = ", "
        cursor.drop()
        yield from comma(cursor, ",")
    yield CallArguments("{}" if before == "{" else "}")
    return True


def _member(cursor: Cursor, levels: int) -> Steps[str | None]:
    """Read `key: value` -> its JSON; `None` where it is broken."""
    if (yield from read_literal(cursor, QUOTE)):
        key = yield from upto(cursor, QUOTE)
    elif (yield from peek(cursor)) == '"':
        key = yield from take_string(cursor)
    else:
        key = (yield from run_of(cursor, lambda char: char not in ":{}[],\n", _MAX_KEY_CHARS)).strip() or None
    if key is None or not (yield from comma(cursor, ":")):
        return None
    value = yield from _value(cursor, levels)
    return None if value is None else f"{to_json(key)}: {value}"


def _value(cursor: Cursor, levels: int) -> Steps[str | None]:
    if (yield from read_literal(cursor, QUOTE)):
        text = yield from upto(cursor, QUOTE)
        return None if text is None else to_json(text)
    first = yield from peek(cursor)
    if first in ("{", "[") and levels:
        cursor.at += 1
        return (yield from _several(cursor, first, levels - 1))
    value = yield from take_value(cursor)
    try:
        return None if value is None else to_json(parse_json(value))
    except NotJson:
        return None


def _several(cursor: Cursor, opened: str, levels: int) -> Steps[str | None]:
    close = "}" if opened == "{" else "]"
    items = []
    yield from space(cursor)
    while not (yield from read_literal(cursor, close)):
        item = yield from (_member if opened == "{" else _value)(cursor, levels)
        if item is None:
            return None
        items.append(item)
        yield from comma(cursor, ",")
    return opened + ", ".join(items) + close


# --- grammar and text --------------------------------------------------------------------------------------------


def _members_body(rules: ArgumentRules, spec: Spec) -> str:
    """The arguments that the schema knows, each at most once, in the template's order (sorted)."""
    keys = sorted(spec.properties, key=lambda key: (key.lower(), key))
    if not spec.closed and not keys:
        rules.unchecked.add(spec.name)
        return f"({_any_members(rules)})? {literal('}' + CLOSE)}"
    pairs = {key: f"{literal(key + ':')} {_value_rule(rules, spec, spec.properties[key])}" for key in keys}
    body = listed(rules, pairs, spec.required, '","')
    return f"{body} {literal('}' + CLOSE)}"


def _value_rule(rules: ArgumentRules, spec: Spec, schema: Any) -> str:
    full = resolved(schema, spec.schema)
    options = [full["const"]] if "const" in full else full.get("enum")
    if isinstance(options, list) and options and all(isinstance(option, str) for option in options):
        return rules.one_of("option", [literal(f"{QUOTE}{option}{QUOTE}") for option in options])
    named = kinds(full, spec.schema)
    if "string" in named and named <= {"string", "null"}:
        if len(named) > 1 or says_more(full):
            rules.unchecked.add(spec.name)
        return _text(rules) if len(named) == 1 else f'({_text(rules)} | "null")'
    if named and named <= _SIMPLE:
        return rules.part(spec, schema)
    rules.unchecked.add(spec.name)
    return _any(rules)


def _text(rules: ArgumentRules) -> str:
    return rules.builder.rule("quoted", f"{literal(QUOTE)} {rules.builder.until(QUOTE)} {literal(QUOTE)}")


def _any_members(rules: ArgumentRules) -> str:
    pair = rules.builder.rule("pair", f'[a-zA-Z0-9_.-]{{1,64}} ":" {_any(rules)}')
    return f'{pair} ("," {pair})*'


def _any(rules: ArgumentRules) -> str:
    """Any value. The rule refers to itself, so it is made by name."""
    simple = rules.builder.rule("simple", '"true" | "false" | "null" | "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,15})?')
    return rules.recursive(
        "anything",
        lambda me: (
            f'{_text(rules)} | {simple} | "[" ({me} ("," {me})*)? "]"'
            f' | "{{" ([a-zA-Z0-9_.-]{{1,64}} ":" {me} ("," [a-zA-Z0-9_.-]{{1,64}} ":" {me})*)? "}}"'
        ),
    )


def _arguments(call: ToolCall) -> str:
    try:
        return _written(parse_object(call.arguments))
    except NotJson:
        return "{}"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return f"{QUOTE}{value}{QUOTE}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)
