"""One try of one target: what is asked of it, its place in the queue, and what is learned of how it went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace

from adapter.breaker import Breakers
from adapter.caller import Caller
from adapter.chat import (
    Chat,
    Completion,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from adapter.counting import TokenCounter
from adapter.dispatch.continuing import continuation, joined_end
from adapter.dispatch.course import Step
from adapter.dispatch.items import Item, Queued, Remark, Seam
from adapter.dispatch.progress import Progress
from adapter.dispatch.stages import answer_of
from adapter.engines.base import Engine, Raw, Relays, Seated, Tokenizes, Unheeding, Wire
from adapter.errors import AdapterError
from adapter.queueing.gate import Gate
from adapter.queueing.place import Place
from adapter.routing import Target
from adapter.settings import EngineSettings
from adapter.tokens import estimate_prompt_tokens, estimate_tokens

logger = logging.getLogger(__name__)

# Counting what was sent, with the tokenizer of whoever goes on; the client is waiting.
COUNT_S = 2.0
# Stands for what somebody else was asked before.
NOBODY = Chat("", ())


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


@dataclass(frozen=True, slots=True)
class Post:
    """An engine, what it can be asked for, and the queue in front of it.

    Found out once: asking a class whether it has a protocol's methods costs more than a small request's routing.
    """

    engine: Engine
    gate: Gate | None
    seated: Seated | None
    relays: Relays | None
    unheeding: Unheeding | None
    settings: EngineSettings | None


class Attempt:
    """`begin`, `wait`, then `events` to their end, telling `finished` or `failed`. Whoever makes one owes a `leave`.

    end: after `begin`, the end of an answer that has all its tokens already, so that there is nothing to ask for. first_s: when the first
    of the answer came, of the clock of `now_s`.
    """

    __slots__ = (
        "_began_s",
        "_breakers",
        "_complete",
        "_crowd",
        "_job",
        "_now_s",
        "_place",
        "_post",
        "_told",
        "_used",
        "end",
        "first_s",
        "step",
    )

    def __init__(self, job: Job, step: Step, post: Post, breakers: Breakers, now_s: Callable[[], float]) -> None:
        self.step = step
        self.end: Finished | None = None
        self.first_s: float | None = None
        self._crowd = (0, 0)
        self._job = job
        self._post = post
        self._breakers = breakers
        self._now_s = now_s
        self._place: Place | None = None
        self._began_s = 0.0
        self._used = 0
        self._complete = False
        self._told = False

    async def begin(self, progress: Progress) -> list[Item]:
        """What there is to say before the answer. Raises as `Gate.enter`."""
        step, target = self.step, self.step.target
        if step.pause_s:
            await asyncio.sleep(step.pause_s)
        items: list[Item] = [target]
        if step.continues is not None:
            self._used = await self._tokens_of(progress.text)
            rest = continuation(self._job.request, progress.text, self._used)
            if rest is None:
                self.end = _complete_by_length(self._job.request, self._used)
                return []
            logger.info("answer continued engine=%s model=%s", target.engine, target.model)
            items.insert(0, _seam(step.continues, step, progress))
            # Of two who answer, neither's count is the answer's.
            self._job = replace(self._job, request=rest, wire=None, asked=[NOBODY])
        if self._post.unheeding is not None and (unheeded := self._unheeded(self._post.unheeding)):
            items.append(Remark("ignored", unheeded))
        if self._post.gate is not None:
            place = self._place = self._post.gate.enter(self._job.caller)
            items.append(Queued(place.position, place.depth, place.wait_s))
        return items

    async def wait(self) -> None:
        """Until there is a seat. Raises as `Place.wait`."""
        if self._place is not None and self._place.position:
            await self._place.wait()
        self._began_s = self._now_s()

    def events(self) -> AsyncGenerator[Item, None]:
        """The engine's answer, with what has to be done around it."""
        job, post = self._job, self._post
        return answer_of(
            post.engine,
            self.step.target,
            job.request,
            relays=post.relays,
            wire=job.wire,
            streaming=job.streaming,
            settings=post.settings,
            asked=job.asked,
        )

    async def finished(self, end: Finished, progress: Progress, counter: TokenCounter) -> Finished:
        """It was a whole answer. Returns its end with the tokens that were used before, and with better counts where there are some."""
        self._complete = True
        if self._first_word():
            self._breakers.succeeded(self.step.target, self._now_s())
        if self._place is not None:
            self._place.learned(self._now_s() - self._began_s)
        if self._used:
            end = joined_end(end, self._used)
        if UsageSource.ESTIMATED in (end.usage.prompt_source, end.usage.completion_source):
            return await self._counted(end, progress, counter)
        return end

    def look_at(self, item: Item) -> None:
        """Until the answer's first word."""
        if isinstance(item, TextDelta | ReasoningDelta | ToolCallDelta | Raw):
            self.first_s = self._now_s()
            self._crowd = self._crowd_now()

    def pace(self, end: Finished) -> tuple[int, float, float] | None:
        """Of a whole answer its tokens, when the first came and the last; `None` where that says nothing of how fast the engine writes:
        it wrote several at a time, or something around it held the words back."""
        if self.first_s is None or self.step.target.emulated or self._job.request.n > 1:
            return None
        if self._crowd[0] != 1 or self._crowd_now() != self._crowd:
            return None
        return end.usage.completion_tokens, self.first_s, self._now_s()

    def _crowd_now(self) -> tuple[int, int]:
        return (1, 0) if self._post.gate is None else self._post.gate.crowd

    def failed(self, error: AdapterError) -> None:
        if self._first_word():
            self._breakers.failed(self.step.target, error, self._now_s())

    def leave(self) -> None:
        """It is over, however it went."""
        if self._first_word():
            self._breakers.abandoned(self.step.target, self._now_s())
        if self._place is not None:
            # An app works on for somebody who has left; its seat is not free before that is over.
            seated = self._post.seated
            self._place.leave(after=None if self._complete or seated is None else seated.settled())

    # --- parts ----------------------------------------------------------------------------------------------------

    def _first_word(self) -> bool:
        """The breakers are told once, and the first word counts."""
        told, self._told = self._told, True
        return not told

    def _unheeded(self, engine: Unheeding) -> tuple[str, ...]:
        request = self._job.request
        return engine.unheeded(replace(request, model=self.step.target.model)) if isinstance(request, Chat) else ()

    async def _tokens_of(self, text: str) -> int:
        """Tokens of what was sent, with the vocabulary of who goes on, else an estimate."""
        engine, target = self._post.engine, self.step.target
        if isinstance(engine, Tokenizes):
            try:
                async with asyncio.timeout(COUNT_S):
                    tokens = await engine.tokenize(target.model, text, specials=False, parse_specials=False)
                return len(tokens.ids)
            except (AdapterError, TimeoutError) as exc:
                logger.debug("what was sent is estimated engine=%s error=%s", target.engine, exc)
        return estimate_tokens(text)

    async def _counted(self, end: Finished, progress: Progress, counter: TokenCounter) -> Finished:
        """Better counts than estimates, where the vocabulary is at hand and it is known what was asked and said."""
        target, asked = self.step.target, self._job.asked
        if len(asked) != 1 or counter.vocabulary_for(target.engine, target.model) is None:
            return end
        if (said := progress.said) is None:
            return end
        usage = await counter.counted(end.usage, asked[0], said, engine=target.engine, model=target.model)
        return replace(end, usage=usage)


def _seam(before: Target, step: Step, progress: Progress) -> Seam:
    after = step.target
    return Seam(
        at_chars=len(progress.text),
        before=f"{before.engine}/{before.model}",
        after=f"{after.engine}/{after.model}",
        code=step.code,
        relayed_id=progress.relayed_id,
    )


def _complete_by_length(request: Chat | Completion, used_tokens: int) -> Finished:
    """What was sent had all the tokens that were asked for, so there is nothing to go on with."""
    contents = [m.content for m in request.messages] if isinstance(request, Chat) else [request.text or ""]
    usage = Usage(
        max(1, estimate_prompt_tokens(contents)),
        max(1, used_tokens),
        prompt_source=UsageSource.ESTIMATED,
        completion_source=UsageSource.COUNTED,
    )
    return Finished(FinishReason.LENGTH, usage)
