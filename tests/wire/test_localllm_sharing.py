"""`LocalllmEngine` and many clients, some of whom leave: one request at the app, whatever happens (`protocols/localllm.md` 7.5 to 7.8),
where the app is, and its warm-up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from aiohttp import web

from adapter.chat import Chat, Message, Role, Started, TextDelta, Tool
from adapter.dialects import localllm_builds
from adapter.engines.localllm import LocalllmEngine
from adapter.errors import EngineUnavailable, QueueFull
from adapter.settings import LocalllmSettings
from tests.fakes.localllm import AICORE_ID, FakeLocalLLM, Reply
from tests.wire.localllm_cases import (
    GEMMA,
    answer_of,
    chat_of,
    chats,
    engine_for,
    failed,
    longer,
    until,
    watched,
)

LONG = Reply(tuple(f"w{n} " for n in range(30)))


@pytest.mark.parametrize("stream", ["never", "always", "auto"])
@pytest.mark.usefixtures("never_blocking")
async def test_many_at_once_never_overlap_at_the_app(stream: str) -> None:
    """7.6: the fake dies of an overlap."""
    async with FakeLocalLLM(overlap="crash") as phone, engine_for(phone.url, stream=stream, warm=True) as engine:
        texts = [f"answer number {n} please" for n in range(10)]
        found = await asyncio.gather(
            *(answer_of(engine, chat_of(text)) for text in texts), engine.embed("bge-small-en-v1.5", ["a"])
        )
        if stream != "always":  # this build damages streams, which is what "always" asks for
            assert found[:10] == texts
        assert (phone.crashes, phone.overlaps, phone.max_in_flight) == (0, 0, 1)


async def test_the_queue_has_an_end() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url, queue=1) as engine:
        with phone.hold() as gate:
            running = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            queued = asyncio.create_task(answer_of(engine))
            await until(lambda: engine._seats.waiting == 1)
            _, error = await failed(engine)
            assert type(error) is QueueFull
        assert await running == await queued


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("disconnect", ["ignore", "stop"])
async def test_who_leaves_a_running_answer_leaves_it_in_the_seat(stream: str, disconnect: str) -> None:
    """7.8: the app works on; the next request would crash it."""
    async with (
        FakeLocalLLM(reply=LONG, deltas="correct", disconnect=disconnect) as phone,  # type: ignore[arg-type]
        engine_for(phone.url, stream=stream) as engine,
    ):
        with phone.hold() as gate:
            leaver = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            assert engine._seats.taken == 1
            settled = asyncio.create_task(engine.settled())
            await asyncio.sleep(0)
            assert not settled.done()
        await settled
        assert engine._seats.taken == 0
        assert await answer_of(engine) == "".join(LONG.pieces)
        assert (phone.crashes, phone.overlaps) == (0, 0)
        assert len(chats(phone)) == 2


async def test_who_leaves_after_some_text() -> None:
    async with (
        FakeLocalLLM(reply=LONG, deltas="correct") as phone,
        engine_for(phone.url, stream="always") as engine,
    ):
        async with aclosing(engine.generate(chat_of())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        assert await answer_of(engine) == "".join(LONG.pieces)
        assert (phone.crashes, phone.overlaps) == (0, 0)


async def test_who_leaves_the_queue_sends_nothing() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        with phone.hold() as gate:
            running = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            queued = asyncio.create_task(answer_of(engine))
            await until(lambda: engine._seats.waiting == 1)
            queued.cancel()
            await asyncio.gather(queued, return_exceptions=True)
            assert engine._seats.waiting == 0
        await running
        assert len(chats(phone)) == 1


async def test_who_leaves_during_the_check_of_streams() -> None:
    async with FakeLocalLLM(deltas="correct") as phone, engine_for(phone.url, stream="auto") as engine:
        with phone.hold() as gate:
            leaver = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
        assert await answer_of(engine) == "say hello to the harbour"
        assert [request.json["stream"] for request in chats(phone)] == [False, True, True]
        assert (phone.crashes, phone.overlaps) == (0, 0)


async def test_closing_the_engine_ends_what_runs() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        with phone.hold() as gate:
            running = asyncio.create_task(failed(engine))
            await gate.reached.wait()
            queued = asyncio.create_task(failed(engine))
            await until(lambda: engine._seats.waiting == 1)
            await engine.close()
            assert type((await running)[1]) is EngineUnavailable
            assert type((await queued)[1]) is EngineUnavailable
            await engine.close()


async def test_close_before_start_does_nothing() -> None:
    engine = LocalllmEngine(LocalllmSettings(name="phone", kind="localllm"))
    await engine.close()
    await engine.close()


async def test_a_fault_of_ours_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may wait for ever because a background task broke."""
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        monkeypatch.setattr("adapter.engines.localllm_http.parse_plain", lambda value: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await answer_of(engine)
        monkeypatch.undo()
        assert await answer_of(engine)


# --- sessions -------------------------------------------------------------------------------------------------------


def reuses(phone: FakeLocalLLM) -> int:
    return sum(line.startswith("session reuse") for line in phone.log)


async def test_a_conversation_that_grows_is_gone_on_with() -> None:
    """7.5: only the new message is computed."""
    async with FakeLocalLLM() as phone, engine_for(phone.url, sessions=True) as engine:
        chat = chat_of("one")
        for text in ("two", "three", "four"):
            chat = longer(chat, await answer_of(engine, chat), text)
        await answer_of(engine, chat)
        assert reuses(phone) == 3
        ids = [request.json["session_id"] for request in chats(phone)]
        assert len(set(ids)) == 1 and ids[0].startswith("farmhand-")


@pytest.mark.parametrize(
    "change",
    [
        lambda chat: replace(chat, tools=(Tool("new"),)),
        lambda chat: replace(chat, sampling=replace(chat.sampling, temperature=0.3)),
        lambda chat: replace(chat, messages=(chat.messages[0], Message(Role.ASSISTANT, "edited"), chat.messages[2])),
        lambda chat: replace(chat, messages=(Message(Role.SYSTEM, "new"), *chat.messages)),
        lambda chat: replace(chat, messages=(*chat.messages, Message(Role.ASSISTANT, "x"), Message(Role.USER, "y"))),
    ],
    ids=["tools", "temperature", "answer", "system", "two-turns"],
)
async def test_one_that_differs_begins_anew(change: object) -> None:
    """The app itself would overlook the tools and the answer."""
    async with FakeLocalLLM() as phone, engine_for(phone.url, sessions=True) as engine:
        chat = chat_of("one")
        chat = longer(chat, await answer_of(engine, chat), "two")
        await answer_of(engine, change(chat))  # type: ignore[operator]
        assert reuses(phone) == 0
        first, second = chats(phone)
        assert first.json["session_id"] != second.json["session_id"]


async def test_another_conversation_between_two_turns_ends_the_first() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url, sessions=True) as engine:
        chat = chat_of("one")
        chat = longer(chat, await answer_of(engine, chat), "two")
        await answer_of(engine, chat_of("somebody else"))
        await answer_of(engine, chat)
        assert reuses(phone) == 0
        assert len({request.json["session_id"] for request in chats(phone)}) == 3


async def test_an_answer_that_we_cut_is_not_gone_on_with() -> None:
    """The app remembers more of it than the client has."""
    async with FakeLocalLLM() as phone, engine_for(phone.url, sessions=True) as engine:
        chat = chat_of("one two three four", stop=("three",))
        chat = longer(chat, await answer_of(engine, chat), "five")
        await answer_of(engine, chat)
        assert reuses(phone) == 0


async def test_a_clients_own_session_is_passed_on() -> None:
    """`protocols/pitwall.md` 6, profile C."""
    async with FakeLocalLLM() as phone:
        for sessions in (False, True):
            async with engine_for(phone.url, sessions=sessions) as engine:
                await answer_of(engine, replace(chat_of(), session="pitwall-analyze-7"))
        async with engine_for(phone.url) as engine:
            await answer_of(engine)
        sent = [request.json.get("session_id") for request in chats(phone)]
        assert sent == ["pitwall-analyze-7", "pitwall-analyze-7", None]


# --- where the app is -------------------------------------------------------------------------------------------------


async def test_the_app_is_found_beside_another_program() -> None:
    """3: two default ports; a Farmhand may have one of them."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    other = int(runner.addresses[0][1])
    try:
        async with FakeLocalLLM() as phone:
            async with engine_for(None, ports=(other, phone.port)) as engine:
                assert (await engine.health()).ready
                assert await answer_of(engine) == "say hello to the harbour"
            async with engine_for(f"http://127.0.0.1:{other}") as engine:
                health_of_other = await engine.health()
                assert not health_of_other.ready
                assert "Something other than LocalLLM" in health_of_other.detail
                assert await engine.models() == []
        assert localllm_builds.PORTS == (8099, 8080)
    finally:
        await runner.cleanup()


async def test_an_app_that_comes_later_is_found() -> None:
    async with FakeLocalLLM(restart_s=None) as phone:
        port = phone.port
    async with engine_for(f"http://127.0.0.1:{port}") as engine:
        assert await engine.models() == []
        async with FakeLocalLLM(port=port):
            assert GEMMA in {card.id for card in await engine.models()}
            assert await answer_of(engine) == "say hello to the harbour"


# --- warm-up ------------------------------------------------------------------------------------------------------------


def warm_ups(phone: FakeLocalLLM) -> list[str]:
    return [request.query["model"] for request in phone.requests if request.path == "/health/warm"]


async def test_the_app_is_warmed_up_once_when_it_is_found() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url, warm=True) as engine:
        await until(lambda: warm_ups(phone) == [GEMMA] and engine._seats.taken == 0)
        assert phone.engines == [f"{GEMMA}_model_LITERT_CPU"]
        for _ in range(3):
            await engine.models()
            await engine.health()
        await answer_of(engine)
        await watched(engine)
        assert warm_ups(phone) == [GEMMA]
        assert phone.overlaps == 0


async def test_nothing_is_warmed_up_while_somebody_asks() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url, warm=True) as engine:
        with phone.hold() as gate:
            running = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            await watched(engine)
            assert warm_ups(phone) == []
        await running
        await engine.models()
        await watched(engine)
        assert warm_ups(phone) == [], "the answer has loaded the model"
        assert phone.overlaps == 0


async def test_requests_wait_for_a_warm_up() -> None:
    async with FakeLocalLLM(load_delay_s=0.2) as phone, engine_for(phone.url, warm=True) as engine:
        await until(lambda: engine._seats.taken == 1)
        assert await answer_of(engine) == "say hello to the harbour"
        assert warm_ups(phone) == [GEMMA]
        assert (phone.crashes, phone.overlaps, phone.max_in_flight) == (0, 0, 1)


async def test_builds_without_the_route_are_left_alone() -> None:
    async with FakeLocalLLM(build="rich") as phone, engine_for(phone.url, warm=True) as engine:
        await watched(engine)
        await engine.models()
        await watched(engine)
        assert warm_ups(phone) == []


@pytest.mark.parametrize(("models", "expected"), [((), [AICORE_ID]), ((GEMMA,), [GEMMA])])
async def test_gemini_nano_is_warmed_up_only_if_there_is_no_other(models: tuple[str, ...], expected: list[str]) -> None:
    async with FakeLocalLLM(models=models) as phone, engine_for(phone.url, warm=True) as engine:
        await until(lambda: warm_ups(phone) == expected)
        assert (await engine.health()).ready


async def test_a_warm_up_that_fails_is_only_told() -> None:
    async with FakeLocalLLM(models=("gemma3-1b-it-npu-sm8650",)) as phone, engine_for(phone.url, warm=True) as engine:
        await until(lambda: engine._life.trouble != "")
        health = await engine.health()
        assert health.ready and "Warming up failed" in health.detail


async def test_started_first_with_a_queue_behind_a_warm_up_that_is_slow() -> None:
    """A client that leaves while it waits for the warm-up just leaves."""
    async with FakeLocalLLM(load_delay_s=0.3) as phone, engine_for(phone.url, warm=True) as engine:
        await until(lambda: engine._seats.taken == 1)
        waiting = asyncio.create_task(answer_of(engine))
        await until(lambda: engine._seats.waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (engine._seats.waiting, chats(phone)) == (0, [])
        stream = engine.generate(Chat(GEMMA, (Message(Role.USER, "x"),)))
        assert await anext(stream) == Started()
        await stream.aclose()


async def test_a_phone_that_is_too_busy_to_speak_of_itself_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """All cores are at work on our own answer."""
    clock = [0.0]
    async with FakeLocalLLM() as phone, engine_for(phone.url, now_s=lambda: clock[0]) as engine:
        listed = [card.id for card in await engine.models()]
        with phone.hold() as gate:
            running = asyncio.create_task(answer_of(engine))
            await gate.reached.wait()
            clock[0] += 1_000
            monkeypatch.setattr("adapter.engines.localllm_probe.FIND_S", 0.0)
            assert [card.id for card in await engine.models()] == listed
            assert (await engine.health()).ready
        await running
        assert await engine.models() == []
        assert not (await engine.health()).ready
