"""JSON as Gson reads and writes it: nulls left out, five characters escaped, types bent a little (protocols/localllm.md 3)."""

from __future__ import annotations

import json
from typing import Any

_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&='\u2028\u2029"})


class WrongType(Exception):
    """A field has a type that Gson does not bend into the declared one."""


def dumps(value: Any) -> str:
    """Compact JSON text. The escaped characters occur only inside strings, so the text as a whole is translated."""
    return json.dumps(_without_nulls(value), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)


def encode(text: str) -> bytes:
    """UTF-8 as Java writes it: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace")


def to_doubles(value: Any) -> Any:
    """Whole numbers as doubles, as a map comes out of Gson where nobody declared a type (7.3)."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case dict():
            return {name: to_doubles(item) for name, item in value.items()}
        case list():
            return [to_doubles(item) for item in value]
        case _:
            return value


def string(value: Any) -> str | None:
    """A declared String: numbers and booleans become their text."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise WrongType("IllegalStateException: Expected a string")


def number(value: Any) -> float | None:
    """A declared Double: a string that spells a number passes."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongType("IllegalStateException: Expected a double")
    try:
        return float(value)
    except ValueError:
        raise WrongType("NumberFormatException: not a number") from None


def integer(value: Any) -> int | None:
    """A declared Int: `3.0` passes, `3.5` does not."""
    as_double = number(value)
    if as_double is None:
        return None
    if not as_double.is_integer() or abs(as_double) >= 2**31:
        raise WrongType("NumberFormatException: Expected an int")
    return int(as_double)


def boolean(value: Any) -> bool | None:
    """A declared Boolean: a string is true if it spells so, whatever else it says is false."""
    match value:
        case None | bool():
            return value
        case str():
            return value.lower() == "true"
        case _:
            raise WrongType("IllegalStateException: Expected a boolean")


def _without_nulls(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_nulls(item) for name, item in value.items() if item is not None}
        case list() | tuple():
            return [_without_nulls(item) for item in value]
        case _:
            return value
