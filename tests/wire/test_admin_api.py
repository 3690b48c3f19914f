"""`/admin/pressure` and `/admin/state` over the wire: who is told, what clients get meanwhile, and news for the supervisor."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from adapter.chat import Finished, FinishReason, Started, TextDelta, Usage
from adapter.engines.base import Pressure
from adapter.errors import EngineUnavailable
from adapter.server.state import METER
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine
from tests.wire.localllm_cases import until
from tests.wire.raw import ask, request
from tests.wire.safe_form import check_error
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

HOT = "The battery is at 45 degrees C."
FINE = (Started(), TextDelta("Fine."), END)


async def post(adapter: RunningAdapter, path: str, **body: Any) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    async with adapter.session.post(path, json=body) as response:
        return response.status, await response.json(), response.headers


async def press(adapter: RunningAdapter, level: str, **more: Any) -> list[str]:
    status, body, _ = await post(adapter, "/admin/pressure", level=level, **more)
    assert (status, body["level"]) == (200, level)
    return list(body["engines"])


async def state(adapter: RunningAdapter, **query: Any) -> dict[str, Any]:
    async with adapter.session.get("/admin/state", params={k: str(v) for k, v in query.items()}) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def chat(adapter: RunningAdapter, model: str = "auto", *, stream: bool = False) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, body (of a stream its text), headers."""
    asked = {"model": model, "messages": [{"role": "user", "content": "Go."}], "stream": stream}
    async with adapter.session.post("/v1/chat/completions", json=asked) as response:
        data = await response.text()
        is_json = response.content_type == "application/json"
        return response.status, json.loads(data) if is_json else {"text": data}, response.headers


class OneSeat(CapableEngine):
    """Serves one at a time, or two where the phone lets it."""

    @property
    def capacity(self) -> int:
        return 2 if self.levels and self.levels[-1] is Pressure.SERVE else 1

    async def settled(self) -> None: ...


# --- who is told ----------------------------------------------------------------------------------------------------


async def test_pressure_goes_to_every_engine_that_burns_the_battery() -> None:
    engines = [CapableEngine("one"), ScriptedEngine("app"), CapableEngine("two")]
    async with running_adapter(engines=engines) as adapter:
        for level in Pressure:
            status, body, _ = await post(adapter, "/admin/pressure", level=str(level))
            assert (status, body) == (200, {"level": str(level), "engines": ["one", "two"]})
        await press(adapter, "pause", reason=HOT, retry_after_s=120, for_s=600)
    told = [engine for engine in engines if isinstance(engine, CapableEngine)]
    assert [engine.levels for engine in told] == [[*Pressure, Pressure.PAUSE]] * 2
    assert [engine.reasons[-2:] for engine in told] == [[("", None), (HOT, 120)]] * 2


async def test_an_engine_elsewhere_is_not_told() -> None:
    class Elsewhere(CapableEngine):
        on_this_phone = False

    class Here(CapableEngine):
        on_this_phone = True

    async with running_adapter(engines=[Elsewhere("far"), Here("near")]) as adapter:
        assert await press(adapter, "pause") == ["near"]


async def test_one_engine_that_fails_keeps_no_other_from_being_told() -> None:
    one, two = CapableEngine("one"), CapableEngine("two")
    one.failure = EngineUnavailable("It is just stopping.")
    async with running_adapter(engines=[one, two]) as adapter:
        status, body, _ = await post(adapter, "/admin/pressure", level="pause")
        assert (await state(adapter))["pressure"]["level"] == "pause"
    check_error(body)
    assert (status, two.levels) == (503, [Pressure.PAUSE])


async def test_pressure_wants_the_key_a_level_and_no_unknown_field() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        assert (await ask(adapter, request(path="/admin/pressure", Authorization=""))).status == 401
        assert (await ask(adapter, request("GET", path="/admin/state", Authorization=""))).status == 401
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"level": "hot"}, "level"),
            ({"level": "slow", "why": "x"}, "why"),
            ({"level": "slow", "for_s": 0}, "for_s"),
        ]
        for body, param in wrong:
            status, answer, _ = await post(adapter, "/admin/pressure", **body)
            check_error(answer)
            assert (status, answer["error"]["param"]) == (400, param)
        assert (await post(adapter, "/v1/admin/pressure", level="slow"))[0] == 404
        async with adapter.session.get("/admin/state?wait_s=soon") as response:
            assert (response.status, (await response.json())["error"]["param"]) == (400, "wait_s")
    assert engine.levels == []


# --- what clients get -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_who_waits_is_told_why_and_who_runs_goes_on(stream: bool) -> None:
    engine = OneSeat("one")
    async with running_adapter(engines=[engine]) as adapter:
        running = asyncio.create_task(chat(adapter, stream=stream))
        call = await engine.next_call()
        call.start()
        waiting = [asyncio.create_task(chat(adapter, stream=stream)) for _ in range(3)]
        while (await state(adapter))["waiting"] != 3:
            pass  # a request each time
        await press(adapter, "pause", reason=HOT, retry_after_s=120)
        for status, body, headers in [*await asyncio.gather(*waiting), await chat(adapter, stream=stream)]:
            check_error(body)
            assert (status, headers["Retry-After"]) == (503, "120")
            assert body["error"]["message"] == f"Farmhand is paused: {HOT} Answers under way go on; try again in 120 s."
        call.say("Fine.")
        call.finish()
        assert (await running)[0] == 200
        await press(adapter, "serve")
        again = asyncio.create_task(chat(adapter, stream=stream))
        (await engine.next_call()).do(*FINE)
        assert (await again)[0] == 200


@pytest.mark.parametrize("model", ["auto", "both", "m"])
@pytest.mark.parametrize("waits", [True, False])
async def test_another_machine_stands_in(model: str, waits: bool) -> None:
    """For who comes during the pause, and for who was in the queue when it came; by a route, by `auto`, by the model's name."""
    phone, laptop = OneSeat("phone"), ScriptedEngine("laptop", FINE)
    routes = {"both": ("phone/m", "laptop/m")}
    async with running_adapter(engines=[phone, laptop], routes=routes) as adapter:
        running = asyncio.create_task(chat(adapter, model))
        call = await phone.next_call()
        early = [asyncio.create_task(chat(adapter, model))] if waits else []
        while (await state(adapter))["waiting"] != len(early):
            pass
        assert await press(adapter, "pause", reason=HOT) == ["phone"]
        status, body, headers = await (early[0] if early else chat(adapter, model))
        assert (status, body["choices"][0]["message"]["content"], headers["X-Farmhand-Engine"]) == (200, "Fine.", "laptop")
        call.do(*FINE)
        assert (await running)[2]["X-Farmhand-Engine"] == "phone"


async def test_seats_follow_the_pressure() -> None:
    engine = OneSeat("one")
    async with running_adapter(engines=[engine]) as adapter:
        tasks = [asyncio.create_task(chat(adapter)) for _ in range(2)]
        first = await engine.next_call()
        await press(adapter, "serve")
        second = await engine.next_call()  # there is another seat now
        await press(adapter, "slow")
        tasks.append(asyncio.create_task(chat(adapter)))
        while (await state(adapter))["waiting"] != 1:
            pass
        first.do(*FINE)
        await tasks[0]
        assert (await state(adapter))["waiting"] == 1
        second.do(*FINE)
        (await engine.next_call()).do(*FINE)
        assert [status for status, _, _ in await asyncio.gather(*tasks)] == [200] * 3


async def test_a_pause_that_nobody_renews_lapses() -> None:
    engine = OneSeat("one", FINE)
    async with running_adapter(engines=[engine]) as adapter:
        await press(adapter, "unload", reason=HOT, for_s=1)
        before = await state(adapter)
        assert before["pressure"]["level"] == "unload"
        assert 0 < before["pressure"]["lapses_in_s"] <= 1
        assert (await chat(adapter))[0] == 503
        after = before = await state(adapter)
        while after["pressure"]["level"] == "unload":
            before, after = after, await state(adapter, since=after["version"], wait_s=10)
        assert after["version"] != before["version"]
        assert after["pressure"] == {"level": "serve", "reason": "", "lapses_in_s": None}
        assert (await chat(adapter))[0] == 200
    assert engine.levels == [Pressure.UNLOAD, Pressure.SERVE]


async def test_a_renewed_pause_holds_and_is_no_news() -> None:
    async with running_adapter(engines=[OneSeat("one")]) as adapter:
        await press(adapter, "pause", reason=HOT, for_s=1)
        version = (await state(adapter))["version"]
        for _ in range(3):
            await press(adapter, "pause", reason=HOT, for_s=3_600)
        now = await state(adapter, since=version, wait_s=1.2)  # the first one would have lapsed by then
        assert (now["version"], now["pressure"]["level"]) == (version, "pause")
        assert now["pressure"]["lapses_in_s"] > 3_000
        await press(adapter, "pause", reason="The battery is nearly empty.")
        now = await state(adapter)
        assert now["version"] != version
        assert now["pressure"] == {"level": "pause", "reason": "The battery is nearly empty.", "lapses_in_s": None}


async def test_whoever_hangs_up_has_said_it_all_the_same() -> None:
    """A supervisor that stops while a model is being unloaded: half a pause would be none."""

    class Slow(OneSeat):
        begun, go = asyncio.Event(), asyncio.Event()

        async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
            self.begun.set()
            await self.go.wait()
            await super().pressure(level, reason=reason, retry_after_s=retry_after_s)

    engine = Slow()
    async with running_adapter(engines=[engine]) as adapter:
        told = asyncio.create_task(press(adapter, "unload"))
        async with asyncio.timeout(10):
            await engine.begun.wait()
        assert (await chat(adapter))[0] == 503, "while its model is being unloaded nobody gets a seat any more"
        told.cancel()
        await asyncio.gather(told, return_exceptions=True)
        following = asyncio.create_task(press(adapter, "serve"))
        engine.go.set()
        assert await following == ["capable"]
    assert engine.levels == [Pressure.UNLOAD, Pressure.SERVE]


# --- ready ------------------------------------------------------------------------------------------------------------


async def test_a_paused_phone_is_ready_and_says_that_it_is_paused() -> None:
    """Its supervisor must not take a pause of its own for an adapter that does not come up."""
    async with running_adapter() as adapter:  # the echo engine, which is not ready by itself while it is paused
        await press(adapter, "pause", reason=HOT, for_s=600)
        async with adapter.session.get("/ready") as response:
            body = await response.json()
        assert (response.status, body["status"]) == (200, "ready")
        pressure = body["pressure"]
        assert (pressure["level"], pressure["reason"]) == ("pause", HOT)
        assert 590 < pressure["lapses_in_s"] <= 600 and 0 <= pressure["held_s"] < 10
        assert (body["engines"]["echo"]["ready"], HOT in body["engines"]["echo"]["detail"]) == (False, True)
        bare = await ask(adapter, request("GET", "/ready", Authorization=""))
        assert (bare.status, json.loads(bare.body)) == (200, {"status": "ready"})


async def test_a_pause_makes_nothing_ready_that_is_not_on_this_phone() -> None:
    engine = ScriptedEngine("laptop")
    engine.health_now = type(engine.health_now)(False, "It is off.")
    async with running_adapter(engines=[engine]) as adapter:
        await press(adapter, "pause")
        async with adapter.session.get("/ready") as response:
            assert (response.status, (await response.json())["status"]) == (503, "not ready")


# --- state ------------------------------------------------------------------------------------------------------------


async def test_the_state_before_during_and_after_a_request() -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine]) as adapter:
        first = await state(adapter)
        assert {k: first[k] for k in ("running", "waiting", "idle_s", "requests", "speeds")} == {
            "running": 0, "waiting": 0, "idle_s": None, "requests": 0, "speeds": [],
        }  # fmt: skip
        assert first["pressure"] == {"level": "serve", "reason": "", "lapses_in_s": None}
        pollers = [asyncio.create_task(state(adapter, since=first["version"], wait_s=60)) for _ in range(20)]
        asked = asyncio.create_task(chat(adapter))
        call = await engine.next_call()
        for busy in await asyncio.gather(*pollers):
            assert (busy["running"], busy["idle_s"], busy["requests"]) == (1, 0.0, 1)
            assert busy["version"] != first["version"]
        until_idle = asyncio.create_task(state(adapter, since=busy["version"], wait_s=60))
        call.do(*FINE)
        await asked
        idle = await until_idle
        assert (idle["running"], idle["waiting"], idle["requests"]) == (0, 0, 1)
        assert 0 <= idle["idle_s"] < 5
        began_s = time.monotonic()
        same = await state(adapter, since=idle["version"], wait_s=0.3)
        assert same["version"] == idle["version"] and time.monotonic() - began_s >= 0.3


async def test_refused_requests_keep_nobody_awake() -> None:
    """A wrong key, a malformed body and an unknown model are no work for the phone."""
    async with running_adapter() as adapter:
        version = (await state(adapter))["version"]
        assert (await ask(adapter, request(path="/v1/chat/completions", Authorization="Bearer nonsense"))).status == 401
        assert (await post(adapter, "/v1/chat/completions", model="echo"))[0] == 400
        assert (await chat(adapter, "nobody-has-this"))[0] == 404
        now = await state(adapter)
    assert (now["version"], now["requests"], now["idle_s"]) == (version, 0, None)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions"])
async def test_embeddings_and_completions_are_work(path: str) -> None:
    engine = CapableEngine()
    engine.holding.clear()
    async with running_adapter(engines=[engine]) as adapter:
        version = (await state(adapter))["version"]
        body = {"model": "vectors", "input": "one"} if path.endswith("embeddings") else {"model": "m", "prompt": "Once"}
        asked = asyncio.create_task(post(adapter, path, **body))
        busy = await state(adapter, since=version, wait_s=10)
        assert (busy["running"], busy["waiting"]) == (1, 0)
        engine.holding.set()
        if not path.endswith("embeddings"):
            (await engine.next_call()).do(*FINE)
        assert (await asked)[0] == 200
        assert (await state(adapter, since=busy["version"], wait_s=10))["running"] == 0


async def test_who_leaves_while_waiting_is_forgotten() -> None:
    async with running_adapter() as adapter:
        version = (await state(adapter))["version"]
        poller = asyncio.create_task(state(adapter, since=version, wait_s=60))
        meter = adapter.app[METER]
        await until(lambda: len(meter._waiting) == 1)
        poller.cancel()
        await until(lambda: not meter._waiting)


async def test_pollers_do_not_delay_the_stop() -> None:
    async with running_adapter() as adapter:
        version = (await state(adapter))["version"]
        pollers = [asyncio.create_task(state(adapter, since=version, wait_s=60)) for _ in range(5)]
        meter = adapter.app[METER]
        await until(lambda: len(meter._waiting) == 5)
        began_s = time.monotonic()
        await adapter.runner.cleanup()
        assert time.monotonic() - began_s < 0.8, "the runner's own limit for handlers is 1 s here"
        assert [(await poller)["version"] for poller in pollers] == [version] * 5


# --- speeds -------------------------------------------------------------------------------------------------------------


async def answered(adapter: RunningAdapter, engine: ScriptedEngine, *, took_s: float, tokens: int, stream: bool) -> None:
    asked = asyncio.create_task(chat(adapter, stream=stream))
    call = await engine.next_call()
    call.do(Started(), TextDelta("a"))
    await asyncio.sleep(took_s)
    call.do(TextDelta("b"), Finished(FinishReason.STOP, Usage(3, tokens)))
    assert (await asked)[0] == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_speeds_of_engines_on_this_phone(stream: bool) -> None:
    """Measured where the words come from: a plain answer has them all at its end."""
    engine, elsewhere = CapableEngine("demo"), ScriptedEngine("laptop")
    async with running_adapter(engines=[engine, elsewhere]) as adapter:
        await answered(adapter, engine, took_s=0.3, tokens=31, stream=stream)
        (speed,) = (await state(adapter))["speeds"]
        assert (speed["engine"], speed["model"]) == ("demo", "m")
        assert 50 < speed["tokens_s"] <= 100 and speed["usual_tokens_s"] == speed["tokens_s"]
        await press(adapter, "slow")
        await answered(adapter, engine, took_s=0.15, tokens=1_000, stream=stream)
        assert (await state(adapter))["speeds"] == [speed], "at another pace, which says nothing of the phone"


async def test_speeds_of_other_machines_are_none() -> None:
    laptop = ScriptedEngine("laptop")
    async with running_adapter(engines=[laptop]) as adapter:
        await answered(adapter, laptop, took_s=0.15, tokens=100, stream=True)
        assert (await state(adapter))["speeds"] == []


async def test_two_at_a_time_are_slower_each_and_say_nothing() -> None:
    engine = OneSeat("demo")
    async with running_adapter(engines=[engine]) as adapter:
        await press(adapter, "serve")
        tasks = [asyncio.create_task(chat(adapter)) for _ in range(2)]
        calls = [await engine.next_call(), await engine.next_call()]
        for call in calls:
            call.do(Started(), TextDelta("a"))
        await asyncio.sleep(0.15)
        for call in calls:
            call.do(TextDelta("b"), Finished(FinishReason.STOP, Usage(3, 100)))
        await asyncio.gather(*tasks)
        assert (await state(adapter))["speeds"] == []


async def test_somebody_who_came_and_went_in_between_counts_as_well() -> None:
    engine = OneSeat("demo")
    async with running_adapter(engines=[engine]) as adapter:
        await press(adapter, "serve")
        long = asyncio.create_task(chat(adapter, stream=True))
        call = await engine.next_call()
        call.do(Started(), TextDelta("a"))
        await until(lambda: call.said == 2)
        short = asyncio.create_task(chat(adapter))
        (await engine.next_call()).do(*FINE)
        await short
        await asyncio.sleep(0.15)
        call.do(TextDelta("b"), Finished(FinishReason.STOP, Usage(3, 100)))
        await long
        assert (await state(adapter))["speeds"] == []
