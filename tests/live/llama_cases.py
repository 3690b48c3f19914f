"""The embedded engine for real: what its tests ask of it. Its fixtures are in `conftest.py`.

Importing this module skips the importing test file where the model files cannot be made or run.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapter.chat import Chat, Event, Finished, Message, Role, Sampling, Started, TextDelta
from adapter.engines.llama import process
from adapter.engines.llama.engine import LlamaEngine

pytest.importorskip("gguf", reason="the gguf package makes the model files: pip install 'farmhand[test]'")
if importlib.util.find_spec("llama_cpp") is None:
    pytest.skip("llama-cpp-python is not installed: pip install 'farmhand[llama]'", allow_module_level=True)

ROOT = Path(__file__).parents[2]
TEXT = "Hélo_🎉 日."
# Minutes of tokens: no answer with it ends by itself while a test looks away, also on a busy machine.
ENDLESS = 60_000
# No answer that a test waits for takes nearly as long.
LONGEST_S = 60

MakeEngine = Callable[..., LlamaEngine]


def is_gone(pid: int) -> bool:
    """No such process, or only its entry for a parent that has not looked."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def chat(text: str = "hi", **sampling: object) -> Chat:
    fields = {"temperature": 0.0, "max_tokens": 30, **sampling}
    return Chat("any", (Message(Role.USER, text),), Sampling(**fields))  # type: ignore[arg-type]  # by name


async def answer(engine: LlamaEngine, request: Chat) -> tuple[str, Finished]:
    """The whole answer; its order of events is checked on the way."""
    async with asyncio.timeout(LONGEST_S):
        events: list[Event] = [event async for event in engine.generate(request)]
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    deltas = [event for event in events[1:-1] if isinstance(event, TextDelta)]
    assert len(deltas) == len(events) - 2
    return "".join(delta.text for delta in deltas), events[-1]


async def answer_begun(events: AsyncIterator[Event]) -> str:
    """Read to the first text."""
    async with asyncio.timeout(LONGEST_S):
        async for event in events:
            if isinstance(event, TextDelta):
                return event.text
    raise AssertionError("the answer ended without text")


async def inside(engine: LlamaEngine, n_requests: int) -> None:
    """Let the tasks just made run until so many requests are with the engine."""
    for _ in range(1_000):
        if engine._host.users == n_requests:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"never {n_requests} requests inside")


def worker_pid(engine: LlamaEngine) -> int:
    worker = engine._host.running
    assert worker is not None
    return worker.pid


def note_starts(
    monkeypatch: pytest.MonkeyPatch, spawned: asyncio.Event | None = None
) -> list[process.Worker]:
    """Every process that is started from now on goes into the list; `spawned` is set with each."""
    starts: list[process.Worker] = []
    start = process.Worker._start

    async def noted() -> process.Worker:
        starts.append(await start())
        if spawned:
            spawned.set()
        return starts[-1]

    monkeypatch.setattr(process.Worker, "_start", noted)
    return starts
