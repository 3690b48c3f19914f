"""Vectors from LocalLLM (`protocols/localllm.md` 13), which cuts each text at 128 tokens and says so only by its count."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence

from adapter.chat import Embedding
from adapter.dialects.localllm import dump
from adapter.dialects.localllm_errors import Refusal, no_such_model, wrong_key
from adapter.dialects.localllm_frames import parse_vectors
from adapter.engines.localllm_http import Http, Refused
from adapter.errors import AdapterError, BadRequest, ContextTooLong, EngineFailed, UpstreamTimeout
from adapter.tokens import estimate_tokens

PATH = "/v1/embeddings"
# Markers at both ends included.
MAX_TOKENS = 128
# Texts go together as long as their count, by the estimate, leaves no doubt that none of them was cut.
TOGETHER_TOKENS = 96


async def embed_texts(http: Http, model: str, texts: Sequence[str], *, within_s: float) -> Embedding:
    """Vectors of length 1. within_s: for all of them. Raises `ContextTooLong` naming the text, and other `AdapterError`s."""
    vectors: list[tuple[float, ...]] = []
    tokens = 0
    try:
        async with asyncio.timeout(within_s):
            for start, group in _groups(texts):
                found, used = await _group(http, model, group, start)
                vectors += found
                tokens += used
    except TimeoutError:
        raise UpstreamTimeout(
            f"LocalLLM made no vectors for {len(texts)} texts within {within_s:g} s; send fewer at a time."
        ) from None
    return Embedding(tuple(vectors), tokens)


async def is_embedder(http: Http, model: str) -> bool:
    """Asks for one small vector: the only way to know (6)."""
    try:
        async with asyncio.timeout(30):
            await _request(http, model, ["a"])
    except (AdapterError, Refused, TimeoutError):
        return False
    return True


def _groups(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    start, group, size = 0, list[str](), 0
    for index, text in enumerate(texts):
        tokens = estimate_tokens(text) + 2
        if group and size + tokens > TOGETHER_TOKENS:
            yield start, group
            start, group, size = index, [], 0
        group.append(text)
        size += tokens
    if group:
        yield start, group


async def _group(http: Http, model: str, texts: list[str], start: int) -> tuple[list[tuple[float, ...]], int]:
    try:
        vectors, tokens = await _request(http, model, texts)
    except Refused as refused:
        raise _explained(refused.refusal, model) from None
    if tokens < MAX_TOKENS:
        return [_unit(vector) for vector in vectors], tokens
    if len(texts) == 1:
        error = ContextTooLong.of(context_tokens=MAX_TOKENS - 1, prompt_tokens=max(tokens, estimate_tokens(texts[0])))
        error.param = f"input[{start}]"
        raise error
    # One of them may have been cut: only alone can each be told.
    found, used = list[tuple[float, ...]](), 0
    for offset, text in enumerate(texts):
        one, count = await _group(http, model, [text], start + offset)
        found += one
        used += count
    return found, used


async def _request(http: Http, model: str, texts: list[str]) -> tuple[list[list[float]], int]:
    body = dump({"model": model, "input": texts, "encoding_format": "float"})
    return parse_vectors(await http.plain(body, path=PATH, taken=lambda: None), len(texts))


def _unit(vector: list[float]) -> tuple[float, ...]:
    length = math.sqrt(sum(number * number for number in vector))
    return tuple(number / length for number in vector) if length > 0 else tuple(vector)


def _explained(refusal: Refusal, model: str) -> AdapterError:
    """5.3."""
    match refusal.status:
        case 401:
            return wrong_key()
        case 404 if refusal.type:
            return no_such_model(model)
        case 400 | 413:
            return BadRequest(f"LocalLLM refuses the texts: {refusal.message[:200]}", param="input")
        case _:
            said = refusal.message[:200] or f"status {refusal.status}"
            return EngineFailed(f"LocalLLM could not make the vectors: {said}. Try again, with fewer texts.")
