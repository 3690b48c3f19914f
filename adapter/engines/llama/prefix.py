"""How far two token sequences are the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence

BLOCK_TOKENS = 1024


def common_prefix(a: Sequence[int], b: Sequence[int], most: int) -> int:
    """How many of the first `most` tokens of `a` and `b` are the same (`most` is at most either's length).

    Both are lists, or both tuples. Slices are compared whole, which is quick for prompts of 30,000 tokens.
    """
    at = 0
    while at < most:
        end = min(at + BLOCK_TOKENS, most)
        if a[at:end] != b[at:end]:
            return _first_difference(a, b, at, end)
        at = end
    return most


def _first_difference(a: Sequence[int], b: Sequence[int], low: int, high: int) -> int:
    """By bisection; the sequences are equal before `low` and differ somewhere before `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
