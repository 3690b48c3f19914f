"""Counts of keys: added up in memory, merged into the file, and never in the way of an answer."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from adapter.access.tally import Tally, add_to_file, read_uses
from adapter.access.use import Use

ADD = """
import sys, pathlib
from adapter.access.tally import add_to_file
from adapter.access.use import Use
for _ in range(20):
    add_to_file(pathlib.Path(sys.argv[1]), {"token:a": Use("a", 1, 0, 2, 3, 10, 20), sys.argv[2]: Use("own", 1)})
"""

NEGATIVE = json.dumps({"version": 1, "keys": {"a": asdict(Use("a", -1))}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "key-usage.json"


class Wall:
    now_s = 1_000.7

    def __call__(self) -> float:
        return self.now_s


async def test_counted_and_written_at_the_end(path: Path) -> None:
    wall = Wall()
    tally = Tally(path, wall=wall)
    tally.count("token:a", "a#1", prompt_tokens=10, completion_tokens=3)
    wall.now_s = 1_005.0
    tally.count("token:a", "a#1", refused=True)
    tally.count("hash:key-1", "key-1")
    assert not path.exists(), "nothing is written while nobody waits for it"
    await tally.close()
    assert read_uses(path) == {
        "token:a": Use("a#1", 1, 1, 10, 3, 1_000, 1_005),
        "hash:key-1": Use("key-1", 1, 0, 0, 0, 1_005, 1_005),
    }
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_next_process_goes_on(path: Path) -> None:
    for now_s in (2_000.0, 1_000.0):  # also with a clock that was set back
        wall = Wall()
        wall.now_s = now_s
        tally = Tally(path, wall=wall)
        tally.count("token:a", "a", prompt_tokens=1)
        await tally.close()
    assert read_uses(path) == {"token:a": Use("a", 2, 0, 2, 0, 1_000, 2_000)}


async def test_written_now_and_then_without_being_asked(path: Path) -> None:
    tally = Tally(path, wall=Wall(), flush_s=0.01)
    tally.count("token:a", "a")
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(path.exists):
            pass
    tally.count("token:a", "a")
    await tally.close()
    assert read_uses(path)["token:a"].requests == 2


async def test_nothing_is_planned_while_nothing_is_counted(path: Path) -> None:
    tally = Tally(path, wall=Wall())
    assert tally._timer is None
    await tally.close()
    assert not path.parent.exists()


async def test_a_disk_that_fails_keeps_the_counts(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.mkdir()
    tally = Tally(path, wall=Wall())
    tally.count("token:a", "a", completion_tokens=5)
    with caplog.at_level(logging.WARNING):
        await tally._flush()
    assert "could not be written" in caplog.text
    tally.count("token:a", "a", completion_tokens=1)
    path.rmdir()
    await tally.close()
    assert read_uses(path) == {"token:a": Use("a", 2, 0, 0, 6, 1_000, 1_000)}


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", ADD, str(path), f"hash:{n}"]) for n in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    uses = read_uses(path)
    assert uses["token:a"] == Use("a", 60, 0, 120, 180, 10, 20)
    assert [uses[f"hash:{n}"].requests for n in range(3)] == [20, 20, 20]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "keys": {}}',
        '{"version": 1, "keys": []}',
        '{"version": 1, "keys": {"a": {}}}',
        '{"version": 1, "keys": {"a": {"name": 1, "requests": 1}}}',
        NEGATIVE,
        "[" * 100_000,
        "\x00",
    ],
)
def test_a_damaged_file_is_kept_aside(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError):
        read_uses(path)
    add_to_file(path, {"token:a": Use("a", 1)})
    assert read_uses(path) == {"token:a": Use("a", 1)}
    assert path.with_name("key-usage.json.damaged").read_text() == text
    assert "counting begins anew" in caplog.text
