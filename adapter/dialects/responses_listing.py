"""A list of items in pages, as `GET /v1/responses/{id}/input_items` gives it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.dialects.openai_values import whole_text
from adapter.errors import BadRequest

MAX_LIMIT = 100
USUAL_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """limit: 1..100 items. newest: the newest first. after: id of the item that the page before ended with."""

    limit: int = USUAL_LIMIT
    newest: bool = True
    after: str | None = None


def parse_listing(query: Mapping[str, str]) -> Listing:
    """Raises `BadRequest` naming the field."""
    word = query.get("limit", str(USUAL_LIMIT))
    if not (word.isascii() and word.isdigit() and len(word) <= 4 and 1 <= int(word) <= MAX_LIMIT):
        raise BadRequest(f"'limit' must be a whole number from 1 to {MAX_LIMIT}.", param="limit")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("'order' must be asc or desc.", param="order")
    return Listing(int(word), order == "desc", query.get("after"))


def render_listing(items: Sequence[Mapping[str, Any]], asked: Listing) -> dict[str, Any]:
    """items: oldest first, each with an id. Raises `BadRequest` for an `after` that is none of them."""
    found = list(items)[::-1] if asked.newest else list(items)
    if asked.after is not None:
        ids = [item["id"] for item in found]
        if asked.after not in ids:
            raise BadRequest(f"'after' is '{whole_text(asked.after[:80])}', which is none of these items.", param="after")
        found = found[ids.index(asked.after) + 1 :]
    page = found[: asked.limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(found) > len(page),
    }
