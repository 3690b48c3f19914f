"""LiteRT models, build C only: the native instance and the app's manager of it (protocol section 13.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.fakes.inferrlm.llama import GenerationFailed, GenerationRequest, OnToken
from tests.fakes.inferrlm.models import StoredModel
from tests.fakes.inferrlm.payload import JS_WHITE_SPACE, Message, Settings, as_the_model_gets_it
from tests.fakes.inferrlm.runtime import FakeModelRuntime, NativeError, Stoppable
from tests.fakes.inferrlm.script import HANG, Script, stand_in_answer

_MAX_PROMPT_CHARS = 8000


@dataclass(frozen=True)
class LiteRTConfig:
    """What a LiteRT model is loaded with; any change means loading it again."""

    max_tokens: float = 1024
    temperature: float = 0.7
    top_k: float = 40
    top_p: float = 0.95
    system_prompt: str = ""


@dataclass
class LiteRTInstance:
    """The native side: a loaded model and the one conversation it is in."""

    runtime: FakeModelRuntime
    ready: bool = False
    turn: int = 0
    """Questions asked in this conversation; earlier ones stay visible to the model."""
    conversation: list[str] = field(default_factory=list)
    _running: Stoppable | None = None

    async def load(self, model: StoredModel) -> None:
        self.runtime.note("litert_load")
        await self.runtime.clock.sleep(self.runtime.timing.load_delay_s)
        if model.name in self.runtime.failing_models:
            raise NativeError("Failed to load model")
        self.ready = True

    def close(self) -> None:
        if self.ready:
            self.runtime.note("litert_close")
        self.ready = False

    def reset_conversation(self) -> None:
        """Begin a new conversation; what runs ends, if the runtime obeys."""
        self.turn = 0
        self.conversation.clear()
        if self._running is not None and self.runtime.litert_obeys_reset:
            self._running.stopping.set()

    async def send(self, prompt: str, script: Script, on_piece: Callable[[str], None]) -> bool:
        """Answer one prompt, piece by piece; return whether it was cut short by a reset.

        Failures are text beginning with `Error: `.
        """
        self.turn += 1
        self.conversation.append(prompt)
        self._running = generation = Stoppable(self.runtime.clock, self.runtime.new_generation())
        self.runtime.note("litert_start", gen=generation.gen, turn=self.turn)
        try:
            await self._produce(generation, prompt, script, on_piece)
            return generation.stopping.is_set()
        finally:
            self._running = None
            self.runtime.note("litert_end", gen=generation.gen, n=generation.produced)

    async def _produce(
        self, generation: Stoppable, prompt: str, script: Script, on_piece: Callable[[str], None]
    ) -> None:
        pieces = stand_in_answer(prompt) if script.pieces is None else script.pieces
        for index, piece in enumerate([*pieces, None]):
            hangs = index == script.hang_after or (prompt == HANG and script.pieces is None)
            default_s = self.runtime.timing.token_delay_s
            await generation.wait(None if hangs else script.delay_s(index, default_s))
            if generation.stopping.is_set() or (piece is None and index != script.fail_after):
                return
            if index == script.fail_after or piece is None:
                on_piece(f"Error: {script.error}")
                return
            generation.produced += 1
            on_piece(piece)


class LiteRTManager:
    """First come, first served, without limit (11)."""

    def __init__(self, runtime: FakeModelRuntime) -> None:
        self._runtime = runtime
        self._queue = asyncio.Lock()
        self._stop_requested = False
        self._config = LiteRTConfig()
        self._model: StoredModel | None = None
        self.instance: LiteRTInstance | None = None

    @property
    def ready(self) -> bool:
        return self.instance is not None and self.instance.ready

    def preload(self, model: StoredModel) -> None:
        """The owner has loaded the model in the app, with the defaults."""
        self._model = model
        self.instance = LiteRTInstance(self._runtime, ready=True)

    async def load(self, model: StoredModel) -> None:
        self._model = model
        await self._load_with(LiteRTConfig())

    async def release(self) -> None:
        if self.instance is not None:
            self.instance.close()
        self.instance = self._model = None

    def stop(self) -> None:
        """Ask for a new conversation. During a load nobody hears it, and later streams stay empty."""
        self._stop_requested = not self.ready
        if self.instance is not None and self.instance.ready:
            self.instance.reset_conversation()

    async def generate(self, request: GenerationRequest, on_token: OnToken | None) -> str:
        """Return the whole text, untrimmed. Raises GenerationFailed with the reason."""
        async with self._queue:
            return await self._generate(request, on_token)

    async def _generate(self, request: GenerationRequest, on_token: OnToken | None) -> str:
        question = _question(request.messages)
        if not question:
            return ""
        instance = await self._loaded(_config_for(request))
        prompt = question
        if sum(message.role == "user" for message in request.messages) > 1:
            instance.reset_conversation()
            prompt = _rewritten(request.messages, question)
        return await self._ask(instance, prompt, request.script, on_token)

    async def _ask(
        self, instance: LiteRTInstance, prompt: str, script: Script, on_token: OnToken | None
    ) -> str:
        collected: list[str] = []
        failures: list[str] = []

        def take(piece: str) -> None:
            if self._stop_requested and on_token is not None:
                return
            if piece.startswith("Error: "):
                failures.append(piece.removeprefix("Error: "))
                return
            collected.append(piece)
            if on_token is not None:
                on_token(piece)

        cut = await instance.send(prompt, script, take)
        if failures:
            raise GenerationFailed(failures[0])
        if on_token is not None and not cut and not self._stop_requested:
            on_token("")  # the runtime's "done" is one more, empty piece
        text = "".join(collected)
        return text if script.output is None else script.output

    async def _loaded(self, config: LiteRTConfig) -> LiteRTInstance:
        if self.instance is None or not self.instance.ready or self._config != config:
            await self._load_with(config)
        assert self.instance is not None
        return self.instance

    async def _load_with(self, config: LiteRTConfig) -> None:
        if self._model is None:
            raise GenerationFailed("engine_not_ready")
        if self.instance is not None:
            self.instance.close()
        self.instance = LiteRTInstance(self._runtime)
        await self.instance.load(self._model)
        self._config = config


def _config_for(request: GenerationRequest) -> LiteRTConfig:
    """Options that matter to LiteRT; without any, its own defaults and not the app's (13.2)."""
    settings = request.settings
    prompt = _system_prompt(request.messages, settings)
    if settings is None:
        return LiteRTConfig(system_prompt=prompt)
    return LiteRTConfig(
        max_tokens=settings.max_tokens,
        temperature=settings.numbers["temperature"],
        top_k=settings.numbers["top_k"],
        top_p=settings.numbers["top_p"],
        system_prompt=prompt,
    )


def _system_prompt(messages: Sequence[Message], settings: Settings | None) -> str:
    """A system message counts only if it is the first message."""
    asked = "" if settings is None else settings.system_prompt.strip(JS_WHITE_SPACE)
    first = messages[0]
    return asked or (first.content.strip(JS_WHITE_SPACE) if first.role == "system" else "")


def _question(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        if message.role == "user" and (text := _trimmed(message)):
            return text
    return ""


def _rewritten(messages: Sequence[Message], question: str) -> str:
    """Several user messages become one prompt, of which the last 8000 characters are kept."""
    talk = [message for message in messages if message.role != "system"]
    asked_at = max(at for at, message in enumerate(talk) if message.role == "user")
    names = {"user": "User", "assistant": "Assistant"}
    lines = [
        f"{names[message.role]}: {_trimmed(message)}"
        for at, message in enumerate(talk)
        if at != asked_at and message.role in names and _trimmed(message)
    ]
    if not lines:
        return question
    so_far = "\n".join(lines)
    prompt = f"Here is the conversation so far:\n{so_far}\n\nAnswer this follow-up question: {question}"
    return prompt[-_MAX_PROMPT_CHARS:]


def _trimmed(message: Message) -> str:
    seen = message if message.role == "assistant" else as_the_model_gets_it(message)
    return seen.content.strip(JS_WHITE_SPACE)
