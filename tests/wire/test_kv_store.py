"""Computed prefixes on a real disk: kept whole, found again, dropped in order."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from adapter.engines.llama import kv_store
from adapter.engines.llama.kv_file import (
    parse_name,
)
from adapter.engines.llama.kv_index import Stored
from adapter.engines.llama.kv_store import KvStore
from tests.wire.kv_cases import (
    FILE_BYTES,
    OTHER,
    PAYLOAD,
    A,
    B,
    C,
    D,
    held,
    names,
    opened,
    path_of,
    put,
    said,
)
from tests.wire.kv_child import payload_of, same

pytestmark = pytest.mark.usefixtures("every_lookup_looks")


# --- kept and found


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


# --- order and budget


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
