"""What comes of several sampled rows: drafts that hold or do not, text that is forced, rows nobody answered for."""

from __future__ import annotations

import pytest

from adapter.engines.llama.scheduler import Chunk, Outcome, Plan, Sampled, Scheduler, Trim
from adapter.engines.llama.slots import Task
from tests.unit.scheduling import apply, prompt, widths


def answering(n_slots: int = 1) -> Scheduler:
    """Tasks 1, 2 ... have the prompt 1, 2, 3 in all slots, and 99 as their first token, not yet decoded."""
    s = Scheduler(n_slots=n_slots, max_waiting=4)
    for n in range(n_slots):
        s.submit(Task(n + 1, prompt(3)))
    assert len(apply(s, s.plan(100))) == n_slots
    return s


def test_a_draft_rides_behind_the_row() -> None:
    s = answering()
    s.draft(1, (10, 11))
    assert s.plan(8).chunks == (Chunk(0, 3, (99, 10, 11), samples=3),)


@pytest.mark.parametrize(
    ("outcome", "trims", "chunk"),
    [
        # Nothing of the draft holds.
        (Outcome((20,)), (Trim(0, 4),), Chunk(0, 4, (20,), samples=1)),
        # The first does; the row behind it is sampled as well.
        (Outcome((10, 20), rows=2), (Trim(0, 5),), Chunk(0, 5, (20,), samples=1)),
        # All do.
        (Outcome((10, 11, 20), rows=3), (), Chunk(0, 6, (20,), samples=1)),
        # Text is forced after the first; it is decoded in one go.
        (Outcome((10, 30, 31, 32), rows=2), (Trim(0, 5),), Chunk(0, 5, (30, 31, 32), samples=1)),
        # Forced instead of what the draft says.
        (Outcome((30, 31)), (Trim(0, 4),), Chunk(0, 4, (30, 31), samples=1)),
        # More rows than the tokens bear out: the KV of the second draft is not that of 20.
        (Outcome((10, 20), rows=3), (Trim(0, 5),), Chunk(0, 5, (20,), samples=1)),
        (Outcome((20, 11, 21), rows=3), (Trim(0, 4),), Chunk(0, 4, (20, 11, 21), samples=1)),
        # Fewer rows than could count are no harm.
        (Outcome((10, 11, 20), rows=1), (Trim(0, 4),), Chunk(0, 4, (10, 11, 20), samples=1)),
        # All drafts hold and nothing was chosen behind them: the last one is decoded again, for its logits.
        (Outcome((10, 11), rows=3), (Trim(0, 5),), Chunk(0, 5, (11,), samples=1)),
        # Nothing was chosen at all.
        (Outcome(()), (Trim(0, 3),), Chunk(0, 3, (99,), samples=1)),
    ],
)
def test_what_becomes_of_a_draft(outcome: Outcome, trims: tuple[Trim, ...], chunk: Chunk) -> None:
    """What was rejected leaves the cache, what was accepted is not decoded again."""
    s = answering()
    s.draft(1, (10, 11))
    events = s.applied(s.plan(8), {0: outcome})
    assert events == ([Sampled(1, outcome.tokens, cached_tokens=0)] if outcome.tokens else [])
    assert s.plan(8) == Plan(trims, (chunk,), started=())


def test_a_draft_is_forgotten_after_one_plan() -> None:
    s = answering()
    s.draft(1, (10, 11))
    s.plan(8)
    s.refused(0)  # say: its trim
    apply(s, s.plan(8))
    assert widths(s.plan(8)) == {0: 1}


def test_drafts_share_what_the_rows_leave() -> None:
    """Every answer has its row before anybody's guess has one."""
    s = answering(n_slots=3)
    s.draft(1, (10, 11, 12, 13))
    s.draft(2, (20,))
    s.draft(3, (30, 31, 32))
    assert widths(s.plan(8)) == {0: 3, 1: 2, 2: 3}
    s.draft(1, (10, 11))
    assert widths(s.plan(3)) == {0: 1, 1: 1, 2: 1}


def test_no_draft_beside_a_prompt() -> None:
    s = answering(n_slots=2)
    s.cancel(2)
    s.submit(Task(3, prompt(20, first=50)))
    s.draft(1, (10, 11))
    assert widths(s.plan(64)) == {0: 1, 1: 20}


def test_no_draft_for_unknown_waiting_or_unfinished_tasks() -> None:
    s = Scheduler(n_slots=1, max_waiting=4)
    s.submit(Task(1, prompt(10)))
    for task_id in (1, 77):
        s.draft(task_id, (5, 6))
    assert s.plan(64).chunks == (Chunk(0, 0, prompt(10), samples=1),)


def test_no_draft_behind_forced_text() -> None:
    """A guess is about what comes after one row."""
    s = answering()
    s.applied(s.plan(8), {0: Outcome((30, 31))})
    s.draft(1, (10, 11))
    assert s.plan(8).chunks == (Chunk(0, 4, (30, 31), samples=1),)


def test_no_draft_while_the_cache_is_short_of_room() -> None:
    s = answering(n_slots=2)
    s.draft(1, (10, 11, 12))
    s.draft(2, (10, 11, 12))
    assert s.no_kv_slot(s.plan(64)) == []
    s.draft(1, (10, 11, 12))
    assert widths(s.plan(64)) == {0: 1, 1: 1}


def test_an_answer_that_ends_in_its_drafts_leaves_what_is_right() -> None:
    """The next turn reuses the accepted part only."""
    s = answering()
    s.draft(1, (10, 11))
    s.applied(s.plan(8), {0: Outcome((10, 20), rows=2)})
    s.cancel(1)
    assert s.idle_slots() == [(0, (1, 2, 3, 99, 10))]
    s.submit(Task(2, (1, 2, 3, 99, 10, 11, 12)))
    assert s.plan(8) == Plan((Trim(0, 5),), (Chunk(0, 5, (11, 12), samples=1),), started=(2,))


def test_a_task_that_leaves_while_its_drafts_are_decoded() -> None:
    """All of the chunk is in the cache then, whoever it is good for."""
    s = answering()
    s.draft(1, (10, 11))
    plan = s.plan(8)
    s.cancel(1)
    assert s.applied(plan, {}) == []
    assert s.idle_slots() == [(0, (1, 2, 3, 99, 10, 11))]


def test_forced_text_goes_before_prompts_but_not_before_rows() -> None:
    s = answering(n_slots=3)
    s.cancel(3)
    plan = s.plan(8)
    s.applied(plan, {0: Outcome((30, 31, 32, 33, 34)), 1: Outcome((20,))})
    s.submit(Task(4, prompt(50, first=50)))
    plan = s.plan(5)  # one for the row, all that is left for the text
    assert widths(plan) == {0: 4, 1: 1}
    assert {c.seq_id: c.samples for c in plan.chunks} == {0: 0, 1: 1}
    assert apply(s, plan) == [2]
    assert widths(s.plan(5)) == {0: 1, 1: 1, 2: 3}


def test_a_sequence_nobody_answered_for() -> None:
    """It counts as decoded; a task that stays all the same goes on with its last row, so it never hangs."""
    s = answering()
    assert s.applied(s.plan(8), {}) == []
    assert s.plan(8) == Plan((Trim(0, 3),), (Chunk(0, 3, (99,), samples=1),), started=())


def test_a_refused_trim_of_drafts_computes_the_answer_so_far_again() -> None:
    s = answering()
    s.draft(1, (10, 11))
    s.applied(s.plan(8), {0: Outcome((20,))})
    s.plan(8)
    s.refused(0)
    assert s.plan(8) == Plan((Trim(0, 0),), (Chunk(0, 0, (1, 2, 3, 99, 20), samples=1),), started=())


def test_what_is_computed_again_shares_with_prompts() -> None:
    """It is no forced text, which would go first."""
    s = answering(n_slots=2)
    s.cancel(2)
    s.applied(s.plan(8), {0: Outcome(prompt(100, first=200))})
    s.submit(Task(3, prompt(50, first=900)))
    s.plan(20)
    s.refused(0)
    assert widths(s.plan(20)) == {0: 10, 1: 10}
