"""LiteRT engines, their one live conversation, and sessions (protocols/localllm.md 7.4 to 7.6)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.localllm.errors import EngineFailed, ModelFailed
from tests.fakes.localllm.options import Options
from tests.fakes.localllm.payload import ChatRequest
from tests.fakes.localllm.runtime import Generation

KEPT_ENGINES = 2
BACKEND = "LITERT_CPU"


@dataclass(eq=False, slots=True)
class Conversation:
    """A native conversation: it keeps its own history, the model's real answers included."""

    tools: tuple[str, ...]
    history: list[dict[str, Any]]
    alive: bool = True
    generation: Generation | None = None

    @property
    def is_generating(self) -> bool:
        return self.generation is not None and not self.generation.over.is_set()


@dataclass(frozen=True, slots=True)
class Session:
    """What is remembered of the last successful turn (conditions 2 to 4 of 7.5)."""

    conversation: Conversation
    temperature: float
    top_k: int
    count: int
    digest: str


@dataclass(eq=False, slots=True)
class Engine:
    key: str
    context: int
    load_ms: int
    live: Conversation | None = None
    stuck: bool = False
    """The native side still has a conversation that the app forgot (a failed first turn of a session)."""
    sessions: dict[str, Session] = field(default_factory=dict)


class Registry:
    """The engines that are loaded, oldest first; two at most."""

    def __init__(self, options: Options, log: list[str], close: Callable[[Conversation], None]) -> None:
        self._options = options
        self._log = log
        self._close = close
        self._loading: dict[str, asyncio.Event] = {}
        self.loaded: dict[str, Engine] = {}

    async def get(self, model: str, max_tokens: int | None) -> Engine:
        """The engine of this model and this budget, loaded if need be. Raises EngineFailed (row 9)."""
        self._check(model)
        key = f"{self._name(model)}_{'model' if max_tokens is None else max_tokens}_{BACKEND}"
        while key in self._loading:
            await self._loading[key].wait()
        if key not in self.loaded:
            await self._load(key, max_tokens)
        return self.loaded[key]

    def drop(self, engine: Engine, why: str) -> None:
        if self.loaded.get(engine.key) is not engine:
            return
        del self.loaded[engine.key]
        self._log.append(f"engine dropped {engine.key}: {why}")
        self.close_live(engine)

    def close_live(self, engine: Engine) -> None:
        """Close the live conversation and with it all sessions of the engine, whatever it is doing (7.6)."""
        engine.sessions.clear()
        conversation, engine.live = engine.live, None
        if conversation is not None and conversation.alive:
            conversation.alive = False
            self._log.append(f"conversation close {engine.key}")
            self._close(conversation)

    async def _load(self, key: str, max_tokens: int | None) -> None:
        self._loading[key] = asyncio.Event()
        try:
            await asyncio.sleep(self._options.load_delay_s)
            for oldest in list(self.loaded.values())[: len(self.loaded) - KEPT_ENGINES + 1]:
                self.drop(oldest, "the oldest makes room")
            context = self._options.context_tokens if max_tokens is None else max_tokens
            self.loaded[key] = Engine(key, context, round(self._options.load_delay_s * 1000))
            self._log.append(f"engine load {key}")
        finally:
            self._loading.pop(key).set()

    def _name(self, model: str) -> str:
        return model.removesuffix(".litertlm") if self._options.build == "monolith" else model

    def _check(self, model: str) -> None:
        if self._name(model) not in self._options.models:
            raise EngineFailed("file not found")
        if "-npu-" in model and self._options.build != "monolith":
            raise EngineFailed("this device's SoC is not the bundle's")


class Sessions:
    """Whether a request continues the live conversation or gets a new one (7.5)."""

    def __init__(self, registry: Registry, log: list[str]) -> None:
        self._registry = registry
        self._log = log

    def open(self, engine: Engine, request: ChatRequest, turn: Turn) -> Conversation:
        """The conversation of this request. Raises ModelFailed.

        The app keeps four sessions. Since a new conversation closes all others of its engine and two
        engines live, a third session never comes to be, so the limit needs no code here.
        """
        if self._registry.loaded.get(engine.key) is not engine:
            raise ModelFailed("Engine is closed")
        session = engine.sessions.get(request.session_id) if request.session_id else None
        if session is not None and _continues(session, request):
            self._log.append(f"session reuse {request.session_id} {engine.key}")
            return session.conversation
        if engine.stuck:
            self._registry.drop(engine, "stuck")
            raise ModelFailed("stuck conversation: the engine was thrown away")
        self._registry.close_live(engine)
        conversation = engine.live = Conversation(turn.tools, list(turn.history))
        self._log.append(f"conversation create {engine.key}")
        return conversation

    def succeeded(self, engine: Engine, request: ChatRequest, conversation: Conversation) -> None:
        """A session is remembered; a conversation without one is closed."""
        if not conversation.alive or engine.live is not conversation:
            return
        if not request.session_id:
            self._registry.close_live(engine)
            return
        count, digest = len(request.messages), _digest(request.messages)
        engine.sessions[request.session_id] = Session(
            conversation, request.temperature, request.top_k, count, digest
        )

    def failed(self, engine: Engine, request: ChatRequest, conversation: Conversation) -> None:
        """The session is dropped; on its first turn the conversation is neither cached nor closed (7.5)."""
        if not conversation.alive or engine.live is not conversation:
            return
        first_turn = bool(request.session_id) and request.session_id not in engine.sessions
        engine.stuck = first_turn
        if conversation.is_generating:  # abandoned, not cancelled: the next conversation will meet it (7.8)
            engine.sessions.clear()
        elif first_turn:
            engine.live, conversation.alive = None, False
            self._log.append(f"conversation forgotten {engine.key}")
        else:
            self._registry.close_live(engine)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request as LiteRT gets it: the history with the system text first, the last message, the tools."""

    history: tuple[dict[str, Any], ...]
    prompt: dict[str, Any]
    tools: tuple[str, ...]


def _continues(session: Session, request: ChatRequest) -> bool:
    """Conditions 2 to 5 of 7.5; the first is that the session was found under its engine."""
    same_sampling = (session.temperature, session.top_k) == (request.temperature, request.top_k)
    known, new = request.messages[: session.count], request.messages[session.count :]
    to_say = [message["role"] for message in new if message["role"] != "assistant"]
    return (
        session.conversation.alive
        and same_sampling
        and len(new) > 0
        and _digest(known) == session.digest
        and to_say in (["user"], ["tool"])
    )


def _digest(messages: tuple[dict[str, Any], ...]) -> str:
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
