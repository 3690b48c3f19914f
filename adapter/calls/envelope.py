"""One call as a JSON object, `{"name": "now", "arguments": {...}}`, with its keys in any order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.calls.json_text import (
    NotJson,
    comma,
    parse_json,
    parse_object,
    stream_object,
    take_string,
    take_value,
)
from adapter.calls.output import CallArguments, CallBegun, CallEnded
from adapter.calls.reader import Cursor, Steps, literal, peek, space
from adapter.calls.tools import ToolBox

ARGUMENT_KEYS = ("arguments", "parameters")
_KEYS = ("name", "function", "type", "id", "index", *ARGUMENT_KEYS)
_MAX_LEVELS = 3


@dataclass(slots=True)
class _Found:
    name: str | None = None
    arguments: str | None = None
    begun: bool = False


def read_envelope(cursor: Cursor, tools: ToolBox, *, loose: bool) -> Steps[bool]:
    """Read one call. False if it is none: nothing was passed on then, and the cursor is anywhere.

    loose: the object may lack its arguments (a marker before it has said that it is a call). Also
    `{"type": "function", "function": {...}}` and arguments as a string with JSON in it are understood.
    """
    found, levels = _Found(), 0
    if not (yield from literal(cursor, "{")):
        return False
    while True:
        yield from space(cursor)
        key = yield from take_string(cursor)
        if key is None or (found.name is None and key not in _KEYS):
            return found.begun  # some other object: an answer must not wait for its end
        if not (yield from comma(cursor, ":")):
            return found.begun
        if key == "function" and levels < _MAX_LEVELS and (yield from literal(cursor, "{")):
            levels += 1
            continue
        if not (yield from _member(cursor, tools, key, found)):
            return found.begun
        while levels and (yield from comma(cursor, "}")):
            levels -= 1
        if not (yield from comma(cursor, ",")):
            break
    yield from space(cursor)
    if levels or not (yield from literal(cursor, "}")):
        return found.begun
    return (yield from _close(found, loose=loose))


def _member(cursor: Cursor, tools: ToolBox, key: str, found: _Found) -> Steps[bool]:
    """Read one value. False: this is no call, or a broken one."""
    if key == "name" and found.name is None:
        found.name = yield from take_string(cursor)
        return found.name is not None and found.name in tools
    if key in ARGUMENT_KEYS and not found.begun and found.arguments is None:
        return (yield from _arguments(cursor, found))
    return (yield from take_value(cursor)) is not None


def _arguments(cursor: Cursor, found: _Found) -> Steps[bool]:
    if found.name is not None and (yield from peek(cursor)) == "{":
        found.begun = True
        yield CallBegun(found.name)
        if (yield from stream_object(cursor)):
            yield CallEnded()
            return True
        return False
    text = yield from take_value(cursor)
    try:
        found.arguments = _as_object(text)
    except NotJson:
        return False
    return True


def _as_object(text: str | None) -> str:
    """The JSON text of the object that these arguments mean."""
    if text is None:
        raise NotJson("cut")
    value = parse_json(text)
    inner = text if not isinstance(value, str) else value
    if value is None or not inner.strip():
        return "{}"
    parse_object(inner)
    return inner


def _close(found: _Found, *, loose: bool) -> Steps[bool]:
    """The object is complete: pass on what could not be passed on before."""
    if found.begun:
        return True
    if found.name is None or (found.arguments is None and not loose):
        return False
    yield CallBegun(found.name)
    yield CallArguments(found.arguments or "{}")
    yield CallEnded()
    return True
