r"""Regular expressions as a tree. Pure.

The dialect is what JSON Schema, JavaScript and Python have in common: \d and \w are ASCII, \s is any white space, a dot is
anything but a line's end, lazy quantifiers match the same texts as greedy ones, groups do not capture. Look-ahead is
understood at a pattern's beginning, where it says no more than "and also (not) this". What has no place in a
regular language, or is not understood, is a `PatternError`, which says where.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.constrain import bounds, chars


class PatternError(ValueError):
    """Not a pattern that can be compiled. The text is part of a sentence: what, and at which position from 0."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set; none, if the set is empty."""

    ranges: chars.Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`most` is `None` for any number."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """Nothing, at the text's start or its end."""

    at_end: bool


Node = Chars | Sequence | Either | Repeat | Anchor


@dataclass(frozen=True, slots=True)
class Look:
    """wanted: the text must go on like `node` from its beginning; else it must not."""

    wanted: bool
    node: Node


@dataclass(frozen=True, slots=True)
class Pattern:
    """Texts that match `node` and fit all `looks`, which stand before it, right after a `^`."""

    node: Node
    looks: tuple[Look, ...] = ()


_DIGIT = chars.union([(0x30, 0x39)])
_WORD = chars.union([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
_SPACE = chars.of("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B))))
_SETS = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_DOT = chars.without(chars.ALL, chars.of("\n\r"))
_MAX_GROUPS_DEEP = 50


def parse(pattern: str) -> Pattern:
    """Raises `PatternError`."""
    if len(pattern) > bounds.MAX_PATTERN_CHARS:
        raise PatternError(f"it is longer than {bounds.MAX_PATTERN_CHARS} characters")
    return _Parser(pattern).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._deep = 0

    def whole(self) -> Pattern:
        looks = self._looks()
        node = self._either()
        if self._at < len(self._text):
            raise PatternError(f"unmatched ')' at position {self._at}")
        return Pattern(Sequence((Anchor(at_end=False), node)) if looks else node, looks)

    def _looks(self) -> tuple[Look, ...]:
        """`^(?!...)(?=...)`, where no alternative of the whole pattern does without them."""
        if not self._text.startswith(("^(?=", "^(?!")):
            return ()
        self._at = 1
        looks = []
        while self._peek(3) in ("(?=", "(?!"):
            wanted = self._text[self._at + 2] == "="
            start = self._at
            self._at += 3
            looks.append(Look(wanted, self._group_rest(start)))
        # in `^(?!a)b|c` the look-ahead belongs to the first alternative only
        if self._has_top_alternative():
            raise PatternError("look-ahead in one of several alternatives at position 1")
        return tuple(looks)

    def _has_top_alternative(self) -> bool:
        at = self._at
        parser = _Parser(self._text)
        parser._at = at
        parser._sequence()
        return parser._peek() == "|"

    def _peek(self, count: int = 1) -> str:
        return self._text[self._at : self._at + count]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise PatternError("it ends too early")
        self._at += 1
        return char

    def _either(self) -> Node:
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() and self._peek() not in "|)":
            parts.append(self._quantified(self._atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantified(self, node: Node) -> Node:
        start = self._at
        found = self._quantifier()
        if found is None:
            return node
        if isinstance(node, Anchor):
            raise PatternError(f"a quantifier after an anchor at position {start}")
        if self._peek() == "?":
            self._at += 1
        elif self._peek() == "+":
            raise PatternError(f"a possessive quantifier at position {start}")
        if self._quantifier() is not None:
            raise PatternError(f"a second quantifier at position {start}")
        return Repeat(node, *found)

    def _quantifier(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if simple is not None:
            self._at += 1
            return simple
        if self._peek() != "{":
            return None
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not (low + high).isascii() or not (low + high).isdigit() or (low and not low.isdigit()):
            return None  # a brace of its own
        start, self._at = self._at, end + 1
        if len(low) > 9 or len(high) > 9 or max(int(low or 0), int(high or 0)) > bounds.MAX_REPEAT:
            raise PatternError(f"a repetition of more than {bounds.MAX_REPEAT} at position {start}")
        least = int(low or 0)
        most = (int(high) if high else None) if comma else least
        if most is not None and most < least:
            raise PatternError(f"a repetition whose bounds are out of order at position {start}")
        return least, most

    def _atom(self) -> Node:
        start = self._at
        char = self._take()
        if char == "(":
            return self._group(start)
        if char == "[":
            return Chars(self._class(start))
        if char == ".":
            return Chars(_DOT)
        if char in "^$":
            return Anchor(at_end=char == "$")
        if char in "*+?":
            raise PatternError(f"a quantifier with nothing before it at position {start}")
        if char == "\\":
            if self._peek() in ("A", "Z", "z"):
                return Anchor(at_end=self._take() != "A")
            return Chars(self._escape(start))
        return Chars(chars.of(char))

    def _group(self, start: int) -> Node:
        if self._peek() != "?":
            return self._group_rest(start)
        for opening in ("?:", "?P<", "?<"):
            if self._peek(len(opening)) == opening and self._peek(3) not in ("?<=", "?<!"):
                self._at += len(opening)
                if opening != "?:":
                    while self._take() != ">":
                        pass
                return self._group_rest(start)
        what = {"?=": "look-ahead", "?!": "look-ahead", "?<": "look-behind", "?P": "a back reference"}
        name = what.get(self._peek(2), "a group of a kind that is not supported")
        raise PatternError(f"{name} at position {start}")

    def _group_rest(self, start: int) -> Node:
        self._deep += 1
        if self._deep > _MAX_GROUPS_DEEP:
            raise PatternError(f"more than {_MAX_GROUPS_DEEP} groups inside each other at position {start}")
        node = self._either()
        if self._peek() != ")":
            raise PatternError(f"unmatched '(' at position {start}")
        self._at += 1
        self._deep -= 1
        return node

    def _escape(self, start: int) -> chars.Ranges:
        """After a backslash, which was at `start`."""
        char = self._take()
        if char.lower() in _SETS:
            found = _SETS[char.lower()]
            return found if char.islower() else chars.without(chars.ALL, found)
        if char in _CONTROLS:
            return chars.of(_CONTROLS[char])
        if char in "xu":
            return self._code_point(start, 2 if char == "x" else 4)
        if char == "c" and self._peek().isascii() and self._peek().isalpha():
            return chars.of(chr(ord(self._take()) % 32))
        if char == "0" and not self._peek().isdigit():
            return ((0, 0),)
        if char.isdigit():
            raise PatternError(f"a back reference at position {start}")
        if char.isalpha():
            raise PatternError(f"the escape \\{char}, which is not supported, at position {start}")
        return chars.of(char)

    def _code_point(self, start: int, digits: int) -> chars.Ranges:
        if digits == 4 and self._peek() == "{":
            end = self._text.find("}", self._at)
            text = self._text[self._at + 1 : max(end, 0)]
            self._at = end + 1
        else:
            text = self._peek(digits)
            self._at += digits
        if not text or len(text) > 8 or (digits == 2 and len(text) < 2) or not set(text) <= set("0123456789abcdefABCDEF"):
            raise PatternError(f"a broken escape at position {start}")
        point = int(text, 16)
        if 0xD800 <= point <= 0xDBFF and self._peek(2) == "\\u":  # a pair, as JavaScript writes it
            low = self._peek(6)[2:]
            if len(low) == 4 and set(low) <= set("0123456789abcdefABCDEF") and 0xDC00 <= int(low, 16) <= 0xDFFF:
                self._at += 6
                point = 0x10000 + ((point - 0xD800) << 10) + int(low, 16) - 0xDC00
        if not chars.contains(chars.ALL, point):
            raise PatternError(f"an escape that is no character of a text at position {start}")
        return ((point, point),)

    def _class(self, start: int) -> chars.Ranges:
        negated = self._peek() == "^"
        self._at += negated
        parts: list[chars.Ranges] = []
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise PatternError(f"unmatched '[' at position {start}")
            if first and self._peek() == "]":  # "[]" is empty in JavaScript and a "]" in Python; neither is meant
                raise PatternError(f"an empty class at position {start}")
            first = False
            parts.append(self._class_part())
        self._at += 1
        found = chars.union(*parts)
        return chars.without(chars.ALL, found) if negated else chars.intersect(found, chars.ALL)

    def _class_part(self) -> chars.Ranges:
        start = self._at
        low = self._class_char()
        if self._peek() != "-" or self._peek(2) in ("-]", "-"):
            return low
        self._at += 1
        high = self._class_char()
        if len(low) != 1 or low[0][0] != low[0][1] or len(high) != 1 or high[0][0] != high[0][1]:
            return chars.union(low, high, chars.of("-"))  # [\w-.]: the hyphen is itself
        if high[0][0] < low[0][0]:
            raise PatternError(f"a range that is out of order at position {start}")
        return ((low[0][0], high[0][0]),)

    def _class_char(self) -> chars.Ranges:
        start = self._at
        char = self._take()
        if char != "\\":
            return chars.of(char)
        if self._peek() == "b":
            self._at += 1
            return chars.of("\b")
        return self._escape(start)
