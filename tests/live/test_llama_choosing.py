"""How tokens are chosen, on real models: seeds, biases, probabilities, several answers, a budget for thinking."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.chat import (
    Chat,
    ChoiceFinished,
    Completion,
    Event,
    Finished,
    FinishReason,
    Message,
    Reasoning,
    ReasoningDelta,
    Role,
    Sampling,
    TextDelta,
    TokenBias,
)
from adapter.engines.llama.engine import LlamaEngine
from adapter.errors import BadRequest, ContextTooLong, NotCapable
from tests.fakes.tiny_gguf import write_random
from tests.live.llama_cases import LONGEST_S, TEXT, MakeEngine, answer, chat

THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
    "{# the answer follows </think> #}"
)


# The tiny models' first 256 tokens are the bytes: with this bias their noise is printable ASCII, a token a character.
PRINTABLE = tuple(TokenBias(byte, -100.0) for byte in (*range(32), *range(127, 256)))


async def events_of(engine: LlamaEngine, asked: Chat | Completion) -> list[Event]:
    async with asyncio.timeout(LONGEST_S):
        stream = engine.generate(asked) if isinstance(asked, Chat) else engine.complete(asked)
        return [event async for event in stream]


def texts(events: list[Event]) -> dict[int, str]:
    said: dict[int, str] = defaultdict(str)
    for event in events:
        if isinstance(event, TextDelta):
            said[event.choice] += event.text
    return dict(said)


# --- seeds and several answers ----------------------------------------------------------------------------------


async def test_same_seed_same_answer_whoever_else_is_in_the_batch(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=1_024)
    asked = chat("hi", temperature=1.0, seed=11)
    alone, _ = await answer(engine, asked)
    others = [answer(engine, chat(f"other {n}", temperature=1.0, max_tokens=60)) for n in range(3)]
    (beside, _), *_ = await asyncio.gather(answer(engine, asked), *others)
    assert beside == alone


async def test_several_answers_from_one_prefill(make: MakeEngine) -> None:
    """n = 6 on four slots: six different answers, the prompt computed and counted once, the same again by seed."""
    engine = make("random", ctx_tokens=1_024)
    asked = replace(chat("a prompt of some length " * 8, temperature=1.0, seed=5, max_tokens=20), n=6)
    events = await events_of(engine, asked)
    first = texts(events)
    assert sorted(first) == list(range(6))
    assert len(set(first.values())) == 6
    ends = [event for event in events if isinstance(event, ChoiceFinished)]
    assert sorted(end.choice for end in ends) == list(range(6))
    assert {end.reason for end in ends} == {FinishReason.LENGTH}
    finished = events[-1]
    assert isinstance(finished, Finished)
    alone, end = await answer(engine, replace(asked, n=1))
    assert (alone, end.usage.prompt_tokens) == (first[0], finished.usage.prompt_tokens)
    assert finished.usage.completion_tokens == 6 * 20
    assert texts(await events_of(engine, asked)) == first


async def test_more_answers_than_seats(make: MakeEngine) -> None:
    """And somebody else's request between them is not starved."""
    engine = make("random", slots=2, ctx_tokens=1_024)
    many, (single, _) = await asyncio.gather(
        events_of(engine, replace(chat("x", temperature=1.0, max_tokens=10), n=9)), answer(engine, chat("y"))
    )
    assert len(texts(many)) == 9
    assert single


# --- probabilities and biases -----------------------------------------------------------------------------------


async def test_logprobs_describe_the_text(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=1_024)
    events = await events_of(engine, replace(chat("hi", max_tokens=12), logprobs=4))
    tokens = [one for event in events if isinstance(event, TextDelta) for one in event.logprobs]
    said = b"".join(bytes(one.bytes) for one in tokens)
    assert said.decode("utf-8", "replace").rstrip("\ufffd") == texts(events)[0].rstrip("\ufffd")
    assert len(tokens) > 6
    for one in tokens:
        assert len(one.top) == 4
        assert one.logprob == pytest.approx(one.top[0].logprob, abs=1e-4)  # greedy: the likeliest
        assert [t.logprob for t in one.top] == sorted((t.logprob for t in one.top), reverse=True)
        assert sum(math.exp(t.logprob) for t in one.top) <= 1.0001
    assert all(not event.logprobs for event in await events_of(engine, chat("hi")) if isinstance(event, TextDelta))


async def test_logprobs_are_of_the_model_and_not_of_the_sampling(make: MakeEngine) -> None:
    """Temperature and bias change what is chosen, not what is reported."""
    engine = make("random", ctx_tokens=1_024)

    async def first(**sampling: object) -> tuple[int, float]:
        events = await events_of(engine, replace(chat("hi", max_tokens=4, **sampling), logprobs=1))
        delta = next(event for event in events if isinstance(event, TextDelta))
        return delta.logprobs[0].top[0].bytes[0], delta.logprobs[0].top[0].logprob

    token, logprob = await first()
    hot_token, hot_logprob = await first(temperature=2.0, seed=3, logit_bias=(TokenBias(40, 5.0),))
    assert hot_token == token
    assert hot_logprob == pytest.approx(logprob, abs=1e-4)


async def test_bias_forbids_and_forces(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=1_024)
    ids = (await engine.tokenize("any", "#", specials=False, parse_specials=False)).ids
    forced, _ = await answer(engine, chat("hi", max_tokens=6, logit_bias=(TokenBias(ids[0], 100.0),)))
    assert forced == "######"
    free, _ = await answer(engine, chat("hi", max_tokens=6, logit_bias=PRINTABLE))
    forbidden = (*PRINTABLE, TokenBias(ord(free[0]), -100.0))
    without, _ = await answer(engine, chat("hi", max_tokens=6, logit_bias=forbidden))
    assert len(without) == 6
    assert free[0] not in without


async def test_bias_for_a_token_that_is_not_there(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=1_024)
    with pytest.raises(BadRequest, match="token id 128000"):
        await answer(engine, chat("hi", logit_bias=(TokenBias(128_000, 1.0),)))


# --- text without a template ------------------------------------------------------------------------------------


async def test_completion_goes_on_with_the_text(make: MakeEngine) -> None:
    """The parrot says what follows the last byte, so the prompt was taken as it is."""
    engine = make("parrot")
    asked = Completion("any", text=TEXT[:2], echo=True, sampling=Sampling(temperature=0, max_tokens=7))
    assert texts(await events_of(engine, asked))[0] == TEXT[:6]  # the emoji takes four of the tokens
    plain = replace(asked, echo=False, n=2)
    assert list(texts(await events_of(engine, plain)).values()) == [TEXT[2:6]] * 2


async def test_completion_from_token_ids(make: MakeEngine) -> None:
    engine = make("parrot")
    ids = (await engine.tokenize("any", TEXT[:1], specials=False, parse_specials=False)).ids
    asked = Completion("any", tokens=ids, echo=True, sampling=Sampling(temperature=0, max_tokens=2))
    assert texts(await events_of(engine, asked))[0] == TEXT[:2]
    with pytest.raises(BadRequest, match="'prompt' holds the token id 99999"):
        await events_of(engine, replace(asked, tokens=(99_999,)))
    with pytest.raises(BadRequest, match="'prompt' is empty"):
        await events_of(engine, replace(asked, tokens=()))


async def test_completion_that_is_too_long_names_prompt(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=256)
    with pytest.raises(ContextTooLong) as caught:
        await events_of(engine, Completion("any", text="x" * 300, sampling=Sampling(max_tokens=1)))
    assert caught.value.param == "prompt"


async def test_suffix_needs_a_model_for_it(make: MakeEngine) -> None:
    with pytest.raises(NotCapable) as caught:
        await events_of(make("random", ctx_tokens=256), Completion("any", text="a", suffix="b"))
    assert caught.value.param == "suffix"


async def test_suffix_fills_in_the_middle(make: MakeEngine, tmp_path: Path) -> None:
    """llama.cpp knows the control tokens by their names."""
    path = tmp_path / "fill.gguf"
    write_random(path, controls=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"))
    engine = make(str(path), ctx_tokens=512)
    asked = Completion("any", text="ab", suffix="cd", sampling=Sampling(temperature=0, max_tokens=8))
    events = await events_of(engine, asked)
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.usage.prompt_tokens == 7  # two of the text, two of the suffix, three of the model
    raw = "<|fim_prefix|>ab<|fim_suffix|>cd<|fim_middle|>"
    spelled = await events_of(engine, Completion("any", text=raw, sampling=asked.sampling))
    assert texts(spelled) == texts(events)


async def test_partial_answer_is_continued(make: MakeEngine) -> None:
    """What was said and what follows are what an answer from the start would be."""
    engine = make("random", ctx_tokens=1_024)
    whole, _ = await answer(engine, chat("hi", max_tokens=24, logit_bias=PRINTABLE))
    messages = (Message(Role.USER, "hi"), Message(Role.ASSISTANT, whole[:7]))
    sampling = Sampling(temperature=0, max_tokens=17, logit_bias=PRINTABLE)
    rest, _ = await answer(engine, Chat("any", messages, sampling))
    assert whole[:7] + rest == whole


async def test_tokens_there_and_back(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=1_024)
    tokens = await engine.tokenize("any", "Zürich <|im_end|> 🎉", specials=False, parse_specials=True)
    assert b"".join(tokens.pieces).decode() == "Zürich <|im_end|> 🎉"
    assert b"<|im_end|>" in tokens.pieces
    assert await engine.detokenize("any", tokens.ids) == "Zürich <|im_end|> 🎉"
    as_text = await engine.tokenize("any", "<|im_end|>", specials=False, parse_specials=False)
    assert len(as_text.ids) == 10
    with pytest.raises(BadRequest, match="'tokens' holds the token id"):
        await engine.detokenize("any", [1 << 30])
    rendered = await engine.tokenize("any", [Message(Role.USER, "hi")], specials=True, parse_specials=True)
    assert b"".join(rendered.pieces).startswith(b"<|im_start|>user\nhi<|im_end|>")


# --- thinking ---------------------------------------------------------------------------------------------------


async def test_thinking_has_a_budget(make: MakeEngine, tmp_path: Path) -> None:
    """The noise would think for ever; after ten tokens the block is closed, and the answer begins."""
    path = tmp_path / "thinks.gguf"
    write_random(path, template=THINKING)
    engine = make(str(path), ctx_tokens=1_024)
    asked = replace(chat("hi", max_tokens=60), reasoning=Reasoning(max_tokens=10))
    events = await events_of(engine, asked)
    thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert 0 < len(thought.encode()) <= 40
    assert texts(events)[0]
    endless = await events_of(engine, chat("hi", max_tokens=60))
    assert not texts(endless)


async def test_no_thinking_at_all(make: MakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "thinks.gguf"
    write_random(path, template=THINKING)
    events = await events_of(
        make(str(path), ctx_tokens=1_024), replace(chat("hi", max_tokens=20), reasoning=Reasoning(max_tokens=0))
    )
    assert not [event for event in events if isinstance(event, ReasoningDelta)]
    assert texts(events)[0]
