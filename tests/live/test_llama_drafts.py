"""Guessing ahead with a real worker: the text stays what it would be, in fewer steps where it repeats itself."""

from __future__ import annotations

import asyncio

from tests.live.llama_cases import TEXT, MakeEngine, answer, chat

LONG = ("one " * 60, "two " * 60)


async def test_repeating_text_comes_out_the_same(make: MakeEngine) -> None:
    """The parrot repeats its text for ever: with guesses many of its tokens come several at a time."""
    plain, end = await answer(make("parrot", ctx_tokens=1_024), chat(max_tokens=400))
    guessed, guessed_end = await answer(make("parrot", ctx_tokens=1_024, draft_tokens=3), chat(max_tokens=400))
    assert guessed == plain
    assert guessed.startswith(TEXT * 3)
    assert guessed_end.usage == end.usage


async def test_noise_comes_out_the_same(make: MakeEngine) -> None:
    for sampling in ({"temperature": 0.0}, {"temperature": 1.0, "seed": 4}, {"temperature": 0.0, "stop": ("a",)}):
        plain, end = await answer(make("random", ctx_tokens=1_024), chat(max_tokens=200, **sampling))
        guessed, guessed_end = await answer(
            make("random", ctx_tokens=1_024, draft_tokens=3), chat(max_tokens=200, **sampling)
        )
        assert (guessed, guessed_end) == (plain, end)


async def test_several_answers_and_second_turns(make: MakeEngine) -> None:
    """Guesses stop while two answers run; what they left behind in the cache does not spoil the next turn."""
    cold = make("random", ctx_tokens=2_048)
    engine = make("random", ctx_tokens=2_048, draft_tokens=3)
    both = await asyncio.gather(*(answer(engine, chat(text, max_tokens=120)) for text in LONG))
    for text, (said, _) in zip(LONG, both, strict=True):
        assert said == (await answer(cold, chat(text, max_tokens=120)))[0]
    again, end = await answer(engine, chat(LONG[0], max_tokens=120))
    assert again == both[0][0]
    assert end.usage.cached_tokens > 0
