"""JSON as models write it: with comments, single quotes, Python's words, commas too many, brackets too few. Pure.

Only what has one reading is read. What was put right is listed in `repairs`, in words for people.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Deeper than any tool's arguments; keeps this reader and json.dumps off Python's recursion limit.
MAX_DEPTH = 100
_MAX_WORD_CHARS = 400

_BLANK = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[\w$+.\-]+")
_IDENTIFIER = re.compile(r"[^\W\d][\w$-]*")
_NEXT_KEY = re.compile(r"""(?:"[^"\n]{1,80}"|'[^'\n]{1,80}'|[^\W\d][\w$-]{0,80})\s*:""")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}  # noqa: RUF001 -- the quotes of word processors
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_KNOWN_ESCAPES = dict(zip("bfnrt\"'\\/", "\b\f\n\r\t\"'\\/", strict=True)) | {"\n": ""}  # the last is a line that goes on


class Unreadable(ValueError):
    """what: a part of a sentence. at: where. ran_out: the text ended too early; nothing else was wrong so far."""

    def __init__(self, what: str, at: int, *, ran_out: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.ran_out = ran_out


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def strict_value(text: str, at: int = 0) -> tuple[Any, int] | None:
    """The JSON value that begins exactly at `at`, and where it ends; `None` where none can be read."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return (value, end) if _depth_fits(value) else None


def _depth_fits(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return True
    return False


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class Loose:
    """Reads values of `text` from `at` on, up to `end`. close: brackets that are open at the end may be closed there."""

    def __init__(self, text: str, at: int = 0, *, end: int | None = None, close: bool) -> None:
        self.text = text if end is None else text[:end]
        self.at = at
        self.repairs: list[str] = []
        self._close = close

    def value(self, levels: int = MAX_DEPTH) -> Any:
        """The value that comes next. Raises `Unreadable`."""
        self.blank()
        first = self.peek()
        if levels == MAX_DEPTH and (found := strict_value(self.text, self.at)) and first in _CLOSERS:
            value, self.at = found
            return value
        if first in _CLOSERS:
            if not levels:
                raise Unreadable("it is nested too deeply", self.at)
            self.at += 1
            return self._object(levels - 1) if first == "{" else self._list(_CLOSERS[first], levels - 1)
        return self.string() if first in _QUOTES and first else self._word()

    def peek(self, size: int = 1) -> str:
        return self.text[self.at : self.at + size]

    def blank(self) -> None:
        """Pass over white space and comments."""
        match = _BLANK.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            if not match.group().isspace():
                self._note("comments removed")

    def take(self, char: str) -> bool:
        """Pass over blanks, and over this character if it comes then."""
        self.blank()
        if not self.text.startswith(char, self.at):
            return False
        self.at += len(char)
        return True

    def _note(self, what: str) -> None:
        if what not in self.repairs:
            self.repairs.append(what)

    def _at_end(self, what: str) -> bool:
        """Is the text over, where `what` should be closed?"""
        if self.at < len(self.text):
            return False
        if not self._close:
            raise Unreadable(f"{what} is not closed", self.at, ran_out=True)
        self._note("brackets closed at the end")
        return True

    def _object(self, levels: int) -> Any:
        self.blank()
        if self.peek() == "{":  # braces doubled, as in templates
            inner = self.value(levels)
            self._note("doubled braces undone")
            if not self.take("}") and not self._at_end("an object"):
                raise Unreadable("an object stands where a key must be", self.at)
            return inner
        found: dict[str, Any] = {}
        while not self.take("}") and not self._at_end("an object"):
            key = self.key()
            if not self.take(":"):
                over = self.at >= len(self.text)
                raise Unreadable(f"there is no colon behind the key {key[:80]!r}", self.at, ran_out=over)
            found[key] = self.value(levels)
            self._between("}", "an object")
        return found

    def _list(self, closer: str, levels: int) -> list[Any]:
        if closer == ")":
            self._note("Python's notation read")
        found: list[Any] = []
        while not self.take(closer) and not self._at_end("a list"):
            found.append(self.value(levels))
            self._between(closer, "a list")
        return found

    def _between(self, closer: str, what: str) -> None:
        """Pass over the comma between two members."""
        if self.take(","):
            self.blank()
            if self.peek() == closer:
                self._note("a comma too many removed")
        elif self.at < len(self.text) and self.peek() != closer:
            if closer != "}" or not _NEXT_KEY.match(self.text, self.at):
                raise Unreadable(f"something else than a comma or the end follows a value in {what}", self.at)
            self._note("a missing comma added")

    def key(self) -> str:
        """The key that comes next, in quotes or without."""
        self.blank()
        if self.peek() in _QUOTES and self.peek():
            return self.string()
        match = _IDENTIFIER.match(self.text, self.at)
        if match is None:
            raise Unreadable("a key must come here", self.at, ran_out=self.at >= len(self.text))
        self.at = match.end()
        self._note("keys put into quotes")
        return match.group()

    def string(self) -> str:
        """The string that comes next, which begins with a quote of any kind."""
        opened = self.peek()
        begin = self.at + 1
        if opened != '"':
            self._note("quotes changed")
        closer = _QUOTES[opened]
        if opened in "\"'" and self.peek(3) == opened * 3:
            closer, begin = opened * 3, self.at + 3
            self._note("quotes changed")
        at = begin
        while not self.text.startswith(closer, at):
            if at >= len(self.text):
                raise Unreadable("a string is not closed", self.at, ran_out=True)
            at += 2 if self.text[at] == "\\" else 1
        self.at = at + len(closer)
        return self._unescaped(self.text[begin:at])

    def _unescaped(self, body: str) -> str:
        if any(char < " " for char in body):
            self._note("line breaks in strings escaped")
        if "\\" not in body:
            return body
        text = _ESCAPE.sub(self._escape, body)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # joins halves of pairs

    def _escape(self, match: re.Match[str]) -> str:
        code, short, char = match.groups()
        if code or short:
            return chr(int(code or short, 16))
        if char in "'\n" or char not in _KNOWN_ESCAPES:
            self._note("escapes put right")
        return _KNOWN_ESCAPES.get(char, match.group())

    def _word(self) -> Any:
        """A number, or one of the words that JSON and Python have."""
        match = _WORD.match(self.text, self.at)
        word = match.group() if match is not None else ""
        over = self.at + len(word) >= len(self.text)
        if word in _WORDS:
            if word[0].isupper():
                self._note("Python's notation read")
        elif len(word) > _MAX_WORD_CHARS or not _NUMBER.fullmatch(word):
            shown = word[:40] or self.peek(10) or "nothing"
            raise Unreadable(f"{shown!r} is no value (a text needs quotes)", self.at, ran_out=over)
        if over and not self._close:
            raise Unreadable("a value may be cut", self.at, ran_out=True)
        if word.startswith("+"):
            self._note("a plus sign removed")
        self.at += len(word)
        return _WORDS[word] if word in _WORDS else _number(word, self.at)


def _number(word: str, at: int) -> int | float:
    try:
        return _finite(word) if any(char in word for char in ".eE") else int(word)
    except ValueError as exc:
        raise Unreadable(str(exc), at) from exc
