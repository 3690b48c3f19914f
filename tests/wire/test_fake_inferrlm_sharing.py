"""What the protocol document says and the recordings do not show, tried on the fake: one model, many clients.

Section numbers in the docstrings are the protocol document's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.inferrlm import (
    GEMMA_LITERT,
    Build,
    FakeInferrLM,
    FakeModelRuntime,
    ManualClock,
    Script,
)
from tests.fakes.inferrlm.raw_client import RawClient, ask, ask_stream, chat, text_of

# One generation at a time, cancelling (11, 12)


@pytest.mark.parametrize(("build", "refused"), [("B", False), ("C", True)])
async def test_b_waits_without_limit_and_c_does_not(build: Build, refused: bool) -> None:
    """11: in B nobody even looks at the clock."""
    clock = ManualClock()
    async with (
        FakeInferrLM(build, clock=clock, busy_wait_s=30.0) as phone,
        RawClient(phone.port) as runs,
        RawClient(phone.port) as waits,
    ):
        await runs.ask("POST", "/api/chat", chat("hang", stream=True))
        await phone.log.wait_for("completion_start")
        await waits.ask("POST", "/api/chat", chat("hi", stream=True))
        await waits.units(1)
        if refused:
            await clock.tick()
            assert [record["error"] for record in await waits.records()] == ["MODEL_BUSY"]
            assert clock.now_s() == 30.0
        else:
            assert await waits.is_silent()
            assert clock.next_due_s() is None


async def test_waiters_get_through_when_a_hanging_stream_is_closed() -> None:
    """12: in C closing the stream releases the engine."""
    async with FakeInferrLM("C") as phone, RawClient(phone.port) as waits:
        async with RawClient(phone.port) as hangs:
            await hangs.ask("POST", "/api/chat", chat("hang", stream=True))
            await hangs.units(1)
            await waits.ask("POST", "/api/chat", chat("next", stream=True))
            await waits.units(1)
        assert text_of(await waits.records()) == "next"
        assert phone.overlaps == 1


@pytest.mark.parametrize("build", ["A", "B"])
async def test_closing_a_hanging_stream_releases_nothing_before_c(build: Build) -> None:
    """12: the model runs on; only an unload ends it."""
    async with FakeInferrLM(build) as phone:
        async with RawClient(phone.port) as hangs:
            await hangs.ask("POST", "/api/chat", chat("hang", stream=True))
            await phone.log.wait_for("completion_start")
        assert (await ask(phone.port, "GET", "/api/version")).status == 200
        assert phone.log.of("completion_end") == []
        await ask(phone.port, "POST", "/api/models", {"action": "unload"})
        assert len(phone.log.of("completion_end")) == 1


async def test_a_reset_is_not_noticed_in_silence() -> None:
    """12: only an orderly close stops the model at once; after a reset it is the next write."""
    clock = ManualClock()
    async with FakeInferrLM("C", clock=clock) as phone:
        client = await RawClient(phone.port).__aenter__()
        await client.ask("POST", "/api/chat", chat("a b c", stream=True))
        await clock.tick()
        await client.units(2)
        await client.reset()
        assert (await ask(phone.port, "GET", "/api/version")).status == 200
        assert phone.connections[0].closed_by == "reset"
        assert phone.log.of("stop_completion") == []
        await clock.tick()  # "b" is written
        await phone.log.wait_for("stop_completion")
        assert (await phone.log.wait_for("completion_end")).fields["n"] == 2


async def test_a_waiter_whose_model_is_unloaded() -> None:
    """10.2: the error is whatever the app's language says about null."""
    async with FakeInferrLM("B") as phone, RawClient(phone.port) as runs:
        await runs.ask("POST", "/api/chat", chat("hang", stream=True))
        await phone.log.wait_for("completion_start")
        async with RawClient(phone.port) as waits:
            await waits.ask("POST", "/api/chat", chat("hi", stream=True))
            await waits.units(1)
            await ask(phone.port, "POST", "/api/models", {"action": "unload"})
            (record,) = await waits.records()
    assert "of null" in record["error"]


async def test_overlaps_are_counted_and_looking_is_none() -> None:
    """11: the rule for clients, as tests of clients can check it."""
    async with FakeInferrLM("C") as phone:
        for _ in range(2):
            await ask(phone.port, "POST", "/api/chat", chat("hi"))
        assert phone.overlaps == 0
        async with RawClient(phone.port) as client:
            await client.ask("POST", "/api/chat", chat("hang", stream=True))
            await phone.log.wait_for("completion_start")
            await ask(phone.port, "GET", "/api/tags")
            assert phone.overlaps == 0
            await ask(phone.port, "POST", "/api/embeddings", {"input": "x"})
        assert phone.overlaps == 1
        assert phone.requests_per_connection == [1] * 5


# LiteRT (13.2)


async def litert_stream(phone: FakeInferrLM, prompt: str) -> list[dict[str, Any]]:
    return await ask_stream(phone.port, "/api/chat", chat(prompt))


async def test_litert_waits_in_line() -> None:
    """11: first come, first served, nobody is refused."""
    async with FakeInferrLM("C", loaded=GEMMA_LITERT, busy_wait_s=0.0) as phone:
        answers = await asyncio.gather(*(litert_stream(phone, prompt) for prompt in ("a", "b", "c", "d")))
        assert phone.log.whats() == ["litert_start", "litert_end"] * 4
    assert [text_of(records) for records in answers] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("obeys", "deltas"), [(True, ["one"]), (False, ["one", " two", ""])])
async def test_litert_is_cut_by_a_waiter_that_leaves(obeys: bool, deltas: list[str]) -> None:
    """12: somebody else's answer ends early and looks complete, if the runtime obeys the reset."""
    clock = ManualClock()
    runtime = FakeModelRuntime(litert_obeys_reset=obeys)
    async with (
        FakeInferrLM("C", loaded=GEMMA_LITERT, engine=runtime, clock=clock) as phone,
        RawClient(phone.port) as runs,
    ):
        await runs.ask("POST", "/api/chat", chat("one two", stream=True))
        await clock.tick()
        await runs.units(2)
        async with RawClient(phone.port) as leaves:
            await leaves.ask("POST", "/api/chat", chat("three", stream=True))
            await leaves.units(1)
        await ask(phone.port, "GET", "/api/version")
        assert phone.connections[1].closed_by == "client"
        async with clock.flying():
            *pieces, end = await runs.records()
            await phone.log.wait_for("litert_end", 2)
    assert [piece["response"] for piece in pieces] == deltas
    assert end["output"] == "".join(deltas)


async def test_litert_errors_come_as_text() -> None:
    """13.2: a piece that begins with `Error: ` is a failure."""
    runtime = FakeModelRuntime()
    runtime.next(Script(fail_after=1, error="no memory"), Script(pieces=("Error: not really",)))
    async with FakeInferrLM("C", loaded=GEMMA_LITERT, engine=runtime) as phone:
        failed, also_failed = [(await litert_stream(phone, "one two"))[-1] for _ in range(2)]
    assert (failed["error"], also_failed["error"]) == ("no memory", "not really")


async def test_litert_remembers_single_questions_and_rewrites_conversations() -> None:
    """13.2: the history is one English prompt, which begins a new conversation."""
    talk = [("user", "first?"), ("assistant", "yes"), ("user", "second?")]
    async with FakeInferrLM("C", loaded=GEMMA_LITERT) as phone:
        await litert_stream(phone, "from another client")
        await litert_stream(phone, "mine")
        assert phone.engine.litert.instance is not None
        assert phone.engine.litert.instance.conversation == ["from another client", "mine"]
        messages = [{"role": role, "content": content} for role, content in talk]
        await ask(phone.port, "POST", "/api/chat", {"messages": messages})
        (prompt,) = phone.engine.litert.instance.conversation
    assert prompt == (
        "Here is the conversation so far:\nUser: first?\nAssistant: yes\n\n"
        "Answer this follow-up question: second?"
    )


async def test_litert_without_a_question_says_nothing() -> None:
    """13.2: 200 with empty text."""
    async with FakeInferrLM("C", loaded=GEMMA_LITERT) as phone:
        messages = {"messages": [{"role": "assistant", "content": "hello"}]}
        answer = await ask(phone.port, "POST", "/api/chat", messages)
    assert (answer.status, answer.json["response"]) == (200, "")


async def test_litert_is_unstuck_by_a_cancel_while_the_model_is_ready() -> None:
    """13.2: streams stay empty after a departure during a reload, until one is cancelled in time."""
    reload = {"options": {"temperature": 0.4}}
    clock = ManualClock()
    async with FakeInferrLM("C", loaded=GEMMA_LITERT, clock=clock) as phone:
        async with RawClient(phone.port) as leaves:
            await leaves.ask("POST", "/api/chat", chat("one", stream=True, **reload))
            await leaves.units(1)  # bytes left unread would turn the close into a reset
            await phone.log.wait_for("litert_load")
        await ask(phone.port, "GET", "/api/version")
        assert phone.connections[0].closed_by == "client"
        async with clock.flying():
            empty = await ask_stream(phone.port, "/api/chat", chat("two", **reload))
            async with RawClient(phone.port) as cancels:
                await cancels.ask("POST", "/api/chat", chat("hang", stream=True, **reload))
                await cancels.units(1)
                await phone.log.wait_for("litert_start", 3)
            await phone.log.wait_for("litert_end", 3)
            full = await ask_stream(phone.port, "/api/chat", chat("four", **reload))
    assert [record["response"] for record in empty] == [""]
    assert [record["response"] for record in full] == ["four", "", ""]
