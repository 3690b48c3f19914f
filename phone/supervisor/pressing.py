"""Tells the adapter how hard it may work: when that changes, when it has forgotten (it was started again), and before it lapses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from phone.supervisor.admin import Admin
from phone.supervisor.admin_words import Order
from phone.supervisor.threads import in_thread
from phone.supervisor.types import AdapterState

# An order that nobody renews ends by itself: a supervisor that is gone must not keep the phone paused for ever.
FOR_S = 600.0
LIMIT_S = 20.0
RENEW_S = 300.0
# A reason that counts seconds is not worth a request each.
REASON_S = 30.0
FIRST_RETRY_S = 2.0
MAX_RETRY_S = 60.0
SERVE = "serve"

log = logging.getLogger("supervisor")


@dataclass(frozen=True, slots=True)
class Told:
    """What one process of the adapter took, and when."""

    admin: Admin
    order: Order
    at_s: float


def is_due(order: Order, told: Told | None, admin: Admin, state: AdapterState, known_at_s: float, now_s: float) -> bool:
    """state: what the adapter said at known_at_s."""
    if told is None or told.admin is not admin:
        return not (order.level == SERVE and state.pressure == SERVE)
    if told.order.level != order.level or (known_at_s > told.at_s and state.pressure != order.level):
        return True
    passed_s = now_s - told.at_s
    if told.order.reason != order.reason and passed_s >= REASON_S:
        return True
    return order.level != SERVE and passed_s >= RENEW_S


class Pressing:
    """For one event loop."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._told: Told | None = None
        self._wanted: Order | None = None
        self._task: asyncio.Task[None] | None = None
        self._retry_at_s = 0.0
        self._retry_s = FIRST_RETRY_S
        self._said = ""

    @property
    def told(self) -> Told | None:
        return self._told

    def look(self, order: Order, admin: Admin | None, state: AdapterState | None, known_at_s: float) -> None:
        """Begin to tell it, if that is due. state: `None` while it cannot be asked, hence not be told either."""
        self._wanted = order
        if admin is None or state is None or self._task is not None or self._now_s() < self._retry_at_s:
            return
        if is_due(order, self._told, admin, state, known_at_s, self._now_s()):
            self._task = asyncio.get_running_loop().create_task(self._tell(order, admin))

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _tell(self, order: Order, admin: Admin) -> None:
        try:
            await asyncio.wait_for(in_thread(lambda: admin.press(order), "farmhand-press"), LIMIT_S)
        except Exception as exc:  # noqa: BLE001 - tried again, and said
            if isinstance(exc, TimeoutError):
                admin.cut()
            self._retry_at_s = self._now_s() + self._retry_s
            self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)
            if str(exc) != self._said:
                self._said = str(exc)
                log.warning("the adapter could not be told %s: %s", order.level, exc or type(exc).__name__)
            return
        finally:
            self._task = None
        self._told = Told(admin, order, self._now_s())
        self._retry_s, self._said = FIRST_RETRY_S, ""
        log.debug("adapter told level=%s", order.level)
        if self._wanted is not None and self._wanted.level != order.level:  # decided meanwhile; the next look may be seconds away
            self._task = asyncio.get_running_loop().create_task(self._tell(self._wanted, admin))
