"""Pinned prompts, by real workers: computed at the start, kept, and in nobody's way."""

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from adapter.engines.llama.engine import LlamaEngine
from tests.live.llama_cases import LONGEST_S, MakeEngine, answer
from tests.live.llama_prefix_cases import (
    SYSTEM,
    TAIL,
    Cold,
    Frames,
    cached,
    in_common,
    killed,
    kv_files,
    long_text,
    stored,
    talk,
    warnings,
)

# --- pinned -----------------------------------------------------------------------------------------------------


def pin(path: Path, system: str) -> str:
    path.write_text(json.dumps({"model": "any", "messages": [{"role": "system", "content": system}]}))
    return path.name


async def pinned_tokens(engine: LlamaEngine, system: str) -> int:
    """What two questions' prompts have in common."""
    return await in_common(engine, talk(system, "0"), talk(system, "x"))


async def test_pinned_prompt_is_ready_before_the_first_request(
    make: MakeEngine, cold: Cold, tmp_path: Path, frames: Frames
) -> None:
    """Without any request; the first one computes its own question. So do those after SIGKILL and after an idle unload."""
    requests = [talk(SYSTEM, question) for question in ("one", "two", "three")]
    texts = [await cold(request) for request in requests]
    engine = make("random", pin=[pin(tmp_path / "agent.json", SYSTEM)], batch_tokens=64, idle_unload_s=0.5)
    await engine.start()
    await stored(tmp_path, "*.pin.kv")
    frames.seen.clear()
    text, end = await answer(engine, requests[0])
    assert frames.batches_before_text(1) == 0
    n_pinned = await pinned_tokens(engine, SYSTEM)
    assert cached(end) == n_pinned > end.usage.prompt_tokens - TAIL
    assert text == texts[0]
    await killed(engine)
    text, end = await answer(engine, requests[1])
    assert (cached(end), text) == (n_pinned, texts[1])
    worker = engine._host.running
    assert worker is not None
    async with asyncio.timeout(LONGEST_S):
        await worker.died.wait()
    assert worker.death == "ended by itself"
    text, end = await answer(engine, requests[2])
    assert (cached(end), text) == (n_pinned, texts[2])
    assert len(kv_files(tmp_path)) == 1


async def test_pins_that_cannot_be_used(
    make: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning each that names the file; the good one is baked, requests are answered."""
    (tmp_path / "no-json.json").write_text("{messages")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "wrong.json").write_text('{"messages": [{"role": "robot", "content": 5}]}')
    (tmp_path / "nothing.json").write_text("{}")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder.json").mkdir()
    pin(tmp_path / "long.json", "a" * 5_000)
    pin(tmp_path / "good.json", SYSTEM)
    bad = ["missing", "no-json", "binary", "list", "wrong", "nothing", "deep", "folder", "long"]
    engine = make("random", pin=[f"{name}.json" for name in (*bad, "good")])
    await engine.start()
    await stored(tmp_path, "*.pin.kv")
    asked = talk(SYSTEM, "one")
    text, end = await answer(engine, asked)
    assert cached(end) == await pinned_tokens(engine, SYSTEM)
    assert text == await cold(asked)
    for name in bad:
        assert len(warnings(caplog, f"{name}.json")) == 1, name
    assert warnings(caplog, "good.json") == []
    assert warnings(caplog, "Traceback") == []


@pytest.mark.parametrize("slots", [1, 2])
async def test_a_request_goes_before_a_bake(
    make: MakeEngine, cold: Cold, tmp_path: Path, frames: Frames, slots: int
) -> None:
    """It is answered while the pinned prompt is not even half computed; that is completed afterwards."""
    engine = make("random", pin=[pin(tmp_path / "long.json", long_text(2_400))], slots=slots, batch_tokens=16)
    await engine.start()
    async with asyncio.timeout(LONGEST_S):
        await engine._host.worker()
    await frames_of_bake(frames)
    asked = talk("short", "x")
    text, _ = await answer(engine, asked)
    assert len(frames.seen) < 2_400 // 16
    assert kv_files(tmp_path) == set()
    assert text == await cold(asked)
    await stored(tmp_path, "*.pin.kv")
    following = talk(long_text(2_400), "y")
    text, end = await answer(engine, following)
    assert cached(end) == await pinned_tokens(engine, long_text(2_400))
    assert text == await cold(following)


async def frames_of_bake(frames: Frames) -> None:
    """The bake has begun: what is computed for nobody is said under the id 0."""
    from adapter.engines.llama import link

    await frames.until(link.Working, 0)


async def test_a_bake_is_not_idleness(make: MakeEngine, tmp_path: Path) -> None:
    """A prompt that takes longer than the idle time is computed all the same, and then the model is unloaded."""
    engine = make("random", pin=[pin(tmp_path / "long.json", long_text(3_900))], batch_tokens=8, idle_unload_s=0.1)
    await engine.start()
    async with asyncio.timeout(LONGEST_S):
        worker = await engine._host.worker()
        await stored(tmp_path, "*.pin.kv")
        await worker.died.wait()
    assert worker.death == "ended by itself"


async def test_what_is_no_longer_pinned_may_go(make: MakeEngine, tmp_path: Path) -> None:
    engine = make("random", pin=[pin(tmp_path / "agent.json", SYSTEM)])
    await engine.start()
    await stored(tmp_path, "*.pin.kv")
    await engine.close()
    engine = make("random")
    asked = talk(SYSTEM, "one")
    _, end = await answer(engine, asked)
    assert cached(end) == await pinned_tokens(engine, SYSTEM)
    assert kv_files(tmp_path, "*.pin.kv") == set()
    assert len(kv_files(tmp_path)) == 1


# --- recorded ---------------------------------------------------------------------------------------------------


async def test_recorded_prompts_are_pinned_without_a_setting(make: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All of `pins/`; a broken one is a line in the log. The day in it becomes today's, as the client writes it every day."""
    folder = tmp_path / "pins"
    folder.mkdir()
    (folder / "broken.json").write_text('{"messages": [], "date": "yesterday"}')
    (folder / "deep.json").write_text('{"messages": ' + "[" * 700 + "]" * 700 + ', "date": "2026-11-20"}')
    (folder / "notes.txt").write_text("no pin")
    recorded = {"messages": [{"role": "system", "content": f"{SYSTEM} Current date: 2026-11-20."}], "date": "2026-11-20"}
    (folder / "agent.json").write_text(json.dumps(recorded))
    engine = make("random")
    await engine.start()
    await stored(tmp_path, "*.pin.kv")
    today = f"{SYSTEM} Current date: {date.today().isoformat()}."
    asked = talk(today, "one")
    text, end = await answer(engine, asked)
    assert cached(end) == await pinned_tokens(engine, today)
    assert text == await cold(asked)
    assert len(warnings(caplog, "broken.json")) == len(warnings(caplog, "deep.json")) == 1 and warnings(caplog, "Traceback") == []


async def test_nothing_recorded_nothing_loaded(make: MakeEngine, tmp_path: Path) -> None:
    """An adapter at rest has no worker."""
    (tmp_path / "pins").mkdir()
    engine = make("random")
    await engine.start()
    assert engine._host.running is None and engine._host._spawning is None
