"""The form that an answer is to have, in OpenAI's, llama-server's and vLLM's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import OutputFormat, OutputKind
from adapter.dialects.openai_output import MAX_CHOICES, MAX_FORM_CHARS, OUTPUT_FIELDS
from adapter.dialects.openai_parse import parse_chat
from adapter.errors import BadRequest

SCHEMA = {"type": "object", "properties": {"a": {"enum": ["ä", 1]}}}
TEXT = json.dumps(SCHEMA, ensure_ascii=False)


def output(**fields: Any) -> OutputFormat | None:
    return parse_chat({"messages": [{"role": "user", "content": "hi"}], **fields}).chat.output


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        output(**fields)
    return caught.value


def response_format(**fields: Any) -> dict[str, Any]:
    return {"response_format": fields}


def named(**fields: Any) -> dict[str, Any]:
    return response_format(type="json_schema", json_schema=fields)


def form(kind: OutputKind, text: str = "", param: str = "response_format") -> OutputFormat:
    return OutputFormat(kind, text, param)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        (response_format(type="text"), None),
        (response_format(type="json_object"), form(OutputKind.JSON)),
        (response_format(type="json_object", schema=None), form(OutputKind.JSON)),
        (response_format(type="json_object", schema=SCHEMA), form(OutputKind.SCHEMA, TEXT)),
        (response_format(type="json_schema", schema=SCHEMA), form(OutputKind.SCHEMA, TEXT)),
        (named(name="A-1", schema=SCHEMA, strict=True, description="d"), form(OutputKind.SCHEMA, TEXT)),
        (named(schema=SCHEMA, strict=None), form(OutputKind.SCHEMA, TEXT)),
        (named(name="a", schema={}), form(OutputKind.SCHEMA, "{}")),
        (named(name="a", schema=True), form(OutputKind.SCHEMA, "true")),
        (named(name="a", schema=False), form(OutputKind.SCHEMA, "false")),
        ({"json_schema": SCHEMA}, form(OutputKind.SCHEMA, TEXT, "json_schema")),
        ({"guided_json": SCHEMA}, form(OutputKind.SCHEMA, TEXT, "guided_json")),
        ({"guided_json": json.dumps(SCHEMA)}, form(OutputKind.SCHEMA, TEXT, "guided_json")),
        ({"grammar": 'root ::= "a"'}, form(OutputKind.GRAMMAR, 'root ::= "a"', "grammar")),
        ({"guided_grammar": "x"}, form(OutputKind.GRAMMAR, "x", "guided_grammar")),
        ({"regex": "[a-z]+"}, form(OutputKind.REGEX, "[a-z]+", "regex")),
        ({"guided_regex": "[a-z]+"}, form(OutputKind.REGEX, "[a-z]+", "guided_regex")),
        ({"guided_choice": ["a", "ä", "a"]}, form(OutputKind.CHOICE, '["a", "ä"]', "guided_choice")),
        ({"structured_outputs": {"json": SCHEMA}}, form(OutputKind.SCHEMA, TEXT, "structured_outputs.json")),
        ({"structured_outputs": {"json": False}}, form(OutputKind.SCHEMA, "false", "structured_outputs.json")),
        ({"structured_outputs": {"regex": "a", "json": None}}, form(OutputKind.REGEX, "a", "structured_outputs.regex")),
        ({"structured_outputs": {"choice": ["a"]}}, form(OutputKind.CHOICE, '["a"]', "structured_outputs.choice")),
        ({"structured_outputs": {"grammar": "x"}}, form(OutputKind.GRAMMAR, "x", "structured_outputs.grammar")),
        ({"structured_outputs": {"json_object": True}}, form(OutputKind.JSON, "", "structured_outputs.json_object")),
        ({"regex": "a", "grammar": "", "response_format": {"type": "text"}}, form(OutputKind.REGEX, "a", "regex")),
    ],
)
def test_forms(fields: dict[str, Any], form: OutputFormat | None) -> None:
    assert output(**fields) == form


def test_half_surrogates_reach_no_engine() -> None:
    found = output(guided_choice=["\ud83d"])
    assert found is not None and json.loads(found.text) == ["\ufffd"]


def nested(levels: int) -> str:
    return '{"not":' * levels + "{}" + "}" * levels


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (response_format(), "response_format"),
        (response_format(type=None), "response_format"),
        (response_format(type="grammar\ud83d"), "response_format"),
        (response_format(type="regex", regex="a"), "response_format"),
        ({"response_format": "json_object"}, "response_format"),
        ({"response_format": []}, "response_format"),
        (response_format(type="json_schema"), "response_format.json_schema"),
        (response_format(type="json_schema", json_schema="x"), "response_format.json_schema"),
        (response_format(type="json_object", schema="x"), "response_format.schema"),
        (named(name="a"), "response_format.json_schema.schema"),
        (named(name="a", schema="{}"), "response_format.json_schema.schema"),
        (named(name="a", schema=[]), "response_format.json_schema.schema"),
        (named(name="a b", schema={}), "response_format.json_schema.name"),
        (named(name=5, schema={}), "response_format.json_schema.name"),
        (named(name="a", schema={}, strict="yes"), "response_format.json_schema.strict"),
        (named(name="a", schema={"maximum": float("inf")}), "response_format.json_schema.schema"),
        (named(name="a", schema={"title": "x" * MAX_FORM_CHARS}), "response_format"),
        ({"json_schema": [1]}, "json_schema"),
        ({"guided_json": "{"}, "guided_json"),
        ({"guided_json": '{"maximum": NaN}'}, "guided_json"),
        ({"guided_json": "[" * 100_000}, "guided_json"),
        ({"guided_json": nested(100)}, "guided_json"),
        ({"guided_json": " " * (MAX_FORM_CHARS + 1)}, "guided_json"),
        ({"guided_json": '"text"'}, "guided_json"),
        ({"guided_json": "5"}, "guided_json"),
        ({"guided_json": "null"}, "guided_json"),
        ({"grammar": 5}, "grammar"),
        ({"grammar": "x" * (MAX_FORM_CHARS + 1)}, "grammar"),
        ({"guided_grammar": {"root": "x"}}, "guided_grammar"),
        ({"regex": ["a"]}, "regex"),
        ({"guided_regex": True}, "guided_regex"),
        ({"guided_choice": "a"}, "guided_choice"),
        ({"guided_choice": ["a", 5]}, "guided_choice[1]"),
        ({"guided_choice": [""]}, "guided_choice[0]"),
        ({"guided_choice": [f"{n}" for n in range(MAX_CHOICES + 1)]}, "guided_choice"),
        ({"structured_outputs": "x"}, "structured_outputs"),
        ({"structured_outputs": {"regex": 5}}, "structured_outputs.regex"),
        ({"structured_outputs": {"regex": "a", "grammar": "b"}}, "structured_outputs.grammar"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs.structural_tag"),
        ({"grammar": "a", "regex": "b"}, "regex"),
        ({"json_schema": SCHEMA, **response_format(type="json_object")}, "json_schema"),
    ],
)
def test_a_wrong_form_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert len(error.message) < 250
    error.message.encode()


def test_schemas_just_within_the_bound_pass() -> None:
    assert output(guided_json=nested(63)) is not None


@pytest.mark.parametrize("name", [name for name in OUTPUT_FIELDS if name != "response_format"])
def test_only_one_form_at_a_time(name: str) -> None:
    """Both names are told."""
    values: dict[str, Any] = {"structured_outputs": {"regex": "a"}, "guided_choice": ["a"], "json_schema": SCHEMA}
    sent = {name: values.get(name, "a" if "json" not in name else SCHEMA)}
    error = refused(**response_format(type="json_object"), **sent)
    assert error.param == name
    assert "'response_format'" in error.message and f"'{name}'" in error.message
