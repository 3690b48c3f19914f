"""Edits in files of variables: shells read them as we do, and all else stands byte for byte."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from adapter.connect.edits import edited, is_private
from adapter.connect.edits_env import edit_env, quoted, read_env
from adapter.connect.parts import Default, EnvFile, Generate, Secret
from adapter.connect.values import EditError


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "A=1\n"),
        ("# mine\nB=2", "# mine\nB=2\nA=1\n"),
        ("B=2\r\n", "B=2\r\nA=1\r\n"),
        ("A=0\n", "A=1\n"),
        ("A=\n", "A=1\n"),
        ("A=1\n", "A=1\n"),
        ("A='1'   # one\n", "A='1'   # one\n"),  # as it is written
        ("  export A = \"0\" # one\nB=2\n", "  export A = 1 # one\nB=2\n"),
        ("A=0 # zero\n", "A=1 # zero\n"),
        ("A=a#b c\n", "A=1\n"),
        ("A=0\nA=5\n", "A=0\nA=1\n"),  # the last one counts
        ("#A=0\nAA=0\nA.B=0\n", "#A=0\nAA=0\nA.B=0\nA=1\n"),
        ("B='x\nA=5\ny'\nA=0\n", "B='x\nA=5\ny'\nA=1\n"),  # that was a line of B's value
        ('B="x \\" \nA=5"\n', 'B="x \\" \nA=5"\nA=1\n'),
        ("A= # none yet\nB=2\n", "A=1 # none yet\nB=2\n"),
        ("A='it'\\''s' # zero\n", "A=1 # zero\n"),  # pieces without a blank between them are one value
        ("A=\"x\"y\nB=2\n", "A=1\nB=2\n"),
        ("A='x'\"\nA=5\"\n", "A=1\n"),
        ("if true; then\n  A=0\nfi\n", "if true; then\n  A=1\nfi\n"),
    ],
)
def test_one_variable(before: str, after: str) -> None:
    assert edit_env(before, [("A", "1")], export=False) == after
    assert edit_env(after, [("A", "1")], export=False) == after


def test_for_shells() -> None:
    assert edit_env("A=1\n  B=1\n", [("A", "1"), ("B", "2"), ("C", "3")], export=True) == "export A=1\n  export B=2\nexport C=3\n"
    assert edit_env("export A=1\n", [("A", "2")], export=False) == "export A=2\n"


@pytest.mark.parametrize(
    "value",
    ["", "sk-fh1.abc_-.def", "http://127.0.0.1:8888/v1", "with blanks  in it", "a#b", "#a", "~", "a=b", "$HOME", "it's", 'say "x"', "a;b&c|d", "*?[x]", "é …", "{\"a\": {\"b\": false}}"],
)  # fmt: skip
def test_shells_and_we_read_the_same(value: str, tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    file.write_text(edit_env("# head\n", [("A_1", value), ("END", "x")], export=False), encoding="utf-8")
    assert read_env(file.read_text(encoding="utf-8")) == {"A_1": value, "END": "x"}
    done = subprocess.run(
        ["sh", "-c", 'set -eu; . "$0"; printf "%s|%s" "$A_1" "$END"', str(file)], capture_output=True, text=True, encoding="utf-8", check=True, timeout=30
    )
    assert done.stdout == f"{value}|x"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\\b", "${HOME}", "$(id)", "`id`", "it's \"x\"", "it's $5", "it's!", "a\0"])
def test_values_that_readers_disagree_on_are_refused(value: str) -> None:
    with pytest.raises(EditError, match="NAME: "):
        quoted("NAME", value)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "É"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(EditError, match="no name for a variable"):
        quoted(name, "x")


def test_a_quote_that_is_never_closed() -> None:
    with pytest.raises(EditError, match=re.escape("line 2, column 3: a quote is opened here")):
        edit_env("A=1\nB='x\n", [("A", "2")], export=False)


def test_secrets_that_are_made_and_defaults_stay_as_they_are_found() -> None:
    part = EnvFile(Path("x"), (("KEY", Secret("sk-1")), ("OWN", Generate("oc-")), ("TIME", Default("30"))))
    made = edited(part, "", lambda secret: secret.prefix + "new")
    assert made == "KEY=sk-1\nOWN=oc-new\nTIME=30\n"
    assert edited(part, made, lambda secret: "another") == made
    assert edited(part, "KEY='s'k\nOWN= # to be made\nTIME='3'0\n", lambda secret: "oc-new") == "KEY=sk-1\nOWN=oc-new # to be made\nTIME='3'0\n"
    assert edited(part, "\ufeffTIME=99\nOWN=\nKEY=old\n", lambda secret: "oc-new") == "\ufeffTIME=99\nOWN=oc-new\nKEY=sk-1\n"


def test_whose_file_is_private() -> None:
    assert [is_private(EnvFile(Path("x"), (("A", value),))) for value in ("x", Default("x"), Secret("x"), Generate())] == [False, False, True, True]
