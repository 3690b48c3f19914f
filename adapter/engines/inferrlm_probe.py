"""What we know of the InferrLM app at the other end: asked when needed, believed for a while.

All questions here are answered at once even while the app generates, and none touches the model
(`protocols/inferrlm.md` 5), so they need no seat.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from adapter.dialects.inferrlm_builds import (
    TRAITS,
    Build,
    ModelFacts,
    Probe,
    StoredModel,
    Traits,
    detect_build,
    parse_ps,
    parse_show,
    parse_tags,
    parse_version,
    short_name_to_probe,
)
from adapter.engines.upstream import Upstream
from adapter.errors import UpstreamProtocol, UpstreamTimeout

logger = logging.getLogger(__name__)

# The app can come back as another build (an update), with other models. Losing the connection is noticed by
# itself; this is for what happens in between.
BELIEVED_S = 60.0
# A phone's JavaScript thread is busy while it generates, so an answer "at once" can take a moment.
PROBE_S = 5.0


@dataclass(frozen=True, slots=True)
class Phone:
    """The app as it was found."""

    version: str
    build: Build
    models: tuple[StoredModel, ...]

    @property
    def traits(self) -> Traits:
        return TRAITS[self.build]


class Prober:
    """Asks once for everybody who wants to know at the same time."""

    def __init__(self, upstream: Upstream, name: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._name = name
        self._now_s = now_s
        self._asking = asyncio.Lock()
        self._phone: Phone | None = None
        self._asked_at_s = 0.0
        self._facts: dict[str, ModelFacts] = {}

    async def phone(self) -> Phone:
        """The app as it is, or was at most `BELIEVED_S` ago. Raises the errors of `Upstream`."""
        async with self._asking:
            if self._phone is None or self._now_s() - self._asked_at_s > BELIEVED_S:
                found = await self._probe()
                if found != self._phone:
                    self._facts.clear()
                    logger.info(
                        "app found engine=%s version=%s build=%s models=%d",
                        self._name, found.version, found.build, len(found.models),
                    )  # fmt: skip
                self._phone = found
                self._asked_at_s = self._now_s()
            return self._phone

    def forget(self) -> None:
        """The app was closed, or is not what we took it for: ask again before the next request."""
        self._phone = None

    async def loaded(self) -> str | None:
        """The name of the model in memory; `None` if there is none, or while one is being loaded."""
        return parse_ps(await self._get("/api/ps"))

    async def version(self) -> str:
        """A sign of life; an unexpected version makes us forget what we knew."""
        version = parse_version(await self._get("/api/version"))
        if self._phone is not None and self._phone.version != version:
            self.forget()
        return version

    async def facts(self, model: StoredModel) -> ModelFacts:
        """What the app knows about one stored model; asked once. Nothing certain if it takes too long."""
        if model.litert:
            return ModelFacts()
        if model.name not in self._facts:
            try:
                self._facts[model.name] = parse_show(await self._show(model.name))
            except UpstreamTimeout:
                return ModelFacts()
        return self._facts[model.name]

    async def _probe(self) -> Phone:
        """The three probes of section 3, and the list of models that the third one needs."""
        version = parse_version(await self._get("/api/version"))
        models = parse_tags(await self._get("/api/tags"))
        openai = (await self._upstream.get("/v1/models", within_s=PROBE_S)).status == 200
        short = short_name_to_probe(models) if openai else None
        found = None if short is None else (await self._show(short)) is not None
        build = detect_build(Probe(version, openai=openai, short_name_found=found, models=models))
        return Phone(version, build, models)

    async def _show(self, name: str) -> object | None:
        body = json.dumps({"model": name}, ensure_ascii=True).encode("ascii")
        answer = await self._upstream.post("/api/show", body, within_s=PROBE_S)
        return answer.value if answer.status == 200 else None

    async def _get(self, path: str) -> object:
        answer = await self._upstream.get(path, within_s=PROBE_S)
        if answer.status != 200:
            raise UpstreamProtocol(
                f"GET {path} was answered with status {answer.status}: something other than InferrLM listens there. "
                "Check the url in the configuration."
            )
        return answer.value
