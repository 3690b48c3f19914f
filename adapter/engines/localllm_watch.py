"""Looking for an app that is gone, and warming it up when it is there (`protocols/localllm.md` 11.2, 18 rules 10 and 16)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from adapter.dialects.localllm_builds import Build, warm_up_model, warm_up_trouble
from adapter.engines.localllm_pauses import Pauses
from adapter.engines.localllm_probe import Life, Phone, Prober
from adapter.engines.seats import Seats
from adapter.errors import AdapterError

logger = logging.getLogger(__name__)

# The app gives a load and a generation 60 s each; the rest is for whoever is before us in its queue.
WARM_S = 150.0


class Watch:
    """At most one task in the background. The warm-up holds the engine's seat, and comes only where nobody waits for it."""

    def __init__(
        self,
        prober: Prober,
        seats: Seats,
        life: Callable[[], Life],
        pauses: Pauses,
        *,
        chats: Callable[[Phone], tuple[str, ...]],
        may_load: Callable[[], bool],
        on: bool,
    ) -> None:
        """chats: the models of a phone that may be warmed up. may_load: now, or is the phone too hot for it? on: `LocalllmSettings.warm`; without it nothing is ever done."""
        self._prober = prober
        self._seats = seats
        self._life = life
        self._pauses = pauses
        self._chats = chats
        self._may_load = may_load
        self._on = on
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """The app is not there, or is not known to be: look for it, ever more seldom, and warm it up."""
        self._begin(self._find)

    def consider(self, phone: Phone) -> None:
        """The app has been found: warm it up, once in its life."""
        if phone.build is Build.WARM and not self._life().warmed and self._may_load():
            self._begin(lambda: self._warm_up(phone))

    async def close(self) -> None:
        self._on = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._on and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(work(), name="localllm watch")

    async def _find(self) -> None:
        for pause_s in self._pauses.find_s:
            await asyncio.sleep(pause_s)
            try:
                phone = await self._prober.phone()
            except AdapterError as exc:
                logger.debug("app not found yet error=%s", exc)
                continue
            if phone.build is Build.WARM and not self._life().warmed:
                await self._warm_up(phone)
            return

    async def _warm_up(self, phone: Phone) -> None:
        """Whoever asks for something meanwhile warms the app up themselves; then the next occasion is waited for."""
        await asyncio.sleep(self._pauses.idle_s)
        model = warm_up_model(self._chats(phone))
        life = self._life()
        if model is None or life.warmed:
            return
        try:
            loaded = (await self._prober.report()).has_loaded(model)
        except AdapterError as exc:
            logger.debug("not warmed up error=%s", exc)
            return
        if loaded:
            life.warmed = True
        if loaded or self._seats.taken or self._seats.waiting or not self._may_load():
            return
        async with self._seats.take():
            life.warmed = True
            life.trouble = await self._warmed(phone, model)
        if life.trouble:
            logger.warning("warm-up failed model=%s why=%s", model, life.trouble)
        else:
            logger.info("warmed up model=%s", model)

    async def _warmed(self, phone: Phone, model: str) -> str:
        """Why it failed, `""` if it did not. A conversation of the app's own chat tab may be in its way (11.2)."""
        self._life().sessions.forget(model)
        try:
            path = f"/health/warm?model={quote(model, safe='')}"
            status, value = await phone.http.post(path, None, within_s=WARM_S)
        except AdapterError as exc:
            return exc.message
        return warm_up_trouble(status, value)
