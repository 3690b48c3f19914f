"""Computed prefixes are used again within a worker: in the same slot, or copied from another one.

Whatever was reused, the text is that of an engine that has seen nothing before (`Cold`).
"""

import asyncio
import math
from dataclasses import replace
from pathlib import Path

from adapter.chat import Chat, ChoiceFinished, Event, Finished, TextDelta
from adapter.engines.llama.engine import LlamaEngine
from adapter.engines.llama.schedule_seats import SHARED_MIN_TOKENS
from tests.live.llama_cases import LONGEST_S, MakeEngine, answer, answer_begun
from tests.live.llama_prefix_cases import (
    NOISE,
    OTHER,
    SYSTEM,
    Cold,
    again,
    cached,
    in_common,
    killed,
    long_text,
    stored,
    talk,
    write_attentive,
)

# --- what a comparison of texts is worth ------------------------------------------------------------------------


async def test_the_tiny_model_tells_prefixes_apart(cold: Cold) -> None:
    """Another beginning, or a part of it, makes another text; else the comparisons below would show nothing."""
    systems = (SYSTEM, OTHER, SYSTEM[:350], SYSTEM[350:], OTHER[:350] + SYSTEM[350:])
    assert len({await cold(talk(system, "one")) for system in systems}) >= 4


async def test_probabilities_are_those_of_a_cold_engine(saving: MakeEngine, tmp_path: Path) -> None:
    """Within the noise of f16; a prompt that lacks its first character is several times as far away."""
    path = str(tmp_path / "attentive.gguf")
    write_attentive(Path(path))
    asked = talk(SYSTEM, "one")
    engine = saving(path, slots=2, kv_store_mib=0)
    fresh, n_cached = await logprobs(engine, asked)
    assert n_cached == 0
    lacking, _ = await logprobs(engine, talk(SYSTEM[1:], "one"))
    assert distance(fresh, lacking) > 3 * NOISE
    await engine.close()

    engine = saving(path, slots=2)
    await answer(engine, talk(SYSTEM, "two " + long_text(300, 2)))
    copied = await logprobs(engine, asked)
    own = await logprobs(engine, asked)
    await stored(tmp_path)
    await killed(engine)
    restored = await logprobs(engine, asked)
    for reused, n_cached in (copied, own, restored):
        assert n_cached > len(SYSTEM)
        assert distance(fresh, reused) < NOISE


async def logprobs(engine: LlamaEngine, request: Chat) -> tuple[list[tuple[str, float]], int]:
    """The answer's tokens with what they are worth, and how much of the prompt was not computed."""
    async with asyncio.timeout(LONGEST_S):
        events = [event async for event in engine.generate(replace(request, logprobs=0))]
    end = events[-1]
    assert isinstance(end, Finished)
    deltas = [event for event in events if isinstance(event, TextDelta)]
    return [(one.token, one.logprob) for delta in deltas for one in delta.logprobs], cached(end)


def distance(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> float:
    """Of two answers; without an end if they are different texts."""
    if [token for token, _ in one] != [token for token, _ in other]:
        return math.inf
    return max(abs(a - b) for (_, a), (_, b) in zip(one, other, strict=True))


# --- in the same process ----------------------------------------------------------------------------------------


async def test_next_turn_in_its_own_slot(make: MakeEngine, cold: Cold) -> None:
    """All of the first prompt and answer but its last token, which nothing was decoded behind."""
    engine = make("random", slots=2)
    said, first = await answer(engine, talk(SYSTEM, "one"))
    following = talk(SYSTEM, "one", said, "two")
    text, end = await answer(engine, following)
    assert cached(end) == first.usage.prompt_tokens + first.usage.completion_tokens - 1
    assert text == await cold(following)
    assert text != said


async def test_sibling_copies_and_the_first_is_kept(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=2)
    first, sibling = talk(SYSTEM, "a " + long_text(300, 3)), talk(SYSTEM, "b")
    said, begun = await answer(engine, first)
    text, end = await answer(engine, sibling)
    assert cached(end) == await in_common(engine, first, sibling) > len(SYSTEM)
    assert text == await cold(sibling)
    following = talk(SYSTEM, "a " + long_text(300, 3), said, "c")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens + begun.usage.completion_tokens - 1
    assert text == await cold(following)


async def test_copy_from_a_slot_that_is_still_running(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=2)
    first, sibling = talk(SYSTEM, "a", max_tokens=600), talk(SYSTEM, "b")
    stream = engine.generate(first)
    said = await answer_begun(stream)
    text, end = await answer(engine, sibling)
    still_running = worker_runs(engine, 1)
    async with asyncio.timeout(LONGEST_S):
        said += "".join([event.text async for event in stream if isinstance(event, TextDelta)])
    assert still_running
    assert cached(end) == await in_common(engine, first, sibling)
    assert text == await cold(sibling)
    assert said == await cold(first)


def worker_runs(engine: LlamaEngine, n: int) -> bool:
    worker = engine._host.running
    return worker is not None and len(worker._open) == n


async def test_siblings_that_come_together_compute_the_beginning_once(make: MakeEngine, cold: Cold) -> None:
    """The three that come while the first is being computed wait for it and copy; who comes when less than `SHARED_MIN_TOKENS` of it are
    still missing copies what there is."""
    engine = make("random", slots=4, batch_tokens=64)
    requests = [talk(SYSTEM, f"{letter} asks") for letter in "abcd"]
    answers = await asyncio.gather(*(answer(engine, request) for request in requests))
    shared = await in_common(engine, requests[0], requests[1])
    first, *others = sorted(cached(end) for _, end in answers)
    assert first == 0 and shared - SHARED_MIN_TOKENS < others[0] <= others[-1] <= shared
    assert [text for text, _ in answers] == [await cold(request) for request in requests]


async def test_eight_answers_on_four_slots(make: MakeEngine, cold: Cold) -> None:
    """Greedy they are all the cold one's; with a seed each is the cold one's with the seed of its number."""
    engine = make("random", slots=4)
    await answer(engine, talk(OTHER, "before"))
    asked = replace(talk(SYSTEM, "a"), n=8)
    texts = await choices(engine, asked)
    assert texts == [await cold(replace(asked, n=1))] * 8
    asked = again(asked, temperature=1.0, seed=40)
    texts = await choices(engine, asked)
    assert len(set(texts)) == 8
    for choice in (0, 3, 7):
        assert texts[choice] == await cold(again(replace(asked, n=1), seed=40 + choice))


async def choices(engine: LlamaEngine, asked: Chat) -> list[str]:
    async with asyncio.timeout(LONGEST_S):
        events: list[Event] = [event async for event in engine.generate(asked)]
    assert sum(isinstance(event, ChoiceFinished) for event in events) == asked.n
    texts = [""] * asked.n
    for event in events:
        if isinstance(event, TextDelta):
            texts[event.choice] += event.text
    return texts


async def test_only_slot_is_trimmed(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=1)
    first, second = talk(SYSTEM, "x" + long_text(100, 5)), talk(SYSTEM, "y" + long_text(150, 6))
    await answer(engine, first)
    text, end = await answer(engine, second)
    assert cached(end) == await in_common(engine, first, second)
    assert text == await cold(second)
    shorter = talk(SYSTEM[:300], "z")
    text, end = await answer(engine, shorter)
    assert cached(end) == await in_common(engine, second, shorter)
    assert text == await cold(shorter)


async def test_the_same_prompt_again_computes_its_last_token(make: MakeEngine, cold: Cold) -> None:
    engine = make("random", slots=1)
    asked = talk(SYSTEM, "a")
    await answer(engine, asked)
    text, end = await answer(engine, asked)
    assert cached(end) == end.usage.prompt_tokens - 1
    assert text == await cold(asked)
