"""Blocking calls, off the event loop.

A thread each instead of a pool: most of the time there is nothing to do, so nothing is kept, and a call that hangs at the end of the process
is left behind (daemon threads) where a pool's would be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T], name: str = "farmhand") -> T:
    """What `call` returns or raises. Cancelled: returns at once; the call goes on and its result is dropped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # there is a result where there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as exc:  # noqa: BLE001 - it belongs to whoever waits for the result
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            loop.call_soon_threadsafe(deliver, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future


class Lane:
    """Blocking jobs of one kind, one at a time. While one runs, only the newest of those that come is kept: each says all there is to say."""

    def __init__(self, name: str, failed: Callable[[str, Exception], None]) -> None:
        """failed: told of a job that raised, with the lane's name."""
        self._name = name
        self._failed = failed
        self._next: Callable[[], object] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    def put(self, job: Callable[[], object]) -> None:
        """job: runs in a thread, so it touches nothing of the loop's."""
        self._next = job
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._next is not None:
                job, self._next = self._next, None
                try:
                    await in_thread(job, self._name)
                except Exception as exc:  # noqa: BLE001 - the next job must not suffer for it
                    self._failed(self._name, exc)
        finally:
            self._task = None

    async def settle(self, within_s: float) -> None:
        """Wait until nothing is left to do, or the time is up; then it is left behind."""
        if self._task is not None:
            task = self._task
            await asyncio.wait([task], timeout=within_s)
            task.cancel()
