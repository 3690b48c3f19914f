"""Schemas of tools as clients send them -> plain JSON Schema, for servers that know nothing else. Pure.

google-adk writes the dialect of Gemini's API: type names in capitals, `any_of`, `nullable`, numbers as strings
(`protocols/pitwall.md` 4.2). References are written out, since nobody knows whether an app's runtime follows them
(`protocols/localllm.md` 7.3). What is not certain stays as it is, and the names of properties are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Far beyond any tool; what lies deeper or comes later is replaced by the schema that allows everything.
MAX_DEPTH = 24
MAX_NODES = 5_000

_RENAMED = {
    "any_of": "anyOf",
    "one_of": "oneOf",
    "all_of": "allOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "additional_properties": "additionalProperties",
    "unique_items": "uniqueItems",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "prefix_items": "prefixItems",
    "defs": "$defs",
    "ref": "$ref",
}
_TYPES = {
    **{name: name for name in ("object", "array", "string", "number", "integer", "boolean", "null")},
    "int": "integer", "float": "number", "double": "number", "str": "string", "bool": "boolean",
    "dict": "object", "list": "array", "none": "null",
}  # fmt: skip
# Gemini's proto writes 64-bit integers as strings.
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
# Only how things are shown to people, in words that JSON Schema has not.
_DROPPED = frozenset({"nullable", "property_ordering", "propertyOrdering"})
_ONE = frozenset({"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"})
_SEVERAL = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_BY_NAME = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_NULL: dict[str, Any] = {"type": "null"}


def repair_parameters(value: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool's arguments: `repair_schema`, and always an object with `properties`, which apps insist on."""
    schema = repair_schema(dict(value))
    schema["type"] = "object"
    if not isinstance(schema.get("properties"), dict):
        schema["properties"] = {}
    return schema


def repair_schema(value: dict[str, Any]) -> dict[str, Any]:
    """`value` as JSON Schema; a new object. Never raises, and takes a bounded time whatever it gets.

    Local references are written out where that ends and stays small; else all of them, and the definitions, remain.
    """
    repaired = _Repair().schema(value, 0)
    schema = repaired if isinstance(repaired, dict) else {}
    return _inlined(schema) if "$defs" in schema or "definitions" in schema else schema


class _Repair:
    def __init__(self) -> None:
        self._nodes = 0

    def schema(self, value: Any, depth: int) -> Any:
        if value is False:
            return False
        self._nodes += 1
        if not isinstance(value, dict) or depth > MAX_DEPTH or self._nodes > MAX_NODES:
            return {}
        found: dict[str, Any] = {}
        for given, part in value.items():
            name = str(_RENAMED.get(given, given))
            if name not in _DROPPED and (name == given or name not in value):
                self._keep(found, name, part, depth)
        return _nullable(found) if value.get("nullable") is True else found

    def _keep(self, found: dict[str, Any], name: str, part: Any, depth: int) -> None:
        """`part` repaired, where it is something that `name` can have at all."""
        if name == "type":
            if (kind := _type(part)) is not None:
                found[name] = kind
        elif name in _COUNTS:
            if (count := _count(part)) is not None:
                found[name] = count
        elif name in _ONE:
            found[name] = self._one(name, part, depth)
        elif name in _SEVERAL:
            if isinstance(part, list) and part:
                found[name] = [self.schema(item, depth + 1) for item in part]
        elif name in _BY_NAME:
            if isinstance(part, dict):
                found[name] = {key: self.schema(item, depth + 1) for key, item in part.items()}
        elif name == "required":
            if isinstance(part, list):
                found[name] = [item for item in part if isinstance(item, str)]
        elif part is not None or name in ("const", "default"):
            found[name] = part

    def _one(self, name: str, part: Any, depth: int) -> Any:
        if isinstance(part, bool) and name == "additionalProperties":
            return part
        if isinstance(part, list) and name == "items":  # a tuple, as drafts before 2020 wrote it
            return [self.schema(item, depth + 1) for item in part]
        return self.schema(part, depth + 1)


def _type(value: Any) -> str | list[str] | None:
    if isinstance(value, str):
        return _TYPES.get(value.lower())
    if isinstance(value, list):
        kinds = [_TYPES[item.lower()] for item in value if isinstance(item, str) and item.lower() in _TYPES]
        return list(dict.fromkeys(kinds)) or None
    return None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's `nullable`: null is allowed besides."""
    for several in ("anyOf", "oneOf"):
        if several in schema:
            options = schema[several]
            with_null = options if any(_allows_null(option) for option in options) else [*options, dict(_NULL)]
            schema = {**schema, several: with_null}
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema = {**schema, "type": list(dict.fromkeys([*kinds, "null"]))}
    enum = schema.get("enum")
    if isinstance(enum, list) and None not in enum:
        schema = {**schema, "enum": [*enum, None]}
    if "$ref" in schema and "type" not in schema:
        rest = {key: part for key, part in schema.items() if key != "$ref"}
        schema = {**rest, "anyOf": [{"$ref": schema["$ref"]}, dict(_NULL)]}
    return schema


def _allows_null(schema: Any) -> bool:
    kinds = schema.get("type") if isinstance(schema, dict) else None
    return kinds == "null" or (isinstance(kinds, list) and "null" in kinds)


# --- references -------------------------------------------------------------------------------------------------


class _Endless(Exception):
    """Writing the references out does not end, or becomes too long, or one leads nowhere."""


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = {
        f"#/{key}/{name}": part
        for key in ("$defs", "definitions")
        if isinstance(schema.get(key), dict)
        for name, part in schema[key].items()
    }
    body = {key: part for key, part in schema.items() if key not in ("$defs", "definitions")}
    nodes = 0

    def written_out(value: Any, depth: int, within: frozenset[str]) -> Any:
        nonlocal nodes
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH * 2:
            raise _Endless
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            if reference in within or reference not in definitions:
                raise _Endless
            beside = {key: part for key, part in value.items() if key != "$ref"}
            target = definitions[reference]
            if not isinstance(target, dict):
                raise _Endless
            return written_out({**target, **beside}, depth + 1, within | {reference})
        return _mapped(value, lambda part: written_out(part, depth + 1, within))

    try:
        found: dict[str, Any] = written_out(body, 0, frozenset())
    except _Endless:
        return schema
    return found


def _mapped(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """`schema` with `change` made to each schema directly in it."""
    found = dict(schema)
    for key, part in schema.items():
        if key in _ONE and isinstance(part, dict):
            found[key] = change(part)
        elif (key in _SEVERAL or key == "items") and isinstance(part, list):
            found[key] = [change(item) for item in part]
        elif key in _BY_NAME and isinstance(part, dict):
            found[key] = {name: change(item) for name, item in part.items()}
    return found
