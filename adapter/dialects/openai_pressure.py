"""`POST /admin/pressure`: {"level": "slow"} -> our word for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.engines.base import Pressure
from adapter.errors import BadRequest


def parse_pressure(body: Mapping[str, Any]) -> Pressure:
    """Raises `BadRequest` for anything but one of the levels."""
    try:
        return Pressure(body.get("level"))  # type: ignore[arg-type]  # what is no level ends in the except
    except ValueError:
        raise BadRequest(f"'level' must be one of {', '.join(Pressure)}.", param="level") from None
