"""The store when the disk is full or closed, when a process dies while it saves, when two work in one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.engines.llama import kv_store
from adapter.engines.llama.kv_file import (
    Head,
    is_temp_name,
    name_for,
    pack_tokens,
    parse_name,
)
from adapter.engines.llama.kv_folder import Abandoned, Folder
from adapter.engines.llama.kv_store import KvStore
from adapter.engines.llama.kv_writer import OneWaiting
from tests.wire.kv_cases import (
    LOG,
    PAYLOAD,
    A,
    B,
    C,
    held,
    names,
    one_line_about,
    opened,
    path_of,
    put,
    said,
)
from tests.wire.kv_child import IDENTITY, payload_of, same

pytestmark = pytest.mark.usefixtures("every_lookup_looks")


# --- trouble


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
