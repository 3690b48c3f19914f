"""Who goes into the next batch. Pure: no clock, no model; the worker only carries what is planned here.

    submit ──> waiting (FIFO, bounded) ──plan──> seated ──applied──> seated … ──cancel──> idle slot
                     ^                               │
                     └────────── parked <────────────┘  no_kv_slot, nothing else left to give

A step: `plan` says which sequences to trim and which tokens to decode; the caller does that and reports
`applied` with the sampled tokens, or `no_kv_slot` when the KV cache had no room and nothing was decoded.
A seat never waits for another one to end: as soon as a slot is idle the next waiting task gets it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from adapter.engines.llama.slots import Run, Slot, Task


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep only the first `keep` tokens of the sequence in the KV cache."""

    seq_id: int
    keep: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one sequence, the first at position `pos`.

    sample: the logits of the last one are wanted. A decode row is a chunk of one token.
    """

    seq_id: int
    pos: int
    tokens: tuple[int, ...]
    sample: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One step. started: tasks that have just got their first seat. No chunks: nothing to do."""

    trims: tuple[Trim, ...]
    chunks: tuple[Chunk, ...]
    started: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """The next token of a task's answer. cached_tokens: how much of its prompt was not computed again."""

    task_id: int
    token: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class OutOfRoom:
    """The KV cache cannot hold even this task alone; it has lost its seat."""

    task_id: int


class Scheduler:
    def __init__(self, *, n_slots: int, max_waiting: int) -> None:
        self._slots = tuple(Slot(seq_id=seq_id) for seq_id in range(n_slots))
        self._max_waiting = max_waiting
        self._waiting: deque[Run] = deque()
        self._trims: dict[int, int] = {}
        self._step = 0
        self._room_limit: int | None = None
        self._hold_seats = False

    @property
    def n_running(self) -> int:
        return len(self._busy())

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def submit(self, task: Task) -> bool:
        """Put `task` at the end of the queue; false (and nothing happens) when there is no place left."""
        idle = len(self._slots) - self.n_running
        if self.n_waiting >= self._max_waiting + idle:
            return False
        self._waiting.append(Run(task, list(task.prompt)))
        return True

    def cancel(self, task_id: int) -> None:
        """End a task, wherever it is: its answer is complete, or nobody wants it. Its slot is idle at once."""
        for slot in self._busy():
            if slot.run is not None and slot.run.task.id == task_id:
                slot.leave(self._step)
                self._hold_seats = False
        self._waiting = deque(run for run in self._waiting if run.task.id != task_id)

    def plan(self, room: int) -> Plan:
        """Choose the rows of the next batch: at most `room` tokens (>= 1).

        Decode rows come first, so a long prompt never delays a token somebody is waiting for by more
        than one batch. What is left is shared evenly among the prompts, so that a short one is not
        held up by a long one. An empty plan means there is nothing to do.
        """
        self._step += 1
        started = tuple(self._seat_waiting())
        room = room if self._room_limit is None else min(room, self._room_limit)
        chunks = self._decode_rows(room)
        chunks += self._prefill_chunks(room - len(chunks))
        trims = tuple(Trim(seq_id, keep) for seq_id, keep in self._trims.items())
        self._trims.clear()
        return Plan(trims, tuple(chunks), started)

    def trim_refused(self, seq_id: int) -> None:
        """The library cannot keep a part of this sequence: compute all of it again.

        Call it before anything of the plan was decoded, then plan again.
        """
        slot = self._slots[seq_id]
        slot.kv = 0
        if slot.run is not None:
            slot.run.cached_tokens = 0
        self._trims[seq_id] = 0

    def task_of(self, seq_id: int) -> int | None:
        """Whose answer this sequence is, if anybody's."""
        run = self._slots[seq_id].run
        return None if run is None else run.task.id

    def applied(self, plan: Plan, sampled: Mapping[int, int]) -> list[Sampled]:
        """The chunks were decoded; `sampled` maps sequences to the tokens chosen for them."""
        if self._room_limit is not None:
            self._room_limit *= 2
        events = []
        for chunk in plan.chunks:
            slot = self._slots[chunk.seq_id]
            slot.decoded(chunk.tokens)
            slot.served_at = self._step
            if chunk.sample and slot.run is not None:
                token = sampled[chunk.seq_id]
                slot.run.tokens.append(token)
                events.append(Sampled(slot.run.task.id, token, slot.run.cached_tokens))
        return events

    def no_kv_slot(self, plan: Plan) -> list[OutOfRoom]:
        """The KV cache had no room for `plan`, and nothing of it was decoded. Give way, in this order:

        forget what idle slots hold; make the batch smaller; park the answer that began last (its place
        is the head of the queue, and it carries on from where it was). A running answer is given up only
        when it is alone and the cache cannot hold it, and then it is said.
        """
        if self._forget_idle():
            return []
        n_rows = sum(len(chunk.tokens) for chunk in plan.chunks)
        if any(len(chunk.tokens) > 1 for chunk in plan.chunks):
            self._room_limit = max(1, n_rows // 2)
            return []
        youngest = max(self._busy(), key=lambda slot: slot.seated_at)
        run = self._unseat(youngest)
        if self.n_running == 0:
            self._hold_seats = False
            return [OutOfRoom(run.task.id)]
        self._waiting.appendleft(run)
        self._hold_seats = True
        return []

    # --- seats -----------------------------------------------------------------------------------------------

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.run is not None]

    def _seat_waiting(self) -> list[int]:
        started = []
        idle = [slot for slot in self._slots if slot.run is None]
        while idle and self._waiting and not self._hold_seats:
            run = self._waiting.popleft()
            slot = max(idle, key=lambda s: _worth(s, run))
            idle.remove(slot)
            keep = slot.reusable(run.tokens)
            if keep < slot.kv:
                self._trims[slot.seq_id] = keep
            slot.seat(run, keep, self._step)
            if not run.started:
                run.started = True
                started.append(run.task.id)
        return started

    def _unseat(self, slot: Slot) -> Run:
        run = slot.run
        assert run is not None
        slot.leave(self._step)
        slot.forget()
        self._trims[slot.seq_id] = 0
        return run

    def _forget_idle(self) -> bool:
        holders = [slot for slot in self._slots if slot.run is None and slot.kv]
        for slot in holders:
            slot.forget()
            self._trims[slot.seq_id] = 0
        return bool(holders)

    # --- rows ------------------------------------------------------------------------------------------------

    def _decode_rows(self, room: int) -> list[Chunk]:
        ready = sorted((s for s in self._slots if s.pending == 1), key=lambda s: s.served_at)
        return [_chunk(slot, 1) for slot in ready[:room]]

    def _prefill_chunks(self, room: int) -> list[Chunk]:
        chunks = []
        waiting = sorted((s for s in self._slots if s.pending > 1), key=lambda s: s.pending)
        for at, slot in enumerate(waiting):
            share = min(slot.pending, max(1, room // (len(waiting) - at)), room)
            if share > 0:
                chunks.append(_chunk(slot, share))
                room -= share
        return chunks


def _worth(slot: Slot, run: Run) -> tuple[int, bool, int]:
    """How good it is to give this idle seat to `run`.

    First by the tokens saved less the tokens lost: three tokens in common are no reason to throw away an
    agent's long prompt. Then an empty seat, then the one that has been idle longest.
    """
    saved = slot.reusable(run.tokens)
    return max(0, 2 * saved - slot.kv), slot.kv == 0, -slot.served_at


def _chunk(slot: Slot, width: int) -> Chunk:
    tokens = tuple(slot.tokens[slot.kv : slot.kv + width])
    return Chunk(slot.seq_id, slot.kv, tokens, sample=width == slot.pending)
