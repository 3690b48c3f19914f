"""Counting with a real vocabulary, in its own process: the numbers, and everything that may happen to the process."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapter.chat import Chat, Message, Role, Tool, ToolCall, Usage, UsageSource
from adapter.counting import COUNT_S, TokenCounter
from adapter.engines.llama import vocabulary_host
from adapter.engines.llama.engine import LlamaEngine
from adapter.engines.llama.vocabulary_host import VocabularyHost, VocabularyProcess
from adapter.settings import LlamaSettings

if importlib.util.find_spec("llama_cpp") is None:
    pytest.skip("llama-cpp-python is not installed: pip install 'farmhand[llama]'", allow_module_level=True)

DEMO = Path(__file__).parents[2] / "adapter" / "demo" / "demo.gguf"
ESTIMATED = Usage(999, 999, 0, UsageSource.ESTIMATED, UsageSource.ESTIMATED)
# Generous where a test wants the number and not the patience.
PATIENT_S = 20.0

CHATS = [
    Chat("m", (Message(Role.USER, "Hello"),)),
    Chat("m", (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Grüße aus Zürich 東京 🎉\n\n  - a\n"))),
    Chat(
        "m",
        (
            Message(Role.USER, "And the wind?"),
            Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "wind", '{"at": "pier"}'),)),
            Message(Role.TOOL, "5 knots", tool_call_id="c1"),
            Message(Role.ASSISTANT, "Five knots."),
            Message(Role.USER, "Thanks."),
        ),
    ),
]
ANSWER = "The lamps of the harbour:\n\n- one 🎉\n- <|im_end|> two\n"


def is_gone(pid: int) -> bool:
    """No such process, or only its entry for a parent that has not looked."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


async def ready(host: VocabularyHost) -> VocabularyProcess:
    """The process once it is there."""
    host.warm()
    if host._spawning:
        await asyncio.wait({host._spawning}, timeout=30)
    assert host.running
    return host.running


@pytest.fixture
async def host() -> AsyncIterator[VocabularyHost]:
    made = VocabularyHost(DEMO)
    yield made
    last = made._process
    await made.close()
    await made.close()
    assert last is None or is_gone(last.pid)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("vocabulary", "llama-"))]


async def test_the_numbers_are_those_of_the_engine_itself(host: VocabularyHost, tmp_path: Path) -> None:
    engine = LlamaEngine(LlamaSettings(name="demo", kind="llama", threads=1, slots=1), tmp_path)
    await ready(host)
    try:
        for chat in CHATS:
            counted = await host.count(chat, ANSWER, within_s=PATIENT_S)
            prompt = await engine.tokenize("demo", chat.messages, specials=True, parse_specials=True)
            answer = await engine.tokenize("demo", ANSWER, specials=False, parse_specials=False)
            assert counted == (len(prompt.ids), len(answer.ids))
            assert min(counted) > 3
    finally:
        await engine.close()


async def test_tools_are_part_of_the_prompt(host: VocabularyHost) -> None:
    await ready(host)
    bare, _ = await host.count(CHATS[0], None, within_s=PATIENT_S)
    tool = Tool("wind", "Tells the wind.", '{"type": "object", "properties": {"at": {"type": "string"}}}')
    told, nothing = await host.count(Chat("m", CHATS[0].messages, tools=(tool,)), None, within_s=PATIENT_S)
    assert bare is not None
    assert told is not None
    assert told > bare + 20
    assert nothing is None


async def test_the_first_answer_is_estimated_and_later_ones_are_counted(tmp_path: Path) -> None:
    counter = TokenCounter(tmp_path, {"phone": "demo"})
    try:
        await counter.listed()
        began_s = time.monotonic()
        assert await counter.counted(ESTIMATED, CHATS[0], ANSWER, engine="phone", model="x") == ESTIMATED
        assert time.monotonic() - began_s < 2 * COUNT_S
        (host,) = counter._hosts.values()
        await ready(host)
        async with asyncio.timeout(30):
            while (usage := await counter.counted(ESTIMATED, CHATS[0], ANSWER, engine="phone", model="x")) == ESTIMATED:
                pass  # a busy machine took longer than COUNT_S
        assert usage.prompt_source is usage.completion_source is UsageSource.COUNTED
        assert (usage.prompt_tokens, usage.completion_tokens) == await host.count(CHATS[0], ANSWER, within_s=PATIENT_S)
        half = Usage(7, 8, 0, UsageSource.ESTIMATED, UsageSource.EXACT)
        async with asyncio.timeout(30):
            while (usage := await counter.counted(half, CHATS[0], ANSWER, engine="phone", model="x")) == half:
                pass  # likewise
        assert (usage.completion_tokens, usage.completion_source) == (8, UsageSource.EXACT)
    finally:
        await counter.close()


async def test_a_process_that_dies_is_replaced(host: VocabularyHost) -> None:
    first = await ready(host)
    os.kill(first.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        await first.died.wait()
    assert await host.count(CHATS[0], ANSWER, within_s=PATIENT_S) == (None, None)
    second = await ready(host)
    assert second.pid != first.pid
    assert None not in await host.count(CHATS[0], ANSWER, within_s=PATIENT_S)


async def test_a_process_that_hangs_costs_little_and_is_ended(host: VocabularyHost) -> None:
    process = await ready(host)
    os.kill(process.pid, signal.SIGSTOP)
    for _ in range(vocabulary_host.MAX_MISSED):
        began_s = time.monotonic()
        assert await host.count(CHATS[0], ANSWER, within_s=0.05) == (None, None)
        assert time.monotonic() - began_s < 1.0
    async with asyncio.timeout(30):
        await process.died.wait()
    assert is_gone(process.pid)


async def test_nobody_waits_behind_many(host: VocabularyHost) -> None:
    process = await ready(host)
    os.kill(process.pid, signal.SIGSTOP)
    asking = [asyncio.create_task(host.count(None, "a", within_s=PATIENT_S)) for _ in range(vocabulary_host.MAX_ASKED)]
    await asyncio.sleep(0)
    assert await host.count(None, "a", within_s=PATIENT_S) == (None, None)
    os.kill(process.pid, signal.SIGCONT)
    assert await asyncio.gather(*asking) == [(None, 1)] * len(asking)


async def test_an_idle_process_ends() -> None:
    host = VocabularyHost(DEMO, idle_s=0.05)
    process = await ready(host)
    async with asyncio.timeout(30):
        await process.died.wait()
    assert host.running is None
    await ready(host)
    await host.close()
    assert is_gone(process.pid)


async def test_a_file_that_is_no_model_is_tried_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 100)
    host = VocabularyHost(path)
    for _ in range(2):
        assert await host.count(CHATS[0], ANSWER, within_s=PATIENT_S) == (None, None)
        assert host._spawning
        await asyncio.wait({host._spawning}, timeout=30)
        assert host.running is None
    assert await host.count(CHATS[0], ANSWER, within_s=PATIENT_S) == (None, None)
    assert host._spawning is None  # a pause after the second failure in a row
    await host.close()


@pytest.mark.parametrize(("free_bytes", "starts"), [(100 << 20, False), (1 << 30, True), (None, True)])
async def test_it_takes_no_memory_that_others_need(free_bytes: int | None, starts: bool) -> None:
    host = VocabularyHost(DEMO, available_bytes=lambda: free_bytes)
    host.warm()
    assert host._spawning
    await asyncio.wait({host._spawning}, timeout=30)
    assert (host.running is not None) is starts
    await host.close()


async def test_closing_while_it_loads_leaves_nothing(host: VocabularyHost) -> None:
    host.warm()
    await asyncio.sleep(0)
    await host.close()
    assert host.running is None
    host.warm()
    assert host._spawning is None
