"""Scripts that read a raw answer which arrives in pieces. Pure.

A script is a generator over a `Cursor`: it yields what it has decided, and `None` where only more text can tell. It is
written as if the whole answer lay before it, and looks at a character only when it is there or will never come, so what it
decides cannot depend on how the text was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapter.calls.output import Piece, Text, Thought

T = TypeVar("T")
Steps = Generator[Piece | None, None, T]


class Cursor:
    """All that was fed and not yet dropped, and where the script is in it."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.ended = False
        self.whole = False  # with `ended`: the model ended the answer itself
        self.in_reasoning = False
        self.call_at: int | None = None
        self._dropped = 0

    @property
    def position(self) -> int:
        """Where the script is, in characters of all that was fed."""
        return self._dropped + self.at

    def push(self, text: str) -> None:
        self.text += text

    def back_to(self, position: int) -> None:
        """Read again from here; nothing behind it may have been dropped."""
        self.at = position - self._dropped

    def drop(self) -> None:
        """Forget what was read. Positions that the script remembers in `at` are void after this."""
        self._dropped += self.at
        self.text = self.text[self.at :]
        self.at = 0


Script = Callable[[Cursor], Steps[None]]


class ScriptParser:
    """An `AnswerParser` that runs a script."""

    def __init__(self, script: Script) -> None:
        self._cursor = Cursor()
        self._steps = script(self._cursor)

    @property
    def call_at(self) -> int | None:
        return self._cursor.call_at

    @property
    def in_reasoning(self) -> bool:
        return self._cursor.in_reasoning

    def feed(self, text: str) -> list[Piece]:
        if not text:
            return []
        self._cursor.push(text)
        return self._run()

    def flush(self, *, whole: bool) -> list[Piece]:
        self._cursor.ended = True
        self._cursor.whole = whole
        return self._run()

    def _run(self) -> list[Piece]:
        pieces: list[Piece] = []
        for piece in self._steps:
            if piece is None:
                break
            pieces.append(piece)
        return pieces


# --- words of the scripts: each waits until it can tell ----------------------------------------------------------


def peek(cursor: Cursor, size: int = 1) -> Steps[str]:
    """The next `size` characters, fewer only at the end of the answer; they stay unread."""
    while len(cursor.text) - cursor.at < size and not cursor.ended:
        yield None
    return cursor.text[cursor.at : cursor.at + size]


def literal(cursor: Cursor, text: str) -> Steps[bool]:
    """Read exactly this text, if it comes next."""
    while True:
        have = cursor.text[cursor.at : cursor.at + len(text)]
        if have == text:
            cursor.at += len(text)
            return True
        if cursor.ended or not text.startswith(have):
            return False
        yield None


def space(cursor: Cursor) -> Steps[str]:
    """Read white space, all there is."""
    begin = cursor.at
    while True:
        while cursor.at < len(cursor.text) and cursor.text[cursor.at].isspace():
            cursor.at += 1
        if cursor.at < len(cursor.text) or cursor.ended:
            return cursor.text[begin : cursor.at]
        yield None


def skip(cursor: Cursor, text: str) -> Steps[bool]:
    """Read white space and exactly this text, or nothing."""
    begin = cursor.at
    yield from space(cursor)
    if (yield from literal(cursor, text)):
        return True
    cursor.at = begin
    return False


def run_of(cursor: Cursor, fits: Callable[[str], bool], most: int) -> Steps[str]:
    """Read characters as long as they fit, `most` at most."""
    begin = cursor.at
    while True:
        while cursor.at < len(cursor.text) and cursor.at - begin < most and fits(cursor.text[cursor.at]):
            cursor.at += 1
        if cursor.at < len(cursor.text) or cursor.ended or cursor.at - begin >= most:
            return cursor.text[begin : cursor.at]
        yield None


def upto(cursor: Cursor, stop: str) -> Steps[str | None]:
    """Read the text before `stop` and `stop` itself; `None`, with nothing read, where it never comes."""
    seen = cursor.at
    while True:
        found = cursor.text.find(stop, seen)
        if found >= 0:
            text = cursor.text[cursor.at : found]
            cursor.at = found + len(stop)
            return text
        if cursor.ended:
            return None
        seen = max(cursor.at, len(cursor.text) - len(stop) + 1)
        yield None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where `stream` came to a halt. stop: what was found there, unread; "" at the end of the answer. space: white
    space before it that was not passed on."""

    stop: str
    space: str


def stream(cursor: Cursor, stops: Sequence[str], piece: type[Text | Thought]) -> Steps[Stopped]:
    """Pass text on as `piece`s, up to the first of `stops` (the longest, of several in one place; none begins with
    white space). Without `stops`, all of it."""
    while True:
        at, stop = _first(cursor.text, cursor.at, stops)
        may = len(cursor.text) if cursor.ended else _unfinished(cursor.text, cursor.at, at, stops)
        if may <= at and may < len(cursor.text):
            at, stop = may, ""  # one that began earlier, or a longer one, may still be coming
        body = cursor.text[cursor.at : at]
        if stops:
            body = body.rstrip()
        blank = cursor.text[cursor.at + len(body) : at]
        if body:
            yield piece(body)
        cursor.at += len(body)
        cursor.drop()
        if stop or cursor.ended:
            cursor.at += len(blank)
            return Stopped(stop, blank)
        yield None


def _first(text: str, begin: int, stops: Sequence[str]) -> tuple[int, str]:
    best, which = len(text), ""
    for stop in stops:
        found = text.find(stop, begin, best + len(stop))
        if found >= 0 and (found < best or (found == best and len(stop) > len(which))):
            best, which = found, stop
    return best, which


def _unfinished(text: str, begin: int, end: int, stops: Sequence[str]) -> int:
    """The first place up to `end` from where the text to its end begins one of `stops`, else the text's length."""
    longest = max(map(len, stops), default=0)
    for at in range(max(begin, len(text) - longest + 1), min(end + 1, len(text))):
        rest = text[at:]
        if any(len(stop) > len(rest) and stop.startswith(rest) for stop in stops):
            return at
    return len(text)
