"""Reasoning models write `<think> ... </think>` before the answer; here the two are told apart. Pure.

Only a block at the very beginning counts. Tags in the middle of an answer are text: somebody may be
asking about them.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto

OPEN_TAG = "<think>"
CLOSE_TAG = "</think>"


class Part(StrEnum):
    """What a piece of text belongs to."""

    REASONING = "reasoning"
    TEXT = "text"


class _State(Enum):
    START = auto()  # only white space or a part of the opening tag so far
    REASONING_LEAD = auto()  # behind the opening tag: white space is dropped
    REASONING = auto()
    TEXT_LEAD = auto()  # behind the closing tag: white space is dropped
    TEXT = auto()


class ReasoningSplitter:
    """Splits an answer that arrives in pieces; the result does not depend on how it was cut.

    Tags and the white space around them are dropped, everything else is passed on. `starts_open` says
    that the prompt itself already opened the block (the end of a rendered template tells).

    Where that is *not* known (an app that renders the template itself), a block without its opening
    tag cannot be recognised before its end, and what was streamed cannot be called back: the splitter
    then passes everything on as text, the closing tag included, so that a reader can still see where
    the answer begins. Whoever holds the whole answer uses `split_complete`, which has no such gap.
    """

    def __init__(self, *, starts_open: bool = False) -> None:
        self._starts_open = starts_open
        self._state = _State.START
        self._held = ""

    def feed(self, text: str) -> list[tuple[Part, str]]:
        """Take new text; return what is decided, in order, without empty pieces."""
        self._held += text
        parts: list[tuple[Part, str]] = []
        while self._step(parts):
            pass
        return parts

    def flush(self) -> list[tuple[Part, str]]:
        """The answer has ended: return what was held back, as what it turned out to be."""
        inside = self._state is _State.REASONING or (self._state is _State.START and self._starts_open)
        tail, self._held = self._held, ""
        if not tail:
            return []
        return [(Part.REASONING if inside else Part.TEXT, tail)]

    def _step(self, parts: list[tuple[Part, str]]) -> bool:
        """Decide one piece of `_held`; false when only more text can tell."""
        match self._state:
            case _State.START:
                return self._read_start()
            case _State.REASONING_LEAD:
                return self._drop_space(_State.REASONING)
            case _State.REASONING:
                return self._read_reasoning(parts)
            case _State.TEXT_LEAD:
                return self._drop_space(_State.TEXT)
            case _State.TEXT:
                if self._held:
                    parts.append((Part.TEXT, self._held))
                    self._held = ""
                return False

    def _read_start(self) -> bool:
        rest = self._held.lstrip()
        if rest.startswith(OPEN_TAG):
            self._held = rest.removeprefix(OPEN_TAG)
            self._state = _State.REASONING_LEAD
            return True
        if OPEN_TAG.startswith(rest):
            return False
        self._state = _State.REASONING_LEAD if self._starts_open else _State.TEXT
        return True

    def _drop_space(self, then: _State) -> bool:
        self._held = self._held.lstrip()
        if not self._held:
            return False
        self._state = then
        return True

    def _read_reasoning(self, parts: list[tuple[Part, str]]) -> bool:
        reasoning, found, rest = self._held.partition(CLOSE_TAG)
        if not found:
            reasoning = reasoning[: _unfinished_tag_at(reasoning)]
        reasoning = reasoning.rstrip()
        if reasoning:
            parts.append((Part.REASONING, reasoning))
        if not found:
            self._held = self._held[len(reasoning) :]
            return False
        self._held = rest
        self._state = _State.TEXT_LEAD
        return True


def split_complete(text: str, *, starts_open: bool = False) -> tuple[str, str]:
    """Split a whole answer into (reasoning, text); either may be empty.

    A closing tag with no opening tag before it ends a block that the template opened.
    """
    before, closed, _ = text.partition(CLOSE_TAG)
    splitter = ReasoningSplitter(starts_open=starts_open or (bool(closed) and OPEN_TAG not in before))
    parts = splitter.feed(text) + splitter.flush()
    reasoning = "".join(piece for part, piece in parts if part is Part.REASONING)
    return reasoning, "".join(piece for part, piece in parts if part is Part.TEXT)


def _unfinished_tag_at(text: str) -> int:
    """Where a closing tag that is still incomplete begins at the end of `text`, else its length."""
    for width in range(min(len(CLOSE_TAG) - 1, len(text)), 0, -1):
        if CLOSE_TAG.startswith(text[-width:]):
            return len(text) - width
    return len(text)
