"""The body of an answer, unpacked, up to a size."""

from __future__ import annotations

import aiohttp

from adapter.web.inflate import Unpackable, inflater


class Unreadable(Exception):
    """A sentence's end: what is wrong with the body."""


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """(the first `max_bytes` of the unpacked body, is there more of it).

    The session must not unpack by itself (`auto_decompress=False`). Reads no further than it needs, in packed bytes too. Raises `Unreadable`, and
    what aiohttp raises. Cancelling reads no more.
    """
    unpack = inflater(response.headers.get("Content-Encoding", ""))
    if unpack is None:
        raise Unreadable(f"it is packed as {response.headers['Content-Encoding'][:40]!r}, which was not asked for")
    body, packed = bytearray(), 0
    async for data in response.content.iter_any():
        packed += len(data)
        try:
            body += unpack.feed(data, max_bytes + 1 - len(body))
        except Unpackable as exc:
            raise Unreadable(f"it cannot be unpacked ({exc})") from None
        if len(body) > max_bytes or packed > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), False
