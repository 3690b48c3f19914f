"""What the embedded engine asks its worker, and what becomes of the worker's frames: bound, time limits, frames -> events, failures -> errors.

Apart from `engine.py`, which an adapter at rest has loaded: all of this is needed only once somebody asks for something.
"""

from __future__ import annotations

import array
import asyncio
import base64
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adapter.chat import (
    Chat,
    ChoiceFinished,
    Completion,
    Embedding,
    Event,
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Sampling,
    Started,
    TextDelta,
    Tokens,
    ToolCallDelta,
    Usage,
)
from adapter.engines.base import Pressure
from adapter.engines.llama import link
from adapter.engines.llama.host import WorkerHost
from adapter.engines.llama.process import Conversation, Died, Worker
from adapter.engines.llama.text import Ended
from adapter.errors import (
    AdapterError,
    BadRequest,
    EngineFailed,
    EngineUnavailable,
    QueueFull,
    UpstreamTimeout,
)
from adapter.reasoning import Part
from adapter.settings import LlamaSettings

Reply = TypeVar("Reply", link.Embedded, link.Tokenized, link.Detokenized)

FINISH_REASONS = {
    Ended.EOG: FinishReason.STOP,
    Ended.STOP: FinishReason.STOP,
    Ended.LENGTH: FinishReason.LENGTH,
    Ended.CALLS: FinishReason.TOOL_CALLS,
}


class Asking:
    """The requests of one engine; `Engine`, `Completes`, `Embeds` and `Tokenizes` say what the methods promise."""

    def __init__(self, settings: LlamaSettings, host: WorkerHost) -> None:
        self._settings = settings
        self._host = host

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        frame = link.Submit(0, replace(chat, sampling=self._limited(chat.sampling)))
        return self._answer(frame, chat.n, "messages")

    def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        frame = link.Complete(0, replace(completion, sampling=self._limited(completion.sampling)))
        return self._answer(frame, completion.n, "prompt")

    def _limited(self, sampling: Sampling) -> Sampling:
        return replace(sampling, max_tokens=sampling.max_tokens or self._settings.default_max_tokens)

    async def _answer(self, frame: link.Submit | link.Complete, n: int, param: str) -> AsyncGenerator[Event, None]:
        self._enter()
        try:
            worker, conversation = await self._begin(frame, param)
            try:
                yield Started()
                limit_s, tally = self._settings.first_token_s, Tally(n)
                while tally.open:
                    got = await self._next(worker, conversation, limit_s)
                    if isinstance(got, link.Delta | link.Call):
                        limit_s = self._settings.between_tokens_s
                    for event in tally.take(got):
                        yield event
            finally:
                conversation.leave()
        finally:
            self._host.leave()

    def _enter(self) -> None:
        """One more user. Raises `QueueFull`; pairs with `host.leave`."""
        if self._host.users >= self._settings.slots + self._settings.queue:
            raise QueueFull(
                f"All {self._settings.slots} slots and all {self._settings.queue} places in the queue are taken. "
                "Try again later, or send fewer requests at a time."
            )
        self._host.enter()

    async def _begin(self, frame: link.Request, param: str) -> tuple[Worker, Conversation]:
        """Hand the request to a worker and wait until it has a slot.

        A worker that dies while the request still queues has shown nobody anything: once, another is tried.
        """
        death = ""
        for _ in range(2):
            worker = await self._host.worker()
            conversation = _submit(worker, frame, param)
            try:
                got = await self._queued(worker, conversation)
            except BaseException:
                conversation.leave()
                raise
            if isinstance(got, link.Started):
                return worker, conversation
            death = got.reason
        raise EngineFailed(f"The llama worker {death}. The next request starts a new one.")

    async def _queued(self, worker: Worker, conversation: Conversation) -> link.Started | Died:
        while True:
            try:
                async with asyncio.timeout(self._settings.first_token_s):
                    frame = await conversation.next()
            except TimeoutError:
                self._kill_if_silent(worker, self._settings.first_token_s)
                continue
            if isinstance(frame, link.Failed):
                raise self._error_of(frame)
            if isinstance(frame, link.Started | Died):
                return frame
            raise EngineFailed(f"The llama worker sent {type(frame).__name__} before the answer began.")

    async def _next(self, worker: Worker, conversation: Conversation, limit_s: float) -> link.Frame:
        """The next frame of a running answer. Raises what became of it otherwise."""
        try:
            async with asyncio.timeout(limit_s):
                frame = await conversation.next()
        except TimeoutError:
            self._kill_if_silent(worker, limit_s)
            raise UpstreamTimeout(
                f"The model produced nothing for {limit_s:g} s. Shorter messages, fewer slots or a smaller model "
                "help; first_token_s and between_tokens_s set how long to wait."
            ) from None
        if isinstance(frame, Died):
            if self._host.level is Pressure.UNLOAD:
                self._host.check_pressure()  # nobody's fault, and it ends by itself
            raise EngineFailed(
                f"The llama worker {frame.reason} in the middle of the answer. The next request starts a new one."
            )
        if isinstance(frame, link.Failed):
            raise self._error_of(frame)
        return frame

    def _error_of(self, frame: link.Failed) -> AdapterError:
        """The worker knows that it is paused, but not why, nor for how long."""
        if frame.code == EngineUnavailable.code:
            self._host.check_pressure()
        return error_of(frame)

    # --- one question, one frame back -----------------------------------------------------------------------

    async def embed(self, texts: Sequence[str]) -> Embedding:
        frame = await self._asked(link.Embed(0, tuple(texts)), link.Embedded, "input")
        return Embedding(tuple(_floats(vector) for vector in frame.vectors), frame.prompt_tokens)

    async def tokenize(
        self, text: str | Sequence[Message], *, specials: bool, parse_specials: bool
    ) -> Tokens:
        if isinstance(text, str):
            asked = link.Tokenize(0, text, specials=specials, parse_specials=parse_specials)
        else:
            asked = link.Tokenize(0, None, tuple(text), specials, parse_specials)
        frame = await self._asked(asked, link.Tokenized, "content" if asked.text is not None else "messages")
        return Tokens(frame.tokens, tuple(base64.b64decode(piece) for piece in frame.pieces))

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return (await self._asked(link.Detokenize(0, tuple(tokens)), link.Detokenized, "tokens")).text

    async def _asked(self, frame: link.Request, kind: type[Reply], param: str) -> Reply:
        """Send one frame, get the one frame that answers it. Cancelling it tells the worker."""
        self._enter()
        try:
            worker = await self._host.worker()
            conversation = _submit(worker, frame, param)
            try:
                while True:
                    got = await self._next(worker, conversation, self._settings.first_token_s)
                    if isinstance(got, kind):
                        return got
                    if not isinstance(got, link.Working):
                        raise EngineFailed(f"The llama worker sent {type(got).__name__} instead of {kind.__name__}.")
            finally:
                conversation.leave()
        finally:
            self._host.leave()

    def _kill_if_silent(self, worker: Worker, limit_s: float) -> None:
        """A worker that has said nothing to anybody for so long hangs; one that works for others does not."""
        if asyncio.get_running_loop().time() - worker.last_frame_s >= limit_s:
            worker.kill(f"it hung: it said nothing for {limit_s:g} s")


@dataclass(slots=True)
class Tally:
    """What has become of a request's answers. open: how many are not complete."""

    n: int
    shown: set[int] = field(default_factory=set)
    ends: dict[int, link.Finished] = field(default_factory=dict)

    @property
    def open(self) -> int:
        return self.n - len(self.ends)

    def take(self, frame: link.Frame) -> Iterator[Event]:
        """One frame -> its events. Raises `EngineFailed` for an answer that ended with nothing in it."""
        match frame:
            case link.Delta(part=Part.TEXT):
                self.shown.add(frame.choice)
                yield TextDelta(frame.text, frame.choice, frame.logprobs)
            case link.Delta(part=Part.REASONING):
                self.shown.add(frame.choice)
                yield ReasoningDelta(frame.text, frame.choice)
            case link.Call():
                self.shown.add(frame.choice)
                yield ToolCallDelta(frame.index, frame.call_id, frame.name, frame.arguments, frame.choice)
            case link.Finished():
                yield from self._finished(frame)
            case _:
                return

    def _finished(self, frame: link.Finished) -> Iterator[Event]:
        if frame.ended is Ended.EOG and frame.choice not in self.shown:
            raise EngineFailed("The model ended its answer before its first character.")
        self.ends[frame.choice] = frame
        if self.n > 1:
            yield ChoiceFinished(frame.choice, FINISH_REASONS[frame.ended])
        if not self.open:
            first = self.ends[0]
            said = sum(end.completion_tokens for end in self.ends.values())
            usage = Usage(first.prompt_tokens, said, cached_tokens=first.cached_tokens)
            yield Finished(FINISH_REASONS[first.ended], usage)


def _submit(worker: Worker, frame: link.Request, param: str) -> Conversation:
    try:
        return worker.submit(frame)
    except link.LinkError as exc:
        raise BadRequest(f"'{param}' is too long: {exc}", param=param) from exc


def _floats(vector: str) -> tuple[float, ...]:
    """base64 of little-endian 32-bit floats -> numbers."""
    numbers = array.array("f", base64.b64decode(vector))
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)


def error_of(frame: link.Failed) -> AdapterError:
    """The error that the worker named."""
    kind = _KINDS.get(frame.code, EngineFailed)
    return kind(frame.message, param=frame.param)


def _all_kinds(kind: type[AdapterError]) -> Iterator[type[AdapterError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _all_kinds(sub)


_KINDS = {kind.code: kind for kind in _all_kinds(AdapterError)}
