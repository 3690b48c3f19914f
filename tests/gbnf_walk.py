"""GBNF by the letter, small and slow: does a text match, and texts that match, made by chance. Shares no code with the adapter."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A node is ("lit", text) | ("set", negated, ranges) | ("ref", name) | ("seq", nodes) | ("alt", nodes) | ("rep", node, least, most)
Tree = tuple[Any, ...]

_WORD = re.compile(r"[a-zA-Z0-9-]+")
_TIMES = re.compile(r"\{(\d+)(,?)(\d*)\}")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r"}
_INTERESTING = "aZ09 \"\\/-_.@é€😀<>{}[]:,\n\t"


@contextmanager
def _deep() -> Iterator[None]:
    """A grammar follows its text letter by letter. Only here: other tests expect what is nested too deeply to be refused."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, 50_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


class Grammar:
    def __init__(self, text: str) -> None:
        self.rules: dict[str, Tree] = {}
        for line in text.splitlines():
            name, _, body = line.partition(" ::= ")
            assert name not in self.rules, name
            tree, at = _alternatives(body, 0)
            assert at == len(body), f"{body[at:]!r} is left of {name}"
            self.rules[name] = tree
        self._heights = _heights(self.rules)

    def matches(self, text: str) -> bool:
        with _deep():
            return len(text) in _Match(self.rules, text).ends(("ref", "root"), 0)

    def sample(self, rng: random.Random, deep: int = 30) -> str:
        """A text that matches; from `deep` rules inside each other on, the shortest way out is taken."""
        out: list[str] = []
        with _deep():
            self._walk(("ref", "root"), rng, deep, out)
        return "".join(out)

    def _walk(self, tree: Tree, rng: random.Random, deep: int, out: list[str]) -> None:
        match tree:
            case ("lit", text):
                out.append(text)
            case ("set", negated, ranges):
                out.append(_pick(negated, ranges, rng))
            case ("ref", name):
                self._walk(self.rules[name], rng, deep - 1, out)
            case ("seq", parts):
                for part in parts:
                    self._walk(part, rng, deep, out)
            case ("alt", options):
                lowest = min(_height(option, self._heights) for option in options)
                fitting = [one for one in options if deep > 0 or _height(one, self._heights) == lowest]
                self._walk(rng.choice(fitting), rng, deep, out)
            case ("rep", part, least, most):
                top = least if deep <= 0 else min(least + 4, 10**9 if most is None else most)
                for _ in range(rng.randint(least, top)):
                    self._walk(part, rng, deep - 1, out)
            case _:
                raise AssertionError(tree)


class _Match:
    def __init__(self, rules: dict[str, Tree], text: str) -> None:
        self._rules = rules
        self._text = text
        self._known: dict[tuple[int, int], frozenset[int]] = {}

    def ends(self, tree: Tree, at: int) -> frozenset[int]:
        key = (id(tree), at)
        if tree[0] != "ref" and key in self._known:
            return self._known[key]
        found = frozenset(self._ends(tree, at))
        if tree[0] != "ref":
            self._known[key] = found
        return found

    def _ends(self, tree: Tree, at: int) -> set[int]:
        match tree:
            case ("lit", text):
                return {at + len(text)} if self._text.startswith(text, at) else set()
            case ("set", negated, ranges):
                fits = at < len(self._text) and any(a <= ord(self._text[at]) <= b for a, b in ranges) != negated
                return {at + 1} if fits else set()
            case ("ref", name):
                return set(self.ends(self._rules[name], at))
            case ("alt", options):
                return {end for option in options for end in self.ends(option, at)}
            case ("seq", parts):
                ends = {at}
                for part in parts:
                    ends = {end for one in ends for end in self.ends(part, one)}
                return ends
            case ("rep", part, least, most):
                found: set[int] = set()
                ends, count = {at}, 0
                while ends and (most is None or count <= most):
                    if count >= least:
                        if ends <= found:
                            break
                        found |= ends
                    ends = {end for one in ends for end in self.ends(part, one)}
                    count += 1
                return found
            case _:
                raise AssertionError(tree)


def _alternatives(body: str, at: int) -> tuple[Tree, int]:
    options = []
    while True:
        sequence, at = _sequence(body, at)
        options.append(sequence)
        if body[at : at + 1] != "|":
            return (options[0] if len(options) == 1 else ("alt", tuple(options))), at
        at = _blank(body, at + 1)


def _sequence(body: str, at: int) -> tuple[Tree, int]:
    parts: list[Tree] = []
    at = _blank(body, at)
    while at < len(body) and body[at] not in "|)":
        part, at = _atom(body, at)
        while at < len(body) and body[at] in "*+?{":
            times = _TIMES.match(body, at)
            if times:
                least = int(times[1])
                most = int(times[3]) if times[3] else None if times[2] else least
                assert least <= 2000 and (most or 0) <= 2000
                at = times.end()
            else:
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[body[at]]
                at += 1
            part = ("rep", part, least, most)
        parts.append(part)
        at = _blank(body, at)
    return ("seq", tuple(parts)), at


def _atom(body: str, at: int) -> tuple[Tree, int]:
    if body[at] == '"':
        text, at = "", at + 1
        while body[at] != '"':
            char, at = _char(body, at)
            text += char
        return ("lit", text), at + 1
    if body[at] == "[":
        at += 1
        negated = body[at] == "^"
        at += negated
        ranges = []
        while body[at] != "]":
            low, at = _char(body, at)
            high = low
            if body[at] == "-" and body[at + 1] != "]":
                high, at = _char(body, at + 1)
            ranges.append((ord(low), ord(high)))
        assert ranges
        return ("set", negated, tuple(ranges)), at + 1
    if body[at] == "(":
        tree, at = _alternatives(body, at + 1)
        assert body[at] == ")"
        return tree, at + 1
    word = _WORD.match(body, at)
    assert word, body[at:]
    return ("ref", word[0]), word.end()


def _char(body: str, at: int) -> tuple[str, int]:
    if body[at] != "\\":
        return body[at], at + 1
    digits = {"x": 2, "u": 4, "U": 8}.get(body[at + 1])
    if digits:
        return chr(int(body[at + 2 : at + 2 + digits], 16)), at + 2 + digits
    assert body[at + 1] in 'tnr\\"[]-'
    return _ESCAPES.get(body[at + 1], body[at + 1]), at + 2


def _blank(body: str, at: int) -> int:
    while body[at : at + 1] == " ":
        at += 1
    return at


def _pick(negated: bool, ranges: tuple[tuple[int, int], ...], rng: random.Random) -> str:
    nice = [char for char in _INTERESTING if any(a <= ord(char) <= b for a, b in ranges) != negated]
    if nice and rng.random() < 0.5:
        return rng.choice(nice)
    assert not negated
    low, high = rng.choice(ranges)
    return chr(rng.randint(low, min(high, low + 300)))


def _heights(rules: dict[str, Tree]) -> dict[str, float]:
    heights = dict.fromkeys(rules, float("inf"))
    changed = True
    while changed:
        changed = False
        for name, tree in rules.items():
            height = _height(tree, heights) + 1
            if height < heights[name]:
                heights[name] = height
                changed = True
    return heights


def _height(tree: Tree, heights: dict[str, float]) -> float:
    match tree:
        case ("ref", name):
            return heights[name]
        case ("seq", parts):
            return max((_height(part, heights) for part in parts), default=0)
        case ("alt", options):
            return min(_height(option, heights) for option in options)
        case ("rep", part, least, _):
            return _height(part, heights) if least else 0
        case _:
            return 0
