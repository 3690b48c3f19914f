"""The app's process: everything that a crash takes with it (protocols/localllm.md 5.1 row 19, 7.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.localllm.engines import Conversation, Registry, Sessions
from tests.fakes.localllm.ledger import Buckets, Ledger
from tests.fakes.localllm.options import Options, Reply
from tests.fakes.localllm.runtime import Generation, Prompt, Stage


@dataclass(eq=False, slots=True)
class Diary:
    """What a test can look at afterwards; crashes do not touch it."""

    log: list[str] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)
    crashes: int = 0
    overlaps: int = 0
    max_in_flight: int = 0


class App:
    """One life of the process."""

    def __init__(
        self,
        options: Options,
        stage: Stage,
        diary: Diary,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        die: Callable[[], None],
    ) -> None:
        self.options = options
        self.diary = diary
        self.ledger = Ledger(options)
        self.buckets = Buckets(options.rate, options.burst)
        self.mutex = asyncio.Lock()
        """One LiteRT inference at a time, all models together; first come, first served."""
        self.registry = Registry(options, diary.log, self._conversation_closed)
        self.sessions = Sessions(self.registry, diary.log)
        self.benchmark: dict[str, Any] | None = None
        self.documents: dict[str, dict[str, dict[str, Any]]] = {}
        self._stage = stage
        self._spawn = spawn
        self._die = die
        self._in_flight = 0

    def generate(self, prompt: Prompt, reply: Reply, budget: int) -> Generation:
        """Start a native run of at most `budget` tokens; it ends by itself."""
        log = self.diary.log
        self.diary.prompts.append(prompt)
        log.append(f"inference start {prompt.engine}")
        self._enter()

        def ended() -> None:
            log.append(f"inference end {prompt.engine}")
            self._in_flight -= 1

        generation = Generation(reply, budget, self._stage, self.options, ended)
        generation.follow(self._spawn(generation.run()))
        return generation

    @contextmanager
    def request_in_flight(self) -> Iterator[None]:
        """Count a request that has to do with a model, and whether it met another one.

        While it has a native run of its own that one is counted instead, so a run that was
        abandoned (7.8) still counts.
        """
        self.diary.overlaps += self._in_flight > 0
        self._enter()
        try:
            yield
        finally:
            self._in_flight -= 1

    @contextmanager
    def counted_as_run(self) -> Iterator[None]:
        """Inside, the request itself is not counted: its native run is."""
        self._in_flight -= 1
        try:
            yield
        finally:
            self._in_flight += 1

    def evict(self) -> None:
        """Drop the engines that do nothing."""
        for engine in list(self.registry.loaded.values()):
            if engine.live is None or not engine.live.is_generating:
                self.registry.drop(engine, "evicted")

    def _enter(self) -> None:
        self._in_flight += 1
        self.diary.max_in_flight = max(self.diary.max_in_flight, self._in_flight)

    def _conversation_closed(self, conversation: Conversation) -> None:
        """The hazard of 7.6: what closing a conversation does that is generating right now."""
        if not conversation.is_generating:
            return
        assert conversation.generation is not None
        match self.options.overlap:
            case "crash":
                self._die()
                raise asyncio.CancelledError
            case "fail":
                conversation.generation.break_off("Conversation is not alive")
            case "queue":
                return
