"""Rates of keys: what passes, what is refused, and whether what is said about it is true."""

from __future__ import annotations

import math
import random

import pytest

from adapter.access.headers import rate_headers
from adapter.access.rate import Bucket, Rate, Standing, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1/s", Rate(1, 1)), ("60/min", Rate(60, 60)), ("100/h", Rate(100, 3_600)), ("1000000/day", Rate(1_000_000, 86_400))],
)
def test_rates_as_typed(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "60", "/min", "0/min", "-1/s", "1.5/s", "60/m", "60 / min", "60/MIN", "1000001/s", "1/s\n", "\u0661/s", "06/s", "9" * 99 + "/s"]
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate; write it like 60/min") as caught:
        parse_rate(text)
    assert len(str(caught.value)) < 200


def test_a_full_bucket_is_spent_at_once_and_fills_evenly() -> None:
    bucket = Bucket(Rate(3, 60))
    assert [bucket.take(100.0) for _ in range(4)] == [
        Standing(3, 2, 20.0),
        Standing(3, 1, 40.0),
        Standing(3, 0, 60.0),
        Standing(3, 0, 60.0, wait_s=20.0),
    ]
    assert bucket.take(119.0) == Standing(3, 0, 41.0, wait_s=1.0)
    assert bucket.take(120.0) == Standing(3, 0, 60.0)
    assert bucket.take(220.0) == Standing(3, 2, 20.0), "full again, and not fuller than that"


def test_asking_too_early_does_not_make_it_later() -> None:
    bucket = Bucket(Rate(1, 10))
    bucket.take(0.0)
    assert [bucket.take(float(now_s)).wait_s for now_s in range(1, 10)] == [float(10 - now_s) for now_s in range(1, 10)]
    assert bucket.take(10.0).wait_s == 0


@pytest.mark.parametrize("rate", [Rate(1, 1), Rate(60, 60), Rate(7, 3_600), Rate(1_000_000, 1), Rate(1_000_000, 86_400), Rate(1, 86_400)])
def test_what_is_said_is_true(rate: Rate) -> None:
    """Whatever comes before: `remaining` more pass at once and no other; after `wait_s`, in whole seconds too, one passes; no window has more."""
    chance = random.Random(rate.count)
    bucket, now_s, passed = Bucket(rate), 5e6, 0
    for _ in range(300):
        now_s += chance.choice([0, 0, 0.001, rate.interval_s / 3, rate.interval_s, rate.period_s / 7])
        standing = bucket.take(now_s)
        passed += standing.wait_s == 0
        assert 0 <= standing.remaining < rate.count and 0 <= standing.reset_s <= rate.period_s + 1e-6
        if standing.wait_s:
            twin = Bucket(rate)
            twin._full_s = bucket._full_s
            assert twin.take(now_s + standing.wait_s + 1e-6).wait_s == 0
            assert bucket.take(now_s + math.ceil(standing.wait_s)).wait_s == 0
            now_s += math.ceil(standing.wait_s)
            passed += 1
        if standing.remaining < 50:
            twin = Bucket(rate)
            twin._full_s = bucket._full_s
            more = [twin.take(now_s).wait_s == 0 for _ in range(60)]
            assert more == sorted(more, reverse=True)
    assert passed <= rate.count + (now_s - 5e6) / rate.interval_s + 1


def test_remaining_is_exact() -> None:
    for count in (1, 3, 7, 60, 997):
        bucket = Bucket(Rate(count, 60))
        assert [bucket.take(1e6).remaining for _ in range(count)] == list(range(count - 1, -1, -1))
        assert bucket.take(1e6).wait_s > 0


def test_the_headers_are_those_of_openai() -> None:
    assert rate_headers(Standing(60, 59, 1.0)) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }
