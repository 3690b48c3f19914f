"""Schemas made by chance: each compiles or is refused, and what a grammar makes fits unless something is listed as unchecked."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from adapter.constrain.check import check_value
from adapter.constrain.grammar import GrammarBuilder
from adapter.errors import BadRequest
from tests.gbnf_walk import Grammar

NAMES = ["a", "b", "ab", "x-1", "é", 'q"']
PATTERNS = ["^a", "b$", "^[ab]{1,3}$", "x|é", "^x-", r'["\\]', "^(a|b)*a.{3}$", r"(?<=a)b"]
VALUES: list[Any] = [None, True, 0, 1, -3, 2.5, "", "a", "ab", 'q"', [], [1], {"a": 1}, {}]


class Maker:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def root(self) -> Any:
        schema = self.schema(0)
        if isinstance(schema, dict):
            schema["$defs"] = {name: self.schema(1) for name in ("one", "two")}
        return schema

    def schema(self, deep: int) -> Any:
        rng = self._rng
        if rng.random() < 0.06:
            return rng.choice([True, True, False, {}])
        schema: dict[str, Any] = {}
        kinds = [self._object, self._array, self._string, self._number] if deep < 4 else [self._string, self._number]
        rng.choice(kinds)(schema, deep)
        if rng.random() < 0.1:
            schema["enum"] = rng.sample(VALUES, rng.randint(1, 6))
        if rng.random() < 0.05:
            schema["nullable"] = True
        if rng.random() < 0.2 and deep < 4:
            schema[rng.choice(["anyOf", "oneOf", "allOf"])] = [self.schema(deep + 1) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.12:
            schema["$ref"] = rng.choice(["#/$defs/one", "#/$defs/two", "#"])
        if rng.random() < 0.05:
            schema["not"] = {"const": rng.choice(VALUES)}
        return schema

    def _type(self, schema: dict[str, Any], name: str) -> None:
        if self._rng.random() < 0.8:
            schema["type"] = name if self._rng.random() < 0.8 else [name, self._rng.choice(["null", "boolean"])]

    def _object(self, schema: dict[str, Any], deep: int) -> None:
        rng = self._rng
        self._type(schema, "object")
        if rng.random() < 0.8:
            schema["properties"] = {name: self.schema(deep + 1) for name in rng.sample(NAMES, rng.randint(0, 4))}
        if rng.random() < 0.6:
            schema["required"] = rng.sample(NAMES, rng.randint(0, 2))
        if rng.random() < 0.3:
            schema["additionalProperties"] = rng.choice([False, True, self.schema(deep + 1)])
        if rng.random() < 0.15:
            patterns = [pattern for pattern in PATTERNS if "<" not in pattern]
            schema["patternProperties"] = {rng.choice(patterns): self.schema(deep + 1)}
        if rng.random() < 0.1:
            schema["propertyNames"] = rng.choice([{"maxLength": 2}, {"pattern": "^[a-c]+$"}, {"enum": ["a", "zz"]}])
        if rng.random() < 0.1:
            schema[rng.choice(["minProperties", "maxProperties"])] = rng.randint(0, 3)

    def _array(self, schema: dict[str, Any], deep: int) -> None:
        rng = self._rng
        self._type(schema, "array")
        if rng.random() < 0.8:
            schema["items"] = self.schema(deep + 1)
        if rng.random() < 0.3:
            schema["prefixItems"] = [self.schema(deep + 1) for _ in range(rng.randint(1, 3))]
        for word in ("minItems", "maxItems"):
            if rng.random() < 0.3:
                schema[word] = rng.randint(0, 4)

    def _string(self, schema: dict[str, Any], deep: int) -> None:
        rng = self._rng
        self._type(schema, "string")
        for word in ("minLength", "maxLength"):
            if rng.random() < 0.3:
                schema[word] = rng.randint(0, 6)
        if rng.random() < 0.4:
            schema["pattern"] = rng.choice(PATTERNS)
        if rng.random() < 0.2:
            schema["format"] = rng.choice(["date", "time", "uuid", "ipv4", "email", "other"])

    def _number(self, schema: dict[str, Any], deep: int) -> None:
        rng = self._rng
        self._type(schema, rng.choice(["integer", "number"]))
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if rng.random() < 0.3:
                schema[word] = rng.choice([rng.randint(-20, 20), rng.randint(-300, 300) / 100])


@pytest.mark.parametrize("block", range(20))
def test_schemas_by_chance(block: int) -> None:
    compiled = 0
    for seed in range(block * 40, block * 40 + 40):
        schema = Maker(seed).root()
        builder = GrammarBuilder()
        try:
            found = builder.schema(schema, param="p", lenient=seed % 2 == 0)
            text = builder.text(found.rule)
        except BadRequest as error:
            assert error.param == "p"
            continue
        compiled += 1
        rng = random.Random(seed)
        grammar = Grammar(text)
        for _ in range(6):
            value = json.loads(grammar.sample(rng, 20))
            if not found.unchecked:
                assert check_value(schema, value) is None, (seed, schema, value)
    assert compiled >= 10


@pytest.mark.parametrize("block", range(5))
def test_schemas_with_something_broken_are_refused_or_read(block: int) -> None:
    refused = 0
    for seed in range(block * 60, block * 60 + 60):
        rng = random.Random(seed)
        schema = spoiled(Maker(seed).root(), rng)
        builder = GrammarBuilder()
        try:
            builder.text(builder.schema(schema, param="p").rule)
        except BadRequest as error:
            assert error.param == "p"
            refused += 1
        for value in VALUES:
            assert check_value(schema, value) is None or isinstance(check_value(schema, value), str)
    assert refused > 5


def spoiled(schema: Any, rng: random.Random) -> Any:
    """The same with one word's value replaced by something else."""
    if isinstance(schema, dict) and schema:
        word = rng.choice(sorted(schema))
        deeper = isinstance(schema[word], dict | list) and rng.random() < 0.5
        return {**schema, word: spoiled(schema[word], rng) if deeper else rng.choice([*VALUES, "integer", float("nan")])}
    if isinstance(schema, list) and schema:
        return [spoiled(schema[0], rng), *schema[1:]]
    return rng.choice(VALUES)
