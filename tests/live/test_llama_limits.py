"""The embedded engine within the phone's limits, for real: memory, cores, and how hard it may work."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapter.chat import Started, TextDelta
from adapter.engines.base import Pressure
from adapter.engines.llama.admission import MIB
from adapter.engines.llama.engine import LlamaEngine
from adapter.engines.llama.host import WorkerHost
from adapter.engines.llama.launch import Launch
from adapter.errors import EngineUnavailable
from adapter.settings import LlamaSettings
from tests.live.llama_cases import (
    ENDLESS,
    LONGEST_S,
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
from tests.live.processes import adapter, children

Settings = Callable[..., LlamaSettings]
NO_PHONE_MIB = 1 << 20


@pytest.fixture
def settings(files: Path) -> Settings:
    def make_settings(**changes: object) -> LlamaSettings:
        model = str(files / "parrot.gguf")
        fields = {"name": "test", "kind": "llama", "model": model, "threads": 1, "ctx_tokens": 4_096, **changes}
        return LlamaSettings.model_validate(fields)

    return make_settings


# --- memory ----------------------------------------------------------------------------------------------------


async def test_no_room_is_said_and_no_process_started(
    make: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the figures, also by `health`; the model is listed all the same: the room may be there when it is asked for."""
    starts = note_starts(monkeypatch)
    engine = make(memory_reserve_mib=NO_PHONE_MIB)
    with pytest.raises(EngineUnavailable) as caught:
        await answer(engine, chat())
    assert (caught.value.status, caught.value.retry_after_s) == (503, 30)
    assert "The model parrot needs about" in caught.value.message
    assert "1,048,576 MiB are kept for the phone" in caught.value.message
    assert "No shape of it would fit" in caught.value.message
    health = await engine.health()
    assert not health.ready
    assert "needs about" in health.detail
    assert [card.loaded for card in await engine.models()] == [False]
    assert starts == []


def test_no_room_over_http(tmp_path: Path, files: Path) -> None:
    """503 with Retry-After and the sentence, and the adapter has no child."""
    config = (
        f'[[engine]]\nname = "big"\nkind = "llama"\nmodel = "{files / "parrot.gguf"}"\n'
        f"memory_reserve_mib = {NO_PHONE_MIB}\n"
    )
    with adapter(tmp_path, config) as served:
        connection = http.client.HTTPConnection(urlsplit(served.base_url).netloc, timeout=LONGEST_S)
        body = json.dumps({"model": "big/parrot", "messages": [{"role": "user", "content": "hi"}]})
        connection.request(
            "POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {served.key}"}
        )
        response = connection.getresponse()
        error = json.load(response)["error"]
        connection.close()
        assert (response.status, response.headers["Retry-After"]) == (503, "30")
        assert error["code"] == "engine_unavailable"
        assert "The model parrot needs about" in error["message"]
        assert children(served.pid) == []


async def test_room_that_comes_and_goes(settings: Settings, tmp_path: Path) -> None:
    """Looked at before every load and only then: what a running worker holds is its own."""
    free: list[int | None] = [300 * MIB]
    host = WorkerHost(settings(slots=8, ctx_tokens=65_536), tmp_path, lambda: free[0])
    try:
        with pytest.raises(EngineUnavailable, match=r"300 MiB are free.* would fit"):
            await host.worker()
        with pytest.raises(EngineUnavailable, match="300 MiB are free"):
            host.check_start()
        free[0] = 4_000 * MIB
        host.check_start()
        worker = await host.worker()
        free[0] = 0
        assert await host.worker() is worker
        host.check_start()
        worker.kill("a test wants another one")
        await worker.died.wait()
        with pytest.raises(EngineUnavailable, match="0 MiB are free"):
            await host.worker()
        free[0] = None  # the system does not say
        host.check_start()
        assert (await host.worker()).alive
    finally:
        await host.close()


def test_what_is_proposed_would_be_admitted(settings: Settings, tmp_path: Path) -> None:
    """For a real file: the sentence's own remedy, followed."""
    launch = Launch(settings(slots=8, ctx_tokens=65_536), tmp_path, lambda: 400 * MIB)
    with pytest.raises(EngineUnavailable, match=r"slots = (\d) would fit") as caught:
        launch.prepare()
    slots = int(caught.value.message.partition("slots = ")[2][0])
    fitting = Launch(settings(slots=slots, ctx_tokens=65_536), tmp_path, lambda: 400 * MIB)
    assert fitting.prepare().slots == slots


# --- pins ------------------------------------------------------------------------------------------------------


async def test_a_pin_that_is_not_there_is_named_once(
    make: MakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And costs nothing else. The engine loads at once, for the pins' sake."""
    (tmp_path / "good.json").write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}))
    engine = make(pin=["good.json", "missing.json"], slots=2)
    with caplog.at_level(logging.WARNING):
        await engine.start()
        worker = await engine._host.worker()
        worker.kill("a test wants another one")
        await worker.died.wait()
        assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    named = [record.getMessage() for record in caplog.records if "missing.json" in record.getMessage()]
    assert named == [
        f"pinned prompt cannot be read engine=test file={tmp_path / 'missing.json'}: No such file or directory"
    ]


def test_what_the_worker_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    changes = {"kv_type": "q8_0", "kv_store_mib": 3, "kv_save_tokens": 99, "draft_tokens": 4, "pin": ["a.json", "b"]}
    hello = Launch(settings(**changes), tmp_path, lambda: None).prepare()
    assert (hello.kv_type, hello.kv_store_bytes, hello.kv_save_tokens, hello.draft_tokens) == ("q8_0", 3 * MIB, 99, 4)
    assert (hello.kv_dir, hello.pins) == (str(tmp_path / "kv"), (str(tmp_path / "a.json"),))
    assert hello.embeds is False


# --- how hard it may work --------------------------------------------------------------------------------------


async def test_pause_lets_answers_end_and_none_begin(make: MakeEngine) -> None:
    engine = make(slots=2)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        pid = worker_pid(engine)
        await engine.pressure(Pressure.PAUSE)
        with pytest.raises(EngineUnavailable, match="paused to let the phone cool down") as caught:
            await answer(engine, chat())
        assert caught.value.retry_after_s == 30
        for _ in range(20):
            await answer_begun(events)
        await engine.pressure(Pressure.SERVE)
        assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert worker_pid(engine) == pid


async def test_pause_before_the_first_request(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded, not even ahead of time; afterwards it is."""
    spawned = asyncio.Event()
    starts = note_starts(monkeypatch, spawned)
    engine = make(preload=True)
    await engine.pressure(Pressure.PAUSE)
    await engine.start()
    with pytest.raises(EngineUnavailable, match="paused"):
        await answer(engine, chat())
    health = await engine.health()
    assert not health.ready
    assert "paused" in health.detail
    assert starts == []
    await engine.pressure(Pressure.SLOW)
    async with asyncio.timeout(LONGEST_S):
        await spawned.wait()
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_pause_while_loading(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load goes on, who waited for it is refused, and afterwards the worker serves."""
    spawned = asyncio.Event()
    starts = note_starts(monkeypatch, spawned)
    engine = make()
    waiting = asyncio.create_task(answer(engine, chat(max_tokens=15)))
    await spawned.wait()
    await engine.pressure(Pressure.PAUSE)
    with pytest.raises(EngineUnavailable, match="paused"):
        await waiting
    await engine.pressure(Pressure.SERVE)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert len(starts) == 1


async def test_slow_is_one_answer_at_a_time(make: MakeEngine) -> None:
    """Told before the start, so the new worker must hear of it as well. Both answers come, one after the other."""
    engine = make(slots=2, threads=2)
    await engine.pressure(Pressure.SLOW)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        second = engine.generate(chat(max_tokens=15))
        begun = asyncio.create_task(anext(second))
        await inside(engine, 2)
        for _ in range(50):
            await answer_begun(first)
        assert not begun.done()
        await engine.pressure(Pressure.SERVE)
        async with asyncio.timeout(LONGEST_S):
            assert isinstance(await begun, Started)
            text = "".join([event.text async for event in second if isinstance(event, TextDelta)])
        assert text == TEXT


async def test_unload_gives_the_memory_back(make: MakeEngine) -> None:
    """On return the process is gone; its answer failed, and who queued was refused. Then it comes back."""
    engine = make(slots=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        queued = asyncio.create_task(answer(engine, chat()))
        await inside(engine, 2)
        pid = worker_pid(engine)
        await engine.pressure(Pressure.UNLOAD)
        assert is_gone(pid)
        with pytest.raises(EngineUnavailable, match="has unloaded the model"):
            async for _ in events:
                pass
    with pytest.raises(EngineUnavailable):
        await queued
    with pytest.raises(EngineUnavailable, match="has unloaded the model") as caught:
        await answer(engine, chat())
    assert caught.value.retry_after_s == 30
    assert engine._host.running is None
    await engine.pressure(Pressure.SERVE)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_unload_while_loading(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned = asyncio.Event()
    starts = note_starts(monkeypatch, spawned)
    engine = make()
    waiting = asyncio.create_task(answer(engine, chat()))
    await spawned.wait()
    await engine.pressure(Pressure.UNLOAD)
    assert is_gone(starts[0].pid)
    with pytest.raises(EngineUnavailable, match="has unloaded the model"):
        await waiting
    await engine.pressure(Pressure.SERVE)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_after_an_unload_what_was_preloaded_is_again(make: MakeEngine) -> None:
    engine = make(preload=True)
    await engine.start()
    first = await engine._host.worker()
    await engine.pressure(Pressure.UNLOAD)
    assert [card.loaded for card in await engine.models()] == [False]
    assert is_gone(first.pid)
    await engine.pressure(Pressure.SERVE)
    assert engine._host._spawning is not None  # before anybody asks
    assert (await engine._host.worker()).pid != first.pid


async def test_unload_and_back_in_one_breath(make: MakeEngine) -> None:
    """The levels may change faster than a process ends; the last one holds, and no second model is loaded beside."""
    engine = make()
    await answer(engine, chat())
    pid = worker_pid(engine)
    unloading = asyncio.create_task(engine.pressure(Pressure.UNLOAD))
    await asyncio.sleep(0)
    await engine.pressure(Pressure.SERVE)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert is_gone(pid)
    await unloading
    assert worker_pid(engine) != pid


# --- cores -----------------------------------------------------------------------------------------------------

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores and sched_setaffinity")

# A program with a second thread: settles on cores by a /sys of the test's making, and prints where its threads may run.
SETTLE = """
import json, os, sys, threading
from pathlib import Path
from adapter.engines.llama import cores
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
n = cores.settle(None, Path(sys.argv[1]))
where = [sorted(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")]
print(json.dumps([n, where]))
"""


@contextmanager
def confined_to(cores: set[int]) -> Iterator[None]:
    """As `taskset` does it: processes started in here inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def settled(system: Path) -> tuple[int, list[list[int]]]:
    done = subprocess.run(
        [sys.executable, "-c", SETTLE, str(system)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    threads, where = json.loads(done.stdout)
    return threads, where


def big_and_little(folder: Path) -> Path:
    """The first core is a little one, the others are big."""
    for core in range(os.cpu_count() or 1):
        (folder / f"cpu{core}" / "cpufreq").mkdir(parents=True)
        (folder / f"cpu{core}" / "cpufreq" / "cpuinfo_max_freq").write_text("1800000\n" if core == 0 else "2850000\n")
    return folder


@needs_two_cores
@pytest.mark.skipif(len(CORES) < (os.cpu_count() or 1), reason="the tests themselves are confined to some cores")
def test_little_cores_are_left_to_others(tmp_path: Path) -> None:
    """Every thread that there is moves, not only the one that asks."""
    threads, where = settled(big_and_little(tmp_path))
    assert threads == len(CORES) - 1
    assert where == [CORES[1:]] * 2


@needs_two_cores
@pytest.mark.parametrize("core", [CORES[0], CORES[-1]] if CORES else [])
def test_an_affinity_that_somebody_narrowed_is_kept(tmp_path: Path, core: int) -> None:
    system = big_and_little(tmp_path)
    with confined_to({core}):
        threads, where = settled(system)
    assert (threads, where) == (1, [[core]] * 2)


def test_cores_that_the_kernel_hides_are_all_used(tmp_path: Path) -> None:
    threads, where = settled(tmp_path)
    assert threads == max(1, min(4, len(CORES) - 1))
    assert where == [CORES] * 2


@needs_two_cores
async def test_a_worker_stays_where_it_was_confined(make: MakeEngine) -> None:
    """All its threads, llama.cpp's included, in the middle of its work."""
    engine: LlamaEngine = make(threads=2)
    with confined_to({CORES[-1]}):
        assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    tasks = Path(f"/proc/{worker_pid(engine)}/task").iterdir()
    assert {frozenset(os.sched_getaffinity(int(task.name))) for task in tasks} == {frozenset({CORES[-1]})}
