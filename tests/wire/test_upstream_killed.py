"""An upstream that dies anywhere in its answer, 200 times: the client has the whole answer or an error frame, and no seam shows in the text.

The upstream and the engine that goes on say the same words, `w0 w1 w2 ...`, so a gap or a repeat is seen at once.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from adapter.engines.base import Engine
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.openai import OpenaiEngine
from adapter.settings import InferrlmSettings, OpenaiSettings
from tests.fakes.counting_engine import CountingEngine
from tests.fakes.inferrlm import Build, FakeInferrLM, FakeModelRuntime, Script
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.openai_server.faults import How
from tests.wire.server import RunningAdapter, running_adapter

POINTS = 20
RUNS = 200
WORDS = 40
HOWS: tuple[How, ...] = ("cut", "reset", "frame", "clean_end", "no_done", "no_finish")
PLAIN_HOWS: tuple[How, ...] = ("cut", "reset")
# Nobody is left alone here: each run is about one answer.
PATIENT: Mapping[str, Any] = {"router": {"disable_cooldowns": True, "retry_policy": {"InternalServerErrorRetries": 0}}}


@asynccontextmanager
async def in_front_of(fake: FakeOpenAI, *others: Engine) -> AsyncIterator[RunningAdapter]:
    upstream = OpenaiEngine(OpenaiSettings(name="up", kind="openai", url=fake.url, between_tokens_s=5))
    async with running_adapter(engines=[upstream, *others], **PATIENT) as adapter:
        yield adapter


async def answer(adapter: RunningAdapter, *, stream: bool) -> tuple[str, str]:
    """(text, how it ended): "whole", "error" for an error frame or status; anything else is a silent end."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "Count."}], "stream": stream}
    async with adapter.session.post("/v1/chat/completions", json=body) as response:
        data = (await response.read()).decode()
        if response.content_type == "application/json":
            parsed = json.loads(data)
            if "error" in parsed:
                return "", "error"
            return parsed["choices"][0]["message"]["content"], "whole"
    return read_stream(data)


def read_stream(data: str) -> tuple[str, str]:
    text, finished, end = "", False, "silent"
    for frame in filter(None, data.split("\n\n")):
        said = frame.removeprefix("data: ")
        if said == "[DONE]":
            return text, "whole" if finished else "done without a reason"
        chunk = json.loads(said)
        if "error" in chunk:
            end = "error"
            continue
        assert end == "silent", "nothing comes behind an error frame"
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            finished = finished or choice["finish_reason"] is not None
    return text, end


async def length_of_body(fake: FakeOpenAI, *, stream: bool) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "Count."}], "stream": stream}
    async with aiohttp.ClientSession() as session, session.post(f"{fake.url}/chat/completions", json=body) as response:
        return len(await response.read())


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_200_deaths_with_somebody_who_goes_on(stream: bool) -> None:
    chance = random.Random(20)
    async with FakeOpenAI(words=WORDS, kind="llama-server") as fake:
        length = await length_of_body(fake, stream=stream)
        points = sorted(chance.sample(range(length), POINTS))
        seen: Counter[tuple[str, str]] = Counter()
        async with in_front_of(fake, CountingEngine("safe", fake.text)) as adapter:
            for run in range(RUNS):
                hows = HOWS if stream else PLAIN_HOWS
                how = hows[(run // POINTS) % len(hows)]
                fake.fail_at_byte(points[run % POINTS], how)
                text, end = await answer(adapter, stream=stream)
                assert (text, end) == (fake.text, "whole"), (points[run % POINTS], how)
                seen[how, end] += 1
        assert sum(seen.values()) == RUNS and {end for _, end in seen} == {"whole"}
        assert {how for how, _ in seen} == set(HOWS if stream else PLAIN_HOWS)


async def test_200_deaths_with_nobody_who_goes_on() -> None:
    chance = random.Random(21)
    async with FakeOpenAI(words=WORDS) as fake:
        length = await length_of_body(fake, stream=True)
        points = sorted(chance.sample(range(length), POINTS))
        seen: Counter[str] = Counter()
        async with in_front_of(fake) as adapter:
            for run in range(RUNS):
                how = HOWS[(run // POINTS) % len(HOWS)]
                fake.fail_at_byte(points[run % POINTS], how)
                text, end = await answer(adapter, stream=True)
                assert fake.text.startswith(text)
                assert end == "error" or (end == "whole" and text == fake.text), (points[run % POINTS], how, end)
                seen[end] += 1
        assert seen["error"] > RUNS // 2


PIECES = ("w0", *(f" w{number}" for number in range(1, 24)))


@pytest.mark.parametrize("build", ["A", "B", "C"])
@pytest.mark.parametrize("how", ["fail_after", "reset_after", "lose_tail_after"])
@pytest.mark.parametrize("pieces", [0, 1, 2, 7, 23])
async def test_inferrlm_dies_after_so_many_tokens(build: Build, how: str, pieces: int) -> None:
    """The app's runtime fails, the phone is gone, or the tail of the stream is lost (`protocols/inferrlm.md` 10.2, 4.3)."""
    script = Script(pieces=PIECES, **{how: pieces})  # type: ignore[arg-type]
    async with FakeInferrLM(build, engine=FakeModelRuntime(script=script)) as phone:
        app = InferrlmEngine(InferrlmSettings(name="phone", kind="inferrlm", url=phone.url))
        safe = CountingEngine("safe", "".join(PIECES))
        async with running_adapter(engines=[app, safe], **PATIENT) as adapter:
            assert await answer(adapter, stream=True) == ("".join(PIECES), "whole")
        assert len(safe.asked) == 1
