"""The wake lock's hands: carries out the steps that `lock.py` decides, in threads, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from phone.command import Outcome
from phone.settings import WakeLockSettings
from phone.supervisor.lock import (
    LockMemory,
    LockStep,
    LockView,
    at_stop,
    lock,
    lock_done,
    lock_words,
    unanswered,
)
from phone.supervisor.threads import in_thread


class Locks(Protocol):
    """Of `phone/termux.py`. Block, bounded; never raise for what the commands do."""

    def wake_lock(self) -> Outcome: ...

    def wake_unlock(self) -> Outcome: ...

    def start_task(self, script: Path) -> Outcome: ...


class Wake:
    """For one event loop. anchor: the script that stays as a task of Termux (`termux/anchor`)."""

    def __init__(
        self,
        termux: Locks,
        anchor: Path,
        memory: LockMemory,
        say: Callable[[str, bool], None],
        poke: Callable[[], None],
        now_s: Callable[[], float],
    ) -> None:
        """memory: as the supervisor before left it."""
        self._termux = termux
        self._anchor = anchor
        self.memory = unanswered(memory)
        self._say = say
        self._poke = poke
        self._now_s = now_s
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self, view: LockView, settings: WakeLockSettings) -> None:
        """Begin what is due."""
        self.memory, step, words = lock(self.memory, view, settings)
        if words:
            self._say(words, False)
        if step is not LockStep.NONE:
            self._begin(step)

    def forget(self) -> None:
        """Whoever held it is gone: as if it had never been asked for."""
        self.memory = LockMemory()

    def words(self) -> str:
        return lock_words(self.memory, self._now_s())

    async def settle(self, within_s: float) -> None:
        """Wait for what is being done, but not longer."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    async def stop(self, settings: WakeLockSettings, within_s: float) -> None:
        """The last act of an orderly stop."""
        await self.settle(within_s)
        self.memory, step, words = at_stop(self.memory, settings)
        if words:
            self._say(words, False)
        if step is not LockStep.NONE:
            self._begin(step)
            await self.settle(within_s)
            self.memory = LockMemory()

    def _begin(self, step: LockStep) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, step: LockStep) -> None:
        try:
            outcome = await in_thread(lambda: self._blocking(step), "farmhand-lock")
        except Exception as exc:  # noqa: BLE001 - said and tried again, as after any other failure
            outcome = Outcome(False, f"{type(exc).__name__}: {exc}")
        before = self.memory
        self.memory = lock_done(self.memory, step, outcome.ok, self._now_s(), outcome.words)
        if self.memory.trouble and self.memory.trouble != before.trouble:
            self._say(f"wake lock: {self.memory.trouble}", False)
        self._poke()

    def _blocking(self, step: LockStep) -> Outcome:
        match step:
            case LockStep.TAKE:
                return self._termux.wake_lock()
            case LockStep.RELEASE:
                return self._termux.wake_unlock()
            case LockStep.ANCHOR:
                return self._termux.start_task(self._anchor)
            case LockStep.NONE:
                return Outcome(True)
