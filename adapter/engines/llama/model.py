"""What the worker needs of a loaded model: the seam between our code and native code. Pure.

`binding.py` implements it over llama.cpp; `tests/fakes/fake_llama.py` in a few lines of Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from adapter.chat import Sampling
from adapter.engines.llama.scheduler import Chunk


class ModelError(Exception):
    """The model cannot be loaded. The text names the file and what llama.cpp said."""


class BadBatch(Exception):
    """We built a batch that the library refuses (llama_decode returned -1). Nothing was decoded."""


class ModelBroken(Exception):
    """The context is in an unknown state (llama_decode below -1, or 2): only a new process helps."""


class Decoded(Enum):
    DONE = auto()
    NO_KV_SLOT = auto()  # nothing was decoded; smaller batches or fewer sequences may fit


@dataclass(frozen=True, slots=True)
class ModelShape:
    """How a model is to be loaded. ctx_tokens: for one slot, at most what the model was trained for."""

    path: str
    slots: int
    ctx_tokens: int
    batch_tokens: int
    threads: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known once it is loaded. ctx_tokens: of one slot, as llama.cpp really gave it.

    chat_template: `None` if the GGUF has none. bos, eos: their text, "" if the vocabulary has none.
    """

    description: str
    ctx_tokens: int
    batch_tokens: int
    n_vocab: int
    bos: str
    eos: str
    adds_bos: bool
    chat_template: str | None


class Sampler(Protocol):
    """Chooses the tokens of one answer; remembers them for its penalties."""

    def sample(self, seq_id: int) -> int:
        """Choose from the logits that the last `decode` left for this sequence."""

    def close(self) -> None: ...


class Model(Protocol):
    """A model with its context. Only the decode loop's thread may call it, except `tokenize`."""

    @property
    def facts(self) -> ModelFacts: ...

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a rendered template: special tokens are recognised, BOS is added where it belongs."""

    def piece(self, token: int) -> bytes:
        """The bytes of one token; control tokens have none."""

    def is_eog(self, token: int) -> bool: ...

    def keep(self, seq_id: int, n_tokens: int) -> bool:
        """Drop all but the first `n_tokens` of a sequence; false, and unchanged, if that cannot be done."""

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        """Run one batch. Raises `BadBatch` or `ModelBroken`."""

    def sampler(self, sampling: Sampling) -> Sampler: ...

    def close(self) -> None: ...
