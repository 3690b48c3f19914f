"""Values that models write, schemas in few words, names that are nearly right, and values made to fit."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from adapter.calls.tools import tools_of
from adapter.chat import Chat, Message, OutputFormat, OutputKind, Role, Tool, ToolChoice
from adapter.constrain.check import check_value
from adapter.emulate.fit import fit, fit_arguments
from adapter.emulate.forms import Form
from adapter.emulate.loose import MAX_DEPTH, Loose, Unreadable
from adapter.emulate.names import Names
from adapter.emulate.prompt import at_the_end, describe, tools_in_words
from adapter.emulate.signature import signature
from adapter.errors import BadRequest
from tests.unit import emulate_corpus as corpus


def made(chance: random.Random, levels: int = 4) -> Any:
    kind = chance.randrange(7 if levels else 5)
    texts = ["", "a b", "it's", 'say "x"', "ü 李 😀", "a\\b", "line\nnext", "{x}", "[1, 2", "# no", "// no", "true", "3"]
    simple = [None, chance.random() < 0.5, chance.randrange(-9, 10**12), chance.random() * 10, chance.choice(texts)]
    if kind < 5:
        return simple[kind]
    if kind == 5:
        return [made(chance, levels - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(texts) + str(number): made(chance, levels - 1) for number in range(chance.randrange(4))}


def test_json_and_python_are_read_as_what_they_say() -> None:
    chance = random.Random(3)
    for _ in range(400):
        value = {"v": made(chance)}
        for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2), repr(value)):
            loose = Loose(text + " and more", close=False)
            assert loose.value() == value, text
            assert loose.text[loose.at :] == " and more"


def test_what_is_closed_at_the_end_is_never_more_than_was_written() -> None:
    """Any beginning of an object is refused, or read as a part of it."""
    chance = random.Random(5)
    for _ in range(300):
        value = {"v": made(chance), "w": made(chance)}
        text = json.dumps(value)
        cut = text[: chance.randrange(1, len(text))]
        with pytest.raises(Unreadable) as refused:
            Loose(cut, close=False).value()
        assert refused.value.ran_out
        try:
            found = Loose(cut, close=True).value()
        except Unreadable:
            continue
        assert is_part(found, value)


def is_part(some: Any, whole: Any) -> bool:
    """Is it the beginning of the other? Texts are whole; a number may lack its last digits."""
    if isinstance(whole, dict):
        return isinstance(some, dict) and all(key in whole and is_part(one, whole[key]) for key, one in some.items())
    if isinstance(whole, list):
        return isinstance(some, list) and len(some) <= len(whole) and all(map(is_part, some, whole))
    if isinstance(whole, int | float) and not isinstance(whole, bool):
        return json.dumps(whole).startswith(json.dumps(some).removesuffix(".0"))
    return bool(some == whole)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{'a': 'it\\'s'}", {"a": "it's"}),
        ('{"a": (1, 2)}', {"a": [1, 2]}),
        ('{a: True, "b": None}', {"a": True, "b": None}),
        ('{"a": 1 /* one */, // two\n "b": 2 # three\n}', {"a": 1, "b": 2}),
        ('{"a": "\\ud83d\\ude00", b: 1}', {"a": "😀", "b": 1}),
        ('{"a": """x "y" z"""}', {"a": 'x "y" z'}),
        ('{"a": "b" "c": 1}', {"a": "b", "c": 1}),
        ('{“a”: “b "c"”}', {"a": 'b "c"'}),
        ('[{"a": 1}, {"b": [2', [{"a": 1}, {"b": [2]}]),
        ('{{"a": 1}}', {"a": 1}),
        ('{"a": -0.5e3, "b": +2}', {"a": -500.0, "b": 2}),
    ],
)
def test_certain_repairs(text: str, value: Any) -> None:
    loose = Loose(text, close=True)
    assert loose.value() == value
    assert loose.repairs


@pytest.mark.parametrize(
    "text",
    [
        '{"a": b}', '{"a": "b" c"}', '{"a"}', '{"a": 1]', '{"a": [1 2]}', '{"a": 1e999}', '{"a": NaN}', '{"a": "b', '{"a":', '{"a',
        "[" * (MAX_DEPTH + 1), '{"a": 01}', '{"a": 1.}', "{1: 2}", "", "{,}", '{"a": 1 - 2}', '{"a": "b" + "c"}',
    ],
)  # fmt: skip
def test_what_has_more_than_one_reading_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        Loose(text, close=True).value()


# --- fit --------------------------------------------------------------------------------------------------------------

OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "number"}, "i": {"type": "integer"}, "b": {"type": "boolean"}, "s": {"type": "string"},
        "l": {"type": "array", "items": {"type": "integer"}}, "e": {"enum": ["new york", "rome"]},
        "u": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "r": {"$ref": "#/$defs/point"},
        "is": {"type": ["integer", "string"]},
    },
    "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ({"n": "1.5"}, {"n": 1.5}),
        ({"i": "3"}, {"i": 3}),
        ({"i": "3.0"}, {"i": 3}),
        ({"b": "False"}, {"b": False}),
        ({"s": 12}, {"s": "12"}),
        ({"l": "4"}, {"l": [4]}),
        ({"l": ["1", 2.0]}, {"l": [1, 2]}),
        ({"l": "[1, 2]"}, {"l": [1, 2]}),
        ({"e": "New_York"}, {"e": "new york"}),
        ({"u": "5"}, {"u": 5}),
        ({"r": {"x": "1", "y": 2}}, {"r": {"x": 1}}),
        ({"S": "x"}, {"S": "x"}),
        ({"n": None}, {}),
        ({"is": "12"}, {"is": "12"}),
    ],
)
def test_values_made_to_fit(value: Any, fitted: Any) -> None:
    found, _, wrong = fit(OBJECT, value)
    assert wrong is None
    assert found == fitted
    assert check_value(OBJECT, found) is None


@pytest.mark.parametrize(
    "value",
    [{"n": "1,5"}, {"n": "ten"}, {"i": "1.5"}, {"b": "yes"}, {"b": 1}, {"s": 1.5}, {"s": True}, {"s": ["x"]}, {"e": "ny"},
     {"r": {}}, {"l": {"0": 1}}, {"i": True}, [], "x", None],
)  # fmt: skip
def test_values_that_nobody_can_be_sure_of_are_left(value: Any) -> None:
    found, notes, wrong = fit(OBJECT, value)
    assert wrong is not None
    assert (found, notes) == (value, [])


def test_what_fits_is_not_touched() -> None:
    value = {"s": "12", "u": None, "other": "3", "e": "rome"}
    assert fit(OBJECT, value) == (value, [], None)


def test_wrappings_are_removed_from_arguments_only() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    for wrapped in ({"arguments": {"city": "x"}}, {"city": {"city": "x"}}, {"input": {"city": "x"}}):
        assert fit_arguments(schema, wrapped)[0] == {"city": "x"}
        assert fit(schema, wrapped)[2] is not None


def test_fitting_ends_for_schemas_that_branch_without_end() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}, {"type": "null"}]}}}
    assert fit(schema, "x")[2] is not None


# --- names, notation, prompt ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [("get_weather", "get_weather"), ("functions.now", "now"), ("GetWeather", "get_weather"), ("NOW", "now"), ("nowish", None),
     ("", None), ("default_api.list_files", "list_files"), ("search()", "search"), ("weather", None)],
)  # fmt: skip
def test_names(written: str, meant: str | None) -> None:
    assert Names(corpus.box()).resolve(written) == meant


def test_a_name_that_may_be_one_of_two_is_none() -> None:
    names = Names(tools_of((Tool("get_it"), Tool("getIt")), ToolChoice()))
    assert names.resolve("getIt") == "getIt"
    assert names.resolve("GETIT") is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "properties": {}}, "{}"),
        ({"type": "object"}, "object"),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array", "items": {"enum": ["a", 1]}}, '("a" | 1)[]'),
        ({"type": ["string", "null"]}, "string | null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        ({"type": "object", "properties": {"a-b": {"type": "integer", "minimum": 1, "description": "How\nmany."}}, "required": ["a-b"]},
         '{"a-b": integer /* How many; at least 1 */}'),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{[key: string]: number}"),
        ({"const": 3}, "3"),
        (True, "any"),
        ({"properties": {"x": {"default": 5}}}, "{x?: any /* default 5 */}"),
        ({"not": {"type": "string"}, "description": "d"}, '{"not": {"type": "string"}}'),
        ({"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}}}}}, "{next?: t}"),
        ({"type": "string", "description": "ends */ here"}, "string"),
    ],
)  # fmt: skip
def test_notation(schema: Any, words: str) -> None:
    assert signature(schema) == words


def test_the_notation_of_a_schema_that_branches_without_end_ends() -> None:
    parts = {f"p{i}": {"type": "object", "properties": {f"a{j}": {"$ref": f"#/$defs/p{i + 1}"} for j in range(9)}} for i in range(9)}
    assert len(signature({"$ref": "#/$defs/p0", "$defs": parts})) < 200_000


def test_all_descriptions_and_names_are_in_the_prompt() -> None:
    told = describe(corpus.box(), parallel=True)
    for tool in corpus.tools():
        assert f"- {tool.name} " in told
        assert tool.description in told
    assert "City name, e.g. Paris" in told
    assert len(told) < 0.75 * sum(len(tool.parameters) + len(tool.name) + len(tool.description) for tool in corpus.tools()) + 700


def test_demands_stand_at_the_end_of_the_last_words_of_the_user() -> None:
    system, user, begun = Message(Role.SYSTEM, "s"), Message(Role.USER, "u"), Message(Role.ASSISTANT, "b")
    assert at_the_end([system, user, begun], "x") == [system, Message(Role.USER, "u\n\nx"), begun]
    assert at_the_end([system], "x") == [Message(Role.SYSTEM, "s\n\nx")]
    assert at_the_end([], "x") == [Message(Role.SYSTEM, "x")]


def test_tools_go_to_a_system_message_of_their_own_where_there_is_none() -> None:
    asked = Chat("m", (Message(Role.USER, "u"),), tools=(Tool("now"),))
    told = tools_in_words(asked, tools_of(asked.tools, asked.tool_choice)).messages
    assert [message.role for message in told] == [Role.SYSTEM, Role.USER]
    developer = Chat("m", (Message(Role.DEVELOPER, "d"), Message(Role.USER, "u")), tools=(Tool("now"),))
    told = tools_in_words(developer, tools_of(asked.tools, asked.tool_choice)).messages
    assert told[0].role is Role.DEVELOPER
    assert told[0].content.startswith("d\n\nYou can call")


@pytest.mark.parametrize(
    ("kind", "text"),
    [(OutputKind.SCHEMA, "{"), (OutputKind.CHOICE, "[]"), (OutputKind.CHOICE, '[1]'), (OutputKind.REGEX, "(")],
)  # fmt: skip
def test_forms_that_cannot_be(kind: OutputKind, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        Form(OutputFormat(kind, text, "guided"))
    assert refused.value.param == "guided"


def test_patterns_that_explode_elsewhere_end() -> None:
    form = Form(OutputFormat(OutputKind.REGEX, "(a+)+b"))
    assert form.read("a" * 5_000).wrong is not None
    assert form.read("a" * 5_000 + "b").wrong is None
