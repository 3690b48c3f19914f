"""A model for vectors without llama.cpp, behind the `Embedder` seam: tokens are bytes, vectors count letters."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.engines.llama.embed_batches import Piece, TextKey
from adapter.engines.llama.embed_model import EmbedFacts

# What a text must hold to get a vector that is none.
NOT_A_NUMBER, NOTHING = b"!", b"0"


@dataclass
class FakeEmbedder:
    """Its vector of a text: how many `a`, how many `b`, and one more that is never 0.

    It keeps its own account of what each sequence holds, so a piece at the wrong place fails the test.
    on_embed: called with every batch before it is done; may raise.
    """

    text_tokens: int = 40
    batch_tokens: int = 16
    sequences: int = 4
    splits: bool = False
    width: int = 3
    on_embed: Callable[[Sequence[Piece]], None] = lambda pieces: None
    facts: EmbedFacts = field(init=False)
    batches: list[tuple[Piece, ...]] = field(default_factory=list)
    held: dict[int, list[int]] = field(default_factory=dict)
    threads: int = 0

    def __post_init__(self) -> None:
        self.facts = EmbedFacts(
            "fake", self.text_tokens, self.batch_tokens, self.sequences, self.splits, self.width, n_vocab=256
        )

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        return list(text.encode())

    def piece(self, token: int) -> bytes:
        return bytes([token])

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        return bytes(tokens)

    def embed(self, pieces: Sequence[Piece]) -> dict[TextKey, array[float]]:
        self.on_embed(pieces)
        self.batches.append(tuple(pieces))
        assert len({piece.seq_id for piece in pieces}) == len(pieces) <= self.sequences
        vectors = {}
        for piece in pieces:
            if piece.pos == 0:
                self.held[piece.seq_id] = []
            sequence = self.held[piece.seq_id]
            assert len(sequence) == piece.pos, f"sequence {piece.seq_id} is not where the queue thinks"
            sequence.extend(piece.tokens)
            if piece.last:
                vectors[piece.key] = self._vector(bytes(self.held.pop(piece.seq_id)))
        return vectors

    def _vector(self, text: bytes) -> array[float]:
        if NOT_A_NUMBER in text:
            return array("f", [1, math.nan, 1])
        if NOTHING in text:
            return array("f", [0, 0, 0])
        return array("f", [text.count(b"a"), text.count(b"b"), 1])

    def set_threads(self, n: int) -> None:
        self.threads = n

    def close(self) -> None:
        pass
