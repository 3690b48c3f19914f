"""Where pictures may come from (protocols/localllm.md 7.2): inline, or over plain HTTP from the phone itself."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

import aiohttp

MAX_BYTES = 5 * 1024 * 1024
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")


class BadImage(Exception):
    """The picture cannot be had; the message contains the word image (5.2)."""


async def load(url: str) -> None:
    """Fetch and look at a picture. Raises BadImage: foreign, too big, not found, or no picture."""
    if url.startswith("data:"):
        data = _inline(url)
    elif url.startswith("http://") and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        data = await _fetch(url)
    else:
        raise BadImage("image: only data: and http://localhost are read")
    if not data.startswith(_MAGIC) and not (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        raise BadImage("image: cannot be decoded")


def _inline(url: str) -> bytes:
    head, comma, payload = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadImage("image: the data URL has no base64 part")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("image: not base64") from None


async def _fetch(url: str) -> bytes:
    limits = aiohttp.ClientTimeout(connect=5, total=15)
    try:
        async with aiohttp.ClientSession(timeout=limits) as session, session.get(url) as response:
            data = b""
            async for part in response.content.iter_any():
                data += part
                if len(data) > MAX_BYTES:
                    break
            found = response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        raise BadImage("image: fetch failed") from None
    if not found or len(data) > MAX_BYTES:
        raise BadImage("image: fetch failed or too big")
    return data
