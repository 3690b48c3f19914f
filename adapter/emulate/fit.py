"""A value that does not fit its schema, made to fit where there is only one way. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapter.calls.values import kinds, resolved
from adapter.constrain.check import check_value, tuple_parts
from adapter.constrain.words import types_of
from adapter.emulate.loose import strict_value
from adapter.emulate.shapes import ARGUMENT_KEYS

_MAX_STEPS = 5_000
_MAX_DEPTH = 100
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def fit(schema: dict[str, Any], value: Any) -> tuple[Any, list[str], str | None]:
    """The value, changed where that is certain; what was changed, in words; and what is still wrong, `None` if nothing."""
    wrong = check_value(schema, value)
    fitter = _Fitter(schema)
    changed = fitter.fit(schema, value, "$", 0)
    if wrong is None and not fitter.integers_only:
        return value, [], None  # it fits as it is; nothing else is our business
    left = check_value(schema, changed)
    if left is None:
        return changed, fitter.notes, None
    return value, [], wrong if wrong is not None else left


def fit_arguments(schema: dict[str, Any], value: Any) -> tuple[Any, list[str], str | None]:
    """The same for a call's arguments; a wrapping too many around them is removed."""
    found = fit(schema, value)
    for inner in _unwrapped(schema, value) if found[2] is not None else ():
        better = fit(schema, inner)
        if better[2] is None:
            return better[0], ["a wrapping too many removed", *better[1]], None
    return found


def _unwrapped(schema: dict[str, Any], value: Any) -> Iterator[Any]:
    known = schema.get("properties")
    known = known if isinstance(known, dict) else {}
    if not isinstance(value, dict) or not value:
        return
    for key in ARGUMENT_KEYS:
        if key not in known and isinstance(value.get(key), dict) and set(value) <= {key, "name", "type"}:
            yield value[key]
    inner = next(iter(value.values()))
    if len(value) == 1 and isinstance(inner, dict) and inner and set(inner) <= set(known):
        yield inner


class _Fitter:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._steps = 0
        self.notes: list[str] = []

    @property
    def integers_only(self) -> bool:
        """Is all that was changed 12.0 for 12, which fits both ways but breaks clients that want an integer?"""
        return bool(self.notes) and all(note.endswith("written as an integer") for note in self.notes)

    def fit(self, schema: Any, value: Any, path: str, deep: int) -> Any:
        self._steps += 1
        schema = resolved(schema, self._root)
        if not schema or self._steps > _MAX_STEPS or deep > _MAX_DEPTH:
            return value
        options = schema.get("anyOf", schema.get("oneOf"))
        if isinstance(options, list) and options:
            value = self._either(options, value, path, deep)
        for part in schema["allOf"] if isinstance(schema.get("allOf"), list) else ():
            value = self.fit(part, value, path, deep + 1)
        value = self._option(schema, self._typed(schema, value, path), path)
        if isinstance(value, dict):
            return self._object(schema, value, path, deep)
        if isinstance(value, list):
            heads, rest = tuple_parts(schema)
            return [
                self.fit(heads[number] if number < len(heads) else rest, one, f"{path}[{number}]", deep + 1)
                for number, one in enumerate(value)
            ]
        return value

    def _either(self, options: list[Any], value: Any, path: str, deep: int) -> Any:
        """The only result that fits one of several schemas."""
        rooted = [self._rooted(option) for option in options]
        if any(check_value(option, value) is None for option in rooted):
            return value
        results: list[tuple[Any, list[str]]] = []
        before = list(self.notes)
        for plain, option in zip(options, rooted, strict=True):
            self.notes = list(before)
            changed = self.fit(plain, value, path, deep + 1)
            if check_value(option, changed) is None and all(changed != one for one, _ in results):
                results.append((changed, self.notes))
        self.notes = before
        if len(results) != 1:
            return value
        self.notes = results[0][1]
        return results[0][0]

    def _rooted(self, schema: Any) -> Any:
        """The schema by itself, with the definitions that it may refer to."""
        shared = {key: self._root[key] for key in ("$defs", "definitions") if key in self._root}
        return {**schema, **shared} if isinstance(schema, dict) else schema

    def _typed(self, schema: dict[str, Any], value: Any, path: str) -> Any:
        """The value in a type that the schema wants, if it says the same there."""
        wanted = kinds(schema, self._root)
        if isinstance(value, float) and value.is_integer() and "integer" in wanted and "number" not in wanted:
            self.notes.append(f"{path} written as an integer")
            return int(value)
        if not wanted or types_of(value) & wanted:
            return value
        found: Any = None
        if isinstance(value, str):
            found = _of_text(value.strip(), wanted)
        elif isinstance(value, int) and not isinstance(value, bool) and wanted <= {"string", "null"}:
            found = str(value)
        if found is None and wanted <= {"array", "null"} and value is not None:
            self.notes.append(f"{path} put into a list")
            return [value]
        if found is None:
            return value
        self.notes.append(f"{path} read as {next(iter(types_of(found) & wanted), 'another type')}")
        return found

    def _option(self, schema: dict[str, Any], value: Any, path: str) -> Any:
        options = [schema["const"]] if "const" in schema else schema.get("enum")
        if not isinstance(value, str) or not isinstance(options, list) or value in options:
            return value
        alike = [one for one in options if isinstance(one, str) and plain(one) == plain(value)]
        if len(alike) != 1:
            return value
        self.notes.append(f"{path} spelled as in the schema")
        return alike[0]

    def _object(self, schema: dict[str, Any], value: dict[str, Any], path: str, deep: int) -> dict[str, Any]:
        known = schema.get("properties")
        known = known if isinstance(known, dict) else {}
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        found: dict[str, Any] = {}
        for name, one in value.items():
            place = f"{path}.{name[:80]}"
            key = self._key(name, known, value, place)
            if key not in known:
                if closed and known:
                    self.notes.append(f"{place} dropped, as the schema has no such key")
                else:
                    found[name] = one
            elif one is None and key not in required and not _allows_null(known[key], self._root):
                self.notes.append(f"{place} dropped, as null stands for nothing")
            else:
                found[key] = self.fit(known[key], one, place, deep + 1)
        return found

    def _key(self, name: str, known: dict[str, Any], value: dict[str, Any], place: str) -> str:
        if name in known:
            return name
        alike = [one for one in known if plain(one) == plain(name) and one not in value]
        if len(alike) != 1:
            return name
        self.notes.append(f"{place} spelled as in the schema")
        return alike[0]


def _of_text(text: str, wanted: set[str]) -> Any:
    """What a string says, if that is a value of one of these types; `None` if not."""
    if "boolean" in wanted and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if wanted & {"integer", "number"} and _NUMBER.fullmatch(text):
        number = float(text) if "." in text else int(text)
        if isinstance(number, int) or "number" in wanted:
            return number
        return int(number) if number.is_integer() else None
    if wanted & {"object", "array"} and text[:1] in "{[" and text:
        read = strict_value(text)
        if read is not None and read[1] == len(text) and types_of(read[0]) & wanted:
            return read[0]
    return None


def _allows_null(schema: Any, root: dict[str, Any]) -> bool:
    found = resolved(schema, root)
    named = kinds(found, root)
    return not named or "null" in named or found.get("nullable") is True


def plain(text: str) -> str:
    """Without what people and models write differently: case, and what stands between words."""
    return re.sub(r"[\s_\-]+", " ", text).strip().casefold()
