"""Whose turn it is: followers of a task, background tasks, a phone under pressure."""

from __future__ import annotations

import pytest

from adapter.engines.llama.schedule_rows import BACKGROUND_BESIDE_TOKENS
from adapter.engines.llama.scheduler import Chunk, Copy, OutOfRoom, Scheduler
from adapter.engines.llama.slots import Task
from tests.unit.scheduling import apply, compute, prompt, widths

LONG = 1_000


def scheduler(n_slots: int = 2, max_waiting: int = 4) -> Scheduler:
    return Scheduler(n_slots=n_slots, max_waiting=max_waiting)


def background(task_id: int, tokens: tuple[int, ...]) -> Task:
    return Task(task_id, tokens, background=True)


# --- followers ----------------------------------------------------------------------------------------------------


def test_followers_sit_once_the_prompt_is_there() -> None:
    """n = 4: one prompt is computed, three are copied; somebody else passes meanwhile."""
    s = scheduler(n_slots=5)
    s.submit(Task(1, prompt(LONG)))
    for n in (2, 3, 4):
        assert s.submit(Task(n, prompt(LONG), after=1))
    s.submit(Task(5, (7, 8)))
    plan = s.plan(600)
    assert plan.started == (1, 5)
    apply(s, plan)
    plan = s.plan(600)
    assert plan.started == ()
    assert 1 in apply(s, plan)
    plan = s.plan(600)
    assert plan.started == (2, 3, 4)
    assert plan.copies == tuple(Copy(0, seq_id, LONG - 1) for seq_id in (2, 3, 4))


def test_eight_answers_over_four_slots_compute_the_prompt_once() -> None:
    """Those that come later find the prompt in the slots that fall free."""
    s = scheduler(n_slots=4, max_waiting=0)
    s.submit(Task(1, prompt(LONG)))
    for n in range(2, 9):
        assert s.submit(Task(n, prompt(LONG), after=1))
    ended: list[int] = []
    computed = done = 0
    while len(ended) < 8:
        plan = s.plan(512)
        computed += sum(len(c.tokens) for c in plan.chunks)
        done += len(apply(s, plan))
        if done >= 20:
            first = next(n for n in range(1, 9) if s.seq_of(n) is not None)
            s.cancel(first)
            ended.append(first)
    assert ended == [1, 2, 3, 4, 5, 6, 7, 8]
    assert computed < LONG + 100


def test_followers_do_not_count_against_the_queue() -> None:
    s = scheduler(n_slots=1, max_waiting=1)
    assert s.submit(Task(1, prompt(3)))
    s.plan(8)
    assert all(s.submit(Task(n, prompt(3), after=1)) for n in (2, 3, 4))
    assert s.submit(Task(5, prompt(3)))
    assert not s.submit(Task(6, prompt(3)))
    assert (s.n_running, s.n_waiting) == (1, 4)


def test_followers_of_a_leader_that_left_compute_the_prompt_once() -> None:
    """The first of them takes its part."""
    s = scheduler(n_slots=3)
    for n, after in ((1, None), (2, 1), (3, 1)):
        s.submit(Task(n, prompt(LONG), after=after))
    assert s.plan(200).started == (1,)
    s.cancel(1)
    plan = s.plan(100)
    assert (plan.started, len(plan.chunks)) == ((2,), 1)
    for _ in range(50):
        if plan.started == (3,):
            break
        apply(s, plan)
        plan = s.plan(100)
    assert plan.copies == (Copy(1, 2, LONG - 1),)


def test_a_leader_without_room_lets_its_followers_go() -> None:
    s = scheduler(n_slots=1)
    s.submit(Task(1, (5,)))
    s.submit(Task(2, (5,), after=1))
    assert s.no_kv_slot(s.plan(8)) == [OutOfRoom(1)]
    assert s.plan(8).started == (2,)


# --- prompts that begin alike and come together --------------------------------------------------------------------


def test_the_same_long_beginning_is_computed_once() -> None:
    """Three helpers of one agent at the same time: the second and third wait for the first's system prompt."""
    s = scheduler(n_slots=4)
    for n in (1, 2, 3):
        s.submit(Task(n, (*prompt(LONG), *prompt(50, first=5_000 * n))))
    s.submit(Task(4, prompt(10, first=50_000)))
    plan = s.plan(512)
    assert plan.started == (1, 4)  # somebody else does not wait for it
    apply(s, plan)
    plan = s.plan(512)
    assert plan.started == ()
    apply(s, plan)
    plan = s.plan(512)
    assert plan.started == (2, 3)
    assert [copy.keep for copy in plan.copies] == [LONG, LONG]


def test_a_short_common_beginning_makes_nobody_wait() -> None:
    s = scheduler()
    for n in (1, 2):
        s.submit(Task(n, (*prompt(100), 5_000 * n)))
    assert s.plan(512).started == (1, 2)


def test_who_waits_for_a_prompt_that_is_cancelled_takes_what_there_is() -> None:
    s = scheduler()
    for n in (1, 2):
        s.submit(Task(n, (*prompt(LONG), 5_000 * n)))
    apply(s, s.plan(300))
    s.cancel(1)
    plan = s.plan(300)
    assert plan.started == (2,)
    assert plan.chunks[0].pos == 300


# --- background ---------------------------------------------------------------------------------------------------


def test_a_background_task_waits_for_everybody() -> None:
    s = scheduler(n_slots=1)
    s.submit(background(1, prompt(5)))
    s.submit(Task(2, prompt(5, first=50)))
    assert s.plan(8).started == (2,)
    s.cancel(2)
    assert s.plan(8).started == (1,)


def test_a_background_task_needs_no_place_in_the_queue() -> None:
    s = scheduler(n_slots=1, max_waiting=0)
    assert s.submit(background(1, prompt(5)))
    s.plan(8)
    assert s.submit(background(2, prompt(5)))
    assert s.submit(Task(3, prompt(5)))  # its seat is as good as free
    assert not s.submit(Task(4, prompt(5)))


def test_a_background_task_waits_for_followers_too() -> None:
    s = scheduler(n_slots=3)
    s.submit(Task(1, prompt(20)))
    s.submit(Task(2, prompt(20), after=1))
    s.submit(background(3, prompt(5, first=50)))
    started = []
    for _ in range(5):
        plan = s.plan(8)
        started.append(plan.started)
        apply(s, plan)
    assert started == [(1,), (), (), (2, 3), ()]


def test_one_background_task_at_a_time() -> None:
    s = scheduler(n_slots=3)
    for n in (1, 2):
        s.submit(background(n, prompt(5, first=10 * n)))
    assert s.plan(8).started == (1,)
    s.cancel(1)
    assert s.plan(8).started == (2,)


def test_a_background_prompt_gets_what_is_left() -> None:
    """All when alone; little beside somebody's tokens; nothing beside somebody's prompt."""
    s = scheduler(n_slots=2)
    s.submit(background(1, prompt(LONG)))
    plan = s.plan(256)
    assert widths(plan) == {0: 256}
    apply(s, plan)
    s.submit(Task(2, prompt(300, first=5_000)))
    for width in (256, 44):
        plan = s.plan(256)
        assert widths(plan) == {1: width}
        apply(s, plan)
    assert widths(s.plan(256)) == {1: 1, 0: BACKGROUND_BESIDE_TOKENS}


def test_a_background_task_gives_its_seat_up_and_carries_on_later() -> None:
    s = scheduler(n_slots=1)
    s.submit(background(1, prompt(LONG)))
    apply(s, s.plan(600))
    s.submit(Task(2, (*prompt(500), 5)))
    plan = s.plan(600)
    assert (plan.started, s.seq_of(1), s.n_waiting) == ((2,), None, 1)
    assert plan.chunks == (Chunk(0, 500, (5,), 1),)  # the ordinary task has the good of it
    apply(s, plan)
    s.cancel(2)
    plan = s.plan(600)
    assert plan.started == ()  # it had its start
    assert plan.chunks[0].pos == 500
    assert apply(s, plan) == [1]


def test_nobody_waits_for_a_background_prompt() -> None:
    """It makes way for prompts, so it may take long; what it has so far is copied."""
    s = scheduler(n_slots=2)
    s.submit(background(1, prompt(LONG)))
    apply(s, s.plan(300))
    s.submit(Task(2, (*prompt(LONG), 5)))
    plan = s.plan(300)
    assert (plan.started, plan.copies) == ((2,), (Copy(0, 1, 300),))


def test_a_background_task_keeps_its_seat_while_there_is_another() -> None:
    s = scheduler(n_slots=2)
    s.submit(background(1, prompt(5)))
    apply(s, s.plan(4))
    s.submit(Task(2, (1, 2, 3, 4, 9)))
    s.plan(8)
    assert (s.seq_of(1), s.seq_of(2)) == (0, 1)


def test_no_room_parks_the_background_task_before_anybody_feels_it() -> None:
    s = scheduler(n_slots=2)
    compute(s, Task(1, prompt(5)))
    s.submit(background(2, prompt(40, first=50)))
    assert s.no_kv_slot(s.plan(16)) == []
    for _ in range(3):  # and it stays away until somebody has left
        plan = s.plan(16)
        assert widths(plan) == {0: 1}
        apply(s, plan)
    s.cancel(1)
    assert widths(s.plan(100)) == {1: 40}


# --- pressure -----------------------------------------------------------------------------------------------------


def test_slow_gives_no_new_seats_and_cuts_nobody() -> None:
    s = scheduler(n_slots=3)
    for n in (1, 2, 3):
        s.submit(Task(n, prompt(3, first=10 * n)))
        if n == 2:
            s.plan(8)
    s.max_seats = 1
    plan = s.plan(16)
    assert (s.n_running, len(plan.chunks)) == (2, 2)
    s.cancel(1)
    assert s.plan(16).started == ()
    s.cancel(2)
    assert s.plan(16).started == (3,)


def test_slow_still_prefers_people_to_background() -> None:
    s = scheduler(n_slots=3)
    s.max_seats = 1
    s.submit(background(1, prompt(30)))
    s.plan(8)
    s.submit(Task(2, prompt(3, first=50)))
    plan = s.plan(8)
    assert (plan.started, s.n_running) == ((2,), 1)


def test_paused_begins_nothing_and_goes_on() -> None:
    s = scheduler()
    s.submit(Task(1, prompt(3)))
    apply(s, s.plan(8))
    s.paused = True
    s.submit(Task(2, prompt(3, first=50)))
    s.submit(background(3, prompt(3)))
    for _ in range(3):
        assert apply(s, s.plan(8)) == [1]
    s.cancel(1)
    assert s.plan(8).chunks == ()
    s.paused = False
    assert s.plan(8).started == (2, 3)


@pytest.mark.parametrize("paused", [False, True])
def test_a_parked_answer_counts_as_under_way(paused: bool) -> None:
    """Its client has been reading it; a pause does not leave it in the middle of a word."""
    s = scheduler()
    for n in (1, 2):
        compute(s, Task(n, prompt(3, first=10 * n)))
    assert s.no_kv_slot(s.plan(8)) == []
    assert (s.n_running, s.n_waiting) == (1, 1)
    s.paused = paused
    s.cancel(1)
    assert 2 in apply(s, s.plan(8))
