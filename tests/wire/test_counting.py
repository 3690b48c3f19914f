"""The token counter beside a server: its event loop is never held up, whatever the file is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from adapter.chat import Chat, Message, Role, Usage, UsageSource
from adapter.counting import TokenCounter

pytestmark = [
    pytest.mark.usefixtures("never_blocking"),
    pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed"),
]

ESTIMATED = Usage(10, 20, 4, UsageSource.ESTIMATED, UsageSource.ESTIMATED)
CHAT = Chat("m", (Message(Role.USER, "hi"),))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    for name in "abc":
        (tmp_path / "models" / f"{name}.gguf").write_bytes(b"no model at all")
    return tmp_path


async def test_files_are_found_and_tried_beside_the_loop(home: Path) -> None:
    counter = TokenCounter(home, {"phone": "nowhere"})
    assert counter.vocabulary_for("phone", "a") is None
    await counter.listed()
    assert counter.vocabulary_for("phone", "A-Q4_0.gguf") == home / "models" / "a.gguf"
    for _ in range(3):
        assert await counter.counted(ESTIMATED, CHAT, "text", engine="phone", model="a") == ESTIMATED
    await counter.close()


async def test_few_processes_at_a_time(home: Path) -> None:
    counter = TokenCounter(home, {})
    await counter.listed()
    for model in "abcab":
        assert await counter.counted(ESTIMATED, CHAT, "text", engine="phone", model=model) == ESTIMATED
    assert [path.stem for path in counter._hosts] == ["a", "b"]
    await counter.close()
