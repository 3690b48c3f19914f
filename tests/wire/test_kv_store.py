"""Computed prefixes on a real disk: kept whole, found again, dropped in order; and every way in which that
goes wrong.
"""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.engines.llama import kv_store
from adapter.engines.llama.kv_file import (
    HEAD_BYTES,
    Head,
    Identity,
    is_temp_name,
    name_for,
    pack_tokens,
    parse_name,
)
from adapter.engines.llama.kv_folder import Abandoned, Folder
from adapter.engines.llama.kv_index import Stored
from adapter.engines.llama.kv_store import KvStore
from adapter.engines.llama.kv_writer import OneWaiting
from tests.wire.kv_child import IDENTITY, payload_of, same

LOG = logging.getLogger("test-kv")
OTHER = replace(IDENTITY, kv_type="q8_0")
A, B, C, D = ([n, n + 1, n + 2, n + 3] for n in (10, 20, 30, 40))
KIB = 1024
# Four tokens of head, so that budgets can be said in files.
FILE_BYTES = KIB
PAYLOAD = FILE_BYTES - HEAD_BYTES - 16


@pytest.fixture(autouse=True)
def every_lookup_looks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(kv_store, "LOOK_S", 0.0)
    caplog.set_level(logging.INFO, LOG.name)


def opened(
    folder: Path,
    identity: Identity = IDENTITY,
    *,
    files: int = 1000,
    trims: bool = True,
    reserve_bytes: int | None = 0,
    clock_ns: Callable[[], int] = time.time_ns,
) -> KvStore:
    """files: the budget, in files of four tokens."""
    store = KvStore(
        folder,
        identity,
        max_bytes=files * FILE_BYTES,
        log=LOG,
        trims=trims,
        reserve_bytes=reserve_bytes,
        clock_ns=clock_ns,
    )
    store.open()
    return store


def put(store: KvStore, *sequences: list[int], pinned: bool = False) -> None:
    for tokens in sequences:
        assert store.save(tokens, payload_of(tokens, PAYLOAD), pinned=pinned)
        assert store.wait_idle(30)


def held(store: KvStore, tokens: list[int]) -> bool:
    """Is exactly this sequence there? A wrong payload fails."""
    found = store.longest([*tokens, -1])
    if found is None or (found.n_common, found.n_tokens) != (len(tokens), len(tokens)):
        return False
    payload = store.load(found.key)
    assert payload is None or same(payload, payload_of(tokens, PAYLOAD))
    return payload is not None


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def path_of(folder: Path, tokens: list[int], *, pinned: bool = False) -> Path:
    return folder / str(name_for(IDENTITY.digest, pack_tokens(tokens), pinned=pinned))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


# --- kept and found
# -------------------------------------------------------------------------------------------


def test_what_is_saved_is_there_after_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state" / "kv"
    first = opened(folder)
    put(first, A, B)
    first.close(10)
    store = opened(folder)
    found = store.longest([*A, 1, 2])
    assert found == Stored(path_of(folder, A).name, 4, 4)
    payload = store.load(found.key)
    assert same(payload, payload_of(A, PAYLOAD))
    assert store.longest([1, 2]) is None
    assert (store.covered([*A, 1]), store.covered(A[:3]), store.covered([1])) == (4, 3, 0)
    assert said(caplog) == []


def test_the_files_are_closed_to_other_users(tmp_path: Path) -> None:
    folder = tmp_path / "kv"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    put(opened(folder), A)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_ctypes_takes_a_payload_without_a_copy(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, A)
    payload = store.load(path_of(tmp_path, A).name)
    assert payload is not None
    native = (ctypes.c_uint8 * payload.nbytes).from_buffer(payload)
    native[0] ^= 0xFF
    assert payload[0] == native[0], "one memory"
    del native
    again = store.load(path_of(tmp_path, A).name)
    assert same(again, payload_of(A, PAYLOAD)), "and the file does not see what is written there"


def test_a_payload_outlives_its_file(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, A)
    payload = store.load(path_of(tmp_path, A).name)
    path_of(tmp_path, A).unlink()
    assert same(payload, payload_of(A, PAYLOAD))


@pytest.mark.parametrize("n_bytes", [1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001])
def test_payloads_of_awkward_lengths(tmp_path: Path, n_bytes: int) -> None:
    store = opened(tmp_path, files=10_000)
    payload = payload_of(A, n_bytes)
    assert store.save(A, bytearray(payload), pinned=False) and store.wait_idle(30)
    assert same(store.load(path_of(tmp_path, A).name), payload)


def test_nothing_is_no_payload(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert not store.save(A, b"", pinned=False)
    assert not store.save([], b"abc", pinned=False)
    assert names(tmp_path) == []


def test_saving_what_is_there_writes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, A)
    before = path_of(tmp_path, A).stat()
    put(store, A, A[:2])
    after = path_of(tmp_path, A).stat()
    assert names(tmp_path) == [path_of(tmp_path, A).name]
    assert before.st_ino == after.st_ino and before.st_mtime_ns < after.st_mtime_ns, "used, not rewritten"


@pytest.mark.parametrize(("trims", "n_files"), [(True, 1), (False, 2)])
def test_a_longer_one_replaces_its_beginning_where_that_loses_nothing(
    tmp_path: Path, trims: bool, n_files: int
) -> None:
    store = opened(tmp_path, trims=trims)
    put(store, A, [*A, 1, 2])
    assert len(names(tmp_path)) == n_files
    assert held(store, [*A, 1, 2])
    assert held(store, A) == (not trims)


# --- damage
# ---------------------------------------------------------------------------------------------------


def test_every_flipped_byte_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens, payload = [1, 2, 3, 4, 5], payload_of([9], 90)
    store = opened(tmp_path)
    assert store.save(tokens, payload, pinned=False) and store.wait_idle(30)
    path = path_of(tmp_path, tokens)
    good = path.read_bytes()
    assert len(good) == HEAD_BYTES + 20 + 90
    for place in range(len(good)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(bytes([*good[:place], good[place] ^ flip, *good[place + 1 :]]))
            assert loaded_afresh(tmp_path, tokens) is None, (place, flip)
            assert names(tmp_path) == []
            assert one_line_about(path, caplog), (place, flip)
    path.write_bytes(good)
    assert same(loaded_afresh(tmp_path, tokens), payload)


def test_every_cut_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens, payload = [1, 2, 3, 4, 5], payload_of([9], 90)
    store = opened(tmp_path)
    assert store.save(tokens, payload, pinned=False) and store.wait_idle(30)
    path = path_of(tmp_path, tokens)
    good = path.read_bytes()
    for length in [*range(len(good)), len(good) + 1, len(good) + 4096]:
        path.write_bytes(good[:length] + bytes(max(0, length - len(good))))
        assert loaded_afresh(tmp_path, tokens) is None, length
        assert names(tmp_path) == []
        assert one_line_about(path, caplog), length


def loaded_afresh(folder: Path, tokens: list[int]) -> memoryview | None:
    store = opened(folder)
    found = store.longest([*tokens, -1])
    payload = None if found is None else store.load(found.key)
    if payload is None:
        assert store.longest([*tokens, -1]) is None, "offered once at most"
    return payload


def one_line_about(path: Path, caplog: pytest.LogCaptureFixture) -> bool:
    lines = said(caplog)
    caplog.clear()
    return len(lines) == 1 and path.name in lines[0]


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: os.truncate(path, 100)])
def test_a_file_that_goes_bad_after_the_lookup_is_a_miss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    store = opened(tmp_path)
    put(store, A)
    found = store.longest([*A, 1])
    assert found is not None
    spoil(tmp_path / found.key)
    assert store.load(found.key) is None
    assert one_line_about(tmp_path / found.key, caplog)
    assert store.longest([*A, 1]) is None
    assert store.load(found.key) is None and said(caplog) == []


def test_a_file_that_became_another_after_the_lookup(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    put(store, A, B)
    found = store.longest([*A, 1])
    assert found is not None
    os.replace(path_of(tmp_path, B), tmp_path / found.key)
    assert store.load(found.key) is None
    assert one_line_about(tmp_path / found.key, caplog)


def test_a_file_under_the_name_of_other_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    put(store, B)
    path_of(tmp_path, A).write_bytes(path_of(tmp_path, B).read_bytes())
    assert store.longest([*A, 1]) is None and held(store, B)
    assert one_line_about(path_of(tmp_path, A), caplog)


def test_what_the_library_refuses_is_not_offered_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    put(store, A, B)
    store.reject(path_of(tmp_path, A).name)
    assert store.longest([*A, 1]) is None and names(tmp_path) == [path_of(tmp_path, B).name]
    assert one_line_about(path_of(tmp_path, A), caplog)
    assert store.ready()
    put(store, A)


def test_a_foreign_file_is_never_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    theirs = opened(tmp_path, OTHER)
    put(theirs, A)
    ours = opened(tmp_path)
    assert ours.longest([*A, 1]) is None and ours.covered(A) == 0
    assert len(names(tmp_path)) == 1 and held(theirs, A), "and it is left alone"
    assert said(caplog) == []


def test_a_foreign_file_under_our_name_is_never_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(opened(tmp_path, OTHER), A)
    (theirs,) = tmp_path.iterdir()
    theirs.rename(path_of(tmp_path, A))
    assert opened(tmp_path).longest([*A, 1]) is None
    assert one_line_about(path_of(tmp_path, A), caplog)


def test_other_peoples_files_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "sub.kv").mkdir()
    path_of(tmp_path, A).mkdir()
    store = opened(tmp_path, files=1)
    put(store, B, C)
    assert {"notes.txt", "sub.kv", path_of(tmp_path, A).name} < set(names(tmp_path))
    assert held(store, C) and said(caplog) == []


# --- order and budget
# -----------------------------------------------------------------------------------------


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    store = opened(tmp_path, files=3)
    put(store, A, B, C)
    assert held(store, A)
    put(store, D)
    assert [held(store, tokens) for tokens in (A, B, C, D)] == [True, False, True, True]


YEAR_1970, YEAR_2100 = 0, 4_102_444_800 * 10**9


@pytest.mark.parametrize(
    "times",
    [
        (None, None, None, None, None),
        (None, YEAR_1970, YEAR_1970, YEAR_1970, None),
        (YEAR_1970, None, YEAR_1970, None, YEAR_1970),
        (None, YEAR_2100, None, None, None),
        (YEAR_2100, YEAR_2100, YEAR_1970, None, YEAR_2100),
        (YEAR_1970,) * 5,
        (1 << 90, None, 1 << 90, None, None),
    ],
)
def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, times: tuple[int | None, ...]) -> None:
    """Each step in a process of its own, as far as the store can tell."""

    def at(step: int) -> KvStore:
        fixed = times[step]
        return opened(tmp_path, files=3, clock_ns=time.time_ns if fixed is None else lambda: fixed)

    put(at(0), A)
    put(at(1), B)
    put(at(2), C)
    assert held(at(3), A)
    put(at(4), D)
    store = at(4)
    assert [held(store, tokens) for tokens in (A, B, C, D)] == [True, False, True, True]


def test_what_is_saved_after_a_jump_counts_as_newer(tmp_path: Path) -> None:
    put(opened(tmp_path, files=3), A)
    assert held(opened(tmp_path, files=3, clock_ns=lambda: YEAR_2100), A)
    store = opened(tmp_path, files=3)
    put(store, B, C, D)
    assert [held(store, tokens) for tokens in (A, B, C, D)] == [False, True, True, True]


def test_files_of_a_model_no_longer_used_count_and_go(tmp_path: Path) -> None:
    put(opened(tmp_path, OTHER, files=3), A, B)
    ours = opened(tmp_path, files=3)
    put(ours, C, D)
    assert [held(ours, tokens) for tokens in (C, D)] == [True, True]
    theirs = opened(tmp_path, OTHER, files=3)
    assert [held(theirs, tokens) for tokens in (A, B)] == [False, True]


def test_pinned_ones_stay(tmp_path: Path) -> None:
    store = opened(tmp_path, files=2)
    put(store, A, pinned=True)
    put(store, B, C, D)
    assert [held(store, tokens) for tokens in (A, B, C, D)] == [True, False, False, True]


def test_pinned_ones_stay_beyond_the_budget_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path, files=1)
    put(store, A, B, C, pinned=True)
    assert [held(store, tokens) for tokens in (A, B, C)] == [True, True, True]
    assert [line for line in said(caplog) if "pinned prompts take" in line] == said(caplog)
    assert len(said(caplog)) == 1
    before = names(tmp_path), tmp_path.stat().st_mtime_ns
    store.save(D, payload_of(D, PAYLOAD), pinned=False)
    assert store.wait_idle(30)
    after = names(tmp_path), tmp_path.stat().st_mtime_ns
    assert after == before, "an ordinary one would be the first to go: it is not even written"


def test_pins_follow_the_configuration(tmp_path: Path) -> None:
    store = opened(tmp_path, files=2)
    put(store, A, pinned=True)
    put(store, B)
    store.pin_only([B, D])
    assert names(tmp_path) == sorted([path_of(tmp_path, A).name, path_of(tmp_path, B, pinned=True).name])
    put(store, C)
    assert [held(store, tokens) for tokens in (A, B, C)] == [False, True, True]
    again = opened(tmp_path, files=2)
    again.pin_only([])
    assert [parse_name(name) for name in names(tmp_path) if ".pin" in name] == []


def test_a_pinned_one_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    put(store, A)
    assert held(store, A)
    monkeypatch.setattr(kv_store, "LOOK_S", 3600.0)
    store.pin_only([A])
    found = store.longest([*A, 1])
    assert found is not None and found.key == path_of(tmp_path, A, pinned=True).name
    before = (tmp_path / found.key).stat().st_mtime_ns
    store.pin_only([A])
    assert (tmp_path / found.key).stat().st_mtime_ns > before, "being wanted is being used"


def test_saved_and_pinned_at_once(tmp_path: Path) -> None:
    store = opened(tmp_path, files=100_000)
    payload = payload_of(A, 20 << 20)
    assert store.save(A, payload, pinned=False)
    assert store.covered([*A, 1]) == 4, "as good as stored"
    assert store.save(A, payload, pinned=True)
    assert store.wait_idle(30)
    assert names(tmp_path) == [path_of(tmp_path, A, pinned=True).name]


def test_a_pinned_one_may_be_larger_than_the_store(tmp_path: Path) -> None:
    store = opened(tmp_path, files=1)
    payload = payload_of(A, 3 * FILE_BYTES)
    assert not store.save(B, payload, pinned=False)
    assert store.save(A, payload, pinned=True) and store.wait_idle(30)
    assert names(tmp_path) == [path_of(tmp_path, A, pinned=True).name]


def test_pinning_what_is_stored_writes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, A)
    before = path_of(tmp_path, A).stat().st_ino
    put(store, A, pinned=True)
    put(store, A)
    assert names(tmp_path) == [path_of(tmp_path, A, pinned=True).name]
    assert path_of(tmp_path, A, pinned=True).stat().st_ino == before


def test_a_pinned_beginning_is_stored_beside_the_whole(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, [*A, 1])
    put(store, A, pinned=True)
    put(store, [*A, 1, 2])
    assert held(store, A) and held(store, [*A, 1, 2]) and len(names(tmp_path)) == 2


def test_a_smaller_budget_holds_from_the_start(tmp_path: Path) -> None:
    put(opened(tmp_path, files=3), A, B, C)
    store = opened(tmp_path, files=1)
    assert [held(store, tokens) for tokens in (A, B, C)] == [False, False, True]


def test_budget_0_stores_nothing_and_removes_its_own(tmp_path: Path) -> None:
    put(opened(tmp_path), A)
    put(opened(tmp_path), B, pinned=True)
    theirs = opened(tmp_path, OTHER)
    put(theirs, A)
    store = opened(tmp_path, files=0)
    assert not store.ready()
    assert not store.save(C, payload_of(C, PAYLOAD), pinned=True)
    assert store.longest([*A, 1]) is None and store.covered(A) == 0
    assert len(names(tmp_path)) == 1 and held(theirs, A)


def test_budget_0_makes_no_folder(tmp_path: Path) -> None:
    store = opened(tmp_path / "kv", files=0)
    store.pin_only([])
    store.close(1)
    assert names(tmp_path) == []


# --- trouble
# --------------------------------------------------------------------------------------------------


def run_child(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.wire.kv_child", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_write_that_fails_half_way(tmp_path: Path) -> None:
    done = run_child("small_files_only", str(tmp_path))
    assert done.stdout.splitlines() == ["True True", "True True", "False while paused", "True"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("WARNING kv store: a prefix cannot be saved") and "File too large" in line
    assert names(tmp_path) == [path_of(tmp_path, [1, 2, 3]).name]


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = os.statvfs(tmp_path)
    put(opened(tmp_path), A)
    store = opened(tmp_path, reserve_bytes=disk.f_blocks * disk.f_frsize)
    assert store.save(B, payload_of(B, PAYLOAD), pinned=False) and store.wait_idle(30)
    assert not store.ready()
    assert not store.save(B, payload_of(B, PAYLOAD), pinned=False), "paused"
    assert [("must stay free" in line) for line in said(caplog)] == [True]
    assert held(store, A) and names(tmp_path) == [path_of(tmp_path, A).name]


def test_saving_resumes_after_the_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_store, "PAUSE_S", 0.0)
    folder = tmp_path / "kv"
    folder.write_text("in the way")
    store = opened(folder)
    assert store.save(A, payload_of(A, PAYLOAD), pinned=False) and store.wait_idle(30)
    folder.unlink()
    put(store, A)
    assert held(store, A)


def test_a_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    store = opened(tmp_path / "file" / "kv")
    assert not store.save(A, payload_of(A, PAYLOAD), pinned=False)
    assert store.longest(A) is None and store.covered(A) == 0
    store.pin_only([A])
    store.close(1)
    assert len(said(caplog)) == 1 and "cannot be used" in said(caplog)[0]


def test_a_folder_that_may_only_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(opened(tmp_path), A)
    path_of(tmp_path, C).write_bytes(b"damaged, and it cannot be removed")
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write anywhere")
        store = opened(tmp_path)
        assert one_line_about(path_of(tmp_path, C), caplog)
        assert store.save(B, payload_of(B, PAYLOAD), pinned=False) and store.wait_idle(30)
        store.pin_only([A])  # looks again, and says nothing again
        assert held(store, A)
        assert len(said(caplog)) == 1 and "Permission denied" in said(caplog)[0]
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_vanishes_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "kv"
    store = opened(folder)
    put(store, A)
    path_of(folder, A).unlink()
    folder.rmdir()
    assert store.longest([*A, 1]) is None
    put(store, B)
    assert held(store, B)


def test_a_process_killed_while_it_saves_leaves_whole_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    n_bytes = 32 << 20
    parts = 0
    for round_ in range(20):
        if parts and round_ >= 3:
            break
        kill_while_saving(tmp_path, n_bytes)
        left = [name for name in names(tmp_path) if is_temp_name(name)]
        parts += len(left)
        store = KvStore(tmp_path, IDENTITY, max_bytes=4 * n_bytes, log=LOG, reserve_bytes=0)
        store.open()
        assert [line.split()[3].rstrip(",") for line in said(caplog)] == left
        caplog.clear()
        assert not any(is_temp_name(name) for name in names(tmp_path))
        whole = [number for number in range(100) if store.covered([number, 1, 2, 3]) == 4]
        assert len(whole) == len(names(tmp_path))
        for number in whole:
            found = store.longest([number, 1, 2, 3])
            assert found is not None
            assert same(store.load(found.key), payload_of([number, 1, 2, 3], n_bytes))
    assert parts > 0, "none was caught in the act"


def kill_while_saving(folder: Path, n_bytes: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.wire.kv_child", "save_for_ever", str(folder), str(n_bytes)],
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.read(1) == b"."
        until_s = time.monotonic() + 30
        while not any(is_temp_name(name) for name in names(folder)):
            assert time.monotonic() < until_s and child.poll() is None
    finally:
        child.kill()
        child.communicate()


def test_a_part_that_is_being_written_is_not_cleared(tmp_path: Path) -> None:
    """Another worker starts while this one saves."""
    cleared: list[str] = []
    seen: list[str] = []

    def going() -> bool:
        seen[:] = names(tmp_path)
        cleared.extend(Folder(tmp_path).clear_parts())
        return True

    name = name_for(IDENTITY.digest, pack_tokens(A), pinned=False)
    head = Head(IDENTITY.digest, pack_tokens(A), 3, zlib.crc32(b"abc"))
    Folder(tmp_path).write(str(name), head, memoryview(b"abc"), 1, going)
    assert [is_temp_name(part) for part in seen] == [True] and cleared == []
    assert names(tmp_path) == [str(name)]


def test_close_waits_for_the_save_under_way(tmp_path: Path) -> None:
    store = opened(tmp_path, files=100_000)
    payload = payload_of(A, 20 << 20)
    assert store.save(A, payload, pinned=False)
    store.close(30)
    assert same(opened(tmp_path, files=100_000).load(path_of(tmp_path, A).name), payload)
    assert not store.save(B, payload_of(B, PAYLOAD), pinned=False), "closed"
    store.close(30)


def test_close_abandons_what_takes_too_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path, files=1_000_000)
    assert store.save(A, bytes(128 << 20), pinned=False)
    began_s = time.monotonic()
    store.close(0)
    assert time.monotonic() - began_s < 1
    assert store.wait_idle(30)
    assert names(tmp_path) == [] and store.longest(A) is None
    assert len(said(caplog)) == 1 and "gave up" in said(caplog)[0]


def test_a_part_is_dropped_from_under_a_stuck_write(tmp_path: Path) -> None:
    folder, abandoned = Folder(tmp_path), threading.Event()

    def going() -> bool:
        if not abandoned.is_set():  # as `KvStore.close` does it, from another thread
            abandoned.set()
            folder.drop_part()
            assert names(tmp_path) == []
            return True
        return False

    head = Head(IDENTITY.digest, pack_tokens(A), 3, 0)
    with pytest.raises(Abandoned):
        folder.write("x.kv", head, memoryview(b"abc"), 1, going)
    assert names(tmp_path) == []


# --- two at a time
# --------------------------------------------------------------------------------------------


def test_what_another_process_does_is_noticed(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    put(two, A)
    assert held(one, A)
    path_of(tmp_path, A).unlink()
    assert not held(one, A) and one.longest([*A, 1]) is None
    put(one, A)
    assert held(two, A)


def test_a_change_within_the_same_tick_is_noticed(tmp_path: Path) -> None:
    """The folder's time is that of the kernel's last tick: two changes can share it."""
    one, two = opened(tmp_path), opened(tmp_path)
    assert one.longest(A) is None
    tick_ns = tmp_path.stat().st_mtime_ns
    put(two, A)
    os.utime(tmp_path, ns=(tick_ns, tick_ns))
    assert held(one, A)


def test_others_are_asked_once_a_second_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    monkeypatch.setattr(kv_store, "LOOK_S", 3600.0)
    assert one.longest(A) is None
    put(two, A)
    assert one.longest([*A, 1]) is None, "not yet"
    monkeypatch.setattr(kv_store, "LOOK_S", 0.0)
    assert held(one, A)


def test_two_processes_at_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.wire.kv_child", "hammer", str(tmp_path)]
    children = [
        subprocess.Popen([*argv, seed, "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    for child in children:
        out, err = child.communicate(timeout=120)
        hits, saves = (int(number) for number in out.split())
        odd = [line for line in err.splitlines() if "pinned prompts" not in line]
        assert (child.returncode, odd) == (0, [])
        assert hits > 20 and saves > 20
    store = KvStore(tmp_path, IDENTITY, max_bytes=1 << 30, log=LOG, reserve_bytes=0)
    store.open()
    left = names(tmp_path)
    assert left and all(parse_name(name) for name in left)
    assert all(store.load(name) is not None for name in left)


# --- the writer
# -----------------------------------------------------------------------------------------------


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_one_waits_and_the_rest_are_refused(gate: threading.Event) -> None:
    began, done = threading.Semaphore(0), []

    def do(job: str) -> None:
        began.release()
        gate.wait(30)
        done.append(job)

    writer = OneWaiting[str]("test", do)
    assert writer.offer("a") and began.acquire(timeout=30) and writer.has_place()
    assert writer.offer("b") and not writer.has_place() and not writer.offer("c")
    assert writer.pending() == ["a", "b"] and not writer.wait_idle(0)
    gate.set()
    assert writer.wait_idle(30) and done == ["a", "b"] and writer.pending() == []
    assert writer.offer("d") and writer.close(30) and done == ["a", "b", "d"]
    assert not writer.offer("e")


def test_a_payload_is_let_go_once_it_is_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    payload = bytearray(PAYLOAD)
    assert store.save(A, payload, pinned=False) and store.wait_idle(30)
    payload.append(0)  # impossible while anybody holds a view of it
    assert len(payload) == PAYLOAD + 1
