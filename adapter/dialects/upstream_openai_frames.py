"""Server-sent events as servers of OpenAI's kind send them: bytes -> payloads, JSON values. Pure.

Taken as they come: LF, CR LF, no blank after `data:`, comments, `event:` lines, several `data:` lines, a last event without its empty line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

DONE = b"[DONE]"
# The longest frame: a plain answer sent as one, with logprobs. More is no frame.
MAX_FRAME_BYTES = 4 << 20
_FIELDS = (b"data", b"event", b"id", b"retry")


class MalformedFrame(ValueError):
    """What came is no event stream, or no JSON is in it. `data`: its beginning."""

    def __init__(self, problem: str, data: bytes = b"") -> None:
        super().__init__(problem)
        self.problem = problem
        self.data = data[:200]


class FrameDecoder:
    """Cuts bytes into the payloads of events. The result does not depend on how the bytes were cut."""

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads of the events that are complete now. Raises `MalformedFrame`."""
        search_from = len(self._line)
        self._line += data
        payloads: list[bytes] = []
        start = 0
        while (end := self._line.find(b"\n", search_from)) >= 0:
            self._take(bytes(self._line[start:end]), payloads)
            start = search_from = end + 1
        del self._line[:start]
        if len(self._line) + self._size > self._max_bytes:
            raise MalformedFrame(f"sent an event of more than {self._max_bytes} bytes", bytes(self._line[:200]))
        return payloads

    def flush(self) -> list[bytes]:
        """The stream has ended: the last event, if only its empty line is missing."""
        payloads: list[bytes] = []
        line = bytes(self._line)
        self._line.clear()
        self._take(line, payloads)
        self._take(b"", payloads)
        return payloads

    def _take(self, line: bytes, payloads: list[bytes]) -> None:
        line = line.removesuffix(b"\r")
        if not line:
            if self._data:
                payloads += joined(self._data)
                self._data, self._size = [], 0
            return
        payload = data_of(line)
        if payload is not None:
            self._data.append(payload)
            self._size += len(payload)


def data_of(line: bytes) -> bytes | None:
    """What a line says after `data:`; `None` for other lines of an event. Raises `MalformedFrame` for a line of something else."""
    if line.startswith(b"data:"):
        return line[6:] if line[5:6] == b" " else line[5:]
    if line.startswith(b"error:"):  # llama-server before 2025
        return b'{"error":' + line[6:] + b"}"
    name = line.partition(b":")[0].strip()
    if name and name not in _FIELDS:
        raise MalformedFrame("sent something that is no event stream", line)
    return None


def joined(lines: list[bytes]) -> list[bytes]:
    """The payload of an event with these `data:` lines; several, where whoever sent them forgot the empty lines between."""
    if len(lines) == 1:
        return lines
    if all(line == DONE or (line.startswith(b"{") and line.endswith(b"}")) for line in lines):
        return lines
    return [b"\n".join(lines)]


def frames_of(piece: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Whole events, one after the other: (its bytes, its payloads; none for a comment). Raises `MalformedFrame`."""
    start = 0
    while start < len(piece):
        end = event_end(piece, start)
        end = len(piece) if end < 0 else end
        raw = piece[start:end]
        yield raw, payloads_of(raw)
        start = end


def payloads_of(event: bytes) -> list[bytes]:
    """The payloads of one event; none for a comment. Raises `MalformedFrame`."""
    data = [found for line in event.splitlines() if line and (found := data_of(line)) is not None]
    return joined(data) if data else []


def event_end(data: bytes, start: int = 0) -> int:
    """Behind the first empty line, or -1."""
    found = data.find(b"\n\n", start)
    end = found + 2 if found >= 0 else -1
    # Only up to there: looking for what is nowhere through all of a long piece, frame by frame, would take long.
    found = data.find(b"\r\n\r\n", start, end if end >= 0 else len(data))
    return found + 4 if found >= 0 else end


def last_event_end(data: bytes) -> int:
    """Behind the last empty line, or -1."""
    found = data.rfind(b"\n\n")
    end = found + 2 if found >= 0 else -1
    if b"\r" in data:
        found = data.rfind(b"\r\n\r\n")
        end = max(end, found + 4 if found >= 0 else -1)
    return end


def parse_payload(payload: bytes) -> object:
    """The JSON value of a payload. Raises `MalformedFrame`."""
    try:
        value: object = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MalformedFrame("sent an event that is not JSON", payload) from None
    return value
