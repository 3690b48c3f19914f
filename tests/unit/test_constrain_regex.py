"""Patterns -> automata -> grammars, against Python's `re`."""

from __future__ import annotations

import random
import re

import pytest

from adapter.constrain import automaton, chars, nfa, regex
from adapter.constrain.grammar import GrammarBuilder
from adapter.errors import BadRequest
from tests.gbnf_walk import Grammar

# Pattern, and characters worth trying.
PATTERNS = [
    ("", "ab"), ("a", "ab"), ("abc", "abc"), ("a|b|", "abc"), ("^a|b$", "abc"), ("(^|,)x", "x,a"), ("x($|,)", "x,a"),
    ("^$", "a"), ("^", "a"), ("a^b", "ab"), ("a$b", "ab"), ("(a|ab)(c|bcd)(d*)", "abcd"), ("(?:a|b)+", "abc"),
    ("(?P<n>a)(?<m>b)", "ab"), ("a*b+c?", "abc"), ("a*?b+?c??", "abc"), ("a{2}", "ab"), ("a{2,}", "ab"), ("a{0,2}b", "ab"),
    ("a{0}b", "ab"), ("^(a*)*$", "ab"), ("^(a?){3}b$", "ab"), ("^((a|b)*c){0,2}$", "abc"), ("[abc]", "abcd"), ("[^abc]", "abcd"),
    ("[a-cx-z]", "abdxy"), ("[-a]", "-ab"), ("[a-]", "-ab"), (r"[\w-]", "a-_ "), (r"[\w.-]+@", "a.@-"), (r"[\]]", "]["), (r"[a\]b]", "]ab"),
    (r"\d\D", "1a"), (r"\w\W", "a_ -1"), (r"\s\S", " \t\na"), (r"[^\s]", " \ta"), (r"[\d\s]", "1 a"), (r"\.\*\+\?\(\)\[\]\{\}\|\^\$\\", "a"),
    (r"\t\n\r\f\v", "a"), (r"\x41\u0042", "AB"), ("a{", "a{"), ("a{,", "a{,"), ("a{x}", "a{x}"), ("{}", "{}"), ("}", "}a"), ("é[à-ü]€", "éüa€"),
    (".", "ab"), ("a.c", "abc"), ("^.*$", "ab"), ("^(?!a)b*", "ab"), ("^(?=.*a)(?!.*bb)[abc]*$", "abc"), (r"^(?!\.)(?!.*\.\.)[a.]+$", "a.b"),
    (r"\/\-\_\@\#", "/-_@#"), ("[a-z]+(-[a-z]+)*", "ab-"), (r"^\d{3}-\d{4}$", "12-"), (r"[^\x00-\x1f]", "a\t"), (r"a{1,3}b{2}", "ab"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "alphabet"), PATTERNS, ids=[pattern for pattern, _ in PATTERNS])
def test_same_as_re(pattern: str, alphabet: str) -> None:
    anywhere = nfa.machine(regex.parse(pattern), whole=False)
    whole = nfa.machine(regex.parse(pattern), whole=True)
    rng = random.Random(pattern)
    texts = ["", *("".join(rng.choices(alphabet, k=rng.randint(1, 7))) for _ in range(300))]
    python = re.compile(re.sub(r"\(\?<(\w)", r"(?P<\1", pattern), re.ASCII)
    for text in texts:
        assert automaton.matches(anywhere, text) == bool(python.search(text)), text
        assert automaton.matches(whole, text) == bool(python.fullmatch(text)), text


@pytest.mark.parametrize(("pattern", "alphabet"), PATTERNS, ids=[pattern for pattern, _ in PATTERNS])
def test_grammar_makes_and_takes_the_same(pattern: str, alphabet: str) -> None:
    builder = GrammarBuilder()
    python = re.compile(re.sub(r"\(\?<(\w)", r"(?P<\1", pattern), re.ASCII)
    rng = random.Random(pattern)
    if pattern in ("a^b", "a$b"):
        with pytest.raises(BadRequest, match="No text matches"):
            builder.regex(pattern, param="regex")
        return
    grammar = Grammar(builder.text(builder.regex(pattern, param="regex")))
    for _ in range(50):
        text = grammar.sample(rng)
        # our \\s is wider than that of re.ASCII
        assert python.fullmatch(text) or (r"\s" in pattern and not text.isascii()), text
        other = "".join(rng.choices(alphabet, k=rng.randint(0, 6)))
        assert grammar.matches(other) == bool(python.fullmatch(other)), other


def test_white_space_is_what_javascript_calls_so() -> None:
    machine = nfa.machine(regex.parse(r"\s"), whole=True)
    assert [automaton.matches(machine, char) for char in "\u2028\u00a0\ufeff\u3000\u200b"] == [True, True, True, True, False]


def test_lazy_and_unicode_escapes() -> None:
    machine = nfa.machine(regex.parse(r"\u{1F600}|\ud83d\ude01|\cA"), whole=True)
    assert [automaton.matches(machine, text) for text in ("😀", "😁", "\x01", "😂")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "unmatched '(' at position 0"),
        ("a)", "unmatched ')' at position 1"),
        ("[a", "unmatched '[' at position 0"),
        ("[]", "an empty class at position 0"),
        ("*a", "nothing before it at position 0"),
        ("a**", "a second quantifier at position 1"),
        ("a*+", "possessive quantifier at position 1"),
        ("^*", "a quantifier after an anchor at position 1"),
        ("a{3,2}", "out of order at position 1"),
        ("a{1,9999}", "a repetition of more than 2000 at position 1"),
        ("[z-a]", "a range that is out of order at position 1"),
        (r"(a)\1", "a back reference at position 3"),
        (r"(?P<x>a)(?P=x)", "a back reference at position 8"),
        (r"a\b", r"the escape \b, which is not supported, at position 1"),
        (r"\p{L}", r"the escape \p"),
        ("a(?=b)", "look-ahead at position 1"),
        ("(?!a)b", "look-ahead at position 0"),
        ("^(?!a)b|c", "look-ahead in one of several alternatives"),
        ("(?<=a)b", "look-behind at position 0"),
        ("(?<!a)b", "look-behind at position 0"),
        ("(?i)a", "not supported at position 0"),
        ("(?>a)", "not supported at position 0"),
        ("\\", "it ends too early"),
        (r"\x4", "a broken escape at position 0"),
        (r"\uD800", "no character of a text at position 0"),
        ("(?<n", "it ends too early"),
        ("(" * 60 + ")" * 60, "more than 50 groups"),
        ("a" * 3000, "longer than 2000 characters"),
    ],
)
def test_what_is_refused_says_where(pattern: str, says: str) -> None:
    with pytest.raises(regex.PatternError) as caught:
        regex.parse(pattern)
    assert says in str(caught.value)
    with pytest.raises(BadRequest) as refused:
        GrammarBuilder().regex(pattern, param="guided_regex")
    assert refused.value.param == "guided_regex"


@pytest.mark.parametrize("pattern", ["a.{20}$", "(a|b|ab)*c.{300}d$", "^(.*a){30}.*$"])
def test_patterns_with_too_many_states_run_as_they_are(pattern: str) -> None:
    machine = nfa.machine(regex.parse(pattern), whole=False)
    rng = random.Random(pattern)
    python = re.compile(pattern)
    for _ in range(50):
        text = "".join(rng.choices("abcd", k=rng.randint(0, 40)))
        assert automaton.matches(machine, text) == bool(python.search(text)), text


def test_patterns_that_grow_beyond_bounds_are_refused() -> None:
    for pattern in ("((a{100}){100}){100}", "(((a?){200}){200}){20}"):
        with pytest.raises(BadRequest, match="too complex"):
            GrammarBuilder().regex(pattern, param=None)


def test_matching_gives_up_rather_than_run_on() -> None:
    machine = nfa.machine(regex.parse("a.{300}$"), whole=False)
    assert machine.deterministic is False
    assert automaton.matches(machine, "a" * 100_000) is None


def test_sets_of_characters() -> None:
    a, b = chars.union([(5, 9), (1, 3), (4, 4)]), ((3, 6), (8, 20))
    assert a == ((1, 9),)
    assert chars.intersect(a, b) == ((3, 6), (8, 9))
    assert chars.without(a, b) == ((1, 2), (7, 7))
    assert chars.without(chars.ALL, ()) == chars.ALL


def test_words_and_their_complement() -> None:
    machine = automaton.words(["a", "ab", "", "b"])
    other = automaton.complement(machine)
    for text in ("a", "ab", "", "b"):
        assert (automaton.matches(machine, text), automaton.matches(other, text)) == (True, False)
    for text in ("aa", "abc", "c", "ba"):
        assert (automaton.matches(machine, text), automaton.matches(other, text)) == (False, True)
    assert automaton.complement(automaton.ANYTHING) == automaton.NOTHING
    assert automaton.intersection(machine, automaton.lengths(3, None)) == automaton.NOTHING
