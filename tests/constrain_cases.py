"""Schemas with documents: what tests of constrained output are driven by, in Python and in llama.cpp.

`CASES` are ours, `client_cases()` are all schemas that recorded clients sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RECORDED = Path(__file__).resolve().parent / "data" / "wire" / "clients"


@dataclass(frozen=True)
class Case:
    """good, bad: JSON texts that the grammar takes, or not. late: such as it takes although the schema does not allow them.
    unchecked: what the compiler must list."""

    name: str
    schema: Any
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def _obj(required: list[str] | None = None, /, *, more: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, **(more or {})}
    return found if required is None else {**found, "required": required}


_STR: dict[str, Any] = {"type": "string"}
_INT: dict[str, Any] = {"type": "integer"}
_TREE = {"$ref": "#/$defs/tree", "$defs": {"tree": _obj(["v"], v=_INT, kids={"type": "array", "items": {"$ref": "#/$defs/tree"}})}}
_BIG = 9007199254740993
_EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"

CASES = (
    # types
    Case("null", {"type": "null"}, ("null",), ("nul", "0", '"null"')),
    Case("boolean", {"type": "boolean"}, ("true", "false"), ("1", "tru", "True")),
    Case("string", _STR, ('""', '"a"', r'"\"\\\/\b\f\n\r\t\u00e9"', r'"\ud83d\ude00"', '"é€😀"'),
         ("a", '"a', '"\n"', r'"\x"', r'"\u12"', r'"\ud83d"', r'"\ude00"', '"a" ')),
    Case("integer", _INT, ("0", "-1", "42", str(_BIG)), ("01", "1.5", "-0", "+1", "1e3", "")),
    Case("number", {"type": "number"}, ("0", "-0.5", "1e10", "1.25E-3", "12"), (".5", "1.", "01", "NaN", "1e", "--1")),
    Case("any object", {"type": "object"}, ("{}", '{"a": 1}', '{"a": {"b": [1, null]}, "c": "d"}'), ("[]", "{a: 1}", '{"a": }', '{"a": 1,}')),
    Case("any array", {"type": "array"}, ("[]", "[1, [2], {}]", "[\n  1,\n  2\n]"), ("[1,]", "[,]", "{}")),
    Case("any value", {}, ("null", "[]", "{}", '"x"', "1.5", "true"), ("nope", "")),
    Case("true", True, ("null", '{"a": [true]}'), ("?",)),
    Case("list of types", {"type": ["string", "null", "integer"]}, ('"a"', "null", "3"), ("1.5", "true", "[]")),
    Case("nullable", {"type": "string", "nullable": True}, ('"a"', "null"), ("1",)),
    Case("nullable enum", {"enum": ["a"], "nullable": True}, ('"a"', "null"), ('"b"',)),
    # enum, const
    Case("enum", {"enum": ["red", "green", "grey", 1, None, [1, {"a": 2}]]}, ('"red"', '"grey"', "1", "null", '[1, {"a": 2}]'), ('"gre"', '"blue"', "2", '"greyer"')),
    Case("enum with type", {"type": "string", "enum": ["a", 1, "b"]}, ('"a"', '"b"'), ("1",)),
    Case("enum of prefixes", {"enum": ["a", "ab", "abc", 1, 12, 123]}, ('"a"', '"ab"', '"abc"', "1", "12", "123"), ('"abcd"', "1234", '"')),
    Case("enum with escapes", {"enum": ['say "hi"', "a\\b", "line\nbreak", "é€😀", "]-^[", "\x01"]},
         (r'"say \"hi\""', r'"a\\b"', r'"line\nbreak"', '"é€😀"', '"]-^["', r'"\u0001"'), ('"say "hi""', '"a\\b"', '"e"')),
    Case("const", {"const": {"a": [1, 2.5, "x"]}}, ('{"a": [1, 2.5, "x"]}',), ("{}", '{"a": [1, 2, "x"]}')),
    Case("const number", {"const": 1.0}, ("1.0",), ("2", "1.5")),
    # integers
    Case("digits", {"type": "integer", "minimum": 0, "maximum": 9}, ("0", "9"), ("10", "-1", "00")),
    Case("age", {"type": "integer", "minimum": 0, "maximum": 130}, ("0", "7", "99", "100", "130"), ("131", "-1", "1000", "200")),
    Case("negative range", {"type": "integer", "minimum": -130, "maximum": -7}, ("-7", "-10", "-99", "-130"), ("-6", "-131", "7", "0")),
    Case("across zero", {"type": "integer", "minimum": -12, "maximum": 345}, ("-12", "-1", "0", "345", "299"), ("-13", "346", "400", "-0")),
    Case("exclusive", {"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 12}, ("10", "11"), ("9", "12", "1")),
    Case("exclusive of draft 4", {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 3}, ("2", "3"), ("1", "4")),
    Case("only a minimum", {"type": "integer", "minimum": 37}, ("37", "99", "100", "123456789012"), ("36", "9", "-40")),
    Case("only a maximum", {"type": "integer", "maximum": -5}, ("-5", "-123456"), ("-4", "0", "5")),
    Case("big bounds", {"type": "integer", "minimum": -_BIG, "maximum": 10**30}, (str(-_BIG), str(10**30), "0"), (str(-_BIG - 1), str(10**30 + 1))),
    Case("safe integers", {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}, ("9007199254740991", "-9007199254740991", "5"), ("9007199254740992", "-9007199254740992")),
    Case("fractional bounds of an integer", {"type": "integer", "minimum": 1.5, "maximum": 3.5}, ("2", "3"), ("1", "4")),
    Case("one integer", {"type": "integer", "minimum": 7, "maximum": 7}, ("7",), ("6", "8", "77")),
    # numbers
    Case("unit", {"type": "number", "minimum": 0, "maximum": 1}, ("0", "1", "0.5", "0.0", "1.000", "0.999999"), ("1.1", "-0.5", "1.0001", "2", "1e0")),
    Case("open unit", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, ("0.5", "0.001", "0.99"), ("0", "0.0", "1", "1.0", "0.")),
    Case("cents", {"type": "number", "minimum": 0.25, "maximum": 12.75}, ("0.25", "0.3", "1", "12.75", "12.7", "9.99", "12.750"), ("0.2", "0.249", "12.76", "13", "0")),
    Case("negative numbers", {"type": "number", "minimum": -1.5, "maximum": -0.5}, ("-1.5", "-0.5", "-1", "-0.75"), ("-0.4", "-1.6", "-2", "1")),
    Case("not negative", {"type": "number", "minimum": 0}, ("0", "1e5", "3.25"), ("-1", "-0.1")),
    Case("temperature", {"type": "number", "minimum": -273.15}, ("-273.15", "-273", "0", "20.5", "1000", "-1.25"), ("-273.16", "-300", "-274")),
    Case("same whole part", {"type": "number", "exclusiveMinimum": 1.25, "maximum": 1.5}, ("1.26", "1.5", "1.3", "1.251"), ("1.25", "1.51", "1", "1.2", "2")),
    Case("integer and number", {"type": ["integer", "number"], "maximum": 5}, ("5", "4.5", "-7"), ("6", "5.5")),
    Case("endless maximum", {"type": "number", "minimum": 0, "maximum": 1.7976931348623157e308}, ("0", "1e90"), ("-1",)),
    # strings
    Case("lengths", {"type": "string", "minLength": 2, "maxLength": 3}, ('"ab"', '"abc"', r'"\n\n"', '"😀😀"', r'"\ud83d\ude00a"'), ('"a"', '"abcd"', r'"\ud83d\ude00"')),
    Case("at least", {"type": "string", "minLength": 1}, ('"a"', '"' + "x" * 50 + '"'), ('""',)),
    Case("a long string", {"type": "string", "maxLength": 5000}, ('""', '"abc"'), ("1",), unchecked=(" maxLength",)),
    Case("pattern", {"type": "string", "pattern": r"^[A-Z]{2}-\d{3,4}$"}, ('"AB-123"', '"XY-0000"'), ('"AB-12"', '"ab-123"', '"AB-12345"', '"xAB-123"')),
    Case("pattern anywhere", {"type": "string", "pattern": "cat|dog"}, ('"cat"', '"hotdogs"', '"a cat, a dog"'), ('""', '"ca"', '"do g"')),
    Case("pattern with escapes", {"type": "string", "pattern": r'^["\\\n/]+$'}, (r'"\"\\"', r'"\n"', '"/"'), ('""', '"a"', r'"\t"', r'"\/"')),
    Case("pattern and length", {"type": "string", "pattern": "^a*b", "maxLength": 3}, ('"b"', '"aab"', '"bxx"'), ('"aaab"', '"bxxx"', '"c"')),
    Case("two patterns", {"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "z$"}]}, ('"az"', '"a to z"'), ('"a"', '"z"', '"za"')),
    Case("email of zod", {"type": "string", "format": "email", "pattern": _EMAIL}, ('"a@b.co"', '"a.b@c-d.org"'), ('"a..b@c.de"', '".a@b.co"', '"a@b"')),
    Case("unicode pattern", {"type": "string", "pattern": "^[à-ü€😀]+$"}, ('"é€😀"',), ('"a"', '"é "')),
    Case("date", {"type": "string", "format": "date"}, ('"2024-02-29"', '"1999-12-31"'), ('"2024-02-30"', '"2024-13-01"', '"24-01-01"', '"2024-04-31"')),
    Case("date-time", {"type": "string", "format": "date-time"}, ('"2024-02-29T23:59:59Z"', '"2024-01-01T00:00:00.123+02:00"'), ('"2024-01-01"', '"2024-01-01T24:00:00Z"')),
    Case("time", {"type": "string", "format": "time"}, ('"12:34:56Z"',), ('"12:34"', '"25:00:00Z"')),
    Case("uuid", {"type": "string", "format": "uuid"}, ('"123e4567-e89b-12d3-a456-426614174000"',), ('"123e4567"', '"123e4567-e89b-12d3-a456-42661417400g"')),
    Case("ipv4", {"type": "string", "format": "ipv4"}, ('"127.0.0.1"', '"255.255.255.255"'), ('"256.0.0.1"', '"1.2.3"')),
    Case("uri", {"type": "string", "format": "uri"}, ('"https://example.org/a?b=c#d"', '"mailto:a@b.c"'), ('"no"', '"http://a b"')),
    Case("unknown format", {"type": "string", "format": "colour"}, ('"anything"',), ("1",)),
    # objects
    Case("required", _obj(["a", "b"], a=_INT, b=_STR), ('{"a": 1, "b": "x"}', '{"a":1,"b":"x"}', '{\n  "a": 1,\n  "b": "x"\n}'),
         ("{}", '{"a": 1}', '{"b": "x", "a": 1}', '{"a": 1, "b": "x", "c": 2}', '{"a": "1", "b": "x"}', '{"a": 1, "b": "x",}')),
    Case("optional", _obj(a=_INT, b=_INT, c=_INT), ("{}", '{"a": 1}', '{"b": 1}', '{"c": 1}', '{"a": 1, "c": 2}', '{"a": 1, "b": 2, "c": 3}'), ('{"c": 1, "a": 2}', '{"a": 1, "a": 2}', '{"d": 1}', "{,}")),
    Case("mixed", _obj(["b", "d"], a=_INT, b=_INT, c=_INT, d=_INT, e=_INT), ('{"b": 1, "d": 2}', '{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}', '{"b": 1, "d": 2, "e": 3}'), ('{"a": 1, "d": 2}', '{"b": 1, "c": 2}', "{}")),
    Case("names that begin alike", _obj(["name"], na=_INT, name=_INT, name_2=_INT), ('{"name": 1}', '{"na": 1, "name": 2, "name_2": 3}', '{"na": 0, "name": 1}'), ('{"na": 1}', '{"name_2": 1}')),
    Case("odd names", _obj([], **{'a"b': _INT, "c\\d": _INT, "é\n": _INT, "": _INT}), (r'{"a\"b": 1}', r'{"c\\d": 1, "é\n": 2, "": 3}'), ('{"a": 1}',)),
    Case("no other keys", _obj([], more={"additionalProperties": False}, a=_INT), ("{}", '{"a": 1}'), ('{"b": 1}',)),
    Case("empty object", {"type": "object", "properties": {}, "additionalProperties": False}, ("{}", "{ }"), ('{"a": 1}',)),
    Case("no properties", {"type": "object", "properties": {}}, ("{}", "{ }"), ('{"a": 1}',)),
    Case("no properties, but one", {"type": "object", "properties": {}, "minProperties": 1}, ('{"a": 1}',), ("{}",)),
    Case("map", {"type": "object", "additionalProperties": _INT}, ("{}", '{"x": 1, "y": 2}'), ('{"x": "1"}',)),
    Case("properties and others", _obj(["a"], more={"additionalProperties": _INT}, a=_STR, b=_STR), ('{"a": "x"}', '{"a": "x", "c": 1, "d": 2}', '{"a": "", "b": "", "ab": 3}'), ('{"a": "x", "c": "y"}', '{"a": "x", "b": 1}', '{"c": 1}')),
    Case("any others", _obj([], more={"additionalProperties": True}, a=_STR), ("{}", '{"z": [1]}', '{"a": "x", "z": {}}'), ('{"a": 1}',)),
    Case("pattern properties", {"type": "object", "patternProperties": {"^x-": _INT}, "additionalProperties": False}, ("{}", '{"x-a": 1}', '{"x-": 1, "x-b": 2}'), ('{"y": 1}', '{"x-a": "1"}')),
    Case("pattern properties and others", {"type": "object", "patternProperties": {"^x-": _INT}, "additionalProperties": _STR}, ('{"x-a": 1, "b": "c"}',), ('{"x-a": "1"}', '{"b": 1}')),
    Case("key names", {"type": "object", "propertyNames": {"enum": ["en", "de"]}, "additionalProperties": _STR}, ("{}", '{"en": "a", "de": "b"}'), ('{"fr": "x"}',)),
    Case("key pattern", {"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "maxLength": 2}}, ('{"ab": 1}',), ('{"A": 1}', '{"abc": 1}', '{"": 1}')),
    Case("required without properties", {"type": "object", "required": ["a"]}, ('{"a": null}', '{"a": [1]}'), ("{}", '{"b": 1}')),
    Case("count of keys", {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": _INT}, ('{"a": 1}', '{"a": 1, "b": 2}'), ("{}", '{"a": 1, "b": 2, "c": 3}')),
    Case("nested", _obj(["p"], p=_obj(["x", "y"], x=_INT, y=_obj(z={"type": "array", "items": _INT}))), ('{"p": {"x": 1, "y": {}}}', '{"p": {"x": 1, "y": {"z": [1, 2]}}}'), ('{"p": {}}', '{"p": {"x": 1, "y": {"z": ["a"]}}}')),
    Case("no type, but properties", {"properties": {"a": _INT}, "required": ["a"]}, ('{"a": 1}',), ("{}", '{"a": "x"}')),
    # arrays
    Case("items", {"type": "array", "items": _INT}, ("[]", "[1]", "[1,2, 3]"), ('["a"]', "[1 2]", "[1, 2")),
    Case("some items", {"type": "array", "items": _STR, "minItems": 2, "maxItems": 3}, ('["a", "b"]', '["a", "b", "c"]'), ("[]", '["a"]', '["a", "b", "c", "d"]')),
    Case("no items", {"type": "array", "maxItems": 0}, ("[]",), ("[1]",)),
    Case("one item", {"type": "array", "items": _INT, "minItems": 1, "maxItems": 1}, ("[5]",), ("[]", "[1, 2]")),
    Case("at least three", {"type": "array", "items": _INT, "minItems": 3}, ("[1, 2, 3]", "[1, 2, 3, 4]"), ("[1, 2]",)),
    Case("tuple", {"type": "array", "prefixItems": [_INT, _STR, {"type": "null"}], "minItems": 2}, ('[1, "a"]', '[1, "a", null]'), ("[1]", '["a", 1]', '[1, "a", null, 2]')),
    Case("tuple that must be longer", {"type": "array", "prefixItems": [_INT], "minItems": 2}, ('[1, "a"]',), ("[1]", '["a", 1]')),
    Case("tuple and more", {"type": "array", "prefixItems": [_INT], "items": _STR, "maxItems": 3}, ("[]", "[1]", '[1, "a", "b"]'), ('["a"]', "[1, 2]", '[1, "a", "b", "c"]')),
    Case("tuple of draft 7", {"type": "array", "items": [_INT, _STR], "additionalItems": False}, ("[]", '[1, "a"]'), ('["a"]', '[1, "a", 2]')),
    Case("items: false", {"type": "array", "prefixItems": [_INT], "items": False, "minItems": 1}, ("[1]",), ("[]", "[1, 2]")),
    # combined
    Case("any of", {"anyOf": [_STR, {"type": "array", "items": _INT}]}, ('"a"', "[1]"), ("1", '["a"]')),
    Case("any of with null", _obj(["a"], a={"anyOf": [_INT, {"type": "null"}], "default": None, "title": "A"}), ('{"a": 1}', '{"a": null}'), ('{"a": "x"}', "{}")),
    Case("any of beside properties", _obj(more={"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, a=_INT, b=_INT), ('{"a": 1}', '{"b": 1}', '{"a": 1, "b": 2}'), ("{}",)),
    Case("one of types", {"oneOf": [_STR, {"type": "null"}]}, ('"a"', "null"), ("1",)),
    Case("one of kinds", {"oneOf": [_obj(["k"], k={"const": "a"}, x=_INT), _obj(["k", "y"], k={"const": "b"}, y=_INT)]}, ('{"k": "a", "x": 1}', '{"k": "b", "y": 1}'), ('{"k": "b"}', '{"k": "c"}', '{"k": "a", "y": 1}')),
    Case("one of numbers", {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 10}]}, ("5", "10.5"), ("5.5",), ("12",), ("oneOf",)),
    Case("all of", {"allOf": [_obj(["a"], a=_INT), _obj(["b"], b=_STR)]}, ('{"a": 1, "b": "x"}',), ('{"a": 1}', '{"b": "x"}')),
    Case("all of with bounds", {"type": "integer", "minimum": 3, "allOf": [{"maximum": 9}, {"minimum": 5}]}, ("5", "9"), ("4", "10")),
    Case("all of on one key", {"allOf": [_obj(a={"type": "integer", "minimum": 1}), _obj(["a"], a={"type": "number", "maximum": 3})]}, ('{"a": 2}',), ('{"a": 0}', '{"a": 4}', '{"a": 1.5}')),
    Case("any of twice", {"allOf": [{"anyOf": [{"type": "integer"}, _STR]}, {"anyOf": [_STR, {"type": "null"}]}]}, ('"x"',), ("1", "null")),
    Case("ref", {"$defs": {"n": {"type": "integer", "minimum": 1}}, **_obj(["a", "b"], a={"$ref": "#/$defs/n"}, b={"$ref": "#/$defs/n"})}, ('{"a": 1, "b": 2}',), ('{"a": 0, "b": 1}',)),
    Case("ref with words beside it", {"definitions": {"n": {"type": "integer", "minimum": 1}}, "$ref": "#/definitions/n", "maximum": 3}, ("1", "3"), ("0", "4")),
    Case("ref with a path", {"$ref": "#/$defs/a~1b/properties/c%20d", "$defs": {"a/b": {"properties": {"c d": _INT}}}}, ("1",), ('"x"',)),
    Case("tree", _TREE, ('{"v": 1}', '{"v": 1, "kids": []}', '{"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}, {"v": 4}]}'), ("{}", '{"v": 1, "kids": [{}]}')),
    Case("linked list", {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}, ('{"next": null}', '{"next": {"next": null}}'), ("{}", '{"next": 1}')),
    Case("two that need each other", {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "b": _obj(["a"], a={"$ref": "#/$defs/a"})}}, ("[]", '[{"a": []}]', '[{"a": [{"a": []}]}]'), ("[[]]", "[{}]")),
    # what is checked afterwards
    Case("multiple", {"type": "integer", "multipleOf": 5, "minimum": 0}, ("10",), ("-5",), ("7",), ("multipleOf",)),
    Case("hundredths", {"type": "number", "multipleOf": 0.01}, ("0.07", "1.1"), ("x",), ("0.005",), ("multipleOf",)),
    Case("unique", {"type": "array", "items": _INT, "uniqueItems": True}, ("[1, 2]",), ('["a"]',), ("[1, 1]",), ("uniqueItems",)),
    Case("not", {"type": "string", "not": {"enum": ["no"]}}, ('"yes"',), ("1",), ('"no"',), ("not",)),
    Case("if then else", {**_obj(["k"], k={"enum": ["a", "b"]}, x=_INT), "if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["x"]}}, ('{"k": "b"}', '{"k": "a", "x": 1}'), ('{"k": "c"}',), ('{"k": "a"}',), ("if",)),
    Case("contains", {"type": "array", "items": _INT, "contains": {"const": 7}}, ("[7]", "[1, 7]"), ('["a"]',), ("[]", "[1]"), ("contains",)),
    Case("dependent", {**_obj(a=_INT, b=_INT), "dependentRequired": {"a": ["b"]}}, ('{"a": 1, "b": 2}', '{"b": 1}'), ('{"c": 1}',), ('{"a": 1}',), ("dependentRequired",)),
    Case("few keys", {**_obj(a=_INT, b=_INT), "maxProperties": 1}, ('{"a": 1}',), ('{"c": 1}',), ('{"a": 1, "b": 2}',), ("maxProperties",)),
    Case("unknown words", {"type": "integer", "x-order": 1, "title": "T", "default": "d", "examples": [1], "$comment": "c", "$schema": "s"}, ("1",), ('"d"',)),
)  # fmt: skip


def client_cases() -> Iterator[tuple[str, bool, Any]]:
    """(name, is it a tool's, schema) of all that recorded clients sent, each once."""
    seen = set()
    for path in sorted(_RECORDED.glob("*/*.json")):
        body = json.loads(path.read_text(encoding="utf-8")).get("body")
        for name, tool, schema in _schemas_of(body if isinstance(body, dict) else {}):
            text = json.dumps(schema)
            if text not in seen:
                seen.add(text)
                yield f"{path.parent.name}/{path.stem} {name}", tool, schema


def _schemas_of(body: dict[str, Any]) -> Iterator[tuple[str, bool, Any]]:
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        yield "response_format", False, form["json_schema"]["schema"]
    for tool in body.get("tools") or ():
        function = tool.get("function", tool)
        if "parameters" in function:
            yield str(function.get("name")), True, function["parameters"]


# For tests that only want schemas: (name, schema).
cases = [(case.name, case.schema) for case in CASES]
