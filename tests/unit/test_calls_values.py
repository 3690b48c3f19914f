"""Arguments as bare text or as Python -> the JSON that the tool's schema wants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.calls.json_text import MAX_DEPTH, NotJson, Scanner, parse_object, to_json
from adapter.calls.python_value import python_value
from adapter.calls.reader import Cursor
from adapter.calls.values import json_of, kinds

ROOT = {"$defs": {"N": {"type": "integer"}, "Loop": {"$ref": "#/$defs/Loop"}, "T": {"anyOf": [{"$ref": "#/$defs/T"}, {}]}}}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("8000", {"type": "string"}, "8000"),
        ("8000", {"type": "integer"}, 8000),
        ("2.0", {"type": "integer"}, 2),
        ("2", {"type": "number"}, 2),
        ("2.5", {"type": ["number", "null"]}, 2.5),
        ("8000", {"type": ["string", "null"]}, "8000"),
        ("null", {"type": ["string", "null"]}, None),
        ("8000", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "8000"),
        ("8000", {"$ref": "#/$defs/N"}, 8000),
        ("True", {"type": "boolean"}, True),
        ("yes", {"type": "boolean"}, "yes"),
        ('["a", 1]', {"type": "array"}, ["a", 1]),
        ("['a', None]", {"type": "array"}, ["a", None]),
        ('{"a": {"b": 1}}', {"type": "object"}, {"a": {"b": 1}}),
        ("1", {"enum": ["1", "2"]}, "1"),
        ("1", {"enum": [1, 2]}, 1),
        ("1", {}, 1),
        ("one", {}, "one"),
        ("[broken", {}, "[broken"),
        ("1", None, 1),
        ("NaN", {"type": "number"}, "NaN"),
        ("1", {"$ref": "#/$defs/Loop"}, 1),
        ("1", {"$ref": "#/nowhere"}, 1),
    ],
)
def test_bare_text(text: str, schema: Any, value: object) -> None:
    found = json.loads(json_of(text, schema, ROOT))
    assert found == value
    assert type(found) is type(value)


def test_schemas_that_go_round_in_circles_end() -> None:
    assert kinds({"$ref": "#/$defs/T"}, ROOT) == set()


def read_python(text: str) -> object:
    cursor = Cursor()
    cursor.push(text)
    cursor.ended = True
    steps = python_value(cursor, 8)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        return json.loads(done.value) if done.value is not None else NotJson


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a'", "a"),
        ("'it\\'s \"x\"'", 'it\'s "x"'),
        ('"a\\u00e9\\/\\x41\\d\\\\"', "aé/A\\d\\"),
        ('"\\ud83d\\ude00"', "😀"),
        ("'two\nlines\tand'", "two\nlines\tand"),
        ('"""a "b" c"""', 'a "b" c'),
        ("''", ""),
        ("(1, -2.5, 1e3)", [1, -2.5, 1000.0]),
        ("{'a': [True, None, false], 'b': {}}", {"a": [True, None, False], "b": {}}),
        ("[1, 2, ]", [1, 2]),
        ("'cut", NotJson),
        ("{'a': ", NotJson),
        ("{1: 2}", NotJson),
        ("name", NotJson),
        ("", NotJson),
        ("[" * 9 + "]" * 9, NotJson),
    ],
)
def test_python(text: str, value: object) -> None:
    assert read_python(text) == value


@pytest.mark.parametrize(
    ("text", "end", "broken"),
    [
        ('{"a": "}\\"{"} x', 13, False),
        ("[1, [2]] ", 8, False),
        ('{"a": ]', 6, True),
        ("{a'", 2, True),
        ('{"a"', 4, False),
        ("[" * (MAX_DEPTH + 1), MAX_DEPTH, True),
    ],
)
def test_where_a_value_ends(text: str, end: int, broken: bool) -> None:
    scanner = Scanner()
    assert scanner.scan(text, 0)[0] == end
    assert scanner.broken == broken
    assert scanner.done == (not broken and end < len(text))


def test_objects() -> None:
    assert parse_object(' {"a": 1} ') == {"a": 1}
    for text in ("[1]", "1", '{"a": NaN}', '{"a": 1} x', "{", '{"a":' * 200 + "1" + "}" * 200):
        with pytest.raises(NotJson):
            parse_object(text)
    assert to_json({"ü": "\ud800"}) == '{"\\u00fc": "\\ud800"}'
