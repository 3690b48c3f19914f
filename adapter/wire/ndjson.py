"""Newline-delimited JSON, as a decoder that is fed bytes as they come. Pure."""

from __future__ import annotations

import json

# A record of InferrLM is about 120 bytes; its last one repeats the whole answer (`protocols/inferrlm.md` 7.4).
MAX_LINE_BYTES = 4 << 20
SHOWN_BYTES = 80


class MalformedLine(ValueError):
    """A line that is not JSON, or too long. `first_bytes` shows its beginning (at most 80 bytes)."""

    def __init__(self, problem: str, line: bytes) -> None:
        self.first_bytes = line[:SHOWN_BYTES]
        super().__init__(f"{problem}: {self.first_bytes!r}")


class NdjsonDecoder:
    """Cuts bytes into lines and lines into JSON values. Lines end with LF or CR LF; blank ones are skipped.

    The result does not depend on how the bytes were cut. After a `MalformedLine` the decoder is of no
    further use: what follows a broken line cannot be trusted to be whole.
    """

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> list[object]:
        """Take new bytes; return the values whose lines are now complete. Raises `MalformedLine`."""
        # Only the new bytes can hold a line end, so a long line that trickles in is not searched again.
        search_from = len(self._held)
        self._held += data
        values: list[object] = []
        start = 0
        while (end := self._held.find(b"\n", search_from)) >= 0:
            values += self._parse(bytes(self._held[start:end]))
            start = search_from = end + 1
        del self._held[:start]
        if len(self._held) > self._max_line_bytes:
            raise MalformedLine(f"a line of more than {self._max_line_bytes} bytes", bytes(self._held))
        return values

    def flush(self) -> list[object]:
        """The bytes have ended: return the last line's value if it only lacked its line end.

        Raises `MalformedLine` for a line that was cut off.
        """
        line = bytes(self._held)
        self._held.clear()
        return self._parse(line)

    def _parse(self, line: bytes) -> list[object]:
        if len(line) > self._max_line_bytes:
            raise MalformedLine(f"a line of more than {self._max_line_bytes} bytes", line)
        if not line.strip():
            return []
        try:
            return [json.loads(line.decode("utf-8"))]
        except (ValueError, RecursionError):
            raise MalformedLine("a line that is not JSON", line) from None
