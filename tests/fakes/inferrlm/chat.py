"""`/api/chat`, `/api/generate` and `/v1/chat/completions` (protocol sections 7, 8, 10, 12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from tests.fakes.inferrlm import answers
from tests.fakes.inferrlm.builds import Traits
from tests.fakes.inferrlm.connection import Connection
from tests.fakes.inferrlm.engine import Engine, Refused
from tests.fakes.inferrlm.genlock import ModelBusy
from tests.fakes.inferrlm.llama import GenerationFailed, GenerationRequest
from tests.fakes.inferrlm.payload import Message, Settings
from tests.fakes.inferrlm.runtime import FakeModelRuntime
from tests.fakes.inferrlm.script import Script


class Dialect(Protocol):
    """How one family of endpoints says things."""

    def start(self) -> bytes: ...

    def delta(self, text: str) -> bytes: ...

    def success(self, output: str, duration_ms: int) -> bytes: ...

    def failure(self, error: str) -> bytes: ...

    def plain(self, text: str) -> dict[str, Any]: ...

    def plain_failure(self, error: Exception) -> Refused: ...


@dataclasses.dataclass(frozen=True)
class Native:
    """NDJSON, or one JSON object; failures of a stream have their reason (7.4, 10.2)."""

    model: str

    def start(self) -> bytes:
        return answers.NDJSON_HEAD

    def delta(self, text: str) -> bytes:
        return answers.render_chunk(answers.native_delta(self.model, text))

    def success(self, output: str, duration_ms: int) -> bytes:
        end = answers.native_end(self.model, output, duration_ms)
        return answers.render_chunk(end) + answers.LAST_CHUNK

    def failure(self, error: str) -> bytes:
        return answers.render_chunk(answers.native_failure(self.model, error)) + answers.LAST_CHUNK

    def plain(self, text: str) -> dict[str, Any]:
        return answers.native_plain(self.model, text)

    def plain_failure(self, error: Exception) -> Refused:
        return Refused(500, "generation_failed")


@dataclasses.dataclass(frozen=True)
class OpenAI:
    """Server-sent events; a failed stream is `[DONE]` without a `finish_reason` (8.2, 10.2)."""

    model: str
    completion_id: str = dataclasses.field(default_factory=answers.new_completion_id)

    def start(self) -> bytes:
        return answers.SSE_HEAD

    def delta(self, text: str) -> bytes:
        return answers.render_event(answers.openai_chunk(self.completion_id, self.model, text, None))

    def success(self, output: str, duration_ms: int) -> bytes:
        end = answers.openai_chunk(self.completion_id, self.model, "", "stop")
        return answers.render_event(end) + answers.SSE_DONE

    def failure(self, error: str) -> bytes:
        return answers.SSE_DONE

    def plain(self, text: str) -> dict[str, Any]:
        return answers.openai_plain(self.completion_id, self.model, text)

    def plain_failure(self, error: Exception) -> Refused:
        busy = isinstance(error, ModelBusy) or str(error) == "MODEL_BUSY"
        return Refused(503, "model_busy") if busy else Refused(500, "generation_failed")


@dataclasses.dataclass(frozen=True)
class ChatRequest:
    """A generation request that was understood."""

    model: str | None
    messages: list[Message]
    settings: Settings | None
    stream: bool


class Chat:
    """Runs generations and puts their text on the wire."""

    def __init__(self, engine: Engine, runtime: FakeModelRuntime, traits: Traits, *, remote_enabled: bool):
        self._engine = engine
        self._runtime = runtime
        self._traits = traits
        self._remote_enabled = remote_enabled

    async def run(
        self, connection: Connection, request: ChatRequest, dialect: Callable[[str], Dialect]
    ) -> dict[str, Any] | None:
        """Return the plain answer, or None if there is no more to say. Raises Refused.

        The model is loaded before anything is sent, so errors found until then are plain
        answers with their own status, even for a stream (10.1).
        """
        self._refuse_remote(request.model)
        model = await self._engine.ensure_loaded(request.model)
        speaker = dialect(model.name)
        script = self._runtime.take_script()
        order = GenerationRequest(request.messages, request.settings, script)
        if request.stream:
            await self._stream(connection, order, speaker, script)
            return None
        try:
            text = await self._generate(order, None)
        except (GenerationFailed, ModelBusy) as error:
            raise speaker.plain_failure(error) from error
        if script.reset_after is not None:
            connection.reset()
            return None
        return speaker.plain(text)

    def _refuse_remote(self, model: str | None) -> None:
        """Cloud providers are off unless the owner enabled them, and their keys stay on the phone (6)."""
        if model == "apple-foundation":
            raise Refused(503, "apple_foundation_not_available")
        if model in self._traits.remote_providers:
            if self._remote_enabled:
                raise Refused(422, "api_key_missing")
            raise Refused(409, "remote_models_disabled")

    async def _generate(self, order: GenerationRequest, on_token: Callable[[str], bool] | None) -> str:
        if order.script.refuse is not None:
            raise GenerationFailed(order.script.refuse)
        return await self._engine.generate(order, on_token)

    async def _stream(
        self, connection: Connection, order: GenerationRequest, speaker: Dialect, script: Script
    ) -> None:
        started_s = self._runtime.clock.now_s()
        stream = _Stream(connection, speaker, script)
        stream.start()
        unsubscribe = connection.on_close(lambda: self._client_left(stream))
        try:
            output = await self._generate(order, stream.token)
            duration_ms = int((self._runtime.clock.now_s() - started_s) * 1000)
            stream.finish(speaker.success(output, duration_ms))
        except (GenerationFailed, ModelBusy) as error:
            stream.finish(speaker.failure(str(error)))
        finally:
            unsubscribe()

    def _client_left(self, stream: _Stream) -> None:
        """C stops the runtime, without asking whose generation it is working on (12)."""
        if self._traits.stops_on_disconnect:
            stream.listened_to = False
            self._engine.stop()


class _Stream:
    """The text of one stream on its way out, and the scripted ways to lose it."""

    def __init__(self, connection: Connection, speaker: Dialect, script: Script) -> None:
        self._connection = connection
        self._speaker = speaker
        self._script = script
        self._deltas = 0
        self.listened_to = True

    def start(self) -> None:
        self._connection.write(self._speaker.start())
        self._maybe_reset()

    def token(self, text: str) -> bool:
        if not self.listened_to:
            return False
        if self._script.lose_tail_after is None or self._deltas < self._script.lose_tail_after:
            self._connection.write(self._speaker.delta(text))
        self._deltas += 1
        self._maybe_reset()
        return True

    def finish(self, last_words: bytes) -> None:
        """The final bytes and the close; on Android they race, and the bytes can lose (4.3)."""
        if self._connection.gone:
            return
        if self._script.lose_tail_after is None:
            self._connection.write(last_words)
        self._connection.end()

    def _maybe_reset(self) -> None:
        if self._deltas == self._script.reset_after:
            self._connection.reset()
