"""Schemas -> grammars, judged by a small GBNF interpreter; llama.cpp judges the same cases in `tests/live`."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from adapter.constrain.check import check_json, check_value
from adapter.constrain.grammar import GrammarBuilder
from adapter.errors import BadRequest
from tests.constrain_cases import CASES, Case, client_cases
from tests.gbnf_walk import Grammar

CLIENTS = list(client_cases())


def compiled(schema: Any, *, lenient: bool = False) -> tuple[Grammar, tuple[str, ...]]:
    builder = GrammarBuilder()
    found = builder.schema(schema, param="response_format", lenient=lenient)
    return Grammar(builder.text(found.rule)), found.unchecked


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_grammar_takes_what_the_schema_allows_and_lists_the_rest(case: Case) -> None:
    grammar, unchecked = compiled(case.schema)
    assert unchecked == tuple(entry.strip() for entry in case.unchecked)
    for text in case.good:
        assert grammar.matches(text), text
        assert check_json(case.schema, text) is None, text
    for text in case.bad:
        assert not grammar.matches(text), text
    for text in case.late:
        assert grammar.matches(text), text
        assert check_json(case.schema, text) is not None, text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whatever_the_grammar_makes_fits_the_schema(case: Case) -> None:
    grammar, unchecked = compiled(case.schema)
    rng = random.Random(case.name)
    for _ in range(60):
        text = grammar.sample(rng)
        value = json.loads(text)
        text.encode()
        assert grammar.matches(text), text
        if not unchecked:
            assert check_value(case.schema, value) is None, text


@pytest.mark.parametrize(("name", "tool", "schema"), CLIENTS, ids=[name for name, _, _ in CLIENTS])
def test_schemas_that_clients_send(name: str, tool: bool, schema: Any) -> None:
    grammar, unchecked = compiled(schema, lenient=tool)
    rng = random.Random(name)
    for _ in range(5):
        value = json.loads(grammar.sample(rng))
        assert unchecked or check_value(schema, value) is None


def test_recordings_have_schemas_of_both_kinds() -> None:
    assert {tool for _, tool, _ in CLIENTS} == {True, False}
    assert len(CLIENTS) > 100


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (False, "false"),
        ({"enum": []}, "enum"),
        ({"type": "string", "enum": [1, 2]}, "no value of enum"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no integer"),
        ({"type": "number", "exclusiveMinimum": 1, "maximum": 1}, "no number"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "minItems 3 is more than maxItems 2"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "minLength 3 is more than maxLength 2"),
        ({"type": "string", "pattern": "^a$", "minLength": 2}, "no string fits"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "'a' is required"),
        ({"type": "object", "additionalProperties": False, "required": ["b"], "properties": {"a": {}}}, "'b' is required"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "contradicts"),
        ({"allOf": [{"const": 1}, {"const": 2}]}, "leaves no value"),
        ({"anyOf": []}, "anyOf"),
        ({"anyOf": [False, {"enum": []}]}, "false"),
        ({"$ref": "#"}, "without end"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "again and again"),
        ({"$ref": "https://example.org/schema"}, "does not point into this schema"),
        ({"$ref": "#/$defs/gone"}, "names nothing"),
        ({"type": "text"}, "type is one of"),
        ({"type": []}, "type is one of"),
        ([], "a schema is an object"),
        ({"properties": []}, "properties is an object"),
        ({"required": [1]}, "required is a list of strings"),
        ({"minLength": -1}, "minLength is a whole number"),
        ({"minimum": "1"}, "minimum is a number"),
        ({"type": "string", "minLength": 5000}, "minLength can be 2000 at most"),
        ({"type": "array", "minItems": 5000}, "minItems can be 2000 at most"),
        ({"enum": list(range(3000))}, "At most 2000 values of an enum"),
        ({"type": "integer", "minimum": 10**120}, "digits"),
        ({"type": "string", "pattern": "(?<=a)b"}, "look-behind at position 0"),
        ({"type": "string", "pattern": r"(a)\1"}, "back reference at position 3"),
        ({"type": "string", "pattern": "(" * 100}, "position"),
        ({"type": "string", "description": "x" * 300_000}, "characters of schema"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(schema: Any, says: str) -> None:
    with pytest.raises(BadRequest, match=r"\w") as caught:
        compiled(schema)
    assert says in caught.value.message
    assert caught.value.param == "response_format"


def test_a_tools_pattern_that_cannot_be_read_is_left_out_and_listed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}, "required": ["a"]}
    grammar, unchecked = compiled(schema, lenient=True)
    assert unchecked == ("/properties/a pattern",)
    assert grammar.matches('{"a": "anything"}')
    assert check_value(schema, {"a": "anything"}) is None


def deep(levels: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_nesting_is_bounded() -> None:
    compiled(deep(50))
    for levels in (100, 400):
        with pytest.raises(BadRequest, match="levels of a schema"):
            compiled(deep(levels))


def test_branches_that_multiply_are_bounded() -> None:
    groups: list[Any] = [{"anyOf": [{"properties": {f"{n}-{m}": {}}} for m in range(4)]} for n in range(8)]
    with pytest.raises(BadRequest, match="branches"):
        compiled({"type": "object", "allOf": groups})


def test_references_that_branch_without_end_are_bounded() -> None:
    defs = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}", "title": "t"}]} for n in range(60)}
    with pytest.raises(BadRequest):
        compiled({"$ref": "#/$defs/a0", "$defs": {**defs, "a60": {"type": "integer"}}})
    alls = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]} for n in range(60)}
    with pytest.raises(BadRequest):
        compiled({"$ref": "#/$defs/a0", "$defs": {**alls, "a60": {"type": "integer"}}})


def test_the_tools_of_the_largest_recorded_request_fit_into_one_grammar() -> None:
    tools: dict[str, list[Any]] = {}
    for name, tool, schema in CLIENTS:
        if tool:
            tools.setdefault(name.split()[0], []).append(schema)
    builder = GrammarBuilder()
    rules = [builder.schema(schema, param="tools", lenient=True).rule for schema in max(tools.values(), key=len)]
    assert len(rules) > 30
    assert Grammar(builder.text(" | ".join(rules))).matches("{}")


def test_many_schemas_share_a_builder() -> None:
    builder = GrammarBuilder()
    rules = [builder.schema(case.schema, param="tools").rule for case in CASES]
    grammar = Grammar(builder.text(" | ".join(rules)))
    for case in CASES:
        for text in case.good:
            assert grammar.matches(text), text
