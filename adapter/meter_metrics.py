"""The numbers as Prometheus' text. Pure; imported, with the library, at the first scrape: most phones are never scraped.

The library's own registry of everything in a process is left alone: each scrape makes one of its own over a snapshot of our counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from adapter.breaker import BreakerState
from adapter.engines.base import Pressure
from adapter.meter_counts import Counts, Histogram
from adapter.meter_speeds import Speed
from adapter.queueing.gate import GateState

__all__ = ["CONTENT_TYPE", "Snapshot", "render_metrics"]

_LEVELS = {level: number for number, level in enumerate(Pressure)}
_STATES = {"closed": 0, "half_open": 1, "open": 2}
_KINDS = ("prompt", "cached", "completion")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the adapter was doing at one moment; nobody changes it any more. running, waiting: requests, all engines together."""

    counts: Counts
    queues: Mapping[str, GateState]
    breakers: tuple[BreakerState, ...]
    level: Pressure
    transitions: Mapping[Pressure, int]
    speeds: tuple[Speed, ...]
    running: int
    waiting: int
    uptime_s: float


def render_metrics(snapshot: Snapshot) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot))
    return bytes(generate_latest(registry))


class _Families(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def describe(self) -> list[Metric]:
        """Nobody else is in the registry, so there is nothing to compare."""
        return []

    def collect(self) -> Iterator[Metric]:
        s = self._snapshot
        yield from _requests(s.counts)
        yield from _queues(s.queues)
        yield _breakers(s)
        yield from _pressure(s)
        yield from _speeds(s.speeds)
        yield GaugeMetricFamily("farmhand_requests_running", "Requests that an engine works on.", s.running)
        yield GaugeMetricFamily("farmhand_requests_waiting", "Requests that wait for an engine.", s.waiting)
        yield GaugeMetricFamily("farmhand_uptime_seconds", "Since this process began to serve.", s.uptime_s)


def _requests(counts: Counts) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "farmhand_requests", "Requests that are over; status 499: the client left.", labels=["path", "status", "engine"]
    )
    for (path, status, engine), count in sorted(counts.requests.items()):
        requests.add_metric([path, str(status), engine], count)
    yield requests
    tokens = CounterMetricFamily(
        "farmhand_tokens", "Tokens of complete answers; cached ones are among those of the prompt.", labels=["engine", "model", "kind"]
    )
    for (engine, model), numbers in sorted(counts.tokens.items()):
        for kind, count in zip(_KINDS, numbers, strict=True):
            tokens.add_metric([engine, model, kind], count)
    yield tokens
    yield _histograms(
        "farmhand_first_token_seconds",
        "From a request's arrival to the first of its answer; of an answer that is not streamed, to all of it.",
        "engine",
        counts.first_tokens,
    )
    yield _histograms("farmhand_request_seconds", "From a request's arrival to the end of its answer.", "path", counts.durations)


def _histograms(name: str, text: str, label: str, found: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, histogram in sorted(found.items()):
        buckets, below = [], 0
        for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(below)))
        family.add_metric([value], buckets, histogram.total_s)
    return family


def _queues(queues: Mapping[str, GateState]) -> Iterator[Metric]:
    capacity = GaugeMetricFamily("farmhand_queue_capacity", "Answers that an engine gives at a time.", labels=["engine"])
    running = GaugeMetricFamily(
        "farmhand_queue_running", "Seats that are taken, also by what nobody waits for any more.", labels=["engine"]
    )
    waiting = GaugeMetricFamily("farmhand_queue_waiting", "Who waits for a seat.", labels=["engine", "class"])
    served = CounterMetricFamily("farmhand_queue_served", "Complete answers.", labels=["engine"])
    refused = CounterMetricFamily("farmhand_queue_refused", "Sent away: full, too late, or paused.", labels=["engine"])
    for engine, queue in sorted(queues.items()):
        capacity.add_metric([engine], queue.capacity)
        running.add_metric([engine], queue.running)
        waiting.add_metric([engine, "interactive"], queue.waiting_interactive)
        waiting.add_metric([engine, "background"], queue.waiting_background)
        served.add_metric([engine], queue.served)
        refused.add_metric([engine], queue.refused)
    return iter((capacity, running, waiting, served, refused))


def _breakers(snapshot: Snapshot) -> Metric:
    """The worst of those that share a name: `other` is what no list has."""
    family = GaugeMetricFamily(
        "farmhand_breaker_state", "0: has failed lately, 1: gets a trial, 2: is left alone.", labels=["engine", "model"]
    )
    worst: dict[tuple[str, str], int] = {}
    for breaker in snapshot.breakers:
        engine, slash, model = breaker.target.partition("/")
        key = (engine, snapshot.counts.model_label(engine, model) if slash else "")
        worst[key] = max(worst.get(key, 0), _STATES[breaker.state])
    for (engine, model), state in sorted(worst.items()):
        family.add_metric([engine, model], state)
    return family


def _pressure(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "farmhand_pressure_level", "What the phone can bear: 0 serve, 1 slow, 2 pause, 3 unload.", _LEVELS[snapshot.level]
    )
    transitions = CounterMetricFamily("farmhand_pressure_transitions", "How often each level was entered.", labels=["level"])
    for level in Pressure:
        transitions.add_metric([level.value], snapshot.transitions.get(level, 0))
    yield transitions


def _speeds(speeds: tuple[Speed, ...]) -> Iterator[Metric]:
    now = GaugeMetricFamily(
        "farmhand_tokens_per_second", "How fast a model on this phone writes: a mean of the last answers.", labels=["engine", "model"]
    )
    usual = GaugeMetricFamily("farmhand_usual_tokens_per_second", "How fast it usually writes.", labels=["engine", "model"])
    for speed in speeds:
        now.add_metric([speed.engine, speed.model], speed.tokens_s)
        usual.add_metric([speed.engine, speed.model], speed.usual_tokens_s)
    return iter((now, usual))
