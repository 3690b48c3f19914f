"""A person's pause, as `farmhand pause` writes it into `run/hold.json`: the engines rest until then. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Hold:
    """until_wall_s: Unix time, `None` until somebody takes it back. why: a sentence for whoever asks meanwhile; may be empty."""

    until_wall_s: float | None = None
    why: str = ""

    def is_over(self, wall_s: float) -> bool:
        return self.until_wall_s is not None and wall_s >= self.until_wall_s


def to_json(hold: Hold) -> dict[str, Any]:
    return {"until_wall_s": hold.until_wall_s, "why": hold.why}


def hold_from_json(data: object) -> Hold:
    """Raises `ValueError` with a sentence: a pause that cannot be read must not pass in silence."""
    if not isinstance(data, dict):
        raise ValueError(  # noqa: TRY004 - what is wrong is the file, not the caller
            'it must look like {"until_wall_s": null, "why": ""}'
        )
    until, why = data.get("until_wall_s"), data.get("why", "")
    if until is not None and (isinstance(until, bool) or not isinstance(until, int | float) or not abs(until) < 1e12):
        raise ValueError("until_wall_s must be null or seconds since 1970")
    return Hold(None if until is None else float(until), why if isinstance(why, str) else "")
