"""`adapter.queueing.patience` and `headers`: how long programs wait, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from multidict import CIMultiDict

from adapter.caller import Caller, OnDeadline, Urgency
from adapter.dispatch.items import Queued
from adapter.queueing.headers import queue_headers
from adapter.queueing.patience import caller_of, patience
from adapter.settings import KeySettings

RECORDED = Path(__file__).resolve().parent.parent / "data" / "wire" / "clients"


def key(deadline_s: float | None = None, on: OnDeadline = OnDeadline.REFUSE) -> KeySettings:
    return KeySettings(name="pitwall", key="k" * 8, deadline_s=deadline_s, on_deadline=on)


@pytest.mark.parametrize(
    ("headers", "key_s", "plain", "stream", "silence"),
    [
        ({}, None, None, None, None),
        ({"x-stainless-read-timeout": "600"}, None, 598.0, None, 600.0),
        ({"x-stainless-read-timeout": "600.0"}, 45.0, 44.1, 44.1, 600.0),
        ({"x-stainless-timeout": "20"}, None, 19.6, None, 20.0),
        ({"x-stainless-runtime": "node"}, None, 298.0, None, 300.0),
        ({"x-stainless-runtime": "node", "x-stainless-timeout": "600"}, None, 298.0, None, 300.0),
        ({"x-stainless-runtime": "node", "x-stainless-timeout": "20"}, None, 19.6, None, 20.0),
        ({"x-stainless-runtime": "CPython"}, None, None, None, None),
        ({}, 30.0, 29.4, 29.4, None),
        ({"x-farmhand-deadline-ms": "10000"}, None, 9.8, 9.8, None),
        ({"x-farmhand-deadline-ms": "10000"}, 30.0, 9.8, 9.8, None),
        ({"x-farmhand-deadline-ms": "90000"}, 30.0, 29.4, 29.4, None),
        ({"x-farmhand-deadline-ms": "100"}, None, 0.05, 0.05, None),
        ({"x-stainless-read-timeout": " 7.5 "}, None, 7.35, None, 7.5),
    ],
)
def test_patience(
    headers: dict[str, str], key_s: float | None, plain: float | None, stream: float | None, silence: float | None
) -> None:
    setting = None if key_s is None else key(key_s)
    for streamed, expected in ((False, plain), (True, stream)):
        deadline_s, silence_s, _ = patience(headers, stream=streamed, now_s=1_000.0, key=setting)
        assert deadline_s == (None if expected is None else pytest.approx(1_000.0 + expected))
        assert silence_s == silence


@pytest.mark.parametrize(
    "value",
    ["", "None", "nan", "inf", "-5", "0", "0.0", "1e3", "1_000", "10s", "600;600", "٣٠", "1" * 400, "99999999999", "+3", ".5", "\x00"],
)
@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout", "x-farmhand-deadline-ms"])
def test_a_hint_that_makes_no_sense_says_nothing(name: str, value: str) -> None:
    assert patience({name: value}, stream=False, now_s=0.0, key=None) == (None, None, OnDeadline.REFUSE)


def test_every_recorded_header_is_read() -> None:
    """Python's SDKs 598 s for a plain answer; the JS SDKs on Node 298 s, with or without a time-out of their own."""
    seen: dict[tuple[bool, bool], set[float | None]] = {}
    for path in RECORDED.glob("*/*.json"):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        headers = CIMultiDict((name, value) for name, value in recorded["headers"])
        python, node = headers.get("x-stainless-lang") == "python", headers.get("x-stainless-runtime") == "node"
        deadline_s, _, _ = patience(headers, stream=False, now_s=0.0, key=None)
        seen.setdefault((python, node), set()).add(deadline_s)
    # `None`: LangChain sends no such header.
    assert seen == {(True, False): {598.0, None}, (False, True): {298.0}, (False, False): {None}}


def test_names_in_any_case_as_aiohttp_has_them() -> None:
    headers = CIMultiDict({"X-Farmhand-Deadline-Ms": "10000", "X-Stainless-Read-Timeout": "60"})
    deadline_s, silence_s, _ = patience(headers, stream=True, now_s=0.0, key=None)
    assert deadline_s == pytest.approx(9.8)
    assert silence_s == 60.0


def test_caller_of() -> None:
    caller = caller_of(
        {"x-stainless-read-timeout": "600"},
        key_name="pitwall",
        key=key(30.0, OnDeadline.PARTIAL),
        stream=True,
        urgency=Urgency.BACKGROUND,
        now_s=100.0,
        hops=("a", "b"),
    )
    assert caller == Caller("pitwall", Urgency.BACKGROUND, 129.4, OnDeadline.PARTIAL, 600.0, ("a", "b"))
    assert caller_of({}, key_name="", key=None, stream=False, urgency=Urgency.INTERACTIVE, now_s=0.0) == Caller()


@pytest.mark.parametrize(
    ("queued", "headers"),
    [
        (Queued(0, 0, 0.0), {"X-Queue-Position": "0", "X-Queue-Depth": "0", "X-Estimated-Wait-Ms": "0"}),
        (Queued(3, 4, 12.3456), {"X-Queue-Position": "3", "X-Queue-Depth": "4", "X-Estimated-Wait-Ms": "12346"}),
        (Queued(1, 1, None), {"X-Queue-Position": "1", "X-Queue-Depth": "1"}),
    ],
)
def test_headers_of_a_queued_request(queued: Queued, headers: dict[str, str]) -> None:
    assert queue_headers(queued) == headers
