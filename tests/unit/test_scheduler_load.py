"""Random loads on the scheduler, against an account of the KV cache that believes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from adapter.engines.llama.scheduler import Chunk, Copy, Outcome, Plan, Restore, Scheduler, Stored, Trim
from adapter.engines.llama.slots import Task

GARBAGE = -1
BACKGROUND_IDS = 100
SEEN = ("answers", "copies", "restores", "trims", "refused", "no room", "bakes", "drafts", "forced")


@dataclass
class Shelf:
    """Files: whole sequences by key."""

    files: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def longest(self, prompt: Sequence[int]) -> Stored | None:
        def common(held: tuple[int, ...]) -> int:
            same = [a == b for a, b in zip(held, prompt, strict=False)]
            return same.index(False) if False in same else len(same)

        if not self.files:
            return None
        key = max(self.files, key=lambda key: common(self.files[key]))
        return Stored(key, len(self.files[key]), common(self.files[key]))


@dataclass
class CacheAccount:
    """Keeps its own copy of what each sequence holds and checks every move and every chunk against it."""

    cells: int
    held: dict[int, list[int]]

    def used(self) -> int:
        return sum(map(len, self.held.values()))

    def put(self, seq_id: int, tokens: Sequence[int], keep: int) -> None:
        assert len(tokens) >= keep > 0
        self.held[seq_id] = list(tokens[:keep])

    def trim(self, trim: Trim) -> None:
        assert len(self.held[trim.seq_id]) >= trim.keep
        del self.held[trim.seq_id][trim.keep :]

    def decode(self, chunks: Sequence[Chunk]) -> bool:
        for chunk in chunks:
            assert len(self.held[chunk.seq_id]) == chunk.pos
        if self.used() + sum(len(c.tokens) for c in chunks) > self.cells:
            return False
        for chunk in chunks:
            self.held[chunk.seq_id].extend(chunk.tokens)
        return True


def chosen(sequence: Sequence[int]) -> tuple[int, ...]:
    """A "model" whose next token depends on the whole sequence, so that any mix-up shows.

    After some tokens the caller forces text, as a grammar with one way to go on does.
    """
    token = hash(tuple(sequence)) % 9 + 1
    return (token, 20, 21, 22) if token == 5 else (token, *[30] * 40) if token == 6 else (token,)


def alone(task: Task, length: int) -> list[int]:
    tokens = list(task.prompt)
    while len(tokens) < len(task.prompt) + length:
        tokens.extend(chosen(tokens))
    return tokens[len(task.prompt) :][:length]


@dataclass
class Load:
    """One random load, from its seed to the last answer."""

    rng: random.Random
    n_slots: int
    cells: int
    trouble: bool  # refusals, cancels, pauses
    answers: dict[int, list[int]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    unready: set[int] = field(default_factory=set)  # a token was sampled last time: must have a row in the next batch
    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SEEN, 0))

    def __post_init__(self) -> None:
        self.shelf = Shelf()
        self.cache = CacheAccount(self.cells, {seq_id: [] for seq_id in range(self.n_slots)})
        self.s = Scheduler(
            n_slots=self.n_slots,
            max_waiting=100,
            stored=self.shelf if self.rng.random() < 0.7 else None,
            copies=self.rng.random() < 0.8,
        )
        self.tasks = self.some_tasks()
        self.lengths = {n: self.rng.randint(1, 60) for n in self.tasks}
        self.expected = {n: alone(task, self.lengths[n]) for n, task in self.tasks.items()}
        self.answers = {n: [] for n in self.tasks}
        self.unsent = list(self.tasks)
        self.bakes: set[int] = set()

    def some_tasks(self) -> dict[int, Task]:
        rng = self.rng
        bases = [tuple(rng.choices((1, 2), k=rng.choice((3, 80, 340)))) for _ in range(3)]
        tasks: dict[int, Task] = {}
        while len(tasks) < 14:
            n = len(tasks)
            prompt = rng.choice(bases) + tuple(rng.choices((1, 2), k=rng.randint(1, 40)))
            tasks[n] = Task(n, prompt)
            if rng.random() < 0.3:
                for follower in range(n + 1, n + rng.randint(2, 5)):
                    tasks[follower] = Task(follower, prompt, after=n)
        return tasks

    # --- what happens between the steps -----------------------------------------------------------------------

    def arrivals(self) -> None:
        rng, s = self.rng, self.s
        while self.unsent and (rng.random() < 0.2 or self.tasks[self.unsent[0]].after is not None):
            assert s.submit(self.tasks[self.unsent.pop(0)])
        if rng.random() < 0.02:
            bake = BACKGROUND_IDS + len(self.bakes)
            self.bakes.add(bake)
            prompt = self.tasks[rng.randrange(3)].prompt[: rng.randint(1, 400)]
            assert s.submit(Task(bake, prompt, background=True))

    def trouble_makers(self) -> None:
        rng, s = self.rng, self.s
        if rng.random() < 0.05:
            for seq_id, tokens in s.idle_slots():
                assert self.cache.held[seq_id][: len(tokens)] == list(tokens)
                self.shelf.files[str(rng.randrange(3))] = tokens
        if not self.trouble:
            return
        if rng.random() < 0.01:
            self.end(rng.choice(sorted(set(self.tasks) - set(self.unsent))), cancelled=True)
        if rng.random() < 0.02:
            s.forget(rng.randrange(self.n_slots))
        if rng.random() < 0.1:
            s.max_seats = rng.choice((None, None, 1, 2))
            s.paused = rng.random() < 0.3

    def end(self, task_id: int, *, cancelled: bool = False) -> None:
        self.s.cancel(task_id)
        self.ended.add(task_id)
        self.unready.discard(task_id)
        if not cancelled:
            self.seen["answers"] += 1

    def guesses(self) -> None:
        for task_id in self.unready:
            if self.rng.random() < 0.5 and task_id in self.expected:
                done = len(self.answers[task_id])
                draft = self.expected[task_id][done : done + self.rng.randint(1, 6)]
                if draft and self.rng.random() < 0.5:
                    draft[self.rng.randrange(len(draft))] = 3
                self.s.draft(task_id, draft)

    # --- a step -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        room = self.rng.randint(self.n_slots, 64)
        self.guesses()
        before = self.s.n_running
        plan = self.s.plan(room)
        self.check(plan, room, before)
        if not self.moved(plan):
            self.unready.clear()
            return
        if not self.cache.decode(plan.chunks):
            assert self.s.no_kv_slot(plan) == []
            self.seen["no room"] += 1
            self.unready.clear()
            return
        outcomes = {c.seq_id: self.outcome(c) for c in plan.chunks if c.samples}
        if self.trouble and outcomes and self.rng.random() < 0.01:
            lost = self.rng.choice(sorted(outcomes))  # failed or left while the batch was computed
            task_id = self.s.task_of(lost)
            assert task_id is not None
            self.end(task_id, cancelled=True)
            if self.rng.random() < 0.5:
                del outcomes[lost]
        self.take(plan, outcomes)

    def check(self, plan: Plan, room: int, before: int) -> None:
        s = self.s
        assert sum(len(c.tokens) for c in plan.chunks) <= room
        seqs = [c.seq_id for c in plan.chunks]
        assert len(seqs) == len(set(seqs))
        assert s.n_running <= max(before, s.max_seats or self.n_slots)
        assert not (s.paused and plan.started)
        for task_id in plan.started:
            leader = self.tasks[task_id].after if task_id in self.tasks else None
            assert leader is None or self.answers[leader] or leader in self.ended
        if self.cells > 10_000:
            assert self.unready <= {s.task_of(seq_id) for seq_id in seqs}
        kinds = [(s.task_of(c.seq_id), c) for c in plan.chunks]
        prompts = {n for n, c in kinds if n in self.tasks and c.pos + len(c.tokens) < len(self.tasks[n].prompt)}
        baked = {n for n, _ in kinds if n is not None and n >= BACKGROUND_IDS}
        assert not (prompts and baked)
        self.seen["bakes"] += len(baked)
        for name, n in (("copies", len(plan.copies)), ("restores", len(plan.restores)), ("trims", len(plan.trims))):
            self.seen[name] += n
        self.seen["drafts"] += sum(c.samples > 1 for c in plan.chunks)
        if prompts:
            assert all(c.samples <= 1 for c in plan.chunks)

    def moved(self, plan: Plan) -> bool:
        """Do copies, restores and trims, in this order; some are refused."""
        refused = []
        moves: list[Copy | Restore | Trim] = [*plan.copies, *plan.restores, *plan.trims]
        moved = [move.dst_seq if isinstance(move, Copy) else move.seq_id for move in moves]
        assert len(moved) == len(set(moved))
        stops = self.rng.random() < 0.5  # a caller may stop at the first one, or go through all of them
        for move in moves:
            if not self.move(move):
                refused.append(move)
                if stops:
                    break
        for move in refused:
            self.s.refused(move.dst_seq if isinstance(move, Copy) else move.seq_id)
        self.seen["refused"] += len(refused)
        return not refused

    def move(self, move: Copy | Restore | Trim) -> bool:
        refuse = self.trouble and move.keep > 0 and self.rng.random() < 0.1
        match move:
            case Copy():
                assert move.src_seq != move.dst_seq
                tokens = self.cache.held[move.src_seq]
                return self.put(move.dst_seq, tokens, move.keep, refuse)
            case Restore():
                return self.put(move.seq_id, self.shelf.files[move.key], move.keep, refuse)
            case Trim():
                if not refuse:
                    self.cache.trim(move)
                return not refuse

    def put(self, seq_id: int, tokens: Sequence[int], keep: int, refuse: bool) -> bool:
        self.cache.held[seq_id] = [GARBAGE]
        if refuse or self.cache.used() + keep > self.cells:
            return False
        self.cache.put(seq_id, tokens, keep)
        return True

    def outcome(self, chunk: Chunk) -> Outcome:
        """Sample row by row, as long as the drafts are what is sampled."""
        held = self.cache.held[chunk.seq_id]
        assert GARBAGE not in held
        first = len(held) - chunk.samples + 1
        tokens: list[int] = []
        for row in range(chunk.samples):
            new = chosen(held[: first + row])
            tokens.extend(new)
            if len(new) > 1 or row == chunk.samples - 1 or held[first + row] != new[0]:
                return Outcome(tuple(tokens), rows=row + 1)
        raise AssertionError("no row")

    def take(self, plan: Plan, outcomes: dict[int, Outcome]) -> None:
        before = {self.s.task_of(c.seq_id): c for c in plan.chunks}
        events = self.s.applied(plan, outcomes)
        order = [self.s.task_of(c.seq_id) for c in plan.chunks if c.samples]
        assert [e.task_id for e in events] == [n for n in order if n is not None]
        self.unready.clear()
        for event in events:
            assert event.tokens == outcomes[before[event.task_id].seq_id].tokens
            if event.task_id in self.bakes:
                self.end(event.task_id)
                continue
            self.seen["forced"] += len(event.tokens) > before[event.task_id].samples
            self.answers[event.task_id].extend(event.tokens)
            assert 0 <= event.cached_tokens < len(self.tasks[event.task_id].prompt)
            self.unready.add(event.task_id)
            if len(self.answers[event.task_id]) >= self.lengths[event.task_id]:
                self.end(event.task_id)

    def run(self) -> None:
        for _ in range(6_000):
            self.arrivals()
            if len(self.unsent) < len(self.tasks):
                self.trouble_makers()
            self.step()
            if len(self.ended) == len(self.tasks) + len(self.bakes):
                break
        missing = (set(self.tasks) | self.bakes) - self.ended
        assert not missing, f"{missing} never ended"
        for n, expected in self.expected.items():
            got = self.answers[n][: self.lengths[n]]
            assert got == expected[: len(got)]


@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "trouble"])
def test_random_load_gives_every_task_the_answer_it_gets_alone(trouble: bool) -> None:
    """Chunking, reuse, copies, files, drafts, parking and cancelling never change an answer; nothing stands still."""
    seen = dict.fromkeys(SEEN, 0)
    for seed in range(60):
        rng = random.Random(seed)
        load = Load(rng, n_slots=rng.randint(1, 5), cells=rng.choice((500, 900, 1_000_000)), trouble=trouble)
        try:
            load.run()
        except AssertionError as exc:
            exc.add_note(f"seed {seed}")
            raise
        seen = {name: n + load.seen[name] for name, n in seen.items()}
    assert all(n > 10 for n in seen.values()), seen
