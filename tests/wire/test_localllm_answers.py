"""`LocalllmEngine` and what a healthy LocalLLM does: shapes of requests and answers (`protocols/localllm.md` 6 to 9)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from adapter.chat import (
    Chat,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    UsageSource,
)
from adapter.engines.base import Can, Embeds, Seated
from adapter.errors import BadRequest, ContextTooLong, ModelNotFound, NotCapable
from tests.fakes.localllm import AICORE_ID, Build, FakeLocalLLM, Reply
from tests.wire.contract import check_events
from tests.wire.localllm_cases import (
    GEMMA,
    answer_of,
    calls_of,
    chat_of,
    chats,
    end_of,
    engine_for,
    events_of,
    failed,
    text_of,
)

BUILDS: tuple[Build, ...] = ("monolith", "split", "rich", "warm")
LAP = Tool("get_corner", "Corner data", '{"type":"object","properties":{"lap":{"type":"integer"}},"required":["lap"]}')


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("stream", ["never", "auto"])
async def test_every_build_answers(build: Build, stream: str) -> None:
    async with FakeLocalLLM(build=build) as phone, engine_for(phone.url, stream=stream) as engine:
        events = await events_of(engine)
        check_events(events)
        assert text_of(events) == "say hello to the harbour"
        assert end_of(events).reason is FinishReason.STOP
        assert end_of(events).usage.completion_source is UsageSource.ESTIMATED
        assert (await engine.health()).ready
        assert build in (await engine.health()).detail


async def test_only_fields_that_the_app_honours_are_sent() -> None:
    """7.1, 7.4, 9: above all never `max_tokens`, which would load another engine and shrink the context."""
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        await answer_of(
            engine, chat_of(temperature=0.5, top_k=7, top_p=0.5, seed=3, max_tokens=256, stop=("zzz",), min_p=0.1)
        )
        (seen,) = chats(phone)
        assert set(seen.json) == {"model", "messages", "stream", "temperature", "top_k"}
        assert seen.headers["user-agent"] == "farmhand"
        assert seen.headers["accept"] == "application/json, text/event-stream"
        assert seen.headers["content-type"] == "application/json"
        assert "content-length" in seen.headers
        assert phone.engines == [f"{GEMMA}_model_LITERT_CPU"]


async def test_max_tokens_is_kept_on_our_side() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        events = await events_of(engine, chat_of("one two three four five six seven", max_tokens=3))
        check_events(events)
        assert end_of(events).reason is FinishReason.LENGTH
        assert "one two three four five six seven".startswith(text_of(events))
        assert len(text_of(events)) < 22


async def test_max_tokens_ends_a_stream_and_the_rest_is_read_in_the_seat() -> None:
    words = Reply(tuple(f"{w} " for w in ["alpha", "be", "gamma", "d", "epsilon", "ze"] * 20))
    async with (
        FakeLocalLLM(reply=words, deltas="correct") as phone,
        engine_for(phone.url, stream="always") as engine,
    ):
        events = await events_of(engine, chat_of(max_tokens=5))
        check_events(events)
        assert end_of(events).reason is FinishReason.LENGTH
        assert "".join(words.pieces).startswith(text_of(events))
        assert await answer_of(engine) == "".join(words.pieces)
        assert (phone.crashes, phone.overlaps, phone.max_in_flight) == (0, 0, 1)


@pytest.mark.parametrize("stream", ["never", "always"])
async def test_stop_strings_are_kept_on_our_side(stream: str) -> None:
    async with FakeLocalLLM(deltas="correct") as phone, engine_for(phone.url, stream=stream) as engine:
        events = await events_of(engine, chat_of("red green blue yellow", stop=("een b", "low")))
        check_events(events)
        assert (text_of(events), end_of(events).reason) == ("red gr", FinishReason.STOP)


@pytest.mark.parametrize("stream", ["never", "always"])
async def test_reasoning_is_told_apart(stream: str) -> None:
    reply = Reply(("<thi", "nk>let me ", "see</think>", "\n\nbrake late"))
    async with FakeLocalLLM(reply=reply, deltas="correct") as phone, engine_for(phone.url, stream=stream) as engine:
        events = await events_of(engine)
        check_events(events)
        assert "".join(e.text for e in events if isinstance(e, ReasoningDelta)) == "let me see"
        assert text_of(events) == "brake late"


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("numbers", ["int", "float"])
async def test_tool_calls(stream: str, numbers: str) -> None:
    """7.3, 8.2, 8.3: ids unique, an index, integers where the schema wants them."""
    reply = Reply(("I look. ",), (("get_corner", {"lap": 3}), ("get_corner", {"lap": 4})))
    async with (
        FakeLocalLLM(reply=reply, deltas="correct", whole_numbers=numbers) as phone,  # type: ignore[arg-type]
        engine_for(phone.url, stream=stream) as engine,
    ):
        chat = replace(chat_of(), tools=(LAP,))
        first, second = await events_of(engine, chat), await events_of(engine, chat)
        check_events(first)
        assert end_of(first).reason is FinishReason.TOOL_CALLS
        calls = calls_of(first)
        assert [(call.index, call.name) for call in calls] == [(0, "get_corner"), (1, "get_corner")]
        assert [call.arguments for call in calls] == ['{"lap": 3}', '{"lap": 4}']
        assert len({call.id for call in calls + calls_of(second)}) == 4
        # Text beside calls is lost by the app itself in plain answers.
        assert text_of(first) == ("I look. " if stream == "always" else "")


async def test_a_round_trip_with_tools_in_adks_dialect() -> None:
    """`protocols/pitwall.md` 4.2 and 8, rows 10 to 12."""
    schema = {
        "type": "OBJECT",
        "properties": {
            "names": {"any_of": [{"type": "ARRAY", "items": {"type": "STRING"}}, {"type": "NULL"}], "nullable": True}
        },
    }
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        chat = Chat(
            GEMMA,
            (
                Message(Role.SYSTEM, "Narrate."),
                Message(Role.USER, "Debrief"),
                Message(Role.ASSISTANT, "", tool_calls=(ToolCall("call_1", "f", '{"lap": 3}'), ToolCall("call_2", "f", "{}"))),
                Message(Role.TOOL, "ok", tool_call_id="call_1"),
                Message(Role.TOOL, "no", tool_call_id="call_2"),
                Message(Role.USER, "Go on"),
                Message(Role.USER, "For context: T4 is slow"),
            ),
            tools=(Tool("f", "", json.dumps(schema)), Tool("bare")),
        )
        await answer_of(engine, chat)
        (seen,) = chats(phone)
        assert [m["role"] for m in seen.json["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
        assert seen.json["messages"][-1]["content"] == "Go on\n\nFor context: T4 is slow"
        assert seen.json["tools"][0]["function"]["parameters"] == {
            "type": "object",
            "properties": {"names": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}},
        }
        assert seen.json["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}


async def test_tool_choice() -> None:
    """None: the model does not see the tools. One: it sees that one; whether it calls it is checked by the dispatcher."""
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        chat = replace(chat_of(), tools=(LAP, replace(LAP, name="other")))
        await answer_of(engine, replace(chat, tool_choice=ToolChoice(ToolMode.NONE)))
        await answer_of(engine, replace(chat, tool_choice=ToolChoice(ToolMode.REQUIRED, "other")))
        none, one = chats(phone)
        assert "tools" not in none.json
        assert [tool["function"]["name"] for tool in one.json["tools"]] == ["other"]
        card = {card.id: card for card in await engine.models()}[GEMMA]
        assert Can.TOOLS in card.can and Can.TOOLS in card.checked


async def test_models_by_what_their_names_tell() -> None:
    async with (
        FakeLocalLLM(models=(GEMMA, "gemma3-1b-it-npu-sm8650"), embedders=("bge-small-en-v1.5",)) as phone,
        engine_for(phone.url, context_tokens=8_192) as engine,
    ):
        cards = {card.id: card for card in await engine.models()}
        assert set(cards) == {GEMMA, "gemma3-1b-it-npu-sm8650", "bge-small-en-v1.5", AICORE_ID}
        assert cards[GEMMA].can == {Can.CHAT, Can.TOOLS, Can.VISION}
        assert (cards[GEMMA].context_tokens, cards[GEMMA].loaded) == (8_192, False)
        assert cards["gemma3-1b-it-npu-sm8650"].context_tokens == 1_280
        assert cards["bge-small-en-v1.5"].can == {Can.EMBEDDINGS}
        assert cards["bge-small-en-v1.5"].embedding_size == 384
        assert cards[AICORE_ID].can == {Can.CHAT}
        assert (cards[AICORE_ID].context_tokens, cards[AICORE_ID].max_output_tokens) == (4_096, 256)
        await answer_of(engine)
        assert {card.id: card.loaded for card in await engine.models()}[GEMMA]
        assert isinstance(engine, Seated) and isinstance(engine, Embeds) and engine.capacity == 1


async def test_what_cannot_be_is_refused_before_the_app_sees_it() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        cases = [
            (chat_of(model="nobody"), ModelNotFound, "model"),
            (chat_of(model="bge-small-en-v1.5"), NotCapable, "model"),
            (chat_of("word " * 6_000), ContextTooLong, "messages"),
            (Chat(GEMMA, (Message(Role.SYSTEM, "only"),)), NotCapable, "messages"),
            (Chat(GEMMA, (Message(Role.USER, "a"), Message(Role.ASSISTANT, "b"))), NotCapable, "messages"),
            (replace(chat_of(model=AICORE_ID), tools=(LAP,)), NotCapable, "tools"),
            (
                Chat(GEMMA, (Message(Role.USER, "see", images=("https://example.org/a.png",)),)),
                BadRequest,
                "messages[0].content",
            ),
        ]
        for chat, kind, param in cases:
            events, error = await failed(engine, chat)
            assert (events, type(error), error.param) == ([], kind, param)
        assert chats(phone) == []


async def test_pictures() -> None:
    """7.2: data: URLs only, before the text."""
    png = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        await answer_of(engine, Chat(GEMMA, (Message(Role.USER, "what is it", images=(png,)),)))
        content = chats(phone)[0].json["messages"][0]["content"]
        assert content == [
            {"type": "image_url", "image_url": {"url": png}},
            {"type": "text", "text": "what is it"},
        ]


async def test_aicore_gets_its_own_form() -> None:
    """8.6: no session, `max_tokens` is the output's, from 1 to 256."""
    async with FakeLocalLLM(models=()) as phone, engine_for(phone.url, sessions=True) as engine:
        chat = Chat(
            AICORE_ID,
            (
                Message(Role.SYSTEM, "Be brief."),
                Message(Role.USER, "hi"),
                Message(Role.DEVELOPER, "Be kind."),
                Message(Role.USER, "say hello"),
            ),
            session="mine",
        )
        check_events(await events_of(engine, replace(chat, sampling=chat_of(max_tokens=900).sampling)))
        await answer_of(engine, chat)
        first, second = chats(phone)
        assert first.json["max_tokens"] == 256
        assert "max_tokens" not in second.json
        assert "session_id" not in first.json
        assert first.json["messages"] == [
            {"role": "system", "content": "Be brief.\n\nBe kind."},
            {"role": "user", "content": "hi\n\nsay hello"},
        ]


@pytest.mark.parametrize("deltas", ["length", "correct"])
async def test_streams_are_used_only_where_a_check_has_shown_them_whole(deltas: str) -> None:
    """8.4. The check is made once for each model, in the seat, before the first answer."""
    async with FakeLocalLLM(deltas=deltas) as phone, engine_for(phone.url, stream="auto") as engine:  # type: ignore[arg-type]
        answers = await asyncio.gather(*(answer_of(engine, chat_of(f"four even word part {n}")) for n in range(3)))
        assert answers == [f"four even word part {n}" for n in range(3)]
        modes = [request.json["stream"] for request in chats(phone)]
        assert modes == [False, True] + [deltas == "correct"] * 3
        assert (phone.crashes, phone.max_in_flight) == (0, 1)


async def test_a_stream_comes_as_it_is_written() -> None:
    async with FakeLocalLLM(deltas="correct") as phone, engine_for(phone.url, stream="always") as engine:
        with phone.hold() as gate:
            stream = engine.generate(chat_of("one two three"))
            assert await anext(stream) == Started()
            await gate.reached.wait()
        assert [event async for event in stream if isinstance(event, TextDelta)] == [
            TextDelta("one"), TextDelta(" two"), TextDelta(" three"),
        ]  # fmt: skip


async def test_a_plain_answer_that_takes_long_begins_before_its_text() -> None:
    """So that the server can keep its client alive."""
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        with phone.hold() as gate:
            stream = engine.generate(chat_of())
            assert await anext(stream) == Started()
            assert gate.reached.is_set()
        assert isinstance(await anext(stream), TextDelta)
        await stream.aclose()


async def test_embeddings() -> None:
    """13: together where their size leaves no doubt, alone where one may have been cut."""
    texts = ["first lap", "second lap", *(f"{'some words here ' * 12}{n}" for n in range(3))]
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        found = await engine.embed("bge-small-en-v1.5", texts)
        assert len(found.vectors) == 5
        assert all(sum(x * x for x in vector) == pytest.approx(1) for vector in found.vectors)
        assert found.prompt_tokens > 0
        again = await engine.embed("bge-small-en-v1.5", texts[::-1])
        assert again.vectors[::-1] == found.vectors
        sent = [request.json for request in phone.requests if request.path == "/v1/embeddings"]
        assert max(len(body["input"]) for body in sent) > 1, "short ones go together"
        assert len(sent) > 2, "long ones do not"
        assert {body["encoding_format"] for body in sent} == {"float"}


async def test_a_text_that_the_app_would_cut_is_refused() -> None:
    async with FakeLocalLLM() as phone, engine_for(phone.url) as engine:
        with pytest.raises(ContextTooLong) as caught:
            await engine.embed("bge-small-en-v1.5", ["short", "word " * 300])
        assert caught.value.param == "input[1]"
        with pytest.raises(ModelNotFound):
            await engine.embed("nobody", ["a"])


async def test_an_embedding_model_under_another_name_is_learned() -> None:
    """6: nothing in the list tells them apart."""
    async with FakeLocalLLM(embedders=("vectors",)) as phone, engine_for(phone.url) as engine:
        _, error = await failed(engine, chat_of(model="vectors"))
        assert type(error) is NotCapable
        assert {card.id: card.can for card in await engine.models()}["vectors"] == {Can.EMBEDDINGS}
        assert len((await engine.embed("vectors", ["a"])).vectors[0]) > 0
