"""`InferrlmEngine` against the fake app: every rule of section 16, one after the other, for every build.

Also here, as they belong to rules 5 and 12: stop strings and limits, which the engine keeps itself.
"""

from __future__ import annotations

import asyncio
import logging

import pytest

from adapter.chat import Finished, ReasoningDelta
from adapter.chat import FinishReason as Reason
from adapter.engines.inferrlm_run import Pauses
from adapter.errors import EngineFailed, EngineUnavailable, QueueFull
from tests.fakes.inferrlm import GEMMA_LITERT, LLAMA, QWEN, Build, FakeInferrLM, FakeModelRuntime, Script
from tests.wire.inferrlm_cases import (
    LONG,
    PAUSES,
    answer_of,
    chat_of,
    chats,
    engine_for,
    events_of,
    every_build,
    leave_after_text,
    let_go_of_seat,
    nobody_connected,
    text_of,
)

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
@pytest.mark.parametrize("marks", [False, True])
async def test_rule_10_the_health_says_it_plainly(build: Build, marks: bool) -> None:
    """Where people look when answers are short: what it is, and what to do about it."""
    async with FakeInferrLM(build) as phone, engine_for(phone.url, line_marks=marks) as engine:
        detail = (await engine.health()).detail
    assert ("first line break" in detail) == (build != "A")
    assert ("try line_marks = true" in detail) == (build != "A" and not marks)


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
