"""Fields of a request in Gemini's form: their names in both spellings, lists of one, and where they stand. Pure.

Google's own server takes `systemInstruction` and `system_instruction`, and an object where a list is due
(`"contents": {"parts": {"text": "hi"}}` stands in its documents); so do we.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.dialects.openai_values import whole_text, wrong_type
from adapter.errors import BadRequest


def fields(value: object, where: str) -> dict[str, Any]:
    """An object's fields under their names in camel case, without nulls. where: "" for the whole body.

    Raises `BadRequest` for what is no object, and for a field that is given in both spellings.
    """
    if not isinstance(value, Mapping):
        raise wrong_type(where, "an object", value)
    found: dict[str, Any] = {}
    for key, part in value.items():
        if part is None:
            continue
        name = camel(key)
        if name in found:
            raise BadRequest(f"'{at(where, name)}' is given twice, as '{name}' and in snake case; send one of them.", param=at(where, name))
        found[name] = part
    return found


def camel(name: str) -> str:
    """`max_output_tokens` -> `maxOutputTokens`. A leading underscore stays."""
    if "_" not in name[1:]:
        return name
    head, *rest = name[1:].split("_")
    return name[0] + head + "".join(word[:1].upper() + word[1:] for word in rest)


def at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def listed(value: object, where: str) -> list[Any]:
    """A list; an object counts as a list of itself, nothing as an empty one."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [value]
    if not isinstance(value, list):
        raise wrong_type(where, "an array", value)
    return value


def text_of(given: Mapping[str, Any], name: str, where: str) -> str:
    """A string field; "" where there is none."""
    value = given.get(name, "")
    if not isinstance(value, str):
        raise wrong_type(at(where, name), "a string", value)
    return whole_text(value)


def placed(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same fields under their full names, for the checks of `openai_values`."""
    return {at(where, name): value for name, value in given.items()}
