"""The supervisor's files: there and back, of another boot, damaged, on a full disk; and the lock that makes it the only one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from phone.places import Places, places
from phone.supervisor import clock, instance, store
from phone.supervisor.governor import GovernorMemory
from phone.supervisor.hold import Hold
from phone.supervisor.lock import LockMemory
from phone.supervisor.memory import Memory, Past
from phone.supervisor.published import Published
from phone.supervisor.steps import Level
from phone.supervisor.store import Kept
from phone.supervisor.types import Service

KEPT = Kept(
    Memory({Service.ADAPTER: Past(pid=12, started_at_s=90.0, quick=2, words="was killed")}, "http://127.0.0.1:8888/v1"),
    {Service.ADAPTER: 120, Service.PROXY: 0},
    LockMemory(taken=True, asked_at_s=50.0),
    GovernorMemory(level=Level.SLOW, changed_at_s=60.0),
)


@pytest.fixture
def where(tmp_path: Path) -> Places:
    env = {"HOME": str(tmp_path), "PREFIX": str(tmp_path / "usr"), "FARMHAND_HOME": str(tmp_path / "state")}
    return places(env, tmp_path)


def save(where: Places, boot_id: str = "b1") -> None:
    store.save_kept(where, KEPT, boot_id, 100.0, 1_000_000.0)


# --- its memory --------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back(where: Places) -> None:
    save(where)
    assert store.load_kept(where, "b1", 107.0, 1_000_007.0) == (KEPT, "")


def test_the_first_time_there_is_nothing(where: Places) -> None:
    assert store.load_kept(where, "b1", 1.0, 1.0) == (Kept(), "")


def test_times_of_another_boot_mean_nothing(where: Places) -> None:
    save(where)
    assert store.load_kept(where, "b2", 107.0, 1_000_007.0) == (Kept(), "")


@pytest.mark.parametrize(
    ("then", "now", "passed_s", "wall_passed_s", "same"),
    [
        ("a", "a", -5.0, 0.0, True),  # the id decides
        ("a", "b", 5.0, 5.0, False),
        ("", "", 5.0, 6.0, True),
        ("", "a", 5.0, 6.0, True),
        ("", "", -5.0, 60.0, False),  # the clock began anew
        ("", "", 50.0, 90_000.0, False),  # longer off than on, and up longer than before
        ("", "", 50.0, -90_000.0, False),
    ],
)
def test_which_boot(then: str, now: str, passed_s: float, wall_passed_s: float, same: bool) -> None:
    assert clock.same_boot(then, now, passed_s, wall_passed_s) is same


def test_this_machine_has_a_clock_and_a_boot() -> None:
    first = clock.now_s()
    assert clock.now_s() >= first > 0
    assert clock.boot_id() == clock.boot_id()


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b"[" * 100_000, b'{"a":' * 50_000, b" " * ((1 << 20) + 2)]
)
def test_a_damaged_memory_is_said_and_begun_anew(where: Places, raw: bytes) -> None:
    save(where)
    store.memory_file(where).write_bytes(raw)
    kept, words = store.load_kept(where, "b1", 107.0, 1_000_007.0)
    assert kept == Kept()
    assert str(store.memory_file(where)) in words


@pytest.mark.parametrize("bad", [None, [], {}, 3, "x", True, {"adapter": "x"}, {"adapter": -3}, {"adapter": True}, {"services": 3}])
def test_no_field_can_do_harm(where: Places, bad: Any) -> None:
    for name in ("memory", "offsets", "lock", "governor"):
        save(where)
        data = json.loads(store.memory_file(where).read_text())
        store.memory_file(where).write_text(json.dumps({**data, name: bad}))
        kept, _ = store.load_kept(where, "b1", 107.0, 1_000_007.0)
        others = {field: getattr(kept, field) for field in ("memory", "offsets", "lock", "governor") if field != name}
        assert others == {field: getattr(KEPT, field) for field in others}
        store.save_kept(where, kept, "b1", 108.0, 1_000_008.0)


@pytest.mark.parametrize("name", ["at_s", "wall_s", "boot_id"])
@pytest.mark.parametrize("bad", [None, [], "x", {}, True, 1e300])
def test_no_time_can_do_harm(where: Places, name: str, bad: Any) -> None:
    save(where)
    data = json.loads(store.memory_file(where).read_text())
    store.memory_file(where).write_text(json.dumps({**data, name: bad}))
    store.load_kept(where, "b1", 107.0, 1_000_007.0)


# --- files -------------------------------------------------------------------------------------------------------


def test_nobody_else_may_read_them(where: Places) -> None:
    os.umask(os.umask(0o022))
    save(where)
    store.write_hold(where, Hold())
    store.write_gateway_env(where, "http://127.0.0.1:8888/v1")
    for path in (store.memory_file(where), store.hold_file(where), store.gateway_env_file(where)):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_leaves_the_old_file_and_no_draft(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    save(where)
    before = store.memory_file(where).read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save(where, "b2")
    assert store.memory_file(where).read_text() == before
    assert [path.name for path in store.memory_file(where).parent.iterdir()] == ["memory.json"]


def test_readers_never_see_half_a_file(where: Places) -> None:
    """A writer and a reader at once: what is read is whole, old or new."""
    state = Published(pid=1, boot_id="b", wall_s=1.0, goal="up", ready=True, reason="x" * 20_000)
    store.write_published(where, state)
    done = threading.Event()

    def write() -> None:
        for _ in range(200):
            store.write_published(where, state)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        assert store.read_published(where) == state
        reads += 1
    writer.join()
    assert reads > 1


def test_the_gateways_file_is_what_its_script_reads(where: Places) -> None:
    store.write_gateway_env(where, "http://127.0.0.1:4000/v1")
    assert store.gateway_env_file(where).read_text() == "NEURAL_FARM_BASE_URL=http://127.0.0.1:4000/v1\n"


def test_a_pause_and_its_end(where: Places) -> None:
    assert store.read_hold(where) is None
    store.write_hold(where, Hold(1.5e9, "too hot"))
    assert store.read_hold(where) == Hold(1.5e9, "too hot")
    store.remove_hold(where)
    store.remove_hold(where)
    assert store.read_hold(where) is None


@pytest.mark.parametrize("raw", ["", "{", "[]", '{"until_wall_s": "tomorrow"}'])
def test_a_damaged_pause_names_the_file_and_the_remedy(where: Places, raw: str) -> None:
    store.write(store.hold_file(where), raw)
    with pytest.raises(ValueError, match=r"hold\.json cannot be read .* farmhand pause"):
        store.read_hold(where)


def test_published_by_nobody_or_damaged(where: Places) -> None:
    assert store.read_published(where) is None
    store.write(store.published_file(where), "{")
    assert store.read_published(where) is None


# --- the only one ------------------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from phone.supervisor import instance
fd = instance.open_lock(Path(sys.argv[1]))
print(instance.try_lock(fd), flush=True)
sys.stdin.read()
"""


def test_there_is_one_and_its_death_frees_the_place(where: Places) -> None:
    path = where.run / "supervisor.lock"
    root = Path(__file__).resolve().parent.parent.parent
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    fd = -1
    try:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        fd = instance.open_lock(path)
        assert not instance.try_lock(fd)
        assert instance.holder(fd) == f"process {other.pid}"
        waiter = threading.Thread(target=instance.wait_for_lock, args=(fd,), daemon=True)
        waiter.start()
        waiter.join(0.2)
        assert waiter.is_alive()
        other.kill()
        waiter.join(5.0)
        assert not waiter.is_alive()
        assert instance.holder(fd) == f"process {os.getpid()}"
    finally:
        other.kill()
        other.communicate()
        if fd >= 0:
            os.close(fd)


def test_our_children_do_not_hold_the_place(where: Places) -> None:
    """A command of ours that hangs after our death must not keep the successor waiting."""
    path = where.run / "supervisor.lock"
    fd = instance.open_lock(path)
    assert instance.try_lock(fd)
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        os.close(fd)
        again = instance.open_lock(path)
        assert instance.try_lock(again)
        os.close(again)
    finally:
        child.kill()
        child.wait()


def test_whoever_holds_it_may_have_written_anything(where: Places) -> None:
    path = where.run / "supervisor.lock"
    fd = instance.open_lock(path)
    for raw in (b"", b"x\n", b"\xff", b"-1\n"):
        path.write_bytes(raw)
        assert instance.holder(fd) == "another process"
    os.close(fd)
