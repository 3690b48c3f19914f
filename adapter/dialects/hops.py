"""The hop header: which Farmhands a request has passed through, so that two that route to each other are found out. Pure.

`X-Farmhand-Hops: id, id`, each one a process's id, the last one the sender.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapter.errors import LoopDetected

HOPS_HEADER = "X-Farmhand-Hops"
# Farmhands in a row. Each one costs time, and no sensible house has more.
MAX_HOPS = 4
# What is kept of a header: enough to be over the limit, whatever else it holds.
_MAX_KEPT = MAX_HOPS + 1
_MAX_HEADER_CHARS = 1_024
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_hops(header: str | None) -> tuple[str, ...]:
    """The ids of a header, in their order, the first five at most. What is no id (letters, digits, `_`, `-`; at most 64) is left out."""
    if not header:
        return ()
    entries = (entry.strip() for entry in header[:_MAX_HEADER_CHARS].split(","))
    return tuple(entry for entry in entries if _ID.fullmatch(entry))[:_MAX_KEPT]


def check_hops(hops: Sequence[str], own: str) -> None:
    """Raises `LoopDetected` if `own`, this process's id, is among those passed, or if there are more than four of them."""
    if own and own in hops:
        raise LoopDetected(
            "The request has passed through this Farmhand before: two of them have each other as upstream. "
            "Take one of the two [[engine]] entries out of the configuration."
        )
    if len(hops) > MAX_HOPS:
        raise LoopDetected(
            f"The request has passed through {len(hops)} Farmhands already, and {MAX_HOPS} is the limit. "
            "Let the [[engine]] entry point at the one that has the model."
        )


def render_hops(hops: Sequence[str]) -> str:
    """The header's value; "" for none, and then no header is sent."""
    return ", ".join(hops)
