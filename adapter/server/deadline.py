"""The time that an answer has: waiting for its next item with one eye on the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from adapter.caller import Caller, OnDeadline
from adapter.chat import Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, Usage, UsageSource
from adapter.dispatch.items import Item
from adapter.errors import DeadlineMissed
from adapter.server.pump import EventPump
from adapter.tokens import estimate_tokens


class Deadline:
    """When one answer must be complete, and what becomes of it then.

    prompt_tokens: an estimate, asked for only if an answer is ended early and nobody else counts.
    """

    def __init__(self, caller: Caller, prompt_tokens: Callable[[], int]) -> None:
        self._caller = caller
        self._prompt_tokens = prompt_tokens
        self.partial = caller.deadline_s is not None and caller.on_deadline is OnDeadline.PARTIAL
        self._parts: list[str] = []

    def keepalive_s(self, configured_s: float) -> float:
        """Often enough for this client: twice within the silence that it bears."""
        silence_s = self._caller.silence_s
        return configured_s if silence_s is None else min(configured_s, silence_s / 2)

    def said(self, delta: TextDelta | ReasoningDelta | ToolCallDelta) -> None:
        """Part of the answer is out. Remembered only where it may have to be counted."""
        if self.partial:
            self._parts.append(delta.arguments if isinstance(delta, ToolCallDelta) else delta.text)

    def watching(self, pump: EventPump[Item]) -> AbstractContextManager[None]:
        """Ends an answer whose iterator nobody can be called away from, when its time is over."""
        return nullcontext() if self._caller.deadline_s is None else self._watched(pump)

    @contextmanager
    def _watched(self, pump: EventPump[Item]) -> Iterator[None]:
        assert self._caller.deadline_s is not None
        timer = asyncio.get_running_loop().call_at(self._caller.deadline_s, self._end, pump)
        try:
            yield
        finally:
            timer.cancel()

    def _end(self, pump: EventPump[Item]) -> None:
        if pump.direct:
            pump.abort(_missed())

    def items(self, pump: EventPump[Item]) -> AsyncIterator[Item]:
        """All of the pump's items, each as `next` gives it."""
        return pump.rest() if pump.direct else _Items(self, pump)

    async def next(self, pump: EventPump[Item], within_s: float | None) -> Item | None:
        """The pump's next item, `None` after its last. Raises `TimeoutError` after `within_s`.

        At the deadline: `Finished` with "length" for an answer that has begun and may be partial, else `DeadlineMissed`.
        """
        if pump.ready() or pump.direct:
            return await pump.next()
        deadline_s = self._caller.deadline_s
        if deadline_s is None:
            if within_s is None:
                return await pump.next()
            async with asyncio.timeout(within_s):
                return await pump.next()
        left_s = deadline_s - asyncio.get_running_loop().time()
        if within_s is not None and within_s < left_s:
            async with asyncio.timeout(within_s):
                return await pump.next()
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await pump.next()
        except TimeoutError:
            return self._over()

    def _over(self) -> Finished:
        if self.partial and self._parts:
            completion = estimate_tokens("".join(self._parts))
            usage = Usage(
                max(1, self._prompt_tokens()),
                max(1, completion),
                prompt_source=UsageSource.ESTIMATED,
                completion_source=UsageSource.ESTIMATED,
            )
            return Finished(FinishReason.LENGTH, usage)
        raise _missed()


class _Items:
    def __init__(self, deadline: Deadline, pump: EventPump[Item]) -> None:
        self._deadline = deadline
        self._pump = pump

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        item = await self._deadline.next(self._pump, None)
        if item is None:
            raise StopAsyncIteration
        return item


def _missed() -> DeadlineMissed:
    return DeadlineMissed(
        "The answer was not complete in the time that its program waits for it. Ask for a shorter one (max_tokens), "
        "or give it more time (the client's time-out, deadline_s of its [[key]])."
    )
