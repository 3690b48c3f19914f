"""Numbers within bounds: every grammar against plain comparison."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from adapter.constrain.check import check_value
from adapter.constrain.grammar import GrammarBuilder
from adapter.errors import BadRequest
from tests.gbnf_walk import Grammar


def compiled(schema: Any) -> Grammar:
    builder = GrammarBuilder()
    found = builder.schema(schema, param="x")
    assert found.unchecked == ()
    return Grammar(builder.text(found.rule))


def test_every_small_range_of_integers_is_exact() -> None:
    edges = (-101, -100, -99, -20, -11, -10, -9, -1, 0, 1, 5, 9, 10, 11, 19, 20, 42, 99, 100, 101)
    for low, high in itertools.combinations_with_replacement(edges, 2):
        grammar = compiled({"type": "integer", "minimum": low, "maximum": high})
        for number in {*edges, low - 1, low, low + 1, high - 1, high, high + 1, (low + high) // 2}:
            assert grammar.matches(str(number)) == (low <= number <= high), (low, high, number)


@pytest.mark.parametrize("seed", range(20))
def test_large_ranges_of_integers(seed: int) -> None:
    rng = random.Random(seed)
    low, high = sorted(rng.randint(-(10 ** rng.randint(1, 40)), 10 ** rng.randint(1, 40)) for _ in range(2))
    grammar = compiled({"type": "integer", "minimum": low, "maximum": high})
    for _ in range(30):
        assert low <= int(grammar.sample(rng)) <= high
        number = rng.choice((low, high)) + rng.randint(-3, 3)
        assert grammar.matches(str(number)) == (low <= number <= high), (low, high, number)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("words", [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("minimum", None), (None, "exclusiveMaximum")])
def test_ranges_of_numbers(seed: int, words: tuple[str | None, str | None]) -> None:
    rng = random.Random(seed)
    scale = 10 ** rng.randint(0, 4)
    low, high = sorted(rng.randint(-30_000, 30_000) / scale for _ in range(2))
    schema: dict[str, Any] = {"type": "number", **{w: v for w, v in zip(words, (low, high), strict=True) if w}}
    if low == high:
        return
    grammar = compiled(schema)
    for _ in range(40):
        text = grammar.sample(rng)
        assert within(Fraction(text), schema), (schema, text)
    for near in (low, high):
        for step in (0, 1, -1, 5, -5, 10, -10):
            text = f"{Decimal(repr(near)) + Decimal(step) / (scale * rng.choice((1, 10, 100))):.6f}"
            if text.startswith("-") and not Fraction(text):
                continue
            for form in {text, text.rstrip("0") if not text.endswith(".000000") else text[:-7]}:
                assert grammar.matches(form) == within(Fraction(form), schema), (schema, form)


def within(number: Fraction, schema: dict[str, Any]) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return (
        (low is None or number >= Fraction(repr(low)))
        and (high is None or number <= Fraction(repr(high)))
        and (above is None or number > Fraction(repr(above)))
        and (below is None or number < Fraction(repr(below)))
    )


def test_several_bounds_and_the_tightest_counts() -> None:
    schema = {"type": "integer", "minimum": 2, "exclusiveMinimum": 2, "maximum": 9, "allOf": [{"exclusiveMaximum": 9}, {"maximum": 12}]}
    grammar = compiled(schema)
    assert [n for n in range(20) if grammar.matches(str(n))] == [3, 4, 5, 6, 7, 8]
    assert [n for n in range(20) if check_value(schema, n) is None] == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    "bounds",
    [{"minimum": 1.2, "maximum": 1.8}, {"exclusiveMinimum": 4, "exclusiveMaximum": 5}, {"minimum": 10**40, "maximum": 1}],
)
def test_no_integer_between(bounds: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match="no integer between"):
        compiled({"type": "integer", **bounds})


def test_bounds_with_tiny_fractions() -> None:
    with pytest.raises(BadRequest, match="no number between"):
        compiled({"type": "number", "exclusiveMinimum": 0, "maximum": 1e-20})
    grammar = compiled({"type": "number", "minimum": 1e-20, "maximum": 1})
    assert not grammar.matches("0")
    assert grammar.matches("0.000000000000001")
