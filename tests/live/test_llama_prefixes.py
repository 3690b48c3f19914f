"""Computed prefixes are used again, by real workers: in the same slot, copied, from disk, pinned.

Whatever was reused, the text is that of an engine that has seen nothing before (`Cold`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import resource
import shutil
import signal
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.chat import Chat, ChoiceFinished, Event, Finished, TextDelta
from adapter.engines.llama.engine import LlamaEngine
from tests.fakes import tiny_gguf
from tests.fakes.tiny_archs import write_recurrent, write_sliding
from tests.fakes.tiny_gguf import write_random
from tests.live.llama_cases import LONGEST_S, MakeEngine, answer, answer_begun, worker_pid
from tests.live.llama_prefix_cases import (
    Cold,
    Frames,
    again,
    cached,
    in_common,
    kv_files,
    long_text,
    rendered,
    stored,
    talk,
    until,
    write_attentive,
)

SYSTEM = long_text(700)
OTHER = long_text(700, seed=1)
# Tokens of a prompt that both a question and the template put behind the system message.
TAIL = 40
# Of log probabilities: the cache is f16, and batches of another shape round in another order.
NOISE = 0.08


@pytest.fixture(scope="module")
def cold(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Cold:
    return Cold(files, tmp_path_factory.mktemp("cold"))


@pytest.fixture
def saving(make: MakeEngine) -> MakeEngine:
    """Engines that store every prefix of 64 tokens and more."""

    def make_saving(model: str = "random", **changes: object) -> LlamaEngine:
        return make(model, **{"kv_save_tokens": 64, **changes})

    return make_saving


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> Frames:
    return Frames(monkeypatch)


def warnings(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and about in r.getMessage()]


async def killed(engine: LlamaEngine) -> None:
    """SIGKILL for its worker; returns when it is gone."""
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    async with asyncio.timeout(LONGEST_S):
        await worker.died.wait()


# --- what a comparison of texts is worth ------------------------------------------------------------------------


async def test_the_tiny_model_tells_prefixes_apart(cold: Cold) -> None:
    """Another beginning, or a part of it, makes another text; else the comparisons below would show nothing."""
    systems = (SYSTEM, OTHER, SYSTEM[:350], SYSTEM[350:], OTHER[:350] + SYSTEM[350:])
    assert len({await cold(talk(system, "one")) for system in systems}) >= 4


async def test_probabilities_are_those_of_a_cold_engine(saving: MakeEngine, tmp_path: Path) -> None:
    """Within the noise of f16; a prompt that lacks its first character is several times as far away."""
    path = str(tmp_path / "attentive.gguf")
    write_attentive(Path(path))
    asked = talk(SYSTEM, "one")
    engine = saving(path, slots=2, kv_store_mib=0)
    fresh, n_cached = await logprobs(engine, asked)
    assert n_cached == 0
    lacking, _ = await logprobs(engine, talk(SYSTEM[1:], "one"))
    assert distance(fresh, lacking) > 3 * NOISE
    await engine.close()

    engine = saving(path, slots=2)
    await answer(engine, talk(SYSTEM, "two " + long_text(300, 2)))
    copied = await logprobs(engine, asked)
    own = await logprobs(engine, asked)
    await stored(tmp_path)
    await killed(engine)
    restored = await logprobs(engine, asked)
    for reused, n_cached in (copied, own, restored):
        assert n_cached > len(SYSTEM)
        assert distance(fresh, reused) < NOISE


async def logprobs(engine: LlamaEngine, request: Chat) -> tuple[list[tuple[str, float]], int]:
    """The answer's tokens with what they are worth, and how much of the prompt was not computed."""
    async with asyncio.timeout(LONGEST_S):
        events = [event async for event in engine.generate(replace(request, logprobs=0))]
    end = events[-1]
    assert isinstance(end, Finished)
    deltas = [event for event in events if isinstance(event, TextDelta)]
    return [(one.token, one.logprob) for delta in deltas for one in delta.logprobs], cached(end)


def distance(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> float:
    """Of two answers; without an end if they are different texts."""
    if [token for token, _ in one] != [token for token, _ in other]:
        return math.inf
    return max(abs(a - b) for (_, a), (_, b) in zip(one, other, strict=True))


# --- in the same process ----------------------------------------------------------------------------------------


async def test_next_turn_in_its_own_slot(make: MakeEngine, cold: Cold) -> None:
    """All of the first prompt and answer but its last token, which nothing was decoded behind."""
    engine = make("random", slots=2)
    said, first = await answer(engine, talk(SYSTEM, "one"))
    following = talk(SYSTEM, "one", said, "two")
    text, end = await answer(engine, following)
    assert cached(end) == first.usage.prompt_tokens + first.usage.completion_tokens - 1
    assert text == await cold(following)
    assert text != said


async def test_sibling_copies_and_the_first_is_kept(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=2)
    first, sibling = talk(SYSTEM, "a " + long_text(300, 3)), talk(SYSTEM, "b")
    said, begun = await answer(engine, first)
    text, end = await answer(engine, sibling)
    assert cached(end) == await in_common(engine, first, sibling) > len(SYSTEM)
    assert text == await cold(sibling)
    following = talk(SYSTEM, "a " + long_text(300, 3), said, "c")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens + begun.usage.completion_tokens - 1
    assert text == await cold(following)


async def test_copy_from_a_slot_that_is_still_running(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=2)
    first, sibling = talk(SYSTEM, "a", max_tokens=600), talk(SYSTEM, "b")
    stream = engine.generate(first)
    said = await answer_begun(stream)
    text, end = await answer(engine, sibling)
    still_running = worker_runs(engine, 1)
    async with asyncio.timeout(LONGEST_S):
        said += "".join([event.text async for event in stream if isinstance(event, TextDelta)])
    assert still_running
    assert cached(end) == await in_common(engine, first, sibling)
    assert text == await cold(sibling)
    assert said == await cold(first)


def worker_runs(engine: LlamaEngine, n: int) -> bool:
    worker = engine._host.running
    return worker is not None and len(worker._open) == n


async def test_siblings_that_come_together_compute_the_beginning_once(make: MakeEngine, cold: Cold) -> None:
    """The three that come while the first is being computed wait for it and copy."""
    engine = make("random", slots=4, batch_tokens=64)
    requests = [talk(SYSTEM, f"{letter} asks") for letter in "abcd"]
    answers = await asyncio.gather(*(answer(engine, request) for request in requests))
    shared = await in_common(engine, requests[0], requests[1])
    assert sorted(cached(end) for _, end in answers) == [0, shared, shared, shared]
    assert [text for text, _ in answers] == [await cold(request) for request in requests]


async def test_eight_answers_on_four_slots(make: MakeEngine, cold: Cold) -> None:
    """Greedy they are all the cold one's; with a seed each is the cold one's with the seed of its number."""
    engine = make("random", slots=4)
    await answer(engine, talk(OTHER, "before"))
    asked = replace(talk(SYSTEM, "a"), n=8)
    texts = await choices(engine, asked)
    assert texts == [await cold(replace(asked, n=1))] * 8
    asked = again(asked, temperature=1.0, seed=40)
    texts = await choices(engine, asked)
    assert len(set(texts)) == 8
    for choice in (0, 3, 7):
        assert texts[choice] == await cold(again(replace(asked, n=1), seed=40 + choice))


async def choices(engine: LlamaEngine, asked: Chat) -> list[str]:
    async with asyncio.timeout(LONGEST_S):
        events: list[Event] = [event async for event in engine.generate(asked)]
    assert sum(isinstance(event, ChoiceFinished) for event in events) == asked.n
    texts = [""] * asked.n
    for event in events:
        if isinstance(event, TextDelta):
            texts[event.choice] += event.text
    return texts


async def test_only_slot_is_trimmed(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=1)
    first, second = talk(SYSTEM, "x" + long_text(100, 5)), talk(SYSTEM, "y" + long_text(150, 6))
    await answer(engine, first)
    text, end = await answer(engine, second)
    assert cached(end) == await in_common(engine, first, second)
    assert text == await cold(second)
    shorter = talk(SYSTEM[:300], "z")
    text, end = await answer(engine, shorter)
    assert cached(end) == await in_common(engine, second, shorter)
    assert text == await cold(shorter)


async def test_the_same_prompt_again_computes_its_last_token(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=1)
    asked = talk(SYSTEM, "a")
    await answer(engine, asked)
    text, end = await answer(engine, asked)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(asked)


# --- on disk ----------------------------------------------------------------------------------------------------


async def test_a_prefix_survives_sigkill_and_restart(
    saving: MakeEngine, cold: Cold, tmp_path: Path, frames: Frames
) -> None:
    """Also with another question behind it."""
    engine = saving()
    first = talk(SYSTEM, "one")
    await answer(engine, first)
    await stored(tmp_path)
    await killed(engine)
    second = talk(SYSTEM, "two")
    frames.seen.clear()
    text, end = await answer(engine, second)
    assert frames.batches_before_text(1) == 0
    assert cached(end) == await in_common(engine, first, second) > len(SYSTEM)
    assert text == await cold(second)
    await engine.close()
    text, end = await answer(saving(), first)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(first)


@pytest.mark.parametrize("how", ["ctx_tokens", "slots", "model", "off"])
async def test_what_another_shape_has_stored_is_not_used(
    how: str, saving: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In silence: the right answer, computed anew; what the other one stored stays for it."""
    engine = saving()
    asked = talk(SYSTEM, "one")
    await answer(engine, asked)
    before = await stored(tmp_path)
    await engine.close()
    model, changes = "random", dict[str, object]()
    if how == "ctx_tokens":
        changes = {"ctx_tokens": 2_048}
    elif how == "slots":
        changes = {"slots": 2}
    elif how == "model":
        model = str(tmp_path / "other.gguf")
        write_random(tmp_path / "other.gguf", seed=2)
    else:
        changes = {"kv_store_mib": 0}
    engine = saving(model, **changes)
    text, end = await answer(engine, asked)
    assert cached(end) == 0
    assert text == await cold(asked, model)
    assert warnings(caplog, "kv store") == []
    assert (before <= kv_files(tmp_path)) == (how != "off")


async def test_q8_0(saving: MakeEngine, cold: Cold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies and restores keep what is stored in eighths of the bytes; a cache of f16 does not take it."""
    monkeypatch.setattr(tiny_gguf, "HEAD", 32)  # its blocks are of 32
    path = str(tmp_path / "wide.gguf")
    write_random(Path(path))
    first, sibling = talk(SYSTEM, "one"), talk(SYSTEM, "two")
    engine = saving(path, kv_type="q8_0", slots=2)
    await answer(engine, first)
    text, end = await answer(engine, sibling)
    assert cached(end) == await in_common(engine, first, sibling)
    assert text == await cold(sibling, path, kv_type="q8_0")
    file = (await stored(tmp_path)).pop()
    n_tokens = len(await rendered(engine, first))
    assert file.stat().st_size < n_tokens * 2 * 2 * 32 * 2 * 0.6  # layers, K and V, width, bytes of f16
    await killed(engine)
    text, end = await answer(engine, sibling)
    assert cached(end) == await in_common(engine, first, sibling)
    assert text == await cold(sibling, path, kv_type="q8_0")
    await engine.close()
    text, end = await answer(saving(path), first)
    assert (cached(end), text) == (0, await cold(first, path))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_payload(path: Path) -> None:
    _flip(path, path.stat().st_size - 100)


def flip_head(path: Path) -> None:
    _flip(path, 60)


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def junk(path: Path) -> None:
    path.write_bytes(b"something else entirely" * 50)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [cut, flip_payload, flip_head, junk, empty], ids=lambda f: f.__name__)
async def test_damaged_file(
    spoil: Callable[[Path], None],
    saving: MakeEngine,
    cold: Cold,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line of the log, the right answer; the file is gone, and a good one takes its place."""
    engine = saving()
    asked = talk(SYSTEM, "one")
    await answer(engine, asked)
    file = (await stored(tmp_path)).pop()
    good = file.read_bytes()
    await engine.close()
    spoil(file)
    bystander = tmp_path / "kv" / "notes.txt"
    bystander.write_text("of somebody else")
    engine = saving()
    text, end = await answer(engine, asked)
    assert cached(end) == 0
    assert text == await cold(asked)
    said = warnings(caplog, "kv store")
    assert len(said) == 1
    assert file.name in said[0]
    assert "computed again" in said[0]
    await until(lambda: True if file.exists() and file.stat().st_size == len(good) else None)
    await engine.close()
    assert bystander.read_text() == "of somebody else"
    text, end = await answer(saving(), asked)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(asked)
    assert len(warnings(caplog, "kv store")) == 1


async def test_state_that_llama_cpp_refuses(
    saving: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every checksum is right, and the payload is of another context all the same."""
    from zlib import crc32

    from adapter.engines.llama.kv_file import HEAD_BYTES, parse_head, render_head, tokens_bytes

    engine = saving()
    asked = talk(SYSTEM, "one")
    await answer(engine, asked)
    file = (await stored(tmp_path)).pop()
    await engine.close()
    data = file.read_bytes()
    head = parse_head(data, data[HEAD_BYTES : HEAD_BYTES + tokens_bytes(data[:HEAD_BYTES], len(data))])
    payload = bytearray(data[head.payload_at :])
    struct.pack_into("<I", payload, 0, 77)
    file.write_bytes(render_head(replace(head, payload_crc=crc32(payload))) + payload)
    text, end = await answer(saving(), asked)
    assert (cached(end), text) == (0, await cold(asked))
    assert len(warnings(caplog, "refused by llama.cpp")) == 1


async def test_store_too_small_for_one_file(saving: MakeEngine, tmp_path: Path, cold: Cold) -> None:
    """Nothing is kept, and nothing else is different."""
    path = str(tmp_path / "deep.gguf")
    write_random(Path(path), layers=16)
    engine = saving(path, kv_store_mib=1)
    large, small = talk(long_text(1_100, seed=4), "one"), talk(SYSTEM, "two")
    text, _ = await answer(engine, large)
    assert text == await cold(large, path)
    await answer(engine, small)
    files = await stored(tmp_path)
    assert sum(file.stat().st_size for file in files) <= 1 << 20
    await killed(engine)
    assert cached((await answer(engine, large))[1]) < 10
    assert kv_files(tmp_path) == files


async def test_full_store_drops_what_was_not_used_for_longest(
    saving: MakeEngine, tmp_path: Path, cold: Cold
) -> None:
    path = str(tmp_path / "deep.gguf")
    write_random(Path(path), layers=16)
    engine = saving(path, kv_store_mib=1)
    first, second = talk(long_text(500, 1), "one"), talk(long_text(500, 2), "two")
    await answer(engine, first)
    oldest = await stored(tmp_path)
    await answer(engine, second)
    await until(lambda: True if kv_files(tmp_path) - oldest and not kv_files(tmp_path) & oldest else None)
    await killed(engine)
    text, end = await answer(engine, second)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(second, path)
    assert cached((await answer(engine, first))[1]) < 10


async def test_disk_full(
    saving: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No file may grow beyond 1,000 bytes: answers go on, one warning, no part stays."""
    engine = saving()
    await answer(engine, talk("short", "x"))
    resource.prlimit(worker_pid(engine), resource.RLIMIT_FSIZE, (1_000, 1_000))
    for request in (talk(SYSTEM, "one"), talk(OTHER, "two"), talk(SYSTEM, "three")):
        assert (await answer(engine, request))[0] == await cold(request)
    await until(lambda: warnings(caplog, "kv store") or None)
    await engine.close()
    said = warnings(caplog, "kv store")
    assert len(said) == 1
    assert "a prefix cannot be saved" in said[0]
    assert kv_files(tmp_path, "*.kv*") == set()


async def test_a_file_stands_where_the_folder_should(
    saving: MakeEngine, cold: Cold, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kv").write_text("not a folder")
    engine = saving()
    for request in (talk(SYSTEM, "one"), talk(OTHER, "two")):
        assert (await answer(engine, request))[0] == await cold(request)
    await engine.close()
    assert len(warnings(caplog, "kv store")) == 1
    assert (tmp_path / "kv").read_text() == "not a folder"


async def test_two_engines_on_one_home(saving: MakeEngine, cold: Cold, tmp_path: Path) -> None:
    """What one has computed the other one reads; files that vanish are a miss; both at once are right."""
    one, other = saving(), saving()
    await asyncio.gather(*(engine._host.worker() for engine in (one, other)))  # before there is anything to find
    asked, gone = talk(SYSTEM, "one"), talk(OTHER, "one")
    for n, request in enumerate((asked, gone), 1):
        await answer(one, request)
        await stored(tmp_path, n=n)
    text, end = await answer(other, asked)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(asked)
    for file in kv_files(tmp_path):
        file.unlink()
    text, end = await answer(other, gone)  # which it has seen in the folder
    assert cached(end) < 10
    assert text == await cold(gone)
    many = [talk(long_text(200, seed), "both") for seed in range(2, 6)]
    both = [(engine, request) for request in many for engine in (one, other)]
    answers = await asyncio.gather(*(answer(engine, request) for engine, request in both))
    assert [text for text, _ in answers] == [await cold(request) for _, request in both]
    await stored(tmp_path, n=len(many))
    assert kv_files(tmp_path, "*.kv-part") == set()


async def test_folder_that_is_removed_meanwhile(saving: MakeEngine, cold: Cold, tmp_path: Path) -> None:
    engine = saving()
    await answer(engine, talk(SYSTEM, "one"))
    await stored(tmp_path)
    shutil.rmtree(tmp_path / "kv")
    request = talk(OTHER, "two")
    assert (await answer(engine, request))[0] == await cold(request)
    await stored(tmp_path)


# --- models that cannot lose the end of what they hold ----------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recurrent` and `sliding`, whose window is of 64 tokens."""
    folder = tmp_path_factory.mktemp("odd")
    write_recurrent(folder / "recurrent.gguf")
    write_sliding(folder / "sliding.gguf", window=64)
    return folder


async def test_recurrent_model(saving: MakeEngine, cold: Cold, odd: Path, tmp_path: Path) -> None:
    """What goes on where a sequence or a file ends is not computed again; anything else is, from the start."""
    path = str(odd / "recurrent.gguf")
    first, sibling = talk(SYSTEM, "one"), talk(SYSTEM, "two")
    assert await cold(first, path) != await cold(sibling, path)
    engine = saving(path, slots=2)
    said, begun = await answer(engine, first)
    assert said == await cold(first, path)
    following = talk(SYSTEM, "one", said, "more")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens + begun.usage.completion_tokens - 1
    assert text == await cold(following, path)
    for request in (sibling, first):
        text, end = await answer(engine, request)
        assert (cached(end), text) == (0, await cold(request, path))
    await stored(tmp_path, n=2)
    await killed(engine)
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens
    assert text == await cold(following, path)
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (0, await cold(sibling, path))


async def test_sliding_window(saving: MakeEngine, cold: Cold, odd: Path, tmp_path: Path) -> None:
    """A copy or a file holds the last window only: one that would have to lose more is not used."""
    path = str(odd / "sliding.gguf")
    tail = long_text(300, 3)
    first, sibling = talk(SYSTEM, tail), talk(SYSTEM, "two")
    assert await cold(first, path) != await cold(sibling, path)
    engine = saving(path, slots=2)
    said, begun = await answer(engine, first)
    assert said == await cold(first, path)
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (0, await cold(sibling, path))
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (end.usage.prompt_tokens - 1, await cold(sibling, path))
    await stored(tmp_path)
    await killed(engine)
    following = talk(SYSTEM, tail, said, "more")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens
    assert text == await cold(following, path)
    await killed(engine)
    shorter = talk(SYSTEM, tail[:100] + "#")
    text, end = await answer(engine, shorter)
    assert (cached(end), text) == (0, await cold(shorter, path))


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
