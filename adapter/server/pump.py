"""An iterator, usually the dispatcher's of `Item`s, driven by one task, read by a handler that must also watch the clock.

A handler that awaited the iterator with a timeout would cancel it; a task between the two lets the handler give up waiting
without disturbing the engine, and gives shutdown a place to put an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Generic, Self, TypeVar

from adapter.errors import AdapterError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Events that may wait for a slow client before the engine is held back.
QUEUE_EVENTS = 256


class EventPump(Generic[T]):
    """`async with EventPump(iterator) as pump`: then `await pump.next()` until `None` or an error.

    Leaving the block closes the iterator and waits until that is done: the engine's seat is free afterwards.
    """

    def __init__(self, events: AsyncGenerator[T, None]) -> None:
        self._events = events
        self._queue: asyncio.Queue[T | BaseException | None] = asyncio.Queue(QUEUE_EVENTS)
        self._abort: AdapterError | None = None
        self._running = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="event-pump")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def abort(self, error: AdapterError) -> None:
        """Stop the engine and hand `error` to the reader: after what has been produced, before anything else."""
        self._abort = error
        if self._task is not None and self._running:
            self._task.cancel()  # a task cancelled before its first step would never reach the queue

    async def next(self) -> T | None:
        """The next event, or `None` after the last one. Raises what the engine raised. Safe to cancel."""
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def ready(self) -> bool:
        """Would `next` return at once?"""
        return not self._queue.empty()

    async def _run(self) -> None:
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
