"""LocalLLM bears one request at a time, cannot be told to stop, and dies: every row of `protocols/localllm.md` 7.6 to 7.8, through the adapter.

The fake crashes when two requests overlap, as a phone was seen to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.fakes.localllm import AICORE_ID, FakeLocalLLM, Reply
from tests.wire.hazards import ONCE, PIECES, TEXT, Client, Seen, both, rescuer
from tests.wire.localllm_cases import CHAT_PATH, GEMMA, until
from tests.wire.localllm_hazards import Place, asked_both_ways, place

E4B = "gemma-4-e4b"
AICORE = f"phone/{AICORE_ID}"
NOISY, QUIET, HASTY = "sk-noisy-0123", "sk-quiet-0123", "sk-hasty-0123"
MANY = 12


def talker(**options: Any) -> FakeLocalLLM:
    """Says `TEXT`, so that a gap, a repeat or somebody else's words show."""
    return FakeLocalLLM(reply=Reply(PIECES), **{"deltas": "correct", **options})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def queued(at: Place, waiting: int) -> None:
    """Wait until so many wait in our queue."""
    async with asyncio.timeout(10):
        while (await at.ready())["queue"]["waiting"] != waiting:
            pass  # a request each time


async def left_alone(at: Place) -> None:
    """Wait until nobody has a seat or wants one."""
    async with asyncio.timeout(10):
        while (queue := (await at.ready())["queue"])["running"] or queue["waiting"]:
            pass


@asynccontextmanager
async def foreign(at: Place, text: str) -> AsyncIterator[asyncio.Task[int]]:
    """Somebody who uses the app behind our back, like its own chat tab."""

    async def ask() -> int:
        body = {"model": GEMMA, "messages": [{"role": "user", "content": text}]}
        async with aiohttp.ClientSession() as session:
            try:
                async with session.post(at.phone.url + CHAT_PATH, json=body) as response:
                    return response.status
            except aiohttp.ClientError:
                return 0

    task = asyncio.create_task(ask())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def one_after_the_other(log: Sequence[str]) -> bool:
    """Did each conversation begin only after the inference before it was over?"""
    running = 0
    for line in log:
        if line.startswith("conversation create") and running:
            return False
        running += line.startswith("inference start") - line.startswith("inference end")
    return running == 0


# --- 7.6 ------------------------------------------------------------------------------------------------------------------


@both
@asked_both_ways
async def test_7_6_the_hazard_twelve_at_once_and_no_crash(stream: bool, upstream: str) -> None:
    """7.6 hazard: "a native crash (SIGSEGV) of the whole app when a second request prepared its conversation while the first was streaming"."""
    async with place(FakeLocalLLM(deltas="correct", overlap="crash"), stream=upstream) as at:
        seen = await asyncio.gather(*(at.ask(f"answer number {n} please", stream=stream) for n in range(MANY)))
    assert [(one.whole, one.text) for one in seen] == [(True, f"answer number {n} please") for n in range(MANY)]
    assert at.unhurt and one_after_the_other(at.phone.log)


@both
async def test_7_6_mutex_all_models_together(stream: bool) -> None:
    """7.6 mutex: "one LiteRT inference at a time, all models together. AICore requests do not take it": for us they count all the same."""
    async with place(FakeLocalLLM(models=(GEMMA, E4B), overlap="crash")) as at:
        names = [f"phone/{GEMMA}", f"phone/{E4B}", AICORE] * 3
        seen = await asyncio.gather(*(at.ask(stream=stream, model=name) for name in names))
    assert all(one.whole for one in seen) and at.unhurt


@both
async def test_7_6_queue_of_eight_and_one_is_never_filled(stream: bool) -> None:
    """7.6 queue: "8 waiting + 1 running", a tenth gets 429. Ours is in front, so the app never has one waiting."""
    async with place(FakeLocalLLM(queue_depth=1, overlap="crash")) as at:
        seen = await asyncio.gather(*(at.ask(stream=stream) for _ in range(MANY)))
    assert [one.status for one in seen] == [200] * MANY and at.unhurt


@both
async def test_7_6_our_own_queue_has_an_end(stream: bool) -> None:
    """7.6 queue: with a full queue of ours, too, 429 at once, with `Retry-After` and the numbers."""
    async with place(queue=1) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        first = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()
        second = await stack.enter_async_context(at.client(stream=stream))
        await queued(at, 1)
        refused = await at.ask(stream=stream)
        gate.release()
        assert (await first.sees()).whole and (await second.sees()).whole
    assert refused.refused == (429, "queue_full") and int(refused.headers["Retry-After"]) >= 1
    assert len(at.chats) == 2


@both
async def test_7_6_headers_tell_the_place(stream: bool) -> None:
    """7.6 with 9: the app's `X-Queue-...` come after the wait and count only its own; ours are of the queue where one really waits."""
    async with place() as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        clients = []
        for number in range(3):
            clients.append(await stack.enter_async_context(at.client(stream=stream)))
            await gate.reached.wait()
            await queued(at, number)
        gate.release()
        seen = [await client.sees() for client in clients]
    places = [(one.headers["X-Queue-Position"], one.headers["X-Queue-Depth"]) for one in seen]
    assert places == [("0", "0"), ("1", "1"), ("2", "2")]
    assert len({one.headers["X-Request-Id"] for one in seen}) == 3


async def test_7_6_fairness_between_keys() -> None:
    """7.6 fairness: "first come first served at the mutex; no priority, no per-client share". Here a quiet key does not wait for a noisy one's ten."""
    keys = [{"name": "noisy", "key": NOISY}, {"name": "quiet", "key": QUIET}]
    async with place(keys=keys) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        clients = []
        for number in range(10):
            asked = at.client(f"noisy {number}", stream=False, headers=bearer(NOISY))
            clients.append(await stack.enter_async_context(asked))
            await queued(at, number)
        clients.append(await stack.enter_async_context(at.client("quiet", stream=False, headers=bearer(QUIET))))
        await queued(at, 10)
        gate.release()
        assert all([(await client.sees()).whole for client in clients])
    order = [chat["messages"][0]["content"] for chat in at.chats]
    assert order.index("quiet") == 1 and at.unhurt


@both
async def test_7_6_no_two_engines_load_at_once(stream: bool) -> None:
    """7.6 engine load: "outside the timeout, outside the mutex; two requests can load at once": two loads at once would need the memory of both."""
    async with place(FakeLocalLLM(models=(GEMMA, E4B), load_delay_s=0.1)) as at:
        seen = await asyncio.gather(at.ask(stream=stream), at.ask(stream=stream, model=f"phone/{E4B}"))
    assert all(one.whole for one in seen)
    steps = [line.partition(" gemma")[0] for line in at.phone.log if line.startswith(("engine load", "inference"))]
    assert steps == ["engine load", "inference start", "inference end"] * 2


@both
async def test_7_6_the_hazard_on_builds_where_the_first_fails(stream: bool) -> None:
    """7.6 hazard: "Expected results by the source: the first request fails (500 not alive)". Somebody else did it: asked once more, unseen."""
    async with place(talker(overlap="fail")) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        client = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()
        other = await stack.enter_async_context(foreign(at, "mine"))
        await until(lambda: len(at.chats) == 3)  # ours, the other's, and ours again behind it
        gate.release()
        seen = await client.sees()
        assert await other in (200, 500)
    assert (seen.whole, seen.text) == (True, TEXT)
    assert at.phone.crashes == 0


@both
async def test_7_6_the_apps_own_chat_tab_crashes_it(stream: bool) -> None:
    """7.6: "The app's own chat tab uses the same engine and cannot be kept out." The client sees the answer, from the app's next process."""
    async with place(talker(overlap="crash"), router={}) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        client = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()
        await stack.enter_async_context(foreign(at, "mine"))
        await until(lambda: at.phone.crashes == 1)
        gate.release()
        seen = await client.sees()
    assert (seen.whole, seen.text, at.phone.crashes) == (True, TEXT, 1)


@both
async def test_7_6_others_crash_the_app_and_somebody_stands_behind_it(stream: bool) -> None:
    """7.6: "Expect the server to vanish and come back": meanwhile the next target answers."""
    async with place(talker(restart_s=None), second=rescuer()) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        client = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()
        await at.phone.crash()
        seen = await client.sees()
        after = await at.ask(stream=stream)
    assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")
    assert (after.whole, after.engine) == (True, "second")


@both
async def test_7_6_the_check_of_streams_takes_its_turn(stream: bool) -> None:
    """7.6 advice: "at most one request in flight", for what we ask on our own account too (8.4): check, then answers."""
    async with place(FakeLocalLLM(deltas="correct"), stream="auto") as at:
        seen = await asyncio.gather(*(at.ask(f"text {n}", stream=stream) for n in range(4)))
    assert [one.text for one in seen] == [f"text {n}" for n in range(4)]
    assert [chat["stream"] for chat in at.chats] == [False, True] + [True] * 4
    assert at.unhurt and one_after_the_other(at.phone.log)


@both
async def test_7_6_the_warm_up_takes_its_turn(stream: bool) -> None:
    """7.6 with 11.2: "it takes the real inference mutex, so it queues behind chat and blocks it"; nobody meets it."""
    async with place(FakeLocalLLM(load_delay_s=0.15), warm=True) as at:
        await until(lambda: any(request.path == "/health/warm" for request in at.phone.requests))
        seen = await asyncio.gather(*(at.ask(stream=stream) for _ in range(3)))
        assert at.phone.engines == [f"{GEMMA}_model_LITERT_CPU"]
    assert all(one.whole for one in seen) and at.unhurt


@both
async def test_7_6_embeddings_while_somebody_chats(stream: bool) -> None:
    """7.6, 13 "mutex, queue, rate limit: none apply": vectors wait for the chat all the same, since both take the phone's memory."""
    async with place() as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        client = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()

        async def embed() -> int:
            async with at.adapter.session.post("/v1/embeddings", json={"model": "bge-small-en-v1.5", "input": "a"}) as response:
                return response.status

        embedding = asyncio.create_task(embed())
        await until(lambda: at.engine._seats.waiting == 1)
        gate.release()
        assert (await client.sees()).whole and await embedding == 200
    paths = [request.path for request in at.phone.requests if request.path in (CHAT_PATH, "/v1/embeddings")]
    assert paths == [CHAT_PATH, "/v1/embeddings"]


# --- 7.7 ------------------------------------------------------------------------------------------------------------------


@both
async def test_7_7_blocking_waiting_for_the_mutex(stream: bool) -> None:
    """7.7: "blocking, waiting for the mutex | 408 on time". Somebody else has it; 504 that names the setting, no 408."""
    async with place(FakeLocalLLM(request_timeout_s=0.15, overlap="queue")) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        await stack.enter_async_context(foreign(at, "mine"))
        await gate.reached.wait()
        seen = await at.ask(stream=stream)
    assert seen.refused == (504, "upstream_timeout") and "request timeout" in seen.message


@both
async def test_7_7_blocking_generating_is_given_up_by_us(stream: bool) -> None:
    """7.7: "the native call ... cannot be interrupted: 408 arrives only when it returns". We stop waiting after request_s + load_s and some more;
    the seat stays taken while the app works on, and whoever is next waits for that, and not in vain."""
    async with place(talker()) as at, AsyncExitStack() as stack:
        at.engine._limits = replace(at.engine._limits, whole_s=0.2)
        gate = stack.enter_context(at.phone.hold())
        seen = await at.ask(stream=stream)
        assert seen.refused == (504, "upstream_timeout") and "cannot be told to stop" in seen.message
        at.engine._limits = replace(at.engine._limits, whole_s=20)
        following = await stack.enter_async_context(at.client(stream=stream))
        await queued(at, 1)
        gate.release()
        assert (await following.sees()).text == TEXT
    assert at.unhurt and one_after_the_other(at.phone.log)


@pytest.mark.parametrize("how", ["frame", "cut"])
async def test_7_7_streaming_is_cancelled(how: Any) -> None:
    """7.7: "streaming | generation is cancelled, native cancel is called, then 8.5": an error frame after the text, and the next one is answered."""
    async with place(talker(request_timeout_s=0.2, mid_stream_failure=how, token_delay_s=0.02), stream="always") as at:
        seen = await at.ask(stream=True)
        at.phone.options = replace(at.phone.options, request_timeout_s=20)
        assert at.phone._app is not None
        at.phone._app.options = at.phone.options
        after = await at.ask(stream=True)
    assert seen.broken_off and seen.text and TEXT.startswith(seen.text) and seen.text != TEXT
    assert seen.code == ("upstream_timeout" if how == "frame" else "upstream_protocol")
    assert (after.whole, after.text, at.unhurt) == (True, TEXT, True)


@pytest.mark.parametrize("how", ["frame", "cut"])
async def test_7_7_streaming_is_cancelled_and_continued(how: Any) -> None:
    """7.7, with somebody behind the phone who can go on: the text is whole, and the seam is told."""
    phone = talker(request_timeout_s=0.2, mid_stream_failure=how, token_delay_s=0.02)
    async with place(phone, stream="always", second=rescuer()) as at:
        seen = await at.ask(stream=True)
    assert (seen.whole, seen.text, len(seen.seams)) == (True, TEXT, 1)


@both
async def test_7_7_a_client_that_waits_less_than_the_app_needs(stream: bool) -> None:
    """7.7 client read timeout "no shorter than server timeout + engine load": Pitwall's is shorter. It is told before its patience is over, with
    `Retry-After`; the app works on, and the next one begins after it."""
    keys = [{"name": "hasty", "key": HASTY, "deadline_s": 0.5}]
    async with place(talker(), keys=keys) as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        hasty = await stack.enter_async_context(at.client(stream=stream, headers=bearer(HASTY)))
        seen = await hasty.sees(within_s=0.6)
        following = await stack.enter_async_context(at.client(stream=stream))
        await queued(at, 1)
        assert len(at.chats) == 1
        gate.release()
        assert (await following.sees()).text == TEXT
    assert seen.code == "deadline_missed" and (seen.broken_off or seen.status == 429)
    assert at.unhurt and one_after_the_other(at.phone.log)


# --- 7.8 ------------------------------------------------------------------------------------------------------------------


async def abandoned(at: Place, stream: bool) -> tuple[Seen, int]:
    """Somebody leaves a running answer and somebody else asks: what the second saw, and how often the app had been asked while the first ran on."""
    async with AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        leaver = await stack.enter_async_context(at.client(stream=stream))
        await gate.reached.wait()
        await leaver.leave()
        following = await stack.enter_async_context(at.client(stream=stream))
        await queued(at, 1)
        asked = len(at.chats)
        gate.release()
        return await following.sees(), asked


@both
@asked_both_ways
@pytest.mark.parametrize("disconnect", ["ignore", "stop"])
async def test_7_8_an_abandoned_answer_holds_the_seat(stream: bool, upstream: str, disconnect: Any) -> None:
    """7.8 blocking: "not noticed; runs to the end holding the mutex"; LiteRT stream: "the native cancel is not called". Builds that notice ("stop",
    as the README says) are treated alike."""
    async with place(talker(disconnect=disconnect), stream=upstream) as at:
        seen, asked = await abandoned(at, stream)
        await left_alone(at)
    assert asked == 1, "the next one begins only after the end"
    assert (seen.whole, seen.text) == (True, TEXT)
    assert at.unhurt and one_after_the_other(at.phone.log)


@both
@asked_both_ways
async def test_7_8_an_aicore_answer_runs_to_its_end(stream: bool, upstream: str) -> None:
    """7.8 AICore stream: "write failures are swallowed; runs to the end". No crash is known there; it holds the seat all the same."""
    async with place(talker(), stream=upstream, model=AICORE_ID) as at:
        seen, asked = await abandoned(at, stream)
        await left_alone(at)
    assert (asked, seen.whole, seen.text) == (1, True, TEXT)
    assert at.unhurt


async def test_7_8_left_after_some_text() -> None:
    """7.8 LiteRT stream: "noticed at the next write that fails": we go on reading, so none fails, and nothing is left half done."""
    async with place(talker(token_delay_s=0.005), stream="always") as at:
        async with at.client(stream=True) as client:
            await client.hears(6)
        seen = await at.ask(stream=True)
        async with aiohttp.ClientSession() as session, session.get(f"{at.phone.url}/metrics") as response:
            metrics = await response.text()
    assert (seen.whole, seen.text, at.unhurt) == (True, TEXT, True)
    assert "localllm_requests_completed_total 2" in metrics and "localllm_requests_errored_total 0" in metrics


@both
async def test_7_8_who_leaves_the_queue_never_reaches_the_app(stream: bool) -> None:
    """7.8: "There is no cancel endpoint", so the only cheap place to leave is our queue (`protocols/pitwall.md` 8, row 8)."""
    async with place() as at, AsyncExitStack() as stack:
        gate = stack.enter_context(at.phone.hold())
        first = await stack.enter_async_context(at.client("first", stream=stream))
        await gate.reached.wait()
        leavers = [await stack.enter_async_context(at.client("leaver", stream=stream)) for _ in range(3)]
        await queued(at, 3)
        last = await stack.enter_async_context(at.client("last", stream=stream))
        await queued(at, 4)
        for leaver in leavers:
            await leaver.leave()
        await queued(at, 1)
        gate.release()
        assert (await first.sees()).text == "first" and (await last.sees()).text == "last"
    assert [chat["messages"][0]["content"] for chat in at.chats] == ["first", "last"]


@both
@asked_both_ways
async def test_7_8_many_come_and_go(stream: bool, upstream: str) -> None:
    """7.8: "Treat an abandoned request as one that still occupies the phone": every second client leaves at once, and the others are answered."""
    async with place(talker(token_delay_s=0.001), stream=upstream) as at, AsyncExitStack() as stack:
        stayers: list[Client] = []
        for number in range(12):
            client = await stack.enter_async_context(at.client(stream=stream))
            if number % 2:
                await asyncio.sleep(0.003 * number)  # it is somewhere: on its way, queued, or being answered
                await client.leave()
            else:
                stayers.append(client)
        seen = [await client.sees() for client in stayers]
        await left_alone(at)
    assert [(one.whole, one.text) for one in seen] == [(True, TEXT)] * 6
    assert at.unhurt and one_after_the_other(at.phone.log)


# --- the app dies (5.1 row 19, 7.6) ---------------------------------------------------------------------------------------


@both
async def test_7_6_after_a_crash_the_app_is_found_and_warmed_up_again(stream: bool) -> None:
    """7.6: "Expect the server to vanish and come back"; 18 rule 16: engines are cold, so they are warmed up before the next one asks."""
    async with place(talker(), warm=True) as at:
        await until(lambda: at.phone.engines != [] and at.engine._seats.taken == 0)
        await at.phone.crash()
        await at.phone.came_back()
        assert at.phone.engines == []
        first = await at.ask(stream=stream)
        await until(lambda: at.phone.engines == [f"{GEMMA}_model_LITERT_CPU"])
        second = await at.ask(stream=stream)
    assert all(one.whole for one in (first, second)) and at.phone.overlaps == 0


@both
async def test_7_6_a_crash_that_nobody_met_is_noticed_and_the_app_warmed_up(stream: bool) -> None:
    """7.6, likewise: the next look at the app finds it gone, and the one after that another process."""
    async with place(talker(restart_s=0.3), warm=True, router={}) as at:
        await until(lambda: at.phone.engines != [] and at.engine._seats.taken == 0)
        await at.phone.crash()
        assert not (await at.ready())["ready"]
        await at.phone.came_back()
        await until(lambda: at.phone.engines == [f"{GEMMA}_model_LITERT_CPU"])
        seen = await at.ask(stream=stream)
    warm_ups = [request for request in at.phone.requests if request.path == "/health/warm"]
    assert seen.whole and len(warm_ups) == 2


@both
async def test_7_6_an_app_that_stays_away_is_told_in_words(stream: bool) -> None:
    """7.6: a port that refuses: 503 with `Retry-After` and what the person can do; after a few failures nobody is sent there for a while."""
    async with place(talker(restart_s=None), router={**ONCE, "allowed_fails": 1}) as at:
        assert (await at.ask(stream=stream)).whole
        await at.phone.crash()
        seen = [await at.ask(stream=stream) for _ in range(4)]
    assert {one.status for one in seen} <= {500, 503} and seen[-1].status == 503
    assert all("LocalLLM" in one.message for one in seen)
    assert all(int(one.headers["Retry-After"]) >= 1 for one in seen if one.status == 503)
