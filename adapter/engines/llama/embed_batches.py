"""Which texts are computed together: first come, first served, in turns. Pure.

Each batch takes one text from every request in turn, so that one with two thousand texts does not keep a
single one waiting for longer than a batch. A text that is longer than a batch is computed by itself: in one
piece, or (`splits`) in several; batches of such pieces and of whole texts alternate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

# (request id, index of the text in it)
TextKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, mostly all of it. pos: of its first token in the text. last: it ends the text."""

    key: TextKey
    seq_id: int
    pos: int
    tokens: tuple[int, ...]
    last: bool


@dataclass(slots=True)
class _Request:
    id: int
    texts: Sequence[tuple[int, ...]]
    next: int = 0

    @property
    def text(self) -> tuple[int, ...]:
        return self.texts[self.next]


@dataclass(slots=True)
class _Long:
    """The one text that is under way in pieces."""

    key: TextKey
    tokens: tuple[int, ...]
    done: int = 0


class EmbedQueue:
    """Requests in, batches out. Whoever takes a batch computes it before asking for the next."""

    def __init__(self, *, batch_tokens: int, sequences: int, splits: bool) -> None:
        """batch_tokens, sequences: at least 1 and 2; the last sequence is kept for a text in pieces."""
        self._batch_tokens = batch_tokens
        self._sequences = sequences
        self._splits = splits
        self._requests: deque[_Request] = deque()
        self._long: _Long | None = None
        self._long_next = False

    def submit(self, request_id: int, texts: Sequence[tuple[int, ...]]) -> None:
        """Texts as tokens, at least one text and none without a token."""
        self._requests.append(_Request(request_id, texts))

    def cancel(self, request_id: int) -> None:
        """Nothing more of this request comes; one that is not known is nothing to do."""
        self._requests = deque(request for request in self._requests if request.id != request_id)
        if self._long and self._long.key[0] == request_id:
            self._long = None

    def next_batch(self) -> tuple[Piece, ...]:
        """What to compute now; empty if there is nothing."""
        if self._long_next:
            pieces = self._part_of_long() or self._whole_texts()
        else:
            pieces = self._whole_texts() or self._part_of_long()
        self._long_next = bool(pieces) and not self._is_long(pieces[0])
        return pieces

    def _is_long(self, piece: Piece) -> bool:
        return piece.seq_id == self._sequences - 1

    def _whole_texts(self) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        room = self._batch_tokens
        passed_over = 0
        while passed_over < len(self._requests) and len(pieces) < self._sequences - 1:
            request = self._requests[0]
            size = len(request.text)
            if size > self._batch_tokens:
                passed_over += 1
                self._requests.rotate(-1)
                continue
            if size > room:
                break  # it is the first of the next batch
            pieces.append(Piece((request.id, request.next), len(pieces), 0, request.text, last=True))
            room -= size
            passed_over = 0
            self._advance()
        return tuple(pieces)

    def _part_of_long(self) -> tuple[Piece, ...]:
        if self._long is None:
            self._begin_long()
        long = self._long
        if long is None:
            return ()
        end = min(len(long.tokens), long.done + self._batch_tokens) if self._splits else len(long.tokens)
        last = end == len(long.tokens)
        piece = Piece(long.key, self._sequences - 1, long.done, long.tokens[long.done : end], last)
        long.done = end
        if last:
            self._long = None
        return (piece,)

    def _begin_long(self) -> None:
        for _ in range(len(self._requests)):
            request = self._requests[0]
            if len(request.text) > self._batch_tokens:
                self._long = _Long((request.id, request.next), request.text)
                self._advance()
                return
            self._requests.rotate(-1)

    def _advance(self) -> None:
        """The first request's text is taken; the others have their turn before its next one."""
        request = self._requests.popleft()
        request.next += 1
        if request.next < len(request.texts):
            self._requests.append(request)
