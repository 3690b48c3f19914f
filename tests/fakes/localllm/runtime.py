"""The model runtime below the app: a native generation that runs by itself and hands its pieces over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tests.fakes.localllm.errors import ModelFailed
from tests.fakes.localllm.options import Options, Reply

MESSAGE_TOKENS = 4
"""What the template adds to each message."""


def count_tokens(text: str) -> int:
    """Words and signs: one token each. An empty text has none."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def count_prompt(messages: Iterable[Mapping[str, Any]]) -> int:
    return sum(count_tokens(message["content"]) + MESSAGE_TOKENS for message in messages)


class Gate(asyncio.Event):
    """Stops every generation before its next piece until `release()`, which is `set()`; also at the end of a `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        """Some generation stands before the gate."""

    def release(self) -> None:
        self.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.set()


@dataclass(slots=True)
class Stage:
    """What the test does to the model: gates and ordered failures; it outlives the app's process."""

    gates: list[Gate] = field(default_factory=list)
    fail_after: list[int] = field(default_factory=list)

    async def pass_gates(self) -> None:
        for gate in list(self.gates):
            if not gate.is_set():
                gate.reached.set()
                await gate.wait()
            if gate in self.gates:
                self.gates.remove(gate)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model was asked: messages with roles and text, the tools of its conversation, and where it ran."""

    engine: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[str, ...]
    temperature: float
    top_k: int


class Generation:
    """One native run. It goes on whether anybody listens or not, until its end, `cancel` or `break_off` (7.8)."""

    def __init__(self, reply: Reply, budget: int, stage: Stage, options: Options, ended: Callable[[], None]) -> None:
        self._reply = reply
        self._budget = budget
        self._stage = stage
        self._delay_s = options.token_delay_s
        self._ended = ended
        self._pieces: asyncio.Queue[str] = asyncio.Queue()
        self._fail_after = stage.fail_after.pop(0) if stage.fail_after else None
        self.calls: tuple[tuple[str, dict[str, Any]], ...] = ()
        self.failure: ModelFailed | None = None
        self.over = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """The native side's own thread."""
        try:
            await self._produce()
            self.calls = self._reply.calls
        except ModelFailed as failure:
            self.failure = self.failure or failure

    def follow(self, work: asyncio.Task[None]) -> None:
        """`work` runs `run`; its end is this one's, also if it was cancelled before its first step."""
        self._work = work
        work.add_done_callback(self._finish)

    def _finish(self, work: asyncio.Task[None]) -> None:
        self.over.set()
        self._ended()

    def cancel(self) -> None:
        """The native cancel: generation stops before its next piece."""
        if self._work is not None:
            self._work.cancel()

    def break_off(self, message: str) -> None:
        """Its conversation was closed from outside."""
        self.failure = ModelFailed(message)
        self.cancel()

    async def next_piece(self, until_s: float) -> str | None:
        """The next piece, `None` at the end. Raises TimeoutError at that time of the loop's clock, and the model's failure."""
        if self._pieces.empty() and not self.over.is_set():
            getting = asyncio.ensure_future(self._pieces.get())
            ending = asyncio.ensure_future(self.over.wait())
            try:
                async with asyncio.timeout_at(until_s):
                    await asyncio.wait((getting, ending), return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                getting.cancel()
                ending.cancel()
        if not self._pieces.empty():
            return self._pieces.get_nowait()
        self._raise_failure()
        return None

    async def whole(self) -> str:
        """All the text, when the native call has returned; raises the model's failure."""
        await self.over.wait()
        self._raise_failure()
        return "".join(self._pieces.get_nowait() for _ in range(self._pieces.qsize()))

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _produce(self) -> None:
        room = self._budget
        for index, piece in enumerate(self._reply.pieces):
            if index == self._fail_after:
                raise ModelFailed("Internal: the model broke down")
            await self._stage.pass_gates()
            await asyncio.sleep(self._delay_s)
            room -= max(1, count_tokens(piece))
            if room < 0:
                return
            self._pieces.put_nowait(piece)
        if self._fail_after is not None:
            raise ModelFailed("Internal: the model broke down")
        await self._stage.pass_gates()
        if self._reply.error is not None:
            raise ModelFailed(self._reply.error)
