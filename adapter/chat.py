"""Our own words for one request and for what an engine answers.

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

    Lists of text parts arrive here already joined. images: URLs (`data:...;base64,` or http) of the message's pictures, in
    their order; models with `Can.VISION` see them before the text.
    """

    role: Role
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. parameters: JSON text of the schema (an object) of its arguments.

    strict: the client asked for arguments that follow the schema to the letter. An engine that can hold them to it
    does so anyway.
    """

    name: str
    description: str = ""
    parameters: str = "{}"
    strict: bool = False


class ToolMode(StrEnum):
    """May the model call tools, must it, or must it not?"""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """name: with `REQUIRED`, the only tool that may be called. parallel: several calls in one answer are welcome."""

    mode: ToolMode = ToolMode.AUTO
    name: str | None = None
    parallel: bool = True


class OutputKind(StrEnum):
    """What an answer is held to."""

    JSON = "json_object"
    SCHEMA = "json_schema"
    REGEX = "regex"
    CHOICE = "choice"
    GRAMMAR = "grammar"


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The form that the whole answer (without its reasoning) must have.

    text: the JSON text of the schema (SCHEMA), a regular expression for the whole answer (REGEX), the JSON text of an
    array of strings, of which the answer is one (CHOICE), a GBNF grammar with a rule `root` (GRAMMAR), "" (JSON: any object).
    param: the request's field that it came from, for error texts.
    """

    kind: OutputKind
    text: str = ""
    param: str = "response_format"


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model may think before it answers. `None`: as it likes.

    effort: one of none, minimal, low, medium, high, xhigh, max. max_tokens: >= 0; after so many tokens of reasoning the block is closed and
    the answer begins. What `effort` means is the engine's business (a word in the template, or a number of tokens).
    """

    effort: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TokenBias:
    """Added to the logit of a token, by its id in the model's own vocabulary. bias: -100..100; -100 forbids it."""

    token: int
    bias: float


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
    logit_bias: tuple[TokenBias, ...] = ()


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat request. `model` is the name as the engine that gets it knows it.

    n: 1..128 answers to the same messages. logprobs: `None` for none, else how many alternatives (0..20) to report
    beside each token. template_options: JSON text of an object of further variables for the model's chat template
    (`chat_template_kwargs` of vLLM and llama-server). A last message from the assistant, without calls, is a partial
    answer: the engine continues it, and answers with the new text only. session: the client's own name for this
    conversation (`session_id` of the LocalLLM app), a hint. hops: ids of the Farmhands that the request has passed through, this
    one last, for engines whose upstream may be another one.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    output: OutputFormat | None = None
    reasoning: Reasoning = field(default_factory=Reasoning)
    n: int = 1
    logprobs: int | None = None
    template_options: str = "{}"
    session: str | None = None
    hops: tuple[str, ...] = ()

    @property
    def continues(self) -> bool:
        """Is the last message a partial answer to go on with?"""
        last = self.messages[-1] if self.messages else None
        return last is not None and last.role is Role.ASSISTANT and not last.tool_calls


@dataclass(frozen=True, slots=True)
class Completion:
    """Text to go on with, without a chat template. Exactly one of `text` and `tokens` is given.

    tokens: ids of the model's own vocabulary. suffix: what follows the gap, for models that fill in the middle.
    echo: the answer begins with the prompt. The rest as in `Chat`.
    """

    model: str
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    suffix: str | None = None
    echo: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    output: OutputFormat | None = None
    n: int = 1
    logprobs: int | None = None
    hops: tuple[str, ...] = ()


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
    a token, or the text with the model's vocabulary from a copy of its file. `estimated`: worked out from the length of the text.
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
class TokenLogprob:
    """One token of an answer. token: its text (U+FFFD for bytes that are no character by themselves).

    bytes: its own bytes. logprob: natural logarithm of its probability in the model's own distribution, before
    temperature and penalties; <= 0. top: the likeliest tokens at this place, best first, without `top` of their own.
    """

    token: str
    bytes: tuple[int, ...]
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


# `choice` in the events below: which of the `n` answers, from 0.


@dataclass(frozen=True, slots=True)
class Started:
    """The engine has taken the request up: past its queue, prefill begins. Exactly one, first."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text of the answer: whole Unicode characters, never empty. logprobs: of the tokens it came from, if asked for."""

    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """New text of the model's reasoning, without its tags: whole characters, never empty."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A call that the model makes, or more of its arguments. Calls of one answer come one after the other.

    index: which call of the answer, from 0. The first delta of a call has `id` and `name`, later ones have
    neither. The joined `arguments` of a call are the JSON text of an object, unless `max_tokens` cut it (`length`).
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ChoiceFinished:
    """One of several answers is complete. With `n` > 1 every choice gets exactly one, the last included, and all of them
    come before `Finished`. Not sent for `n` = 1."""

    choice: int
    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Finished:
    """All is complete. Exactly one, last. No answer without it is complete.

    reason: that of choice 0. usage: of all choices together; the prompt counts once.
    """

    reason: FinishReason
    usage: Usage


Event = Started | TextDelta | ReasoningDelta | ToolCallDelta | ChoiceFinished | Finished


@dataclass(frozen=True, slots=True)
class Embedding:
    """vectors: one for each text, in their order, of equal width and length 1. prompt_tokens: of all texts together."""

    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """ids: in the model's own vocabulary. pieces: the bytes of each; control tokens show their name."""

    ids: tuple[int, ...]
    pieces: tuple[bytes, ...]
