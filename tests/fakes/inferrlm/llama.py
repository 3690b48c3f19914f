"""The app's manager of GGUF models: lock, stop words, retries (protocol sections 6, 10.3, 11, 13.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fakes.inferrlm.builds import Traits
from tests.fakes.inferrlm.genlock import GenerationLock
from tests.fakes.inferrlm.models import StoredModel
from tests.fakes.inferrlm.payload import JS_WHITE_SPACE, Message, Settings, as_the_model_gets_it
from tests.fakes.inferrlm.runtime import FakeModelRuntime, LlamaContext, NativeError, Order
from tests.fakes.inferrlm.script import Script

OnToken = Callable[[str], bool]
"""Gets each piece of text; False says that nobody wants more."""


class GenerationFailed(Exception):
    """A generation ended with an error; the text is what an NDJSON client gets to see (10.2)."""


@dataclass(frozen=True)
class GenerationRequest:
    """What an HTTP handler wants generated."""

    messages: Sequence[Message]
    settings: Settings | None
    """None: no option was recognised, so the owner's own settings count (7.3)."""
    script: Script


class LlamaManager:
    """One context at most, in memory or not."""

    def __init__(self, runtime: FakeModelRuntime, traits: Traits, owner_settings: Settings) -> None:
        wait_s = runtime.timing.busy_wait_s if traits.queue == "wait 30 s" else None
        self._runtime = runtime
        self._traits = traits
        self._owner_settings = owner_settings
        self._lock = None if traits.queue == "cut" else GenerationLock(runtime.clock, wait_s)
        self._cancelled = False
        self.context: LlamaContext | None = None

    async def load(self, model: StoredModel) -> None:
        """Load a model, in B and C with up to three ever milder settings (6). Raises NativeError."""
        for attempt in range(1, self._traits.load_attempts + 1):
            try:
                self.context = await self._runtime.load(model.name)
                break
            except NativeError:
                if attempt == self._traits.load_attempts:
                    self.context = None
                    raise
        self._cancelled = False

    async def release(self) -> None:
        """Unload, cutting what runs: its text so far is delivered as the complete answer (11)."""
        if self.context is None:
            return
        context, self.context = self.context, None
        self._cancelled = True
        ended = context.ask_to_stop()
        if self._traits.queue == "cut" and ended is not None:
            await ended.wait()  # llama.rn of that time: the stop, not the release, waits for the end
        await context.release()

    def stop(self) -> None:
        """Stop whatever runs, for whomever (12)."""
        self._cancelled = True
        if self.context is not None:
            self.context.ask_to_stop()

    async def embed(self, text: str) -> Sequence[float]:
        if self.context is None:
            raise NativeError("Model not initialized")
        return await self.context.embedding(text)

    async def generate(self, request: GenerationRequest, on_token: OnToken) -> str:
        """Return the whole text, trimmed. Raises GenerationFailed with the reason."""
        if self.context is None:
            raise GenerationFailed("Model not initialized")
        if self._lock is None:
            return await self._generate(request, on_token)
        await self._lock.acquire()
        try:
            return await self._generate(request, on_token)
        finally:
            self._lock.release()

    async def _generate(self, request: GenerationRequest, on_token: OnToken) -> str:
        self._cancelled = False
        messages = [as_the_model_gets_it(message) for message in request.messages]
        histories = [messages] if self._lock is None else [messages, *_thinned(messages)]
        try:
            for attempt, history in enumerate(histories):
                text = await self._attempt(request, history, attempt, on_token)
                if text is not None:
                    output = text if request.script.output is None else request.script.output
                    return output.strip(JS_WHITE_SPACE)
            raise GenerationFailed("CONTEXT_LENGTH_EXCEEDED")
        finally:
            self._cancelled = False

    async def _attempt(
        self, request: GenerationRequest, history: Sequence[Message], attempt: int, on_token: OnToken
    ) -> str | None:
        """One completion; None if the context was too small and the app has another idea (10.3)."""
        if self.context is None:  # unloaded while this request waited
            raise GenerationFailed("Cannot read property 'completion' of null")
        collected: list[str] = []

        def take(piece: str) -> None:
            if self._cancelled:
                return
            collected.append(piece)
            if not on_token(piece):
                self._cancelled = True

        settings = request.settings or self._owner_settings
        stops = [*settings.stop, *(["\n", "\\n"] if self._traits.newline_stops else [])]
        order = Order(history, settings, stops, request.script, attempt)
        try:
            context_full = await self.context.completion(order, take)
        except NativeError as error:
            if self._lock is not None and "context is full" in str(error).lower():
                return None
            raise GenerationFailed(str(error)) from error
        return None if context_full and self._lock is not None else "".join(collected)


def _thinned(messages: Sequence[Message]) -> list[list[Message]]:
    """The two shorter histories that B and C try when the window is too small (10.3)."""
    system = [message for message in messages if message.role == "system"]
    talk = [message for message in messages if message.role != "system"]
    asked_at = max((at for at, message in enumerate(talk) if message.role == "user"), default=None)
    if not talk:
        return [list(messages), system]
    if asked_at is None:
        return [list(messages), [*system, talk[-1]]]
    exchange = talk[max(0, asked_at - 2) : asked_at]
    if [message.role for message in exchange] != ["user", "assistant"]:
        exchange = []
    return [[*system, *exchange, talk[asked_at]], [*system, talk[asked_at]]]
