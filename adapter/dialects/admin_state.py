"""`GET /admin/state`: what the supervisor wants to know, and how it says for how long it will wait for news. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.dialects.openai_pressure import Order
from adapter.errors import BadRequest
from adapter.meter_speeds import Speed

MAX_WAIT_S = 60
QUERY = ("since", "wait_s")


def parse_state_query(query: Mapping[str, str]) -> tuple[int | None, float]:
    """The version that the caller knows, `None` for none, and for how many seconds it waits for another. Raises `BadRequest`."""
    for name in query:
        if name not in QUERY:
            raise BadRequest(f"'{name[:100]}' is no parameter here; there are {', '.join(QUERY)}.", param=name[:100])
    since = query.get("since")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) < 20):
        raise BadRequest("'since' must be a version that was told before, a whole number.", param="since")
    return None if since is None else int(since), _wait_s(query.get("wait_s", "0"))


def _wait_s(text: str) -> float:
    try:
        wait_s = float(text) if len(text) <= 20 else -1.0
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MAX_WAIT_S:  # nor what is no number
        raise BadRequest(f"'wait_s' must be a number of seconds from 0 to {MAX_WAIT_S}.", param="wait_s")
    return wait_s


def render_pressure(order: Order, lapses_in_s: float | None) -> dict[str, Any]:
    return {
        "level": order.level.value,
        "reason": order.reason,
        "lapses_in_s": None if lapses_in_s is None else round(lapses_in_s, 1),
    }


def render_state(
    *,
    version: int,
    running: int,
    waiting: int,
    idle_s: float | None,
    requests: int,
    pressure: Mapping[str, Any],
    speeds: Sequence[Speed],
) -> dict[str, Any]:
    """running, waiting: requests under way and in queues. idle_s: since the last one ended; 0 while there is one, `None` if there never was."""
    return {
        "version": version,
        "running": running,
        "waiting": waiting,
        "idle_s": None if idle_s is None else round(idle_s, 3),
        "requests": requests,
        "pressure": pressure,
        "speeds": [
            {
                "engine": speed.engine,
                "model": speed.model,
                "tokens_s": round(speed.tokens_s, 2),
                "usual_tokens_s": round(speed.usual_tokens_s, 2),
            }
            for speed in speeds
        ],
    }
