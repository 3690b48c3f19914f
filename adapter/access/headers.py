"""Where a key with a rate stands, in the headers that OpenAI uses for it. Pure."""

from __future__ import annotations

from adapter.access.durations import in_short
from adapter.access.rate import Standing


def rate_headers(standing: Standing) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(standing.limit),
        "x-ratelimit-remaining-requests": str(standing.remaining),
        "x-ratelimit-reset-requests": in_short(standing.reset_s),
    }
