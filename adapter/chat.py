"""Our own words for one chat request and for what an engine answers.

Pure: no I/O, no clock. Every dialect translates into and out of these types, every engine
speaks only these types, so that an engine never sees OpenAI's JSON and a route never sees
an app's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Who speaks in a message, in OpenAI's words.

    Engines that know no `developer` treat it as `system` (`protocols/clients.md` 3: a model
    marked as reasoning makes Clawdbot switch from one to the other).
    """

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant made earlier, replayed in the history.

    `arguments` is the JSON text as the client sent it, `"{}"` when it sent none.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation; `content` is plain text, possibly empty.

    Lists of text parts arrive here already joined.
    """

    role: Role
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens and when to stop. `None` means the engine's own default.

    temperature: 0..2 (0 is greedy). top_p, min_p: 0..1. top_k: >= 0 (0 is off).
    frequency_penalty, presence_penalty: -2..2. repeat_penalty: > 0 (1 is off).
    max_tokens: >= 1, tokens of the answer, reasoning included. seed: any 64-bit integer; a hint.
    stop: at most 16 non-empty strings; the answer ends before the first one, which is not part of it.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chat:
    """One request. `model` is the name as the engine that gets it knows it."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)


class FinishReason(StrEnum):
    """Why an answer ended; OpenAI's four words and no others.

    Anything else makes OpenClaw discard the answer (`protocols/clients.md` 2.9).
    """

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class UsageSource(StrEnum):
    """Where token counts come from.

    `exact`: the engine's own tokenizer counted. `counted`: pieces on the wire were counted, one
    a token. `estimated`: worked out from the length of the text.
    """

    EXACT = "exact"
    COUNTED = "counted"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    prompt_source: UsageSource = UsageSource.EXACT
    completion_source: UsageSource = UsageSource.EXACT


@dataclass(frozen=True, slots=True)
class Started:
    """The engine has taken the request up: past its queue, prefill begins. Exactly one, first."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text of the answer: whole Unicode characters, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """New text of the model's reasoning, without its tags: whole characters, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. Exactly one, last. No answer without it is complete."""

    reason: FinishReason
    usage: Usage


Event = Started | TextDelta | ReasoningDelta | Finished
