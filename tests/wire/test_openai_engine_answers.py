"""The `openai` engine in front of a misbehaving server: what comes of each thing that servers do wrong."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from adapter.chat import (
    ChoiceFinished,
    Completion,
    Finished,
    FinishReason,
    OutputFormat,
    OutputKind,
    ReasoningDelta,
    Sampling,
    Started,
    TextDelta,
    Tool,
    ToolCallDelta,
    UsageSource,
)
from adapter.engines.base import Can
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    NotCapable,
    OutputInvalid,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.fakes.openai_server import Call, FakeOpenAI, Reply
from tests.wire.contract import check_events
from tests.wire.openai_cases import LONGEST_S, answered, chat, engine_at, text_of

HARMLESS = (
    "no_usage", "zero_usage", "usage_every_chunk", "eos_finish", "no_role", "no_index", "content_list", "float_created", "no_id",
    "json_for_stream", "stream_as_json_type", "crlf", "no_space_after_data", "comments", "event_lines", "no_done", "byte_by_byte",
    "huge_line", "gzip", "one_segment", "max_tokens_only", "connection_close", "drops_idle", "slow_head", "rejects_stream_options",
    "max_completion_tokens_only", "split_utf8",
)  # fmt: skip


@pytest.mark.parametrize("quirk", HARMLESS)
async def test_a_whole_answer_in_spite_of(quirk: str) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake, engine_at(fake.url) as engine:
        for _ in range(2):  # again over what is left of the connection
            events = await answered(engine, chat(max_tokens=100))
            check_events(events)
            assert text_of(events) == fake.text
            assert isinstance(events[-1], Finished) and events[-1].reason is FinishReason.STOP


@pytest.mark.parametrize("kind", ["plain", "llama-server", "ollama", "vllm", "lmstudio", "farmhand", "mlx"])
async def test_every_kind_of_server_answers(kind: str) -> None:
    async with FakeOpenAI(kind=kind) as fake, engine_at(fake.url) as engine:  # type: ignore[arg-type]  # one of its kinds
        events = await answered(engine, chat())
    check_events(events)
    assert text_of(events) == fake.text
    end = events[-1]
    assert isinstance(end, Finished) and end.usage.completion_source is UsageSource.EXACT


ERRORS: list[tuple[str, type[AdapterError]]] = [
    ("no_choices", UpstreamProtocol), ("no_finish", UpstreamProtocol), ("content_null", UpstreamProtocol), ("error_200", EngineFailed),
    ("html_error", EngineFailed), ("text_error", EngineFailed), ("error_string", EngineFailed), ("detail_error", BadRequest),
    ("model_404", ModelNotFound), ("busy_429", QueueFull), ("loading_503", EngineUnavailable), ("context_400:openai", ContextTooLong),
    ("context_400:vllm", ContextTooLong), ("context_400:vllm_old", ContextTooLong), ("context_400:llama-server", ContextTooLong),
    ("context_400:ollama", ContextTooLong), ("context_400:lmstudio", ContextTooLong), ("context_400:litellm", ContextTooLong),
]  # fmt: skip


@pytest.mark.parametrize(("quirk", "error"), ERRORS)
async def test_a_failure_has_its_type(quirk: str, error: type[AdapterError]) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake, engine_at(fake.url) as engine:
        with pytest.raises(AdapterError) as caught:
            await answered(engine, chat())
    assert type(caught.value) is error
    if isinstance(caught.value, QueueFull):
        assert caught.value.retry_after_s == 7


BREAKS: list[tuple[str, type[AdapterError]]] = [
    ("frame", EngineFailed), ("cut", UpstreamProtocol), ("reset", UpstreamProtocol), ("clean_end", UpstreamProtocol),
    ("no_finish", UpstreamProtocol), ("stall", UpstreamTimeout),
]  # fmt: skip


@pytest.mark.parametrize(("how", "error"), BREAKS)
@pytest.mark.parametrize("pieces", [0, 3])
async def test_a_broken_stream_has_its_type_and_loses_nothing(how: str, error: type[AdapterError], pieces: int) -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url, first_token_s=0.3, between_tokens_s=0.3) as engine:
        fake.fail_after(pieces, how)  # type: ignore[arg-type]  # one of its words
        got = ""
        with pytest.raises(AdapterError) as caught:
            async with asyncio.timeout(LONGEST_S):
                async for event in engine.generate(chat()):
                    got += event.text if isinstance(event, TextDelta) else ""
        assert type(caught.value) is error
        assert got == "".join(f" w{i}" for i in range(pieces)).lstrip()
        assert text_of(await answered(engine, chat())) == fake.text  # nothing is left of it


async def test_a_stream_that_ends_after_its_reason_is_whole() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        fake.fail_after(16, "no_done")
        assert text_of(await answered(engine, chat())) == fake.text


@pytest.mark.parametrize("after", [0, 2])
async def test_leaving_closes_the_connection_at_once(after: int) -> None:
    async with FakeOpenAI(quirks={"keeps_going"}) as fake, engine_at(fake.url) as engine:
        async with asyncio.timeout(LONGEST_S), aclosing(engine.generate(chat())) as events:
            seen = 0
            async for event in events:
                seen += isinstance(event, TextDelta)
                if seen >= after:
                    break
        await fake.until(lambda: fake.left_early == 1 and fake.in_flight == 0)


async def test_cancelling_before_the_first_byte_closes_the_connection() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        await engine.models()
        with fake.hold() as gate:
            task = asyncio.create_task(answered(engine, chat()))
            await gate.reached()
            task.cancel()
            await asyncio.wait([task])
            await fake.until(lambda: fake.left_early == 1)


@pytest.mark.parametrize(("quirk", "more", "text", "reason"), [
    ("keeps_going", {"max_tokens": 5}, "w0 w1 w2 w3 w4", FinishReason.LENGTH),
    ("ignores_max_tokens", {"max_tokens": 5}, "w0 w1 w2 w3 w4", FinishReason.LENGTH),
    ("ignores_stop", {"stop": ("w3 w",)}, "w0 w1 w2 ", FinishReason.STOP),
    ("keeps_going", {"stop": ("w7",)}, "w0 w1 w2 w3 w4 w5 w6 ", FinishReason.STOP),
])  # fmt: skip
async def test_limits_are_kept_here_where_the_server_does_not(quirk: str, more: dict[str, Any], text: str, reason: FinishReason) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake, engine_at(fake.url) as engine:
        events = await answered(engine, chat(**more))
        check_events(events)
        assert text_of(events) == text
        assert isinstance(events[-1], Finished) and events[-1].reason is reason
        await fake.until(lambda: fake.in_flight == 0)


TOOL = Tool("f", "does f", '{"type":"object"}')
CALLS = Reply((), calls=(Call("f", '{"a": 1}'), Call("g", '{"b": "é"}')))


@pytest.mark.parametrize("quirk", ["", "no_tool_index", "no_tool_id", "no_tool_type", "arguments_object", "json_for_stream"])
async def test_tool_calls_are_whole_in_spite_of(quirk: str) -> None:
    async with FakeOpenAI(reply=CALLS, quirks={quirk} if quirk else ()) as fake, engine_at(fake.url) as engine:
        events = await answered(engine, chat(tools=(TOOL, Tool("g"))))
    check_events(events)
    assert isinstance(events[-1], Finished) and events[-1].reason is FinishReason.TOOL_CALLS
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [delta.name for delta in deltas if delta.name] == ["f", "g"]
    assert "".join(delta.arguments for delta in deltas if delta.index == 1).replace(" ", "") == '{"b":"é"}'


async def test_arguments_that_do_not_parse_are_an_error() -> None:
    async with FakeOpenAI(reply=Reply((), calls=(Call("f", '{"a": '),))) as fake, engine_at(fake.url) as engine:
        with pytest.raises(OutputInvalid):
            await answered(engine, chat(tools=(TOOL,)))


@pytest.mark.parametrize("kind", ["plain", "ollama", "vllm", "llama-server"])
async def test_tools_that_it_does_not_take_are_somebody_elses(kind: str) -> None:
    async with FakeOpenAI(kind=kind, quirks={"rejects_tools"}) as fake, engine_at(fake.url) as engine:  # type: ignore[arg-type]
        with pytest.raises(AdapterError) as caught:
            await answered(engine, chat(tools=(TOOL,)))
        assert isinstance(caught.value, NotCapable) and caught.value.param == "tools"
        (card,) = await engine.models()
        assert Can.TOOLS not in card.can | card.checked  # emulated from now on


async def test_a_refusal_of_tools_is_not_believed_against_the_configuration() -> None:
    async with FakeOpenAI(kind="vllm", quirks={"rejects_tools"}) as fake, engine_at(fake.url, tools="checked") as engine:
        with pytest.raises(NotCapable):
            await answered(engine, chat(tools=(TOOL,)))
        (card,) = await engine.models()
        assert Can.TOOLS in card.checked


async def test_tools_are_asked_for_again_when_the_server_is_another_one() -> None:
    async with FakeOpenAI(kind="vllm", quirks={"rejects_tools"}) as fake, engine_at(fake.url) as engine:
        with pytest.raises(NotCapable):
            await answered(engine, chat(tools=(TOOL,)))
        await fake.close()
        assert list(await engine.models()) == []
        await fake.start()
        (card,) = await engine.models()
        assert Can.TOOLS in card.can


SCHEMA = OutputFormat(OutputKind.SCHEMA, '{"type": "object"}', "response_format")


async def test_a_schema_that_is_refused_with_500_is_asked_for_in_the_other_words() -> None:
    async with FakeOpenAI(quirks={"schema_500"}) as fake, engine_at(fake.url) as engine:
        for asks in (2, 3):  # it is remembered
            check_events(await answered(engine, chat(output=SCHEMA)))
            assert len(fake.generations) == asks
        assert fake.generations[-1].json["response_format"] == {"type": "json_object", "schema": {"type": "object"}}


async def test_an_empty_stream_is_asked_for_once_more_without_stream() -> None:
    """Which tells what was wrong; and where nothing was, it is the answer."""
    async with FakeOpenAI(quirks={"empty_stream"}, context_tokens=5) as fake, engine_at(fake.url) as engine:
        events = await answered(engine, chat())
        check_events(events)
        assert text_of(events) == fake.text
        assert [seen.json["stream"] for seen in fake.generations] == [True, False]


async def test_an_empty_stream_and_then_a_refusal() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        fake.fail_at_byte(0, "clean_end")
        await engine.models()
        parts = engine.generate(chat())
        async with asyncio.timeout(LONGEST_S), aclosing(parts):
            assert isinstance(await anext(parts), Started)
            fake.quirks = frozenset({"context_400:openai"})
            with pytest.raises(ContextTooLong):
                await anext(parts)
        assert len(fake.generations) == 2


@pytest.mark.parametrize(("kind", "quirk"), [("plain", ""), ("vllm", ""), ("plain", "think_in_text")])
async def test_reasoning_is_told_apart(kind: str, quirk: str) -> None:
    reply = Reply(pieces=("so", " it", " is"), reasoning=("hm", " hm"))
    async with FakeOpenAI(kind=kind, reply=reply, quirks={quirk} if quirk else ()) as fake, engine_at(fake.url) as engine:  # type: ignore[arg-type]
        events = await answered(engine, chat())
    check_events(events)
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "hm hm"
    assert text_of(events) == "so it is"


async def test_several_answers() -> None:
    async with FakeOpenAI(kind="vllm") as fake, engine_at(fake.url) as engine:
        events = await answered(engine, chat(n=3))
    check_events(events, n=3)
    assert sorted(event.choice for event in events if isinstance(event, ChoiceFinished)) == [0, 1, 2]


async def test_fewer_answers_than_asked_for_is_an_error() -> None:
    async with FakeOpenAI(quirks={"n_is_one"}) as fake, engine_at(fake.url) as engine:
        with pytest.raises(UpstreamProtocol):
            await answered(engine, chat(n=2))


async def test_a_form_without_a_word_is_refused_before_it_is_asked() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        with pytest.raises(NotCapable):
            await answered(engine, chat(output=OutputFormat(OutputKind.REGEX, "a+")))
        assert fake.generations == []


async def test_completions() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        events = [event async for event in engine.complete(Completion("m", text="Once", sampling=Sampling(max_tokens=4)))]
        check_events(events)
        assert text_of(events) == "w0 w1 w2 w3"
        assert (fake.generations[-1].path, fake.generations[-1].json["prompt"]) == ("/v1/completions", "Once")


async def test_vectors() -> None:
    async with FakeOpenAI() as fake, engine_at(fake.url) as engine:
        found = await engine.embed("m", ["one", "two words"])
        assert len(found.vectors) == 2 and found.prompt_tokens == 3
        assert all(abs(sum(x * x for x in vector) - 1) < 1e-9 for vector in found.vectors)
        assert fake.generations[-1].json["encoding_format"] == "float"


@pytest.mark.parametrize(("quirk", "error"), [("base64_embeddings", UpstreamProtocol), ("no_embeddings", AdapterError), ("model_404", ModelNotFound), ("context_400:openai", ContextTooLong)])
async def test_vectors_that_cannot_be_had(quirk: str, error: type[AdapterError]) -> None:
    async with FakeOpenAI(quirks={quirk}) as fake, engine_at(fake.url) as engine:
        with pytest.raises(error) as caught:
            await engine.embed("m", ["one"])
    assert not isinstance(caught.value, ContextTooLong) or caught.value.param == "input"


async def test_a_wrong_key_names_the_setting_and_not_the_key() -> None:
    async with FakeOpenAI(key="sk-right-one") as fake, engine_at(fake.url, key="sk-wrong-one") as engine:
        assert list(await engine.models()) == []
        with pytest.raises(UpstreamRefused) as caught:
            await answered(engine, chat())
    assert "`key`" in caught.value.message and "sk-wrong-one" not in caught.value.message


async def test_a_server_that_comes_back_as_another_one_is_known_again() -> None:
    async with FakeOpenAI(kind="ollama") as fake, engine_at(fake.url) as engine:
        await answered(engine, chat())
        url = fake.url
        await fake.close()
        with pytest.raises(UpstreamUnreachable) as caught:
            await answered(engine, chat())
        assert url in caught.value.message and caught.value.retry_after_s
        assert list(await engine.models()) == []
        assert not (await engine.health()).ready
        fake.kind = "vllm"
        await fake.start()
        events = await answered(engine, chat())
        assert [type(events[0]), text_of(events)] == [Started, fake.text]
        assert url in (await engine.health()).detail
