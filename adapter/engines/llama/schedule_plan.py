"""The words in which the scheduler and the decode loop speak about one step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.engines.llama.kv_index import Stored


@dataclass(frozen=True, slots=True)
class Copy:
    """Give `dst_seq` all that `src_seq` holds, in place of what it has, then keep only the first `keep` tokens."""

    src_seq: int
    dst_seq: int
    keep: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Give the sequence the content of the stored file `key`, in place of what it has, then keep `keep` tokens."""

    seq_id: int
    key: str
    keep: int


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep only the first `keep` tokens of the sequence in the KV cache."""

    seq_id: int
    keep: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one sequence, the first at position `pos`.

    samples: of how many of its last rows the logits are wanted. 0: the prompt goes on. 1: the usual row. More: the
    last `samples - 1` tokens are drafts; the row before them and their own rows tell which of them hold.
    """

    seq_id: int
    pos: int
    tokens: tuple[int, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One step, to be done in this order: copies, restores, trims, then all chunks in one batch.

    Copies, restores and trims can be done twice: no copy's source loses in the same plan what the copy needs of it.
    started: tasks that have just got their first seat. No chunks: nothing to decode.
    """

    trims: tuple[Trim, ...]
    chunks: tuple[Chunk, ...]
    started: tuple[int, ...]
    copies: tuple[Copy, ...] = ()
    restores: tuple[Restore, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller made of a chunk's sampled rows.

    tokens: the next tokens of the answer; several after accepted drafts, or where text is forced.
    rows: how many of the chunk's sampled rows count. The row of a draft counts only if the draft is what
    `tokens` says at its place; the KV of rows that do not count is trimmed by the next plan.
    """

    tokens: tuple[int, ...]
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Sampled:
    """The next tokens of a task's answer. cached_tokens: how much of its prompt was not computed again."""

    task_id: int
    tokens: tuple[int, ...]
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class OutOfRoom:
    """The KV cache cannot hold even this task alone; it has lost its seat."""

    task_id: int


class Prefixes(Protocol):
    """What is on disk. Asked when a task is about to get a seat, by the decode loop: it must know without reading."""

    def longest(self, prompt: Sequence[int]) -> Stored | None:
        """The stored sequence that shares the longest beginning with `prompt`; `None` if none does."""
        ...
