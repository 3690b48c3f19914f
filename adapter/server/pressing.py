"""What the phone can bear at present: passed on to the engines and their queues, and taken back when nobody renews it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from adapter.dialects.openai_pressure import Order
from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.base import Pressure
from adapter.engines.pause import refusal
from adapter.engines.registry import Registry
from adapter.errors import AdapterError, EngineUnavailable

logger = logging.getLogger(__name__)


class Pressing:
    """One word at a time, in the order in which they were given. One event loop.

    on_change: told the level, after a word whose level or reason is not that of the one before.
    """

    def __init__(self, registry: Registry, dispatcher: Dispatcher, *, on_change: Callable[[Pressure], None]) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._on_change = on_change
        self._order = Order()
        self._since_s: float | None = None
        self._lapse: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._telling: set[asyncio.Task[list[str]]] = set()
        self._closed = False

    @property
    def order(self) -> Order:
        """The last word."""
        return self._order

    @property
    def pauses(self) -> bool:
        """Does nothing new begin on this phone?"""
        return refusal(self._order.level) is not None

    @property
    def lapses_in_s(self) -> float | None:
        return None if self._lapse is None else max(0.0, self._lapse.when() - asyncio.get_running_loop().time())

    @property
    def held_s(self) -> float | None:
        """For how long it has been this level, whatever the reasons; `None` since the start."""
        return None if self._since_s is None else asyncio.get_running_loop().time() - self._since_s

    async def tell(self, order: Order) -> list[str]:
        """Pass it on; returns the names of the engines that were told. With UNLOAD their memory is free on return.

        Raises the first engine's failure, after all have been told. Whoever is cancelled here cancels nothing: half a pause is none.
        """
        if self._closed:
            raise EngineUnavailable("Farmhand is stopping; try again when it is back.", retry_after_s=10)
        task = asyncio.create_task(self._told(order), name="pressure")
        self._telling.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """No timer and no task is left. May be called twice."""
        self._closed = True
        self._forget_lapse()
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _over(self, task: asyncio.Task[list[str]]) -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("pressure could not be passed on to every engine: %s", error)

    async def _told(self, order: Order, *, unless_after: Order | None = None) -> list[str]:
        """unless_after: only if that is still the last word, when its turn has come."""
        async with self._turn:
            if unless_after is not None and self._order is not unless_after:
                return []
            before, self._order = self._order, order
            self._set_lapse(order)
            if order.level is not before.level:
                self._since_s = asyncio.get_running_loop().time()
                logger.info("pressure level=%s before=%s reason=%s", order.level, before.level, order.reason or "-")
            if (order.level, order.reason) != (before.level, before.reason):
                self._on_change(order.level)
            if self.pauses:  # first, so that nobody gets a seat between the one and the other
                self._press_queues()
            try:
                return await self._registry.pressure(order.level, reason=order.reason, retry_after_s=order.retry_after_s)
            finally:
                self._press_queues()

    def _press_queues(self) -> None:
        self._dispatcher.press(self._registry.on_this_phone, self._refusal if self.pauses else None)

    def _refusal(self) -> AdapterError:
        order = self._order
        error = refusal(order.level, order.reason, order.retry_after_s)
        assert error is not None
        return error

    # --- lapsing -------------------------------------------------------------------------------------------------------

    def _set_lapse(self, order: Order) -> None:
        self._forget_lapse()
        if order.for_s is not None and order.level is not Pressure.SERVE and not self._closed:
            # The loop's clock stands still while the phone sleeps, and so do those who would be refused.
            self._lapse = asyncio.get_running_loop().call_later(order.for_s, self._lapsed, order)

    def _forget_lapse(self) -> None:
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None

    def _lapsed(self, order: Order) -> None:
        self._lapse = None
        logger.warning("pressure lapsed level=%s for_s=%g: nobody renewed it", order.level, order.for_s)
        task = asyncio.create_task(self._told(Order(), unless_after=order), name="pressure-lapse")
        self._telling.add(task)
        task.add_done_callback(self._over)
