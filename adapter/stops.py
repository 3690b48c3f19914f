"""Stop strings over text that arrives in pieces. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Passes text on until the first stop string, and never a character of one.

    The answer ends before the match that *starts* first in the whole text, however the text was cut
    into pieces: the joined results equal `text[:min(find(stop))]`. The tail that may still turn into
    a stop string is held back, so at most one character less than the longest stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops`: any number of strings; empty ones are ignored."""
        self._stops = tuple(stop for stop in stops if stop)
        self._first_chars = frozenset(stop[0] for stop in self._stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """Take new text; return what is safe to send now, possibly nothing.

        After a match (`matched` names the stop string) everything further is ignored.
        """
        if self.matched is not None:
            return ""
        held = self._held + text
        at, stop = self._first_match(held)
        unfinished_at = self._first_unfinished(held, at)
        if unfinished_at < at:
            # A longer stop string began earlier; only more text can tell which of the two is the first.
            self._held = held[unfinished_at:]
            return held[:unfinished_at]
        self._held = ""
        self.matched = stop
        return held[:at]

    def flush(self) -> str:
        """The text has ended by itself: return the held-back tail, up to a match inside it."""
        if self.matched is not None:
            return ""
        at, self.matched = self._first_match(self._held)
        tail, self._held = self._held[:at], ""
        return tail

    def _first_match(self, text: str) -> tuple[int, str | None]:
        """Where the first whole stop string begins, and which one it is; the end and `None` if there is none."""
        best, which = len(text), None
        for stop in self._stops:
            found = text.find(stop, 0, best + len(stop))
            if 0 <= found < best:
                best, which = found, stop
        return best, which

    def _first_unfinished(self, text: str, before: int) -> int:
        """The first place below `before` from where the text to its end begins a stop string, else `before`."""
        for at in range(max(0, len(text) - self._longest + 1), before):
            if text[at] in self._first_chars:
                rest = text[at:]
                if any(len(stop) > len(rest) and stop.startswith(rest) for stop in self._stops):
                    return at
        return before
