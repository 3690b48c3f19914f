"""`GET /metrics`, read with the library's own parser."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.breaker import BreakerState
from adapter.chat import Finished, FinishReason, Started, TextDelta, Usage
from adapter.engines.base import Pressure
from adapter.errors import EngineFailed
from adapter.meter_counts import Counts
from adapter.meter_metrics import Snapshot, render_metrics
from adapter.meter_speeds import Speed
from adapter.queueing.gate import GateState
from tests.fakes.scripted_engine import CapableEngine, ScriptedEngine
from tests.wire.raw import ask, request
from tests.wire.server import RunningAdapter, running_adapter

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]
FINE = (Started(), TextDelta("Fine."), Finished(FinishReason.STOP, Usage(7, 5, cached_tokens=4)))


def parsed(text: str) -> Found:
    """Samples by name and labels; none twice."""
    samples = [
        ((s.name, frozenset(s.labels.items())), float(s.value))
        for family in text_string_to_metric_families(text)
        for s in family.samples
    ]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def value(found: Found, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


async def scrape(adapter: RunningAdapter) -> Found:
    async with adapter.session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parsed(await response.text())


async def chat(adapter: RunningAdapter, path: str = "/v1/chat/completions", **more: Any) -> int:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Go."}], **more}
    async with adapter.session.post(path, json=body) as response:
        await response.read()
        return response.status


class OneSeat(CapableEngine):
    capacity = 1

    async def settled(self) -> None: ...


@pytest.mark.usefixtures("never_blocking")
async def test_what_was_done_is_there() -> None:
    engine = OneSeat("demo", FINE)
    async with running_adapter(engines=[engine]) as adapter:
        for stream in (False, True):
            assert await chat(adapter, stream=stream) == 200
        assert await chat(adapter, "/chat/completions", messages=5) == 400
        assert await chat(adapter, model="nobody/has-this-one") == 404
        for n in range(3):
            await ask(adapter, request("GET", f"/wp-login-{n}.php"))
        async with adapter.session.post("/admin/pressure", json={"level": "pause"}):
            pass
        assert await chat(adapter) == 503
        await scrape(adapter)
        found = await scrape(adapter)
    requests = {
        tuple(sorted(labels)): number for (name, labels), number in found.items() if name == "farmhand_requests_total"
    }
    done = "/chat/completions"
    assert requests == {
        (("engine", "demo"), ("path", done), ("status", "200")): 2,
        (("engine", ""), ("path", done), ("status", "400")): 1,
        (("engine", ""), ("path", done), ("status", "404")): 1,
        (("engine", ""), ("path", done), ("status", "503")): 1,  # refused before it was anybody's
        (("engine", ""), ("path", "other"), ("status", "404")): 3,
        (("engine", ""), ("path", "/admin/pressure"), ("status", "200")): 1,
        (("engine", ""), ("path", "/metrics"), ("status", "200")): 1,
    }
    tokens = {kind: value(found, "farmhand_tokens_total", engine="demo", model="m", kind=kind) for kind in ("prompt", "cached", "completion")}
    assert tokens == {"prompt": 14, "cached": 8, "completion": 10}
    assert value(found, "farmhand_first_token_seconds_count", engine="demo") == 2
    assert value(found, "farmhand_first_token_seconds_bucket", engine="demo", le="+Inf") == 2
    assert value(found, "farmhand_request_seconds_count", path=done) == 5
    assert value(found, "farmhand_queue_capacity", engine="demo") == 1
    assert value(found, "farmhand_queue_running", engine="demo") == 0
    assert value(found, "farmhand_queue_served_total", engine="demo") == 2
    assert value(found, "farmhand_queue_refused_total", engine="demo") == 1
    assert value(found, "farmhand_pressure_level") == 2
    assert value(found, "farmhand_pressure_transitions_total", level="pause") == 1
    assert value(found, "farmhand_pressure_transitions_total", level="unload") == 0
    assert (value(found, "farmhand_requests_running"), value(found, "farmhand_requests_waiting")) == (0, 0)
    assert 0 < (value(found, "farmhand_uptime_seconds") or 0) < 60


@pytest.mark.usefixtures("never_blocking")
async def test_what_goes_on_and_what_failed() -> None:
    engine = OneSeat("demo")
    router = {"allowed_fails": 0, "cooldown_time": 60, "retry_policy": {"InternalServerErrorRetries": 0}}
    async with running_adapter(engines=[engine], router=router) as adapter:
        asked = [asyncio.create_task(chat(adapter)) for _ in range(3)]
        call = await engine.next_call()
        while (found := await scrape(adapter))[("farmhand_requests_waiting", frozenset())] != 2:
            pass  # a request each time
        assert value(found, "farmhand_requests_running") == 1
        assert value(found, "farmhand_queue_running", engine="demo") == 1
        assert value(found, "farmhand_queue_waiting", engine="demo", **{"class": "interactive"}) == 2
        call.fail(EngineFailed("dead"))
        for _ in asked[1:]:
            (await engine.next_call()).do(*FINE)
        assert sorted(await asyncio.gather(*asked)) == [200, 200, 500]
        failing = asyncio.create_task(chat(adapter))
        (await engine.next_call()).fail(EngineFailed("dead"))
        assert await failing == 500
        assert value(await scrape(adapter), "farmhand_breaker_state", engine="demo", model="m") == 2


async def test_the_key_is_needed() -> None:
    async with running_adapter() as adapter:
        assert (await ask(adapter, request("GET", "/metrics", Authorization=""))).status == 401
        assert (await ask(adapter, request("POST", "/metrics"))).status == 405


async def test_scrapes_do_not_write_on_the_loop() -> None:
    """The library takes long to load on a phone, and tokens have to be delivered meanwhile."""
    threads: set[int] = set()

    class Watched(dict[tuple[str, int, str], int]):
        def items(self) -> Any:
            threads.add(threading.get_ident())
            return super().items()

    async with running_adapter() as adapter:
        from adapter.server.state import METER

        counts = adapter.app[METER].counts
        counted = counts.copied
        counts.copied = lambda: _with(counted(), Watched)  # type: ignore[method-assign]
        await scrape(adapter)
    assert threads and threading.get_ident() not in threads


def _with(counts: Counts, kind: type[dict[tuple[str, int, str], int]]) -> Counts:
    counts.requests = kind(counts.requests)
    return counts


def snapshot(**changes: Any) -> Snapshot:
    counts = Counts(lambda engine, model: model == "m")
    fields: dict[str, Any] = {
        "counts": counts, "queues": {}, "breakers": (), "level": Pressure.SERVE, "transitions": {},
        "speeds": (), "running": 0, "waiting": 0, "uptime_s": 1.5,
    }  # fmt: skip
    return Snapshot(**{**fields, **changes})


def test_nothing_yet_is_text_all_the_same() -> None:
    found = parsed(render_metrics(snapshot()).decode())
    assert value(found, "farmhand_pressure_level") == 0
    assert value(found, "farmhand_uptime_seconds") == 1.5


def test_buckets_are_cumulative_and_end_in_all() -> None:
    made = snapshot()
    for took_s in (0.005, 0.01, 0.3, 7.0, 1_000.0):
        made.counts.request("/v1/chat/completions", 200, "demo", took_s)
    found = parsed(render_metrics(made).decode())
    shown = {le: value(found, "farmhand_request_seconds_bucket", path="/chat/completions", le=le) for le in ("0.01", "0.5", "10.0", "300.0", "+Inf")}
    assert shown == {"0.01": 2, "0.5": 3, "10.0": 4, "300.0": 4, "+Inf": 5}
    assert value(found, "farmhand_request_seconds_sum", path="/chat/completions") == pytest.approx(1_007.315)


def test_names_that_clients_made_up_are_one_in_breakers_too() -> None:
    breakers = (
        BreakerState("demo", "open"),
        BreakerState("demo/m", "half_open"),
        BreakerState("demo/made up", "closed"),
        BreakerState("demo/other/one", "open"),
    )
    found = parsed(render_metrics(snapshot(breakers=breakers)).decode())
    shown = {model: value(found, "farmhand_breaker_state", engine="demo", model=model) for model in ("", "m", "other")}
    assert shown == {"": 2, "m": 1, "other": 2}


def test_speeds_queues_and_names_with_anything_in_them() -> None:
    nasty = 'a "quoted" \\ name\nwith a line'
    queue = GateState(4, 1, 2, 3, 40, 5, 1.5, 2.0)
    made = snapshot(speeds=(Speed("demo", nasty, 8.0, 11.0),), queues={"demo": queue}, transitions={Pressure.SLOW: 3})
    made.counts.answer("demo", "m", Usage(1, 2), 0.2)
    found = parsed(render_metrics(made).decode())
    assert value(found, "farmhand_tokens_per_second", engine="demo", model=nasty) == 8
    assert value(found, "farmhand_usual_tokens_per_second", engine="demo", model=nasty) == 11
    assert value(found, "farmhand_queue_waiting", engine="demo", **{"class": "background"}) == 3
    assert value(found, "farmhand_pressure_transitions_total", level="slow") == 3


def test_the_library_is_loaded_by_the_first_scrape_only() -> None:
    code = "import sys, adapter.server.app; print('prometheus_client' in sys.modules, 'adapter.meter_metrics' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]


async def test_the_librarys_registry_of_everything_is_left_alone() -> None:
    from prometheus_client import REGISTRY

    before = {family.name for family in REGISTRY.collect()}
    async with running_adapter(engines=[ScriptedEngine("demo", FINE)]) as adapter:
        await chat(adapter)
        found = await scrape(adapter)
    assert {family.name for family in REGISTRY.collect()} == before
    assert not any(name.startswith(("python_", "process_")) for name, _ in found)
