"""Schemas taken together: what `$ref`, `allOf` and the words beside them demand of one value, as one record. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapter.constrain import bounds, words
from adapter.constrain.numbers import Limits, exact
from adapter.errors import BadRequest


class Impossible(Exception):
    """No value fits. The text is a sentence that says where and why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path or '/'}: {why}")


@dataclass(frozen=True, slots=True)
class Located:
    """A schema and where it stands: a JSON pointer."""

    schema: Any
    path: str


# Schemas that must all hold; none, and anything goes.
Node = tuple[Located, ...]


@dataclass(slots=True)
class Keys:
    """What one schema says about an object's keys. extra: `None` where it says nothing about those it does not name."""

    named: dict[str, Located] = field(default_factory=dict)
    patterns: tuple[tuple[str, Located], ...] = ()
    extra: Located | None = None


@dataclass(slots=True)
class Items:
    """What one schema says about an array's items. rest: `None` where it says nothing."""

    heads: tuple[Located, ...] = ()
    rest: Located | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least one of these must hold. one_of: "/path oneOf" where it must be exactly one, else ""."""

    options: tuple[Located, ...]
    one_of: str = ""


@dataclass(slots=True)
class Source:
    """What schemas are read from. root: where references lead. param: the request's field, for errors."""

    root: Any
    param: str | None
    # `nullable` taken apart; kept, so that a schema stays one object however often it is looked at
    _halves: dict[int, tuple[Any, Any, Any]] = field(default_factory=dict)
    _looks: int = 0

    def halves(self, schema: dict[str, Any]) -> tuple[Any, Any]:
        """A schema without its `nullable`, and the one for null."""
        if id(schema) not in self._halves:
            plain = {word: value for word, value in schema.items() if word != "nullable"}
            self._halves[id(schema)] = (schema, plain, {"type": "null"})
        return self._halves[id(schema)][1:]

    def count(self) -> None:
        self._looks += 1
        if self._looks > bounds.MAX_COMBINATIONS:
            remedy = "Nest anyOf, allOf and $ref less."
            raise bounds.too_large("combinations of schemas", bounds.MAX_COMBINATIONS, remedy, self.param)


@dataclass(slots=True)
class Flat:
    """All that a node demands. groups: all of them must hold too. later: what nobody expresses, as "/path word"."""

    path: str
    types: frozenset[str] = words.TYPES
    typed: bool = False
    meant: set[str] = field(default_factory=set)
    values: list[Any] | None = None
    limits: Limits = field(default_factory=Limits)
    length: tuple[int, int | None] = (0, None)
    patterns: list[tuple[str, str]] = field(default_factory=list)  # with their paths
    format: str = ""
    keys: list[Keys] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    key_names: list[Located] = field(default_factory=list)
    key_count: tuple[int, int | None] = (0, None)
    items: list[Items] = field(default_factory=list)
    item_count: tuple[int, int | None] = (0, None)
    groups: list[Group] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    @property
    def only_groups(self) -> bool:
        """Is there nothing but groups?"""
        plain = Flat(self.path, groups=self.groups, later=self.later)
        return self == plain


_LATER = ("not", "if", "contains", "dependentRequired", "dependentSchemas", "dependencies", "multipleOf", "uniqueItems")
_MAX_REFS = 100
_NO_BOUND = 1e150  # no number that our grammars allow is beyond


def flatten(node: Node, source: Source) -> Flat:
    """Its groups are those of the node's schemas, in their order. Raises `Impossible`, and `BadRequest` for what is no schema."""
    flat = Flat(node[0].path if node else "")
    for one in node:
        _Flattener(flat, source).add(one, 0)
    return flat


class _Flattener:
    def __init__(self, flat: Flat, source: Source) -> None:
        self._flat = flat
        self._source = source
        self._param = source.param

    def add(self, one: Located, deep: int) -> None:
        schema, path = one.schema, one.path
        self._source.count()
        if schema is True:
            return
        if schema is False:
            raise Impossible(path, "the schema is false, which no value fits.")
        if not isinstance(schema, dict):
            raise self._bad(path, "a schema is an object, or true or false")
        if deep > _MAX_REFS:
            raise self._bad(path, "the schema refers to itself without end")
        if schema.get("nullable") is True:
            plain, null = self._source.halves(schema)
            self._flat.groups.append(Group((Located(plain, path), Located(null, path))))
            return
        if "$ref" in schema:
            try:
                target = words.resolve(self._source.root, schema["$ref"])
            except words.RefError as error:
                raise BadRequest(f"{path or '/'}: {error}", param=self._param) from None
            self.add(Located(target, schema["$ref"][1:]), deep + 1)
        self._values(schema, path)
        self._numbers(schema, path)
        self._strings(schema, path)
        self._objects(schema, path)
        self._arrays(schema, path)
        self._flat.meant |= {kind for kind, said in words.MEANT.items() if any(word in schema for word in said)}
        self._flat.later += [f"{path} {word}" for word in _LATER if _matters(schema, word)]
        for number, sub in enumerate(self._list(schema, "allOf", path)):
            self.add(Located(sub, words.pointer(path, "allOf", number)), deep + 1)
        for word in ("anyOf", "oneOf"):
            options = tuple(
                Located(sub, words.pointer(path, word, number))
                for number, sub in enumerate(self._list(schema, word, path))
            )
            if word in schema:
                one_of = f"{path} oneOf" if word == "oneOf" and len(options) > 1 else ""
                self._flat.groups.append(Group(options, one_of))

    def _values(self, schema: dict[str, Any], path: str) -> None:
        flat = self._flat
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            unknown = [name for name in names if not isinstance(name, str) or name not in words.TYPES]
            if unknown or not names:
                known = ", ".join(sorted(words.TYPES))
                raise self._bad(path, f"type is one of {known}, or a list of these, not {schema['type']!r:.60}")
            wanted = set(names) | ({"integer"} if "number" in names else set())
            if not flat.types & wanted:
                raise Impossible(path, f"type {schema['type']!r} contradicts another type for the same value.")
            flat.types &= wanted
            flat.typed = True
        if "const" in schema:
            self._allow([schema["const"]], path, "const")
        if "enum" in schema:
            self._allow(self._list(schema, "enum", path), path, "enum")

    def _allow(self, values: list[Any], path: str, word: str) -> None:
        if self._flat.values is not None:
            known = {words.identity(one) for one in self._flat.values}
            values = [one for one in values if words.identity(one) in known]
        if not values:
            raise Impossible(path, f"{word} leaves no value.")
        self._flat.values = values

    def _numbers(self, schema: dict[str, Any], path: str) -> None:
        if not any(word in schema for word in words.MEANT["number"]):
            return
        found = {}
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            value = schema.get(word)
            if isinstance(value, bool):
                continue  # as in draft 4, below
            if value is not None and (not isinstance(value, int | float) or not math.isfinite(value)):
                raise self._bad(path, f"{word} is a number")
            if value is not None and abs(value) > _NO_BOUND and (value > 0) == word.lower().endswith("maximum"):
                continue
            found[word] = None if value is None else exact(value, self._param)
        low_open, high_open = schema.get("exclusiveMinimum") is True, schema.get("exclusiveMaximum") is True
        self._flat.limits = (
            self._flat.limits.tighter(Limits(found.get("minimum"), found.get("maximum"), low_open, high_open))
            .tighter(Limits(low=found.get("exclusiveMinimum"), low_open=True))
            .tighter(Limits(high=found.get("exclusiveMaximum"), high_open=True))
        )

    def _strings(self, schema: dict[str, Any], path: str) -> None:
        flat = self._flat
        flat.length = self._range(schema, "minLength", "maxLength", path, flat.length)
        if "pattern" in schema:
            if not isinstance(schema["pattern"], str):
                raise self._bad(path, "pattern is a string")
            flat.patterns.append((schema["pattern"], path))
        elif isinstance(schema.get("format"), str) and schema["format"] in words.FORMATS:
            if flat.format and flat.format != schema["format"]:
                flat.later.append(f"{path} format")
            flat.format = flat.format or schema["format"]

    def _objects(self, schema: dict[str, Any], path: str) -> None:
        flat = self._flat
        named = {
            name: Located(sub, words.pointer(path, "properties", name))
            for name, sub in self._mapping(schema, "properties", path).items()
        }
        patterns = tuple(
            (pattern, Located(sub, words.pointer(path, "patternProperties", pattern)))
            for pattern, sub in self._mapping(schema, "patternProperties", path).items()
        )
        extra = None
        if "additionalProperties" in schema:
            extra = Located(schema["additionalProperties"], words.pointer(path, "additionalProperties"))
        if patterns or extra is not None or "properties" in schema:
            flat.keys.append(Keys(named, patterns, extra))
        required = self._list(schema, "required", path) if not isinstance(schema.get("required"), bool) else []
        if not all(isinstance(name, str) for name in required):
            raise self._bad(path, "required is a list of strings")
        flat.required += [name for name in dict.fromkeys(required) if name not in flat.required]
        if "propertyNames" in schema:
            flat.key_names.append(Located(schema["propertyNames"], words.pointer(path, "propertyNames")))
        flat.key_count = self._range(schema, "minProperties", "maxProperties", path, flat.key_count)

    def _arrays(self, schema: dict[str, Any], path: str) -> None:
        items = schema.get("items")
        word = "items" if isinstance(items, list) else "prefixItems"
        heads = self._list(schema, word, path)
        rest_word = "additionalItems" if word == "items" else "items"
        rest = Located(schema[rest_word], words.pointer(path, rest_word)) if rest_word in schema else None
        if heads or rest is not None:
            located = tuple(Located(sub, words.pointer(path, word, number)) for number, sub in enumerate(heads))
            self._flat.items.append(Items(located, rest))
        self._flat.item_count = self._range(schema, "minItems", "maxItems", path, self._flat.item_count)

    def _range(
        self, schema: dict[str, Any], low_word: str, high_word: str, path: str, before: tuple[int, int | None]
    ) -> tuple[int, int | None]:
        low, high = before
        for word in (low_word, high_word):
            value = schema.get(word)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300 or value % 1:
                raise self._bad(path, f"{word} is a whole number, 0 or more")
            if word == low_word:
                low = max(low, int(value))
            else:
                high = int(value) if high is None else min(high, int(value))
        return low, high

    def _list(self, schema: dict[str, Any], word: str, path: str) -> list[Any]:
        value = schema.get(word, [])
        if not isinstance(value, list):
            raise self._bad(path, f"{word} is a list")
        return value

    def _mapping(self, schema: dict[str, Any], word: str, path: str) -> dict[str, Any]:
        value = schema.get(word, {})
        if not isinstance(value, dict):
            raise self._bad(path, f"{word} is an object")
        return value

    def _bad(self, path: str, what: str) -> BadRequest:
        return BadRequest(f"The schema is broken at {path or '/'}: {what}.", param=self._param)


def _matters(schema: dict[str, Any], word: str) -> bool:
    """Does a word that is checked afterwards say anything here?"""
    if word not in schema:
        return False
    value = schema[word]
    if word == "uniqueItems":
        return value is True
    if word == "if":
        return "then" in schema or "else" in schema
    if word == "multipleOf":
        return not (value == 1 and schema.get("type") == "integer")
    return not (word.startswith("depend") and not value)


def nodes_of(schema: Any) -> Iterator[Any]:
    """Every JSON value inside, itself included; used to measure. Does not recurse."""
    todo = [schema]
    while todo:
        one = todo.pop()
        yield one
        if isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list):
            todo += one
