"""`protocols/inferrlm.md` 12, row by row: clients of the adapter that leave, and what the others saw."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.inferrlm import GEMMA_LITERT, QWEN, Build, Script
from tests.wire.hazards import TEXT, both, rescuer
from tests.wire.inferrlm_cases import LONG, every_build
from tests.wire.inferrlm_hazards import HALF_TEXT, TAKEN_UP, Place, a_and_b, place

LONG_TEXT = "".join(LONG.pieces or ())
SLOW = Script(pieces=LONG.pieces, token_delay_s=0.01)


def produced(here: Place) -> list[int]:
    """How many tokens each generation made."""
    return [event.fields["n"] for event in here.phone.log.of("completion_end")]


async def next_is_whole(here: Place, *, overlaps: int = 0) -> None:
    """Whoever comes next has the phone for itself, and gets a whole answer. overlaps: our own unload meets what it shall end."""
    here.phone.runtime.next(Script())
    seen = await here.ask("the next one")
    assert (seen.whole, seen.text) == (True, "the next one")
    assert here.phone.overlaps == overlaps


# --- the first table: actions -----------------------------------------------------------------------------------


@every_build
async def test_12_close_the_connection_of_a_running_stream(build: Build) -> None:
    """12, "close the connection of a running stream": no effect on A and B, where the next client waits for the end; C stops
    after the current token (`chat-disconnect-stream`)."""
    async with place(build, SLOW) as here:
        async with here.client() as leaver:
            await leaver.hears(4)
        async with here.client() as following:
            seen = await following.sees()
        assert (seen.whole, seen.text) == (True, LONG_TEXT)
        assert here.phone.overlaps == 0
        left, whole = produced(here)
        assert left < 40 if build == "C" else left == 40
        assert whole == 40


@every_build
async def test_12_close_the_connection_of_a_running_plain_request(build: Build) -> None:
    """12, "a running plain request": no effect in any build (`chat-disconnect-plain`). We stream for plain clients too, so
    that C can be stopped all the same."""
    async with place(build, SLOW) as here:
        async with here.client(stream=False):
            await here.phone.log.wait_for("completion_start")
        await next_is_whole(here)
        assert [chat["stream"] for chat in here.chats] == [True, True]
        assert produced(here)[0] < 40 if build == "C" else produced(here)[0] == 40


@every_build
@both
async def test_12_close_the_connection_of_a_waiting_stream(build: Build, stream: bool) -> None:
    """12, "a waiting stream": on C that stops somebody else's answer, and it still runs later, unheard
    (`chat-waiting-client-leaves`). Here it leaves our queue: the one in front is whole, the one behind moves up."""
    async with place(build, SLOW) as here, here.client(stream=stream) as first:
        await here.phone.log.wait_for("completion_start")
        async with here.client("leaves", stream=stream), here.client("leaves", stream=stream):
            await here.queued(2)
        await here.queued(0)
        async with here.client("leaves", stream=stream) as leaver, here.client("stays", stream=stream) as last:
            await here.queued(2)
            await leaver.leave()
            await here.queued(1)
            seen, seen_last = await first.sees(), await last.sees()
        assert (seen.whole, seen.text) == (seen_last.whole, seen_last.text) == (True, LONG_TEXT)
        assert produced(here) == [40, 40]
        assert [chat["messages"][0]["content"] for chat in here.chats] == ["Go.", "stays"]
        assert here.phone.overlaps == 0


@both
async def test_12_close_the_connection_of_a_waiting_stream_on_litert(stream: bool) -> None:
    """12, the same row, "LiteRT models too, if the runtime obeys the reset": whoever waits with us can leave there as well."""
    litert: dict[str, Any] = {"model": GEMMA_LITERT, "app": {"loaded": GEMMA_LITERT}}
    async with place("C", SLOW, **litert) as here, here.client(stream=stream) as first:
        await here.phone.log.wait_for("litert_start")
        async with here.client("leaves", stream=stream):
            await here.queued(1)
        await here.queued(0)
        seen = await first.sees()
        assert (seen.whole, seen.text, len(here.chats)) == (True, LONG_TEXT, 1)


@every_build
@both
async def test_12_close_during_a_model_load(build: Build, stream: bool) -> None:
    """12, "close during a model load: not noticed; runs to its end". So the phone is taken until that is over."""
    async with place(build, app={"loaded": None, "load_delay_s": 0.05}) as here:
        here.phone.runtime.next(SLOW)
        async with here.client(stream=stream):
            await here.phone.log.wait_for("init_llama")
        await next_is_whole(here)
        # On C the headers that come after the load make it possible to leave in order.
        assert produced(here)[0] < 40 if build == "C" else produced(here)[0] == 40
        assert len(here.chats) == 2


@a_and_b
@both
async def test_12_unload(build: Build, stream: bool) -> None:
    """12, "`unload` stops it; costs a reload": only where the owner has asked for that (`cancel = "unload"`)."""
    for cancel in ("drain", "unload"):
        async with place(build, SLOW, cancel=cancel) as here:
            async with here.client(stream=stream):
                await here.phone.log.wait_for("completion_start")
            await next_is_whole(here, overlaps=int(cancel == "unload"))
            assert ("/api/models" in here.paths) == (cancel == "unload")
            assert produced(here)[0] < 40 if cancel == "unload" else produced(here)[0] == 40


@both
async def test_12_unload_is_not_needed_on_c(stream: bool) -> None:
    """12, the same on C, where closing does it: nothing is unloaded even if the owner would have it."""
    async with place("C", SLOW, cancel="unload") as here:
        async with here.client(stream=stream):
            await here.phone.log.wait_for("completion_start")
        await next_is_whole(here)
        assert "/api/models" not in here.paths
        assert len(here.phone.log.of("init_llama")) == 0


@every_build
async def test_12_send_a_new_generation(build: Build) -> None:
    """12, "send a new generation: stops the old one" (A). Nobody is stopped that way: the new one waits for the old one,
    whose client is still there, and also when it has left."""
    async with place(build, SLOW) as here:
        async with here.client() as first:
            await first.hears(4)
            async with here.client(model=f"phone/{QWEN}") as second:
                seen, seen_second = await first.sees(), await second.sees()
        assert (seen.text, seen_second.text) == (LONG_TEXT, LONG_TEXT)
        assert produced(here) == [40, 40]
        assert here.phone.overlaps == 0


# --- the second table: details of C -------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["prefill", "middle"])
@both
async def test_12_close_in_an_orderly_way(moment: str, stream: bool) -> None:
    """12, "close in an orderly way (FIN)": a reset is not noticed before the next write, "during a silent prefill that means
    not at all". Our clients' departures, however rude, reach the app as a FIN."""
    script = Script(pieces=LONG.pieces, hang_after=0 if moment == "prefill" else 20)
    async with place("C", script) as here:
        async with here.client(stream=stream) as leaver:
            await here.phone.log.wait_for("completion_start")
            if stream and moment == "middle":
                await leaver.hears(len(HALF_TEXT))
        await here.phone.log.wait_for("completion_end")  # a reset in this silence would never have been noticed
        await next_is_whole(here)
        index = next(request.connection for request in here.phone.requests if request.path == "/api/chat")
        assert here.phone.connections[index].closed_by == "client"
        assert here.phone.log.of("stop_completion")


@both
async def test_12_a_hanging_engine_on_c(stream: bool) -> None:
    """12, "a hanging engine is released by closing the stream" (`busy-30s`, last lines): a 504 for who waited, the phone back."""
    async with place("C", first_token_s=0.1, between_tokens_s=0.1) as here:
        seen = await here.ask("hang", stream=stream)
        assert seen.refused == (504, "upstream_timeout")
        await here.phone.log.wait_for("completion_end")
        await next_is_whole(here)
        here.phone.runtime.next(TAKEN_UP)
        seen = await here.ask(stream=stream)
        assert seen.code == "upstream_timeout" and "between_tokens_s" in seen.message
        assert (seen.broken_off, seen.text) == (True, HALF_TEXT) if stream else seen.status == 504
        await next_is_whole(here)
    async with place("C", first_token_s=0.1, second=rescuer()) as here:
        assert (await here.ask("hang", stream=stream)).text == TEXT


@both
async def test_12_a_hanging_engine_on_a(stream: bool) -> None:
    """12, A: nothing releases it but the next generation, which is stopped by nobody."""
    async with place("A", first_token_s=0.1) as here:
        assert (await here.ask("hang", stream=stream)).refused == (504, "upstream_timeout")
        here.phone.runtime.next(Script())
        seen = await here.ask("the next one", stream=stream)
        assert (seen.whole, seen.text) == (True, "the next one")


@both
async def test_12_a_hanging_engine_on_b(stream: bool) -> None:
    """12, B: nothing releases it but an unload. Who waits is told (504) or goes to the next target; and
    `cancel = "unload"` brings the phone back."""
    async with place("B", first_token_s=0.1) as here:
        assert (await here.ask("hang", stream=stream)).refused == (504, "upstream_timeout")
        assert (await here.ask("hi", stream=stream)).refused == (504, "upstream_timeout")
    async with place("B", first_token_s=0.1, second=rescuer()) as here:
        assert (await here.ask("hang", stream=stream)).text == TEXT
    async with place("B", first_token_s=0.1, cancel="unload") as here:
        assert (await here.ask("hang", stream=stream)).refused == (504, "upstream_timeout")
        await here.phone.log.wait_for("completion_end")
        await next_is_whole(here, overlaps=1)


async def test_12_the_safest_way_to_cancel() -> None:
    """12, "stream, wait for the headers and be sure you are the only client; then close": a client that leaves before them is
    remembered, and the closing is made good when they come, text or no text."""
    async with place("C", app={"loaded": None, "load_delay_s": 0.05}) as here:
        async with here.client("hang"):
            await here.phone.log.wait_for("init_llama")
        assert here.phone.log.of("stop_completion") == []
        assert (await here.phone.log.wait_for("completion_end")).fields["n"] == 0
        await next_is_whole(here)


@every_build
@both
async def test_12_everything_is_streamed(build: Build, stream: bool) -> None:
    """12, "since a plain request can never be cancelled, stream everything that may take long, even if the text is wanted in
    one piece"."""
    async with place(build) as here:
        seen = await here.ask("hello there", stream=stream)
        assert (seen.whole, seen.text) == (True, "hello there")
        assert here.chats[0]["stream"] is True


@every_build
async def test_12_clients_that_leave_one_after_the_other(build: Build) -> None:
    """12, all of it together: ten clients leave at every moment, and the last one still has a whole answer, alone."""
    async with place(build, Script(pieces=LONG.pieces, token_delay_s=0.002)) as here:
        for n in range(10):
            async with here.client(stream=bool(n % 2)):
                await asyncio.sleep(0.004 * n)
        seen = await here.ask()
        assert (seen.whole, seen.text) == (True, LONG_TEXT)
        await here.free()
        assert here.phone.overlaps == 0
