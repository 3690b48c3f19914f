"""`30d`, `90s`: lengths of time as they are typed, and as they are read. Pure."""

from __future__ import annotations

import re

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_FORM = re.compile(r"([1-9][0-9]{0,8})(s|min|m|h|d|w)", re.ASCII)
# Largest first: what is left over below two of a unit is said in the next one.
_WORDS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def parse_duration(text: str, *, longest_s: int) -> int:
    """Seconds, from 1 to `longest_s`. Raises `ValueError` with a sentence."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no length of time; write it like 90s, 30min, 12h, 30d or 8w")
    seconds = int(found[1]) * _UNITS_S[found[2]]
    if seconds > longest_s:
        raise ValueError(f"{text[:40]!r} is too long; {in_words(longest_s)} is the most")
    return seconds


def in_words(seconds: float) -> str:
    """`29 days`, `1 hour`, `less than a second`: one unit, rounded down, the largest of which there is one at least."""
    for size, word in _WORDS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than a second"


def in_short(seconds: float) -> str:
    """`120ms`, `1s`, `6m0s`, `1h0m0s`: as OpenAI writes `x-ratelimit-reset-requests`. Rounded up, so that it is never too early."""
    if seconds < 0.9995:
        return f"{max(0, -int(-seconds * 1_000 // 1))}ms"
    whole = -int(-seconds // 1)
    hours, rest = divmod(whole, 3_600)
    minutes, last = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{last}s"
    return f"{minutes}m{last}s" if minutes else f"{last}s"
