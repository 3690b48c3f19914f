"""`logprobs` in the form of chats and in that of completions -> ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from adapter.chat import TokenLogprob
from adapter.dialects.openai_values import whole_text


def read_logprobs(value: object, top: int) -> list[TokenLogprob]:
    """top: how many alternatives were asked for. What cannot be read is left out."""
    if not isinstance(value, dict):
        return []
    content = value.get("content")
    if isinstance(content, list):
        return [token for entry in content for token in _token(entry, top)]
    tokens, numbers, tops = value.get("tokens"), value.get("token_logprobs"), value.get("top_logprobs")
    if not isinstance(tokens, list) or not isinstance(numbers, list):
        return []
    shown = tops if isinstance(tops, list) else []
    entries = zip_longest(tokens, numbers, shown[: len(tokens)])
    return [token for text, number, others in entries for token in _old_token(text, number, others, top)]


def _token(entry: object, top: int) -> Iterator[TokenLogprob]:
    if not isinstance(entry, dict):
        return
    others = entry.get("top_logprobs")
    shown = [found for other in (others if isinstance(others, list) else []) for found in _token(other, 0)]
    yield from _made(entry.get("token"), entry.get("logprob"), entry.get("bytes"), shown, top)


def _old_token(text: object, number: object, others: object, top: int) -> Iterator[TokenLogprob]:
    pairs = others.items() if isinstance(others, dict) else ()
    shown = [found for other, value in pairs for found in _made(other, value, None, (), 0)]
    yield from _made(text, number, None, shown, top)


def _made(text: object, number: object, given: object, others: Sequence[TokenLogprob], top: int) -> Iterator[TokenLogprob]:
    if not isinstance(text, str) or isinstance(number, bool) or not isinstance(number, int | float):
        return
    text = whole_text(text)
    best = sorted(others, key=lambda other: -other.logprob)[:top]
    yield TokenLogprob(text, _bytes(given, text), min(0.0, float(number)), tuple(best))


def _bytes(given: object, text: str) -> tuple[int, ...]:
    if isinstance(given, list) and all(isinstance(byte, int) and 0 <= byte <= 255 for byte in given):
        return tuple(given)
    return tuple(text.encode("utf-8", "replace"))
