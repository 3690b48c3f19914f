"""When may a worker be started again? Pure: the time comes in as an argument."""

from __future__ import annotations

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class Restarts:
    """Doubling pauses between workers that die without having said a word of an answer.

    The first such death costs nothing (Android kills processes as it likes), and neither does one that
    breaks off an answer. From the second in a row on there is a pause, so that a model which cannot run does not keep
    the phone busy loading it.
    """

    def __init__(self) -> None:
        self._useless = 0
        self._not_before_s = 0.0
        self.last_words = ""

    def died(self, now_s: float, last_words: str, *, useful: bool) -> None:
        """A worker has ended without being asked to. useful: it had shown text."""
        self.last_words = last_words
        self._useless = 0 if useful else self._useless + 1
        if self._useless > 1:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self._useless - 2))
            self._not_before_s = now_s + pause

    def wait_s(self, now_s: float) -> float:
        """Seconds until another start is allowed; 0 if it is now."""
        return max(0.0, self._not_before_s - now_s)
