"""What the tests of prefixes and faults share: prompts, answers of an engine that remembers nothing, the store's folder,
and the frames that a worker sends.

`write_random`'s model has a vocabulary of bytes, so a prompt has about as many tokens as characters.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from adapter.chat import Chat, Finished, Message, Role, Sampling, TokenBias
from adapter.engines.llama import link, process
from adapter.engines.llama.engine import LlamaEngine
from adapter.settings import LlamaSettings
from tests.fakes import tiny_gguf
from tests.live.llama_cases import LONGEST_S, answer

# With this bias the noise is printable ASCII, a token a character, and a turn can be sent back as it came.
PRINTABLE = tuple(TokenBias(byte, -100.0) for byte in (*range(32), *range(127, 256)))
POLL_S = 0.002
POLL_AT_MOST_S = 20

Found = TypeVar("Found")


def long_text(n_chars: int, seed: int = 0) -> str:
    """Text that does not repeat itself soon: two of different seeds differ from the first character on."""
    words = (f"{chr(ord('A') + seed % 26)}{seed}.{n * 7_919 % 10_007:x} " for n in range(n_chars))
    text = ""
    for word in words:
        text += word
        if len(text) >= n_chars:
            break
    return text[:n_chars]


def talk(system: str, *turns: str, **sampling: object) -> Chat:
    """turns: user, assistant, user ...; greedy, 24 tokens, printable."""
    roles = [Role.USER if n % 2 == 0 else Role.ASSISTANT for n in range(len(turns))]
    messages = (Message(Role.SYSTEM, system), *map(Message, roles, turns))
    fields = {"temperature": 0.0, "max_tokens": 24, "logit_bias": PRINTABLE, **sampling}
    return Chat("any", messages, Sampling(**fields))  # type: ignore[arg-type]  # by name


def write_attentive(path: Path) -> None:
    """As `write_random`, but what it says depends more on what it read, and less on what it said last."""
    rng = np.random.default_rng(1)
    vocabulary = tiny_gguf._vocabulary()
    width = 64

    def noise(*shape: int) -> tiny_gguf.Floats:
        return rng.normal(0, 0.6 / np.sqrt(shape[-1]), shape).astype(np.float32)

    embeddings, output = noise(len(vocabulary), width) * np.float32(8), noise(len(vocabulary), width) * np.float32(8)
    output[vocabulary.index(tiny_gguf.SPECIAL[0]) :] = 0  # special tokens never win
    blocks = [{name: noise(*shape) for name, shape in tiny_gguf._shapes(width).items()} for _ in range(2)]
    for block in blocks:
        block["attn_output"] *= 3
    tiny_gguf._write(path, 4_096, width, embeddings, output, blocks)


class Cold:
    """Answers of engines that have seen nothing before: a new worker for each, no store. Asked once, remembered."""

    def __init__(self, files: Path, home: Path) -> None:
        self._files = files
        self._home = home
        self._known: dict[object, str] = {}

    async def __call__(self, request: Chat, model: str = "random", **changes: object) -> str:
        key = (request, model, tuple(sorted(changes.items())))
        if key not in self._known:
            self._known[key] = await self._ask(request, model, changes)
        return self._known[key]

    async def _ask(self, request: Chat, model: str, changes: dict[str, object]) -> str:
        path = model if "/" in model else str(self._files / f"{model}.gguf")
        fields = {"ctx_tokens": 65_536, **changes, "threads": 1, "kv_store_mib": 0, "pin": ()}
        settings = LlamaSettings.model_validate({"name": "cold", "kind": "llama", "model": path, **fields})
        engine = LlamaEngine(settings, self._home)
        try:
            text, end = await answer(engine, request)
        finally:
            await engine.close()
        assert end.usage.cached_tokens == 0
        return text


async def rendered(engine: LlamaEngine, request: Chat) -> tuple[int, ...]:
    """The tokens of a request's prompt."""
    return (await engine.tokenize("any", request.messages, specials=True, parse_specials=True)).ids


async def in_common(engine: LlamaEngine, one: Chat, other: Chat) -> int:
    """How many tokens both prompts begin with."""
    return common(await rendered(engine, one), await rendered(engine, other))


def common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def cached(end: Finished) -> int:
    return end.usage.cached_tokens


def again(request: Chat, **sampling: object) -> Chat:
    return replace(request, sampling=replace(request.sampling, **sampling))  # type: ignore[arg-type]  # by name


# --- the store's folder -----------------------------------------------------------------------------------------


def kv_files(home: Path, pattern: str = "*.kv") -> set[Path]:
    """What is stored. A file appears whole, by its last rename."""
    return set((home / "kv").glob(pattern))


async def stored(home: Path, pattern: str = "*.kv", *, n: int = 1) -> set[Path]:
    """Wait until so many files are there: another process writes them, so there is no event to wait for."""
    return await until(lambda: found if len(found := kv_files(home, pattern)) >= n else None)


async def until(look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline_s = time.monotonic() + POLL_AT_MOST_S
    while (found := look()) is None:
        assert time.monotonic() < deadline_s, "waited in vain"
        await asyncio.sleep(POLL_S)
    return found


# --- the link ---------------------------------------------------------------------------------------------------


class Frames:
    """All that workers say, in the order in which they said it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[link.Frame] = []
        self._came = asyncio.Event()
        dispatch = process.Worker._dispatch

        def noted(worker: process.Worker, frame: link.Frame) -> None:
            self.seen.append(frame)
            self._came.set()
            dispatch(worker, frame)

        monkeypatch.setattr(process.Worker, "_dispatch", noted)

    def of(self, kind: type[link.Frame], request_id: int) -> list[int]:
        """Where in `seen` the frames of this kind and request are."""
        return list(self._of(kind, request_id))

    def _of(self, kind: type[link.Frame], request_id: int) -> Iterator[int]:
        for at, frame in enumerate(self.seen):
            if type(frame) is kind and getattr(frame, "id", None) == request_id:
                yield at

    async def until(self, kind: type[link.Frame], request_id: int) -> None:
        """Wait for the first such frame."""
        async with asyncio.timeout(LONGEST_S):
            while not self.of(kind, request_id):
                self._came.clear()
                await self._came.wait()

    def batches_before_text(self, request_id: int) -> int:
        """How many batches only went on with the prompt."""
        deltas = self.of(link.Delta, request_id)
        return sum(at < deltas[0] for at in self.of(link.Working, request_id))


SYSTEM = long_text(700)
OTHER = long_text(700, seed=1)
# Tokens of a prompt that both a question and the template put behind the system message.
TAIL = 40
# Of log probabilities: the cache is f16, and batches of another shape round in another order.
NOISE = 0.08


def warnings(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and about in r.getMessage()]


async def killed(engine: LlamaEngine) -> None:
    """SIGKILL for its worker; returns when it is gone."""
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    async with asyncio.timeout(LONGEST_S):
        await worker.died.wait()
