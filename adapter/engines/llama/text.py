"""Token bytes -> what the client sees: whole characters, reasoning and calls apart, nothing of a stop string. Pure."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adapter.calls.output import AnswerParser, CallEnded, Piece, Text
from adapter.chat import TokenLogprob
from adapter.stops import StopFilter


class Ended(StrEnum):
    """Why an answer is over."""

    EOG = "eog"  # the model said so
    STOP = "stop"  # a stop string
    LENGTH = "length"  # max_tokens
    CALLS = "calls"  # the model said so, after it called tools


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of the answer that is certain now, and the tokens it came from, where they were asked for."""

    piece: Piece
    logprobs: tuple[TokenLogprob, ...] = ()


class AnswerText:
    """One answer, fed token by token.

    Bytes that are no UTF-8 become U+FFFD; a character that `max_tokens` cut in two is dropped.
    Stop strings are looked for in the answer, not in its reasoning or its calls: they describe what the client reads.
    """

    def __init__(self, parser: AnswerParser, *, stops: Sequence[str], max_tokens: int) -> None:
        """max_tokens: >= 1, reasoning and the end-of-generation token included, as llama-server counts."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._parser = parser
        self._stops = StopFilter(stops)
        self._max_tokens = max_tokens
        self._raw: list[str] = []
        self._chars: list[int] = []  # how many characters there are behind each token
        self._logprobs: list[TokenLogprob] = []
        self._called = False
        self.reasoning_tokens = 0
        self.ended: Ended | None = None

    @property
    def n_tokens(self) -> int:
        return len(self._chars)

    @property
    def room(self) -> int:
        """How many more tokens the answer may have."""
        return self._max_tokens - self.n_tokens

    @property
    def in_reasoning(self) -> bool:
        return self._parser.in_reasoning

    def token(self, piece: bytes, logprob: TokenLogprob | None = None) -> list[Shown]:
        """Take one token's bytes; return what is now certain. `ended` tells whether to go on."""
        text = self._utf8.decode(piece)
        self._note(text)
        if logprob is not None:
            self._logprobs.append(logprob)
        shown = self._filtered(self._parser.feed(text))
        self.reasoning_tokens += self._parser.in_reasoning
        if self._stops.matched is None and self.n_tokens >= self._max_tokens:
            self.ended = Ended.LENGTH
            shown += self._rest(whole=False)
        if self._stops.matched is not None:
            self.ended = Ended.STOP
        return shown

    def end_of_generation(self) -> list[Shown]:
        """The model ended its answer; return what was held back."""
        text = self._utf8.decode(b"", final=True)
        self._note(text)
        shown = self._filtered(self._parser.feed(text)) + self._rest(whole=True)
        self.ended = Ended.CALLS if self._called else Ended.EOG
        if self._stops.matched is not None:
            self.ended = Ended.STOP
        return shown

    def call_began(self) -> tuple[int, str] | None:
        """Where the first call began, once it has: the number of the token with its first character, and what text that
        token has before it."""
        at = self._parser.call_at
        if at is None:
            return None
        first = bisect_right(self._chars, at)
        before = self._chars[first - 1] if first else 0
        return first, "".join(self._raw)[before:at]

    def _note(self, text: str) -> None:
        self._raw.append(text)
        self._chars.append(len(text) + (self._chars[-1] if self._chars else 0))

    def _rest(self, *, whole: bool) -> list[Shown]:
        shown = self._filtered(self._parser.flush(whole=whole))
        tail = self._stops.flush()
        return [*shown, self._with_logprobs(Text(tail))] if tail else shown

    def _filtered(self, pieces: Sequence[Piece]) -> list[Shown]:
        return list(self._pass(pieces))

    def _pass(self, pieces: Sequence[Piece]) -> Iterator[Shown]:
        for piece in pieces:
            if isinstance(piece, Text):
                if passed := self._stops.feed(piece.text):
                    yield self._with_logprobs(Text(passed))
                continue
            self._called = self._called or isinstance(piece, CallEnded)
            self._logprobs.clear()  # they describe the text of the answer only
            yield Shown(piece)

    def _with_logprobs(self, piece: Text) -> Shown:
        logprobs = tuple(self._logprobs)
        self._logprobs.clear()
        return Shown(piece, logprobs)
