"""Who goes into the next batch. Pure: no clock, no model; the worker only carries what is planned here.

    submit ──> waiting (FIFO, bounded) ──plan──> seated ──applied──> seated … ──cancel──> idle slot
                     ^                               │
                     └────────── parked <────────────┘  no_kv_slot, nothing else left to give

A step: `plan` says which sequences to copy, restore and trim and which tokens to decode; the caller does that and
reports `applied` with the tokens chosen, or `refused` when the library cannot do one of the first three, or
`no_kv_slot` when the KV cache had no room and nothing was decoded. A seat never waits for another one to end: as soon
as a slot is idle, the next task that may sit gets it.

The parts: `schedule_plan.py` the words, `schedule_queue.py` who is next, `schedule_seats.py` where to sit,
`schedule_moves.py` what that takes, `schedule_rows.py` who gets how many rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapter.engines.llama.kv_index import Stored
from adapter.engines.llama.prefix import common_prefix
from adapter.engines.llama.schedule_moves import Moves
from adapter.engines.llama.schedule_plan import (
    Chunk,
    Copy,
    Outcome,
    OutOfRoom,
    Plan,
    Prefixes,
    Restore,
    Sampled,
    Trim,
)
from adapter.engines.llama.schedule_queue import Waiting
from adapter.engines.llama.schedule_rows import choose_rows
from adapter.engines.llama.schedule_seats import choose_seat, shared_soon
from adapter.engines.llama.slots import Run, Slot, Task

__all__ = [
    "Chunk",
    "Copy",
    "OutOfRoom",
    "Outcome",
    "Plan",
    "Prefixes",
    "Restore",
    "Sampled",
    "Scheduler",
    "Stored",
    "Task",
    "Trim",
]


class Scheduler:
    """stored: what is on disk, if anything is kept there. copies: may one slot's KV be copied to another?

    max_seats: no new seat beyond so many (a hot phone); `None`: all slots. paused: no new seat at all. Answers
    under way go on in either case, and one that was parked counts as under way for `paused`.
    """

    def __init__(
        self, *, n_slots: int, max_waiting: int, stored: Prefixes | None = None, copies: bool = True
    ) -> None:
        self.max_seats: int | None = None
        self.paused = False
        self._slots = tuple(Slot(seq_id=seq_id) for seq_id in range(n_slots))
        self._waiting = Waiting(max_waiting)
        self._stored = stored
        self._copies_allowed = copies
        self._unprimed: set[int] = set()  # ordinary tasks whose prompt is not in the KV cache yet
        self._drafts: dict[int, tuple[int, ...]] = {}
        self._step = 0
        self._floor = 0
        self._room_limit: int | None = None
        self._hold_seats = False
        self._hold_background = False
        self._moves = Moves()  # what the next plan has to tell the caller
        self._told: Moves | None = None  # what the last one told, as long as it may be refused

    @property
    def n_running(self) -> int:
        """Tasks that have a seat, a background task included."""
        return len(self._busy())

    @property
    def n_waiting(self) -> int:
        """Tasks that have none: queued, parked, followers, background."""
        return len(self._waiting)

    # --- tasks -----------------------------------------------------------------------------------------------

    def submit(self, task: Task) -> bool:
        """Put `task` at the end of the queue; false (and nothing happens) when there is no place left."""
        free_seats = len(self._slots) - self._n_ordinary()
        if not self._waiting.add(Run(task, list(task.prompt)), free_seats=free_seats):
            return False
        if not task.background:
            self._unprimed.add(task.id)
        return True

    def cancel(self, task_id: int) -> None:
        """End a task, wherever it is: its answer is complete, or nobody wants it. Its slot is idle at once."""
        self._unprimed.discard(task_id)
        self._drafts.pop(task_id, None)
        slot = self._slot_of(task_id)
        if slot is None:
            self._waiting.remove(task_id)
        else:
            self._leave(slot)
            self._hold_seats = self._hold_background = False

    def draft(self, task_id: int, tokens: Sequence[int]) -> None:
        """Offer guesses of the task's next tokens, after the one to be decoded, for the next plan only.

        They are used when it has room to spare: no prompt in it, every answer has its row. The caller sees in
        `Chunk.samples` how many were.
        """
        self._drafts[task_id] = tuple(tokens)

    def task_of(self, seq_id: int) -> int | None:
        """Whose answer this sequence is, if anybody's."""
        run = self._slots[seq_id].run
        return None if run is None else run.task.id

    def seq_of(self, task_id: int) -> int | None:
        """Where the task sits; `None` while it waits, and when it is gone."""
        slot = self._slot_of(task_id)
        return None if slot is None else slot.seq_id

    def idle_slots(self) -> list[tuple[int, tuple[int, ...]]]:
        """(seq_id, tokens) of every idle slot that holds something.

        The sequence may hold a few tokens more (rejected drafts) until the trims of the next plan are done.
        """
        return [(slot.seq_id, tuple(slot.tokens)) for slot in self._slots if slot.run is None and slot.kv]

    def forget(self, seq_id: int) -> None:
        """Let go of what an idle slot holds; the next plan empties it. Nothing happens to a slot in use."""
        slot = self._slots[seq_id]
        if slot.run is None and slot.kv:
            self._empty(slot)

    # --- one step --------------------------------------------------------------------------------------------

    def plan(self, room: int) -> Plan:
        """Choose the rows of the next batch: at most `room` tokens (at least the number of slots, to be fair).

        Decode rows come first, so a long prompt never delays a token somebody is waiting for by more
        than one batch. What is left is shared evenly among the prompts, so that a short one is not
        held up by a long one. An empty plan means there is nothing to do.
        """
        self._step += 1
        self._decode_again()
        started = self._seat_waiting()
        if self._room_limit is not None and self._room_limit >= room:
            self._room_limit = None
        drafts = self._drafts if self._room_limit is None else {}
        chunks = choose_rows(self._busy(), drafts, self._room_limit or room)
        self._drafts = {}
        self._told, self._moves = self._moves, Moves()
        return self._told.plan(chunks, started)

    def refused(self, seq_id: int) -> None:
        """The library cannot copy to, restore or trim this sequence: empty it and compute all of it again.

        Decode nothing of the plan; plan again. The next plan has the other copies, restores and trims once more,
        whether they were done or not, but not what was `started`. The task gets no copy and no file any more.
        """
        if self._told is not None:
            self._moves, self._told = self._told, None
        slot = self._slots[seq_id]
        self._empty(slot)
        if slot.run is not None:
            slot.run.alone = True

    def applied(self, plan: Plan, outcomes: Mapping[int, Outcome]) -> list[Sampled]:
        """The chunks were decoded; `outcomes` says by sequence what came of those with samples.

        A sequence that is missing there counts as decoded. If its task still sits in the next plan, its last row
        is decoded once more, for it needs a token to go on.
        """
        self._told = None
        if self._room_limit is not None:
            self._room_limit *= 2
        events = []
        for chunk in plan.chunks:
            slot = self._slots[chunk.seq_id]
            slot.decoded(chunk.tokens)
            slot.served_at = self._step
            if slot.run is not None and chunk.samples:
                outcome = outcomes.get(chunk.seq_id, Outcome(()))
                self._advance(slot, slot.run, chunk, outcome)
                if outcome.tokens:
                    self._unprimed.discard(slot.run.task.id)
                    events.append(Sampled(slot.run.task.id, outcome.tokens, slot.run.cached_tokens))
        return events

    def no_kv_slot(self, plan: Plan) -> list[OutOfRoom]:
        """The KV cache had no room for `plan`, and nothing of it was decoded. Give way, in this order:

        forget what idle slots hold; park the background task; make the batch smaller; park the answer that began
        last (its place is the head of the queue, and it carries on from where it was). A running answer is given
        up only when it is alone and the cache cannot hold it, and then it is said.
        """
        self._told = None
        if self._forget_idle() or self._park_background():
            return []
        n_rows = sum(len(chunk.tokens) for chunk in plan.chunks)
        if any(len(chunk.tokens) > 1 for chunk in plan.chunks):
            self._room_limit = max(1, n_rows // 2)
            return []
        youngest = max(self._busy(), key=lambda slot: slot.seated_at)
        run = self._leave(youngest)
        self._empty(youngest)
        if self.n_running == 0:
            self._hold_seats = self._hold_background = False
            self._unprimed.discard(run.task.id)
            return [OutOfRoom(run.task.id)]
        self._waiting.put_back(run)
        self._hold_seats = True
        return []

    # --- what was decoded --------------------------------------------------------------------------------------

    def _advance(self, slot: Slot, run: Run, chunk: Chunk, outcome: Outcome) -> None:
        """Append what was chosen; forget the KV of drafts that were not."""
        slot.answering = True
        drafts = chunk.tokens[len(chunk.tokens) - chunk.samples + 1 :]
        accepted = common_prefix(drafts, outcome.tokens, min(len(drafts), len(outcome.tokens)))
        # A row counts only if what was decoded there is what the answer says, whatever the caller believes.
        rejected = len(drafts) - min(accepted, max(0, outcome.rows - 1))
        run.tokens.extend(outcome.tokens)
        if rejected:
            self._cut(slot, slot.kv - rejected)

    def _decode_again(self) -> None:
        for slot in self._busy():
            if slot.pending == 0:
                self._cut(slot, slot.kv - 1)

    # --- seats -----------------------------------------------------------------------------------------------

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.run is not None]

    def _idle(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.run is None]

    def _seats_to_give(self) -> list[Slot]:
        """Idle slots, and a background task's. What this plan copies from is left as it is till the next one."""
        free = [slot for slot in self._slots if slot.run is None or slot.run.task.background]
        return [slot for slot in free if not self._moves.reads(slot.seq_id)]

    def _slot_of(self, task_id: int) -> Slot | None:
        return next((slot for slot in self._slots if slot.run is not None and slot.run.task.id == task_id), None)

    def _background_slot(self) -> Slot | None:
        return next((slot for slot in self._slots if slot.run is not None and slot.run.task.background), None)

    def _n_ordinary(self) -> int:
        return sum(1 for slot in self._slots if slot.run is not None and not slot.run.task.background)

    def _n_seats(self) -> int:
        return len(self._slots) if self.max_seats is None else min(len(self._slots), self.max_seats)

    def _seat_waiting(self) -> list[int]:
        started = []
        while (run := self._next_run()) is not None:
            self._seat(run)
            if not run.started:
                run.started = True
                started.append(run.task.id)
        return started

    def _next_run(self) -> Run | None:
        """Who gets a seat now, out of the queue; a seat is free for it then."""
        if self._hold_seats or self._n_ordinary() >= self._n_seats() or not self._seats_to_give():
            return None
        run = self._waiting.take(self._may_sit)
        baking = self._background_slot()
        if run is not None:
            if baking is not None and self.n_running >= self._n_seats():
                self._waiting.put_back(self._leave(baking))
            return run
        if self.paused or self._hold_background or baking is not None:
            return None
        return self._waiting.take_background()

    def _may_sit(self, run: Run) -> bool:
        if self.paused and not run.started:
            return False
        if run.task.after in self._unprimed:
            return False
        return not self._is_better_off_waiting(run)

    def _is_better_off_waiting(self, run: Run) -> bool:
        """Will a prompt that is just being computed soon hold much more of this one's than any sequence does now?

        Compared once; from then on only how far that one has come.
        """
        if run.behind is not None:
            slot = self._slot_of(run.behind[0])
            if slot is not None and slot.kv < run.behind[1]:
                return True
        run.behind = None
        if self._copies_allowed and not run.started:
            run.behind = shared_soon(run.tokens, self._slots, self._stored)
        return run.behind is not None

    def _seat(self, run: Run) -> None:
        share = self._copies_allowed and not run.alone
        # What this plan overwrites holds nothing yet when the copies are made.
        sources = [slot for slot in self._slots if slot.kv and not self._moves.fills(slot.seq_id)]
        stored = None if run.alone else self._stored
        idle = [slot for slot in self._seats_to_give() if slot.run is None]
        seat = choose_seat(run.tokens, idle, sources if share else [], stored, self._floor)
        self._floor = seat.floor
        if seat.source is not None:
            source = seat.source.seq_id if isinstance(seat.source, Slot) else seat.source.key
            self._moves.fill(seat.slot.seq_id, source, seat.keep)
        elif seat.keep < seat.slot.kv:
            self._cut(seat.slot, seat.keep)
        seat.slot.seat(run, seat.keep, self._step)

    def _leave(self, slot: Slot) -> Run:
        run = slot.leave(self._step)
        slot.credit = self._floor + slot.kv
        return run

    def _cut(self, slot: Slot, keep: int) -> None:
        slot.kv = keep
        self._moves.cut(slot.seq_id, keep)

    def _empty(self, slot: Slot) -> None:
        """And whatever was to be copied from there, for the copy may be asked for again when it is empty."""
        for seq_id in (slot.seq_id, *self._moves.empty(slot.seq_id)):
            emptied = self._slots[seq_id]
            emptied.forget()
            if emptied.run is not None:
                emptied.run.cached_tokens = 0

    def _forget_idle(self) -> bool:
        holders = [slot for slot in self._idle() if slot.kv]
        for slot in holders:
            self._empty(slot)
        return bool(holders)

    def _park_background(self) -> bool:
        baking = self._background_slot()
        if baking is None or self._n_ordinary() == 0:
            return False
        self._waiting.put_back(self._leave(baking))
        self._empty(baking)
        self._hold_background = True
        return True
