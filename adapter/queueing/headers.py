"""Where a request stands, as answer headers. Pure."""

from __future__ import annotations

from math import ceil

from adapter.dispatch.items import Queued


def queue_headers(queued: Queued) -> dict[str, str]:
    """`X-Queue-Position` (0: no wait), `X-Queue-Depth`, and `X-Estimated-Wait-Ms` where it is known."""
    headers = {"X-Queue-Position": str(queued.position), "X-Queue-Depth": str(queued.depth)}
    if queued.wait_s is not None:
        headers["X-Estimated-Wait-Ms"] = str(max(0, ceil(queued.wait_s * 1000)))
    return headers
