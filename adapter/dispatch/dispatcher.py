"""One request over its targets: queued, asked, watched, and mended where it breaks.

What is decided is decided in `course.py` and `continuing.py`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapter.breaker import Breakers
from adapter.caller import ANYBODY, Caller
from adapter.chat import Chat, Completion, Finished, FinishReason, Usage, UsageSource
from adapter.counting import TokenCounter
from adapter.dispatch.continuing import continuation, joined_end
from adapter.dispatch.course import Course, Step
from adapter.dispatch.items import Item, Queued, Remark, Seam
from adapter.dispatch.progress import Progress
from adapter.dispatch.shorten import shortened
from adapter.dispatch.stages import answer_of
from adapter.engines.base import Engine, Relays, Seated, Tokenizes, Unheeding, Wire
from adapter.engines.registry import Registry
from adapter.errors import AdapterError, EngineUnavailable
from adapter.queueing.gate import Gate, GateState
from adapter.queueing.place import Place
from adapter.retries import retries_for
from adapter.routing import Target
from adapter.settings import RouterSettings, Settings
from adapter.tokens import estimate_prompt_tokens, estimate_tokens

logger = logging.getLogger(__name__)

# Counting what was sent, with the tokenizer of whoever goes on; the client is waiting.
COUNT_S = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """One request. streaming: what is passed on is out, and cannot be taken back.
    asked: what engines got of it in the end, stages considered. wire: the request's own bytes, where they may be passed on.
    """

    request: Chat | Completion
    caller: Caller
    streaming: bool
    wire: Wire | None = None
    asked: list[Chat] = field(default_factory=list)


class Dispatcher:
    """Answers from whichever target can. One for an adapter; `close` it before the registry."""

    def __init__(self, registry: Registry, settings: Settings, *, now_s: Callable[[], float]) -> None:
        """now_s: the loop's clock, in seconds."""
        self._registry = registry
        self._router: RouterSettings = settings.router
        self._now_s = now_s
        self.breakers = Breakers(settings.router)
        self._gates = {
            name: Gate(engine=name, capacity=engine.capacity, queue=queue, now_s=now_s)
            for name, engine, queue in _seated(registry, settings)
        }
        # Asking a class whether it has a protocol's methods costs more than a small request's routing.
        self._seated = {name: engine for name, engine, _ in _seated(registry, settings)}
        self._relays = {n: e for n, e in registry.engines.items() if isinstance(e, Relays)}
        self._unheeding = {n: e for n, e in registry.engines.items() if isinstance(e, Unheeding)}
        self._settings = {entry.name: entry for entry in settings.engine}
        registry.on_answer = lambda engine: self.breakers.answers(engine, now_s())
        self._counter = TokenCounter(Path(settings.home), _vocabularies(settings))

    async def start(self) -> None:
        """Look which vocabularies are at hand."""
        await self._counter.listed()

    async def close(self) -> None:
        await asyncio.gather(*(gate.close() for gate in self._gates.values()), self._counter.close())

    def queues(self) -> Mapping[str, GateState]:
        return {name: gate.snapshot() for name, gate in self._gates.items()}

    def breaker_states(self) -> list[dict[str, Any]]:
        """For display: who failed lately, and for how long each is left alone."""
        now_s = self._now_s()
        return [
            {
                "target": one.target,
                "state": one.state,
                "retry_in_s": None if one.until_s is None else round(max(0.0, one.until_s - now_s), 1),
                "fails": one.fails,
                "code": one.code,
                "message": one.message,
            }
            for one in self.breakers.states(now_s)
        ]

    def chat(
        self, chat: Chat, targets: Sequence[Target], caller: Caller = ANYBODY, *, streaming: bool, wire: Wire | None = None
    ) -> AsyncGenerator[Item, None]:
        """The answer to `chat`, by the first of `targets` that can give it; yields each `Target` that is tried, then its items.

        A failure before anything was passed on goes to the next target, unless the request itself is at fault. A text that breaks off
        is continued, behind a `Seam`, by a target that can. A plain answer is passed on when it is complete. When all
        fail, the first one's error is raised. Closing the iterator leaves the queue and stops the engine.
        """
        return self._answered(Job(chat, caller, streaming, wire), targets)

    def complete(
        self, completion: Completion, targets: Sequence[Target], caller: Caller = ANYBODY, *, streaming: bool
    ) -> AsyncGenerator[Item, None]:
        """As `chat`, for text to go on with. The targets' models have `Can.COMPLETIONS`."""
        return self._answered(Job(completion, caller, streaming), targets)

    # --- the course of one request ----------------------------------------------------------------------------

    async def _answered(self, job: Job, targets: Sequence[Target]) -> AsyncGenerator[Item, None]:
        """One function, since each iterator around another is paid for with every chunk.

        Items go out as they come for a stream, and all at once at the end of a plain answer (`held` until then).
        """
        progress, held = Progress(), list[Item]()
        course, slim = self._course(targets), False
        while True:
            step = self._next(course)
            if step is None:
                slim, step = True, Step(self._roomiest(job, course, progress))
                # Some tenths of a second for each megabyte.
                job, remark = await asyncio.to_thread(_slimmed, job, course)
                yield remark
            attempt = Attempt(job, step, self._posts[step.target.engine], self.breakers, self._now_s)
            try:
                for item in await attempt.begin(progress):
                    yield item
                if attempt.end is not None:
                    for item in (*held, attempt.end):
                        yield item
                    return
                await attempt.wait()
                async with aclosing(attempt.events()) as events:
                    async for item in events:
                        progress.note(item)
                        if isinstance(item, Finished):
                            end = await attempt.finished(item, progress, self._counter)
                            for one in held:
                                yield one
                            yield end
                        elif job.streaming:
                            yield item
                        else:
                            held.append(item)
                return
            except AdapterError as exc:
                attempt.failed(exc)
                if slim:
                    raise
                self._note_failure(job, course, step, exc, progress)
                if not progress.begun:
                    held.clear()
            finally:
                attempt.leave()

    def _course(self, targets: Sequence[Target]) -> Course:
        policy = self._router.retry_policy
        return Course(
            targets, retries=lambda error: retries_for(policy, error), retry_after_s=self._router.retry_after
        )

    def _next(self, course: Course) -> Step | None:
        return course.next(lambda target: self.breakers.may_try(target, self._now_s()))

    def _note_failure(self, job: Job, course: Course, step: Step, exc: AdapterError, progress: Progress) -> None:
        progress.settle()
        continues = progress.continues(job.request) and not exc.spoils
        if not job.streaming and not (continues and course.successors):
            progress.forget()  # nothing of it is out: whoever is next begins anew
        course.failed(step.target, exc, begun=progress.begun, continues=continues)
        logger.warning(
            "target failed engine=%s model=%s code=%s sent_chars=%d message=%s",
            step.target.engine,
            step.target.model,
            exc.code,
            len(progress.text),
            exc.message,
        )

    def _end_of(self, course: Course) -> AdapterError:
        if course.error is not None:
            return course.error
        wait_s = math.ceil(self.breakers.reopens_in_s(course.resting, self._now_s()))
        names = ", ".join(f"{t.engine}/{t.model}" for t in course.resting)
        why = "; ".join(f"{s.code}: {s.message}" for s in self.breakers.states() if _concerns(s.target, course.resting))
        return EngineUnavailable(
            f"{names} failed too often lately and is left alone for another {wait_s} s. The last failure was {why}",
            retry_after_s=wait_s,
        )


def _concerns(name: str, targets: Sequence[Target]) -> bool:
    return any(name in (t.engine, f"{t.engine}/{t.model}") for t in targets)


def _seated(registry: Registry, settings: Settings) -> Iterator[tuple[str, Seated, int]]:
    queues = {entry.name: entry.queue for entry in settings.engine}
    for name, engine in registry.engines.items():
        if isinstance(engine, Seated):
            yield name, engine, queues.get(name, DEFAULT_QUEUE)


# Stands for what somebody else was asked before.
NOBODY = Chat("", ())

# For engines that no settings describe: those of tests.
DEFAULT_QUEUE = 16


def _vocabularies(settings: Settings) -> dict[str, str]:
    return {entry.name: entry.vocabulary for entry in settings.engine if entry.vocabulary}
