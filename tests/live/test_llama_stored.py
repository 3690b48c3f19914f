"""Computed prefixes on disk, by real workers: after kills and restarts, damaged, foreign, without room."""

import asyncio
import os
import resource
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import tiny_gguf
from tests.fakes.tiny_gguf import write_random
from tests.live.llama_cases import MakeEngine, answer, worker_pid
from tests.live.llama_prefix_cases import (
    OTHER,
    SYSTEM,
    Cold,
    Frames,
    cached,
    in_common,
    killed,
    kv_files,
    long_text,
    rendered,
    stored,
    talk,
    until,
    warnings,
)

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
