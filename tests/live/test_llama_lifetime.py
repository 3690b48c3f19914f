"""Life and death of the embedded engine's worker process, for real.

When it starts and is unloaded; how it is killed, hangs, is closed; that the next request gets a new one; and
that no process is ever left.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import aclosing
from pathlib import Path

import pytest

from adapter.engines.llama import process
from adapter.errors import EngineFailed, EngineUnavailable, UpstreamTimeout
from tests.live.llama_cases import (
    ENDLESS,
    ROOT,
    TEXT,
    MakeEngine,
    answer,
    answer_begun,
    chat,
    inside,
    is_gone,
    note_starts,
    worker_pid,
)


async def test_nothing_runs_before_the_first_request(make: MakeEngine) -> None:
    engine = make()
    await engine.start()
    assert (await engine.health()).ready
    assert [card.loaded for card in await engine.models()] == [False]
    assert engine._host.running is None


async def test_preload(make: MakeEngine) -> None:
    engine = make(preload=True)
    await engine.start()
    await engine._host.worker()
    assert [card.loaded for card in await engine.models()] == [True]


async def test_requests_share_one_start(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = note_starts(monkeypatch)
    engine = make(slots=2)
    await asyncio.gather(*(answer(engine, chat(max_tokens=15)) for _ in range(4)))
    assert starts == [engine._host.running]


async def test_killed_in_the_middle_of_an_answer(make: MakeEngine) -> None:
    """That request says what happened, the one that queued and the next one are answered by a new worker."""
    engine = make(slots=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        queued = asyncio.create_task(answer(engine, chat("queued", max_tokens=15)))
        await inside(engine, 2)
        killed = worker_pid(engine)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(EngineFailed, match=r"killed by SIGKILL.*next request starts a new one"):
            async for _ in first:
                pass
    assert (await queued)[0] == TEXT
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert worker_pid(engine) != killed


async def test_hung_worker_is_replaced(make: MakeEngine) -> None:
    """Stopped by a signal it says nothing more: the answer times out, the process goes."""
    engine = make(between_tokens_s=1.0)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        worker = engine._host.running
        assert worker is not None
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(UpstreamTimeout, match=r"nothing for 1 s"):
            async for _ in events:
                pass
    await worker.died.wait()
    assert "hung" in worker.death
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_idle_worker_is_unloaded_and_comes_back(make: MakeEngine) -> None:
    engine = make(idle_unload_s=0.05)
    await answer(engine, chat())
    worker = engine._host._worker
    assert worker is not None
    await worker.died.wait()
    assert worker.death == "ended by itself"
    assert [card.loaded for card in await engine.models()] == [False]
    assert (await engine.health()).ready
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_sigterm_ends_it_orderly(make: MakeEngine) -> None:
    engine = make()
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        worker = engine._host.running
        assert worker is not None
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(EngineUnavailable, match="being unloaded"):
            async for _ in events:
                pass
    await worker.died.wait()
    assert worker.death == "ended by itself"


async def test_sigterm_ends_an_idle_one(make: MakeEngine) -> None:
    engine = make()
    await answer(engine, chat())
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGTERM)
    await worker.died.wait()
    assert worker.death == "ended by itself"


async def test_interrupt_from_the_terminal_is_not_for_the_worker(make: MakeEngine) -> None:
    engine = make()
    await answer(engine, chat())
    pid = worker_pid(engine)
    os.kill(pid, signal.SIGINT)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert worker_pid(engine) == pid


async def test_close_in_the_middle_of_an_answer(make: MakeEngine) -> None:
    engine = make()
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        pid = worker_pid(engine)
        await engine.close()
        assert is_gone(pid)
        with pytest.raises(EngineUnavailable):
            async for _ in events:
                pass
    with pytest.raises(EngineUnavailable, match="shut down"):
        await answer(engine, chat())


async def test_close_while_it_loads(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make()
    spawned = asyncio.Event()
    starts = note_starts(monkeypatch, spawned)
    request = asyncio.create_task(answer(engine, chat()))
    await spawned.wait()
    await engine.close()
    with pytest.raises(EngineUnavailable, match="shut down"):
        await request
    assert is_gone(starts[0].pid)


async def test_clients_that_leave_while_it_loads_do_not_stop_it(make: MakeEngine) -> None:
    """Another one waits for the same start."""
    engine = make()
    impatient = asyncio.create_task(answer(engine, chat()))
    patient = asyncio.create_task(answer(engine, chat(max_tokens=15)))
    await inside(engine, 2)
    impatient.cancel()
    assert (await patient)[0] == TEXT


async def test_slow_start_is_given_up(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = note_starts(monkeypatch)
    engine = make(start_s=0.001)
    with pytest.raises(EngineUnavailable, match=r"did not load the model within 0\.001 s"):
        await answer(engine, chat())
    assert is_gone(starts[0].pid)


async def test_stubborn_worker_is_killed(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the Shutdown frame nor TERM reaches a stopped process; KILL does."""
    monkeypatch.setattr(process, "SHUTDOWN_S", 0.1)
    monkeypatch.setattr(process, "TERMINATE_S", 0.1)
    engine = make()
    await answer(engine, chat())
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGSTOP)
    await engine.close()
    assert is_gone(worker.pid)
    assert "did not end when asked" in worker.death


def test_nothing_is_left_when_the_adapter_is_killed(files: Path, tmp_path: Path) -> None:
    """A parent that holds a worker in the middle of an answer dies by SIGKILL; the worker ends by itself.

    The parent also reports that it has not imported llama_cpp.
    """
    script = f"""
import asyncio, sys
from pathlib import Path
from adapter.chat import Chat, Message, Role, Sampling, TextDelta
from adapter.engines.llama.engine import LlamaEngine
from adapter.settings import LlamaSettings

async def main():
    settings = LlamaSettings(name="x", kind="llama", model={str(files / "parrot.gguf")!r}, threads=1, ctx_tokens=65_536)
    engine = LlamaEngine(settings, Path({str(tmp_path)!r}))
    chat = Chat("x", (Message(Role.USER, "hi"),), Sampling(max_tokens={ENDLESS}))
    async for event in engine.generate(chat):
        if isinstance(event, TextDelta):
            print(engine._host.running.pid, "llama_cpp" in sys.modules, flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        assert parent.stdout is not None
        pid, imported = parent.stdout.readline().split()
        assert imported == "False"
        assert not is_gone(int(pid))
        parent.kill()
    deadline_s = time.monotonic() + 5
    while not is_gone(int(pid)):  # not our child: there is no event to wait for
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


async def test_a_start_that_is_cancelled_leaves_nothing_open() -> None:
    """At whatever moment: no end of the link, no pipe, no process."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for steps in range(30):
            start = asyncio.create_task(process.Worker._start())
            for _ in range(steps):
                await asyncio.sleep(0)
            start.cancel()
            try:
                worker = await start
            except asyncio.CancelledError:
                continue
            await worker.close()  # it was quicker than we
        await asyncio.sleep(0)
        gc.collect()
    assert [str(warning.message) for warning in seen if warning.category is ResourceWarning] == []
