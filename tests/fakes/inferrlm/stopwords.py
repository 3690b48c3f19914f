"""Stop words as llama.rn applies them to the stream of tokens (protocol section 13.1)."""

from __future__ import annotations

from collections.abc import Sequence


class StopWords:
    """Feed pieces, get back what may be delivered. One instance per generation.

    Text that might be the beginning of a stop word is held back. Text that shares a piece
    with a stop word, or was held back when it became complete, is never delivered.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if word]
        self._held = ""

    def feed(self, piece: str, *, last: bool = False) -> tuple[str, bool]:
        """Return the text to deliver (often empty) and whether a stop word was found.

        `last` says that nothing follows: then held text is let go, unless all of it is the
        beginning of a stop word.
        """
        text = self._held + piece
        if any(word in text for word in self._words):
            self._held = ""
            return "", True
        maybe_at = self._beginning_of_a_stop_word(text)
        if maybe_at is None or (last and maybe_at > 0):
            self._held = ""
            return text, False
        self._held = text
        return "", False

    def _beginning_of_a_stop_word(self, text: str) -> int | None:
        for start in range(len(text)):
            if any(word.startswith(text[start:]) for word in self._words):
                return start
        return None
