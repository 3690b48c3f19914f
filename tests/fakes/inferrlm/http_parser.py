"""The app's own HTTP parser, with what it gets wrong (protocol section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_METHODS = ("GET ", "POST ", "DELETE ", "OPTIONS ", "HEAD ", "PUT ")


class ParserLoops(Exception):
    """`Content-Length` is no number: the parser takes the same request again, for ever."""


@dataclass(frozen=True)
class RawRequest:
    """One request: its first line, its headers (lower-case names, last one wins), its decoded body."""

    line: str
    headers: Mapping[str, str]
    body: str


def looks_like_http(segment: bytes) -> bool:
    """Whether a TCP segment begins with a known method; a connection is deaf until one does."""
    return segment.decode("utf-8", "replace").lstrip().startswith(_METHODS)


class RequestBuffer:
    """Bytes of one connection, cut into requests.

    C keeps bytes. A and B keep text, decoded segment by segment, and compare
    `Content-Length` with its UTF-16 units: every non-ASCII character leaves the count short,
    and one that is split over two segments is damaged. Both are held here as a string with
    one character per unit.
    """

    def __init__(self, *, counts_bytes: bool) -> None:
        self._counts_bytes = counts_bytes
        self._units = ""

    def feed(self, segment: bytes) -> None:
        if self._counts_bytes:
            self._units += segment.decode("latin-1")
        else:
            self._units += _utf16_units(segment.decode("utf-8", "replace"))

    @property
    def is_empty(self) -> bool:
        return not self._units

    def waits_for_continue(self) -> bool:
        """The head is complete and asks for `100 Continue`."""
        head, separator, _ = self._units.partition("\r\n\r\n")
        return bool(separator) and "expect:" in head.lower() and "100-continue" in head.lower()

    def take(self) -> RawRequest | None:
        """Cut the next request off; None if more bytes are needed. Raises ParserLoops.

        Anything up to an empty line is a head, a chunk of a chunked body included.
        """
        head, separator, _ = self._units.partition("\r\n\r\n")
        if not separator:
            return None
        line, *header_lines = head.split("\r\n")
        headers = _parse_headers(header_lines)
        start = len(head) + len(separator)
        end = start + _content_length(headers)
        if len(self._units) < end:
            return None
        body, self._units = self._units[start:end], self._units[end:]
        return RawRequest(line, headers, self._decode(body))

    def _decode(self, units: str) -> str:
        if self._counts_bytes:
            return units.encode("latin-1").decode("utf-8", "replace")
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _parse_headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _content_length(headers: Mapping[str, str]) -> int:
    """JavaScript's `parseInt`: leading digits count, the rest is ignored."""
    number = re.match(r"[+-]?\d+", headers.get("content-length") or "0")
    if number is None:
        raise ParserLoops
    return int(number.group())


def _utf16_units(text: str) -> str:
    return "".join(char if ord(char) <= 0xFFFF else _surrogates(ord(char) - 0x10000) for char in text)


def _surrogates(offset: int) -> str:
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))
