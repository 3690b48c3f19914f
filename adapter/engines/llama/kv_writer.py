"""A thread that does one job at a time, with one more waiting; whatever comes on top is refused."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class OneWaiting(Generic[Job]):
    """Bounds what jobs hold on to: of payloads of 100 MB each, never more than two are alive.

    do: runs in the thread, must not raise. The thread is made with the first job and never keeps the process
    alive.
    """

    def __init__(self, name: str, do: Callable[[Job], None]) -> None:
        self._name = name
        self._do = do
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()  # the first is under way
        self._closed = False
        self._thread: threading.Thread | None = None

    def offer(self, job: Job) -> bool:
        """False if there is no place for it. Never waits for a job."""
        with self._changed:
            if not self._has_place():
                return False
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def has_place(self) -> bool:
        with self._changed:
            return self._has_place()

    def pending(self) -> list[Job]:
        """The job under way and the one that waits."""
        with self._changed:
            return list(self._jobs)

    def wait_idle(self, limit_s: float) -> bool:
        """Wait for all that was offered; false if it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, limit_s)

    def close(self, limit_s: float) -> bool:
        """Take no more, wait for what was offered; false if it takes longer. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        return self.wait_idle(limit_s)

    def _has_place(self) -> bool:
        return not self._closed and len(self._jobs) < 2

    def _run(self) -> None:
        while self._await_job():
            self._do_first()

    def _await_job(self) -> bool:
        """False when the thread is no longer needed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            return bool(self._jobs)

    def _do_first(self) -> None:
        # In a function of its own, so that no variable of a waiting thread keeps the last payload alive.
        try:
            self._do(self._jobs[0])
        finally:
            with self._changed:
                self._jobs.popleft()
                self._changed.notify_all()
