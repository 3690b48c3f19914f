"""What the worker needs of a model that makes vectors, and how such a model is told from others. Pure.

`binding_embed.py` implements it over llama.cpp. See `model.py` for the same of a model that writes text.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.engines.llama.embed_batches import Piece, TextKey
from adapter.engines.llama.gguf_meta import GgufMeta

# Architectures that read a text as a whole and write none, from llama-arch.cpp.
ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
POOLED = range(1, 5)  # LLAMA_POOLING_TYPE_MEAN to _RANK; 0 is none, and -1 that nothing was said

# More texts in a batch gain nothing: the tokens are what costs.
SEQUENCES = 32
# llama.cpp keeps a row of logits, which nobody reads, for every token of a batch: with a vocabulary of 250k a
# text of 8,192 tokens would take 8 GB. So big vocabularies get smaller batches and, where a text cannot be
# split, shorter texts.
BATCH_LOGITS_BYTES = 128 << 20
TEXT_LOGITS_BYTES = 1 << 30
LOGIT_BYTES = 4


def is_embedding_model(meta: GgufMeta) -> bool:
    """Is this a model for vectors and not for text? Its file says how to pool, or it cannot write at all.

    Rerankers are among them: they load nowhere else, and `binding_embed.py` refuses them with a reason.
    """
    architecture = meta.architecture
    return architecture in ENCODERS or meta.values.get(f"{architecture}.pooling_type") in POOLED


@dataclass(frozen=True, slots=True)
class EmbedShape:
    """How a model is to be loaded. ctx_tokens: the longest text; at most what the model was trained for.

    batch_tokens: texts are computed together up to so many tokens; a longer one is computed alone.
    """

    path: str
    ctx_tokens: int
    batch_tokens: int
    threads: int


def token_limits(shape: EmbedShape, *, trained: int, n_vocab: int, splits: bool) -> tuple[int, int]:
    """(tokens of a batch, tokens of a text) that memory and model allow, at most what is asked for.

    trained: the longest text of the training, 0 if the file does not say. splits: as in `EmbedFacts`.
    """
    row_bytes = LOGIT_BYTES * n_vocab
    # llama.cpp aborts when a batch could not hold a token of every sequence.
    batch_tokens = max(SEQUENCES, min(shape.batch_tokens, BATCH_LOGITS_BYTES // row_bytes))
    text_tokens = min(shape.ctx_tokens, trained or shape.ctx_tokens)
    if not splits:
        text_tokens = min(text_tokens, TEXT_LOGITS_BYTES // row_bytes)
    return batch_tokens, text_tokens


@dataclass(frozen=True, slots=True)
class EmbedFacts:
    """What is known once it is loaded. text_tokens: of the longest text, as this model and its memory allow.

    batch_tokens, sequences: most tokens and texts in one batch. splits: may a longer text be computed in several
    batches? Where not, it is computed alone, as a whole. width: numbers in a vector.
    """

    description: str
    text_tokens: int
    batch_tokens: int
    sequences: int
    splits: bool
    width: int
    n_vocab: int


class Embedder(Protocol):
    """A model with its context. Only the embed loop's thread may call it; the vocabulary is for every thread."""

    @property
    def facts(self) -> EmbedFacts: ...

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        """As `model.Model.tokenize`; specials: what the vocabulary wants around a text, CLS and SEP as well."""

    def piece(self, token: int) -> bytes:
        """The bytes of one token; control tokens show their name."""

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """The text of tokens that are in the vocabulary."""

    def embed(self, pieces: Sequence[Piece]) -> dict[TextKey, array[float]]:
        """Compute one batch; a vector, as the model left it, for every piece that ends its text.

        A piece that begins its text empties its sequence first. Raises `BadBatch` or `ModelBroken`.
        """

    def set_threads(self, n: int) -> None: ...

    def close(self) -> None: ...
