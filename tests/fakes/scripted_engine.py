"""An engine that does what a test tells it, step by step: nothing in it sleeps.

Each `generate` becomes a `Call`, which the test gets from `await engine.next_call()` and drives with `say`,
`finish`, `fail`. `call.closed` is set when the server has let go of the answer, which is what most tests about
leaving clients wait for. With a `script`, every call plays it by itself.

`CapableEngine` can do everything there is in the contract, in the same manner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from adapter.chat import (
    Chat,
    Completion,
    Embedding,
    Event,
    Finished,
    FinishReason,
    Message,
    Started,
    TextDelta,
    Tokens,
    Usage,
)
from adapter.engines.base import Can, Health, ModelCard, Pressure
from adapter.errors import BadRequest

END = Finished(FinishReason.STOP, Usage(prompt_tokens=3, completion_tokens=2))

Step = Event | Exception


class Call:
    """One answer. `said` counts the steps that the server has taken out so far."""

    def __init__(self, asked: Chat | Completion, script: Sequence[Step]) -> None:
        self.asked = asked
        self.closed = asyncio.Event()
        self.said = 0
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self.do(*script)

    @property
    def chat(self) -> Chat:
        assert isinstance(self.asked, Chat)
        return self.asked

    @property
    def completion(self) -> Completion:
        assert isinstance(self.asked, Completion)
        return self.asked

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

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        return self._answer(chat)

    async def _answer(self, asked: Chat | Completion) -> AsyncGenerator[Event, None]:
        call = Call(asked, self._script)
        self._calls.put_nowait(call)
        events = call.events()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()


VECTORS = {"one": (0.6, 0.8, 0.0), "two": (0.0, 0.6, 0.8)}
ANYTHING = frozenset(Can) - {Can.EMBEDDINGS}
CAPABLE_CARD = ModelCard("m", context_tokens=4_096, max_output_tokens=1_024, can=ANYTHING)
EMBEDDER_CARD = ModelCard(
    "vectors", context_tokens=512, max_output_tokens=512, can=frozenset({Can.EMBEDDINGS, Can.TOKENIZE}), embedding_size=3
)


class CapableEngine(ScriptedEngine):
    """Also `Completes`, `Embeds`, `Tokenizes` and `Adjusts`: a chat model `m` and an embedding model `vectors`.

    A token is a character, its id its code point. failure: raised by everything that has one result. holding: while this is
    clear, `embed` waits. levels, reasons: what `pressure` was told. asked: arguments of the calls that have one result.
    """

    def __init__(self, name: str = "capable", script: Sequence[Step] = ()) -> None:
        super().__init__(name, script)
        self.cards = (CAPABLE_CARD, EMBEDDER_CARD)
        self.failure: Exception | None = None
        self.holding = asyncio.Event()
        self.holding.set()
        self.cancelled = asyncio.Event()
        self.embedding = asyncio.Event()
        self.levels: list[Pressure] = []
        self.reasons: list[tuple[str, int | None]] = []
        self.asked: list[object] = []

    def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        return self._answer(completion)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedding:
        self._fail()
        self.asked.append((model, tuple(texts)))
        self.embedding.set()
        try:
            await self.holding.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Embedding(tuple(VECTORS.get(text, (1.0, 0.0, 0.0)) for text in texts), sum(map(len, texts)))

    async def tokenize(
        self, model: str, text: str | Sequence[Message], *, specials: bool, parse_specials: bool
    ) -> Tokens:
        self._fail()
        self.asked.append((model, specials, parse_specials))
        whole = text if isinstance(text, str) else "".join(message.content for message in text)
        ids = ([1] if specials else []) + [ord(char) for char in whole]
        return Tokens(tuple(ids), tuple(chr(token).encode() for token in ids))

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        self._fail()
        if any(token > 0x10_FFFF for token in tokens):
            raise BadRequest("'tokens' holds an id that is not in the vocabulary.", param="tokens")
        return "".join(map(chr, tokens))

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        self.levels.append(level)
        self.reasons.append((reason, retry_after_s))
        self._fail()

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
