"""Carries out what was decided: `sv` in threads, one order for a service at a time, failures said once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from phone.command import Outcome
from phone.supervisor.threads import in_thread
from phone.supervisor.types import Action, PointGateway, Restart, Say, Service, Start, Stop

Order = Start | Stop | Restart | PointGateway

# After an order that failed, the same one is not tried at once: 1 s, 2 s, 4 s ...
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# runit takes a start at once and acts on it in its own time; until then each look would give it again, a process each.
TAKEN_S = 1.0

log = logging.getLogger("supervisor")


class Acts(Protocol):
    """Of `phone/runit.py`, what acts. Blocks, bounded; never raises for what `sv` does."""

    def up(self, folder: str) -> Outcome: ...

    def down(self, folder: str, within_s: float) -> Outcome: ...

    def restart(self, folder: str, within_s: float) -> Outcome: ...


@dataclass(slots=True)
class _Hand:
    """What is being done for one service. failed: the kind of order that failed last, not before retry_at_s again. started_at_s: the last
    order was a start, and worked then."""

    running: Order | None = None
    waiting: list[Order] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    failed: type[Order] | None = None
    retry_at_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    words: str = ""
    started_at_s: float | None = None


class Doer:
    """For one event loop. say: tells a sentence, to a person as well where `alert` is set."""

    def __init__(
        self,
        runsv: Acts,
        point: Callable[[str], None],
        say: Callable[[str, bool], None],
        poke: Callable[[], None],
        now_s: Callable[[], float],
    ) -> None:
        """point: writes the gateway's URL; may raise `OSError`. poke: called when an order has been carried out."""
        self._runsv = runsv
        self._point = point
        self._say = say
        self._poke = poke
        self._now_s = now_s
        self._hands = {service: _Hand() for service in Service}
        self._killing: set[asyncio.Task[Outcome]] = set()

    def do(self, actions: Iterable[Action]) -> None:
        """Begin. An order that is being carried out, or that has just failed, is not begun again; another one for the same service waits."""
        for action in actions:
            if isinstance(action, Say):
                self._say(action.text, action.alert)
            else:
                self._order(_service_of(action), action)

    def failures(self) -> Mapping[Service, str]:
        """What did not work, until it does."""
        return {service: hand.words for service, hand in self._hands.items() if hand.words}

    def ending(self) -> frozenset[Service]:
        """Those that are being ended, whatever runit still says of them."""
        orders = {service: [hand.running, *hand.waiting] for service, hand in self._hands.items()}
        return frozenset(s for s, given in orders.items() if any(isinstance(order, Stop | Restart) for order in given))

    @property
    def busy(self) -> bool:
        return any(hand.task is not None for hand in self._hands.values())

    def kill(self, services: Iterable[Service], within_s: float) -> None:
        """End them now, all at once, whatever else is under way."""
        for service in services:
            task = asyncio.get_running_loop().create_task(self._carry_out(Stop(service, within_s)))
            self._killing.add(task)
            task.add_done_callback(self._killing.discard)

    async def settle(self, within_s: float) -> None:
        """Wait until all is done, or the time is up; then what still runs is left to itself."""
        tasks: list[asyncio.Task[Any]] = [hand.task for hand in self._hands.values() if hand.task is not None]
        tasks += self._killing
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        for task in tasks:
            task.cancel()

    def _order(self, service: Service, order: Order) -> None:
        hand = self._hands[service]
        kind = type(order)
        if hand.failed is kind and self._now_s() < hand.retry_at_s:
            return
        if kind is Start and hand.started_at_s is not None and self._now_s() - hand.started_at_s < TAKEN_S:
            return
        if hand.task is not None:
            if type(hand.running) is kind or any(type(other) is kind for other in hand.waiting):
                return
            if isinstance(order, Start) and isinstance(hand.running, Restart):  # ends with a start
                return
            # Only the last word counts; the gateway's address is no such word.
            hand.waiting = [other for other in hand.waiting if isinstance(other, PointGateway)]
        hand.waiting.append(order)
        if hand.task is None:
            hand.task = asyncio.get_running_loop().create_task(self._work(service, hand))

    async def _work(self, service: Service, hand: _Hand) -> None:
        try:
            while hand.waiting:
                hand.running = hand.waiting.pop(0)
                log.info("%s", _announced(hand.running))
                self._note(service, hand, hand.running, await self._carry_out(hand.running))
        finally:
            hand.running = hand.task = None
            self._poke()

    async def _carry_out(self, order: Order) -> Outcome:
        try:
            return await in_thread(lambda: self._blocking(order), "farmhand-act")
        except Exception as exc:  # noqa: BLE001 - said and tried again; the other services must not suffer for it
            return Outcome(False, f"{type(exc).__name__}: {exc}")

    def _blocking(self, order: Order) -> Outcome:
        match order:
            case Start(service):
                return self._runsv.up(service.folder)
            case Stop(service, within_s):
                return self._runsv.down(service.folder, within_s)
            case Restart(service, within_s, _):
                return self._runsv.restart(service.folder, within_s)
            case PointGateway(url):
                self._point(url)
                return Outcome(True)

    def _note(self, service: Service, hand: _Hand, order: Order, outcome: Outcome) -> None:
        hand.started_at_s = self._now_s() if outcome.ok and isinstance(order, Start) else None
        if outcome.ok:
            if outcome.words:
                self._say(outcome.words, False)
            if hand.failed is type(order):
                hand.failed, hand.words, hand.pause_s = None, "", FIRST_PAUSE_S
            return
        words = f"{_announced(order)}: that failed ({outcome.words or 'nobody said why'})"
        if words != hand.words:
            self._say(words, False)
        hand.failed, hand.words = type(order), words
        hand.retry_at_s = self._now_s() + hand.pause_s
        hand.pause_s = min(2 * hand.pause_s, LONGEST_PAUSE_S)


def _service_of(order: Order) -> Service:
    return Service.GATEWAY if isinstance(order, PointGateway) else order.service


def _announced(order: Order) -> str:
    match order:
        case Start(service):
            return f"starting {service.value}"
        case Stop(service, within_s):
            return f"stopping {service.value}, within {within_s:g} s"
        case Restart(service, _, why):
            return f"restarting {service.value}: {why}"
        case PointGateway(url):
            return f"pointing the gateway to {url}"
