"""The validator: each word, what it lets pass and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.constrain.check import check_json, check_value

TREE = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}, "n": {"type": "integer"}}}

TABLE: list[tuple[Any, list[Any], list[tuple[Any, str]]]] = [
    (True, [None, 1, {}], []),
    (False, [], [(1, "at $: nothing is allowed here")]),
    ({"type": "integer"}, [1, 1.0, -5], [(1.5, "at $: 1.5 is not of type integer"), (True, "at $: true is not of type integer"), ("1", 'at $: "1" is not of type integer')]),
    ({"type": ["null", "string"]}, [None, "x"], [(1, "at $: 1 is not of type null or string")]),
    ({"type": "boolean"}, [True], [(0, "at $: 0 is not of type boolean")]),
    ({"type": "string", "nullable": True}, [None, "x"], [(1, "at $: 1 is not of type string")]),
    ({"const": 1}, [1, 1.0], [(True, "at $: true is not 1"), (2, "at $: 2 is not 1")]),
    ({"enum": [[1], {"a": None}]}, [[1], [1.0], {"a": None}], [([2], 'at $: [2] is none of [[1], {"a": null}]')]),
    ({"minimum": 3, "maximum": 5}, [3, 5, "x"], [(2, "at $: 2 is less than the minimum 3"), (6, "at $: 6 is more than the maximum 5")]),
    ({"exclusiveMinimum": 3, "exclusiveMaximum": 5}, [4], [(3, "at $: 3 is not more than 3"), (5, "at $: 5 is not less than 5")]),
    ({"minimum": 3, "exclusiveMinimum": True}, [4], [(3, "at $: 3 is not more than 3")]),
    ({"multipleOf": 0.1}, [0.3, 1, -0.7], [(0.35, "at $: 0.35 is not a multiple of 0.1"), (float("inf"), "at $: Infinity is not a multiple of 0.1")]),
    ({"minLength": 2, "maxLength": 3}, ["ab", "😀😀", 1], [("a", 'at $: "a" is shorter than 2 characters'), ("abcd", 'at $: "abcd" is longer than 3 characters')]),
    ({"pattern": "b+"}, ["abc", 1], [("ac", 'at $: "ac" does not match the pattern b+')]),
    ({"pattern": "^(a+)+$"}, ["a" * 5000], [("a" * 5000 + "b", "does not match the pattern")]),
    ({"pattern": r"(?<=a)\1"}, ["anything"], []),
    ({"format": "date"}, ["2024-02-29", 5], [("2024-02-30", 'at $: "2024-02-30" is not a date')]),
    ({"format": "nothing known"}, ["x"], []),
    ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "x"], [([], "at $: there are 0 items, fewer than the minimum 1"), ([1, 2, 3], "at $: there are 3 items, more than the maximum 2")]),
    ({"items": {"type": "integer"}}, [[], [1]], [([1, "a"], 'at $[1]: "a" is not of type integer')]),
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, [[1, "a"], []], [(["a"], 'at $[0]: "a" is not of type integer'), ([1, 2], "at $[1]: 2 is not of type string")]),
    ({"items": [{"type": "integer"}], "additionalItems": False}, [[1]], [([1, 2], "at $[1]: nothing is allowed here")]),
    ({"uniqueItems": True}, [[1, True, "1"], [[1], [2]]], [([1, 1.0], "at $: two items are equal"), ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], "at $: two items are equal")]),
    ({"contains": {"type": "string"}, "maxContains": 2}, [["a"], ["a", "b", 1]], [([1], "fewer than 1"), (["a", "b", "c"], "more than 2")]),
    ({"contains": {"type": "string"}, "minContains": 0}, [[]], []),
    ({"required": ["a"]}, [{"a": 1}, 5], [({}, 'at $: the key "a" is missing')]),
    ({"properties": {"a b": {"type": "integer"}, "c": {"properties": {"d": {"maximum": 1}}}}}, [{"x": 1}], [({"a b": "x"}, 'at $["a b"]: "x" is not of type integer'), ({"c": {"d": 2}}, "at $.c.d: 2 is more than the maximum 1")]),
    ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}], [({"b": 1}, 'at $: the key "b" is not allowed')]),
    ({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, [{"a": "x", "b": 1}], [({"b": "x"}, 'at $.b: "x" is not of type integer')]),
    ({"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False}, [{"x1": 1}], [({"x1": "a"}, "not of type integer"), ({"y": 1}, "is not allowed")]),
    ({"patternProperties": {r"(?<=a)": {"type": "integer"}}, "additionalProperties": False}, [{"b": "x"}], []),
    ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [({"abc": 1}, "at $.abc (the key itself): \"abc\" is longer than 2 characters")]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [({}, "there are 0 keys"), ({"a": 1, "b": 2}, "there are 2 keys")]),
    ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 2}], [({"a": 1}, 'at $: the key "b" is missing beside "a"')]),
    ({"dependentSchemas": {"a": {"maxProperties": 1}}}, [{"a": 1}, {"b": 1, "c": 2}], [({"a": 1, "b": 2}, "more than the maximum 1")]),
    ({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, [{"b": 1}], [({"a": 1}, "is missing beside"), ({"c": 1}, '"d" is missing')]),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [2], [(0, "less than the minimum"), (4, "more than the maximum")]),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["x", 7], [(3, 'at $: it fits none of the 2 schemas of anyOf; of the first: at $: 3 is not of type string')]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [3, 5.5], [(7, "at $: it fits 2 schemas of oneOf instead of exactly one"), (1.5, "it fits 0 schemas")]),
    ({"not": {"type": "string"}}, [1], [("x", 'at $: "x" is what `not` excludes')]),
    ({"if": {"minimum": 10}, "then": {"multipleOf": 10}, "else": {"maximum": 5}}, [3, 20], [(15, "not a multiple of 10"), (7, "more than the maximum 5")]),
    (TREE, [{}, {"kids": [{"kids": [], "n": 1}]}], [({"kids": [{"kids": [{"n": "x"}]}]}, 'at $.kids[0].kids[0].n: "x" is not of type integer')]),
    ({"$defs": {"a": {"minimum": 3}}, "$ref": "#/$defs/a", "maximum": 5}, [4], [(2, "less than"), (6, "more than")]),
    ({"$ref": "http://example.org/x"}, [], [(1, "does not point into this schema")]),
    ({"$ref": "#/$defs/x"}, [], [(1, "names nothing in this schema")]),
    ({"unknown": 1, "title": "t", "default": 5}, [1, "x"], []),
    ({"minLength": "x", "properties": [], "enum": 5, "required": "a", "allOf": {}}, ["a", {}], []),  # no schema; must not break
]  # fmt: skip


@pytest.mark.parametrize(("schema", "fine", "wrong"), TABLE, ids=[str(schema)[:60] for schema, _, _ in TABLE])
def test_words(schema: Any, fine: list[Any], wrong: list[tuple[Any, str]]) -> None:
    for value in fine:
        assert check_value(schema, value) is None
    for value, says in wrong:
        found = check_value(schema, value)
        assert found is not None
        assert (found == says) if says.startswith("at $") else (says in found), found


def test_the_path_leads_there() -> None:
    schema = {"properties": {"items": {"items": {"properties": {"age": {"maximum": 120}}}}}}
    value = {"items": [{}, {"age": 5}, {"age": 130}]}
    assert check_value(schema, value) == "at $.items[2].age: 130 is more than the maximum 120"


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "NaN", "[1,]", "[" * 100_000])
def test_text_that_is_no_json(text: str) -> None:
    assert str(check_json({}, text)).startswith("at $: this is not JSON")


def test_json_text() -> None:
    assert check_json({"type": "object"}, '{"a": 1}') is None
    assert check_json({"type": "object"}, "[]") == "at $: [] is not of type object"


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert check_value({"$ref": "#"}, 1) == "at $: the schema refers to itself without end"
    assert check_value({"anyOf": [{"$ref": "#"}, {"type": "integer"}]}, 1) is None
    defs: dict[str, Any] = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    assert check_value({"$ref": "#/$defs/a0", "$defs": {**defs, "a60": True}}, 1) is None


def test_branches_do_not_multiply_with_depth() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["no"]},
                                                             {"properties": {"x": {"$ref": "#/$defs/a"}}}]}}}  # fmt: skip
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"x": value}
    assert check_value(schema, value) is None


def test_a_value_too_deep_is_said_to_be_so() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    assert "too" in str(check_value({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, value))
