"""An answer of a server to a command at the terminal, in bounded time and size."""

from __future__ import annotations

import http.client
import time

# A status or a list of models is a few kB.
MAX_BODY_BYTES = 16 << 20


def read_bounded(response: http.client.HTTPResponse, within_s: float) -> bytes:
    """The body, cut off behind `MAX_BODY_BYTES`. Raises `TimeoutError`: a time limit of the connection is for each of its pieces only."""
    data, until_s = b"", time.monotonic() + within_s
    while len(data) <= MAX_BODY_BYTES and (piece := response.read1(1 << 16)):
        data += piece
        if time.monotonic() > until_s:
            raise TimeoutError
    return data
