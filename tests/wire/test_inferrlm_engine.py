"""`InferrlmEngine` against the fake app: every rule of section 16, and the hazards of sections 10 to 13.

An answer that somebody else cut (the owner's chat, an unload) looks whole on the wire and cannot be told
from one (10.2); there is no test for noticing it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from adapter.chat import Chat, Event, Finished, Message, ReasoningDelta, Role, Sampling, Started, TextDelta
from adapter.chat import FinishReason as Reason
from adapter.engines.inferrlm import InferrlmEngine
from adapter.engines.inferrlm_probe import BELIEVED_S
from adapter.engines.inferrlm_run import Pauses
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    QueueFull,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.settings import InferrlmSettings
from tests.fakes.inferrlm import (
    GEMMA_LITERT,
    LLAMA,
    QWEN,
    Build,
    FakeInferrLM,
    FakeModelRuntime,
    Script,
    SeenRequest,
)

BUILDS: tuple[Build, ...] = ("A", "B", "C")
PAUSES = Pauses(retry_s=(0.01, 0.01, 0.02, 0.02), hang_up_s=0.5, settle_s=0.03)
LONG = Script(pieces=[f"w{n} " for n in range(40)])

every_build = pytest.mark.parametrize("build", BUILDS)


@asynccontextmanager
async def engine_for(
    url: str, *, pauses: Pauses = PAUSES, now_s: Callable[[], float] = time.monotonic, **settings: Any
) -> AsyncIterator[InferrlmEngine]:
    """An engine; at the end nothing of it is left running."""
    before = asyncio.all_tasks()
    configured = InferrlmSettings(name="phone", kind="inferrlm", url=url, **settings)
    engine = InferrlmEngine(configured, None, pauses=pauses, now_s=now_s)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        left = [task for task in asyncio.all_tasks() - before if task.get_name().startswith("inferrlm")]
        assert not left, "a task outlived its engine"


def chat_of(text: str = "Say hello to the harbour.", *, model: str = LLAMA, **sampling: Any) -> Chat:
    return Chat(model, (Message(Role.USER, text),), Sampling(**sampling))


async def events_of(engine: InferrlmEngine, chat: Chat | None = None) -> list[Event]:
    return [event async for event in engine.generate(chat or chat_of())]


def text_of(events: list[Event]) -> str:
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def answer_of(engine: InferrlmEngine, chat: Chat | None = None) -> str:
    return text_of(await events_of(engine, chat))


def chats(phone: FakeInferrLM) -> list[SeenRequest]:
    return [request for request in phone.requests if request.path == "/api/chat"]


async def nobody_connected(phone: FakeInferrLM) -> None:
    """Wait until no connection is open."""
    async with asyncio.timeout(5):
        await phone._nobody_connected.wait()


async def let_go_of_seat(engine: InferrlmEngine) -> None:
    """Wait until no run holds the seat."""
    await asyncio.gather(*engine._runs, return_exceptions=True)


# --- section 16, rule by rule --------------------------------------------------------------------------------


@every_build
async def test_rule_1_one_connection_per_request_and_nothing_optional(build: Build) -> None:
    """The fake answers nobody whose method is not whole in the first segment, and no half-closed connection."""
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        await engine.models()
        long = "naïve 日本 " * 300  # a body of some kilobytes
        assert await answer_of(engine, chat_of(long, max_tokens=2))
        assert set(phone.requests_per_connection) == {1}
        for request in phone.requests:
            assert "transfer-encoding" not in request.headers
            assert "expect" not in request.headers
            assert request.body.isascii()
            if request.method == "POST":
                assert int(request.headers["content-length"]) == len(request.body)


@every_build
async def test_rule_1_text_that_is_not_ascii_arrives_whole(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        assert (
            await answer_of(engine, chat_of("naïve 日本語 👋🏽 \U0001d4b3")) == "naïve 日本語 👋🏽 \U0001d4b3"
        )


@every_build
async def test_rule_2_plain_answers_are_read_by_length_and_then_closed_by_us(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        await engine.models()
        await nobody_connected(phone)
        assert {connection.closed_by for connection in phone.connections} == {"client"}


@every_build
async def test_rule_3_the_phone_is_probed_once_and_names_are_the_stored_ones(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        cards = {card.id: card for card in await engine.models()}
        assert list(cards) == [LLAMA, QWEN, GEMMA_LITERT][: 3 if build == "C" else 2]
        assert cards[LLAMA].context_tokens == {"A": 6144, "B": 4096, "C": 4096}[build]
        assert 0 < cards[LLAMA].max_output_tokens < cards[LLAMA].context_tokens
        assert [card.loaded for card in cards.values()][:2] == [True, False]
        for name in (LLAMA.removesuffix(".gguf"), f"{LLAMA.lower()}:latest", ""):
            await answer_of(engine, chat_of(model=name))
        assert {request.json["model"] for request in chats(phone)} == {LLAMA}
        assert [request.path for request in phone.requests].count("/api/version") == 1
        assert f"build {build}" in (await engine.health()).detail


@every_build
async def test_rule_4_everything_is_streamed_from_the_native_endpoint(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events = await events_of(engine)
        assert text_of(events) == "Say hello to the harbour."
        assert len(events) == 1 + 6 + 1
        assert [request.json["stream"] for request in chats(phone)] == [True]


@every_build
async def test_rule_5_sampling_in_options_and_max_tokens_always(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url, default_max_tokens=99) as engine:
        await answer_of(engine)
        await answer_of(engine, chat_of(temperature=0.5, max_tokens=7, stop=("zzz",)))
        mirostat = {"mirostat": 0} if build == "A" else {}
        assert [request.json["options"] for request in chats(phone)] == [
            {"max_tokens": 99, **mirostat},
            {"temperature": 0.5, "max_tokens": 7, **mirostat},
        ]


@every_build
async def test_rule_6_three_callers_never_meet_at_the_phone(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        said = await asyncio.gather(*(answer_of(engine, chat_of(f"number {n} here")) for n in range(3)))
        assert said == [f"number {n} here" for n in range(3)]
        assert phone.overlaps == 0
        assert [request.json["messages"][0]["content"] for request in chats(phone)] == said


async def test_rule_6_the_queue_is_ours_and_bounded() -> None:
    runtime = FakeModelRuntime(script=LONG)
    async with FakeInferrLM("C", engine=runtime) as phone, engine_for(phone.url, queue=1) as engine:
        first, second = (asyncio.create_task(answer_of(engine)) for _ in range(2))
        await phone.log.wait_for("completion_start")
        with pytest.raises(QueueFull):
            await answer_of(engine)
        await asyncio.gather(first, second)
        assert len(chats(phone)) == 2


@every_build
async def test_rule_7_ps_is_asked_before_a_model_is_named(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adapter")
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        await answer_of(engine, chat_of(model=QWEN))
        paths = [request.path for request in phone.requests]
        assert paths[paths.index("/api/chat") - 1] == "/api/ps"
        assert f"model={QWEN} evicts={LLAMA}" in caplog.text
        assert phone.log.of("init_llama")[-1].fields["model"] == QWEN


@every_build
async def test_rule_8_load_and_prefill_are_silent_and_may_be(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(first_token_s=0.15))
    async with (
        FakeInferrLM(build, engine=runtime, loaded=None, load_delay_s=0.1) as phone,
        engine_for(phone.url, first_token_s=5.0, between_tokens_s=0.1) as engine,
    ):
        assert await answer_of(engine) == "Say hello to the harbour."


@every_build
async def test_rule_9_output_is_trusted_over_the_pieces(build: Build) -> None:
    script = Script(pieces=("one", " two"), output="one two three")
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=script)) as phone,
        engine_for(phone.url) as engine,
    ):
        assert await answer_of(engine) == "one two three"


@every_build
async def test_rule_9_another_output_is_a_restarted_answer(build: Build) -> None:
    script = Script(pieces=("one", " two"), output="something else")
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=script)) as phone,
        engine_for(phone.url) as engine,
    ):
        with pytest.raises(EngineFailed, match="started it again"):
            await answer_of(engine)


@every_build
async def test_rule_10_answers_of_one_line_are_announced(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        cards = {card.id: card for card in await engine.models()}
        said = await answer_of(engine, chat_of("three lines"))
        assert cards[LLAMA].multiline == (build == "A")
        assert said == ("First line.\nSecond line.\n\nThird." if build == "A" else "First line.")
        if build == "C":
            assert cards[GEMMA_LITERT].multiline
            assert "\n" in await answer_of(engine, chat_of("three lines", model=GEMMA_LITERT))


@every_build
@pytest.mark.parametrize("word", ["MODEL_BUSY", "Context is busy"])
async def test_rule_11_a_busy_model_is_asked_again(build: Build, word: str) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        phone.runtime.next(Script(refuse=word), Script(refuse=word))
        assert await answer_of(engine) == "Say hello to the harbour."
        assert len(chats(phone)) == 3
        assert phone.overlaps == 0


@every_build
async def test_rule_11_but_not_for_ever(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(refuse="MODEL_BUSY"))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        with pytest.raises(EngineUnavailable, match="busy") as caught:
            await answer_of(engine)
        assert caught.value.retry_after_s is not None
        assert len(chats(phone)) == 1 + len(PAUSES.retry_s)


async def test_rule_11_nor_beyond_the_time_for_the_first_token() -> None:
    runtime = FakeModelRuntime(script=Script(refuse="MODEL_BUSY"))
    async with (
        FakeInferrLM("C", engine=runtime) as phone,
        engine_for(phone.url, first_token_s=50.0, pauses=Pauses(retry_s=(100.0,))) as engine,
    ):
        async with asyncio.timeout(5):
            with pytest.raises(EngineUnavailable):
                await answer_of(engine)
        assert len(chats(phone)) == 1


async def test_rule_12_on_c_our_own_running_stream_is_closed_in_an_orderly_way() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        await leave_after_text(engine)
        end = await phone.log.wait_for("completion_end")
        assert end.fields["n"] < 40
        await let_go_of_seat(engine)
        assert phone.connections[chats(phone)[0].connection].closed_by == "client"  # and not "reset"
        await answer_of(engine, chat_of(max_tokens=1))
        assert phone.overlaps == 0


async def test_rule_12_the_seat_is_kept_until_the_model_has_stopped() -> None:
    """It stops only after the current token, and nothing on the wire says when."""
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url, pauses=Pauses(settle_s=100.0)) as engine,
    ):
        await leave_after_text(engine)
        await nobody_connected(phone)
        done, _ = await asyncio.wait(engine._runs, timeout=0.1)
        assert not done
        assert engine._seats.taken == 1


@every_build
async def test_rule_12_an_answer_that_we_ended_is_left_before_its_last_event_is_read(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(pieces=LONG.pieces, hang_after=10))
    async with (
        FakeInferrLM(build, engine=runtime) as phone,
        engine_for(phone.url, first_token_s=0.2, between_tokens_s=100.0) as engine,
    ):
        stream = engine.generate(chat_of(stop=("w3",)))
        while not isinstance(await anext(stream), Finished):
            pass
        async with asyncio.timeout(5):
            await let_go_of_seat(engine)
        await stream.aclose()


@pytest.mark.parametrize("build", ["A", "B"])
async def test_rule_12_on_a_and_b_it_runs_to_its_end_and_keeps_the_seat(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        await leave_after_text(engine)
        await answer_of(engine, chat_of(max_tokens=1))
        assert [event.fields["n"] for event in phone.log.of("completion_end")] == [40, 1]
        assert phone.overlaps == 0


@pytest.mark.parametrize("build", ["A", "B"])
async def test_rule_12_or_is_ended_by_unloading_where_the_owner_prefers_that(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url, cancel="unload") as engine,
    ):
        await leave_after_text(engine)
        end = await phone.log.wait_for("completion_end")
        assert end.fields["n"] < 40
        await let_go_of_seat(engine)
        assert phone.requests[-1].json == {"action": "unload"}
        assert await answer_of(engine, chat_of(max_tokens=1))


@pytest.mark.parametrize("build", ["A", "C"])  # on B the answer ends with the line break after `<think>`
async def test_rule_13_reasoning_is_split(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events = await events_of(engine, chat_of("think please"))
        reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        assert reasoning == "The user said something. I will echo it."
        assert text_of(events) == "think please"


async def leave_after_text(engine: InferrlmEngine) -> None:
    async with aclosing(engine.generate(chat_of())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break


# --- how answers go wrong (10) ---------------------------------------------------------------------------------


async def failed(engine: InferrlmEngine, chat: Chat | None = None) -> tuple[list[Event], AdapterError]:
    """What came before the error, and the error."""
    events: list[Event] = []
    with pytest.raises(AdapterError) as caught:
        async for event in engine.generate(chat or chat_of()):
            events.append(event)  # noqa: PERF401  what came before the error is wanted too
    return events, caught.value


@every_build
async def test_failure_before_the_first_token(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(fail_after=0))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert events == [Started()]
        assert type(error) is EngineFailed
        assert "Failed to evaluate" in error.message
        assert len(chats(phone)) == 1  # a failure of its own is not tried again


@every_build
async def test_failure_in_the_middle(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(fail_after=3))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert len(events) == 1 + 3
        assert type(error) is EngineFailed


@every_build
async def test_an_empty_answer_is_an_error(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of("nothing"))
        assert events == [Started()]
        assert type(error) is UpstreamProtocol
        assert ("line break" in error.message) == (build != "A")


@every_build
async def test_a_lost_tail_is_an_error(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(lose_tail_after=2))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine)
        assert len(events) == 1 + 2
        assert type(error) is UpstreamProtocol


@every_build
async def test_a_phone_that_vanishes_in_mid_answer_is_an_error(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(reset_after=2))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine)
        assert type(error) is UpstreamProtocol


@pytest.mark.parametrize("build", ["B", "C"])
async def test_a_full_context_restarts_the_answer_which_is_an_error(build: Build) -> None:
    """B and C begin again in the same stream; A ends as if complete (10.3)."""
    for full in ((3, 3, 3), (3, None)):
        runtime = FakeModelRuntime(script=Script(context_full_after=full))
        async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
            _, error = await failed(engine)
            assert type(error) is EngineFailed
            assert "started it again" in error.message


@every_build
async def test_a_prompt_over_the_window_never_reaches_the_phone(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of("word " * 7000))
        assert events == []
        assert type(error) is ContextTooLong
        assert chats(phone) == []


@every_build
async def test_a_prompt_that_only_the_app_finds_too_long(build: Build) -> None:
    runtime = FakeModelRuntime(n_ctx=20)
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine, chat_of("word " * 50))
        assert type(error) is ContextTooLong


@every_build
async def test_a_model_that_cannot_be_loaded(build: Build) -> None:
    runtime = FakeModelRuntime(failing_models=frozenset({QWEN}))
    async with FakeInferrLM(build, engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of(model=QWEN))
        assert events == []
        assert type(error) is EngineFailed
        assert QWEN in error.message
        assert await answer_of(engine)


@every_build
async def test_no_first_token_within_the_limit(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url, first_token_s=0.1) as engine:
        events, error = await failed(engine, chat_of("hang"))
        assert events == [Started()]
        assert type(error) is UpstreamTimeout
        assert "first_token_s" in error.message
        await let_go_of_seat(engine)
        if build != "B":  # C was released by our leaving, A by the next request; on B the owner must unload
            assert await answer_of(engine) == "Say hello to the harbour."


@every_build
async def test_a_stall_between_tokens(build: Build) -> None:
    runtime = FakeModelRuntime(script=Script(hang_after=3))
    async with (
        FakeInferrLM(build, engine=runtime) as phone,
        engine_for(phone.url, first_token_s=0.2, between_tokens_s=0.05) as engine,
    ):
        events, error = await failed(engine)
        assert len(events) == 1 + 3
        assert type(error) is UpstreamTimeout
        assert "between_tokens_s" in error.message


async def test_a_slow_reader_loses_nothing() -> None:
    """The app's bytes are taken off its hands at once: what it still holds when it closes is lost (4.3)."""
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        async with aclosing(engine.generate(chat_of())) as stream:
            events = [await anext(stream)]
            await phone.log.wait_for("completion_end")
            await let_go_of_seat(engine)  # the seat is free although the reader has read nothing yet
            events += [event async for event in stream]
        assert text_of(events) == "".join(LONG.pieces or ())


# --- stop strings and limits -------------------------------------------------------------------------------------


@every_build
async def test_stop_strings_are_ours(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        events = await events_of(engine, chat_of(stop=("w3",)))
        assert text_of(events) == "w0 w1 w2 "
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.reason is Reason.STOP
        await let_go_of_seat(engine)
        produced = phone.log.of("completion_end")[0].fields["n"]
        assert produced < 40 if build == "C" else produced == 40


@every_build
async def test_max_tokens_end_with_length_and_usage_is_counted(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        last = (await events_of(engine, chat_of(max_tokens=5)))[-1]
        assert isinstance(last, Finished)
        assert last.reason is Reason.LENGTH
        assert last.usage.completion_tokens == 5
        assert last.usage.prompt_tokens > 0


# --- models ------------------------------------------------------------------------------------------------------


@every_build
async def test_unknown_models_are_answered_with_the_nearest_names(build: Build) -> None:
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        for name in ("Llama-3.2-3B-Instruct", "gemini", "mmproj-model-f16.gguf"):
            _, error = await failed(engine, chat_of(model=name))
            assert type(error) is ModelNotFound
            assert LLAMA in error.message
        assert chats(phone) == []


async def test_a_phone_without_models() -> None:
    async with FakeInferrLM("B", models=[], loaded=None) as phone, engine_for(phone.url) as engine:
        assert await engine.models() == []
        health = await engine.health()
        assert not health.ready
        assert "download" in health.detail
        assert type((await failed(engine))[1]) is EngineUnavailable


async def test_health_never_loads_a_model() -> None:
    async with FakeInferrLM("B", loaded=None) as phone, engine_for(phone.url) as engine:
        health = await engine.health()
        assert health.ready
        assert "first answer takes longer" in health.detail
        await engine.models()
        assert len(phone.log) == 0


async def test_probes_are_answered_while_the_phone_generates() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        running = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("completion_start")
        assert (await engine.health()).ready
        assert await engine.models()
        await running
        assert phone.overlaps == 0


# --- the app comes and goes --------------------------------------------------------------------------------------


async def test_app_closed() -> None:
    async with FakeInferrLM("C") as phone:
        url = phone.url
    async with engine_for(url) as engine:
        assert await engine.models() == []
        health = await engine.health()
        events, error = await failed(engine)
    assert not health.ready
    assert events == []
    assert type(error) is UpstreamUnreachable
    assert error.status == 503
    for said in (error.message, health.detail):
        assert all(word in said for word in ("InferrLM", url, "Server screen"))


async def test_the_app_returns_as_another_build() -> None:
    async with FakeInferrLM("A") as phone:
        port, url = phone.port, phone.url
        async with engine_for(url) as engine:
            await answer_of(engine)
            await phone.__aexit__(None, None, None)
            assert type((await failed(engine))[1]) is UpstreamUnreachable
            async with FakeInferrLM("C", port=port) as updated:
                assert await answer_of(engine) == "Say hello to the harbour."
                assert "mirostat" not in chats(updated)[0].json["options"]
                assert "build C" in (await engine.health()).detail


async def test_an_update_that_nobody_noticed_is_found_after_a_while() -> None:
    now_s = 0.0
    async with FakeInferrLM("B") as phone:
        port = phone.port
        async with engine_for(phone.url, now_s=lambda: now_s) as engine:
            await answer_of(engine)
            await phone.__aexit__(None, None, None)
            async with FakeInferrLM("C", port=port):
                now_s += BELIEVED_S / 2
                assert "build B" in (await engine.health()).detail  # both builds call themselves 0.8.7
                now_s += BELIEVED_S
                assert "build C" in (await engine.health()).detail


async def test_another_version_is_noticed_by_the_next_look() -> None:
    async with FakeInferrLM("A") as phone:
        port = phone.port
        async with engine_for(phone.url) as engine:
            await engine.health()
            await phone.__aexit__(None, None, None)
            async with FakeInferrLM("B", port=port):
                assert "build B" in (await engine.health()).detail


# --- leaving at every moment (12) --------------------------------------------------------------------------------


@every_build
async def test_leaving_the_queue_harms_nobody(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        first = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("completion_start")
        queued = asyncio.create_task(answer_of(engine))
        last = asyncio.create_task(answer_of(engine))
        await asyncio.sleep(0.02)
        queued.cancel()
        await asyncio.gather(queued, return_exceptions=True)
        assert await first == await last == "".join(LONG.pieces or ())
        assert len(chats(phone)) == 2
        assert phone.overlaps == 0


@every_build
async def test_leaving_before_the_headers_keeps_the_seat_until_the_app_is_done(build: Build) -> None:
    """A load does not notice that its client has left (6)."""
    async with (
        FakeInferrLM(build, loaded=None, load_delay_s=0.1, engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        leaver = asyncio.create_task(answer_of(engine))
        await phone.log.wait_for("init_llama")
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        await answer_of(engine, chat_of(max_tokens=1))
        assert phone.overlaps == 0
        abandoned = phone.log.of("completion_end")[0].fields["n"]
        assert abandoned < 40 if build == "C" else abandoned == 40
        assert phone.connections[chats(phone)[0].connection].closed_by != "reset"


async def test_leaving_before_anything_was_sent_sends_nothing() -> None:
    async with FakeInferrLM("B") as phone, engine_for(phone.url) as engine:
        run = engine._start(await engine._plan(chat_of()), engine._seats.take())
        run.leave()
        await run.task
        assert chats(phone) == []
        assert engine._seats.taken == 0


async def test_leaving_before_the_headers_on_c_is_made_good_when_they_come() -> None:
    """Without waiting for text, which may never come."""
    async with (
        FakeInferrLM("C", loaded=None, load_delay_s=0.05) as phone,
        engine_for(phone.url) as engine,
    ):
        leaver = asyncio.create_task(answer_of(engine, chat_of("hang")))
        await phone.log.wait_for("init_llama")
        leaver.cancel()
        await phone.log.wait_for("completion_end")
        assert await answer_of(engine)
        assert phone.overlaps == 0


async def test_leaving_while_the_app_is_only_asked_again_ends_at_once() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=Script(refuse="MODEL_BUSY"))) as phone,
        engine_for(phone.url, pauses=Pauses(retry_s=(100.0,))) as engine,
    ):
        stream = engine.generate(chat_of())
        assert await anext(stream) == Started()
        await nobody_connected(phone)
        await stream.aclose()
        async with asyncio.timeout(5):
            await let_go_of_seat(engine)
        assert len(chats(phone)) == 1


@every_build
async def test_closing_the_engine_ends_what_runs(build: Build) -> None:
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=Script(hang_after=2))) as phone,
        engine_for(phone.url) as engine,
    ):
        running, queued = (asyncio.create_task(failed(engine)) for _ in range(2))
        await phone.log.wait_for("completion_start")
        await engine.close()
        assert type((await running)[1]) is EngineUnavailable
        assert type((await queued)[1]) is EngineUnavailable
        await engine.close()


async def test_a_fault_of_ours_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may wait for ever because a background task broke."""
    async with FakeInferrLM("C") as phone, engine_for(phone.url) as engine:
        monkeypatch.setattr("adapter.engines.inferrlm_run.parse_records", lambda values: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await answer_of(engine)
        monkeypatch.undo()
        assert await answer_of(engine)


async def test_close_before_start_does_nothing() -> None:
    engine = InferrlmEngine(InferrlmSettings(name="phone", kind="inferrlm"))
    await engine.close()
    await engine.close()


# --- LiteRT (13.2) -----------------------------------------------------------------------------------------------


async def break_litert(phone: FakeInferrLM) -> None:
    """Somebody else leaves while the model is being reloaded (`litert-stuck-after-disconnect`)."""
    body = b'{"messages":[{"role":"user","content":"x"}],"stream":true,"options":{"temperature":0.4,"max_tokens":4096}}'
    reader, writer = await asyncio.open_connection("127.0.0.1", phone.port)
    writer.write(b"POST /api/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await reader.readuntil(b"\r\n\r\n")
    await phone.log.wait_for("litert_load")
    writer.close()
    await writer.wait_closed()
    await phone.log.wait_for("litert_end")


async def test_litert_streams_that_stay_empty_are_repeated_without_streaming() -> None:
    async with (
        FakeInferrLM("C", loaded=GEMMA_LITERT, load_delay_s=0.05) as phone,
        engine_for(phone.url) as engine,
    ):
        await break_litert(phone)
        events = await events_of(engine, chat_of(model=GEMMA_LITERT, temperature=0.4))
        assert text_of(events) == "Say hello to the harbour."
        assert [request.json["stream"] for request in chats(phone)] == [True, True, False]
        assert phone.overlaps == 0


async def test_litert_an_answer_that_is_empty_both_ways_is_an_error() -> None:
    runtime = FakeModelRuntime(script=Script(pieces=()))
    async with FakeInferrLM("C", engine=runtime) as phone, engine_for(phone.url) as engine:
        events, error = await failed(engine, chat_of(model=GEMMA_LITERT))
        assert events == [Started()]
        assert type(error) is UpstreamProtocol
        assert len(chats(phone)) == 2


async def test_litert_answers_do_not_reload_the_model_and_do_not_see_each_other() -> None:
    async with FakeInferrLM("C") as phone, engine_for(phone.url) as engine:
        for text, limit in (("first question", 50), ("second one", 60), ("third one", 70)):
            assert await answer_of(engine, chat_of(text, model=GEMMA_LITERT, max_tokens=limit)) == text
        # Once for the model, once for our options, which from then on stay the same.
        assert len(phone.log.of("litert_load")) == 2
        assert [event.fields["turn"] for event in phone.log.of("litert_start")] == [1, 1, 1]


async def test_litert_leaving_during_a_reload_is_not_noticed_by_the_app() -> None:
    async with (
        FakeInferrLM("C", loaded=GEMMA_LITERT, load_delay_s=0.1) as phone,
        engine_for(phone.url) as engine,
    ):
        leaver = asyncio.create_task(answer_of(engine, chat_of("a b c", model=GEMMA_LITERT)))
        await phone.log.wait_for("litert_load")
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        assert await answer_of(engine, chat_of(model=GEMMA_LITERT)) == "Say hello to the harbour."
        assert [request.json["stream"] for request in chats(phone)] == [True, True]


async def test_litert_max_tokens_are_ours_to_keep() -> None:
    async with (
        FakeInferrLM("C", engine=FakeModelRuntime(script=LONG)) as phone,
        engine_for(phone.url) as engine,
    ):
        events = await events_of(engine, chat_of(model=GEMMA_LITERT, max_tokens=3))
        assert text_of(events) == "w0 w1 w2 "
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.reason is Reason.LENGTH
        await let_go_of_seat(engine)
        assert phone.log.of("litert_end")[0].fields["n"] < 40


async def test_litert_needs_a_user_message() -> None:
    async with FakeInferrLM("C") as phone, engine_for(phone.url) as engine:
        chat = Chat(GEMMA_LITERT, (Message(Role.SYSTEM, "Be kind."),))
        assert type((await failed(engine, chat))[1]) is BadRequest
