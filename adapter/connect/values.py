"""Edits on plain data, and secrets inside values. Pure.

What an edit of a text must come to is computed here on the data that the text stands for; `edits.py` holds its result against it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

from adapter.connect.parts import Put, PutEntries, Secret

# How much of a key is shown: enough to tell two apart, too little to guess the rest. A token's head says only that it is one.
SHOWN_CHARS = 4
TOKEN_HEAD = "sk-fh1."
# Of a text whose edit did not come out as it should: nothing of it is kept.
UNUSUAL = "this file is written in a way that cannot be edited without harm; put the configuration in by hand"


class EditError(Exception):
    """This text cannot be edited so, and was not. line, column: where in it, from 1; 0: nowhere in particular."""

    def __init__(self, why: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"line {line}, column {column}: {why}" if line else why)
        self.line, self.column = line, column


class Missing:
    """What is not there, since `None` may well be."""


MISSING = Missing()


# --- edits on data ------------------------------------------------------------------------------------------


def applied(data: Any, edits: Sequence[Put | PutEntries]) -> Any:
    """`data` (`MISSING` for an empty file) with the edits done; itself stays as it is.

    Raises `EditError` where a path leads through something else than mappings.
    """
    for edit in edits:
        data = _with(data, edit.path, _change(edit), edit.path)
    return {} if data is MISSING else data


def _change(edit: Put | PutEntries) -> Callable[[Any], Any]:
    match edit:
        case Put(value=value, absent_only=absent_only):
            return lambda old: old if absent_only and old is not MISSING else plain(value)
        case PutEntries():
            return lambda old: _entries(old, edit)


def _with(data: Any, rest: tuple[str, ...], change: Callable[[Any], Any], path: tuple[str, ...]) -> Any:
    if not rest:
        return change(data)
    if data is MISSING or data is None:
        data = {}
    if not isinstance(data, dict):
        raise not_a_mapping(path[: len(path) - len(rest)])
    return {**data, rest[0]: _with(data.get(rest[0], MISSING), rest[1:], change, path)}


def _entries(old: Any, edit: PutEntries) -> Any:
    if old is MISSING or old is None:
        return plain(edit.entries)
    if not isinstance(old, list):
        raise not_a_list(edit.path)
    fresh = [*plain(edit.entries)]
    kept = []
    for item in old:
        if not is_ours(edit, item):
            kept.append(item)
        elif fresh:
            kept.append(fresh.pop(0))
    return kept + fresh


def is_ours(edit: PutEntries, item: Any) -> bool:
    """An entry that a target cannot make sense of is somebody else's."""
    try:
        return edit.ours(copy.deepcopy(item))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return False


def not_a_mapping(path: Sequence[str]) -> EditError:
    return EditError(f"{dotted(path)} is not a mapping of names to values, so that nothing can be put into it; mend it by hand")


def not_a_list(path: Sequence[str]) -> EditError:
    return EditError(f"{dotted(path)} is not a list, so that no entry can be added to it; mend it by hand")


def dotted(path: Sequence[str]) -> str:
    return repr(".".join(path)) if path else "the whole file"


def same(one: Any, other: Any) -> bool:
    """Equal, types included: `True` is not `1`, `1` not `1.0`; NaN is NaN. The order of keys does not count."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


# --- secrets ------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Secrets as their text, tuples as lists: what a file holds."""
    return _mapped(value, lambda secret: secret.value)


def masked(value: Any) -> Any:
    """The same with secrets shortened, as they are shown."""
    return _mapped(value, lambda secret: mask(secret.value))


def mask(key: str) -> str:
    head = TOKEN_HEAD if key.startswith(TOKEN_HEAD) else ""
    return f"{head}{key[len(head) :][:SHOWN_CHARS]}…" if len(key) > len(head) + 2 * SHOWN_CHARS else "…" * bool(key)


def has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_secret, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_secret, value))
    return isinstance(value, Secret)


def _mapped(value: Any, told: Callable[[Secret], str]) -> Any:
    match value:
        case Secret():
            return told(value)
        case dict():
            return {key: _mapped(item, told) for key, item in value.items()}
        case list() | tuple():
            return [_mapped(item, told) for item in value]
        case _:
            return value
