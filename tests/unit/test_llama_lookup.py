"""Guesses by prompt look-up: what is proposed, and how wrong guesses are paid for."""

from __future__ import annotations

import random

import pytest

from adapter.engines.llama.lookup import FIRST_REST, LONGEST_REST, Lookup


@pytest.mark.parametrize(
    ("prompt", "room", "guess"),
    [
        ((), 3, ()),
        ((1, 2), 3, ()),
        ((1, 2, 3, 4, 5), 3, ()),
        ((1, 2, 3, 4, 5, 9, 1, 2, 3), 3, (4, 5, 9)),
        ((1, 2, 3, 4, 5, 9, 1, 2, 3), 2, (4, 5)),
        ((1, 2, 3, 4, 0, 1, 2, 3, 7, 8, 1, 2, 3), 3, (7, 8, 1)),  # the last time counts
        ((5, 5, 5, 5), 3, (5, 5, 5)),  # the guess goes round with the text
        ((1, 2, 1, 2, 1), 3, (2, 1, 2)),
    ],
)
def test_guess(prompt: tuple[int, ...], room: int, guess: tuple[int, ...]) -> None:
    assert Lookup(prompt, 3).guess(room) == guess


def test_answer_is_looked_up_as_well() -> None:
    lookup = Lookup((9, 9), 4)
    lookup.add((1, 2, 3, 4, 5, 6))
    lookup.add((1, 2, 3))
    assert lookup.guess(4) == (4, 5, 6, 1)


def test_wrong_guesses_are_followed_by_longer_and_longer_rests() -> None:
    lookup = Lookup((5, 5, 5, 5), 3)
    rests = []
    for _ in range(6):
        assert lookup.guess(3)
        lookup.judged(3, 0)
        rest = 0
        while not lookup.guess(3):
            lookup.add((5,))
            rest += 1
        rests.append(rest)
    assert rests == [FIRST_REST, 8, 16, LONGEST_REST, LONGEST_REST, LONGEST_REST]
    lookup.judged(3, 3)
    lookup.judged(3, 1)
    lookup.add((5,) * FIRST_REST)
    assert lookup.guess(3)


def test_text_without_repeats_is_never_guessed() -> None:
    rng = random.Random(1)
    lookup = Lookup([rng.randrange(100_000) for _ in range(500)], 3)
    for _ in range(500):
        assert lookup.guess(3) == ()
        lookup.add((rng.randrange(100_000),))
