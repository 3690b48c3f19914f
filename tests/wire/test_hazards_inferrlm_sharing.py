"""`protocols/inferrlm.md` 11, row by row: one generation at a time, and what the adapter's clients saw when they were several."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.fakes.inferrlm import GEMMA_LITERT, LLAMA, QWEN, Build, Message, Script
from tests.fakes.inferrlm.llama import GenerationFailed, GenerationRequest
from tests.fakes.inferrlm.raw_client import text_of
from tests.wire.hazards import TEXT, Client, Seen, both, rescuer
from tests.wire.inferrlm_cases import LONG, every_build
from tests.wire.inferrlm_hazards import (
    HALF_TEXT,
    PATIENT,
    QUESTIONS,
    TAKEN_UP,
    Place,
    b_and_c,
    chats_came,
    other_program,
    place,
    until,
)

LONG_TEXT = "".join(LONG.pieces or ())


async def all_see(clients: Sequence[Client]) -> list[Seen]:
    return list(await asyncio.gather(*(client.sees() for client in clients)))


@every_build
@both
async def test_11_second_generation_arrives(build: Build, stream: bool) -> None:
    """11, "second generation arrives": A cuts the first, B waits, C waits 30 s. It waits at the adapter, so nobody is cut
    (`chat-two-streams`)."""
    async with place(build, LONG) as here, here.client(stream=stream) as first:
        await here.phone.log.wait_for("completion_start")
        async with here.client(stream=stream) as second:
            await here.queued(1)
            assert len(here.chats) == 1
            seen = await all_see([first, second])
        assert here.phone.overlaps == 0
    assert [(one.whole, one.text) for one in seen] == [(True, LONG_TEXT)] * 2
    assert [one.headers["X-Queue-Position"] for one in seen] == ["0", "1"]


@every_build
async def test_11_a_waiting_stream(build: Build) -> None:
    """11, "a waiting stream gets its 200 and headers at once, then silence": ours too, but with a place and signs of life."""
    eager = {"status_hold_s": 0.05, "keepalive_s": 0.05}
    async with place(build, TAKEN_UP, server=eager) as here, here.client() as first:
        await first.hears(len(HALF_TEXT))
        async with here.client("hello there") as second:
            here.phone.runtime.next(Script())
            await second.hears(0)
            assert (second.seen.status, second.seen.headers["X-Queue-Position"]) == (200, "1")
            opened = len(second.seen.frames)
            await until(lambda: len(second.seen.frames) >= opened + 2)  # while the phone has nothing of it
            assert len(here.chats) == 1
            here.phone.engine.stop()
            seen = await second.sees()
        assert (seen.whole, seen.text) == (True, "hello there")
        assert here.phone.overlaps == 0


@both
async def test_11_refusal_after_30_s(stream: bool) -> None:
    """11, C, "refusal after 30 s": `MODEL_BUSY` in the stream (`busy-30s`), when another program holds the phone. A 503
    after several tries; the next target, if there is one; and the answer, once the other one is gone."""
    quick = {"busy_wait_s": 0.03}
    async with place("C", app=quick) as here, other_program(here.phone):
        seen = await here.ask(stream=stream)
        assert seen.refused == (503, "engine_unavailable")
        assert "MODEL_BUSY" in seen.message and int(seen.headers["Retry-After"]) > 0
        assert len(here.chats) == 1 + 5
    async with place("C", app=quick, second=rescuer()) as here, other_program(here.phone):
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")
    async with place("C", app=quick, pauses=PATIENT) as here, other_program(here.phone) as other:
        async with here.client("hello there", stream=stream) as client:
            await chats_came(here, 4)
            await other.close()
            seen = await client.sees()
        assert (seen.whole, seen.text) == (True, "hello there")


@both
async def test_11_b_waits_without_limit(stream: bool) -> None:
    """11, B, "waits, without limit": for as long as `first_token_s` allows, then a 504 or the next target."""
    async with place("B", first_token_s=0.1) as here, other_program(here.phone):
        seen = await here.ask(stream=stream)
        assert seen.refused == (504, "upstream_timeout")
        assert "first_token_s" in seen.message
    async with place("B", first_token_s=0.1, second=rescuer()) as here, other_program(here.phone):
        assert (await here.ask(stream=stream)).text == TEXT
    async with place("B") as here, other_program(here.phone), here.client("hello there", stream=stream) as client:
        await chats_came(here, 2)
        here.phone.engine.stop()
        seen = await client.sees()
        assert (seen.whole, seen.text, len(here.chats)) == (True, "hello there", 2)


@every_build
async def test_11_two_or_more_waiting_when_the_first_ends(build: Build) -> None:
    """11, "two or more waiting": all start at once and break each other (`chat-three-waiting`). Five clients of ours never meet."""
    async with place(build, LONG) as here, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(here.client(stream=bool(n % 2))) for n in range(5)]
        seen = await all_see(clients)
        assert [(one.whole, one.text) for one in seen] == [(True, LONG_TEXT)] * 5
        assert here.phone.overlaps == 0
        assert here.phone.log.of("completion_busy") == []
        assert sorted(one.headers["X-Queue-Position"] for one in seen) == ["0", "1", "2", "3", "4"]


@b_and_c
@both
async def test_11_lock_broken_after_three(build: Build, stream: bool) -> None:
    """11, "every newcomer is refused within milliseconds" (`lock-broken-after-three`): three other programs broke the queue.
    Ours is refused like everybody, asks again, and has its answer when the survivor has ended."""
    async with place(build, pauses=PATIENT) as here:
        hangs = Script(hang_after=0)
        here.phone.runtime.next(hangs, hangs, hangs)
        async with other_program(here.phone), other_program(here.phone), other_program(here.phone):
            await chats_came(here, 3)
            here.phone.engine.stop()  # the first ends, and both who wait start at once
            await here.phone.log.wait_for("completion_busy")
            async with here.client("hello there", stream=stream) as client:
                await here.phone.log.wait_for("completion_busy", 3)
                here.phone.engine.stop()
                seen = await client.sees()
            assert len(here.chats) >= 3 + 3
    assert (seen.whole, seen.text) == (True, "hello there")


@b_and_c
@both
async def test_11_lock_broken_for_longer_than_we_ask(build: Build, stream: bool) -> None:
    """11, the same, when the survivor does not end: a 503 that says who is at fault, or the next target."""
    hangs = Script(hang_after=0)
    for second in (None, rescuer()):
        async with place(build, second=second) as here:
            here.phone.runtime.next(hangs, hangs, hangs)
            async with other_program(here.phone), other_program(here.phone), other_program(here.phone):
                here.phone.engine.stop()
                await here.phone.log.wait_for("completion_busy")
                seen = await here.ask(stream=stream)
            if second:
                assert (seen.whole, seen.text) == (True, TEXT)
            else:
                assert seen.refused == (503, "engine_unavailable")
                assert "Context is busy" in seen.message and "nothing but Farmhand" in seen.message


@every_build
async def test_11_embeddings_meanwhile(build: Build) -> None:
    """11, "embeddings meanwhile cut the generation" (A), or are a 500 at once: never asked for, so the answer is whole."""
    async with place(build, LONG) as here, here.client() as client:
        await client.hears()
        for model in (f"phone/{LLAMA}", f"phone/{QWEN}"):
            async with here.adapter.session.post("/v1/embeddings", json={"model": model, "input": "x"}) as response:
                assert response.status == 400
                assert (await response.json())["error"]["code"] == "not_capable"
        seen = await client.sees()
        assert "/api/embeddings" not in here.paths
        assert here.phone.overlaps == 0
    assert (seen.whole, seen.text) == (True, LONG_TEXT)


@every_build
@both
async def test_11_another_model_is_named(build: Build, stream: bool) -> None:
    """11, "another model is named": that cuts the running answer, which ends as if complete (`chat-other-model`). Here it waits."""
    async with place(build, LONG) as here, here.client(stream=stream) as first:
        await here.phone.log.wait_for("completion_start")
        async with here.client(stream=stream, model=f"phone/{QWEN}") as second:
            await here.queued(1)
            seen = await all_see([first, second])
        assert [(one.whole, one.text) for one in seen] == [(True, LONG_TEXT)] * 2
        whats = here.phone.log.whats()
        loaded = [event.fields["model"] for event in here.phone.log.of("init_llama")]
        assert loaded[-1] == QWEN
        assert whats.index("completion_end") < len(whats) - whats[::-1].index("init_llama") - 1
        assert here.phone.overlaps == 0


@every_build
async def test_11_load_reload_and_unload_are_not_asked_for(build: Build) -> None:
    """11, "`load`/`reload`/`unload` is asked for": they cut whoever runs (`unload-meanwhile`), and we never do."""
    async with place(build, LONG, app={"loaded": None}) as here:
        async with here.client() as client, here.adapter.session.get("/v1/models") as models:
            assert models.status == 200
            seen = await client.sees()
        assert (await here.ask(model=f"phone/{QWEN}")).whole
        assert here.paths == QUESTIONS | {"/api/chat"}
    assert (seen.whole, seen.text) == (True, LONG_TEXT)


async def the_owner_chats(here: Place, pieces: Sequence[str]) -> str:
    """A chat in the app itself: the same model and the same queue, without HTTP."""
    order = GenerationRequest([Message("user", "the owner's")], None, Script(pieces=pieces))
    return await here.phone.engine.generate(order, None)


@every_build
@both
async def test_11_owner_chats_in_the_app(build: Build, stream: bool) -> None:
    """11, "owner chats in the app": B and C queue our request behind it. On A it cuts the owner's, which nobody can know
    before. The client has its whole answer in all of them."""
    async with place(build) as here:
        owner = asyncio.create_task(the_owner_chats(here, LONG.pieces or ()))
        await here.phone.log.wait_for("completion_start")
        seen = await here.ask("hello there", stream=stream)
        said = await owner
    assert (seen.whole, seen.text) == (True, "hello there")
    assert said != LONG_TEXT.strip() if build == "A" else said == LONG_TEXT.strip()


@every_build
@both
async def test_11_owner_chats_in_the_app_while_we_do(build: Build, stream: bool) -> None:
    """11, the same from the other side: the owner's chat waits in the app (B, C) or fails there (A), ours is whole."""
    async with place(build, LONG) as here, here.client(stream=stream) as client:
        await here.phone.log.wait_for("completion_start")
        owner = asyncio.create_task(the_owner_chats(here, ["fine"]))
        seen = await client.sees()
        if build == "A":
            with pytest.raises(GenerationFailed, match="Context is busy"):
                await owner
        else:
            assert await owner == "fine"
    assert (seen.whole, seen.text) == (True, LONG_TEXT)


@both
async def test_11_litert_first_come_first_served(stream: bool) -> None:
    """11, "LiteRT models: first come first served, no limit, no refusal": behind another program, and among ourselves."""
    async with place("C", LONG, model=GEMMA_LITERT, app={"loaded": GEMMA_LITERT}) as here, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(here.client(f"number {n}", stream=stream)) for n in range(3)]
        seen = await all_see(clients)
        assert [(one.whole, one.text) for one in seen] == [(True, LONG_TEXT)] * 3
        runs = [what for what in here.phone.log.whats() if what in ("litert_start", "litert_end")]
        assert runs == ["litert_start", "litert_end"] * 3
        assert here.phone.overlaps == 0
    async with place("C", model=GEMMA_LITERT, app={"loaded": GEMMA_LITERT}) as here:
        here.phone.runtime.next(TAKEN_UP)
        async with other_program(here.phone) as other, here.client("hello there", stream=stream) as client:
            await chats_came(here, 2)
            here.phone.engine.stop()
            seen_one = await client.sees()
            assert text_of(await other.records()) != ""
    assert (seen_one.whole, seen_one.text) == (True, "hello there")


@every_build
async def test_11_there_is_no_way_to_ask_whether_the_phone_is_busy(build: Build) -> None:
    """11, `/api/ps` and `/api/status` do not tell: so our own queue does, and looking at the adapter disturbs nobody."""
    async with place(build, TAKEN_UP) as here, here.client() as client:
        await client.hears()
        async with here.client("hello there") as second:
            here.phone.runtime.next(Script())
            await here.queued(1)
            for path in ("/v1/models", "/ready", "/health"):
                async with here.adapter.session.get(path) as response:
                    assert response.status == 200
            here.phone.engine.stop()
            assert (await second.sees()).text == "hello there"
            assert (await second.sees()).headers["X-Queue-Depth"] == "1"
        assert here.phone.overlaps == 0


@every_build
async def test_11_rule_for_clients_at_most_one_request_that_touches_the_model(build: Build) -> None:
    """11, "at most one request of any kind that touches the model": whatever eight clients ask for at the same time."""
    async with place(build) as here, AsyncExitStack() as stack:
        wanted = [
            here.client(f"number {n}", stream=bool(n % 2), model=f"phone/{QWEN if n % 3 == 0 else LLAMA}")
            for n in range(8)
        ]
        clients = [await stack.enter_async_context(client) for client in wanted]
        body = {"model": f"phone/{LLAMA}", "input": "x"}
        async with here.adapter.session.post("/v1/embeddings", json=body) as response:
            assert response.status == 400
        seen = await all_see(clients)
        assert [(one.whole, one.text) for one in seen] == [(True, f"number {n}") for n in range(8)]
        assert here.phone.overlaps == 0
        assert len(here.chats) == 8
