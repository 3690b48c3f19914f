"""An engine that does what a test tells it, step by step: nothing in it sleeps.

Each `generate` becomes a `Call`, which the test gets from `await engine.next_call()` and drives with `say`,
`finish`, `fail`. `call.closed` is set when the server has let go of the answer, which is what most tests about
leaving clients wait for. With a `script`, every call plays it by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from adapter.chat import Chat, Event, Finished, FinishReason, Started, TextDelta, Usage
from adapter.engines.base import Health, ModelCard

END = Finished(FinishReason.STOP, Usage(prompt_tokens=3, completion_tokens=2))

Step = Event | Exception


class Call:
    """One answer. `said` counts the steps that the server has taken out so far."""

    def __init__(self, chat: Chat, script: Sequence[Step]) -> None:
        self.chat = chat
        self.closed = asyncio.Event()
        self.said = 0
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self.do(*script)

    def do(self, *steps: Step) -> None:
        for step in steps:
            self._steps.put_nowait(step)

    def start(self) -> None:
        self.do(Started())

    def say(self, *texts: str) -> None:
        self.do(*(TextDelta(text) for text in texts))

    def finish(self) -> None:
        self.do(END)

    def fail(self, error: Exception) -> None:
        self.do(error)

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            while True:
                step = await self._steps.get()
                if isinstance(step, Exception):
                    raise step
                self.said += 1
                yield step
                if isinstance(step, Finished):
                    return
        finally:
            self.closed.set()


class ScriptedEngine:
    """Satisfies `adapter.engines.base.Engine`. `cards` and `health_now` may be changed at any time."""

    def __init__(self, name: str = "scripted", script: Sequence[Step] = ()) -> None:
        self._name = name
        self._script = script
        self._calls: asyncio.Queue[Call] = asyncio.Queue()
        self.cards: Sequence[ModelCard] = (ModelCard("m", context_tokens=4_096, max_output_tokens=1_024),)
        self.health_now = Health(ready=True, detail="It does what the test says.")
        self.started = False
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    async def start(self) -> None:
        self.started = True

    async def close(self) -> None:
        self.closed = True

    async def models(self) -> Sequence[ModelCard]:
        return self.cards

    async def health(self) -> Health:
        return self.health_now

    async def next_call(self) -> Call:
        """The next answer that the server asks for, as soon as it does."""
        async with asyncio.timeout(10):
            return await self._calls.get()

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        call = Call(chat, self._script)
        self._calls.put_nowait(call)
        events = call.events()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
