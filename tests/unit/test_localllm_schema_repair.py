"""Schemas of tools in every dialect that was seen, made plain JSON Schema."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from adapter.dialects.schema_repair import MAX_NODES, repair_parameters, repair_schema

RECURSIVE = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({}, {}),
        ({"type": "OBJECT"}, {"type": "object"}),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": ["STRING", "NULL"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "TYPE_UNSPECIFIED", "title": "x"}, {"title": "x"}),
        ({"type": "dict"}, {"type": "object"}),
        ({"type": 7}, {}),
        (
            {"any_of": [{"type": "ARRAY", "items": {"type": "STRING"}}, {"type": "NULL"}], "nullable": True},
            {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        ),
        ({"anyOf": [{"type": "INTEGER"}], "nullable": True}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ({"anyOf": []}, {}),
        ({"type": "STRING", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "ARRAY", "min_items": "2", "maxItems": 3.0}, {"type": "array", "minItems": 2, "maxItems": 3}),
        ({"minItems": "many"}, {}),
        ({"minLength": True}, {}),
        # The names of properties are data, whatever they look like.
        (
            {"type": "OBJECT", "properties": {"type": {"type": "STRING"}, "any_of": {"type": "INTEGER"}}},
            {"type": "object", "properties": {"type": {"type": "string"}, "any_of": {"type": "integer"}}},
        ),
        ({"properties": {"a": True, "b": False, "c": None}}, {"properties": {"a": {}, "b": False, "c": {}}}),
        ({"properties": []}, {}),
        ({"required": ["a", 1]}, {"required": ["a"]}),
        ({"required": True}, {}),
        ({"additional_properties": False}, {"additionalProperties": False}),
        ({"additionalProperties": {"type": "NUMBER"}}, {"additionalProperties": {"type": "number"}}),
        ({"propertyOrdering": ["a"], "property_ordering": ["a"], "example": 1}, {"example": 1}),
        ({"default": None, "description": None}, {"default": None}),
        ({"default": {"any_of": "TYPE"}}, {"default": {"any_of": "TYPE"}}),
        ({"any_of": [{"type": "STRING"}], "anyOf": [{"type": "NUMBER"}]}, {"anyOf": [{"type": "number"}]}),
        (
            {
                "properties": {"a": {"$ref": "#/$defs/A", "description": "d"}},
                "$defs": {"A": {"type": "STRING", "nullable": True}},
            },
            {"properties": {"a": {"type": ["string", "null"], "description": "d"}}},
        ),
        (
            {"items": {"$ref": "#/definitions/A"}, "definitions": {"A": {"anyOf": [{"$ref": "#/definitions/B"}]}, "B": {}}},
            {"items": {"anyOf": [{}]}},
        ),
        # What does not end, or leads nowhere, stays as it is.
        (RECURSIVE, RECURSIVE),
        ({"$ref": "#/$defs/none", "$defs": {}}, {"$ref": "#/$defs/none", "$defs": {}}),
        ({"$ref": "other.json"}, {"$ref": "other.json"}),
    ],
)
def test_table(given_schema: dict[str, Any], expected: dict[str, Any]) -> None:
    before = json.dumps(given_schema)
    assert repair_schema(given_schema) == expected
    assert json.dumps(given_schema) == before, "what was given is left alone"
    assert repair_schema(expected) == expected, "a good schema stays"


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "OBJECT"}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"], "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
    ],
)
def test_parameters_are_always_an_object_with_properties(given_schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert repair_parameters(given_schema) == expected


def test_deep_and_large_ones_are_bounded() -> None:
    deep: dict[str, Any] = {"type": "STRING"}
    for _ in range(900):
        deep = {"type": "ARRAY", "items": deep}
    assert len(json.dumps(repair_schema(deep))) < 2_000
    wide = {"properties": {f"p{n}": {"type": "STRING"} for n in range(MAX_NODES * 2)}}
    repaired = repair_schema(wide)
    assert repaired["properties"]["p0"] == {"type": "string"}
    assert repaired["properties"][f"p{MAX_NODES * 2 - 1}"] == {}


def test_references_that_multiply_are_left_alone() -> None:
    """Each level refers twice to the next: written out it would have 2 ** 40 parts."""
    definitions: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**definitions, "d40": {}}}
    assert repair_schema(schema) == schema


WORDS = (
    "type", "any_of", "anyOf", "properties", "items", "nullable", "enum", "required", "$ref", "$defs", "min_items", "x",
)  # fmt: skip
SCALARS = (None, True, False, -1, 3, 2.5, "STRING", "object", "#/$defs/x", "3")


def anything(chance: random.Random, depth: int) -> Any:
    match chance.randrange(3) if depth else 0:
        case 0:
            return chance.choice(SCALARS)
        case 1:
            return [anything(chance, depth - 1) for _ in range(chance.randrange(3))]
        case _:
            return {chance.choice(WORDS): anything(chance, depth - 1) for _ in range(chance.randrange(5))}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_ends_and_a_second_repair_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        schema = {word: anything(chance, 5) for word in chance.sample(WORDS, 5)}
        once = repair_schema(schema)
        assert repair_schema(once) == once, schema
