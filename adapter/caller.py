"""Who asks, how urgently, and how long they will wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Urgency(StrEnum):
    """INTERACTIVE: somebody waits for it. BACKGROUND: titles, tags, heartbeats; they wait until nobody else does."""

    INTERACTIVE = "interactive"
    BACKGROUND = "background"


class OnDeadline(StrEnum):
    """What becomes of an answer that is not complete in time. REFUSE: an error. PARTIAL: what there is, ended with "length"."""

    REFUSE = "refuse"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's sender, as queues and deadlines need it.

    key: stands for the bearer key, for fairness between keys; never the key itself. deadline_s: of the loop's clock; by
    then the whole answer must be there, or its sender has left. `None`: they wait as long as it takes. silence_s: how long they bear to hear nothing at all;
    streams are kept alive more often than that. hops: ids of the Farmhands that the request has passed through, this one last.
    """

    key: str = ""
    urgency: Urgency = Urgency.INTERACTIVE
    deadline_s: float | None = None
    on_deadline: OnDeadline = OnDeadline.REFUSE
    silence_s: float | None = None
    hops: tuple[str, ...] = ()


ANYBODY = Caller()
