"""JSON Schema's words and values: names of types, equality, references, formats. Pure."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any
from urllib.parse import unquote

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# A schema that has one of these and no `type` means these values, although the standard lets all others pass.
MEANT = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
               "maxProperties", "dependentRequired", "dependentSchemas"),
    "array": ("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip

_DAY = r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2\d))"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
# As patterns for the whole text. Others are no rule, as the standard allows. February always has up to 29 days.
FORMATS = {
    "date": rf"\d{{4}}-{_DAY}",
    "time": _TIME,
    "date-time": rf"\d{{4}}-{_DAY}T{_TIME}",
    "duration": r"P(?:\d{1,9}W|\d{1,9}Y(?:\d{1,9}M)?(?:\d{1,9}D)?|\d{1,9}M(?:\d{1,9}D)?|\d{1,9}D"
    r"|(?:\d{1,9}Y)?(?:\d{1,9}M)?(?:\d{1,9}D)?T(?:\d{1,9}H(?:\d{1,9}M)?(?:\d{1,9}S)?|\d{1,9}M(?:\d{1,9}S)?|\d{1,9}S))",
    "uuid": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "ipv4": rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}",
    "hostname": rf"{_LABEL}(?:\.{_LABEL})*",
    "email": rf"{_LOCAL}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{{2,}}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+",
}


def json_text(value: Any) -> str:
    """A JSON value as text. Surrogates by themselves, which text cannot hold, stay escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(c):04x}" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)


def types_of(value: Any) -> frozenset[str]:
    """The types of JSON Schema that a value has."""
    if value is None:
        return frozenset({"null"})
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int):
        return frozenset({"integer", "number"})
    if isinstance(value, float):
        return frozenset({"integer", "number"} if value.is_integer() else {"number"})
    return frozenset({"string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"})


def identity(value: Any) -> Hashable:
    """Equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, list):
        return ("array", tuple(identity(one) for one in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, identity(one)) for key, one in value.items()))
    return (isinstance(value, bool), value)


class RefError(ValueError):
    """A reference that leads nowhere; the text is a sentence."""


def resolve(root: Any, ref: Any) -> Any:
    """The schema that a reference inside `root` names. Raises `RefError`."""
    if not isinstance(ref, str) or not ref.startswith("#") or ref[1:2] not in ("", "/"):
        raise RefError(f"$ref {_short(ref)} does not point into this schema. Copy what it names to #/$defs.")
    node = root
    for part in ref[1:].split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isascii() and key.isdigit() and len(key) < 7 and int(key) < len(node):
            node = node[int(key)]
        else:
            raise RefError(f"$ref {_short(ref)} names nothing in this schema.")
    return node


def pointer(path: str, *keys: object) -> str:
    """`path` and below it `keys`, as a JSON pointer."""
    return path + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
