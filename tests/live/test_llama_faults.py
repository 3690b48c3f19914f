"""What a phone and its clients do to the embedded engine, for real: crowds, stops, kills, leavers, long prompts, heat.

Times are counted in batches where they matter, by the frames that the worker sends: `Working` for a batch that only went
on with a prompt (id 0: a pinned one), `Delta` for text.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest

from adapter.chat import Chat, TextDelta
from adapter.engines.base import Pressure
from adapter.engines.llama import link
from adapter.errors import ContextTooLong, EngineFailed, EngineUnavailable, QueueFull, UpstreamTimeout
from tests.fakes.tiny_gguf import write_random
from tests.live.llama_cases import (
    ENDLESS,
    LONGEST_S,
    TEXT,
    MakeEngine,
    answer,
    answer_begun,
    chat,
    inside,
    worker_pid,
)
from tests.live.llama_prefix_cases import (
    Cold,
    Frames,
    cached,
    kv_files,
    long_text,
    rendered,
    stored,
    talk,
    until,
)

BATCH = 64
LONG = long_text(3_500)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its prompts take long (a batch of 64 some 10 ms), and its files are large (1 kB a token)."""
    path = tmp_path_factory.mktemp("deep") / "deep.gguf"
    write_random(path, layers=16)
    return str(path)


async def rest(stream: object) -> str:
    """What is still to come of an answer."""
    async with asyncio.timeout(LONGEST_S):
        return "".join([event.text async for event in stream if isinstance(event, TextDelta)])  # type: ignore[attr-defined]


# --- crowds -----------------------------------------------------------------------------------------------------


async def expected(make: MakeEngine, requests: list[Chat]) -> list[str]:
    """One after the other, by an engine that stores nothing."""
    engine = make("random", slots=1, kv_store_mib=0)
    texts = [(await answer(engine, request))[0] for request in requests]
    await engine.close()
    assert len(set(texts)) >= len(texts) // 4, "the answers must depend on the questions"
    return texts


async def test_two_hundred_at_once(make: MakeEngine) -> None:
    """All right, each to its own question, and some with the same beginning."""
    requests = [talk(long_text(90, n // 2), f"question {n}", max_tokens=8) for n in range(40)]
    texts = await expected(make, requests)
    engine = make("random", slots=4, queue=196, batch_tokens=BATCH)
    answers = await asyncio.gather(*(answer(engine, request) for request in requests * 5))
    assert [text for text, _ in answers] == texts * 5


async def test_two_hundred_at_a_small_queue(make: MakeEngine) -> None:
    """4 + 16 are answered, rightly; 180 hear at once that there is no place."""
    requests = [talk(long_text(90, n), "question", max_tokens=8) for n in range(20)]
    texts = await expected(make, requests)
    engine = make("random", slots=4, queue=16)
    answers = await asyncio.gather(*(answer(engine, r) for r in requests * 10), return_exceptions=True)
    assert [got[0] for got in answers[:20] if not isinstance(got, BaseException)] == texts
    assert [type(got) for got in answers[20:]] == [QueueFull] * 180
    assert {got.status for got in answers[20:] if isinstance(got, QueueFull)} == {429}
    assert (await answer(engine, requests[0]))[0] == texts[0]


async def test_prompt_longer_than_a_slot(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=512)
    with pytest.raises(ContextTooLong) as caught:
        await answer(engine, talk(long_text(600), "x"))
    n_tokens = len(await rendered(engine, talk(long_text(600), "x")))
    assert caught.value.status == 400
    for number in (512, n_tokens):
        assert str(number) in caught.value.message.replace(",", "")
    assert (await answer(engine, talk("short", "x")))[1].usage.completion_tokens == 24


# --- stopped, then woken ----------------------------------------------------------------------------------------


async def test_a_worker_that_sleeps_for_a_while_goes_on(make: MakeEngine, cold: Cold) -> None:
    """As when Android freezes the process: the answers go on where they were, and nothing is lost or said twice."""
    engine = make("random", between_tokens_s=30.0, first_token_s=30.0)
    requests = [talk(long_text(90, n), "x", max_tokens=300) for n in range(2)]
    streams = [engine.generate(request) for request in requests]
    begun = [await answer_begun(stream) for stream in streams]
    pid = worker_pid(engine)
    os.kill(pid, signal.SIGSTOP)
    late = asyncio.create_task(answer(engine, talk("s", "c")))
    await inside(engine, 3)
    await asyncio.sleep(1.0)  # this is what is tested: time passes
    os.kill(pid, signal.SIGCONT)
    said = [first + await rest(stream) for first, stream in zip(begun, streams, strict=True)]
    assert said == [await cold(request) for request in requests]
    assert (await late)[0] == await cold(talk("s", "c"))
    assert worker_pid(engine) == pid


async def test_a_worker_that_sleeps_too_long_is_killed_and_named(make: MakeEngine) -> None:
    """All that waited for it hear of it; one that only queued is answered by the next worker."""
    engine = make(slots=1, between_tokens_s=0.7)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as running:
        await answer_begun(running)
        worker = engine._host.running
        assert worker is not None
        os.kill(worker.pid, signal.SIGSTOP)
        queued = asyncio.create_task(answer(engine, chat("queued", max_tokens=15)))
        with pytest.raises(UpstreamTimeout, match=r"nothing for 0\.7 s"):
            await rest(running)
    async with asyncio.timeout(LONGEST_S):
        await worker.died.wait()
    assert "hung" in worker.death
    assert (await queued)[0] == TEXT
    assert worker_pid(engine) != worker.pid


# --- killed -----------------------------------------------------------------------------------------------------


async def test_killed_while_a_long_prompt_is_computed(
    make: MakeEngine, cold: Cold, deep: str, frames: Frames
) -> None:
    """Its client hears of it; one that only queued is answered, and so is the same prompt again."""
    engine = make(deep, slots=1, batch_tokens=BATCH)
    await answer(engine, talk("s", "x", max_tokens=1))
    long, short = talk(LONG[:2_000], "a", max_tokens=4), talk("s", "b")
    broken = asyncio.create_task(answer(engine, long))
    await frames.until(link.Working, 2)
    queued = asyncio.create_task(answer(engine, short))
    await inside(engine, 2)
    os.kill(worker_pid(engine), signal.SIGKILL)
    with pytest.raises(EngineFailed, match=r"killed by SIGKILL.*next request starts a new one"):
        await broken
    assert (await queued)[0] == await cold(short, deep)
    assert (await answer(engine, long))[0] == await cold(long, deep)


async def test_killed_while_a_pinned_prompt_is_computed(
    make: MakeEngine, cold: Cold, deep: str, tmp_path: Path, frames: Frames
) -> None:
    """The next worker begins with it again."""
    body = {"messages": [{"role": "system", "content": LONG[:1_500]}]}
    (tmp_path / "agent.json").write_text(json.dumps(body))
    engine = make(deep, pin=["agent.json"], batch_tokens=BATCH)
    await engine.start()
    await frames.until(link.Working, 0)
    worker = await engine._host.worker()
    os.kill(worker.pid, signal.SIGKILL)
    async with asyncio.timeout(LONGEST_S):
        await worker.died.wait()
    assert kv_files(tmp_path) == set()
    short, asked = talk("s", "b"), talk(LONG[:1_500], "c")
    assert (await answer(engine, short))[0] == await cold(short, deep)
    await stored(tmp_path, "*.pin.kv")
    text, end = await answer(engine, asked)
    assert cached(end) > 1_500
    assert text == await cold(asked, deep)


async def test_killed_while_it_saves(make: MakeEngine, cold: Cold, deep: str, tmp_path: Path) -> None:
    """What was half written is cleared away and never used; the answer is right. A fifth try is a lost race with the disk."""
    engine = make(deep, kv_save_tokens=256)
    await answer(engine, talk("s", "x", max_tokens=1))
    caught = False
    for seed in range(5):
        asked = talk(long_text(1_500, seed), "a", max_tokens=4)
        killer = PartKiller(tmp_path / "kv", worker_pid(engine))
        killer.start()
        begun = engine.generate(asked)
        try:
            async with asyncio.timeout(LONGEST_S):
                async for _ in begun:
                    pass
        except EngineFailed as exc:
            assert "SIGKILL" in exc.message
        await asyncio.to_thread(killer.join)
        assert killer.found, "nothing was saved"
        parts = kv_files(tmp_path, "*.kv-part")
        text, end = await answer(engine, asked)
        assert text == await cold(asked, deep)
        if parts:
            caught = True
            assert cached(end) < 10
            assert not parts & kv_files(tmp_path, "*.kv-part")
            break
    assert caught


class PartKiller(threading.Thread):
    """Kills a process as soon as it has begun to write a file."""

    def __init__(self, folder: Path, pid: int) -> None:
        super().__init__()
        self._folder = folder
        self._pid = pid
        self.found = False

    def run(self) -> None:
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            if any(name.endswith(".kv-part") for name in os.listdir(self._folder)):
                os.kill(self._pid, signal.SIGKILL)
                self.found = True
                return


# --- long prompts and the others --------------------------------------------------------------------------------


async def test_a_client_that_leaves_frees_the_slot_within_a_batch(
    make: MakeEngine, cold: Cold, deep: str, frames: Frames
) -> None:
    """Counted from when the word is there: the batch that is being computed, and at most one more."""
    engine = make(deep, slots=1, batch_tokens=BATCH)
    await answer(engine, talk("s", "x", max_tokens=1))
    leaver = asyncio.create_task(answer(engine, talk(LONG, "a")))
    await frames.until(link.Working, 2)
    short = talk("s", "b", max_tokens=8)
    waiting = asyncio.create_task(answer(engine, short))
    await inside(engine, 2)
    # The worker sleeps while the word is sent, so that it is there when it wakes and no frame is under way.
    pid = worker_pid(engine)
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: True if is_stopped(pid) else None)
    leaver.cancel()
    for _ in range(20):  # turns of the loop: what was under way is read, the word is written
        await asyncio.sleep(0)
    before = len(frames.of(link.Working, 2))
    os.kill(pid, signal.SIGCONT)
    text, _ = await waiting
    # One is half done; another may begin before the reader's thread is awake.
    assert len(frames.of(link.Working, 2)) <= before + 2 < len(LONG) // BATCH
    assert text == await cold(short, deep)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_a_long_prompt_delays_nobody_by_more_than_a_batch(
    make: MakeEngine, cold: Cold, frames: Frames
) -> None:
    """Between two tokens of an answer at most one piece of the prompt is computed, and no piece is longer than a batch."""
    engine = make("random", slots=2, batch_tokens=BATCH)
    short, long = talk("s", "x", max_tokens=200), talk(LONG, "a", max_tokens=4)
    stream = engine.generate(short)
    said = await answer_begun(stream)
    beside = asyncio.create_task(answer(engine, long))
    said += await rest(stream)
    text, end = await beside
    deltas, pieces = frames.of(link.Delta, 1), frames.of(link.Working, 2)
    between = [
        sum(first < piece < second for piece in pieces) for first, second in pairwise(deltas)
    ]
    assert max(between) == 1
    assert sum(between) > 40
    assert len(pieces) >= end.usage.prompt_tokens // BATCH
    assert (said, text) == (await cold(short), await cold(long))


async def test_a_short_question_overtakes_a_long_prompt(make: MakeEngine, cold: Cold, frames: Frames) -> None:
    """Its few tokens share the batch with the other's prompt from the moment it has a slot."""
    engine = make("random", slots=2, batch_tokens=BATCH)
    long = asyncio.create_task(answer(engine, talk(LONG, "a", max_tokens=4)))
    await frames.until(link.Working, 1)
    short = talk("s", "b", max_tokens=4)
    text, end = await answer(engine, short)
    seated, first_text = frames.of(link.Started, 2)[0], frames.of(link.Delta, 2)[0]
    beside = sum(seated < piece < first_text for piece in frames.of(link.Working, 1))
    assert beside <= -(-end.usage.prompt_tokens // (BATCH // 2))  # half of every batch is its
    assert not long.done()
    assert text == await cold(short)
    assert (await long)[0] == await cold(talk(LONG, "a", max_tokens=4))


# --- pressure ---------------------------------------------------------------------------------------------------


async def test_pressure_under_load(make: MakeEngine, cold: Cold) -> None:
    """slow: what runs goes on, one at a time follows. pause: what waits is refused, what runs is completed. Then all is
    as before. Every answer that is given is right."""
    engine = make("random", slots=4)
    requests = [talk(long_text(90, n), "x", max_tokens=300) for n in range(8)]
    ends: list[int] = []

    async def asked(n: int) -> str:
        text, _ = await answer(engine, requests[n])
        ends.append(n)
        return text

    first = [engine.generate(request) for request in requests[:4]]
    begun = [await answer_begun(stream) for stream in first]
    await engine.pressure(Pressure.SLOW)
    waiting = [asyncio.create_task(asked(n)) for n in (4, 5)]
    await inside(engine, 6)
    said = [text + await rest(stream) for text, stream in zip(begun, first, strict=True)]
    assert said == [await cold(request) for request in requests[:4]]
    assert [await task for task in waiting] == [await cold(request) for request in requests[4:6]]
    assert ends == [4, 5]

    running = engine.generate(requests[6])
    half = await answer_begun(running)
    queued = asyncio.create_task(asked(7))
    await inside(engine, 2)
    await engine.pressure(Pressure.PAUSE)
    with pytest.raises(EngineUnavailable, match="paused"):
        await queued
    with pytest.raises(EngineUnavailable, match="paused"):
        await answer(engine, requests[7])
    assert half + await rest(running) == await cold(requests[6])

    await engine.pressure(Pressure.SERVE)
    answers = await asyncio.gather(*(answer(engine, request) for request in requests))
    # Eight at once in batches of changing width: last bits may part a noise model's answers at a near tie, hundreds of tokens on.
    assert [text[:100] for text, _ in answers] == [(await cold(request))[:100] for request in requests]
