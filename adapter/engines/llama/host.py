"""Keeps at most one worker: started when somebody needs it, unloaded when nobody does, replaced when it died."""

from __future__ import annotations

import asyncio
import logging
import math
from pathlib import Path

from adapter.engines.llama import link
from adapter.engines.llama.model_file import ModelFile, model_path, require_library
from adapter.engines.llama.process import Worker, WorkerDied
from adapter.engines.llama.restarts import Restarts
from adapter.errors import EngineUnavailable
from adapter.settings import LlamaSettings

logger = logging.getLogger(__name__)


class WorkerHost:
    """All decisions about the worker's life are taken here, by whoever calls, on one event loop."""

    def __init__(self, settings: LlamaSettings, home: Path) -> None:
        self._settings = settings
        self.file = ModelFile(model_path(settings.model, home))
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
    def users(self) -> int:
        return self._users

    async def worker(self) -> Worker:
        """A worker with its model loaded; the one there is, or a new one that all callers wait for together.

        Raises `EngineUnavailable`: closed, no library, no usable file, could not load, or died too often lately.
        """
        if self._closed:
            raise EngineUnavailable("The engine is being shut down.")
        if self.running:
            return self.running
        spawning = self.begin_spawning()
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            if spawning.cancelled():
                raise EngineUnavailable("The engine is being shut down.") from None
            raise

    def begin_spawning(self) -> asyncio.Task[Worker]:
        """Start loading, if that is not going on already, without waiting for it."""
        if self._spawning is None:
            self.check_pause()
            self._spawning = asyncio.create_task(self._spawn(), name=f"llama-spawn-{self._settings.name}")
            self._spawning.add_done_callback(self._spawned)
        return self._spawning

    def _spawned(self, task: asyncio.Task[Worker]) -> None:
        self._spawning = None
        if not task.cancelled() and (error := task.exception()):
            logger.warning("llama worker did not start engine=%s: %s", self._settings.name, error)

    async def _spawn(self) -> Worker:
        loop = asyncio.get_running_loop()
        await self._clear_away()
        await asyncio.to_thread(self.check)
        settings = self._settings
        hello = link.Hello(
            path=str(self.file.path),
            slots=settings.slots,
            queue=settings.queue,
            ctx_tokens=settings.ctx_tokens,
            batch_tokens=settings.batch_tokens,
            threads=settings.threads,
        )
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
        self._arm_idle_timer()
        return worker

    def check(self) -> None:
        """Could a worker be started? Reads the disk. Raises `EngineUnavailable`."""
        require_library()
        self.file.meta()

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

    # --- use and idleness ----------------------------------------------------------------------------------

    def enter(self) -> None:
        """Somebody is going to use the worker; pairs with `leave`."""
        self._users += 1
        self._disarm_idle_timer()

    def leave(self) -> None:
        self._users -= 1
        self._arm_idle_timer()

    def _arm_idle_timer(self) -> None:
        self._disarm_idle_timer()
        if self._users == 0 and self.running and self._settings.idle_unload_s > 0:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._settings.idle_unload_s, self._begin_unloading)

    def _disarm_idle_timer(self) -> None:
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _begin_unloading(self) -> None:
        worker = self.running
        if worker and self._users == 0 and not self._closed:
            logger.info(
                "llama worker unloads engine=%s idle_s=%g", self._settings.name, self._settings.idle_unload_s
            )
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
