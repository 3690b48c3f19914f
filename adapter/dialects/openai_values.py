"""Single values of a request, checked: what fails names the field and what it wants. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.errors import BadRequest


def kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def whole_text(value: str) -> str:
    """Half surrogate pairs (a client cut an emoji in two) become U+FFFD: they cannot be sent on as UTF-8."""
    if value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def wrong_type(param: str, wanted: str, value: object) -> BadRequest:
    return BadRequest(f"'{param}' must be {wanted}, not {kind_of(value)}.", param=param)


def boolean(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise wrong_type(name, "true or false", value)
    return value


def number(given: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, f"a number from {low:g} to {high:g}", value)
    if not low <= value <= high:
        raise BadRequest(f"'{name}' must be from {low:g} to {high:g}; got {value!s:.40}.", param=name)
    return float(value)


def integer(given: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float):
        raise BadRequest(f"'{name}' must be a whole number, not {value:g}.", param=name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "a whole number", value)
    if not low <= value <= high:
        raise BadRequest(f"'{name}' must be from {low} to {high}; got {value!s:.40}.", param=name)
    return value


def json_text(value: object, where: str) -> str:
    """A value of the parsed request as JSON text again, keys in their order, fit for UTF-8."""
    try:
        return whole_text(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except ValueError:  # 1e999 was read as infinity, which JSON has no word for
        raise BadRequest(f"'{where}' holds a number that is too large.", param=where) from None


def one_of(given: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The one field of `names` that was given, `None` if none was. Raises `BadRequest` for several."""
    sent = [name for name in names if name in given]
    if len(sent) > 1:
        raise BadRequest(f"'{sent[1]}' and '{sent[0]}' ask for the same; send only one of them.", param=sent[1])
    return sent[0] if sent else None


def token_id(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise BadRequest(f"'{where}' must be a token id, a whole number from 0.", param=where)
    return value
