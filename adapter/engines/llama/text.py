"""Token bytes -> what the client sees: whole characters, reasoning apart, nothing of a stop string. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from enum import StrEnum

from adapter.reasoning import Part, ReasoningSplitter
from adapter.stops import StopFilter


class Ended(StrEnum):
    """Why an answer is over."""

    EOG = "eog"  # the model said so
    STOP = "stop"  # a stop string
    LENGTH = "length"  # max_tokens


class AnswerText:
    """One answer, fed token by token.

    Bytes that are no UTF-8 become U+FFFD; a character that `max_tokens` cut in two is dropped.
    Stop strings are looked for in the answer, not in the reasoning: they describe what the client reads.
    """

    def __init__(self, *, stops: Sequence[str], max_tokens: int, starts_open: bool = False) -> None:
        """max_tokens: >= 1, reasoning and the end-of-generation token included, as llama-server counts."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._splitter = ReasoningSplitter(starts_open=starts_open)
        self._stops = StopFilter(stops)
        self._max_tokens = max_tokens
        self.n_tokens = 0
        self.ended: Ended | None = None

    def token(self, piece: bytes) -> list[tuple[Part, str]]:
        """Take one token's bytes; return the text that is now certain. `ended` tells whether to go on."""
        self.n_tokens += 1
        parts = self._filtered(self._splitter.feed(self._utf8.decode(piece)))
        if self._stops.matched is None and self.n_tokens >= self._max_tokens:
            self.ended = Ended.LENGTH
            parts += self._rest()
        if self._stops.matched is not None:
            self.ended = Ended.STOP
        return parts

    def end_of_generation(self) -> list[tuple[Part, str]]:
        """The model ended its answer; return what was held back."""
        self.n_tokens += 1
        self.ended = Ended.EOG
        parts = self._filtered(self._splitter.feed(self._utf8.decode(b"", final=True))) + self._rest()
        if self._stops.matched is not None:
            self.ended = Ended.STOP
        return parts

    def _rest(self) -> list[tuple[Part, str]]:
        parts = self._filtered(self._splitter.flush())
        tail = self._stops.flush()
        return [*parts, (Part.TEXT, tail)] if tail else parts

    def _filtered(self, parts: list[tuple[Part, str]]) -> list[tuple[Part, str]]:
        passed = [(part, self._stops.feed(text) if part is Part.TEXT else text) for part, text in parts]
        return [(part, text) for part, text in passed if text]
