"""Edits in JSON and JSON5: what is ours is there, and all else stands byte for byte."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import json5
import pytest

from adapter.connect.edits_json import Syntax, edit_json
from adapter.connect.json5_text import parse
from adapter.connect.parts import Put, PutEntries, Secret
from adapter.connect.values import EditError, applied, same

URL = Put(("models", "providers", "farm", "baseUrl"), "http://x/v1")


def is_farm(entry: Any) -> bool:
    return bool(entry["id"] == "farm")


LIST = PutEntries(("list",), ({"id": "farm", "n": 1},), is_farm)


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        # nothing there yet
        ("", Put(("a",), 1), "{\n  a: 1\n}\n"),
        ("// mine\n", Put(("a",), 1), "// mine\n{\n  a: 1\n}\n"),
        ("{}", Put(("a",), 1), "{\n  a: 1\n}"),
        ("{}\n", Put(("a", "b-c"), "é"), '{\n  a: {\n    "b-c": "é"\n  }\n}\n'),
        ("{ /* empty */ }", Put(("a",), 1), "{ /* empty */ \n  a: 1\n}"),
        ("{\n  // empty\n}\n", Put(("a",), 1), "{\n  // empty\n  a: 1\n}\n"),
        # a value in its place
        ("{a: 1, /* b */ 'b': 2,}", Put(("a",), 3), "{a: 3, /* b */ 'b': 2,}"),
        ("{a: 1, b: 2}", Put(("a",), {"x": [1]}), "{a: {x: [1]}, b: 2}"),
        ("{\n\ta: 'one', // why\n}", Put(("a",), "two"), '{\n\ta: "two", // why\n}'),
        ("{\n\ta: [\n\t],\n}", Put(("a",), {"b": {"c": None}}), "{\n\ta: {\n\t\tb: {\n\t\t\tc: null\n\t\t}\n\t},\n}"),
        ("{a: 'b'}", Put(("a",), "b"), "{a: 'b'}"),  # as it is written
        ("{a: 0x10, b: .5, c: +1}", Put(("a",), 16), "{a: 0x10, b: .5, c: +1}"),
        ("{a: 1}", Put(("a",), 2, absent_only=True), "{a: 1}"),
        ("{a: null}", Put(("a",), 2, absent_only=True), "{a: null}"),
        ("{a: null}", Put(("a", "b"), 2), "{a: {b: 2}}"),
        ("{a: 1, a: 2}", Put(("a",), 3), "{a: 1, a: 3}"),  # the last one counts
        (r"{'\x61': 1, \u0062: 2}", Put(("b",), 3), r"{'\x61': 1, \u0062: 3}"),
        (r"{'\x61': 1, \u0062: 2}", Put(("a",), 3), r"{'\x61': 3, \u0062: 2}"),
        # a new one behind the last
        ("{a: 1}", Put(("b",), 2), "{a: 1, b: 2}"),
        ("{a: 1,}", Put(("b",), 2), "{a: 1, b: 2,}"),
        ("{ a: 1 } // end", Put(("b",), 2), "{ a: 1, b: 2 } // end"),
        ("{\n  a: 1\n}\n", Put(("b",), 2), "{\n  a: 1,\n  b: 2\n}\n"),
        ("{\n  a: 1, // one\n}\n", Put(("b",), 2), "{\n  a: 1, // one\n  b: 2,\n}\n"),
        ("{\n  a: 1 /* x */ // one\n}\n", Put(("b",), 2), "{\n  a: 1, /* x */ // one\n  b: 2\n}\n"),
        ("{\n  a: 1 // one\n  // tail\n}\n", Put(("b",), 2), "{\n  a: 1, // one\n  b: 2\n  // tail\n}\n"),
        ("{\n  a: 1}", Put(("b",), 2), "{\n  a: 1,\n  b: 2}"),
        ("{\n    'a': {\n        'b': 1\n    }\n}", Put(("a", "c"), {"d": 1}), "{\n    'a': {\n        'b': 1,\n        \"c\": {\n            \"d\": 1\n        }\n    }\n}"),
        ("{\r\n  a: 1\r\n}\r\n", Put(("b",), {"c": 1}), "{\r\n  a: 1,\r\n  b: {\r\n    c: 1\r\n  }\r\n}\r\n"),
        ("{a: {b: {}}}", Put(("a", "b", "c"), 1), "{a: {b: {\n  c: 1\n}}}"),
        # lists
        ("{list: []}", LIST, "{list: [\n  {\n    id: \"farm\",\n    n: 1\n  }\n]}"),
        ("{list: [{id: 'x'}]}", LIST, "{list: [{id: 'x'}, {id: \"farm\", n: 1}]}"),
        ("{list: [{id: 'farm', n: 1}, 7, 'farm']}", LIST, "{list: [{id: 'farm', n: 1}, 7, 'farm']}"),
        ("{list: [{id: 'farm'}, {id: 'x'}]}", LIST, "{list: [{id: \"farm\", n: 1}, {id: 'x'}]}"),
        ("{list: [{id: 'farm', n: 1}, {id: 'x'}, {id: 'farm'}]}", LIST, "{list: [{id: 'farm', n: 1}, {id: 'x'}]}"),
        ("{\n  list: [\n    {id: 'x'}, // x\n    {id: 'farm'},\n    {id: 'farm'}, // gone\n    // stays\n    {id: 'y'}\n  ]\n}",
         LIST, "{\n  list: [\n    {id: 'x'}, // x\n    {\n      id: \"farm\",\n      n: 1\n    },\n    // stays\n    {id: 'y'}\n  ]\n}"),
        ("[1]", PutEntries((), (2,), lambda entry: entry == 2), "[1, 2]"),
    ],
)  # fmt: skip
def test_json5(before: str, edit: Put | PutEntries, after: str) -> None:
    assert edit_json(before, (edit,), "json5") == after
    assert edit_json(after, (edit,), "json5") == after  # a second time changes nothing
    assert json5.loads(after) == applied(json5.loads(before) if "{" in before or "[" in before else {}, (edit,))


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("", Put(("a",), 1), '{\n  "a": 1\n}\n'),
        ('{"a": 1}', Put(("b",), 2), '{"a": 1, "b": 2}'),
        ('{\n\t"a": 1\n}', Put(("b",), True), '{\n\t"a": 1,\n\t"b": true\n}'),
        ('{"list": [{"id": "x"}, {"id": "farm"}, {"id": "farm"}]}', PutEntries(("list",), (), is_farm), '{"list": [{"id": "x"}]}'),
        ('{"list": [{"id": "farm"}]}', PutEntries(("list",), (), is_farm), '{"list": []}'),
        ('{"a": "\u2028"}', Put(("b",), "\u2029"), '{"a": "\u2028", "b": "\\u2029"}'),
    ],
)
def test_json(before: str, edit: Put | PutEntries, after: str) -> None:
    assert edit_json(before, (edit,), "json") == after
    json.loads(after)


def test_several_edits_and_the_head_of_a_new_file() -> None:
    text = edit_json("", (URL, Put(("a",), Secret("sk-1"))), "json5", head="Made by us.\n\nLeave it.")
    assert text.startswith("// Made by us.\n//\n// Leave it.\n{\n  models: {") and '\n  a: "sk-1"\n}\n' in text
    assert edit_json("{}", (URL,), "json5", head="never").count("//") == 1  # only that of http://


@pytest.mark.parametrize(
    ("text", "syntax", "says"),
    [
        ("{a: 1", "json5", "line 1, column 6: expected ',' or '}'; the file ends here"),
        ("{\n  a: 1\n  b: 2\n}", "json5", "line 3, column 3: expected ',' or '}', not 'b'"),
        ("{a 1}", "json5", "line 1, column 4: expected ':' behind the key a"),
        ("{a: }", "json5", "line 1, column 5: '}' is no value"),
        ("{a: 'x\n'}", "json5", "line 1, column 5: a string without its end"),
        ("{a: tru}", "json5", "line 1, column 5: 't' is no value"),
        ("{a: 01}", "json5", "line 1, column 5: '0' is no value"),
        ("{} {}", "json5", "line 1, column 4: something follows"),
        ("{a: /* b }", "json5", "'/' is no value"),
        ("{", "json5", "the file ends here"),
        ("{a:", "json5", "the file ends where a value should be"),
        ("[" * 500, "json5", "nested more than"),
        ("{a: 1}", "json", "must be plain JSON"),
        ('{"a": 1,}', "json", "must be plain JSON"),
        ("[]", "json5", "the whole file is not a mapping"),
        ("7", "json", "the whole file is not a mapping"),
        ("{models: []}", "json5", "'models' is not a mapping"),
        ("{models: {providers: 'x'}}", "json5", "'models.providers' is not a mapping"),
    ],
)
def test_broken_files_are_refused_with_the_place(text: str, syntax: Syntax, says: str) -> None:
    with pytest.raises(EditError, match=re.escape(says)):
        edit_json(text, (URL,), syntax)


def test_a_list_that_is_none() -> None:
    with pytest.raises(EditError, match="'list' is not a list"):
        edit_json("{list: {}}", (LIST,), "json5")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("'a\\\nb'", "scalar"), ("-Infinity", "scalar"), ("NaN", "scalar"), ("\ufeff[1,]", "list"), ("{$_é: 1, 'q\\'': 2}", "object"), ("1e5", "scalar")],
)
def test_what_json5_allows(text: str, kinds: str) -> None:
    assert parse(text).kind == kinds


# --- chance -------------------------------------------------------------------------------------------------


class Writer:
    """Random JSON5 with a numbered comment wherever one may stand."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.comments = 0

    def blank(self) -> str:
        if self.dice.random() < 0.5:
            return self.dice.choice(["", " ", "\n", "\t", "\n    "])
        self.comments += 1
        return self.dice.choice([f"/* c{self.comments}. */", f"// c{self.comments}.\n", f" /* c{self.comments}.\n */ "])

    def key(self, name: str) -> str:
        return self.dice.choice([name, f"'{name}'", f'"{name}"'])

    def value(self, depth: int) -> str:
        kind = self.dice.random()
        if depth and kind < 0.45:
            names = self.dice.sample("abcdefgh", self.dice.randint(0, 4))
            inside = [f"{self.blank()}{self.key(name)}{self.blank()}:{self.blank()}{self.value(depth - 1)}{self.blank()}" for name in names]
            return "{" + self.joined(inside) + "}"
        if depth and kind < 0.6:
            return "[" + self.joined([f"{self.blank()}{self.value(depth - 1)}{self.blank()}" for _ in range(self.dice.randint(0, 3))]) + "]"
        return self.dice.choice(["1", "-.5", "0xF", "true", "null", "'it\\'s // no comment'", '"{[,:]}"', "Infinity"])

    def joined(self, inside: list[str]) -> str:
        return ",".join(inside) + ("," if inside and self.dice.random() < 0.4 else "") + self.blank()

    def whole(self) -> str:
        inside = [f"{self.blank()}{self.key(name)}:{self.blank()}{self.value(3)}{self.blank()}" for name in "abcd"]
        return self.blank() + "{" + self.joined(inside) + "}" + self.blank()


@pytest.mark.parametrize("seed", range(150))
def test_by_chance(seed: int) -> None:
    """Any key, old or new, in any text: the rest of the data is the same, and no comment outside of what was replaced is lost."""
    writer = Writer(seed)
    text = writer.whole()
    data = json5.loads(text)
    path = tuple(writer.dice.choice("abcdefghz") for _ in range(writer.dice.randint(1, 3)))
    edit = Put(path, writer.dice.choice([1, "x", {"k": [1, {"l": 2}]}, []]))
    try:
        expected = applied(data, (edit,))
    except EditError:
        with pytest.raises(EditError, match="is not a mapping"):
            edit_json(text, (edit,), "json5")
        return
    new = edit_json(text, (edit,), "json5")
    assert same(json5.loads(new), expected)
    assert edit_json(new, (edit,), "json5") == new
    here, there = re.findall(r"c\d+\.", text), re.findall(r"c\d+\.", new)
    if not _found(data, path):
        assert there == here
    else:  # those within the old value go with it, and those stand together
        gone = [comment for comment in here if comment not in there]
        assert there == [comment for comment in here if comment not in gone]
        assert here[here.index(gone[0]) : here.index(gone[0]) + len(gone)] == gone if gone else True


def _found(data: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(data, dict) or key not in data or data[key] is None:
            return isinstance(data, dict) and key in data
        data = data[key]
    return True


@pytest.mark.parametrize("seed", range(60))
def test_lists_by_chance(seed: int) -> None:
    writer = Writer(seed)
    dice = writer.dice
    items = [f"{writer.blank()}{dice.choice(['{id: `farm`}', '{id: `x`, n: 2}', '7', '{n: 3}']).replace('`', chr(39))}{writer.blank()}" for _ in range(dice.randint(0, 5))]
    text = "{ a: 1, list:" + writer.blank() + "[" + writer.joined(items) + "]}"
    edit = PutEntries(("list",), tuple({"id": "farm", "n": number} for number in range(dice.randint(0, 3))), is_farm)
    new = edit_json(text, (edit,), "json5")
    assert same(json5.loads(new), applied(json5.loads(text), (edit,)))
    assert edit_json(new, (edit,), "json5") == new
