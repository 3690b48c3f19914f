"""A scheduler driven by hand, for the tests of its parts."""

from __future__ import annotations

from adapter.engines.llama.scheduler import Outcome, Plan, Scheduler
from adapter.engines.llama.slots import Task


def prompt(length: int, first: int = 1) -> tuple[int, ...]:
    return tuple(range(first, first + length))


def apply(s: Scheduler, plan: Plan, token: int = 99) -> list[int]:
    """Report the plan as done, `token` chosen everywhere; return whose answers grew."""
    outcomes = {chunk.seq_id: Outcome((token,)) for chunk in plan.chunks if chunk.samples}
    return [event.task_id for event in s.applied(plan, outcomes)]


def widths(plan: Plan) -> dict[int, int]:
    return {chunk.seq_id: len(chunk.tokens) for chunk in plan.chunks}


def compute(s: Scheduler, task: Task, *, end: bool = False) -> int:
    """Submit a task and go on until it has its first token; return where it sits. end: and leave it idle there."""
    assert s.submit(task)
    for _ in range(100):
        if task.id in apply(s, s.plan(100_000)):
            seq_id = s.seq_of(task.id)
            assert seq_id is not None
            if end:
                s.cancel(task.id)
            return seq_id
    raise AssertionError("no token")
