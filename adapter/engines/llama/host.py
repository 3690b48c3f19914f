"""Keeps at most one worker: started when somebody needs it, unloaded when nobody does, replaced when it died."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.engines.base import Pressure
from adapter.engines.llama.launch import Launch
from adapter.engines.llama.memory import read_available_bytes
from adapter.engines.llama.restarts import Restarts
from adapter.engines.pause import Pause
from adapter.errors import EngineUnavailable
from adapter.settings import LlamaSettings

if TYPE_CHECKING:
    from adapter.engines.llama.process import Worker

logger = logging.getLogger(__name__)


class WorkerHost:
    """All decisions about the worker's life are taken here, by whoever calls, on one event loop."""

    def __init__(
        self,
        settings: LlamaSettings,
        home: Path,
        available_bytes: Callable[[], int | None] = read_available_bytes,
    ) -> None:
        """`available_bytes`: the memory that programs can still take; it may block. `None`: not known."""
        self._settings = settings
        self._launch = Launch(settings, home, available_bytes)
        self.file = self._launch.file
        self._pause = Pause()
        self._restarts = Restarts()
        self._worker: Worker | None = None
        self._spawning: asyncio.Task[Worker] | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._users = 0
        self._closed = False

    @property
    def running(self) -> Worker | None:
        return self._worker if self._worker and self._worker.alive else None

    @property
    def level(self) -> Pressure:
        """The last word about the phone."""
        return self._pause.level

    @property
    def users(self) -> int:
        return self._users

    async def worker(self) -> Worker:
        """A worker with its model loaded; the one there is, or a new one that all callers wait for together.

        Raises `EngineUnavailable`: closed, paused, no library, no usable file, too little memory, could not load,
        or died too often lately.
        """
        self._check_open()
        if self.running:
            return self.running
        spawning = self.begin_spawning()
        try:
            worker = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            if not spawning.cancelled():
                raise
            self._check_open()
            raise EngineUnavailable("Loading the model was broken off. Try again.") from None
        self._check_open()  # a pause may have begun meanwhile
        return worker

    def _check_open(self) -> None:
        if self._closed:
            raise EngineUnavailable("The engine is being shut down.")
        self.check_pressure()

    def look_for_pins(self) -> None:
        """Before the first `preload`. Reads the disk: call it in a thread."""
        self._launch.look_for_pins()

    def preload(self) -> None:
        """Start loading, without waiting for it, where the settings want the model before the first request."""
        wanted = self._settings.preload or self._launch.pins_wanted
        if wanted and not self.running and not self._closed and self._pause.refusal is None:
            try:
                self.begin_spawning()
            except EngineUnavailable as exc:  # after deaths; the next request tries again
                logger.info("llama worker is not preloaded engine=%s: %s", self._settings.name, exc)

    def begin_spawning(self) -> asyncio.Task[Worker]:
        """Start loading, if that is not going on already, without waiting for it."""
        if self._spawning is None:
            self.check_pressure()
            self.check_pause()
            self._spawning = asyncio.create_task(self._spawn(), name=f"llama-spawn-{self._settings.name}")
            self._spawning.add_done_callback(self._spawned)
        return self._spawning

    def _spawned(self, task: asyncio.Task[Worker]) -> None:
        self._spawning = None
        if not task.cancelled() and (error := task.exception()):
            logger.warning("llama worker did not start engine=%s: %s", self._settings.name, error)

    async def _spawn(self) -> Worker:
        # What runs processes is imported when there is one to run: most adapters rest most of the time.
        from adapter.engines.llama.process import Worker, WorkerDied

        loop = asyncio.get_running_loop()
        await self._clear_away()
        hello = await asyncio.to_thread(self._launch.prepare)
        settings = self._settings
        try:
            worker = await Worker.spawn(hello, start_s=settings.start_s)
        except WorkerDied as exc:
            self._restarts.died(loop.time(), str(exc), useful=False)
            raise EngineUnavailable(
                f"The worker for the model {self.file.path} {exc}", retry_after_s=self._retry_after_s()
            ) from exc
        self._worker = worker
        self._watching = asyncio.create_task(self._watch(worker), name=f"llama-watch-{settings.name}")
        logger.info(
            "llama worker ready engine=%s pid=%s model=%s ctx_tokens=%s threads=%s load_s=%.2f",
            settings.name, worker.pid, worker.ready.description, worker.ready.ctx_tokens,
            worker.ready.threads, worker.ready.load_s,
        )  # fmt: skip
        if self.level is not Pressure.SERVE:
            _press(worker, self.level)
        self._arm_idle_timer()
        return worker

    def check(self) -> None:
        """Is there a model to load? Reads the disk. Raises `EngineUnavailable`."""
        self._launch.check()

    def check_start(self) -> None:
        """Could a worker be started now? Reads the disk and the free memory. Raises `EngineUnavailable`.

        A worker that is just coming or going holds memory that is the next one's: then that is not looked at.
        """
        self.check()
        if self._spawning is None and (self._worker is None or self._worker.died.is_set()):
            self._launch.check_memory()

    def check_pressure(self) -> None:
        """Raises `EngineUnavailable` while nothing new may begin, whether or not a worker runs."""
        self._pause.check()

    def check_pause(self) -> None:
        """Raises `EngineUnavailable` while the last workers' deaths forbid another start."""
        if self.running is None and self._retry_after_s() > 0:
            raise EngineUnavailable(
                f"The worker for the model {self.file.path} failed several times; the last one "
                f"{self._restarts.last_words}",
                retry_after_s=self._retry_after_s(),
            )

    def _retry_after_s(self) -> int:
        return math.ceil(self._restarts.wait_s(asyncio.get_running_loop().time()))

    async def _watch(self, worker: Worker) -> None:
        await worker.died.wait()
        if not worker.closing:
            now_s = asyncio.get_running_loop().time()
            self._restarts.died(now_s, worker.death, useful=worker.useful)

    # --- how hard it may work ------------------------------------------------------------------------------

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """Holds until the next call, also for workers that start meanwhile. With UNLOAD the process is gone on return."""
        before, was_refused = self.level, self._pause.refusal is not None
        self._pause.set(level, reason, retry_after_s)
        if level is before:
            return
        logger.info("llama pressure engine=%s level=%s", self._settings.name, level)
        if level is Pressure.UNLOAD:
            await self._unload_now()
            return
        if worker := self.running:
            _press(worker, level)
        if was_refused:
            self.preload()

    async def _unload_now(self) -> None:
        if self._spawning:
            self._spawning.cancel()
            await asyncio.wait({self._spawning})
        if (worker := self.running) and self.level is Pressure.UNLOAD:
            self._unload(worker)
        if self._unloading:
            await asyncio.wait({self._unloading})

    # --- use and idleness ----------------------------------------------------------------------------------

    def enter(self) -> None:
        """Somebody is going to use the worker; pairs with `leave`."""
        self._users += 1
        self._disarm_idle_timer()

    def leave(self) -> None:
        self._users -= 1
        self._arm_idle_timer()

    def _arm_idle_timer(self, after_s: float | None = None) -> None:
        self._disarm_idle_timer()
        if self._users == 0 and self.running and self._settings.idle_unload_s > 0:
            after_s = self._settings.idle_unload_s if after_s is None else after_s
            self._idle_timer = asyncio.get_running_loop().call_later(after_s, self._begin_unloading)

    def _disarm_idle_timer(self) -> None:
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _begin_unloading(self) -> None:
        worker = self.running
        if worker and self._users == 0 and not self._closed:
            silent_s = asyncio.get_running_loop().time() - worker.last_frame_s
            if silent_s < self._settings.idle_unload_s:  # it computes a pinned prompt, for nobody as yet
                self._arm_idle_timer(self._settings.idle_unload_s - silent_s)
                return
            logger.info(
                "llama worker unloads engine=%s idle_s=%g", self._settings.name, self._settings.idle_unload_s
            )
            self._unload(worker)

    def _unload(self, worker: Worker) -> None:
        worker.closing = True  # nobody gets it from now on
        self._unloading = asyncio.create_task(worker.close(), name=f"llama-unload-{self._settings.name}")

    # --- end -----------------------------------------------------------------------------------------------

    async def _clear_away(self) -> None:
        """See the last worker off entirely: two models at a time do not fit into a phone."""
        if self._unloading:
            await asyncio.wait({self._unloading})
        if self._worker:
            await self._worker.close()
        if self._watching:
            await asyncio.wait({self._watching})
        self._worker = self._unloading = self._watching = None

    async def close(self) -> None:
        """End everything: no process and no task is left. May be called twice."""
        self._closed = True
        self._disarm_idle_timer()
        if self._spawning:
            self._spawning.cancel()
            await asyncio.wait({self._spawning})
        await self._clear_away()


def _press(worker: Worker, level: Pressure) -> None:
    from adapter.engines.llama import link  # where there is a worker it is loaded already

    worker.press(link.Pressure(level.value))
