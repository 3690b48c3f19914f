"""The configured engines: made from settings, started, asked for their models, closed."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from adapter.chat import Chat, Event, Started
from adapter.engines.base import Engine, Health, ModelCard
from adapter.errors import AdapterError, BadRequest, ContextTooLong
from adapter.routing import Listing, Target, resolve
from adapter.settings import EngineSettings, Settings

logger = logging.getLogger(__name__)

# Imported only when configured, so that a missing library costs nobody else anything.
ENGINE_CLASSES = {
    "inferrlm": ("adapter.engines.inferrlm", "InferrlmEngine"),
    "llama": ("adapter.engines.llama.engine", "LlamaEngine"),
    "echo": ("adapter.engines.echo", "EchoEngine"),
}
# How long an engine's answer to "what have you got" is believed. Closing an app is noticed within this time.
LISTING_S = 3.0
# How long an engine may take for it: everybody's request waits meanwhile. Engines bound themselves to about 2 s.
ASK_S = 5.0


def build_engine(settings: EngineSettings, home: Path) -> Engine:
    """The engine for one `[[engine]]` section, not started. `home` is the state folder."""
    module, name = ENGINE_CLASSES[settings.kind]
    factory: Any = getattr(importlib.import_module(module), name)
    return cast(Engine, factory(settings, home))


@dataclass(slots=True)
class _Known:
    """What an engine listed last, and when (seconds of the loop's clock)."""

    listing: Listing
    at_s: float


class Registry:
    """All engines of this adapter, in the order of the configuration, which is the order of preference."""

    def __init__(self, engines: Sequence[Engine], routes: Mapping[str, Sequence[str]]) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self.routes = routes
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Listing]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Registry:
        engines = [build_engine(entry, settings.home) for entry in settings.engine]
        return cls(engines, {model.name: model.route for model in settings.model})

    async def start(self) -> None:
        for engine in self._engines.values():
            await engine.start()

    async def close(self) -> None:
        """Close every engine, also when one of them fails to."""
        for task in self._asking.values():
            task.cancel()
        results = await asyncio.gather(*(e.close() for e in self._engines.values()), return_exceptions=True)
        for name, result in zip(self._engines, results, strict=True):
            if isinstance(result, Exception):
                logger.error("engine did not close engine=%s", name, exc_info=result)

    async def health(self) -> dict[str, Health]:
        """Every engine's own word, asked side by side."""
        answers = await asyncio.gather(*(engine.health() for engine in self._engines.values()))
        return dict(zip(self._engines, answers, strict=True))

    async def listings(self) -> list[Listing]:
        """Every engine's models, at most `LISTING_S` old, in order of preference."""
        return list(await asyncio.gather(*(self._listing(engine) for engine in self._engines.values())))

    async def targets(self, asked: str) -> tuple[Target, ...]:
        """Who can answer for the model name `asked`. Raises as `routing.resolve`."""
        return resolve(asked, await self.listings(), self.routes)

    async def _listing(self, engine: Engine) -> Listing:
        known = self._known.get(engine.name)
        if known and asyncio.get_running_loop().time() - known.at_s < LISTING_S:
            return known.listing
        task = self._asking.get(engine.name)
        if task is None or task.done():
            task = asyncio.create_task(self._ask(engine), name=f"listing-{engine.name}")
            self._asking[engine.name] = task
        return await asyncio.shield(task)  # others wait for the same question

    async def _ask(self, engine: Engine) -> Listing:
        """Never raises: one engine that is broken must not take the others' models away."""
        cards: tuple[ModelCard, ...] = ()
        try:
            async with asyncio.timeout(ASK_S):
                cards = tuple(await engine.models())
                trouble = "" if cards else await self._trouble(engine)
        except TimeoutError:
            trouble = f"It did not say within {ASK_S:g} s which models it has."
        except Exception:  # an engine's fault, not a client's
            logger.exception("engine could not be asked for its models engine=%s", engine.name)
            trouble = "It could not be asked for its models; Farmhand's log has the details."
        remembered = self._known.get(engine.name)
        if trouble and remembered:
            cards = remembered.listing.cards
        listing = Listing(engine.name, cards, trouble)
        self._known[engine.name] = _Known(listing, asyncio.get_running_loop().time())
        return listing

    async def _trouble(self, engine: Engine) -> str:
        health = await engine.health()
        return "" if health.ready else health.detail

    async def generate(self, chat: Chat, targets: Sequence[Target]) -> AsyncGenerator[Event | Target, None]:
        """The first target's answer that begins; yields each `Target` that is tried, then its events.

        A target that fails before its first delta is passed over, unless the request itself is at fault. When all
        fail, the first one's error is raised: it is the best engine's, and its remedy the most useful.
        """
        first: AdapterError | None = None
        for target in targets:
            yield target
            engine = self._engines[target.engine]
            begun = False
            try:
                async with aclosing(engine.generate(replace(chat, model=target.model))) as events:
                    async for event in events:
                        begun = begun or not isinstance(event, Started)
                        yield event
                return
            except AdapterError as exc:
                if begun or (isinstance(exc, BadRequest) and not isinstance(exc, ContextTooLong)):
                    raise
                first = first or exc
                logger.warning(
                    "target failed engine=%s model=%s code=%s message=%s",
                    target.engine, target.model, exc.code, exc.message,
                )  # fmt: skip
        assert first is not None
        raise first
