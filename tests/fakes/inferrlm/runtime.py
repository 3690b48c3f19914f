"""The native model runtime below the app: loading, and one generation at a time per context.

What the app does with it (queues, retries, framing) lives elsewhere; this file only says what
llama.rn says, and writes down what it was asked in the recordings' words.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.fakes.inferrlm.clock import Clock, RealClock
from tests.fakes.inferrlm.log import EngineLog
from tests.fakes.inferrlm.payload import Message, Settings
from tests.fakes.inferrlm.script import HANG, Script, stand_in_answer, tokenize
from tests.fakes.inferrlm.stopwords import StopWords

# Made up like all words of the stand-in, but these three were recorded (embeddings-*).
_RECORDED_VECTORS: dict[str, tuple[float, ...]] = {
    "hello": (
        *(-0.9798792600631714, -0.5163328051567078, -0.9414920806884766, 0.24274590611457825),
        *(0.4125397205352783, 0.40976113080978394, 0.08685959130525589, -0.9252735376358032),
    ),
    "there": (
        *(-0.060520004481077194, 0.40731281042099, -0.7279344201087952, 0.040875766426324844),
        *(0.07449730485677719, -0.5869607925415039, -0.17019039392471313, 0.5929630398750305),
    ),
    "x": (
        *(0.7608266472816467, -0.3556104004383087, 0.29838624596595764, 0.8199713230133057),
        *(0.31562748551368713, -0.36462482810020447, -0.5844340920448303, -0.6753801703453064),
    ),
}


class NativeError(Exception):
    """What the runtime says when something fails; the text reaches NDJSON clients (10.2)."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How fast the phone is, in seconds. The recordings: 0.04, 0.12, 30."""

    token_delay_s: float = 0.004
    load_delay_s: float = 0.012
    busy_wait_s: float = 3.0


@dataclass(frozen=True)
class Order:
    """One completion as the app orders it."""

    messages: Sequence[Message]
    settings: Settings
    stop_words: Sequence[str]
    script: Script
    attempt: int = 0

    @property
    def prompt(self) -> str:
        """The text the stand-in answers: the last user message, or the last message of all."""
        asked = [message for message in self.messages if message.role == "user"] or self.messages
        return asked[-1].content

    def pieces(self) -> Sequence[str]:
        return stand_in_answer(self.prompt) if self.script.pieces is None else self.script.pieces


@dataclass
class FakeModelRuntime:
    """The stand-in for llama.cpp and LiteRT, scriptable by tests.

    `next(script, ...)` scripts the coming requests, in the order in which the app gets to
    them; afterwards `script` applies again, which by default echoes the prompt.
    """

    script: Script = field(default_factory=Script)
    n_ctx: int | None = None
    """Context window in tokens; None: the build's own (6)."""
    failing_models: frozenset[str] = frozenset()
    """Names of stored models that cannot be loaded."""
    litert_obeys_reset: bool = True
    """Whether a LiteRT generation ends when the app asks for a new conversation (13.2, unknown)."""

    def __post_init__(self) -> None:
        self.clock: Clock = RealClock()
        self.timing = Timing()
        self.log = EngineLog()
        self.orders: list[Order] = []
        """What the GGUF model was asked for, one entry per attempt (10.3)."""
        self._queued: deque[Script] = deque()
        self._generations = itertools.count(1)

    def attach(self, clock: Clock, timing: Timing, log: EngineLog, n_ctx: int) -> None:
        """Called once by the server that owns this runtime."""
        self.clock, self.timing, self.log = clock, timing, log
        self.n_ctx = n_ctx if self.n_ctx is None else self.n_ctx

    def next(self, *scripts: Script) -> None:
        """Script the next requests, one script each."""
        self._queued.extend(scripts)

    def take_script(self) -> Script:
        """The script of the request that is about to generate."""
        return self._queued.popleft() if self._queued else self.script

    def note(self, what: str, **fields: object) -> None:
        self.log.add(self.clock.now_s(), what, **fields)

    def new_generation(self) -> int:
        return next(self._generations)

    async def load(self, name: str) -> LlamaContext:
        """Load a GGUF model. Raises NativeError if it is one of `failing_models`."""
        self.note("init_llama", model=name)
        await self.clock.sleep(self.timing.load_delay_s)
        if name in self.failing_models:
            raise NativeError("Failed to load model")
        return LlamaContext(self)


class Stoppable:
    """One running generation: it can be told to stop, and others can wait for its end."""

    def __init__(self, clock: Clock, gen: int) -> None:
        self._clock = clock
        self.gen = gen
        self.produced = 0
        self.stopping = asyncio.Event()
        self.ended = asyncio.Event()

    async def wait(self, delay_s: float | None) -> None:
        """Let time pass (None: for ever), at most until somebody stops the generation."""
        stopped: asyncio.Future[object] = asyncio.ensure_future(self.stopping.wait())
        waits = {stopped}
        if delay_s is not None:
            waits.add(asyncio.ensure_future(self._clock.sleep(delay_s)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in waits:
                waiting.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


class LlamaContext:
    """A loaded GGUF model. It runs one completion; a second one fails at once."""

    def __init__(self, runtime: FakeModelRuntime) -> None:
        self._runtime = runtime
        self._running: Stoppable | None = None

    @property
    def predicting(self) -> bool:
        return self._running is not None

    async def completion(self, order: Order, on_token: Callable[[str], None]) -> bool:
        """Produce tokens; return whether the context window filled up. Raises NativeError.

        The runtime ignores what the token callback thinks (13.1): only `stop_completion`
        ends it early, and then it returns as if it had ended by itself.
        """
        generation = Stoppable(self._runtime.clock, self._runtime.new_generation())
        if self._running is not None:
            self._runtime.note("completion_busy", gen=generation.gen)
            raise NativeError("Context is busy")
        self._running = generation
        self._runtime.orders.append(order)
        self._runtime.note("completion_start", gen=generation.gen)
        what, failure = "completion_end", {}
        try:
            return await self._produce(generation, order, on_token)
        except NativeError as error:
            what, failure = "completion_error", {"message": str(error)}
            raise
        finally:
            self._running = None
            generation.ended.set()
            self._runtime.note(what, gen=generation.gen, n=generation.produced, **failure)

    async def _produce(self, generation: Stoppable, order: Order, on_token: Callable[[str], None]) -> bool:
        assert self._runtime.n_ctx is not None
        script = order.script
        room = self._runtime.n_ctx - sum(len(tokenize(message.content)) for message in order.messages)
        if room <= 0:
            raise NativeError("Context is full")
        limit = order.settings.max_tokens if order.settings.max_tokens >= 0 else float("inf")
        full_after = script.full_after(order.attempt)
        stops = StopWords(order.stop_words)
        for index, piece in enumerate([*order.pieces(), None]):
            if index == script.hang_after or (order.prompt == HANG and script.pieces is None):
                await generation.wait(None)
            else:
                await generation.wait(script.delay_s(index, self._runtime.timing.token_delay_s))
            if generation.stopping.is_set():
                return False
            if index == script.fail_after == 0:
                raise NativeError(script.error)
            if index in (room, full_after):
                return True
            if piece is None:
                break
            generation.produced += 1
            last = generation.produced >= limit
            text, stopped = stops.feed(piece, last=last)
            if text:
                on_token(text)
            if stopped or last:
                return False
            if generation.produced == script.fail_after:
                raise NativeError(script.error)
        text, _ = stops.feed("", last=True)
        if text:
            on_token(text)
        return False

    def ask_to_stop(self) -> asyncio.Event | None:
        """Tell the running completion to stop; returns what to wait for, if there is one."""
        self._runtime.note("stop_completion", predicting=self.predicting)
        if self._running is None:
            return None
        self._running.stopping.set()
        return self._running.ended

    async def release(self) -> None:
        """Free the model; waits for a running completion to end."""
        self._runtime.note("release", predicting=self.predicting)
        if self._running is not None:
            await self._running.ended.wait()

    async def embedding(self, text: str) -> Sequence[float]:
        """Eight numbers for a text. Raises NativeError while a completion runs."""
        if self._running is not None:
            raise NativeError("Context is busy")
        await asyncio.sleep(0)
        return _RECORDED_VECTORS.get(text) or _made_up_vector(text)


def _made_up_vector(text: str) -> tuple[float, ...]:
    seed = sum((position + 1) * ord(char) for position, char in enumerate(text))
    return tuple(((seed * (2 * axis + 3)) % 2001 - 1000) / 1000 for axis in range(8))
