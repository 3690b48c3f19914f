"""Is what begins here a call, by its first keys or its first argument? Pure.

Everything here looks at a text that may still grow: what it says holds for every longer one, but for `WAIT`.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from adapter.emulate.names import PREFIXES, Names, plain_name
from adapter.emulate.shapes import ARGUMENT_KEYS, CALL_TYPES, NAME_KEYS, NOTE_KEYS, WRAP_KEYS

MAX_NAME = 140
_MAX_KEY = 82
_MAX_NOTE = 4_000  # a model's thoughts, as a member before the call's name
_KEY = re.compile(r"[\"'“]([^\"'“”\\\n]{0,80})[\"'”]|([A-Za-z_][\w-]{0,80})")
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|“([^”]*)”", re.DOTALL)
_SCALAR = re.compile(r"[\w.+-]{1,80}")
NAME = re.compile(r"[A-Za-z_][\w.:/-]{0,140}")
_FIRST_ARGUMENT = re.compile(r"\(\s*(?:\)|[A-Za-z_]\w*\s*[=:]|[\"'{\[]|-?\d+(?:\.\d+)?\s*[,)])")
_BEGUN_ARGUMENT = re.compile(r"\(\s*(?:[A-Za-z_]\w*\s*|-?\d*(?:\.\d*)?\s*)?")
_ASSIGNED = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(?:print\(\s*)?")


class Verdict(Enum):
    """NO: no call begins here, whatever follows. WAIT: only more text can tell. MAYBE: it looks like one, and the whole
    answer must be there to read it."""

    NO = auto()
    WAIT = auto()
    MAYBE = auto()


class Heads:
    """The beginnings of calls to the tools of one request."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def bracket(self, text: str, at: int) -> Verdict:
        """Is the object or the list that begins at `at` one of calls?"""
        if text[at] == "{":
            return self.object(text, at)
        inner = skip(text, at + 1)
        if inner >= len(text):
            return Verdict.WAIT
        return self.object(text, inner) if text[inner] == "{" else self.python(text, inner)

    def object(self, text: str, at: int, levels: int = 4) -> Verdict:
        """Is the object that begins at `at` a call, by its first keys?"""
        at = skip(text, at + 1)
        if text.startswith("{", at):
            return self.object(text, at, levels - 1) if levels else Verdict.NO
        if text[at:] == "\\":
            return Verdict.WAIT
        if text.startswith(('\\"', "\\'"), at):  # escaped as a whole
            plain = "{" + text[at : at + _MAX_NOTE].replace("\\", "")
            return self.object(plain, 0, 0) if levels else Verdict.NO
        while True:
            match = _KEY.match(text, at)
            if match is None:
                coming = len(text) - at < _MAX_KEY and "\n" not in text[at:] and _quote_or_nothing(text, at)
                return Verdict.WAIT if coming else Verdict.NO
            key = match.group(1) if match.group(1) is not None else match.group(2)
            at = skip(text, match.end())
            if at >= len(text):
                return Verdict.WAIT
            if text[at] != ":":
                # Without its comma or colon it may still be a call, which is then asked for again.
                return Verdict.MAYBE if key in ("name", "tool", "arguments") and text[at] == "=" else Verdict.NO
            at = skip(text, at + 1)
            if at >= len(text):
                return Verdict.WAIT
            found = self._member(text, at, key, levels)
            if isinstance(found, Verdict):
                return found
            at = found

    def _member(self, text: str, at: int, key: str, levels: int) -> Verdict | int:
        """What the value at `at` says; a number is where the next key stands, if it says nothing."""
        opens = text[at] in "{["
        if key in WRAP_KEYS and opens:
            inner = skip(text, at + 1) if text[at] == "[" else at
            if inner >= len(text):
                return Verdict.WAIT
            return self.object(text, inner, levels - 1) if text[inner] == "{" and levels else Verdict.NO
        if key in ARGUMENT_KEYS:
            return Verdict.MAYBE if text[at] in "{\"'[“" else Verdict.NO
        if key in self._names and text[at] == "{":
            return Verdict.MAYBE
        if key not in NAME_KEYS and key not in NOTE_KEYS:
            return Verdict.NO
        value = _STRING.match(text, at)
        if value is None and text[at] in "\"'“":
            return Verdict.WAIT if len(text) - at <= (_MAX_NOTE if key in NOTE_KEYS else MAX_NAME) else Verdict.NO
        if value is not None and value.end() - at > (_MAX_NOTE if key in NOTE_KEYS else MAX_NAME):
            return Verdict.NO
        told = "" if value is None else next(one for one in (*value.groups(), "") if one is not None)
        if key in NAME_KEYS and value is not None:
            return Verdict.MAYBE if told in self._names else Verdict.NO
        if key == "type" and told not in CALL_TYPES:
            return Verdict.NO
        plain = value or (_SCALAR.match(text, at) if key in NOTE_KEYS else None)
        if plain is None:
            return Verdict.NO
        at = skip(text, plain.end())
        if at >= len(text):
            return Verdict.WAIT
        after = skip(text, at + 1)
        return Verdict.NO if text[at] != "," else Verdict.WAIT if after >= len(text) else after

    def python(self, text: str, at: int) -> Verdict:
        """Does a call in Python begin here, by its name and its first argument?"""
        begin = _ASSIGNED.match(text, at)
        at = at if begin is None else begin.end()
        match = NAME.match(text, at)
        if match is None:
            return Verdict.WAIT if at >= len(text) else Verdict.NO
        if match.end() >= len(text):
            return Verdict.WAIT if self._begins_name(match.group()) else Verdict.NO
        name = match.group().removesuffix(".call")
        if name not in self._names or text[match.end()] != "(":
            return Verdict.NO
        rest = text[match.end() : match.end() + 200]
        if _FIRST_ARGUMENT.match(rest):
            return Verdict.MAYBE
        return Verdict.WAIT if _BEGUN_ARGUMENT.fullmatch(rest) and len(rest) < 200 else Verdict.NO

    def _begins_name(self, text: str) -> bool:
        if text in self._names:
            return True
        begun = plain_name(text)
        whole = (plain_name(prefix + spec.name) for spec in self._names for prefix in ("", *PREFIXES))
        return "print".startswith(text) or any(name.startswith(begun) for name in whole)


def skip(text: str, at: int) -> int:
    """The first place from `at` on that is no white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def any_prefix(rest: str, wanted: tuple[str, ...]) -> Verdict:
    """Does one of these texts stand there, or may it be coming?"""
    if rest.startswith(wanted):
        return Verdict.MAYBE
    return Verdict.WAIT if any(one.startswith(rest) for one in wanted) else Verdict.NO


def _quote_or_nothing(text: str, at: int) -> bool:
    """May a key be coming here?"""
    return at >= len(text) or text[at] in "\"'“"
