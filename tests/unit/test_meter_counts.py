"""What is counted of requests: labels that clients cannot multiply, sums, buckets."""

from __future__ import annotations

import pytest

from adapter.chat import Usage
from adapter.meter_counts import DURATION_BOUNDS, MOST_MODELS, OTHER, Counts, Histogram, path_label


def listed(engine: str, model: str) -> bool:
    return engine == "demo" and model.startswith("m")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/v1/chat/completions", "/chat/completions"),
        ("/chat/completions", "/chat/completions"),
        ("/v1/models", "/models"),
        ("/v1/models/a/b.gguf", "/models/{id}"),
        ("/models/x", "/models/{id}"),
        ("/metrics", "/metrics"),
        ("/v1/chat/completions/", OTHER),
        ("/wp-login.php", OTHER),
        ("", OTHER),
    ],
)
def test_paths(path: str, label: str) -> None:
    assert path_label(path) == label


def test_requests_by_path_status_and_engine() -> None:
    counts = Counts(listed)
    for path, status, engine in [("/v1/embeddings", 200, "demo"), ("/embeddings", 200, "demo"), ("/x", 404, "-"), ("/y", 404, "-")]:
        counts.request(path, status, engine, 0.2)
    assert counts.requests == {("/embeddings", 200, "demo"): 2, (OTHER, 404, ""): 2}
    assert {path: sum(h.counts) for path, h in counts.durations.items()} == {"/embeddings": 2, OTHER: 2}


def test_tokens_by_engine_and_model() -> None:
    counts = Counts(listed)
    counts.answer("demo", "m", Usage(100, 20, cached_tokens=64), 0.5)
    counts.answer("demo", "m", Usage(10, 2), 0.5)
    counts.answer("demo", "m", None, None)
    assert counts.tokens == {("demo", "m"): [110, 64, 22]}
    assert sum(counts.first_tokens["demo"].counts) == 2


def test_models_that_nobody_lists_are_one() -> None:
    """llama-server answers to any name that a client makes up."""
    counts = Counts(listed)
    for n in range(1_000):
        counts.answer("demo", f"x{n}", Usage(1, 1), None)
    assert counts.tokens == {("demo", OTHER): [1_000, 0, 1_000]}


def test_names_that_change_with_every_listing_have_an_end() -> None:
    counts = Counts(listed)
    for n in range(1_000):
        counts.answer("demo", f"m{n}", Usage(1, 1), None)
    assert len(counts.tokens) == MOST_MODELS + 1
    assert counts.tokens[("demo", OTHER)] == [1_000 - MOST_MODELS, 0, 1_000 - MOST_MODELS]
    assert (counts.model_label("demo", "m0"), counts.model_label("demo", "m999")) == ("m0", OTHER)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.01, 0), (0.0100001, 1), (1.0, 3), (300.0, len(DURATION_BOUNDS) - 1), (301.0, len(DURATION_BOUNDS))],
)
def test_a_bound_is_in_its_bucket(seconds: float, bucket: int) -> None:
    histogram = Histogram(DURATION_BOUNDS)
    histogram.observe(seconds)
    assert (histogram.counts.index(1), histogram.total_s) == (bucket, seconds)


def test_a_copy_stays_as_it_was() -> None:
    counts = Counts(listed)
    counts.request("/metrics", 200, "-", 1.0)
    counts.answer("demo", "m", Usage(1, 1), 0.5)
    copy = counts.copied()
    counts.request("/metrics", 200, "-", 1.0)
    counts.answer("demo", "m", Usage(1, 1), 0.5)
    assert (copy.requests, copy.tokens) == ({("/metrics", 200, ""): 1}, {("demo", "m"): [1, 0, 1]})
    assert (sum(copy.durations["/metrics"].counts), sum(copy.first_tokens["demo"].counts)) == (1, 1)
