"""The app's generation lock, broken in the way the app's is (protocol section 11)."""

from __future__ import annotations

import asyncio

from tests.fakes.inferrlm.clock import Clock


class ModelBusy(Exception):
    """The wait for the lock took too long; its text is `MODEL_BUSY`."""

    def __init__(self) -> None:
        super().__init__("MODEL_BUSY")


class GenerationLock:
    """Holds back a second generation, but only one: releasing lets **all** waiters through.

    Each of them then becomes the holder and forgets the one before. So the first to finish
    (in practice one that was refused by the runtime) opens the lock for everybody, while
    the survivor is still running.
    """

    def __init__(self, clock: Clock, wait_s: float | None) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._current = _open_gate()
        self._to_open: asyncio.Event | None = None

    async def acquire(self) -> None:
        """Wait for the gate that is current now, whoever closes another one meanwhile."""
        await self._pass(self._current)
        self._current = self._to_open = asyncio.Event()

    def release(self) -> None:
        if self._to_open is not None:
            self._to_open.set()
            self._to_open = None

    async def _pass(self, gate: asyncio.Event) -> None:
        if gate.is_set():
            return
        passed: asyncio.Future[object] = asyncio.ensure_future(gate.wait())
        waits = {passed}
        if self._wait_s is not None:
            waits.add(asyncio.ensure_future(self._clock.sleep(self._wait_s)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not passed.done():
                raise ModelBusy
        finally:
            for waiting in waits:
                waiting.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate
