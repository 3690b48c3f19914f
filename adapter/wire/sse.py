"""Server-sent events: the encoder. Pure.

One event is one `data:` line and an empty line; JSON without line breaks needs no more.
"""

from __future__ import annotations

DONE = b"data: [DONE]\n\n"


def encode(data: bytes) -> bytes:
    """One event. `data` must not contain line breaks."""
    return b"data: " + data + b"\n\n"
