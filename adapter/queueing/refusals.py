"""What those are told who cannot wait, or cannot wait long enough. Pure.

Short: Pitwall shows the first 512 bytes of a body (`protocols/pitwall.md` 3), and behind LiteLLM only the message is left, without its
`Retry-After` (`protocols/clients.md` 7). So the numbers stand in the text.
"""

from __future__ import annotations

from adapter.errors import DeadlineMissed, EngineUnavailable, QueueFull
from adapter.queueing.estimate import retry_after_s
from adapter.queueing.fair import Bound, FairLine


def deadline_missed(
    engine: str, *, ahead: int, wait_s: float | None, patience_s: float, retry_s: float | None
) -> DeadlineMissed:
    """ahead: of it, waiting or served. wait_s: estimated. patience_s: what its program waits in all. retry_s: when it would fit; `None`: unknown."""
    after_s = None if retry_s is None else retry_after_s(retry_s)
    requests = "1 request" if ahead == 1 else f"{ahead} requests"
    about = "" if wait_s is None else f", about {_seconds(wait_s)}"
    again = DeadlineMissed.default_retry_after_s if after_s is None else after_s
    return DeadlineMissed(
        f"busy: {requests} ahead{about}; your program waits {_seconds(patience_s)}. Try again in {again} s, or let it wait longer "
        f"(its time-out; deadline_s of its [[key]]). Engine {engine!r}.",
        retry_after_s=after_s,
    )


def queue_full(engine: str, bound: Bound, line: FairLine, *, capacity: int, retry_s: float | None) -> QueueFull:
    """retry_s: when there should be a place again; `None`: unknown."""
    after_s = None if retry_s is None else retry_after_s(retry_s)
    again = QueueFull.default_retry_after_s if after_s is None else after_s
    if bound is Bound.QUEUE:
        seats = "the seat" if capacity == 1 else f"all {capacity} seats"
        what = f"{seats} and all {line.places} places in the queue are taken"
    elif bound is Bound.KEY:
        what = f"this key has {line.places_a_key} of the {line.places} places in the queue, as many as one key may have"
    else:
        what = f"background requests have {line.places_background} of the {line.places} places in the queue, as many as they may have"
    return QueueFull(
        f"busy: {what}. Try again in {again} s, or send fewer requests at a time. Engine {engine!r}.",
        retry_after_s=after_s,
    )


def closed(engine: str) -> EngineUnavailable:
    return EngineUnavailable(f"The server is shutting down; engine {engine!r} takes nothing new. Try again when it is back.")


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 or value == int(value) else f"{value:.1f} s"
