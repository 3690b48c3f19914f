"""Our words -> OpenAI's JSON: what all answers share, errors, models. Pure.

The forms are the "safe form" of `protocols/clients.md` 5: every key there that some client breaks without is
always present. What OpenAI has no place for goes under the one extension key `farmhand`, which every
client tried ignores. Chats are in `openai_render_chat.py`, completions in `openai_render_text.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from adapter.chat import ChoiceFinished, Finished, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from adapter.engines.base import EMULATED, Can, ModelCard
from adapter.errors import AdapterError
from adapter.wire import sse

Json = dict[str, Any]
Delta = TextDelta | ReasoningDelta | ToolCallDelta


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every chunk of one answer repeats. `created`: whole seconds since 1970. remarks: more for the extension, by key."""

    id: str
    created: int
    model: str
    engine: str
    ignored: tuple[str, ...] = ()
    remarks: tuple[tuple[str, Any], ...] = ()

    def extension(self, usage: Usage | None = None) -> Json:
        """The `farmhand` key: who answered, how tokens were counted, which fields had no effect."""
        said: Json = {"engine": self.engine}
        if usage is not None:
            said["usage"] = {"prompt_tokens": usage.prompt_source, "completion_tokens": usage.completion_source}
        if self.ignored:
            said["ignored"] = list(self.ignored)
        return said | dict(self.remarks)


class AnswerForm(Protocol):
    """One answer on its way out: collected for a plain body, or chunk by chunk.

    `envelope` may be replaced at any time: who answers is known only once somebody does.
    """

    envelope: Envelope

    def add(self, event: Delta | ChoiceFinished) -> None:
        """More of a plain answer."""

    def body(self, end: Finished) -> Json:
        """The whole plain answer."""

    def opening(self) -> list[Json]:
        """What a stream says at once, before there is any text."""

    def chunk(self, event: Delta | ChoiceFinished) -> Json | None:
        """What a stream says of an event; `None` for nothing yet."""

    def keepalive(self) -> Json:
        """Nothing new, in the only form of patience that keeps every direct client (`protocols/clients.md` 6)."""

    def closing(self, end: Finished) -> list[Json]:
        """The last chunks."""

    def failed(self, error: AdapterError) -> list[Json]:
        """The last chunks of a stream that breaks off: nobody may take it for a whole answer."""

    def frame(self, chunk: Json) -> bytes:
        """A chunk as it lies on the wire."""

    @property
    def done(self) -> bytes:
        """What follows the last chunk of a whole answer; not of one that failed."""


class OpenaiFrames:
    """The frames of a stream as chats and completions have them."""

    done = sse.DONE

    def failed(self, error: AdapterError) -> list[Json]:
        return [render_error(error)]

    def frame(self, chunk: Json) -> bytes:
        return sse.encode(dump(chunk))


class Open:
    """Which of `n` choices are not complete yet. Nothing is asked of it per token."""

    def __init__(self, n: int) -> None:
        self._open = list(range(n))

    @property
    def first(self) -> int:
        return self._open[0] if self._open else 0

    def close(self, choice: int) -> bool:
        """This one is complete. Returns whether others are not: the last one's end belongs to the answer's end."""
        if len(self._open) > 1 and choice in self._open:
            self._open.remove(choice)
            return True
        return False


def dump(value: Json) -> bytes:
    """Compact UTF-8 JSON. A half surrogate pair, from a request's text in an error, is sent as "?"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def finite_logprob(logprob: float) -> float:
    """JSON has no infinity and no NaN; OpenAI writes -9999 for what cannot come."""
    return -9999.0 if math.isnan(logprob) else max(logprob, -9999.0)


def render_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


# --- errors ---------------------------------------------------------------------------------------------------


def render_error(error: AdapterError) -> Json:
    """The one place where an error body is built: full form, since other forms lose the text in the SDKs."""
    return {
        "error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    }


# --- models ---------------------------------------------------------------------------------------------------


def render_model(name: str, card: ModelCard, *, engine: str, created: int, instance: str = "") -> Json:
    """One model object. LiteLLM reads the sizes, which must be integers (`protocols/clients.md` 2.10).

    instance: this Farmhand's id; `via` then says through which ones the model is reached, so that none lists its own as another's.
    """
    extension: Json = {
        "engine": engine,
        "model": card.id,
        "loaded": card.loaded,
        "multiline": card.multiline,
        "can": sorted(card.can),
    }
    if Can.CHAT in card.can and (around := EMULATED - card.can):
        extension["emulated"] = sorted(around)
    if Can.EMBEDDINGS in card.can and card.embedding_size:
        extension["embedding_size"] = card.embedding_size
    if instance:
        extension["via"] = [instance, *card.via]
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": engine,
        "context_length": card.context_tokens,
        "max_model_len": card.context_tokens,
        "max_input_tokens": card.context_tokens,
        "max_output_tokens": card.max_output_tokens,
        "farmhand": extension,
    }


def render_model_list(models: Sequence[Mapping[str, Any]]) -> Json:
    return {"object": "list", "data": [dict(model) for model in models]}
