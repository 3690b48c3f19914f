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

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.chat import Chat, Event


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model as an engine lists it.

    context_tokens: prompt and answer together. max_output_tokens: the most an answer may have
    (<= context_tokens). multiline: answers may contain line breaks (InferrLM's newer builds stop at the
    first, `protocols/inferrlm.md` 13.1). loaded: in memory now, so that the next answer starts quickly.
    """

    id: str
    context_tokens: int
    max_output_tokens: int
    multiline: bool = True
    loaded: bool = False


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
