"""Packed bytes -> bytes, never more than asked for: a few kilobytes can unpack to gigabytes. Pure."""

from __future__ import annotations

import zlib
from typing import Protocol


class Unpackable(Exception):
    """The bytes are not packed as was said."""


class Inflater(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """Up to `room` bytes of what `data` holds; what does not fit is dropped. Raises `Unpackable`."""


ACCEPTED = "gzip, deflate"


def inflater(encoding: str) -> Inflater | None:
    """For a Content-Encoding header. `None`: one that was not asked for."""
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Zlib(zlib.MAX_WBITS | 16)
        case "deflate":
            return _Deflate()
        case _:
            return None


class _Plain:
    def feed(self, data: bytes, room: int) -> bytes:
        return data[:room]


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._object = zlib.decompressobj(wbits)

    def feed(self, data: bytes, room: int) -> bytes:
        if room <= 0 or self._object.eof:  # zlib takes 0 for "any length"
            return b""
        try:
            return self._object.decompress(data, room)
        except zlib.error as exc:
            raise Unpackable(str(exc)[:80]) from None


class _Deflate:
    """Some servers send the bare form of it, without zlib's header; the first byte tells."""

    def __init__(self) -> None:
        self._inner: _Zlib | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        if not data:
            return b""
        if self._inner is None:
            self._inner = _Zlib(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return self._inner.feed(data, room)
