"""Edits in YAML: what is ours is there, and all else stands byte for byte."""

from __future__ import annotations

import random
import re
from itertools import takewhile
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapter.connect.edits_yaml import edit_yaml, is_plain, loads, render
from adapter.connect.parts import Put, PutEntries, Secret
from adapter.connect.values import EditError, applied, same

ENTRY = {"name": "F", "on": "yes", "roles": ["a"]}
OURS = PutEntries(("models",), (ENTRY,), lambda entry: bool(entry["name"] == "F"))
BLOCK = "- name: F\n{0}  \"on\": \"yes\"\n{0}  roles:\n{0}    - a\n"


def block(indent: str) -> str:
    return indent + BLOCK.format(indent)


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        # nothing there yet
        ("", OURS, "models:\n" + block("  ")),
        ("# mine\n\n", Put(("a", "b"), 1), "# mine\n\na:\n  b: 1\n"),
        ("models:\n", OURS, "models:\n" + block("  ")),
        ("models:   # none\nx: 1\n", OURS, "models:   # none\n" + block("  ") + "x: 1\n"),
        ("models: []  # none\nx: 1\n", OURS, "models:  # none\n" + block("  ") + "x: 1\n"),
        ("models: null\n", OURS, "models:\n" + block("  ")),
        ("a:\nb: 1\n", Put(("a",), "x"), "a: x\nb: 1\n"),
        ("a:  # why\nb: 1\n", Put(("a",), "x"), "a: x  # why\nb: 1\n"),
        # a value in its place
        ("a: 'q'   # why\nb: 1\n", Put(("a",), "http://x:1/v1"), "a: http://x:1/v1   # why\nb: 1\n"),
        ("a: 'q'\n", Put(("a",), "q"), "a: 'q'\n"),
        ("a: 0x10\n", Put(("a",), 16), "a: 0x10\n"),
        ("a: 1\n", Put(("a",), True), "a: true\n"),
        ("a: 1\n", Put(("a",), 2, absent_only=True), "a: 1\n"),
        ("a: |\n  text\n  more\n\nb: 1\n", Put(("a",), "x"), "a: x\n\nb: 1\n"),
        ("a:\n  - 1\n  - 2\n# b\nb: 1\n", Put(("a",), {"c": 1}), "a:\n  c: 1\n# b\nb: 1\n"),
        ("a:\n  - 1\n  # tail\nb: 1\n", Put(("a",), "x"), "a: x\n  # tail\nb: 1\n"),
        ("a: x  # why\nb: 1\n", Put(("a",), {"c": {"d": 1}}), "a:  # why\n  c:\n    d: 1\nb: 1\n"),
        ("a: {b: 1, c: [1, 2]}  # flow\n", Put(("a", "c"), {"d": "e f"}), 'a: {b: 1, c: {d: "e f"}}  # flow\n'),
        ("a: {b: 1}\n", Put(("a", "c"), 2), "a: {b: 1, c: 2}\n"),
        ("a: {}\n", Put(("a", "c"), 2), "a: {c: 2}\n"),
        # a new one behind the last
        ("a: 1", Put(("b",), 2), "a: 1\nb: 2\n"),
        ("a:\r\n    b: 1\r\n\r\n# c\r\nc: 1\r\n", Put(("a", "d"), {"e": 1}), "a:\r\n    b: 1\r\n    d:\r\n      e: 1\r\n\r\n# c\r\nc: 1\r\n"),
        ("a:\n  b: |\n    text\n\n\nc: 1\n", Put(("a", "d"), 1), "a:\n  b: |\n    text\n  d: 1\n\n\nc: 1\n"),
        ("a:\n  b:\n\n# d\nd: x\n", Put(("a", "c"), 1), "a:\n  b:\n  c: 1\n\n# d\nd: x\n"),
        ("a:\n  -\n# d\nd: x\n", PutEntries(("a",), (1,), lambda entry: entry == 1), "a:\n  -\n  - 1\n# d\nd: x\n"),
        ("models:\n- name: G\n  x: 1   # x\n\n# rest\nrest: 1\n", OURS, "models:\n- name: G\n  x: 1   # x\n" + block("") + "\n# rest\nrest: 1\n"),
        ("models:\n    - name: G\n", OURS, "models:\n    - name: G\n" + block("    ")),
        ("models:\n    -   name: G\n        x: 1\n", OURS, "models:\n    -   name: G\n        x: 1\n" + block("    ")),
        ("models: [{name: G}]\n", OURS, 'models: [{name: G}, {name: F, "on": "yes", roles: [a]}]\n'),
        ("- name: G\n", PutEntries((), (ENTRY,), lambda entry: bool(entry["name"] == "F")), "- name: G\n" + block("")),
        # ours, in its place
        ("models:\n  - name: F   # ours\n    old: 1\n  # theirs\n  - 7\n", OURS, "models:\n" + block("  ") + "  # theirs\n  - 7\n"),
        ("models:\n  - {name: F, x: 1}\n  - name: G\n", OURS, "models:\n" + block("  ") + "  - name: G\n"),
        ("models:\n  - name: F\n  - name: G\n  # f2\n  - name: F\n    x: 1\nz: 1\n", OURS,
         "models:\n" + block("  ") + "  - name: G\n  # f2\nz: 1\n"),
        ("models:\n  - name: F\n", PutEntries(("models",), (), lambda entry: True), "models:\n  []\n"),
        ("models: [{name: G}, {name: F}]\n", PutEntries(("models",), (), lambda entry: bool(entry["name"] == "F")), "models: [{name: G}]\n"),
        ("models: [{name: F}, {name: G}]\n", PutEntries(("models",), (), lambda entry: bool(entry["name"] == "F")), "models: [{name: G}]\n"),
    ],
)  # fmt: skip
def test_edits(before: str, edit: Put | PutEntries, after: str) -> None:
    assert edit_yaml(before, (edit,)) == after
    assert edit_yaml(after, (edit,)) == after


def test_the_head_of_a_new_file_and_secrets() -> None:
    text = edit_yaml("", (Put(("key",), Secret("sk-1 #")), Put(("m",), 1)), head="Made by us.\n\nLeave it.")
    assert text == '# Made by us.\n#\n# Leave it.\nkey: "sk-1 #"\nm: 1\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1\n", "line 2, column 1: not valid YAML"),
        ("a: 1\n  b: 2\n", "line 2, column 4: not valid YAML"),
        ("a:\n\t- 1\n", "line 2, column 1: not valid YAML"),
        ("a: 1\na: 2\n", "line 2, column 1: not valid YAML: found duplicate key"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: not valid YAML: several documents"),
        ("a: *nobody\n", "line 1, column 4: not valid YAML"),
        ("a: !!python/object:os.system x\n", "not valid YAML"),
        ("- 1\n", "the whole file is not a mapping"),
        ("7\n", "the whole file is not a mapping"),
        ("# c\n---\n", "delete the file"),
        ("x: {y: [1]}\nmodels: {}\n", "'models' is not a list"),
        ("models: 7\n", "'models' is not a list"),
        # what both share cannot be changed in one of them alone
        ("x: &x\n  - name: G\nmodels: *x\n", "cannot be edited without harm"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(EditError, match=re.escape(says)):
        edit_yaml(text, (OURS,))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("auto", True), ("gemma-3-1b-it-q4_k_m.gguf", True), ("os.environ/NAME", True), ("http://127.0.0.1:8888/v1", True),
        ("yes", False), ("No", False), ("on", False), ("null", False), ("1.0", False), ("1e5", False), ("0x1", False), ("12:30", False),
        ("a: b", False), ("a #b", False), ("*x", False), ("", False), ("${X}", False), ("-", False), ("~", False), ("a\nb", False),
    ],
)  # fmt: skip
def test_strings_that_every_reader_takes_for_strings(text: str, plain: bool) -> None:
    assert is_plain(text) is plain
    for value in (text, {"k": [text]}, [text]):
        assert same(loads(render(value)), value)


def test_what_is_merged_in_ends_in_a_sentence() -> None:
    """They are put into what is merged in, until a key is there twice."""
    edits = (Put(("r", "b", "d"), "yes"), Put(("r", "k"), 1, absent_only=True), Put(("s",), [1]), Put(("r", "a"), 2))
    with pytest.raises(EditError, match="cannot be edited without harm"):
        edit_yaml("base: &base {k: 1}\nr: {<<: *base}\n", edits)


def test_many_entries_are_read_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of 300 models took minutes when the text was read for each."""
    edit = PutEntries(("models",), tuple({"name": "F", "n": number} for number in range(40)), lambda entry: bool(entry["name"] == "F"))
    before = edit_yaml("models: []\n", (edit,))
    compose, times = YAML.compose, list[int]()

    def counted(yaml: YAML, stream: Any) -> Any:
        times.append(1)
        return compose(yaml, stream)

    monkeypatch.setattr(YAML, "compose", counted)
    puts = tuple(Put(("settings", "same"), 1) for _ in range(20))
    assert edit_yaml(before + "settings: {same: 1}\n", (edit, *puts)) == before + "settings: {same: 1}\n"
    assert len(times) == 1
    assert edit_yaml(before.replace("n: ", "n: 1"), (edit,)) == before
    assert len(times) < 5


PIECES = (
    "a:\n  b: 1   # c{0}.\n", "# c{0}.\n", "\n", "b:\n    c:\n        - 1\n        # c{0}.\n        - {{x: 1}}\n", "c: |\n  # text\n\n  more\n",
    "d: {{a: 1, b: [2]}}  # c{0}.\n", "e: 'it''s'\n", "f:   # c{0}.\n", "g: >-\n  folded\n  text\n", "h:\n- 1\n-   k: v  # c{0}.\n    l: w\n",
)  # fmt: skip


def shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@pytest.mark.parametrize("seed", range(120))
def test_by_chance(seed: int) -> None:
    """Any key, old or new: the rest of the data is the same; lines without anything of ours stay, comments too."""
    dice = random.Random(seed)
    text = "".join(piece.format(number) for number, piece in enumerate(dice.sample(PIECES, len(PIECES))))
    path = tuple(dice.choice(["a", "b", "c", "d", "f", "h", "new"]) for _ in range(dice.randint(1, 3)))
    edit = Put(path, dice.choice([1, "x", {"k": [1, {"l": 2}]}, [{"m": 1, "n": {"o": 2}}, 3]]))
    data: Any = loads(text)
    try:
        expected = applied(data, (edit,))
    except EditError:
        with pytest.raises(EditError, match="is not a mapping"):
            edit_yaml(text, (edit,))
        return
    new = edit_yaml(text, (edit,))
    assert same(loads(new), expected)
    assert edit_yaml(new, (edit,)) == new
    if path[0] == "new" or path[-1] == "new":
        assert re.findall(r"c\d+\.", new) == re.findall(r"c\d+\.", text)
        # One piece was put in, and nothing taken away.
        assert shared(text, new) + shared(text[::-1], new[::-1]) >= len(text)
