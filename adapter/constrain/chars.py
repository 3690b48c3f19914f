"""Sets of characters as sorted, disjoint, closed ranges of code points, and how GBNF writes them. Pure.

Every class is written as what it contains, never as `[^...]`: llama.cpp refuses a token that ends inside a character as soon
as its first bytes could become an excluded one, so that an excluded dash would cost its whole block of 64 characters.
"""

from __future__ import annotations

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]

# No surrogates, which text cannot contain.
ALL: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))
# What a model can write as it is: NUL ends a text inside llama.cpp.
WRITABLE: Ranges = ((1, 0xD7FF), (0xE000, 0x10FFFF))
_PLAIN = frozenset(b" !#$%&'()*+,./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_`abcdefghijklmnopqrstuvwxyz{|}~")
_SHORT = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def union(*parts: Iterable[tuple[int, int]]) -> Ranges:
    """All characters of all parts, which may overlap and need no order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(one for part in parts for one in part):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def intersect(a: Ranges, b: Ranges) -> Ranges:
    found = []
    i = j = 0
    while i < len(a) and j < len(b):
        low, high = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if low <= high:
            found.append((low, high))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(a: Ranges, b: Ranges) -> Ranges:
    """The characters of `a` that are not in `b`."""
    gaps, start = [], 0
    for low, high in b:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    gaps.append((start, 0x10FFFF))
    return intersect(a, tuple(gaps))


def of(text: str) -> Ranges:
    """The characters of `text`."""
    return union((ord(char), ord(char)) for char in text)


def contains(ranges: Ranges, point: int) -> bool:
    return any(low <= point <= high for low, high in ranges)


def char_class(ranges: Ranges) -> str:
    """The GBNF of one character out of a non-empty set."""
    parts = []
    for low, high in ranges:
        parts.append(_escaped(low))
        if high > low:
            parts.append(("-" if high > low + 1 else "") + _escaped(high))
    return "[" + "".join(parts) + "]"


def literal(text: str) -> str:
    """The quoted GBNF literal that matches exactly `text`."""
    return '"' + "".join(_in_literal(char) for char in text) + '"'


def _in_literal(char: str) -> str:
    point = ord(char)
    if point > 0x9F and not 0xD800 <= point <= 0xDFFF:
        return char
    return "-" if char == "-" else char if char in "^[]" else _escaped(point)


def _escaped(point: int) -> str:
    if point in _PLAIN:
        return chr(point)
    if point in _SHORT:
        return _SHORT[point]
    if point <= 0xFF:
        return f"\\x{point:02X}"
    return f"\\u{point:04X}" if point <= 0xFFFF else f"\\U{point:08X}"
