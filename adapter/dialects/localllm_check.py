"""The check whether a build streams whole text (8.4): the same small question in both modes. Pure.

The damage is by the lengths of neighbouring pieces: one that is not shorter than the piece before it loses its beginning, or all. So an
answer that came whole proves something only by such pieces, and by two of them, since an empty piece before one would save it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from adapter.dialects.localllm import dump

# Short, so that it costs little; many words of different lengths, so that damage shows.
QUESTION = "Count from one to eight in words, separated by blanks. Write nothing else."
MIN_PROOFS = 2


def check_body(model: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": QUESTION}]
    return dump({"model": model, "messages": messages, "stream": stream, "temperature": 0})


def streams_whole(plain: str, pieces: Sequence[str]) -> bool:
    """Did the stream bring what the plain answer was? An answer that no build would damage proves nothing, and counts as no."""
    lengths = [_units(piece) for piece in pieces if piece]
    proofs = sum(after >= before for before, after in pairwise(lengths))
    return proofs >= MIN_PROOFS and "".join(pieces).strip() == plain.strip()


def _units(text: str) -> int:
    """The length as the app counts it, in UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
