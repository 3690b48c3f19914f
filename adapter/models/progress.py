"""How far a download is: the words (pure), and the one line or the few lines that show them."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from adapter.models import words

WINDOW_S = 10.0  # the rate is that of the last seconds: a phone changes between Wi-Fi and mobile data
BAR_CELLS = 20


class Meter:
    """Bytes over time -> rate. Times are seconds of any clock that only goes forward."""

    def __init__(self, now_s: float, done_bytes: int) -> None:
        self._points: deque[tuple[float, int]] = deque([(now_s, done_bytes)])

    def add(self, now_s: float, done_bytes: int) -> None:
        """Fewer bytes than before mean that the download started over."""
        if done_bytes < self._points[-1][1]:
            self._points.clear()
        self._points.append((now_s, done_bytes))
        while len(self._points) > 2 and self._points[1][0] <= now_s - WINDOW_S:
            self._points.popleft()

    @property
    def bytes_per_s(self) -> float | None:
        """`None` until there is something to go by."""
        (first_s, first), (last_s, last) = self._points[0], self._points[-1]
        return (last - first) / (last_s - first_s) if last_s - first_s >= 0.2 and last > first else None


def line(name: str, done_bytes: int, total_bytes: int | None, bytes_per_s: float | None, width: int) -> str:
    """One line of at most `width` characters: share, bytes, rate, time left, and a bar or the name where they fit."""
    rate = f"{words.size(round(bytes_per_s))}/s" if bytes_per_s else ""
    if not total_bytes:
        return _fitting([name, words.size(done_bytes), rate], width)
    share = min(1.0, done_bytes / total_bytes)
    left = f"{words.duration((total_bytes - done_bytes) / bytes_per_s)} left" if bytes_per_s else ""
    figures = [f"{share:4.0%}", f"{words.size(done_bytes)} of {words.size(total_bytes)}", rate, left]
    filled = int(share * BAR_CELLS)
    bar = "[" + "#" * filled + "-" * (BAR_CELLS - filled) + "]"
    for parts in ([name, bar, *figures], [bar, *figures], figures):
        text = "  ".join(part for part in parts if part)
        if len(text) <= width:
            return text
    return _fitting(figures, width)


def _fitting(parts: list[str], width: int) -> str:
    return "  ".join(part for part in parts if part)[:width]


class Progress:
    """Shows progress on `stream`: a line that is rewritten on a terminal, else a line every few seconds.

    say() prints a sentence above it. end() leaves the last line where it is.
    """

    def __init__(
        self, name: str, stream: TextIO, *, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._stream = stream
        self._terminal = stream.isatty()
        self._every_s = 0.1 if self._terminal else every_s
        self._clock = clock
        self._meter: Meter | None = None
        self._shown_s = float("-inf") if self._terminal else clock()
        self._open = False

    def update(self, done_bytes: int, total_bytes: int | None) -> None:
        now = self._clock()
        if self._meter is None:
            self._meter = Meter(now, done_bytes)
        self._meter.add(now, done_bytes)
        whole = total_bytes is not None and done_bytes >= total_bytes
        if now - self._shown_s < self._every_s and not (whole and self._terminal):
            return
        self._shown_s = now
        width = shutil.get_terminal_size().columns - 1 if self._terminal else 200
        text = line(self._name, done_bytes, total_bytes, self._meter.bytes_per_s, width)
        # Erase to the end of the line: the text before may have been longer.
        self._put(f"\r{text}\x1b[K" if self._terminal else f"{text}\n")
        self._open = self._terminal

    def say(self, text: str) -> None:
        self.end()
        self._put(f"{text}\n")

    def end(self) -> None:
        if self._open:
            self._put("\n")
            self._open = False

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
