"""What is measured, and how it is judged. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Samples = Mapping[str, Sequence[float]]

# The issue's targets: the adapter's added time, memory and start in terms of the others'.
RELAY_TIMES = 1.5
LITELLM_SHARE = 1 / 15
MEMORY_TIMES = 1.35
START_TIMES = 2.0


@dataclass(frozen=True)
class Load:
    """One run of the load generator. requests: for each client. chunks: 0 for plain answers."""

    clients: int
    requests: int
    chunks: int = 0


@dataclass(frozen=True)
class Figure:
    """One row: `of` makes a number from the samples of one run of `load`. added: what the direct figure has does not count."""

    name: str
    load: str
    samples: str
    of: Callable[[Sequence[float]], float]
    unit: str = "ms"
    added: bool = True


def p50(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


LOADS = {
    "plain 1": Load(1, 200),
    "plain 16": Load(16, 25),
    "first 1": Load(1, 100, 1),
    "first 16": Load(16, 15, 1),
    "chunks 1": Load(1, 5, 32),
    "chunks 16": Load(16, 2, 32),
}
QUICK = {
    "plain 1": Load(1, 40),
    "plain 16": Load(16, 6),
    "first 1": Load(1, 25, 1),
    "first 16": Load(16, 4, 1),
    "chunks 1": Load(1, 1, 32),
    "chunks 16": Load(16, 1, 32),
}
FIGURES = (
    Figure("plain, 1 client, p50", "plain 1", "total_ms", p50),
    Figure("plain, 1 client, p95", "plain 1", "total_ms", p95),
    Figure("plain, 16 clients, p50", "plain 16", "total_ms", p50),
    Figure("plain, 16 clients, p95", "plain 16", "total_ms", p95),
    Figure("first chunk, 1 client, p50", "first 1", "first_ms", p50),
    Figure("first chunk, 1 client, p95", "first 1", "first_ms", p95),
    Figure("first chunk, 16 clients, p50", "first 16", "first_ms", p50),
    Figure("first chunk, 16 clients, p95", "first 16", "first_ms", p95),
    Figure("each chunk, 1 stream, p50", "chunks 1", "chunk_us", p50, "us"),
    Figure("each chunk, 16 streams, p50", "chunks 16", "chunk_us", p50, "us"),
    # What holds on a busy machine, too: the processor time of the program in between.
    Figure("CPU for a plain answer", "plain 1", "cpu_us", p50, "us", added=False),
    Figure("CPU for a chunk", "chunks 16", "cpu_us", p50, "us", added=False),
)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """`None` where there is nothing to compare with: not measured, or no more than noise."""
    if ours is None or theirs is None or theirs <= 0:
        return None
    return ours / theirs


def verdict(value: float | None, limit: float) -> str:
    if value is None:
        return ""
    return "ok" if value <= limit else "MISS"
