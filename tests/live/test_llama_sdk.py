"""The OpenAI Python SDK over the embedded engine: real adapter, real worker, real llama.cpp.

The engine's own rules are in `test_llama_engine.py`; here is what a client sees of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai
from openai.types.chat import ChatCompletionChunk

from tests.fakes.tiny_gguf import write_random
from tests.live.processes import Adapter, adapter, children

ENDLESS = """
[[engine]]
name = "endless"
kind = "llama"
model = "{gguf}"
slots = 4
threads = 1
ctx_tokens = 65536
default_max_tokens = 60000
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Adapter]:
    """An adapter over a model that never ends an answer by itself."""
    gguf = tmp_path / "endless.gguf"
    write_random(gguf, context=65_536)
    with adapter(tmp_path, ENDLESS.format(gguf=gguf)) as started:
        yield started


@pytest.fixture
def client(running: Adapter) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=running.base_url, api_key=running.key, max_retries=0, timeout=60) as made:
        yield made


def short_answer(client: openai.OpenAI) -> str:
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "hi"}], max_tokens=8
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None and answer.usage.completion_tokens == 8
    return answer.choices[0].message.content or ""


def until_text(chunks: Iterator[ChatCompletionChunk]) -> str:
    """The next piece of text; what is empty only keeps the client alive."""
    while not (text := next(chunks).choices[0].delta.content):
        pass
    return text


def test_a_killed_workers_answer_goes_on_with_the_next(running: Adapter, client: openai.OpenAI) -> None:
    """Within the same `max_tokens`; the seam is told. (That nothing is repeated or missing is for engines whose words are
    known: `tests/wire/test_upstream_killed.py`. This model writes noise.)"""
    with client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "hi"}], max_tokens=4_000, stream=True
    ) as stream:
        chunks = iter(stream)
        text = until_text(chunks)
        (worker,) = children(running.pid)
        os.kill(worker, signal.SIGKILL)
        last = None
        for last in chunks:
            text += last.choices[0].delta.content or ""
    assert last is not None and last.choices[0].finish_reason == "length"
    assert last.model_extra is not None
    (seam,) = last.model_extra["farmhand"]["seams"]
    assert (seam["code"], seam["before"], seam["after"]) == ("engine_failed", seam["before"], seam["before"])
    assert 0 < seam["at_chars"] < len(text)
    assert children(running.pid) not in ([], [worker])


def test_a_worker_that_is_killed_again_and_again_is_an_error(running: Adapter, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    killed: set[int] = set()
    with stream, pytest.raises(openai.APIError) as caught:
        chunks = iter(stream)
        while True:
            until_text(chunks)
            for worker in set(children(running.pid)) - killed:  # none, where what comes is still of the one before
                killed.add(worker)
                os.kill(worker, signal.SIGKILL)
    assert caught.value.code in ("engine_failed", "engine_unavailable")
    assert "SIGKILL" in caught.value.message
    assert len(killed) in (2, 3)  # one that dies before it has begun is replaced at once


def test_a_second_request_does_not_wait_for_the_first_to_end(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "hi"}], stream=True
    ) as first:
        assert next(iter(first))
        assert short_answer(client)


def test_leaving_frees_the_slot(client: openai.OpenAI) -> None:
    """Twelve streams left in mid-answer, on four slots; a thirteenth request is answered."""

    def leave(_: int) -> None:
        with client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "hi"}], stream=True
        ) as stream:
            chunks = iter(stream)
            while not next(chunks).choices[0].delta.content:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(leave, range(12)))
    assert short_answer(client)


def test_too_long_a_prompt_is_told_in_openais_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "many words " * 20_000}]
        )
    assert caught.value.code == "context_length_exceeded"
    assert "maximum context length is 65536 tokens" in caught.value.message


def test_stopping_the_adapter_leaves_no_worker(tmp_path: Path) -> None:
    gguf = tmp_path / "endless.gguf"
    write_random(gguf)
    with adapter(tmp_path, ENDLESS.format(gguf=gguf)) as started:
        with openai.OpenAI(base_url=started.base_url, api_key=started.key, max_retries=0) as client:
            assert short_answer(client)
        (worker,) = children(started.pid)
    assert not Path(f"/proc/{worker}").exists()


def test_without_a_model_file_the_answer_says_which(tmp_path: Path) -> None:
    with adapter(tmp_path, '[[engine]]\nname = "x"\nkind = "llama"\nmodel = "/nowhere/x.gguf"') as started:
        client = openai.OpenAI(base_url=started.base_url, api_key=started.key, max_retries=0)
        with client, pytest.raises(openai.APIStatusError) as caught:
            short_answer(client)
        assert caught.value.status_code == 503
        assert "/nowhere/x.gguf" in caught.value.message
