"""Guessing ahead by prompt look-up: what followed the last time the same few tokens stood here? Pure.

Costs nothing but the rows of the guess, which the model checks in the same batch; right where a text repeats itself
(code that is edited, JSON of one form, quotes from the prompt), useless elsewhere, so the width follows its luck.
"""

from __future__ import annotations

from collections.abc import Sequence

NGRAM = 3


class Lookup:
    """One answer's text. `most`: tokens in a guess, at most."""

    def __init__(self, prompt: Sequence[int], most: int) -> None:
        self._tokens = list(prompt)
        self._most = most
        self._width = most
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

    def guess(self, room: int) -> tuple[int, ...]:
        """The next tokens, at most `room`; empty where nothing like this has been said."""
        at = self._behind.get(tuple(self._tokens[-NGRAM:]))
        if at is None:
            return ()
        return tuple(self._tokens[at : at + min(self._width, room)])

    def judged(self, guessed: int, right: int) -> None:
        """How many of a guess were right: the next one is wider after luck, narrower without."""
        if right == guessed:
            self._width = min(self._most, self._width * 2)
        elif right * 2 < guessed:
            self._width = max(1, self._width // 2)
