"""Engine `llama`: the embedded model, in a worker process of its own. See DESIGN.md beside this file.

Never imports llama_cpp: a native abort, or a kill for lack of memory, must not take the adapter along.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from adapter.chat import Chat, Event, Finished, FinishReason, ReasoningDelta, Started, TextDelta, Usage
from adapter.engines.base import Health, ModelCard
from adapter.engines.llama import link
from adapter.engines.llama.host import WorkerHost
from adapter.engines.llama.model_file import model_id
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

FINISH_REASONS = {
    Ended.EOG: FinishReason.STOP,
    Ended.STOP: FinishReason.STOP,
    Ended.LENGTH: FinishReason.LENGTH,
}


class LlamaEngine:
    def __init__(self, settings: LlamaSettings, home: Path) -> None:
        """`home`: the state folder, whose `models` are known by their bare names."""
        self._settings = settings
        self._host = WorkerHost(settings, home)

    @property
    def name(self) -> str:
        return self._settings.name

    async def start(self) -> None:
        """With `preload` the model is loaded from now on, in the background."""
        if self._settings.preload:
            self._host.begin_spawning()

    async def close(self) -> None:
        await self._host.close()

    async def models(self) -> Sequence[ModelCard]:
        """The one model; nothing when its file or the library is missing or damaged (`health` says which)."""
        worker = self._host.running
        try:
            context = worker.ready.ctx_tokens if worker else await asyncio.to_thread(self._context_by_file)
        except EngineUnavailable:
            return []
        return [
            ModelCard(
                model_id(self._settings.model),
                context_tokens=context,
                max_output_tokens=context,
                loaded=worker is not None,
            )
        ]

    def _context_by_file(self) -> int:
        self._host.check()
        asked = self._settings.ctx_tokens
        return min(asked, self._host.file.meta().context_length or asked)

    async def health(self) -> Health:
        if worker := self._host.running:
            return Health(True, f"The model {worker.ready.description} is loaded.")
        try:
            self._host.check_pause()
            await asyncio.to_thread(self._host.check)
        except EngineUnavailable as exc:
            return Health(False, exc.message)
        return Health(True, f"The model {self._host.file.path} is loaded when it is asked for.")

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        if self._host.users >= self._settings.slots + self._settings.queue:
            raise QueueFull(
                f"All {self._settings.slots} slots and all {self._settings.queue} places in the queue are taken. "
                "Try again later, or send fewer requests at a time."
            )
        self._host.enter()
        try:
            worker, conversation = await self._begin(chat)
            try:
                yield Started()
                limit_s, shown = self._settings.first_token_s, False
                while True:
                    frame = await self._next(worker, conversation, limit_s)
                    limit_s = self._settings.between_tokens_s
                    shown = shown or isinstance(frame, link.Delta)
                    if isinstance(frame, link.Finished) and frame.ended is Ended.EOG and not shown:
                        raise EngineFailed("The model ended its answer before its first character.")
                    for event in self._events(frame):
                        yield event
                    if isinstance(frame, link.Finished):
                        return
            finally:
                conversation.leave()
        finally:
            self._host.leave()

    async def _begin(self, chat: Chat) -> tuple[Worker, Conversation]:
        """Hand the request to a worker and wait until it has a slot.

        A worker that dies while the request still queues has shown nobody anything: once, another is tried.
        """
        limit = chat.sampling.max_tokens or self._settings.default_max_tokens
        submit = link.Submit(0, chat.messages, replace(chat.sampling, max_tokens=limit))
        death = ""
        for _ in range(2):
            worker = await self._host.worker()
            try:
                conversation = worker.submit(submit)
            except link.LinkError as exc:
                raise BadRequest(f"The messages are too long: {exc}", param="messages") from exc
            try:
                frame = await self._queued(worker, conversation)
            except BaseException:
                conversation.leave()
                raise
            if isinstance(frame, link.Started):
                return worker, conversation
            death = frame.reason
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
                raise error_of(frame)
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
            raise EngineFailed(
                f"The llama worker {frame.reason} in the middle of the answer. The next request starts a new one."
            )
        if isinstance(frame, link.Failed):
            raise error_of(frame)
        return frame

    def _kill_if_silent(self, worker: Worker, limit_s: float) -> None:
        """A worker that has said nothing to anybody for so long hangs; one that works for others does not."""
        if asyncio.get_running_loop().time() - worker.last_frame_s >= limit_s:
            worker.kill(f"it hung: it said nothing for {limit_s:g} s")

    def _events(self, frame: link.Frame) -> Iterator[Event]:
        match frame:
            case link.Delta(part=Part.TEXT):
                yield TextDelta(frame.text)
            case link.Delta(part=Part.REASONING):
                yield ReasoningDelta(frame.text)
            case link.Finished():
                yield Finished(
                    FINISH_REASONS[frame.ended],
                    Usage(frame.prompt_tokens, frame.completion_tokens, cached_tokens=frame.cached_tokens),
                )
            case _:
                return


def error_of(frame: link.Failed) -> AdapterError:
    """The error that the worker named."""
    kind = _KINDS.get(frame.code, EngineFailed)
    return kind(frame.message, param=frame.param)


def _all_kinds(kind: type[AdapterError]) -> Iterator[type[AdapterError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _all_kinds(sub)


_KINDS = {kind.code: kind for kind in _all_kinds(AdapterError)}
