"""An iterator, usually the dispatcher's of `Item`s, read by a handler that must also watch the clock.

A handler that awaited the iterator with a timeout would cancel it; a task between the two lets the handler give up waiting
without disturbing the engine, and gives shutdown a place to put an error. Where nobody need give up waiting (plain answers; bytes that
are only passed on; until there is anything) the handler reads the iterator itself: the task would cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from adapter.errors import AdapterError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Events that may wait for a slow client before the engine is held back.
QUEUE_EVENTS = 256


class EventPump(Generic[T]):
    """`async with EventPump(iterator) as pump`: then `await pump.next()` until `None` or an error.

    Leaving the block closes the iterator and waits until that is done: the engine's seat is free afterwards. direct: without a task, as long
    as nobody calls `engage`; then cancelling `next` cancels the iterator.
    """

    def __init__(self, events: AsyncGenerator[T, None], *, direct: bool = False) -> None:
        self._events = events
        self._queue: asyncio.Queue[T | BaseException | None] | None = None if direct else asyncio.Queue(QUEUE_EVENTS)
        self._abort: AdapterError | None = None
        self.direct = direct
        self._running = False
        self._called_away = False
        self._task: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.current_task()
        if not self.direct:
            self._start()
        elif self._abort is not None:
            raise self._abort
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._reader = None
        await self._close()

    def engage(self) -> None:
        """From here on with a task. Not while somebody reads `rest`."""
        if self.direct:
            self.direct = False
            self._queue = asyncio.Queue(QUEUE_EVENTS)
            self._start()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="event-pump")

    def abort(self, error: AdapterError) -> None:
        """Stop the engine and hand `error` to the reader: after what has been produced, before anything else."""
        if self._abort is not None:
            return
        self._abort = error
        if self.direct:
            if self._reader is not None:
                self._called_away = True
                self._reader.cancel()  # `next`, or whoever asks `why_cancelled`, makes the error of it
        elif self._task is not None and self._running:
            self._task.cancel()  # a task cancelled before its first step would never reach the queue

    def why_cancelled(self) -> AdapterError | None:
        """In the reader's `except CancelledError`: the error that `abort` was told, or `None` if it was somebody else's doing."""
        if self._called_away and self._reader is not None and self._reader.cancelling():
            self._reader.uncancel()
            return self._abort
        return None

    async def next(self) -> T | None:
        """The next event, or `None` after the last one. Raises what the engine raised. Safe to cancel, unless `direct`."""
        if self._queue is None:
            try:
                return await anext(self._events, None)
            except asyncio.CancelledError:
                if (error := self.why_cancelled()) is None:
                    raise
                raise error from None
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def rest(self) -> AsyncIterator[T]:
        """All that is still to come, without a step in between, for who reads it `direct`.

        `abort` then cancels the reader as it cancels `next`, and the reader has to ask `why_cancelled`.
        """
        assert self.direct
        return self._events

    def ready(self) -> bool:
        """Would `next` return at once?"""
        return self._queue is not None and not self._queue.empty()

    async def _run(self) -> None:
        assert self._queue is not None
        self._running = True
        last: BaseException | None = self._abort
        try:
            if last is None:
                async for event in self._events:
                    await self._queue.put(event)
        except asyncio.CancelledError:
            last = self._abort
            if last is None:
                raise
        except Exception as exc:  # noqa: BLE001 - it belongs to the reader, who logs and renders it
            last = exc
        finally:
            await self._close()
        await self._queue.put(last)

    async def _close(self) -> None:
        try:
            await self._events.aclose()
        except Exception:  # the reader still needs its last word
            logger.exception("an engine failed to stop in order")
