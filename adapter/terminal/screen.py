"""Where an answer goes: to a terminal with its reasoning dimmed, or plain into a pipe."""

from __future__ import annotations

from typing import TextIO

DIM, PLAIN = "\x1b[2m", "\x1b[0m"
# A model's text may hold anything, and a terminal obeys it. Line breaks and tabs are all that text needs.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class Screen:
    """out: for the answer. notes: for everything else. Reasoning is shown on a terminal only."""

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out = out
        self._notes = notes
        self.terminal = out.isatty()
        self._dim = False
        self._at_line_start = True

    def reasoning(self, text: str) -> None:
        if self.terminal:
            self._put(text, dim=True)

    def text(self, text: str) -> None:
        if self._dim and not self._at_line_start:
            self._put("\n", dim=True)
        self._put(text, dim=False)

    def end(self) -> None:
        """After an answer, whole or not: plain letters, and a line of its own for what follows."""
        if not self._at_line_start:
            self._put("\n", dim=False)
        elif self._dim:
            self._put("", dim=False)

    def note(self, text: str) -> None:
        self._notes.write(f"{text}\n")
        self._notes.flush()

    def _put(self, text: str, *, dim: bool) -> None:
        if self.terminal:
            text = text.translate(_CONTROLS)
            switch = "" if dim == self._dim else DIM if dim else PLAIN
        else:
            switch = ""
        if text:
            self._at_line_start = text.endswith("\n")
        self._dim = dim
        self._out.write(switch + text)
        self._out.flush()
