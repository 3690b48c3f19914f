"""Numbers within bounds, as GBNF over their digits. Pure.

An integer's grammar is exact. A bounded number is written without exponent and with at most `_FRACTION` digits after the
point; of those the grammar allows exactly the ones within the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from adapter.constrain import bounds
from adapter.constrain.json_rules import Rules

_FREE_DIGITS = 18  # of a number without bounds: an end to a model that goes on for ever
_FRACTION = 15
_POSITIVE = '("0" | [1-9] [0-9]{0,17}) ("." [0-9]{1,17})? ([eE] [-+]? [0-9]{1,2})?'


@dataclass(frozen=True, slots=True)
class Limits:
    """`None`: no bound. *_open: the bound itself is excluded."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False

    def scaled(self, factor: int = 1) -> tuple[int | None, int | None]:
        """The smallest and the largest integer n so that n / factor is inside."""
        low = high = None
        if self.low is not None:
            low = math.ceil(self.low * factor)
            low += self.low_open and low == self.low * factor
        if self.high is not None:
            high = math.floor(self.high * factor)
            high -= self.high_open and high == self.high * factor
        return low, high

    def tighter(self, other: Limits) -> Limits:
        """What is inside both."""
        lows = [(one.low, one.low_open) for one in (self, other) if one.low is not None]
        highs = [(one.high, one.high_open) for one in (self, other) if one.high is not None]
        low, low_open = max(lows, default=(None, False))
        high, high_open = min(highs, key=lambda one: (one[0], not one[1]), default=(None, False))
        return Limits(low, high, low_open, high_open)


def exact(value: float, param: str | None) -> Fraction:
    """A bound as it was written. Raises `BadRequest` for one with too many digits."""
    found = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    digits = 10**bounds.MAX_DIGITS
    if abs(found) >= digits or found.denominator > digits:
        raise bounds.too_large("digits of a number's bound", bounds.MAX_DIGITS, "Use a smaller one.", param)
    return found


def integer_body(rules: Rules, limits: Limits) -> str:
    """The body for all integers within; "" if there are none. Where a bound is missing they have at most `_FREE_DIGITS` digits,
    or three more than the other bound."""
    low, high = limits.scaled()
    if low is None and high is None:
        return f'"0" | "-"? [1-9] [0-9]{{0,{_FREE_DIGITS - 1}}}'
    largest = 10 ** max(_FREE_DIGITS, *(len(str(abs(bound))) + 3 for bound in (low, high) if bound is not None)) - 1
    low = -largest if low is None else low
    high = largest if high is None else high
    parts = []
    if high >= 0 and low <= high:
        parts.append(_natural(rules, max(low, 0), high))
    if low < 0 and low <= high:
        parts.append(f'"-" ({_natural(rules, max(1, -high), -low)})')
    return " | ".join(parts)


def number_body(rules: Rules, limits: Limits) -> str:
    """The body for all numbers within; "" if none can be written."""
    unit = 10**_FRACTION
    low, high = limits.scaled(unit)
    if low is None and high is None:
        return f'"-"? {_POSITIVE}'
    if high is None and limits == Limits(Fraction(0)):
        return _POSITIVE
    wholes = [len(str(abs(bound) // unit)) + 3 for bound in (low, high) if bound is not None]
    largest = 10 ** max(_FREE_DIGITS, *wholes) * unit - 1
    low = -largest if low is None else low
    high = largest if high is None else high
    parts = []
    if high >= 0 and low <= high:
        parts.append(_decimals(rules, max(low, 0), high))
    if low < 0 and low <= high:
        parts.append(f'"-" ({_decimals(rules, max(1, -high), -low)})')
    return " | ".join(parts)


def _natural(rules: Rules, low: int, high: int) -> str:
    """Digits of the integers from `low` to `high`, 0 <= low <= high, without leading zeros."""
    first, last = str(low), str(high)
    if len(first) == len(last):
        return _digits(rules, first, last)
    parts = [_digits(rules, first, "9" * len(first))]
    if len(last) - len(first) > 1:
        parts.append(f"[1-9] [0-9]{{{len(first)},{len(last) - 2}}}")
    return " | ".join([*parts, _digits(rules, "1" + "0" * (len(last) - 1), last)])


def _digits(rules: Rules, first: str, last: str) -> str:
    """Digit strings from `first` to `last`, all of the same length, which is not 0."""
    count = len(first) - 1

    def begin(digit: str, first_rest: str, last_rest: str) -> str:
        return f'"{digit}"' + (f" {rules.rule('digits', _digits(rules, first_rest, last_rest))}" if count else "")

    if not set(first[1:]) - {"0"} and not set(last[1:]) - {"9"}:
        return f"{_class(int(first[0]), int(last[0]))}" + (f" [0-9]{{{count}}}" if count else "")
    if first[0] == last[0]:
        return begin(first[0], first[1:], last[1:])
    parts = [begin(first[0], first[1:], "9" * count)]
    if int(first[0]) + 1 < int(last[0]):
        parts.append(_class(int(first[0]) + 1, int(last[0]) - 1) + (f" [0-9]{{{count}}}" if count else ""))
    return " | ".join([*parts, begin(last[0], "0" * count, last[1:])])


def _decimals(rules: Rules, low: int, high: int) -> str:
    """Numbers from `low` to `high`, 0 <= low <= high, both in units of the last digit that may be written."""
    (first, low_rest), (last, high_rest) = divmod(low, 10**_FRACTION), divmod(high, 10**_FRACTION)
    lowest, highest = f"{low_rest:0{_FRACTION}d}", f"{high_rest:0{_FRACTION}d}"
    if first == last:
        return f'"{first}" {_fraction(rules, lowest, highest)}'
    parts = []
    if low_rest:
        parts.append(f'"{first}" {_fraction(rules, lowest, "9" * _FRACTION)}')
        first += 1
    if set(highest) != {"9"}:
        parts.append(f'"{last}" {_fraction(rules, "0" * _FRACTION, highest)}')
        last -= 1
    if first <= last:
        parts.append(f'({_natural(rules, first, last)}) ("." [0-9]{{1,{_FRACTION}}})?')
    return " | ".join(parts)


def _fraction(rules: Rules, first: str, last: str) -> str:
    """A point and digits, from 0.`first` to 0.`last`; nothing at all counts as zeros."""
    body = f'"." {rules.rule("fraction", _after_point(rules, first, last))}'
    return body if set(first) - {"0"} else f"({body})?"


def _after_point(rules: Rules, first: str, last: str) -> str:
    """One to len(first) digits whose value, zeros put for those that are missing, lies within first..last."""
    count = len(first) - 1
    low, high = int(first[0]), int(last[0])
    if low == high:
        return _point_digit(rules, low, first[1:], last[1:])
    parts = [_point_digit(rules, low, first[1:], "9" * count)]
    if low + 1 < high:
        parts.append(_class(low + 1, high - 1) + _up_to(count))
    return " | ".join([*parts, _point_digit(rules, high, "0" * count, last[1:])])


def _point_digit(rules: Rules, digit: int, first: str, last: str) -> str:
    may_end = not set(first) - {"0"}
    if may_end and not set(last) - {"9"}:
        return f'"{digit}"{_up_to(len(first))}'
    rest = rules.rule("fraction", _after_point(rules, first, last))
    return f'"{digit}" {rest}' + ("?" if may_end else "")


def _up_to(count: int) -> str:
    return f" [0-9]{{0,{count}}}" if count else ""


def _class(first: int, last: int) -> str:
    return f'"{first}"' if first == last else f"[{first}-{last}]"
