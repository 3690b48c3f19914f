"""`POST /admin/pressure`: {"level": "pause", "reason": "The battery is at 45 degrees C.", "retry_after_s": 120, "for_s": 600}. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from adapter.dialects.openai_values import number, wrong_type
from adapter.engines.base import Pressure
from adapter.errors import BadRequest

FIELDS = ("level", "reason", "retry_after_s", "for_s")
MAX_REASON = 300
MAX_RETRY_S = 3_600
MAX_FOR_S = 86_400


@dataclass(frozen=True, slots=True)
class Order:
    """reason: a sentence for people, perhaps none. retry_after_s: for who is sent away; `None`: nobody said.

    for_s: it lapses to SERVE after so long unless it is given again, so that a supervisor that died leaves no phone paused; `None`: it holds.
    """

    level: Pressure = Pressure.SERVE
    reason: str = ""
    retry_after_s: int | None = None
    for_s: float | None = None


def parse_pressure(body: Mapping[str, Any]) -> Order:
    """Raises `BadRequest`, which names the field, for whatever is missing, wrong or unknown."""
    for name in body:
        if name not in FIELDS:
            raise BadRequest(f"'{name[:100]}' is no field here; there are {', '.join(FIELDS)}.", param=name[:100])
    try:
        level = Pressure(body.get("level"))  # type: ignore[arg-type]  # what is no level ends in the except
    except ValueError:
        raise BadRequest(f"'level' must be one of {', '.join(Pressure)}.", param="level") from None
    retry_after_s = number(body, "retry_after_s", 1, MAX_RETRY_S)
    return Order(
        level,
        _reason(body.get("reason")),
        None if retry_after_s is None else ceil(retry_after_s),  # the header has whole seconds only
        number(body, "for_s", 1, MAX_FOR_S),
    )


def _reason(value: object) -> str:
    """As a whole sentence: other sentences follow it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_type("reason", "a string", value)
    if len(value) > MAX_REASON or not value.isprintable():
        raise BadRequest(f"'reason' must be one line of at most {MAX_REASON} characters.", param="reason")
    text = value.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
