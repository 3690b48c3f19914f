"""Which file counts for which model, and what becomes of a usage."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from pathlib import Path

import pytest

from adapter.chat import Chat, Message, Role, Usage, UsageSource
from adapter.counting import MAX_CHARS, TokenCounter, find_files, vocabulary_name

CHAT = Chat("m", (Message(Role.USER, "hi"),))
ESTIMATED = Usage(10, 20, 4, UsageSource.ESTIMATED, UsageSource.ESTIMATED)

installed = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed: pip install 'farmhand[llama]'"
)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "llama-3.2-1b-instruct"),
        ("Llama-3.2-1B-Instruct-UD-Q4_K_XL", "llama-3.2-1b-instruct"),
        ("Qwen2.5-1.5B-Instruct.i1-IQ4_XS.gguf", "qwen2.5-1.5b-instruct"),
        ("qwen/Qwen3-0.6B-f16.gguf", "qwen3-0.6b"),
        ("Qwen3-0.6B-BF16", "qwen3-0.6b"),
        ("gemma-3n-E2B-it-int4.litertlm", "gemma-3n-e2b-it"),
        ("model-q4_0_4_4.gguf", "model"),
        ("phi-3.5-mini-instruct", "phi-3.5-mini-instruct"),
        ("q4", "q4"),
        ("", ""),
    ],
)
def test_one_name_for_all_quantisations(model: str, name: str) -> None:
    assert vocabulary_name(model) == name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    for name in ("Llama-3.2-1B-Instruct-Q4_0", "Llama-3.2-1B-Instruct-Q8_0", "Qwen3-0.6B", ".hidden"):
        (tmp_path / "models" / f"{name}.gguf").write_bytes(b"GGUF")
    return tmp_path


async def listed(home: Path, **files: str) -> TokenCounter:
    counter = TokenCounter(home, files)
    await counter.listed()
    return counter


@installed
@pytest.mark.parametrize(
    ("model", "file"),
    [
        ("llama-3.2-1b-instruct-q8_0.GGUF", "Llama-3.2-1B-Instruct-Q8_0"),
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Llama-3.2-1B-Instruct-Q4_0"),
        ("QWEN3-0.6b", "Qwen3-0.6B"),
        ("Qwen3-0.6B-int8.litertlm", "Qwen3-0.6B"),
        ("Qwen3-1.7B", None),
        (".hidden", None),
        ("", None),
    ],
)
async def test_a_fetched_model_of_the_same_name_counts(home: Path, model: str, file: str | None) -> None:
    counter = await listed(home)
    wanted = home / "models" / f"{file}.gguf" if file else None
    assert counter.vocabulary_for("phone", model) == wanted
    await counter.close()


@installed
async def test_a_configured_file_counts_for_all_models_of_its_engine(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"GGUF")
    counter = await listed(home, phone="Qwen3-0.6B", tablet=str(path), demo="demo")
    assert counter.vocabulary_for("phone", "whatever") == home / "models" / "Qwen3-0.6B.gguf"
    assert counter.vocabulary_for("tablet", "whatever") == path
    found = counter.vocabulary_for("demo", "demo")
    assert found is not None
    assert found.name == "demo.gguf"
    assert counter.vocabulary_for("fourth", "whatever") is None
    await counter.close()


@installed
async def test_a_configured_file_that_is_not_there_is_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        counter = await listed(home, phone="nowhere")
    assert counter.vocabulary_for("phone", "Qwen3-0.6B") == home / "models" / "Qwen3-0.6B.gguf"
    (record,) = caplog.records
    assert "engine=phone" in record.getMessage()
    await counter.close()


@installed
def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    files = find_files(tmp_path / "nothing", {})
    assert (files.by_engine, files.by_name) == ({}, {})


async def test_looking_does_not_block_the_loop(home: Path) -> None:
    """The first question is asked before the disk was looked at; it costs nothing and finds nothing."""
    counter = TokenCounter(home, {})
    assert counter.vocabulary_for("phone", "Qwen3-0.6B") is None
    await counter.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("vocabulary")]


@installed
@pytest.mark.parametrize(
    ("usage", "chat", "text"),
    [
        (Usage(10, 20), CHAT, "exact numbers stay"),
        (Usage(10, 20, 0, UsageSource.EXACT, UsageSource.COUNTED), CHAT, "and counted ones"),
        (ESTIMATED, CHAT, "x" * (MAX_CHARS + 1)),
        (
            Usage(10, 20, 0, UsageSource.ESTIMATED, UsageSource.COUNTED),
            Chat("m", (Message(Role.USER, "see", images=("data:image/png;base64,AA",)),)),
            "nobody knows what a picture costs",
        ),
    ],
)
async def test_nobody_is_asked_where_there_is_nothing_to_gain(home: Path, usage: Usage, chat: Chat, text: str) -> None:
    counter = await listed(home)
    assert await counter.counted(usage, chat, text, engine="phone", model="Qwen3-0.6B") == usage
    assert counter._hosts == {}
    await counter.close()


async def test_nothing_is_counted_after_the_end(home: Path) -> None:
    counter = await listed(home)
    await counter.close()
    await counter.close()
    assert await counter.counted(ESTIMATED, CHAT, "text", engine="phone", model="Qwen3-0.6B") == ESTIMATED
    assert counter._hosts == {}
