"""What the stand-in model says: the recordings' prompts, and scripts that tests write.

The words are invented; only the way they are cut and how generations fail is the recordings'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The first twelve pieces were recorded (chat-disconnect-stream); nobody stayed for the rest.
_LONG = (
    "In ",
    "the ",
    "quiet ",
    "harbour ",
    "town ",
    "the ",
    "lamps ",
    "were ",
    "lit ",
    "one ",
    "by ",
    "one, ",
)
LONG_TOKENS = 40

_THINKING = (
    *("<think>", " The", " user", " said", " something", ".", " I", " will", " echo", " it", "."),
    *("</think>", " "),
)

CANNED: dict[str, tuple[str, ...]] = {
    "three lines": ("First", " line", ".", "\n", "Second", " line", ".\n\n", "Third", "."),
    "unicode please": (
        *("Hi", " \U0001f44b", "\U0001f3fd", " flag", " \U0001f1e9", "\U0001f1ea", " family"),
        *(" \U0001f468", "\u200d", "\U0001f469", "\u200d", "\U0001f467"),
        *(" naïve", " 日", "本", "語", " ", "\U0001d4b3", "."),
    ),
    "think please": (*_THINKING, "think", " please"),
    "nothing": (),
    "long": tuple((_LONG * LONG_TOKENS)[:LONG_TOKENS]),
}
HANG = "hang"


@dataclass(frozen=True, kw_only=True)
class Script:
    """How one generation goes. All fields have defaults; an empty script is the stand-in's own answer.

    Counts such as `fail_after` are in pieces produced. Times are in seconds of the fake's clock.
    """

    pieces: Sequence[str] | None = None
    """The answer, one entry per token; None: what the stand-in says to the prompt."""
    first_token_s: float | None = None
    """Silence before the first piece (load and prefill are silent, section 16)."""
    token_delay_s: float | None = None
    """Time per piece; None: the fake's own."""
    delays_s: Sequence[float] = ()
    """Time before each piece, one by one; what is missing follows the two fields above."""
    fail_after: int | None = None
    """Fail with `error` after so many pieces; 0 is before the first (10.2)."""
    error: str = "Failed to evaluate"
    hang_after: int | None = None
    """Say nothing more after so many pieces, until somebody stops the runtime."""
    context_full_after: Sequence[int | None] = ()
    """Per attempt: the window is full after so many pieces (10.3). None: that attempt ends well."""
    refuse: str | None = None
    """Fail with this text before the runtime is asked, e.g. `MODEL_BUSY` or `Context is busy` (11)."""
    output: str | None = None
    """Final text, where it shall differ from the joined deltas (7.4, rule 9 of section 16)."""
    lose_tail_after: int | None = None
    """Deliver so many pieces, lose everything after them and close as if nothing happened (4.3)."""
    reset_after: int | None = None
    """Deliver so many pieces, then reset the connection: the phone is gone (10.2).

    A plain answer is lost whole, whatever the number.
    """

    def delay_s(self, index: int, default_s: float) -> float:
        """Time before piece number `index`."""
        if index < len(self.delays_s):
            return self.delays_s[index]
        if index == 0 and self.first_token_s is not None:
            return self.first_token_s
        return default_s if self.token_delay_s is None else self.token_delay_s

    def full_after(self, attempt: int) -> int | None:
        """When the window fills up in this attempt (0, 1, 2), or None."""
        return self.context_full_after[attempt] if attempt < len(self.context_full_after) else None


NAMED: dict[str, Script] = {
    "echo": Script(),
    "slow": Script(first_token_s=20.0, token_delay_s=0.5),
    "two-seconds": Script(first_token_s=2.2),
    "fail-first": Script(fail_after=0),
    "fail-mid": Script(fail_after=3),
    "empty": Script(pieces=()),
    "hang": Script(hang_after=0),
    "hang-mid": Script(hang_after=3),
    "tail-lost": Script(lose_tail_after=2),
    "reset": Script(reset_after=2),
    "busy": Script(refuse="MODEL_BUSY"),
    "context-full": Script(context_full_after=(3, 3, 3)),
    "restart": Script(context_full_after=(3, None)),
    "think": Script(pieces=CANNED["think please"]),
    "multiline": Script(pieces=CANNED["three lines"]),
    "output-differs": Script(pieces=("one", " two"), output="something else"),
}
"""Scripts that the command line knows by name."""


def stand_in_answer(prompt: str) -> tuple[str, ...]:
    """What the recordings' stand-in says: a canned text for a few prompts, else the prompt itself."""
    return CANNED[prompt] if prompt in CANNED else tuple(tokenize(prompt))


def tokenize(text: str) -> list[str]:
    """Cut text as the stand-in does: words with the blank before them, long and foreign ones in parts.

    Three recorded facts fix the rule: " harbour." comes as " harbo", "ur."; "chunked" in one
    piece; "café" in four.
    """
    pieces: list[str] = []
    for word in _words(text):
        if not word.isascii():
            pieces.extend(word)
        elif len(word) > 8:
            pieces.extend(word[start : start + 6] for start in range(0, len(word), 6))
        else:
            pieces.append(word)
    return pieces


def _words(text: str) -> list[str]:
    words: list[str] = []
    for char in text:
        if words and not (char.isspace() and not words[-1].isspace()):
            words[-1] += char
        else:
            words.append(char)
    return words
