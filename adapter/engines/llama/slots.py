"""A slot: the seat of one running answer, and what its sequence holds in the KV cache. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.engines.llama.prefix import common_prefix


@dataclass(frozen=True, slots=True)
class Task:
    """One answer to compute. `prompt` is never empty. Ids are never used twice.

    after: a task submitted before, with the same prompt; this one takes no seat before that one's prompt is in
    the KV cache, or that one is gone. background: nobody waits for it (a pinned prompt is computed ahead).
    """

    id: int
    prompt: tuple[int, ...]
    after: int | None = None
    background: bool = False


@dataclass(slots=True)
class Run:
    """A task on its way: waiting, seated, or parked and waiting again.

    tokens: the prompt and every token of the answer so far. cached_tokens: how many of the prompt the
    first seat already held. started: it has had a seat. alone: something was refused; it computes all itself.
    behind: a task whose sequence will hold this many tokens of this one's prompt soon; worth waiting for.
    """

    task: Task
    tokens: list[int]
    cached_tokens: int = 0
    started: bool = False
    alone: bool = False
    behind: tuple[int, int] | None = None


@dataclass(slots=True)
class Slot:
    """`seq_id` is the sequence in the KV cache; the first `kv` tokens of `tokens` are in it.

    An idle slot keeps its tokens, so that a prompt which begins alike need not compute them again.
    answering: all before the next token of the answer has been computed at this seat.
    seated_at, served_at: step numbers, for "who came last" and "who has waited longest".
    credit: how much an idle slot's tokens are worth keeping (`schedule_seats.py`). prompt_end: how many of an
    idle slot's tokens were somebody's prompt.
    """

    seq_id: int
    kv: int = 0
    run: Run | None = None
    answering: bool = False
    seated_at: int = 0
    served_at: int = 0
    credit: int = 0
    prompt_end: int = 0
    _left: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> list[int]:
        return self._left if self.run is None else self.run.tokens

    @property
    def pending(self) -> int:
        """Tokens that must still be decoded before the next one can be sampled; 0 when idle."""
        return 0 if self.run is None else len(self.run.tokens) - self.kv

    def reusable(self, prompt: list[int]) -> int:
        """How many tokens of `prompt` the sequence holds already, be the slot idle or not.

        At least one token is left to decode: the first sample needs its logits.
        """
        return common_prefix(self.tokens, prompt, min(self.kv, len(prompt) - 1))

    def seat(self, run: Run, keep: int, step: int) -> None:
        """Give the seat to `run`, of which the sequence (soon) holds `keep` tokens."""
        self.run, self.kv, self.seated_at = run, keep, step
        self._left = []
        if not run.started:
            run.cached_tokens = keep

    def decoded(self, tokens: Sequence[int]) -> None:
        """These tokens, the next ones, are in the KV cache now (also if the run left meanwhile)."""
        self.kv += len(tokens)
        if self.run is None:
            self._left.extend(tokens)

    def leave(self, step: int) -> Run:
        """The run is over; its tokens stay for whoever comes with the same beginning."""
        run = self.run
        assert run is not None
        self._left = run.tokens[: self.kv]
        self.prompt_end = len(run.task.prompt)
        self.run = None
        self.answering = False
        self.served_at = step
        return run

    def forget(self) -> None:
        """The sequence is to be emptied (the caller trims it). A run stays, and computes all of it again."""
        self.kv = self.credit = 0
        self.answering = False
        self._left = []
