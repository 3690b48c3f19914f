"""What the worker needs of a loaded model: the seam between our code and native code. Pure.

`binding.py` implements it over llama.cpp; `tests/fakes/fake_llama.py` in a few lines of Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from adapter.chat import Sampling
from adapter.engines.llama.scheduler import Chunk

# Anything with the buffer protocol (`collections.abc.Buffer` is younger than Python 3.11).
Buffer = Any


class ModelError(Exception):
    """The model cannot be loaded. The text names the file and what llama.cpp said."""


class BadBatch(Exception):
    """We built a batch that the library refuses (llama_decode returned -1). Nothing was decoded."""


class ModelBroken(Exception):
    """The context is in an unknown state (llama_decode below -1, or 2): only a new process helps."""


class Decoded(Enum):
    DONE = auto()
    NO_KV_SLOT = auto()  # nothing was decoded; smaller batches or fewer sequences may fit


class BadGrammar(Exception):
    """llama.cpp cannot read a grammar. The text is its complaint."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """How a model is to be loaded. ctx_tokens: for one slot, at most what the model was trained for.

    kv_type: "f16" or "q8_0". draft_tokens: most tokens that are guessed ahead, whose logits are wanted as well.
    """

    path: str
    slots: int
    ctx_tokens: int
    batch_tokens: int
    threads: int
    kv_type: str = "f16"
    draft_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Fill:
    """The control tokens of a model that fills in the middle."""

    prefix: int
    suffix: int
    middle: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known once it is loaded. ctx_tokens: of one slot, as llama.cpp really gave it.

    chat_template: `None` if the GGUF has none. bos, eos: their text, "" if the vocabulary has none.
    trims: can a sequence lose its end and keep its beginning? Not where a state sums up all that went before (recurrent).
    fill: `None` for a model that does not fill in the middle. kv_layout: whatever else decides whether a saved sequence fits.
    """

    description: str
    ctx_tokens: int
    batch_tokens: int
    n_vocab: int
    bos: str
    eos: str
    adds_bos: bool
    chat_template: str | None
    trims: bool = True
    fill: Fill | None = None
    kv_layout: str = ""


@dataclass(frozen=True, slots=True)
class Likely:
    """A token and the natural logarithm of its probability."""

    token: int
    logprob: float


class Sampler(Protocol):
    """Chooses the tokens of one answer; remembers them for its penalties and its grammar."""

    def sample(self, seq_id: int, row: int = 0) -> int:
        """Choose from the logits that the last `decode` left for the `row`-th sampled row of this sequence."""

    def accept(self, token: int) -> None:
        """Note a token that was not chosen here (forced). Raises `BadGrammar` if the grammar does not allow it."""

    def constrain(self, grammar: str, seen: Sequence[int]) -> bool:
        """From now on follow this GBNF, of which the tokens `seen` are the beginning. False, and nothing changed, if
        they are not. Raises `BadGrammar`."""

    def logprobs(self, seq_id: int, row: int, token: int, top: int) -> tuple[float, list[Likely]]:
        """Of `token` and of the `top` likeliest, in the model's own distribution at that row."""

    def close(self) -> None: ...


class Model(Protocol):
    """A model with its context. Only the decode loop's thread may call it, except `tokenize`, `piece` and `is_eog`."""

    @property
    def facts(self) -> ModelFacts: ...

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        """specials: BOS (and EOS) are added where the vocabulary wants them. parse_specials: names of control tokens
        stand for them, as in a rendered template."""

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of one token; control tokens have none, unless `special`: then their name."""

    def is_eog(self, token: int) -> bool: ...

    def keep(self, seq_id: int, n_tokens: int) -> bool:
        """Drop all but the first `n_tokens` of a sequence; false, and unchanged, if that cannot be done."""

    def copy(self, src_seq: int, dst_seq: int) -> bool:
        """Give the destination all that the source holds; false, with an unknown destination, if that cannot be done."""

    def save(self, seq_id: int) -> bytearray | None:
        """All that a sequence holds, for `restore`; `None` if the library cannot."""

    def restore(self, seq_id: int, saved: Buffer) -> bool:
        """The reverse of `save`; false, with the sequence empty, if it does not fit."""

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        """Run one batch. Raises `BadBatch` or `ModelBroken`."""

    def sampler(self, sampling: Sampling, *, choice: int = 0, grammar: str | None = None) -> Sampler:
        """choice: added to the seed, so that several answers to one request differ. Raises `BadGrammar`."""

    def set_threads(self, n: int) -> None: ...

    def close(self) -> None: ...
