"""Does a JSON value fit a JSON Schema? For what a grammar cannot hold a model to. Pure.

Covers the words of drafts 7 and 2020-12 that constrain a value, except `unevaluated*`, `$dynamicRef` and references out of the
schema. Work is bounded: patterns run on automata of our own, each (schema, value) pair is looked at once. A pattern that
these automata cannot read (look-behind, back references) is passed over, because such patterns can take for ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator
from fractions import Fraction
from typing import Any

from adapter.constrain import automaton, nfa, regex, words

_MAX_STEPS = 500_000
_MAX_DEEP = 200
_MISSING = object()


def check_value(schema: Any, value: Any) -> str | None:
    """The first violation as a sentence with its place ("at $.items[2].age: 130 is more than the maximum 120"), or `None`."""
    return Checker(schema).first(schema, value)


def check_json(schema: Any, text: str) -> str | None:
    """The same for JSON text."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return f"at $: this is not JSON ({error})"
    return check_value(schema, value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


class _TooMuch(Exception):
    pass


class Checker:
    """Values against schemas inside `root`. What is inside yields or returns violations, the first of which counts."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], str | None] = {}
        self._machines: dict[tuple[str, bool], automaton.Machine | None] = {}
        self._enums: dict[int, frozenset[Hashable]] = {}
        self._matcher = automaton.Matcher()
        self._steps = 0

    def first(self, schema: Any, value: Any) -> str | None:
        """As `check_value`; references lead into the root."""
        self._steps = 0
        self._matcher = automaton.Matcher()
        self._known.clear()  # what it knows, it knows by id; schemas live longer than values
        try:
            return self._first(schema, value, "$", 0)
        except RecursionError:
            return "at $: the value is nested too deeply to be checked"
        except _TooMuch as error:
            return f"at {error}: the value is too large to be checked"

    def _first(self, schema: Any, value: Any, path: str, deep: int) -> str | None:
        self._steps += 1
        if self._steps > _MAX_STEPS or deep > _MAX_DEEP:
            raise _TooMuch(path)
        if schema is False:
            return _at(path, "nothing is allowed here")
        if not isinstance(schema, dict):
            return None
        if value is None and schema.get("nullable") is True:
            return None
        key = (id(schema), id(value))
        if key not in self._known:
            self._known[key] = _at(path, "the schema refers to itself without end")  # the answer until there is one
            self._known[key] = next(self._violations(schema, value, path, deep + 1), None)
        return self._known[key]

    def _violations(self, schema: dict[str, Any], value: Any, path: str, deep: int) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._ref(schema["$ref"], value, path, deep)
        yield from self._basic(schema, value, path)
        if isinstance(value, str):
            yield from self._string(schema, value, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from _number(schema, value, path)
        elif isinstance(value, list):
            yield from self._array(schema, value, path, deep)
        elif isinstance(value, dict):
            yield from self._object(schema, value, path, deep)
        yield from self._combined(schema, value, path, deep)

    def _ref(self, ref: Any, value: Any, path: str, deep: int) -> Iterator[str]:
        try:
            target = words.resolve(self._root, ref)
        except words.RefError as error:
            yield _at(path, str(error))
            return
        found = self._first(target, value, path, deep)
        if found:
            yield found

    def _basic(self, schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
        wanted = schema.get("type")
        if wanted is not None:
            names = [one for one in (wanted if isinstance(wanted, list) else [wanted]) if isinstance(one, str)]
            if words.types_of(value).isdisjoint(names):
                yield _at(path, f"{_show(value)} is not of type {' or '.join(names)}")
        if "const" in schema and words.identity(value) != words.identity(schema["const"]):
            yield _at(path, f"{_show(value)} is not {_show(schema['const'])}")
        enum = schema.get("enum")
        if isinstance(enum, list):
            if id(enum) not in self._enums:
                self._enums[id(enum)] = frozenset(words.identity(one) for one in enum)
            if words.identity(value) not in self._enums[id(enum)]:
                yield _at(path, f"{_show(value)} is none of {_show(enum)}")

    def _string(self, schema: dict[str, Any], value: str, path: str) -> Iterator[str]:
        if len(value) < _size(schema, "minLength", 0):
            yield _at(path, f"{_show(value)} is shorter than {schema['minLength']} characters")
        if len(value) > _size(schema, "maxLength", math.inf):
            yield _at(path, f"{_show(value)} is longer than {schema['maxLength']} characters")
        pattern, form = schema.get("pattern"), schema.get("format")
        if isinstance(pattern, str):
            machine = self._machine(pattern)
            fits = machine is None or self._matcher.matches(machine, value)
            if fits is None:
                yield _at(path, f"{_show(value)} is too long to be checked against the pattern {pattern}")
            if not fits:
                yield _at(path, f"{_show(value)} does not match the pattern {pattern}")
        elif isinstance(form, str) and form in words.FORMATS:
            machine = self._machine(words.FORMATS[form], whole=True)
            if machine is not None and self._matcher.matches(machine, value) is False:
                yield _at(path, f"{_show(value)} is not a {form}")

    def _machine(self, pattern: str, *, whole: bool = False) -> automaton.Machine | None:
        """`None` for a pattern that cannot be read."""
        key = (pattern, whole)
        if key not in self._machines:
            try:
                self._machines[key] = nfa.machine(regex.parse(pattern), whole=whole)
            except (regex.PatternError, automaton.TooBig):
                self._machines[key] = None
        return self._machines[key]

    def _array(self, schema: dict[str, Any], value: list[Any], path: str, deep: int) -> Iterator[str]:
        if len(value) < _size(schema, "minItems", 0):
            yield _at(path, f"there are {len(value)} items, fewer than the minimum {schema['minItems']}")
        if len(value) > _size(schema, "maxItems", math.inf):
            yield _at(path, f"there are {len(value)} items, more than the maximum {schema['maxItems']}")
        if schema.get("uniqueItems") is True and len({words.identity(one) for one in value}) < len(value):
            yield _at(path, "two items are equal")
        heads, rest = tuple_parts(schema)
        for number, item in enumerate(value):
            found = self._first(heads[number] if number < len(heads) else rest, item, f"{path}[{number}]", deep)
            if found:
                yield found
        if "contains" in schema:
            count = sum(self._first(schema["contains"], item, path, deep) is None for item in value)
            if count < _size(schema, "minContains", 1):
                yield _at(path, f"{count} items are as `contains` wants them, fewer than {schema.get('minContains', 1)}")
            if count > _size(schema, "maxContains", math.inf):
                yield _at(path, f"{count} items are as `contains` wants them, more than {schema['maxContains']}")

    def _object(self, schema: dict[str, Any], value: dict[str, Any], path: str, deep: int) -> Iterator[str]:
        if len(value) < _size(schema, "minProperties", 0):
            yield _at(path, f"there are {len(value)} keys, fewer than the minimum {schema['minProperties']}")
        if len(value) > _size(schema, "maxProperties", math.inf):
            yield _at(path, f"there are {len(value)} keys, more than the maximum {schema['maxProperties']}")
        for name in _names(schema.get("required")):
            if name not in value:
                yield _at(path, f"the key {_show(name)} is missing")
        properties = _mapping(schema.get("properties"))
        patterns = _mapping(schema.get("patternProperties"))
        for name, one in value.items():
            place = _below(path, name)
            known = [properties[name]] if name in properties else []
            machines = [(self._machine(pattern), sub) for pattern, sub in patterns.items()]
            known += [sub for machine, sub in machines if machine is not None and self._matcher.matches(machine, name)]
            unread = any(machine is None for machine, _ in machines)
            if not known and not unread and "additionalProperties" in schema:
                known = [schema["additionalProperties"]]
                if known == [False]:
                    yield _at(path, f"the key {_show(name)} is not allowed")
            for sub in known:
                found = self._first(sub, one, place, deep)
                if found:
                    yield found
            if "propertyNames" in schema:
                found = self._first(schema["propertyNames"], name, f"{place} (the key itself)", deep)
                if found:
                    yield found
        yield from self._dependent(schema, value, path, deep)

    def _dependent(self, schema: dict[str, Any], value: dict[str, Any], path: str, deep: int) -> Iterator[str]:
        for word in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, wanted in _mapping(schema.get(word)).items():
                if name not in value:
                    continue
                if isinstance(wanted, list):
                    for other in _names(wanted):
                        if other not in value:
                            yield _at(path, f"the key {_show(other)} is missing beside {_show(name)}")
                elif found := self._first(wanted, value, path, deep):
                    yield found

    def _combined(self, schema: dict[str, Any], value: Any, path: str, deep: int) -> Iterator[str]:
        for sub in _list(schema.get("allOf")):
            if found := self._first(sub, value, path, deep):
                yield found
        if options := _list(schema.get("anyOf")):
            failures = [self._first(sub, value, path, deep) for sub in options]
            if None not in failures:
                yield _at(path, f"it fits none of the {len(options)} schemas of anyOf; of the first: {failures[0]}")
        if options := _list(schema.get("oneOf")):
            fitting = sum(self._first(sub, value, path, deep) is None for sub in options)
            if fitting != 1:
                yield _at(path, f"it fits {fitting} schemas of oneOf instead of exactly one")
        if "not" in schema and self._first(schema["not"], value, path, deep) is None:
            yield _at(path, f"{_show(value)} is what `not` excludes")
        if "if" in schema:
            branch = "else" if self._first(schema["if"], value, path, deep) else "then"
            if found := self._first(schema.get(branch, True), value, path, deep):
                yield found


def tuple_parts(schema: dict[str, Any]) -> tuple[list[Any], Any]:
    """The schemas of an array's first items, and the one of all others."""
    items = schema.get("items", True)
    if isinstance(items, list):  # as in draft 7
        return items, schema.get("additionalItems", True)
    return _list(schema.get("prefixItems")), items


def _number(schema: dict[str, Any], value: float, path: str) -> Iterator[str]:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    if schema.get("exclusiveMinimum") is True:  # as in draft 4
        low, above = None, low
    if schema.get("exclusiveMaximum") is True:
        high, below = None, high
    if low is not None and value < low:
        yield _at(path, f"{_show(value)} is less than the minimum {low}")
    if high is not None and value > high:
        yield _at(path, f"{_show(value)} is more than the maximum {high}")
    if above is not None and value <= above:
        yield _at(path, f"{_show(value)} is not more than {above}")
    if below is not None and value >= below:
        yield _at(path, f"{_show(value)} is not less than {below}")
    step = _bound(schema, "multipleOf")
    if step is not None and step > 0 and not (math.isfinite(value) and _ratio(value) % _ratio(step) == 0):
        yield _at(path, f"{_show(value)} is not a multiple of {step}")


def _ratio(value: float) -> Fraction:
    """As it was written: 0.1 is a tenth."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def _bound(schema: dict[str, Any], word: str) -> float | None:
    value = schema.get(word)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _size(schema: dict[str, Any], word: str, default: float) -> float:
    value = _bound(schema, word)
    return default if value is None else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: Any) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _at(path: str, what: str) -> str:
    return f"at {path}: {what}"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if name.isidentifier() else f"{path}[{_show(name)}]"


def _show(value: Any) -> str:
    text = words.json_text(value)
    return text if len(text) <= 80 else text[:77] + "..."
