"""`InferrlmEngine` with a LiteRT model (section 13.2): its reloads, empty answers, conversations and limits."""

from __future__ import annotations

import asyncio

from adapter.chat import Chat, Finished, Message, Role, Started
from adapter.chat import FinishReason as Reason
from adapter.errors import BadRequest, UpstreamProtocol
from tests.fakes.inferrlm import GEMMA_LITERT, FakeInferrLM, FakeModelRuntime, Script
from tests.wire.inferrlm_cases import (
    LONG,
    answer_of,
    chat_of,
    chats,
    engine_for,
    events_of,
    failed,
    let_go_of_seat,
    text_of,
)


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
