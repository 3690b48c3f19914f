"""Who goes into the next batch: driven by hand, no model, no clock."""

from __future__ import annotations

from adapter.engines.llama.scheduler import Chunk, Outcome, OutOfRoom, Plan, Scheduler, Trim
from adapter.engines.llama.slots import Task
from tests.unit.scheduling import apply, prompt, widths


def scheduler(n_slots: int = 2, max_waiting: int = 4) -> Scheduler:
    return Scheduler(n_slots=n_slots, max_waiting=max_waiting)


def test_one_task_from_prompt_to_second_token() -> None:
    """The prompt in one chunk, then one row a step, each at its position."""
    s = scheduler()
    assert s.submit(Task(1, prompt(3)))
    plan = s.plan(8)
    assert plan == Plan(trims=(), chunks=(Chunk(0, 0, (1, 2, 3), samples=1),), started=(1,))
    assert apply(s, plan, token=50) == [1]
    plan = s.plan(8)
    assert plan == Plan(trims=(), chunks=(Chunk(0, 3, (50,), samples=1),), started=())
    apply(s, plan, token=51)
    assert s.plan(8).chunks == (Chunk(0, 4, (51,), samples=1),)


def test_nothing_to_do() -> None:
    assert scheduler().plan(8) == Plan((), (), ())


def test_long_prompt_is_chunked_behind_decode_rows() -> None:
    """A running answer gets its token in every batch while a long prompt moves along."""
    s = scheduler()
    s.submit(Task(1, prompt(2)))
    apply(s, s.plan(8))
    s.submit(Task(2, prompt(20)))
    sizes = []
    while True:
        plan = s.plan(8)
        assert plan.chunks[0].seq_id == 0 and len(plan.chunks[0].tokens) == 1
        sizes.append(len(plan.chunks[1].tokens))
        grown = apply(s, plan)
        assert 1 in grown
        if 2 in grown:
            break
    assert sizes == [7, 7, 6]


def test_second_request_starts_while_the_first_runs() -> None:
    """No waiting for the end of another answer when a slot is free."""
    s = scheduler()
    s.submit(Task(1, prompt(2)))
    apply(s, s.plan(8))
    s.submit(Task(2, prompt(2)))
    plan = s.plan(8)
    assert plan.started == (2,)
    assert apply(s, plan) == [1, 2]


def test_room_is_shared_among_prompts_short_ones_first() -> None:
    """A short prompt beside a long one is through in one batch, and the long one takes what is left."""
    s = scheduler(n_slots=3)
    s.submit(Task(1, prompt(100)))
    s.submit(Task(2, prompt(4, first=200)))
    s.submit(Task(3, prompt(50, first=300)))
    plan = s.plan(24)
    assert widths(plan) == {1: 4, 2: 10, 0: 10}
    assert apply(s, plan) == [2]


def test_waiting_is_first_come_first_served_and_bounded() -> None:
    s = scheduler(n_slots=1, max_waiting=2)
    assert [s.submit(Task(n, prompt(2, first=10 * n))) for n in (1, 2, 3, 4)] == [True, True, True, False]
    order: list[int] = []
    for _ in range(3):
        plan = s.plan(8)
        order += plan.started
        apply(s, plan)
        s.cancel(order[-1])
    assert order == [1, 2, 3]


def test_cancel_frees_the_slot_at_the_next_step() -> None:
    s = scheduler(n_slots=1)
    s.submit(Task(1, prompt(50)))
    s.submit(Task(2, prompt(2, first=70)))
    apply(s, s.plan(8))  # in the middle of its prompt
    s.cancel(1)
    plan = s.plan(8)
    assert plan.started == (2,)
    assert plan.trims == (Trim(0, 0),)
    assert plan.chunks == (Chunk(0, 0, (70, 71), samples=1),)


def test_cancel_while_waiting_and_unknown() -> None:
    s = scheduler(n_slots=1)
    for n in (1, 2, 3):
        s.submit(Task(n, prompt(2)))
    s.plan(8)
    s.cancel(2)
    s.cancel(77)
    assert (s.n_running, s.n_waiting) == (1, 1)


def test_cancel_between_plan_and_applied_is_no_event() -> None:
    s = scheduler()
    s.submit(Task(1, prompt(3)))
    plan = s.plan(8)
    s.cancel(1)
    assert apply(s, plan) == []
    s.submit(Task(2, prompt(5)))  # the cache holds 1, 2, 3 all the same
    assert s.plan(8).chunks == (Chunk(0, 3, (4, 5), samples=1),)


# --- prefix reuse ---------------------------------------------------------------------------------------------


def test_same_beginning_is_not_computed_again() -> None:
    """The next turn of a conversation goes to the slot that holds the last one; the rest is trimmed."""
    s = scheduler()
    s.submit(Task(1, prompt(10)))
    apply(s, s.plan(20), token=50)
    apply(s, s.plan(20), token=51)  # 50 is in the cache now, 51 is not
    s.cancel(1)
    s.submit(Task(2, (*prompt(10), 60, 61)))
    plan = s.plan(20)
    assert plan.trims == (Trim(0, 10),)
    assert plan.chunks == (Chunk(0, 10, (60, 61), samples=1),)
    assert [e.cached_tokens for e in s.applied(plan, {0: Outcome((62,))})] == [10]


def test_a_few_common_tokens_do_not_cost_a_long_prefix() -> None:
    """Every ChatML prompt begins alike; that is no reason to overwrite an agent's prompt."""
    s = scheduler()
    s.submit(Task(1, prompt(100)))
    apply(s, s.plan(200))
    s.cancel(1)
    s.submit(Task(2, (1, 2, 3, 900, 901)))
    assert s.plan(200).chunks[0].seq_id == 1
    s.cancel(2)
    s.submit(Task(3, (*prompt(100), 7)))
    assert s.plan(200).chunks == (Chunk(0, 100, (7,), samples=1),)


def test_oldest_idle_slot_goes_first_when_nothing_fits() -> None:
    s = scheduler()
    for n in (1, 2):
        s.submit(Task(n, prompt(5, first=10 * n)))
    apply(s, s.plan(20))
    for n in (2, 1):
        s.cancel(n)
        s.plan(20)
    s.submit(Task(3, (5, 6)))
    plan = s.plan(20)
    assert plan.chunks[0].seq_id == 1
    assert plan.trims == (Trim(1, 0),)


def test_refused_trim_computes_everything_again() -> None:
    """A recurrent or sliding-window model cannot forget a part; then nothing counts as cached."""
    s = scheduler(n_slots=1)
    s.submit(Task(1, prompt(6)))
    apply(s, s.plan(20))
    s.cancel(1)
    s.submit(Task(2, (*prompt(4), 70, 71)))
    assert s.plan(20).trims == (Trim(0, 4),)
    s.refused(0)
    plan = s.plan(20)
    assert plan == Plan((Trim(0, 0),), (Chunk(0, 0, (1, 2, 3, 4, 70, 71), samples=1),), started=())
    assert [e.cached_tokens for e in s.applied(plan, {0: Outcome((1,))})] == [0]


# --- a KV cache without room ----------------------------------------------------------------------------------


def test_no_room_first_forgets_idle_slots() -> None:
    s = scheduler()
    s.submit(Task(1, prompt(4)))
    apply(s, s.plan(8))
    s.cancel(1)
    s.submit(Task(2, prompt(9, first=50)))
    plan = s.plan(20)
    assert plan.chunks[0].seq_id == 1
    assert s.no_kv_slot(plan) == []
    plan = s.plan(20)
    assert plan.trims == (Trim(0, 0),)
    assert widths(plan) == {1: 9}


def test_no_room_then_halves_the_batch_and_grows_it_again() -> None:
    s = scheduler()
    s.submit(Task(1, prompt(40)))
    assert s.no_kv_slot(s.plan(16)) == []
    sizes = []
    while True:
        plan = s.plan(16)
        sizes.append(len(plan.chunks[0].tokens))
        if apply(s, plan):
            break
    assert sizes == [8, 16, 16]


def test_no_room_then_parks_the_youngest_which_carries_on_later() -> None:
    """The older answer goes on; the younger one's tokens are computed again once there is room, none are lost."""
    s = scheduler()
    s.submit(Task(1, prompt(2)))
    apply(s, s.plan(8))
    s.submit(Task(2, prompt(2, first=20)))
    apply(s, s.plan(8), token=90)
    apply(s, s.plan(8), token=91)
    s.submit(Task(3, prompt(2, first=30)))
    assert s.no_kv_slot(s.plan(8)) == []
    plan = s.plan(8)
    assert plan.trims == (Trim(1, 0),)
    assert widths(plan) == {0: 1}  # nobody is seated while the cache is full, task 3 neither
    assert apply(s, plan) == [1]
    s.cancel(1)
    plan = s.plan(16)
    assert plan.started == (3,)  # task 2 had its start already, and sits first
    resumed = next(c for c in plan.chunks if c.tokens[0] == 20)
    assert resumed.tokens == (20, 21, 90, 91)


def test_alone_and_no_room_is_said() -> None:
    """Never silently: the only answer left, and the cache cannot take one more token of it."""
    s = scheduler(n_slots=1)
    s.submit(Task(1, prompt(2)))
    apply(s, s.plan(8))
    assert s.no_kv_slot(s.plan(8)) == [OutOfRoom(1)]
    s.submit(Task(2, prompt(2)))
    assert s.plan(8).started == (2,)
