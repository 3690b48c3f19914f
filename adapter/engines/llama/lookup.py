"""Guessing ahead by prompt look-up: what followed the last time the same few tokens stood here? Pure.

A guess costs the rows in which the model checks it. Measured on a PC (370 M parameters, Q4_0, one thread): a batch of one row
takes 13 ms, of two to four 23 ms, of eight 45 ms. So a guess of three that is right gives four tokens in the time of two,
and one that is wrong loses most of a token. Text that repeats itself (code that is edited, JSON of one form, quotes from the
prompt) is guessed right again and again; elsewhere wrong guesses make the next one wait, longer each time.
"""

from __future__ import annotations

from collections.abc import Sequence

NGRAM = 3
# Tokens without a guess after a wrong one: doubled with each until the last, so that text without repeats loses some 3 %.
FIRST_REST, LONGEST_REST = 4, 32


class Lookup:
    """One answer's text. `most`: tokens in a guess, at most."""

    def __init__(self, prompt: Sequence[int], most: int) -> None:
        self._tokens = list(prompt)
        self._most = most
        self._rest = FIRST_REST
        self._resting = 0
        # n-gram -> position behind its last occurrence but the present one.
        self._behind: dict[tuple[int, ...], int] = {}
        for end in range(NGRAM, len(self._tokens)):
            self._behind[tuple(self._tokens[end - NGRAM : end])] = end

    def add(self, tokens: Sequence[int]) -> None:
        """What the answer really goes on with."""
        for token in tokens:
            end = len(self._tokens)
            if end >= NGRAM:
                self._behind[tuple(self._tokens[end - NGRAM : end])] = end
            self._tokens.append(token)
        self._resting = max(0, self._resting - len(tokens))

    def guess(self, room: int) -> tuple[int, ...]:
        """The next tokens, at most `room`; empty where nothing like this has been said, or after wrong guesses."""
        at = self._behind.get(tuple(self._tokens[-NGRAM:]))
        if at is None or self._resting:
            return ()
        period = len(self._tokens) - at  # what lies between repeats itself, if the guess is right at all
        return tuple(self._tokens[at + n % period] for n in range(min(self._most, room)))

    def judged(self, guessed: int, right: int) -> None:
        """How many of a guess were right."""
        if 2 * right >= guessed:
            self._rest = FIRST_REST
        else:
            self._resting = self._rest
            self._rest = min(LONGEST_REST, 2 * self._rest)
