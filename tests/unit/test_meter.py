"""News for who waits for it, idleness, and which answers say something of the phone's speed. Time is virtual: see `queueing_time`."""

from __future__ import annotations

import asyncio

import pytest

from adapter.engines.base import Pressure
from adapter.meter import Meter
from tests.unit.queueing_time import now_s, run


def meter() -> Meter:
    return Meter(now_s=now_s, lists=lambda engine, model: True)


async def news_after(made: Meter, since: int | None, wait_s: float) -> float:
    """Seconds until there was news, or the waiting ended."""
    began_s = now_s()
    await made.news(since, wait_s)
    return now_s() - began_s


def test_who_knows_nothing_or_something_else_is_answered_at_once() -> None:
    async def main() -> None:
        made = meter()
        assert await news_after(made, None, 60) == 0
        assert await news_after(made, made.version - 1, 60) == 0
        assert await news_after(made, made.version + 1, 60) == 0
        assert await news_after(made, made.version, 0) == 0

    run(main())


def test_without_news_the_wait_is_one_timer() -> None:
    """Were there a wake-up in between, the loop would see its timers."""

    async def main() -> None:
        made = meter()
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(made.news(made.version, 60))
        await asyncio.sleep(0)
        assert [timer.when() for timer in loop._scheduled] == [60.0]  # type: ignore[attr-defined]
        await task
        assert now_s() == 60
        assert made._waiting == set()

    run(main())


def test_everybody_hears_of_busy_and_idle_and_nothing_in_between() -> None:
    async def main() -> None:
        made = meter()
        version = made.version
        waiting = [asyncio.create_task(news_after(made, version, 60)) for _ in range(50)]
        await asyncio.sleep(5)
        made.began()
        assert await asyncio.gather(*waiting) == [5.0] * 50
        busy = made.version
        assert busy != version
        made.began()
        made.began()
        assert (made.version, made.requests, made.idle_s) == (busy, 3, 0.0)
        until_rest = asyncio.create_task(news_after(made, busy, 60))
        await asyncio.sleep(7)
        made.rests()
        assert await until_rest == 7
        assert made.version not in (busy, version)
        await asyncio.sleep(3)
        assert made.idle_s == 3

    run(main())


def test_idle_is_nothing_before_the_first_request() -> None:
    async def main() -> None:
        assert meter().idle_s is None

    run(main())


def test_two_processes_hardly_begin_with_the_same_version() -> None:
    async def main() -> None:
        assert len({meter().version for _ in range(20)}) > 15

    run(main())


def test_who_leaves_is_forgotten() -> None:
    async def main() -> None:
        made = meter()
        task = asyncio.create_task(made.news(made.version, 60))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        made.began()
        assert made._waiting == set()

    run(main())


def test_stopping_lets_everybody_go_for_good() -> None:
    async def main() -> None:
        made = meter()
        version = made.version
        waiting = [asyncio.create_task(news_after(made, version, 60)) for _ in range(3)]
        await asyncio.sleep(2)
        made.stop()
        assert await asyncio.gather(*waiting) == [2.0] * 3
        assert await news_after(made, made.version, 60) == 0

    run(main())


def test_pressure_is_news_and_its_levels_are_counted() -> None:
    async def main() -> None:
        made = meter()
        versions = [made.version]
        for level in (Pressure.SLOW, Pressure.SLOW, Pressure.PAUSE, Pressure.SERVE, Pressure.SLOW):
            made.pressed(level)
            versions.append(made.version)
        assert len(set(versions)) == len(versions)
        assert made.transitions == {Pressure.SLOW: 2, Pressure.PAUSE: 1, Pressure.SERVE: 1}

    run(main())


def test_only_answers_at_full_power_are_compared() -> None:
    async def main() -> None:
        made = meter()

        async def answer(seconds: float, *levels: Pressure) -> float:
            """Of 101 tokens; the levels change in the middle. Returns what is known then."""
            first_s = now_s()
            await asyncio.sleep(seconds / 2)
            for level in levels:
                made.pressed(level)
            await asyncio.sleep(seconds / 2)
            made.paced("demo", "m", 101, first_s, now_s())
            speeds = made.speeds()
            return round(speeds[0].tokens_s, 2) if speeds else 0.0

        assert await answer(10) == 10
        assert await answer(50, Pressure.SLOW) == 10
        assert await answer(50) == 10, "at half the threads"
        assert await answer(50, Pressure.SERVE) == 10
        assert await answer(50, Pressure.PAUSE, Pressure.SERVE) == 10, "at full power again, but not all the time"
        assert await answer(20) == 8.5

    run(main())
