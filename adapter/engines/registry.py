"""The configured engines: made from settings, started, asked for their models, closed."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from adapter.chat import Embedding, Message, Tokens
from adapter.dispatch.course import is_the_requests_fault
from adapter.engines.base import (
    Adjusts,
    Can,
    Completes,
    Embeds,
    Engine,
    Health,
    ModelCard,
    Placed,
    Pressure,
    Relays,
    Tokenizes,
)
from adapter.errors import AdapterError
from adapter.routing import NO_NEEDS, Listing, Needs, Target
from adapter.routing_memory import Resolver
from adapter.settings import EngineSettings, RouterSettings, Settings

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# Imported only when configured, so that a missing library costs nobody else anything.
ENGINE_CLASSES = {
    "inferrlm": ("adapter.engines.inferrlm", "InferrlmEngine"),
    "localllm": ("adapter.engines.localllm", "LocalllmEngine"),
    "openai": ("adapter.engines.openai", "OpenaiEngine"),
    "llama": ("adapter.engines.llama.engine", "LlamaEngine"),
    "echo": ("adapter.engines.echo", "EchoEngine"),
}
# How long an engine's answer to "what have you got" is believed. Closing an app is noticed within this time.
LISTING_S = 3.0
# How long an engine may take for it: everybody's request waits meanwhile. Engines bound themselves to about 2 s.
ASK_S = 5.0
# How long somebody who cannot be kept waiting waits for a list that is not known at all yet.
HURRY_S = 0.25


def build_engine(settings: EngineSettings, home: Path, instance: str = "") -> Engine:
    """The engine for one `[[engine]]` section, not started. `home` is the state folder. instance: this Farmhand's id in the hop header."""
    module, name = ENGINE_CLASSES[settings.kind]
    factory: Any = getattr(importlib.import_module(module), name)
    if settings.kind == "openai":
        return cast(Engine, factory(settings, home, instance=instance))
    return cast(Engine, factory(settings, home))


@dataclass(slots=True)
class _Known:
    """What an engine listed last, and when (seconds of the loop's clock)."""

    listing: Listing
    at_s: float


class Registry:
    """All engines of this adapter, in the order of the configuration, which is the order of preference."""

    def __init__(
        self, engines: Sequence[Engine], routes: Mapping[str, Sequence[str]], router: RouterSettings | None = None
    ) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self.routes = routes
        router = router or RouterSettings()
        self._resolver = Resolver(routes, router.aliases, router.default_fallbacks)
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Listing]] = {}
        # Told the name of each engine that has said what it has: one that was unreachable is back.
        self.on_answer: Callable[[str], None] = lambda engine: None

    @classmethod
    def from_settings(cls, settings: Settings, *, instance: str = "") -> Registry:
        engines = [build_engine(entry, settings.home, instance) for entry in settings.engine]
        return cls(engines, {model.name: model.route for model in settings.model}, settings.router)

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By name, in order of preference."""
        return self._engines

    def engine(self, name: str) -> Engine:
        return self._engines[name]

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

    async def listings(self, *, waiting: bool = True) -> list[Listing]:
        """Every engine's models, at most `LISTING_S` old, in order of preference.

        Not waiting is for another Farmhand that asks: what other servers have is then told from memory while they are asked anew, since one of
        them may be the one that asks, and wait for us in turn.
        """
        oldest_s = asyncio.get_running_loop().time() - LISTING_S
        known = [self._known.get(name) for name in self._engines]
        fresh = [one.listing for one in known if one is not None and one.at_s > oldest_s]
        if len(fresh) == len(known):  # nearly always: no task for each engine and request
            return fresh
        ask = self._listing if waiting else self._remembered
        return list(await asyncio.gather(*(ask(engine) for engine in self._engines.values())))

    async def targets(
        self,
        asked: str,
        needs: Needs = NO_NEEDS,
        wishes: frozenset[Can] = frozenset(),
        *,
        emulates: frozenset[Can] = frozenset(),
        prompt_tokens: int | None = None,
    ) -> tuple[Target, ...]:
        """Who can answer for the model name `asked` and do what is needed. Arguments and errors as of `routing.resolve`."""
        return self._resolver.resolve(asked, await self.listings(), needs, wishes, emulates, prompt_tokens)

    async def _listing(self, engine: Engine) -> Listing:
        known = self._known.get(engine.name)
        if known and asyncio.get_running_loop().time() - known.at_s < LISTING_S:
            return known.listing
        return await asyncio.shield(self._question(engine))  # others wait for the same question

    async def _remembered(self, engine: Engine) -> Listing:
        """As `_listing`, but of another server what it said last, however long ago, and soon."""
        if not isinstance(engine, Relays):
            return await self._listing(engine)
        known = self._known.get(engine.name)
        if known:
            if asyncio.get_running_loop().time() - known.at_s >= LISTING_S:
                self._question(engine)
            return known.listing
        try:
            async with asyncio.timeout(HURRY_S):
                return await self._listing(engine)
        except TimeoutError:
            return Listing(engine.name, (), "It has not said yet which models it has.")

    def _question(self, engine: Engine) -> asyncio.Task[Listing]:
        task = self._asking.get(engine.name)
        if task is None or task.done():
            task = asyncio.create_task(self._ask(engine), name=f"listing-{engine.name}")
            self._asking[engine.name] = task
        return task

    async def _ask(self, engine: Engine) -> Listing:
        """Never raises: one engine that is broken must not take the others' models away."""
        cards: tuple[ModelCard, ...] = ()
        try:
            async with asyncio.timeout(ASK_S):
                cards = await self._cards(engine)
                trouble = "" if cards else await self._trouble(engine)
                if not cards and not trouble:  # it may have come back between the two questions; a 404 would be wrong then
                    cards = await self._cards(engine)
        except TimeoutError:
            trouble = f"It did not say within {ASK_S:g} s which models it has."
        except Exception:  # an engine's fault, not a client's
            logger.exception("engine could not be asked for its models engine=%s", engine.name)
            trouble = "It could not be asked for its models; Farmhand's log has the details."
        remembered = self._known.get(engine.name)
        if trouble and remembered:
            cards = remembered.listing.cards
        if cards and not trouble:
            self.on_answer(engine.name)
        listing = Listing(engine.name, cards, trouble)
        self._known[engine.name] = _Known(listing, asyncio.get_running_loop().time())
        return listing

    async def _cards(self, engine: Engine) -> tuple[ModelCard, ...]:
        return tuple(_believed(engine, card) for card in await engine.models())

    async def _trouble(self, engine: Engine) -> str:
        health = await engine.health()
        return "" if health.ready else health.detail

    async def embed(self, texts: Sequence[str], targets: Sequence[Target]) -> tuple[Target, Embedding]:
        """The vectors, and who made them. The targets' models have `Can.EMBEDDINGS`."""

        async def ask(engine: Engine, model: str) -> Embedding:
            assert isinstance(engine, Embeds)
            return await engine.embed(model, texts)

        return await self._first_result(ask, targets)

    async def tokenize(
        self, text: str | Sequence[Message], targets: Sequence[Target], *, specials: bool, parse_specials: bool
    ) -> tuple[Target, Tokens]:
        """As `Tokenizes.tokenize`. The targets' models have `Can.TOKENIZE`."""

        async def ask(engine: Engine, model: str) -> Tokens:
            assert isinstance(engine, Tokenizes)
            return await engine.tokenize(model, text, specials=specials, parse_specials=parse_specials)

        return await self._first_result(ask, targets)

    async def detokenize(self, tokens: Sequence[int], targets: Sequence[Target]) -> tuple[Target, str]:
        """As `Tokenizes.detokenize`."""

        async def ask(engine: Engine, model: str) -> str:
            assert isinstance(engine, Tokenizes)
            return await engine.detokenize(model, tokens)

        return await self._first_result(ask, targets)

    async def _first_result(
        self, ask: Callable[[Engine, str], Awaitable[Result]], targets: Sequence[Target]
    ) -> tuple[Target, Result]:
        """The first target's result, only among engines with the same model: vectors and ids of two models do not mix."""
        first: AdapterError | None = None
        for target in targets:
            if target.model != targets[0].model:
                continue
            try:
                return target, await ask(self._engines[target.engine], target.model)
            except AdapterError as exc:
                if is_the_requests_fault(exc):
                    raise
                first = first or exc
                _log_failure(target, exc)
        assert first is not None
        raise first

    @property
    def on_this_phone(self) -> list[str]:
        """The engines that burn this phone's battery, by name."""
        return [name for name, engine in self._engines.items() if _is_here(engine)]

    def lists(self, engine: str, model: str) -> bool:
        """Has the engine said that it has a model of that name, when it was asked last?"""
        known = self._known.get(engine)
        return known is not None and any(card.id == model for card in known.listing.cards)

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> list[str]:
        """Pass it on to every engine that burns this phone's battery, as of `Adjusts.pressure`; returns their names.

        All are told before the first one's failure is raised.
        """
        engines = {name: engine for name, engine in self._engines.items() if _is_here(engine)}
        results = await asyncio.gather(
            *(e.pressure(level, reason=reason, retry_after_s=retry_after_s) for e in engines.values() if isinstance(e, Adjusts)),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return list(engines)


def _is_here(engine: Engine) -> bool:
    return isinstance(engine, Adjusts) and (not isinstance(engine, Placed) or engine.on_this_phone)


def _believed(engine: Engine, card: ModelCard) -> ModelCard:
    """The card without capabilities that the engine has no method for: nobody shall be sent to a method that is not there."""
    claims = [
        (Can.COMPLETIONS, isinstance(engine, Completes)),
        (Can.EMBEDDINGS, isinstance(engine, Embeds)),
        (Can.TOKENIZE, isinstance(engine, Tokenizes)),
    ]
    return replace(card, can=card.can - {can for can, is_so in claims if not is_so})


def _log_failure(target: Target, error: AdapterError) -> None:
    logger.warning(
        "target failed engine=%s model=%s code=%s message=%s", target.engine, target.model, error.code, error.message
    )
