"""`adapter.queueing.gate` under load, in virtual time: Pitwall's burst, a noisy key beside a quiet one, and chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from adapter.caller import ANYBODY, Caller, Urgency
from adapter.errors import DeadlineMissed, QueueFull
from adapter.queueing.gate import Gate
from adapter.queueing.place import Place
from tests.unit.queueing_time import now_s, run


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one request. waited_s: until it was served or told. retry_s: what it was told."""

    end: str
    came_s: float
    waited_s: float
    done_s: float
    retry_s: int | None = None


async def one(gate: Gate, caller: Caller, service_s: float) -> Story:
    """A request as the dispatcher makes it: enter, wait, be served (cut at the deadline), leave."""
    came_s = now_s()
    place: Place | None = None
    try:
        place = gate.enter(caller)
        await place.wait()
    except (QueueFull, DeadlineMissed) as exc:
        end = "full" if type(exc) is QueueFull else "told at once" if place is None else "told while waiting"
        return Story(end, came_s, now_s() - came_s, now_s(), exc.retry_after_s)
    served_s = now_s()
    left_s = None if caller.deadline_s is None else caller.deadline_s - served_s
    complete = left_s is None or service_s <= left_s
    await asyncio.sleep(service_s if left_s is None or complete else left_s)
    if complete:
        place.learned(now_s() - served_s)
    place.leave()
    return Story("answered" if complete else "cut", came_s, served_s - came_s, now_s())


def burst(
    count: int, budget_s: float, service_s: Callable[[int], float], *, known_s: float | None, capacity: int = 1
) -> list[Story]:
    """`count` requests of one key at once. known_s: the mean from before, if there was a before."""

    async def main() -> list[Story]:
        gate = Gate(engine="localllm", capacity=capacity, queue=16, now_s=now_s)
        if known_s is not None:
            place = gate.enter(ANYBODY)
            place.learned(known_s)
            place.leave()
        caller = Caller(key="pitwall", deadline_s=now_s() + budget_s)
        stories = await asyncio.gather(*(one(gate, caller, service_s(number)) for number in range(count)))
        state = gate.snapshot()
        assert (state.running, state.waiting_interactive, state.waiting_background) == (0, 0, 0)
        return stories

    return run(main())


def ends(stories: list[Story]) -> dict[str, int]:
    return {end: sum(s.end == end for s in stories) for end in sorted({s.end for s in stories})}


def test_pitwalls_burst_on_a_warm_engine() -> None:
    """10 at once, 45 s, 10 s each, one seat: four fit; the others know it at once, and when to come back."""
    stories = burst(10, 45.0, lambda _: 10.0, known_s=10.0)
    assert ends(stories) == {"answered": 4, "told at once": 6}
    assert [s.done_s for s in stories if s.end == "answered"] == [10.0, 20.0, 30.0, 40.0]
    assert {s.retry_s for s in stories if s.end != "answered"} == {5}


def test_pitwalls_burst_on_an_engine_nobody_knows_yet() -> None:
    """The first answer shows how long they take; whoever cannot make it hears so then, 35 s before its budget is over."""
    stories = burst(10, 45.0, lambda _: 10.0, known_s=None)
    assert ends(stories) == {"answered": 4, "told while waiting": 6}
    assert {s.waited_s for s in stories if s.end != "answered"} == {10.0}


def test_pitwalls_warm_path_of_thirty_seconds() -> None:
    assert ends(burst(10, 30.0, lambda _: 10.0, known_s=10.0)) == {"answered": 3, "told at once": 7}
    assert ends(burst(10, 29.4, lambda _: 10.0, known_s=10.0)) == {"answered": 2, "told at once": 8}


def test_more_seats() -> None:
    assert ends(burst(10, 45.0, lambda _: 10.0, known_s=10.0, capacity=4)) == {"answered": 10}


def test_a_retry_when_told_fits() -> None:
    """Whoever comes back after its `Retry-After`, with its patience anew, is answered in time."""

    async def main() -> None:
        gate = Gate(engine="localllm", capacity=1, queue=16, now_s=now_s)
        first = gate.enter(ANYBODY)
        first.learned(10.0)
        first.leave()

        async def patient() -> Story:
            while True:
                story = await one(gate, Caller(key="k", deadline_s=now_s() + 25.0), 10.0)
                if story.end == "answered":
                    return story
                assert story.retry_s is not None
                tries.append(story.end)
                await asyncio.sleep(story.retry_s)

        tries: list[str] = []
        stories = await asyncio.gather(*(patient() for _ in range(10)))
        assert sorted(s.done_s for s in stories) == [10.0 * n for n in range(1, 11)]  # and the seat is never empty
        assert len(tries) < 80

    run(main())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("known_s", [None, 10.0])
def test_with_answers_of_any_length_nobody_waits_in_vain_beyond_its_budget(seed: int, known_s: float | None) -> None:
    rng = random.Random(seed)
    lengths = [rng.uniform(2.0, 25.0) for _ in range(10)]
    stories = burst(10, 45.0, lengths.__getitem__, known_s=known_s)
    assert all(s.done_s <= 45.0 for s in stories)
    assert all(s.waited_s < 45.0 for s in stories if s.end != "answered")
    assert ends(stories).get("cut", 0) <= 1  # an estimate is one: the last to be served may turn out too long
    assert ends(stories)["answered"] >= 1


def noisy_and_quiet(quiet_s: list[float], *, queue: int) -> tuple[list[Story], list[Story]]:
    """One key with 51 requests at once; another with one at each of `quiet_s`. Answers of 10 s, one seat."""

    async def main() -> tuple[list[Story], list[Story]]:
        gate = Gate(engine="app", capacity=1, queue=queue, now_s=now_s)

        async def later(at_s: float) -> Story:
            await asyncio.sleep(at_s)
            return await one(gate, Caller(key="quiet"), 10.0)

        noisy = [asyncio.ensure_future(one(gate, Caller(key="noisy"), 10.0)) for _ in range(51)]
        quiet = [asyncio.ensure_future(later(at_s)) for at_s in quiet_s]
        return await asyncio.gather(*noisy), await asyncio.gather(*quiet)

    return run(main())


@pytest.mark.parametrize("queue", [16, 80])
@pytest.mark.parametrize("at_s", [0.0, 3.0, 55.0, 119.0])
def test_a_quiet_key_beside_a_noisy_one_waits_for_one_answer_at_most(queue: int, at_s: float) -> None:
    noisy, quiet = noisy_and_quiet([at_s], queue=queue)
    assert quiet[0].end == "answered"
    assert quiet[0].waited_s <= 10.0
    assert ends(noisy) == ({"answered": 51} if queue == 80 else {"answered": 13, "full": 38})


def test_a_quiet_key_that_comes_again_and_again_waits_no_longer() -> None:
    noisy, quiet = noisy_and_quiet([5.0 + 40.0 * n for n in range(10)], queue=80)
    assert [s.waited_s for s in quiet] == [5.0] * 10
    assert ends(noisy) == {"answered": 51}


def test_background_waits_for_persons_and_does_not_starve() -> None:
    """A title request while two persons always have something waiting: its turn comes after a minute, and not before."""

    async def main() -> None:
        gate = Gate(engine="app", capacity=1, queue=16, now_s=now_s)

        async def person(key: str) -> None:
            for _ in range(15):
                await one(gate, Caller(key=key), 10.0)

        title = asyncio.ensure_future(one(gate, Caller(key="a", urgency=Urgency.BACKGROUND), 10.0))
        await asyncio.sleep(0)
        again = asyncio.ensure_future(one(gate, Caller(key="a", urgency=Urgency.BACKGROUND), 10.0))
        await asyncio.gather(*(person(key) for key in "aabb"))
        assert (await title).waited_s == 0.0  # nobody else was there
        assert 60.0 < (await again).waited_s <= 80.0

    run(main())


STEPS = 10_000


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_seats_and_places_are_kept(seed: int) -> None:
    """10,000 steps of entering, leaving, cancelling, settling and time passing."""
    rng = random.Random(seed)
    capacity, queue = rng.choice([1, 2, 4]), rng.choice([0, 1, 3, 16])
    seen = {"seated": 0, "most": 0, "refused": 0, "given up": 0}

    async def settle() -> None:
        await asyncio.sleep(rng.choice([0.0, 0.5, 3.0]))
        if rng.random() < 0.2:
            raise RuntimeError("not settled")

    async def guest(gate: Gate) -> None:
        deadline_s = now_s() + rng.uniform(0.0, 30.0) if rng.random() < 0.6 else None
        caller = Caller(rng.choice("aaabc"), rng.choice(list(Urgency)), deadline_s)
        place: Place | None = None
        try:
            place = gate.enter(caller, expected_s=rng.choice([None, 0.0, 5.0]))
            await place.wait()
            assert deadline_s is None or now_s() < deadline_s
            seen["seated"] += 1
            seen["most"] = max(seen["most"], gate.snapshot().running)
            assert gate.snapshot().running <= capacity
            await asyncio.sleep(rng.expovariate(1 / 3.0))
            if rng.random() < 0.8:
                place.learned(rng.uniform(0.0, 6.0))
        except QueueFull:
            seen["refused"] += 1
            assert deadline_s is None or now_s() <= deadline_s
        except asyncio.CancelledError:
            seen["given up"] += 1
        finally:
            if place is not None:
                place.leave(after=settle() if rng.random() < 0.3 else None)
                if rng.random() < 0.3:
                    place.leave()

    async def main() -> None:
        gate = Gate(engine="app", capacity=capacity, queue=queue, now_s=now_s)
        guests: list[asyncio.Task[None]] = []
        for _ in range(STEPS):
            what = rng.random()
            if what < 0.45:
                guests.append(asyncio.ensure_future(guest(gate)))
            elif what < 0.6 and guests:
                rng.choice(guests).cancel()
            elif what < 0.8:
                await asyncio.sleep(rng.uniform(0.0, 3.0))
            else:
                await asyncio.sleep(0)
            state = gate.snapshot()
            waiting = state.waiting_interactive + state.waiting_background
            assert state.running <= capacity
            assert waiting <= queue
            assert not waiting or state.running == capacity  # nobody waits beside a free seat
            for gone in [g for g in guests if g.done()]:
                guests.remove(gone)
                assert gone.cancelled() or gone.exception() is None
        results = await asyncio.gather(*guests, return_exceptions=True)
        assert all(r is None or isinstance(r, asyncio.CancelledError) for r in results)
        await asyncio.sleep(10.0)
        state = gate.snapshot()
        assert (state.running, state.waiting_interactive, state.waiting_background) == (0, 0, 0)
        assert state.oldest_wait_s is None

    run(main())
    assert seen["most"] == capacity
    assert min(seen.values()) > 0
    assert seen["seated"] > 200
