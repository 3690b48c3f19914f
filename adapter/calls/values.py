"""Arguments that come as plain text or as Python: their JSON, by the tool's schema. Pure."""

from __future__ import annotations

from typing import Any

from adapter.calls.json_text import MAX_DEPTH, NotJson, parse_json, to_json
from adapter.calls.python_value import python_value
from adapter.calls.reader import Cursor

_KINDS = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}
_MAX_REFS = 8
# Words that say nothing about which strings are right.
_NOTES = frozenset(
    ("type", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment")
)


def resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The schema with a local `$ref` followed; `{}` for one that says nothing."""
    for _ in range(_MAX_REFS):
        if not isinstance(schema, dict):
            return {}
        target = schema.get("$ref")
        if not isinstance(target, str) or not target.startswith("#/"):
            return schema
        found: Any = root
        for part in target[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        schema = found
    return {}


def kinds(schema: Any, root: dict[str, Any], *, levels: int = _MAX_REFS) -> set[str]:
    """The JSON types that the schema names, of all its alternatives; empty where it names none."""
    schema = resolved(schema, root)
    named = schema.get("type")
    if named:
        return {kind for kind in (named if isinstance(named, list) else [named]) if isinstance(kind, str)}
    options = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(options, list):
        return {_kind(option) for option in options}
    parts = schema.get("anyOf", schema.get("oneOf"))
    if not isinstance(parts, list) or not levels:
        return set()
    found = [kinds(part, root, levels=levels - 1) for part in parts]
    return set().union(*found) if all(found) else set()


def says_more(schema: dict[str, Any]) -> bool:
    """Does the schema of a string restrict which strings are right?"""
    return not _NOTES.issuperset(schema)


def json_of(text: str, schema: Any, root: dict[str, Any]) -> str:
    """The JSON of a value that a model wrote as bare text. A string where it can be nothing else."""
    wanted = kinds(schema, root)
    if wanted == {"string"}:
        return to_json(text)
    try:
        value = _value(text.strip())
    except NotJson:
        return to_json(text)
    if wanted and _kind(value) not in wanted and not (_kind(value) == "integer" and "number" in wanted):
        if "string" in wanted:
            return to_json(text)
        if isinstance(value, float) and value.is_integer() and "integer" in wanted:
            value = int(value)
    return to_json(value)


def _value(text: str) -> Any:
    try:
        return parse_json(text)
    except NotJson:
        return _from_python(text)


def _from_python(text: str) -> Any:
    cursor = Cursor()
    cursor.push(text)
    cursor.ended = True
    try:
        next(steps := python_value(cursor, MAX_DEPTH))
    except StopIteration as done:
        if done.value is not None and cursor.at == len(text):
            return parse_json(done.value)
    else:
        steps.close()
    raise NotJson("neither JSON nor Python")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return next((name for name, kind in _KINDS.items() if isinstance(value, kind)), "")
