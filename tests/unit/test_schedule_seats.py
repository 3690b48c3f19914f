"""Where a task sits and where the beginning of its prompt comes from: its slot, another slot, a file."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapter.engines.llama.schedule_seats import COPY_MIN_TOKENS, RESTORE_MIN_TOKENS, SMALL_TAIL_TOKENS
from adapter.engines.llama.scheduler import Chunk, Copy, Outcome, Plan, Restore, Scheduler, Stored, Trim
from adapter.engines.llama.slots import Task
from tests.unit.scheduling import apply, compute, prompt

LONG = 1_000


class Files:
    """One file, whatever is asked for."""

    def __init__(self, file: Stored | None) -> None:
        self.file = file

    def longest(self, prompt: Sequence[int]) -> Stored | None:
        return self.file


def scheduler(n_slots: int = 2, file: Stored | None = None, *, copies: bool = True) -> Scheduler:
    return Scheduler(n_slots=n_slots, max_waiting=8, stored=Files(file), copies=copies)


def submitted(s: Scheduler, task_id: int, tokens: tuple[int, ...]) -> Plan:
    assert s.submit(Task(task_id, tokens))
    return s.plan(100_000)


def cached(s: Scheduler, plan: Plan) -> list[int]:
    outcomes = {chunk.seq_id: Outcome((99,)) for chunk in plan.chunks if chunk.samples}
    return [event.cached_tokens for event in s.applied(plan, outcomes)]


# --- copies -----------------------------------------------------------------------------------------------------


def test_a_running_slot_is_copied() -> None:
    """The same system prompt while its first conversation is still answered."""
    s = scheduler()
    compute(s, Task(1, (*prompt(LONG), 7)))
    plan = submitted(s, 2, (*prompt(LONG), 8, 9))
    assert plan.copies == (Copy(0, 1, LONG),)
    assert plan.trims == ()
    assert plan.chunks == (Chunk(0, LONG + 1, (99,), 1), Chunk(1, LONG, (8, 9), 1))
    assert cached(s, plan) == [0, LONG]


def test_no_copies_where_they_are_not_wanted() -> None:
    s = scheduler(copies=False)
    compute(s, Task(1, prompt(LONG)))
    plan = submitted(s, 2, (*prompt(LONG), 8))
    assert plan.copies == ()
    assert plan.chunks[1].pos == 0


@pytest.mark.parametrize(("common", "copied"), [(COPY_MIN_TOKENS - 1, False), (COPY_MIN_TOKENS, True)])
def test_a_copy_must_be_worth_its_trouble(common: int, copied: bool) -> None:
    s = scheduler()
    compute(s, Task(1, prompt(common + 5)))
    plan = submitted(s, 2, (*prompt(common), 5_000, 5_001))
    assert bool(plan.copies) == copied


def test_a_long_sequence_is_not_carried_for_a_short_beginning() -> None:
    """A copy moves all the source holds: 4,000 tokens for the sake of 100 cost more memory than they save time."""
    s = scheduler()
    compute(s, Task(1, prompt(4_000)))
    assert submitted(s, 2, (*prompt(100), 5_000)).copies == ()
    s.cancel(2)
    assert submitted(s, 3, (*prompt(200), 5_000)).copies == (Copy(0, 1, 200),)


def test_of_two_sources_that_hold_the_same_the_shorter_is_copied() -> None:
    s = scheduler(n_slots=3)
    compute(s, Task(1, (*prompt(LONG), *prompt(500, first=9_000))))
    compute(s, Task(2, (*prompt(LONG), 7)))
    assert submitted(s, 3, (*prompt(LONG), 8)).copies == (Copy(1, 2, LONG),)


def test_at_least_one_token_is_left_to_decode() -> None:
    s = scheduler()
    compute(s, Task(1, prompt(LONG)))
    plan = submitted(s, 2, prompt(LONG))
    assert plan.copies == (Copy(0, 1, LONG - 1),)
    assert Chunk(1, LONG - 1, (LONG,), 1) in plan.chunks


def test_only_what_is_decoded_is_copied() -> None:
    """The source is in the middle of another prompt; what will be there later does not count."""
    s = scheduler()
    s.submit(Task(1, prompt(LONG)))
    apply(s, s.plan(400))
    plan = submitted(s, 2, (*prompt(500), 7))
    assert plan.copies == (Copy(0, 1, 400),)


def test_the_next_turn_stays_in_its_slot() -> None:
    """Nothing is lost but an answer whose reasoning the next prompt does not repeat: no copy, however long it was."""
    s = scheduler()
    seq_id = compute(s, Task(1, prompt(LONG)))
    for _ in range(600):
        apply(s, s.plan(8))
    s.cancel(1)
    plan = submitted(s, 2, (*prompt(LONG), 5_000, 5_001))
    assert plan == Plan((Trim(seq_id, LONG),), (Chunk(seq_id, LONG, (5_000, 5_001), 1),), started=(2,))


@pytest.mark.parametrize(("tail", "copied"), [(SMALL_TAIL_TOKENS, False), (SMALL_TAIL_TOKENS + 1, True)])
def test_another_conversation_with_the_same_system_prompt_gets_its_own_copy(tail: int, copied: bool) -> None:
    """An empty slot is there, so the first conversation need not lose its messages."""
    s = scheduler()
    compute(s, Task(1, (*prompt(LONG), *prompt(tail, first=9_000))), end=True)
    plan = submitted(s, 2, (*prompt(LONG), 5_000))
    assert plan.copies == ((Copy(0, 1, LONG),) if copied else ())
    assert plan.chunks[0].pos == LONG


def test_copies_for_several_tasks_in_one_plan() -> None:
    """Each comes from a slot that this plan leaves as it is, so the order of the copies does not matter."""
    s = scheduler(n_slots=4)
    compute(s, Task(1, prompt(LONG)))
    for n in (2, 3, 4):
        s.submit(Task(n, (*prompt(LONG), 5_000 + n)))
    plan = s.plan(100)
    assert plan.copies == (Copy(0, 1, LONG), Copy(0, 2, LONG), Copy(0, 3, LONG))
    assert plan.started == (2, 3, 4)


def test_a_slot_that_is_being_copied_is_not_given_away_in_the_same_plan() -> None:
    """It is the only other one; the task that wants it sits one step later."""
    s = scheduler()
    compute(s, Task(1, (*prompt(LONG), *prompt(400, first=9_000))), end=True)
    s.submit(Task(2, (*prompt(LONG), 5_000)))
    s.submit(Task(3, (7, 8)))
    plan = s.plan(100)
    assert (plan.copies, plan.trims, plan.started) == ((Copy(0, 1, LONG),), (), (2,))
    apply(s, plan)
    plan = s.plan(100)
    assert (plan.trims, plan.started) == ((Trim(0, 0),), (3,))


# --- what is given up -------------------------------------------------------------------------------------------


def test_an_agents_prompt_outlives_small_chats_but_not_for_ever() -> None:
    """Longest idle alone would throw 2,000 tokens away for the third "hi"."""
    s = scheduler(n_slots=2)
    agent = compute(s, Task(1, prompt(2_000)), end=True)
    n_chats = 0
    while any(seq_id == agent and tokens[:2] == (1, 2) for seq_id, tokens in s.idle_slots()):
        n_chats += 1
        compute(s, Task(1 + n_chats, prompt(100, first=10_000 * n_chats)), end=True)
    assert 15 <= n_chats <= 25


def test_a_copy_goes_over_what_is_least_missed() -> None:
    s = scheduler(n_slots=3)
    compute(s, Task(1, (*prompt(LONG), *prompt(600, first=9_000))), end=True)
    compute(s, Task(2, prompt(700, first=20_000)), end=True)
    small = compute(s, Task(3, prompt(90, first=30_000)), end=True)
    plan = submitted(s, 4, (*prompt(LONG), 5_000))
    assert plan.copies == (Copy(0, small, LONG),)


def test_what_the_task_keeps_of_a_slot_is_not_lost() -> None:
    """1,600 tokens of which it uses 1,000 are less missed than 1,500 of somebody else's."""
    s = scheduler()
    compute(s, Task(1, (*prompt(LONG), *prompt(600, first=9_000))), end=True)
    compute(s, Task(2, prompt(1_500, first=20_000)), end=True)
    plan = submitted(s, 3, (*prompt(LONG), 5_000))
    assert (plan.copies, plan.trims) == ((), (Trim(0, LONG),))


# --- files --------------------------------------------------------------------------------------------------------


def test_a_file_is_restored_into_an_empty_slot() -> None:
    s = scheduler(file=Stored("a", 600, 500))
    plan = submitted(s, 1, prompt(501))
    assert plan.restores == (Restore(0, "a", 500),)
    assert plan.chunks == (Chunk(0, 500, (501,), 1),)
    assert cached(s, plan) == [500]


def test_a_file_with_the_whole_prompt_leaves_one_token() -> None:
    assert submitted(scheduler(file=Stored("a", 600, 500)), 1, prompt(500)).restores == (Restore(0, "a", 499),)


@pytest.mark.parametrize(("more", "restored"), [(RESTORE_MIN_TOKENS - 1, False), (RESTORE_MIN_TOKENS, True)])
def test_a_file_must_beat_slot_and_copy(more: int, restored: bool) -> None:
    for end in (False, True):  # a copy, the slot itself
        s = scheduler(file=Stored("a", LONG, 300 + more))
        compute(s, Task(1, prompt(300)), end=end)
        plan = submitted(s, 2, prompt(LONG))
        assert plan.restores == ((Restore(1, "a", 300 + more),) if restored else ())
        assert plan.copies == (() if restored or end else (Copy(0, 1, 300),))


def test_a_long_file_is_not_read_for_a_short_beginning() -> None:
    assert submitted(scheduler(file=Stored("a", 4_000, 100)), 1, prompt(500)).restores == ()


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_refused_copy_is_not_tried_again() -> None:
    """Neither is a file: whatever was wrong, computing is sure to work."""
    s = scheduler()
    compute(s, Task(1, prompt(LONG)))
    s.submit(Task(2, (*prompt(LONG), 5)))
    assert s.plan(5_000).copies
    s.refused(1)
    plan = s.plan(5_000)
    assert plan == Plan(
        (Trim(1, 0),), (Chunk(0, LONG, (99,), 1), Chunk(1, 0, (*prompt(LONG), 5), 1)), started=()
    )
    assert cached(s, plan) == [0, 0]


def test_a_refused_restore_is_not_tried_again() -> None:
    s = scheduler(file=Stored("a", 500, 500))
    assert submitted(s, 1, prompt(600)).restores
    s.refused(0)
    plan = s.plan(600)
    assert (plan.restores, plan.trims) == ((), (Trim(0, 0),))
    assert cached(s, plan) == [0]


@pytest.mark.parametrize("file", [None, Stored("a", LONG, LONG)])
def test_who_was_refused_once_computes_all_itself_also_at_another_seat(file: Stored | None) -> None:
    """Parked, and seated again beside a slot, or with a file, that has all of its prompt."""
    s = scheduler(n_slots=3, file=file)
    compute(s, Task(1, prompt(LONG)))
    compute(s, Task(4, (7,)))
    s.submit(Task(2, (*prompt(LONG), 5)))
    assert s.plan(5_000).copies
    s.refused(2)
    apply(s, s.plan(5_000))
    assert s.no_kv_slot(s.plan(5_000)) == []
    assert (s.seq_of(2), s.n_waiting) == (None, 1)
    s.cancel(4)
    plan = s.plan(5_000)
    assert (plan.copies, plan.restores) == ((), ())
    assert (*prompt(LONG), 5, 99) in [chunk.tokens for chunk in plan.chunks]


def test_the_other_moves_of_a_refused_plan_come_again() -> None:
    """So it does not matter whether the caller stopped at the one that was refused."""
    s = scheduler(n_slots=4)
    compute(s, Task(1, prompt(LONG)))
    compute(s, Task(2, prompt(50, first=20_000)), end=True)
    s.submit(Task(3, (*prompt(49, first=20_000), 7)))
    s.submit(Task(4, (*prompt(LONG), 5_000)))
    s.submit(Task(5, (*prompt(LONG), 6_000)))
    plan = s.plan(100)
    assert (plan.copies, plan.trims) == ((Copy(0, 2, LONG), Copy(0, 3, LONG)), (Trim(1, 49),))
    s.refused(2)
    plan = s.plan(5_000)
    assert (plan.copies, plan.started) == ((Copy(0, 3, LONG),), ())
    assert set(plan.trims) == {Trim(1, 49), Trim(2, 0)}
    assert sorted(cached(s, plan)) == [0, 0, 49, LONG]
    plan = s.plan(5_000)
    assert (plan.copies, plan.trims) == ((), ())


def test_who_left_before_a_copy_came_again_leaves_what_the_next_one_needs() -> None:
    """One move for the sequence, not a copy and a trim behind it."""
    s = scheduler(n_slots=3)
    compute(s, Task(1, prompt(LONG)))
    for n in (2, 3):
        s.submit(Task(n, (*prompt(LONG), 5_000 + n)))
    s.plan(5_000)
    s.refused(2)
    s.cancel(2)
    plan = submitted(s, 4, (*prompt(600), 7))
    assert (plan.copies, plan.trims) == ((Copy(0, 1, 600),), (Trim(2, 0),))


def test_who_left_before_a_restore_came_again_leaves_what_the_next_one_needs() -> None:
    s = scheduler(file=Stored("a", LONG, LONG))
    for n in (1, 2):
        s.submit(Task(n, (*prompt(LONG), 5_000 + n)))
    assert len(s.plan(5_000).restores) == 2
    s.refused(1)
    s.cancel(1)
    plan = submitted(s, 3, prompt(600))
    assert (plan.restores, plan.trims) == ((Restore(0, "a", 599),), (Trim(1, 0),))


def test_a_refused_source_takes_its_copies_along() -> None:
    """Slot 0 is to be emptied; a copy that is asked for again could come too late."""
    s = scheduler()
    compute(s, Task(1, prompt(LONG)), end=True)
    s.submit(Task(2, (*prompt(LONG - 10), 5_000)))
    s.submit(Task(3, (*prompt(LONG - 10), 6_000)))
    plan = s.plan(5_000)
    assert plan.copies == (Copy(0, 1, LONG - 10),)
    assert plan.trims == (Trim(0, LONG - 10),)
    s.refused(0)
    plan = s.plan(5_000)
    assert (plan.copies, set(plan.trims)) == ((), {Trim(0, 0), Trim(1, 0)})
    assert cached(s, plan) == [0, 0]


# --- what idle slots hold -------------------------------------------------------------------------------------------


def test_idle_slots_and_forget() -> None:
    s = scheduler(n_slots=3)
    compute(s, Task(1, prompt(5)), end=True)
    compute(s, Task(2, prompt(7, first=50)))
    assert s.idle_slots() == [(0, prompt(5))]
    s.forget(1)  # in use: stays
    s.forget(0)
    assert s.idle_slots() == []
    assert s.plan(8) == Plan((Trim(0, 0),), (Chunk(1, 7, (99,), 1),), started=())


def test_seats_can_be_asked_for_both_ways() -> None:
    s = scheduler()
    seq_id = compute(s, Task(5, prompt(3)))
    assert (s.seq_of(5), s.task_of(seq_id), s.seq_of(6), s.task_of(1 - seq_id)) == (seq_id, 5, None, None)
