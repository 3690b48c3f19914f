"""Who goes into the next batch: driven by hand, no model, no clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.engines.llama.scheduler import Chunk, OutOfRoom, Plan, Scheduler, Trim
from adapter.engines.llama.slots import Task


def scheduler(n_slots: int = 2, max_waiting: int = 4) -> Scheduler:
    return Scheduler(n_slots=n_slots, max_waiting=max_waiting)


def prompt(length: int, first: int = 1) -> tuple[int, ...]:
    return tuple(range(first, first + length))


def apply(s: Scheduler, plan: Plan, token: int = 99) -> list[int]:
    """Report the plan as done, `token` chosen everywhere; return whose answers grew."""
    sampled = {chunk.seq_id: token for chunk in plan.chunks if chunk.sample}
    return [event.task_id for event in s.applied(plan, sampled)]


def widths(plan: Plan) -> dict[int, int]:
    return {chunk.seq_id: len(chunk.tokens) for chunk in plan.chunks}


def test_one_task_from_prompt_to_second_token() -> None:
    """The prompt in one chunk, then one row a step, each at its position."""
    s = scheduler()
    assert s.submit(Task(1, prompt(3)))
    plan = s.plan(8)
    assert plan == Plan(trims=(), chunks=(Chunk(0, 0, (1, 2, 3), sample=True),), started=(1,))
    assert apply(s, plan, token=50) == [1]
    plan = s.plan(8)
    assert plan == Plan(trims=(), chunks=(Chunk(0, 3, (50,), sample=True),), started=())
    apply(s, plan, token=51)
    assert s.plan(8).chunks == (Chunk(0, 4, (51,), sample=True),)


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
    assert plan.chunks == (Chunk(0, 0, (70, 71), sample=True),)


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
    assert s.plan(8).chunks == (Chunk(0, 3, (4, 5), sample=True),)


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
    assert plan.chunks == (Chunk(0, 10, (60, 61), sample=True),)
    assert [e.cached_tokens for e in s.applied(plan, {0: 62})] == [10]


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
    assert s.plan(200).chunks == (Chunk(0, 100, (7,), sample=True),)


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
    s.trim_refused(0)
    plan = s.plan(20)
    assert plan == Plan((Trim(0, 0),), (Chunk(0, 0, (1, 2, 3, 4, 70, 71), sample=True),), started=())
    assert [e.cached_tokens for e in s.applied(plan, {0: 1})] == [0]


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


# --- everything at once -----------------------------------------------------------------------------------------


@dataclass
class CacheModel:
    """Believes nothing: keeps its own copy of what each sequence holds and checks every chunk against it."""

    cells: int
    held: dict[int, list[int]] = field(default_factory=dict)

    def trim(self, trims: Sequence[Trim]) -> None:
        for trim in trims:
            assert len(self.held.get(trim.seq_id, [])) >= trim.keep
            self.held[trim.seq_id] = self.held.get(trim.seq_id, [])[: trim.keep]

    def decode(self, chunks: Sequence[Chunk]) -> bool:
        if sum(map(len, self.held.values())) + sum(len(c.tokens) for c in chunks) > self.cells:
            return False
        for chunk in chunks:
            sequence = self.held.setdefault(chunk.seq_id, [])
            assert len(sequence) == chunk.pos
            sequence.extend(chunk.tokens)
        return True


def next_token(sequence: Sequence[int]) -> int:
    """A "model" whose next token depends on the whole sequence, so that any mix-up shows."""
    return hash(tuple(sequence)) % 5 + 1


def alone(task: Task, length: int) -> list[int]:
    tokens = list(task.prompt)
    while len(tokens) < len(task.prompt) + length:
        tokens.append(next_token(tokens))
    return tokens[len(task.prompt) :]


def test_random_load_gives_every_task_the_answer_it_gets_alone() -> None:
    """Chunking, reuse, parking and cancelling never change an answer, and nothing stands still."""
    for seed in range(60):
        rng = random.Random(seed)
        n_slots = rng.randint(1, 4)
        s = Scheduler(n_slots=n_slots, max_waiting=100)
        cache = CacheModel(cells=rng.choice((60, 90, 1_000)))
        tasks = {n: Task(n, tuple(rng.choices((1, 2), k=rng.randint(1, 30)))) for n in range(12)}
        lengths = {n: rng.randint(1, 20) for n in tasks}
        answers: dict[int, list[int]] = {n: [] for n in tasks}
        unfinished, unsent = set(tasks), list(tasks)
        for _ in range(3_000):
            if unsent and rng.random() < 0.3:
                assert s.submit(tasks[unsent.pop(0)])
            if rng.random() < 0.01 and unfinished - set(unsent):
                victim = rng.choice(sorted(unfinished - set(unsent)))
                s.cancel(victim)
                unfinished.remove(victim)
            room = rng.randint(n_slots, 16)
            plan = s.plan(room)
            assert sum(len(c.tokens) for c in plan.chunks) <= room
            refused = [t.seq_id for t in plan.trims if t.keep and rng.random() < 0.2]
            cache.trim([t for t in plan.trims if t.seq_id not in refused])
            for seq_id in refused:
                s.trim_refused(seq_id)
            if refused:
                continue
            if not cache.decode(plan.chunks):
                assert s.no_kv_slot(plan) == []
                continue
            sampled = {c.seq_id: next_token(cache.held[c.seq_id]) for c in plan.chunks if c.sample}
            for event in s.applied(plan, sampled):
                answers[event.task_id].append(event.token)
                if len(answers[event.task_id]) == lengths[event.task_id]:
                    s.cancel(event.task_id)
                    unfinished.remove(event.task_id)
            if not unfinished:
                break
        assert not unfinished, f"seed {seed}: {unfinished} never ended"
        for n, task in tasks.items():
            assert answers[n] == alone(task, lengths[n])[: len(answers[n])]
