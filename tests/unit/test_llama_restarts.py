"""When a worker may be started again."""

from __future__ import annotations

from adapter.engines.llama.restarts import LONGEST_PAUSE_S, Restarts


def test_first_death_costs_nothing_then_pauses_double() -> None:
    restarts, pauses = Restarts(), []
    for _ in range(9):
        restarts.died(100.0, "ended", useful=False)
        pauses.append(restarts.wait_s(100.0))
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, LONGEST_PAUSE_S]


def test_pause_runs_out() -> None:
    restarts = Restarts()
    for now_s in (10.0, 11.0):
        restarts.died(now_s, "ended", useful=False)
    assert [restarts.wait_s(now_s) for now_s in (11.0, 11.75, 12.0, 50.0)] == [1.0, 0.25, 0.0, 0.0]


def test_an_answer_makes_it_forget() -> None:
    """A worker that Android killed after it had answered is replaced at once, as often as it happens."""
    restarts = Restarts()
    for useful in (False, False, False, True, False):
        restarts.died(10.0, "was killed", useful=useful)
    assert restarts.wait_s(20.0) == 0
    assert restarts.last_words == "was killed"
