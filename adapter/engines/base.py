"""The contract between the server and whatever produces tokens.

An engine is anything that satisfies the `Engine` protocol below; `tests/wire/test_engine_contract.py`
holds every engine to this text.

- `generate` either raises an `AdapterError` before it yields anything, or yields `Started`, any number
  of deltas, and exactly one `Finished`, last. A failure after `Started` is an `AdapterError` raised from
  the iterator. The joined `TextDelta`s are the answer, whole characters each.
- An answer without a single character of text or reasoning is an error (`UpstreamProtocol` or
  `EngineFailed`), except when a stop string or `max_tokens` explains it.
- Closing the iterator (`aclose`) or cancelling the task that drives it stops the work: the embedded
  engine frees its slot at the next decode step, a remote engine gives up its connection as far as the app allows
  that without harm. No task outlives its engine.
- Any number of calls may run at once. Beyond the capacity they queue, first come first served; beyond
  the queue they raise `QueueFull`. Time in the queue counts before `Started`.
- `Sampling.stop` and `Sampling.max_tokens` are honoured by every engine. `usage` is never zeros for
  "unknown": it is exact, counted or estimated, and says which.
- `health` is cheap (bounded to about two seconds), never loads a model and never raises.
- `models` lists what can be asked for without loading anything; an engine that cannot be reached
  lists nothing. Never raises an `AdapterError`.
- `close` may be called twice, and before `start`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from adapter.chat import Chat, Completion, Embedding, Event, Finished, Message, Started, Tokens


class Can(StrEnum):
    """What a model behind an engine can do natively, besides plain chats. The router compares it with a request."""

    CHAT = "chat"
    TOOLS = "tools"
    OUTPUT = "response_format"
    GRAMMAR = "grammar"  # a GBNF grammar of the client's own
    VISION = "vision"
    LOGPROBS = "logprobs"
    LOGIT_BIAS = "logit_bias"
    MANY = "n"  # several answers to one request
    CONTINUE = "continue"  # go on with a partial answer
    REASONING = "reasoning"  # a budget for thinking
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    TOKENIZE = "tokenize"


PLAIN_CHAT = frozenset({Can.CHAT})
# What is done around a chat model that cannot do it by itself (`adapter/emulate`).
EMULATED = frozenset({Can.TOOLS, Can.OUTPUT, Can.MANY})


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model as an engine lists it.

    context_tokens: prompt and answer together. max_output_tokens: the most an answer may have
    (<= context_tokens). multiline: answers may contain line breaks (InferrLM's newer builds stop at the
    first, `protocols/inferrlm.md` 13.1). loaded: in memory now, so that the next answer starts quickly.
    embedding_size: width of the vectors of a model with `Can.EMBEDDINGS`, 0 where it is not known. checked: capabilities among
    `can` that the engine has but does not enforce: what it answers is checked against the request, and asked for again if wrong.
    stopgap: the bundled demo model, which answers only where nobody else can. via: the ids of the Farmhands through which it is reached,
    the nearest first; empty for what is no other Farmhand's.
    """

    id: str
    context_tokens: int
    max_output_tokens: int
    multiline: bool = True
    loaded: bool = False
    can: frozenset[Can] = PLAIN_CHAT
    embedding_size: int = 0
    checked: frozenset[Can] = frozenset()
    stopgap: bool = False
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """Can this engine answer now? `detail` is a sentence for a person: the cause and the remedy if not."""

    ready: bool
    detail: str


class Engine(Protocol):
    """See the module's text for what each method promises."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def models(self) -> Sequence[ModelCard]: ...

    async def health(self) -> Health: ...

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]: ...

    async def close(self) -> None: ...


@runtime_checkable
class Completes(Protocol):
    """An engine some of whose models have `Can.COMPLETIONS`."""

    def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        """As `Engine.generate`, for text instead of messages."""


@runtime_checkable
class Embeds(Protocol):
    """An engine some of whose models have `Can.EMBEDDINGS`."""

    async def embed(self, model: str, texts: Sequence[str]) -> Embedding:
        """Vectors of length 1. Raises `ContextTooLong` with `param` "input[3]" for the text that is too long.

        Cancelling it ends the work for this request.
        """


@runtime_checkable
class Tokenizes(Protocol):
    """An engine some of whose models have `Can.TOKENIZE`."""

    async def tokenize(
        self, model: str, text: str | Sequence[Message], *, specials: bool, parse_specials: bool
    ) -> Tokens:
        """Text, or messages through the model's chat template. specials: add BOS and EOS where the vocabulary wants
        them. parse_specials: names of control tokens in the text stand for the tokens."""

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        """Raises `BadRequest` for an id that is not in the vocabulary."""


class Pressure(StrEnum):
    """How hard an engine on this phone may work, from best to worst; see `Adjusts`."""

    SERVE = "serve"
    SLOW = "slow"
    PAUSE = "pause"
    UNLOAD = "unload"


@runtime_checkable
class Adjusts(Protocol):
    """An engine that burns this phone's own battery, unless it is `Placed` elsewhere."""

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """SLOW: fewer threads, one answer at a time. PAUSE: running answers go on, nothing new begins (503 with the reason
        and Retry-After). UNLOAD: running answers fail, the memory is given back, nothing new begins. SERVE: as configured.

        reason: a sentence for people. retry_after_s: when another try makes sense; `None`: nobody said. An app has a memory of its own and
        one seat anyway: SLOW changes nothing for it, and UNLOAD is as PAUSE. Holds until the next call, also for a worker that is
        started meanwhile. `Seated.capacity` may be another one afterwards.
        """


@runtime_checkable
class Placed(Protocol):
    """An engine of a kind that may as well run on another machine."""

    @property
    def on_this_phone(self) -> bool:
        """Does its work burn this phone's battery? Only then it is told of pressure."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A request as the client sent it, for engines that can pass it on. body: its bytes; value: the JSON object in them.

    path: below `/v1`, such as `/chat/completions`. stream: is the answer to be streamed? hops: the ids of the Farmhands
    that it has passed through, this one included, for the hop header.
    """

    path: str
    body: bytes
    value: Mapping[str, Any]
    stream: bool
    hops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """A part of an upstream's answer, to be passed on as it is: whole SSE frames of a stream, or the whole plain body.

    last: `Finished` follows at once, so that this may leave together with the stream's end.
    """

    data: bytes
    last: bool = field(default=False, compare=False)


@runtime_checkable
class Relays(Protocol):
    """An engine whose upstream speaks OpenAI's language itself, so that bytes can be passed on in both directions."""

    def relay(self, chat: Chat, wire: Wire) -> AsyncGenerator[Started | Raw | Finished, None] | None:
        """`None`, at once, where something would have to be changed on the way; `generate` does that then. `chat` is what `wire` says.

        Else `Started`, `Raw`s, and one `Finished` (for the log; its bytes have passed already). The first `Raw` of a stream
        holds the first delta with something in it, and what came before; so a failure before it can be mended elsewhere. An error frame, a
        cut stream or one without a `finish_reason` is an `AdapterError`, as in `generate`; bytes that say so are not passed on.
        """


@runtime_checkable
class Seated(Protocol):
    """An engine that serves few at a time. Whoever calls `generate` keeps to it, so that the engine itself need not queue."""

    @property
    def capacity(self) -> int:
        """How many answers run at a time, >= 1. Another one only after `Adjusts.pressure`."""

    async def settled(self) -> None:
        """Return once work that nobody waits for any more (an app cannot be stopped) takes up no seat. Never raises."""


@runtime_checkable
class Unheeding(Protocol):
    """An engine that takes some fields of a request without honouring them."""

    def unheeded(self, chat: Chat) -> tuple[str, ...]:
        """The fields of `chat` that have no effect here, by OpenAI's names. `chat.model` is the engine's own name."""
