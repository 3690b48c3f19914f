"""How much one key was used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_COUNTS = ("requests", "refused", "prompt_tokens", "completion_tokens")


@dataclass(slots=True)
class Use:
    """Of one key. name: what stands for it. first_s, last_s: wall time of its first and last request, refused ones included."""

    name: str
    requests: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_s: int = 0
    last_s: int = 0

    def add(self, other: Use) -> None:
        self.name = other.name
        for count in _COUNTS:
            setattr(self, count, getattr(self, count) + getattr(other, count))
        times = [time for time in (self.first_s, other.first_s) if time]
        self.first_s, self.last_s = min(times, default=0), max(self.last_s, other.last_s)


def use_of(item: Any) -> Use:
    """From the fields of one. Raises `ValueError`."""
    numbers = (*_COUNTS, "first_s", "last_s")
    if not isinstance(item, dict) or item.keys() != {"name", *numbers} or not isinstance(item["name"], str):
        raise ValueError("one of its keys has other fields")
    if not all(type(item[number]) is int and item[number] >= 0 for number in numbers):
        raise ValueError("one of its keys has counts that are none")
    return Use(**item)
