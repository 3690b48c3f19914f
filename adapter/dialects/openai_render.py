"""Our words -> OpenAI's JSON: completions, chunks, errors, models. Pure.

The forms are the "safe form" of `protocols/clients.md` 5: every key there that some client breaks without is
always present. What OpenAI has no place for goes under the one extension key `farmhand`, which every
client tried ignores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import Finished, ReasoningDelta, TextDelta, Usage
from adapter.engines.base import ModelCard
from adapter.errors import AdapterError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every chunk of one answer repeats. `created`: whole seconds since 1970."""

    id: str
    created: int
    model: str
    engine: str
    ignored: tuple[str, ...] = ()

    def extension(self, usage: Usage | None = None) -> Json:
        """The `farmhand` key: who answered, how tokens were counted, which fields had no effect."""
        said: Json = {"engine": self.engine}
        if usage is not None:
            said["usage"] = {"prompt_tokens": usage.prompt_source, "completion_tokens": usage.completion_source}
        if self.ignored:
            said["ignored"] = list(self.ignored)
        return said


@dataclass(slots=True)
class Answer:
    """The parts of a plain answer as they come in."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)

    def add(self, event: TextDelta | ReasoningDelta) -> None:
        (self.text if isinstance(event, TextDelta) else self.reasoning).append(event.text)


def dump(value: Json) -> bytes:
    """Compact UTF-8 JSON. A half surrogate pair, from a request's text in an error, is sent as "?"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


# --- plain answers --------------------------------------------------------------------------------------------


def render_completion(envelope: Envelope, answer: Answer, end: Finished) -> Json:
    """The body of a plain answer. `content` is always a string: null breaks Pydantic AI and ADK."""
    message: Json = {"role": "assistant", "content": "".join(answer.text)}
    if answer.reasoning:
        message["reasoning_content"] = "".join(answer.reasoning)
    return {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": 0, "message": message, "finish_reason": end.reason, "logprobs": None}],
        "usage": render_usage(end.usage),
        "farmhand": envelope.extension(end.usage),
    }


def render_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


# --- streams --------------------------------------------------------------------------------------------------


def _chunk(envelope: Envelope, delta: Json, finish_reason: str | None = None) -> Json:
    return {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def render_role_chunk(envelope: Envelope) -> Json:
    """The first chunk. The JS SDK's helper breaks without the role."""
    return _chunk(envelope, {"role": "assistant", "content": ""})


def render_keepalive_chunk(envelope: Envelope) -> Json:
    """Nothing new: the only form of patience that keeps every direct client (`protocols/clients.md` 6)."""
    return _chunk(envelope, {"content": ""})


def render_delta_chunk(envelope: Envelope, event: TextDelta | ReasoningDelta) -> Json:
    key = "content" if isinstance(event, TextDelta) else "reasoning_content"
    return _chunk(envelope, {key: event.text})


def render_finish_chunks(envelope: Envelope, end: Finished, *, include_usage: bool) -> list[Json]:
    """The last chunk of the choice, then, if it was asked for, the one with the usage and no choice."""
    last = _chunk(envelope, {}, end.reason)
    last["farmhand"] = envelope.extension(end.usage)
    if not include_usage:
        return [last]
    usage = _chunk(envelope, {})
    usage["choices"] = []
    usage["usage"] = render_usage(end.usage)
    return [last, usage]


# --- errors ---------------------------------------------------------------------------------------------------


def render_error(error: AdapterError) -> Json:
    """The one place where an error body is built: full form, since other forms lose the text in the SDKs."""
    return {
        "error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    }


# --- models ---------------------------------------------------------------------------------------------------


def render_model(name: str, card: ModelCard, *, engine: str, created: int) -> Json:
    """One model object. LiteLLM reads the sizes, which must be integers (`protocols/clients.md` 2.10)."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": engine,
        "context_length": card.context_tokens,
        "max_model_len": card.context_tokens,
        "max_input_tokens": card.context_tokens,
        "max_output_tokens": card.max_output_tokens,
        "farmhand": {"engine": engine, "model": card.id, "loaded": card.loaded, "multiline": card.multiline},
    }


def render_model_list(models: Sequence[Mapping[str, Any]]) -> Json:
    return {"object": "list", "data": [dict(model) for model in models]}
