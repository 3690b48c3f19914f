"""The embedded engine for real: worker processes, llama.cpp, GGUF files of a few hundred kB made on the spot.

Here: what an answer is (text, end, usage, limits, reuse) and how answers run side by side. The worker's
life is in `test_llama_lifetime.py`, what the engine refuses to load in `test_llama_files.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from adapter.chat import Chat, FinishReason, Message, ReasoningDelta, Role, Sampling, TextDelta
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    QueueFull,
)

pytest.importorskip("gguf", reason="the gguf package makes the model files: pip install 'farmhand[test]'")

from tests.fakes.tiny_gguf import write_parrot, write_random
from tests.live.llama_cases import ENDLESS, TEXT, MakeEngine, answer, answer_begun, chat, inside

# --- answers --------------------------------------------------------------------------------------------------


async def test_plain_answer_ends_by_itself_with_exact_usage(make: MakeEngine) -> None:
    """20 tokens of template and question; the text's bytes and the end-of-generation token."""
    text, finished = await answer(make("once"), chat())
    assert text == TEXT
    assert finished.reason is FinishReason.STOP
    template = ["<|im_start|>", *"user\nhi", "<|im_end|>", "\n", "<|im_start|>", *"assistant\n"]
    assert finished.usage.prompt_tokens == len(template)
    assert finished.usage.completion_tokens == len(TEXT.encode()) + 1


async def test_characters_are_whole(make: MakeEngine) -> None:
    """Every byte is a token here; no delta may show half a character."""
    events = [event async for event in make("once").generate(chat())]
    assert [event.text for event in events if isinstance(event, TextDelta)] == list(TEXT)


async def test_max_tokens_ends_with_length(make: MakeEngine) -> None:
    text, finished = await answer(make(), chat(max_tokens=4))
    assert (text, finished.reason, finished.usage.completion_tokens) == ("Hél", FinishReason.LENGTH, 4)


async def test_default_max_tokens_applies(make: MakeEngine) -> None:
    _, finished = await answer(make(default_max_tokens=7), chat(max_tokens=None))
    assert (finished.reason, finished.usage.completion_tokens) == (FinishReason.LENGTH, 7)


async def test_stop_string_over_several_tokens(make: MakeEngine) -> None:
    text, finished = await answer(make(), chat(stop=("日.H",)))
    assert (text, finished.reason) == ("Hélo_🎉 ", FinishReason.STOP)


async def test_reasoning_is_apart(make: MakeEngine, files: Path) -> None:
    write_parrot(files / "thinker.gguf", "<think>Ab c.", ends=True)
    events = [event async for event in make("thinker").generate(chat())]
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Ab c."
    assert not any(isinstance(event, TextDelta) for event in events)


async def test_empty_answer_is_an_error_unless_explained(make: MakeEngine, files: Path) -> None:
    """A model that ends at once has failed; one that was cut before its first character has not."""
    write_parrot(files / "mute.gguf", "", ends=True)
    with pytest.raises(EngineFailed, match="before its first character"):
        await answer(make("mute"), chat())
    write_parrot(files / "accent.gguf", "é")
    assert (await answer(make("accent"), chat(max_tokens=1)))[1].reason is FinishReason.LENGTH


async def test_prompt_beyond_the_context_is_named_with_both_numbers(make: MakeEngine) -> None:
    engine = make(ctx_tokens=128)
    with pytest.raises(ContextTooLong, match=r"context length is 128 tokens.*resulted in 519 tokens"):
        await answer(engine, chat("x" * 500))
    _, finished = await answer(engine, chat("x" * 100, max_tokens=500))
    usage = finished.usage
    assert (finished.reason, usage.prompt_tokens + usage.completion_tokens) == (FinishReason.LENGTH, 128)


async def test_context_is_bounded_by_the_models_own(make: MakeEngine, files: Path) -> None:
    write_random(files / "short.gguf", context=512)
    engine = make("short", ctx_tokens=4_096)
    (before,) = await engine.models()
    await answer(engine, chat())
    (after,) = await engine.models()
    assert (before.id, before.context_tokens, before.loaded) == ("short", 512, False)
    assert (after.id, after.context_tokens, after.loaded) == ("short", 512, True)


async def test_seed_decides(make: MakeEngine) -> None:
    engine = make("random")
    texts = [(await answer(engine, chat(temperature=1.0, seed=seed)))[0] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_second_turn_has_cached_tokens(make: MakeEngine) -> None:
    engine = make("random")
    first, _ = await answer(engine, chat("a question of some length", max_tokens=8))
    messages = (
        *chat("a question of some length").messages,
        Message(Role.ASSISTANT, first),
        Message(Role.USER, "and?"),
    )
    _, finished = await answer(engine, Chat("any", messages, Sampling(temperature=0, max_tokens=8)))
    assert finished.usage.cached_tokens >= 40


# --- side by side ---------------------------------------------------------------------------------------------


async def test_second_answer_does_not_wait_for_the_first(make: MakeEngine) -> None:
    """Its first token arrives, and even its last, while the first answer goes on."""
    engine = make(slots=2)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        text, _ = await answer(engine, chat("other", max_tokens=15))
        assert text == TEXT
        async for event in first:  # not over: there is more of it, and no end in between
            assert isinstance(event, TextDelta)
            break


async def test_four_at_a_time_say_what_each_says_alone(make: MakeEngine) -> None:
    engine = make("random", slots=4)
    requests = [chat(f"{n} {'word ' * 10 * n}", max_tokens=16) for n in range(4)]
    alone = [await answer(engine, request) for request in requests]
    await engine.close()
    together_engine = make("random", slots=4)
    together = await asyncio.gather(*(answer(together_engine, request) for request in requests))
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert len({text for text, _ in alone}) > 1


async def test_leaving_frees_the_slot(make: MakeEngine) -> None:
    """One slot: the second answer can only begin because the first was given up."""
    engine = make(slots=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_leaving_while_queued(make: MakeEngine) -> None:
    """The one behind moves up; the one who left is never started."""
    engine = make(slots=1, queue=2)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        impatient = asyncio.create_task(answer(engine, chat("never mind")))
        patient = asyncio.create_task(answer(engine, chat(max_tokens=15)))
        await inside(engine, 3)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
    assert (await patient)[0] == TEXT


async def test_full_queue_is_refused_at_once(make: MakeEngine) -> None:
    engine = make(slots=1, queue=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        second = asyncio.create_task(answer(engine, chat(max_tokens=15)))
        await inside(engine, 2)
        with pytest.raises(QueueFull) as caught:
            await answer(engine, chat())
        assert caught.value.retry_after_s
    assert (await second)[0] == TEXT


async def test_many_at_once(make: MakeEngine) -> None:
    engine = make(slots=4, queue=100)
    answers = await asyncio.gather(*(answer(engine, chat(f"{n}", max_tokens=15)) for n in range(60)))
    assert {text for text, _ in answers} == {TEXT}


# --- errors ----------------------------------------------------------------------------------------------------


def test_every_error_of_the_worker_has_its_class() -> None:
    from adapter.engines.llama.asking import error_of
    from adapter.engines.llama.link import Failed

    for kind in (BadRequest, ContextTooLong, QueueFull, EngineUnavailable, EngineFailed):
        assert type(error_of(Failed(1, kind.code, "x"))) is kind
    assert isinstance(error_of(Failed(1, "made up", "x")), AdapterError)
