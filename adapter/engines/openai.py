"""Any server that speaks OpenAI's language as an engine: Ollama, vLLM, llama-server, LM Studio, another Farmhand.

What is where: requests, answers and errors in `dialects/upstream_openai*.py` (pure), connections in `openai_http.py`, who the server is
in `openai_probe.py`, one answer in `openai_run.py`, and here how they play together. A request is passed on as its own bytes
where nothing has to be changed (`relay`), and read and written anew where something has (`generate`).

Cancelling closes the connection, which ends the work there. There is no queue here: `capacity` says how many may call at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from adapter.chat import Chat, Completion, Embedding, Event, Finished, Message, Started
from adapter.dialects.hops import HOPS_HEADER, render_hops
from adapter.dialects.upstream_openai_answer import Answer
from adapter.dialects.upstream_openai_embeddings import read_embedding
from adapter.dialects.upstream_openai_errors import Peer, failure, no_first_token, read_error
from adapter.dialects.upstream_openai_kinds import Dialect, refuses_tools
from adapter.dialects.upstream_openai_models import cards
from adapter.dialects.upstream_openai_relay_body import adapted, plainly, relay_body
from adapter.dialects.upstream_openai_request import render_chat, render_completion, render_embedding
from adapter.engines.base import Health, ModelCard, Pressure, Raw, Wire
from adapter.engines.openai_http import MAX_BODY_BYTES, Session
from adapter.engines.openai_probe import LIST_S, Prober
from adapter.engines.openai_run import Limits, Request, Run
from adapter.engines.pause import Pause, is_here
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    ModelNotFound,
    NotCapable,
    UpstreamProtocol,
    UpstreamUnreachable,
)
from adapter.secrets import read_secret
from adapter.settings import OpenaiSettings
from adapter.tokens import estimate_prompt_tokens, estimate_tokens

logger = logging.getLogger(__name__)

HEALTH_S = 2.0
# Words that one request may find out to be wrong: the name of the limit, and asking for usage.
MAX_LESSONS = 2
_Request = TypeVar("_Request", Chat, Completion)
_Part = TypeVar("_Part", bound=Event | Raw)


class OpenaiEngine:
    """See `base.Engine`, `Completes`, `Embeds`, `Relays` and `Seated` for the contract."""

    def __init__(self, settings: OpenaiSettings, home: Path | None = None, *, instance: str = "") -> None:
        """`home` is not used. instance: the id of this process, for the hop header. Raises `SecretError` for a key that is not there."""
        self._settings = settings
        self._instance = instance
        headers = dict(settings.headers)
        key = None
        if settings.key is not None:
            key = read_secret(settings.key, setting=f'[[engine]] "{settings.name}": key')
            headers["Authorization"] = f"Bearer {key}"
        secrets = [key, *(value for value in settings.headers.values() if len(value) >= 8)]
        self._peer = Peer(settings.name, settings.url, tuple(secret for secret in secrets if secret))
        self._session = Session(self._peer, settings.url, headers, connect_s=settings.connect_s)
        self._prober = Prober(self._session, self._peer, settings, instance)
        self._limits = Limits(settings.first_token_s, settings.between_tokens_s)
        self._pause = Pause()
        # Unset means: as many as the server likes. Whoever writes the setting down wants it kept.
        self._default_limit = settings.default_max_tokens if "default_max_tokens" in settings.model_fields_set else None
        # Models whose answers cannot be passed on as they are: reasoning in the text, limits not kept.
        self._careful: set[str] = set()

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def capacity(self) -> int:
        return self._settings.capacity

    @property
    def on_this_phone(self) -> bool:
        return is_here(self._settings.url)

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """See `base.Adjusts`. Told only where the server is on this phone: Termux's llama-server, Ollama there."""
        self._pause.set(level, reason, retry_after_s)

    async def settled(self) -> None:
        """At once: a closed connection takes up no seat."""

    async def start(self) -> None:
        """Nothing to do: the server may be started after us, so it is looked for with each request."""

    async def close(self) -> None:
        await self._session.close()

    # --- what there is -------------------------------------------------------------------------------------

    async def models(self) -> Sequence[ModelCard]:
        try:
            return await self._cards()
        except AdapterError as exc:
            self._learn_from(exc)
            logger.debug("no models listed engine=%s error=%s", self.name, exc)
            return []

    async def _cards(self) -> list[ModelCard]:
        settings = self._settings
        listed = await self._prober.listed()
        return cards(
            listed.models,
            listed.dialect,
            names=settings.models,
            context_tokens=settings.context_tokens,
            vision=settings.vision,
            instance=self._instance,
            embeddings=settings.embeddings,
            toolless=self._prober.toolless,
        )

    async def health(self) -> Health:
        if (refused := self._pause.refusal) is not None:
            return Health(False, refused.message)
        try:
            async with asyncio.timeout(HEALTH_S):
                found = await self._cards()
        except TimeoutError:
            return Health(False, f"{self._peer} does not answer within {LIST_S:g} s. Is it overloaded? Try again later.")
        except AdapterError as exc:
            self._learn_from(exc)
            return Health(False, exc.message)
        if not found:
            return Health(False, f"{self._peer} has no model. Load one there, or name its models under `models`.")
        return Health(True, f"{self._peer} answers and has {len(found)} model{'s' if len(found) > 1 else ''}.")

    # --- answers -------------------------------------------------------------------------------------------

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        model = self._theirs(chat.model)
        limit = chat.sampling.max_tokens or self._default_limit
        answer = Answer(
            self._peer,
            model=model,
            prompt_tokens=lambda: estimate_prompt_tokens(_texts(chat.messages)),
            n=chat.n,
            stops=chat.sampling.stop,
            max_tokens=limit,
            logprobs=chat.logprobs,
            made_up=_made_up(),
        )

        def ask(dialect: Dialect) -> Request:
            body = render_chat(_named(chat, model), dialect, max_tokens=self._default_limit)
            return Request("/chat/completions", body, self._hops(chat.hops), model)

        async with aclosing(self._asked(ask, lambda run: run.events(answer))) as events:
            async for event in events:
                yield event

    async def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        model = self._theirs(completion.model)
        limit = completion.sampling.max_tokens or self._default_limit
        text = completion.text
        answer = Answer(
            self._peer,
            model=model,
            prompt_tokens=lambda: estimate_tokens(text) if text else len(completion.tokens or ()),
            n=completion.n,
            # With `echo` the prompt comes first, and neither limit is about it.
            stops=() if completion.echo else completion.sampling.stop,
            max_tokens=None if completion.echo else limit,
            logprobs=completion.logprobs,
            splits=False,
        )

        def ask(dialect: Dialect) -> Request:
            body = render_completion(_named(completion, model), dialect, max_tokens=self._default_limit)
            return Request("/completions", body, self._hops(completion.hops), model)

        async with aclosing(self._asked(ask, lambda run: run.events(answer))) as events:
            async for event in events:
                yield event

    async def _asked(
        self, ask: Callable[[Dialect], Request], begin: Callable[[Run], AsyncGenerator[_Part, None]]
    ) -> AsyncGenerator[_Part, None]:
        """What `begin` makes of the answer. Asked again, in other words, where a refusal says that it is about the words, and once without
        `stream` where a stream ended without a byte."""
        self._pause.check()
        request = ask(await self._dialect())
        lessons, started, plain = 0, False, False
        while True:
            run = Run(self._session, self._peer, request, self._limits)
            try:
                async with aclosing(begin(run)) as parts:
                    async for part in parts:
                        if started and isinstance(part, Started):
                            continue  # of the first ask, which said nothing else
                        yield part
                return
            except AdapterError as exc:
                self._learn_from(exc, request.model)
                if isinstance(exc, UpstreamProtocol) and exc.silent and not plain:
                    request, started, plain = replace(request, body=plainly(request.body)), True, True
                    continue
                dialect = self._prober.learn(exc.message) if isinstance(exc, BadRequest) and not run.started else None
                lessons += 1
                if dialect is None or lessons > MAX_LESSONS:
                    raise
                request = ask(dialect)
            finally:
                if run.needs_care:
                    self._careful.add(request.model)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedding:
        self._pause.check()
        theirs = self._theirs(model)
        limit_s = self._settings.first_token_s

        def late() -> AdapterError:
            return no_first_token(self._peer, limit_s)

        try:
            response = await self._session.post(
                "/embeddings", render_embedding(theirs, texts), headers=self._hops(()), within_s=limit_s, late=late
            )
            if response.status != 200:
                body = await self._session.read_error(response)
                reason, retry_after = read_error(body), response.headers.get("Retry-After")
                raise failure(response.status, reason, self._peer, retry_after=retry_after, model=theirs)
            try:
                async with asyncio.timeout(limit_s):
                    answer = await self._session.read(response, MAX_BODY_BYTES)
            except TimeoutError:
                raise late() from None
            return read_embedding(answer.value(self._peer), texts, self._peer)
        except ContextTooLong as exc:
            exc.param = "input"
            raise
        except AdapterError as exc:
            self._learn_from(exc)
            raise

    # --- bytes ---------------------------------------------------------------------------------------------

    def relay(self, chat: Chat, wire: Wire) -> AsyncGenerator[Started | Raw | Finished, None] | None:
        dialect, names = self._prober.known, self._settings.models
        model = names.get(chat.model, "") if names else chat.model
        if dialect is None or not model or model in self._careful:
            return None
        body = relay_body(_named(chat, model), wire, dialect, adds_limit=self._default_limit is not None)
        if body is None:
            return None
        request = Request(
            wire.path,
            body,
            self._hops(wire.hops or chat.hops),
            model,
            n=chat.n,
            prompt_chars=sum(len(message.content) for message in chat.messages),
            stops=bool(chat.sampling.stop),
            made_up=_made_up(),
            max_tokens=chat.sampling.max_tokens,
        )

        def ask(now: Dialect) -> Request:
            return request if now is dialect else replace(request, body=adapted(body, now))

        return self._asked(ask, lambda run: run.relayed(stream=wire.stream))

    # --- shared --------------------------------------------------------------------------------------------

    async def _dialect(self) -> Dialect:
        dialect = self._prober.known
        return await self._prober.dialect() if dialect is None else dialect

    def _theirs(self, model: str) -> str:
        """The server's name for a model of ours."""
        names = self._settings.models
        if not names:
            return model
        if model not in names:
            known = ", ".join(sorted(names)[:5])
            raise ModelNotFound(f"The engine '{self.name}' has no model '{model[:100]}'; its `models` are {known}.", param="model")
        return names[model]

    def _hops(self, hops: Sequence[str]) -> dict[str, str]:
        """The header, and what a body needs."""
        passed = hops or ((self._instance,) if self._instance else ())
        headers = {"Content-Type": "application/json"}
        if passed:
            headers[HOPS_HEADER] = render_hops(passed)
        return headers

    def _learn_from(self, exc: AdapterError, model: str = "") -> None:
        """What comes back after this may be another server, or another version of it. model: whom the request was for."""
        if isinstance(exc, UpstreamUnreachable | ModelNotFound):
            self._prober.forget()
        elif isinstance(exc, NotCapable) and exc.param == "tools" and refuses_tools(exc.message):
            self._prober.learn_toolless(model)


def _made_up() -> str:
    """An id for an answer that comes without one: to be told apart, not to be guessed."""
    return f"{random.getrandbits(64):016x}"


def _named(request: _Request, model: str) -> _Request:
    return request if request.model == model else replace(request, model=model)


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield message.content + "".join(f"{call.name} {call.arguments}" for call in message.tool_calls)
