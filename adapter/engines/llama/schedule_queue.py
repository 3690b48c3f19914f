"""Who waits for a seat, and whose turn it is. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from adapter.engines.llama.slots import Run


class Waiting:
    """First come, first served, but for those who wait for another task: they may be passed.

    Background tasks stand apart; their turn comes when nobody else waits.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._runs: deque[Run] = deque()
        self._background: deque[Run] = deque()

    def __len__(self) -> int:
        return len(self._runs) + len(self._background)

    def add(self, run: Run, *, free_seats: int) -> bool:
        """To the end; false when there is no place left. Followers and background tasks always have one."""
        if run.task.background:
            self._background.append(run)
            return True
        if run.task.after is None:
            n_counted = sum(1 for other in self._runs if other.task.after is None)
            if n_counted >= self._max_waiting + free_seats:
                return False
        self._runs.append(run)
        return True

    def put_back(self, run: Run) -> None:
        """To the head: it had a seat and gave it up."""
        (self._background if run.task.background else self._runs).appendleft(run)

    def remove(self, task_id: int) -> None:
        self._runs = deque(run for run in self._runs if run.task.id != task_id)
        self._background = deque(run for run in self._background if run.task.id != task_id)

    def take(self, may_sit: Callable[[Run], bool]) -> Run | None:
        """The first of the ordinary tasks that `may_sit` lets through, taken out of the queue."""
        for run in self._runs:
            if may_sit(run):
                self._runs.remove(run)
                return run
        return None

    def take_background(self) -> Run | None:
        if self._runs or not self._background:
            return None
        return self._background.popleft()
