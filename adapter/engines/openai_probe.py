"""Who the server at the other end is, and which models it has. No answer is generated to find out.

The list is asked for whenever somebody wants it; who the server is, is kept until it goes away or its list says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapter.dialects.hops import HOPS_HEADER, render_hops
from adapter.dialects.upstream_openai_errors import Peer, failure, read_error, unreadable
from adapter.dialects.upstream_openai_kinds import (
    DETAILS,
    PROBES,
    Dialect,
    Kind,
    dialect_of,
    kind_of_listing,
    kind_of_probes,
    kind_of_url,
    learned,
)
from adapter.dialects.upstream_openai_models import detailed, parse_models
from adapter.engines.openai_http import Session
from adapter.errors import AdapterError, NotFound, UpstreamProtocol
from adapter.settings import OpenaiSettings

logger = logging.getLogger(__name__)

LIST_S = 2.0
PROBE_S = 1.0
# How long a refusal of tools is remembered: somebody may start the server again with the flag that was missing.
TOOLLESS_S = 600.0
_VERSION_ENDS = ("/v1", "/v2", "/v3", "/api/v1", "/openai/v1")


@dataclass(frozen=True, slots=True)
class Listed:
    """models: as the server lists them; empty where it has no such list."""

    kind: Kind
    dialect: Dialect
    models: tuple[Mapping[str, Any], ...]


class Prober:
    """Asks for everybody who wants to know. instance: this Farmhand, for the hop header."""

    def __init__(self, session: Session, peer: Peer, settings: OpenaiSettings, instance: str) -> None:
        self._session = session
        self._peer = peer
        self._settings = settings
        self._headers = {HOPS_HEADER: render_hops((instance,))} if instance else {}
        self._root = root_of(settings.url)
        self._kind: Kind | None = None
        self._dialect: Dialect | None = None
        self._asking = asyncio.Lock()
        self._toolless: dict[str, float] = {}

    @property
    def known(self) -> Dialect | None:
        """How to speak to it, if that has been found out."""
        return self._dialect

    async def dialect(self) -> Dialect:
        """The same, found out now if need be. Raises what `listed` raises."""
        if self._dialect is None:
            async with self._asking:
                if self._dialect is None:
                    await self.listed()
        assert self._dialect is not None
        return self._dialect

    def learn(self, refusal: str) -> Dialect | None:
        """Another way to speak to it, which its refusal tells; `None` if it tells none, or the configuration says otherwise."""
        found = learned(self._dialect, refusal) if self._dialect else None
        if found is None or self._dialect is None:
            return None
        settings = self._settings
        if found.limit_field != self._dialect.limit_field and settings.max_tokens_field != "auto":
            return None
        if found.usage != self._dialect.usage and settings.usage != "auto":
            return None
        self._dialect = found
        return found

    def learn_toolless(self, model: str) -> None:
        """The model, by the server's name, has refused tools as such. Not believed against the configuration."""
        if self._settings.tools == "auto":
            self._toolless[model] = asyncio.get_running_loop().time() + TOOLLESS_S

    @property
    def toolless(self) -> frozenset[str]:
        """Models that have refused tools lately."""
        now_s = asyncio.get_running_loop().time() if self._toolless else 0.0
        return frozenset(model for model, until_s in self._toolless.items() if until_s > now_s)

    def forget(self) -> None:
        """It went away; what comes back may be another one."""
        self._kind = self._dialect = None
        self._toolless.clear()

    async def listed(self) -> Listed:
        """Ask for the models, and who it is if that is not known. Raises our errors; a missing list is none where the configuration names models."""
        answer = await self._session.get("/models", within_s=LIST_S, headers=self._headers)
        models: tuple[Mapping[str, Any], ...] = ()
        if answer.status == 200:
            try:
                models = tuple(parse_models(answer.value(self._peer)))
            except UpstreamProtocol as exc:
                raise unreadable(self._peer, exc.message, answer.body) if exc.message.startswith("what") else exc from None
        elif not (answer.status in (404, 405, 501) and self._settings.models):
            raise self._failure(answer.status, answer.body)
        found = kind_of_url(urlsplit(self._settings.url).hostname or "") or kind_of_listing(
            [*models], answer.headers.get("Server", "")
        )
        self._is(found or self._kind or await self._probed())
        kind, dialect = self._kind, self._dialect
        assert kind is not None and dialect is not None
        if kind in DETAILS and models:
            models = tuple(detailed(models, await self._value(DETAILS[kind])))
        return Listed(kind, dialect, models)

    def _failure(self, status: int, body: bytes) -> AdapterError:
        error = failure(status, read_error(body), self._peer)
        if isinstance(error, NotFound):
            return UpstreamProtocol(f"{self._peer} has no list of models ({status}). Check its `url`, which usually ends in /v1, or name its models.")
        return error

    def _is(self, kind: Kind) -> None:
        if kind is self._kind and self._dialect is not None:
            return
        settings = self._settings
        self._kind = kind
        self._dialect = dialect_of(
            kind,
            tools=settings.tools,
            schema=settings.schema_,
            usage=settings.usage,
            limit_field=settings.max_tokens_field,
        )
        logger.info("upstream found engine=%s kind=%s", settings.name, kind.value)

    async def _probed(self) -> Kind:
        values = await asyncio.gather(*(self._value(path) for path in PROBES.values()))
        return kind_of_probes({kind: value for kind, value in zip(PROBES, values, strict=True) if value is not None})

    async def _value(self, path: str) -> object:
        try:
            answer = await self._session.get(self._root + path, within_s=PROBE_S, headers=self._headers)
            return answer.value(self._peer) if answer.status == 200 else None
        except AdapterError:
            return None


def root_of(url: str) -> str:
    """A base URL without the end that names OpenAI's language: where a server's own addresses begin."""
    for end in sorted(_VERSION_ENDS, key=len, reverse=True):
        if url.endswith(end):
            return url.removesuffix(end)
    return url
