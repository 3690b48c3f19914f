"""The builder's other parts, and grammars read back before llama.cpp gets them."""

from __future__ import annotations

import random

import pytest

from adapter.constrain import gbnf
from adapter.constrain.grammar import GrammarBuilder, literal
from adapter.errors import BadRequest
from tests.gbnf_walk import Grammar


@pytest.mark.parametrize("text", ["", "abc", 'say "hi"', "a\\b", "]-^[", "line\n\r\ttab", "é€😀", "\x01\x7f", "root ::= x # {2}"])
def test_literal_matches_its_text_only(text: str) -> None:
    grammar = Grammar(GrammarBuilder().text(literal(text)))
    assert grammar.matches(text)
    assert not grammar.matches(text + "x")


STOPS = [("</think>",), ("aab", "ab"), ("abab", "ba"), ("a",), ("€x", "€y", "xx"), ("aaa", "aa"), ("<a>", "</a>", "<|end|>")]


@pytest.mark.parametrize("stops", STOPS, ids=str)
def test_until_is_all_text_without_the_stops(stops: tuple[str, ...]) -> None:
    builder = GrammarBuilder()
    grammar = Grammar(builder.text(builder.until(*stops)))
    rng = random.Random(str(stops))
    alphabet = "".join(stops) + "z\n"
    for _ in range(500):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 12)))
        assert grammar.matches(text) == (not any(stop in text for stop in stops)), text
    for _ in range(50):
        text = grammar.sample(rng)
        assert not any(stop in text for stop in stops)


def test_until_lets_its_stop_follow() -> None:
    builder = GrammarBuilder()
    grammar = Grammar(builder.text(f'{builder.until("</t>")} "</t>" "x"'))
    assert [grammar.matches(text) for text in ("</t>x", "a<</t</t>x", "</t></t>x", "ax")] == [True, True, False, False]


def test_until_is_shared_and_without_stops_is_any_text() -> None:
    builder = GrammarBuilder()
    assert builder.until("a", "b") == builder.until("b", "", "a")
    assert Grammar(builder.text(builder.until())).matches("any\ntext €")
    with pytest.raises(BadRequest, match="At most 1000 characters of stop strings"):
        builder.until("x" * 2000)


def test_choices() -> None:
    builder = GrammarBuilder()
    options = ["yes", "yes, but", "no", "", 'a"b', "é\n"]
    grammar = Grammar(builder.text(builder.choice(options, param="choices")))
    assert all(grammar.matches(option) for option in options)
    assert not any(grammar.matches(text) for text in ("ye", "yes,", "nono", "a"))


def test_many_choices_make_few_ways_to_go_on() -> None:
    builder = GrammarBuilder()
    options = [f"option number {n}" for n in range(1000)]
    text = builder.text(builder.choice(options, param="choices"))
    assert max(line.count("|") for line in text.splitlines()) <= 11
    assert Grammar(text).matches("option number 777")


@pytest.mark.parametrize("options", [[], ["a\x00"], ["\ud800"], [str(n) for n in range(3000)]], ids=["none", "NUL", "surrogate", "many"])
def test_choices_that_cannot_be(options: list[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        GrammarBuilder().choice(options, param="guided_choice")
    assert caught.value.param == "guided_choice"


def test_json_of_any_kind() -> None:
    builder = GrammarBuilder()
    grammar = Grammar(builder.text(f"{builder.json_object()} | {builder.json_string()}"))
    assert [grammar.matches(text) for text in ("{}", '{"a": [1, {"b": null}]}', '"x"', "[]", "1")] == [True] * 3 + [False] * 2


def test_white_space_is_bounded() -> None:
    builder = GrammarBuilder()
    grammar = Grammar(builder.text(builder.json_value()))
    assert grammar.matches('{\n    "a": [\n\t\t1,\n\t\t2\n    ]\n}')
    assert not grammar.matches('{\n\n"a": 1}')
    assert not grammar.matches("[" + " " * 40 + "]")
    assert not grammar.matches("[1] ")


def test_equal_rules_are_shared_and_names_are_unique() -> None:
    builder = GrammarBuilder()
    assert builder.rule("a", '"x"') == builder.rule("b", '"x"')
    names = [builder.rule(hint, f'"{number}"') for number, hint in enumerate(["a", "a 2", "a", "ä?", "", "root", "A"])]
    assert len(set(names)) == len(names)
    assert "root" not in names


def test_rules_that_are_not_needed_are_left_out() -> None:
    builder = GrammarBuilder()
    builder.rule("unused", '"x"')
    builder.reserve("never defined")
    assert builder.text('"[unused]" [unused]') == 'root ::= "[unused]" [unused]\n'


def test_a_grammar_beyond_the_bounds_is_refused() -> None:
    builder = GrammarBuilder()
    with pytest.raises(BadRequest, match="At most 524288 characters of grammar"):
        builder.rule("long", literal("x" * 600_000))
    builder = GrammarBuilder()
    with pytest.raises(BadRequest, match="At most 16000 grammar rules"):
        for number in range(17_000):
            builder.rule("r", f'"{number}"')


GOOD = [
    'root ::= "a"',
    'root ::= ("a" | b){2,3} c\nb ::= [x-z]+ # note\nc ::= "\\u00e9"?\n',
    "root ::= (\n  [a]\n | [b]\n)*\n\n# end\n",
    'root ::= "(" root ")" | ""',
    "root ::= <think> !<[7]> .",
    'root ::=\n  "a" |\n  "b"',
]
BAD = [
    ("", "no rule 'root'"),
    ("rooot ::= [a]", "no rule 'root'"),
    ("root ::= x", "the rule 'x', which 'root' needs, is missing"),
    ('root ::= root "a"', "'root' begins with itself"),
    ('root ::= b "x"\nb ::= c root\nc ::= d\nd ::= ""', "begins with itself"),
    ('root ::= ("a"?)*', "begins with itself"),
    ('root ::= "a" root', "again and again"),
    ("root ::= [", "cannot be read"),
    ('root ::= "\\q"', "cannot be read"),
    ('root ::= "a', "cannot be read"),
    ("root ::= []", "the class [] is empty"),
    ("root ::= * [a]", "nothing before '*'"),
    ("root ::= ([a]", "')' is missing before its end"),
    ("root ::= [a])", "too much"),
    ("root [a]", "'::=' is missing"),
    ('root ::= "a"{2001}', "more than 2000 repetitions"),
    ('root ::= ("a"{0,100}){0,100}', "more than 2000 repetitions"),
    ('root ::= "a"{3,2}', "out of order"),
    ('root ::= "a"{99999999999}', "too many digits"),
    ("root ::= " + "(" * 300 + '"a"' + ")" * 300, "more than 200 groups"),
    ("root ::= a0\n" + "\n".join(f'a{n} ::= a{n + 1} "x" | a{n + 1} "y"' for n in range(60)) + '\na60 ::= "z"', "too many rules begin"),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_good_grammars_pass(text: str) -> None:
    gbnf.check(text, param="grammar")


@pytest.mark.parametrize(("text", "says"), BAD, ids=[says for _, says in BAD])
def test_bad_grammars_are_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        gbnf.check(text, param="grammar")
    assert says in caught.value.message
    assert caught.value.param == "grammar"
    assert len(caught.value.message) < 300
