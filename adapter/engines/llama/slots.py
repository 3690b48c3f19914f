"""A slot: the seat of one running answer, and what its sequence holds in the KV cache. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Task:
    """One answer to compute. `prompt` is never empty. Ids are never used twice."""

    id: int
    prompt: tuple[int, ...]


@dataclass(slots=True)
class Run:
    """A task on its way: waiting, seated, or parked and waiting again.

    tokens: the prompt and every token sampled so far. cached_tokens: how many of the prompt the
    first seat already held. started: it has had a seat.
    """

    task: Task
    tokens: list[int]
    cached_tokens: int = 0
    started: bool = False


@dataclass(slots=True)
class Slot:
    """`seq_id` is the sequence in the KV cache; the first `kv` tokens of `tokens` are in it.

    An idle slot keeps its tokens, so that a prompt which begins alike need not compute them again.
    seated_at, served_at: step numbers, for "who came last" and "who has waited longest".
    """

    seq_id: int
    kv: int = 0
    run: Run | None = None
    seated_at: int = 0
    served_at: int = 0
    _left: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> list[int]:
        return self._left if self.run is None else self.run.tokens

    @property
    def pending(self) -> int:
        """Tokens that must still be decoded before the next one can be sampled; 0 when idle."""
        return 0 if self.run is None else len(self.run.tokens) - self.kv

    def reusable(self, prompt: Sequence[int]) -> int:
        """How many tokens of `prompt` this idle slot holds already.

        At least one token is left to decode: the first sample needs its logits.
        """
        most = min(self.kv, len(prompt) - 1)
        for at, (held, wanted) in enumerate(zip(self._left[:most], prompt, strict=False)):
            if held != wanted:
                return at
        return most

    def seat(self, run: Run, keep: int, step: int) -> None:
        """Give the seat to `run`, of which the sequence already holds `keep` tokens."""
        self.run, self.kv, self.seated_at = run, keep, step
        self._left = []
        if not run.started:
            run.cached_tokens = keep

    def decoded(self, tokens: Sequence[int]) -> None:
        """These tokens, the next ones, are in the KV cache now (also if the run left meanwhile)."""
        self.kv += len(tokens)
        if self.run is None:
            self._left.extend(tokens)

    def leave(self, step: int) -> None:
        """The run is over; its tokens stay for whoever comes with the same beginning."""
        self._left = self.tokens[: self.kv]
        self.run = None
        self.served_at = step

    def forget(self) -> None:
        """The sequence is to be emptied (the caller trims it)."""
        self.kv = 0
        self._left = []
