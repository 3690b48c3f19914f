"""The check whether a build streams whole text (8.4): the same small question in both modes. Pure.

The damage is by the lengths of neighbouring pieces: of two equally long ones the second is lost. So an answer of three pieces or more
that came whole was not damaged.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter.dialects.localllm import dump

# Short, so that it costs little; many words of different lengths, so that damage shows.
QUESTION = "Count from one to eight in words, separated by blanks. Write nothing else."
MIN_PIECES = 3


def check_body(model: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": QUESTION}]
    return dump({"model": model, "messages": messages, "stream": stream, "temperature": 0})


def streams_whole(plain: str, pieces: Sequence[str]) -> bool:
    """Did the stream bring what the plain answer was? Too few pieces prove nothing, and count as no."""
    return bool(plain.strip()) and len(pieces) >= MIN_PIECES and "".join(pieces).strip() == plain.strip()
