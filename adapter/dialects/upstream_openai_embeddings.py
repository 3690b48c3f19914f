"""The answer of `POST /embeddings` -> vectors. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adapter.chat import Embedding
from adapter.dialects.upstream_openai_errors import Peer, in_stream, said, unreadable
from adapter.tokens import estimate_tokens


def read_embedding(value: object, texts: Sequence[str], peer: Peer) -> Embedding:
    """Raises `UpstreamProtocol` unless there is one vector of numbers for each text, all of one width."""
    reason = said(value)
    if reason is not None:
        raise in_stream(reason, peer)
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(data, list):
        raise unreadable(peer, "answered /embeddings with something that holds no vectors")
    if len(data) != len(texts):
        raise unreadable(peer, f"sent {len(data)} vectors for {len(texts)} texts")
    vectors: list[tuple[float, ...] | None] = [None] * len(texts)
    for position, entry in enumerate(data):
        index = entry.get("index", position) if isinstance(entry, dict) else -1
        if not isinstance(index, int) or not 0 <= index < len(texts) or vectors[index] is not None:
            raise unreadable(peer, "sent vectors whose order cannot be told")
        vectors[index] = _unit(entry.get("embedding"), peer)
    whole = [vector for vector in vectors if vector is not None]
    if len({len(vector) for vector in whole}) > 1:
        raise unreadable(peer, "sent vectors of different widths")
    return Embedding(tuple(whole), _tokens(value.get("usage"), texts))


def _unit(numbers: Any, peer: Peer) -> tuple[float, ...]:
    if not isinstance(numbers, list) or not numbers:
        raise unreadable(peer, "sent a vector that is no array of numbers")
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise unreadable(peer, "sent a vector with something in it that is no number")
    length = math.sqrt(math.fsum(n * n for n in numbers))
    if not length or not math.isfinite(length):
        raise unreadable(peer, "sent a vector without a length")
    return tuple(n / length for n in numbers)


def _tokens(usage: object, texts: Sequence[str]) -> int:
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if isinstance(told, int) and not isinstance(told, bool) and told > 0:
        return told
    return sum(map(estimate_tokens, texts))
