"""One request over its targets: queued, asked, watched, and mended where it breaks.

What is decided is decided in `course.py` and `continuing.py`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter.breaker import Breakers
from adapter.caller import ANYBODY, Caller
from adapter.chat import Chat, Completion, Finished
from adapter.counting import TokenCounter
from adapter.dispatch.attempt import Attempt, Job, Post
from adapter.dispatch.course import Course, Step
from adapter.dispatch.items import Item
from adapter.dispatch.progress import Progress
from adapter.dispatch.shorten import shortened
from adapter.engines.base import Engine, Relays, Seated, Unheeding, Wire
from adapter.engines.registry import Registry
from adapter.errors import AdapterError, EngineUnavailable
from adapter.queueing.gate import Gate, GateState
from adapter.retries import retries_for
from adapter.routing import Target
from adapter.settings import EngineSettings, RouterSettings, Settings

logger = logging.getLogger(__name__)

# For engines that no settings describe: those of tests.
DEFAULT_QUEUE = 16


class Dispatcher:
    """Answers from whichever target can. One for an adapter; `close` it before the registry."""

    def __init__(self, registry: Registry, settings: Settings, *, now_s: Callable[[], float]) -> None:
        """now_s: the loop's clock, in seconds."""
        self._router: RouterSettings = settings.router
        self._now_s = now_s
        self.breakers = Breakers(settings.router)
        configured = {entry.name: entry for entry in settings.engine}
        self._posts = {name: _post(engine, configured.get(name), now_s) for name, engine in registry.engines.items()}
        self._gates = {name: post.gate for name, post in self._posts.items() if post.gate is not None}
        # Told of each whole answer how fast it was written, where that can be told: target, tokens, when the first came, and the last.
        self.on_pace: Callable[[Target, int, float, float], None] = lambda target, tokens, first_s, last_s: None
        registry.on_answer = lambda engine: self.breakers.answers(engine, now_s())
        self._counter = TokenCounter(Path(settings.home), _vocabularies(settings))

    async def start(self) -> None:
        """Look which vocabularies are at hand."""
        await self._counter.listed()

    async def close(self) -> None:
        await asyncio.gather(*(gate.close() for gate in self._gates.values()), self._counter.close())

    def press(self, held: Collection[str], error: Callable[[], AdapterError] | None) -> None:
        """The phone has changed: who waits for one of the engines `held`, or comes, is told `error`, made anew for each (`None`: nobody is),
        and tries its next target. How many each engine serves at a time is looked at anew."""
        for name, gate in self._gates.items():
            gate.hold(error if name in held else None)
            if (seated := self._posts[name].seated) is not None:
                gate.resize(seated.capacity)

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
                error, request = self._end_of(course), job.request
                if not (course.too_long and self._router.prompt_diet and isinstance(request, Chat)) or progress.begun:
                    raise error
                # Some tenths of a second for each megabyte.
                target, request, remark = await asyncio.to_thread(shortened, request, course.too_long, error)
                job, step, slim = replace(job, request=request, wire=None), Step(target), True
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
                        if attempt.first_s is None:
                            attempt.look_at(item)
                        if isinstance(item, Finished):
                            if (pace := attempt.pace(item)) is not None:
                                self.on_pace(step.target, *pace)
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


def _post(engine: Engine, settings: EngineSettings | None, now_s: Callable[[], float]) -> Post:
    seated, queue = engine if isinstance(engine, Seated) else None, settings.queue if settings else DEFAULT_QUEUE
    return Post(
        engine,
        gate=Gate(engine=engine.name, capacity=seated.capacity, queue=queue, now_s=now_s) if seated else None,
        seated=seated,
        relays=engine if isinstance(engine, Relays) else None,
        unheeding=engine if isinstance(engine, Unheeding) else None,
        settings=settings,
    )


def _vocabularies(settings: Settings) -> dict[str, str]:
    return {entry.name: entry.vocabulary for entry in settings.engine if entry.vocabulary}
