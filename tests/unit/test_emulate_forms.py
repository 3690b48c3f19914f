"""Forms in words, engines with tools of their own, and the rest of the contract: what is asked and what comes out."""

from __future__ import annotations

import asyncio
import json

import pytest

from adapter.chat import (
    Chat,
    ChoiceFinished,
    Event,
    Finished,
    FinishReason,
    Message,
    OutputFormat,
    OutputKind,
    ReasoningDelta,
    Role,
    Sampling,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolChoice,
    ToolMode,
    Usage,
    UsageSource,
)
from adapter.emulate.driver import emulated
from adapter.errors import BadRequest, ContextTooLong, EngineFailed, NotCapable, OutputInvalid
from tests.unit.emulate_cases import (
    BAD,
    FORMS,
    GOOD,
    NOTHING,
    NOW,
    PERSON,
    TOOLS,
    USAGE,
    WEATHER,
    Fake,
    chat,
    run,
)

# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_form_in_words() -> None:
    fake = Fake(['Here:\n```json\n{"name": "Ana", "age": "30"}\n```'])
    got = run(fake, chat(tools=(), output=PERSON), prompted=FORMS)
    assert json.loads(got.text) == {"name": "Ana", "age": 30}
    assert got.remark["response_format"] == "repaired"
    (asked,) = fake.asked
    assert asked.output is None
    assert "{name: string, age: integer}" in asked.messages[-1].content
    assert asked.messages[-1].content.startswith("Weather in Paris?")


@pytest.mark.parametrize(
    ("output", "good"),
    [
        (PERSON, '{"name": "Ana", "age": 30}'),
        (OutputFormat(OutputKind.JSON), '{"a": 1}'),
        (OutputFormat(OutputKind.CHOICE, '["yes", "no"]', "guided_choice"), "yes"),
        (OutputFormat(OutputKind.REGEX, "[0-9]{4}", "guided_regex"), "2026"),
    ],
    ids=["schema", "json", "choice", "regex"],
)
def test_a_model_that_never_keeps_to_the_form_and_one_that_does_at_the_second_time(output: OutputFormat, good: str) -> None:
    fake = Fake(["I like prose."])
    got = run(fake, chat(tools=(), output=output), prompted=FORMS)
    assert isinstance(got.error, OutputInvalid)
    assert got.error.param == output.param
    assert len(fake.asked) == 2
    assert got.text == ""
    fake = Fake(["I like prose.", good])
    got = run(fake, chat(tools=(), output=output), prompted=FORMS)
    assert got.text == good
    assert got.remark["response_format"] == "asked again"
    assert len(fake.asked) == 2


def test_a_form_that_the_engine_has_is_checked_and_left_to_it() -> None:
    fake = Fake(["no", '{"name": "Ana", "age": 30}'])
    got = run(fake, chat(tools=(), output=PERSON), checked=FORMS)
    assert fake.asked[0].output == PERSON
    assert fake.asked[0].messages == chat().messages
    assert got.text == '{"name": "Ana", "age": 30}'


@pytest.mark.parametrize("answer", [GOOD, '{"name": "Ana", "age": 30}'])
def test_tools_and_a_form(answer: str) -> None:
    fake = Fake(["Neither.", answer])
    got = run(fake, chat(output=PERSON), prompted=TOOLS | FORMS)
    if answer == GOOD:
        assert got.calls == [("get_weather", {"city": "Paris"})]
    else:
        assert got.text == answer
        assert got.last.reason is FinishReason.STOP
    assert "Unless you call a function" in fake.asked[0].messages[-1].content


def test_a_form_that_the_engine_keeps_to_would_keep_calls_in_words_out() -> None:
    fake = Fake([GOOD])
    got = run(fake, chat(output=PERSON), prompted=TOOLS)
    assert fake.asked[0].output is None
    assert len(got.calls) == 1


def test_a_demanded_call_takes_the_forms_place() -> None:
    fake = Fake([GOOD])
    got = run(fake, chat(output=PERSON, tool_choice=ToolChoice(ToolMode.REQUIRED)), prompted=TOOLS | FORMS)
    assert fake.asked[0].output is None
    assert got.remark == {"tools": "prompt"}


def test_grammars_and_partial_answers_are_refused_before_anything_is_asked() -> None:
    fake = Fake(["x"])
    grammar = OutputFormat(OutputKind.GRAMMAR, 'root ::= "a"', "grammar")
    begun = (*chat().messages, Message(Role.ASSISTANT, "It is"))

    async def begin(asked: Chat) -> None:
        async for _ in emulated(asked, fake, prompted=FORMS, checked=NOTHING, streaming=True):
            pass

    with pytest.raises(NotCapable) as refused:
        asyncio.run(begin(chat(tools=(), output=grammar)))
    assert refused.value.param == "grammar"
    with pytest.raises(BadRequest):
        asyncio.run(begin(chat(tools=(), output=PERSON, messages=begun)))
    assert fake.asked == []


# --- engines with tools of their own ----------------------------------------------------------------------------------


def native(name: str, arguments: str, *, index: int = 0) -> list[Event]:
    middle = len(arguments) // 2
    return [
        ToolCallDelta(index, f"c{index}", name, arguments[:middle]),
        ToolCallDelta(index, arguments=arguments[middle:]),
    ]


FINISHED = Finished(FinishReason.TOOL_CALLS, USAGE)


def test_native_calls_are_checked_and_keep_their_ids() -> None:
    fake = Fake([[*native("get_weather", '{"city": "Paris", "days": "2"}'), *native("now", "", index=1), FINISHED]])
    got = run(fake, chat(), checked=TOOLS)
    assert fake.asked[0].tools == (WEATHER, NOW)
    assert got.calls == [("get_weather", {"city": "Paris", "days": 2}), ("now", {})]
    assert [event.id for event in got.events if isinstance(event, ToolCallDelta)] == ["c0", "c1"]
    assert got.remark["tools"] == "repaired"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("get_weather", '{"town": "x"}', "missing"),
        ("fly", "{}", "no function called 'fly'"),
        ("get_weather", '{"city": "x', "cannot be read"),
    ],
)
def test_bad_native_calls_are_asked_for_again(name: str, arguments: str, told: str) -> None:
    fake = Fake([[*native(name, arguments), FINISHED], [*native("now", "{}"), FINISHED]])
    got = run(fake, chat(), checked=TOOLS)
    assert got.calls == [("now", {})]
    assert told in fake.asked[1].messages[-1].content
    assert name in fake.asked[1].messages[-2].content


def test_calls_that_an_engine_left_in_its_text_are_found() -> None:
    got = run(Fake([GOOD]), chat(), checked=TOOLS)
    assert got.calls == [("get_weather", {"city": "Paris"})]
    assert got.last.reason is FinishReason.TOOL_CALLS


def test_a_native_call_that_max_tokens_cut() -> None:
    cut = Finished(FinishReason.LENGTH, USAGE)
    got = run(Fake([[*native("get_weather", '{"city": "Pa'), cut]]), chat(), checked=TOOLS)
    (call,) = [event for event in got.events if isinstance(event, ToolCallDelta)]
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Pa')
    assert got.last.reason is FinishReason.LENGTH


def test_a_call_where_none_may_be_is_asked_away() -> None:
    fake = Fake([[*native("now", "{}"), FINISHED], "It is noon."])
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.NONE)), checked=TOOLS)
    assert got.text == "It is noon."
    assert got.calls == []


def test_calls_of_an_engine_that_keeps_to_tools_pass_beside_a_form_in_words() -> None:
    deltas = native("get_weather", '{"anything": 1}')
    got = run(Fake([[*deltas, FINISHED]]), chat(output=PERSON), prompted=FORMS)
    assert [event for event in got.events if isinstance(event, ToolCallDelta)] == deltas
    assert got.last.reason is FinishReason.TOOL_CALLS


# --- everything else of the contract ----------------------------------------------------------------------------------


def test_reasoning_passes_at_once_and_log_probabilities_stay_with_their_text() -> None:
    one, two = TokenLogprob("It", (73, 116), -0.5), TokenLogprob(" is", (32,), -1.0)
    events: list[Event] = [
        ReasoningDelta("hm"),
        TextDelta("It", logprobs=(one,)),
        TextDelta(" is", logprobs=(two,)),
        Finished(FinishReason.STOP, USAGE),
    ]
    got = run(Fake([events]), chat(logprobs=0), prompted=TOOLS, streaming=False)
    assert isinstance(got.events[1], ReasoningDelta)
    assert [p for event in got.events if isinstance(event, TextDelta) for p in event.logprobs] == [one, two]


def test_several_answers_one_after_the_other() -> None:
    fake = Fake(["One.", GOOD, BAD, GOOD])
    got = run(fake, chat(n=3, sampling=Sampling(seed=7)), prompted=TOOLS)
    assert [event for event in got.events if isinstance(event, ChoiceFinished)] == [
        ChoiceFinished(0, FinishReason.STOP),
        ChoiceFinished(1, FinishReason.TOOL_CALLS),
        ChoiceFinished(2, FinishReason.TOOL_CALLS),
    ]
    assert [asked.n for asked in fake.asked] == [1, 1, 1, 1]
    assert [asked.sampling.seed for asked in fake.asked] == [7, 8, 9, 9]
    assert got.last == Finished(FinishReason.STOP, Usage(20, 20, 4))
    assert {event.choice for event in got.events if isinstance(event, ToolCallDelta)} == {1, 2}


def test_the_least_sure_source_of_usage_counts() -> None:
    sure, guess = Usage(1, 2), Usage(3, 4, 0, UsageSource.ESTIMATED, UsageSource.COUNTED)
    fake = Fake([[TextDelta("x"), Finished(FinishReason.STOP, sure)], [TextDelta(GOOD), Finished(FinishReason.STOP, guess)]])
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.REQUIRED)), prompted=TOOLS)
    assert got.last.usage == Usage(4, 6, 0, UsageSource.ESTIMATED, UsageSource.COUNTED)


def test_an_engine_that_fails_at_the_second_time_fails() -> None:
    got = run(Fake([BAD, EngineFailed("gone")]), chat(), prompted=TOOLS)
    assert isinstance(got.error, EngineFailed)
    assert not isinstance(got.error, OutputInvalid)


def test_no_room_to_ask_again_is_the_answers_fault_not_the_clients() -> None:
    too_long = ContextTooLong.of(context_tokens=100, prompt_tokens=120)
    got = run(Fake([BAD, too_long]), chat(), prompted=TOOLS)
    assert isinstance(got.error, OutputInvalid)
    assert "no room" in got.error.message


def test_an_answer_without_its_end_is_a_failure() -> None:
    got = run(Fake([[TextDelta("It is")]]), chat(), prompted=TOOLS)
    assert isinstance(got.error, EngineFailed)
    assert got.text == "It is"


def test_closing_it_closes_the_engine() -> None:
    fake = Fake(["A long answer that nobody waits for."])

    async def leave() -> None:
        answer = emulated(chat(), fake, prompted=TOOLS, checked=NOTHING, streaming=True)
        async for event in answer:
            if isinstance(event, TextDelta):
                break
        assert fake.open == 1
        await answer.aclose()

    asyncio.run(leave())
    assert fake.open == 0
    assert len(fake.asked) == 1


def test_a_partial_answer_that_is_gone_on_with_is_shown_as_one_when_asked_again() -> None:
    begun = (*chat().messages, Message(Role.ASSISTANT, "Well, "))
    fake = Fake([BAD, GOOD])
    run(fake, chat(messages=begun), prompted=TOOLS)
    assert fake.asked[0].messages[-1] == Message(Role.ASSISTANT, "Well, ")
    assert fake.asked[1].messages[-2] == Message(Role.ASSISTANT, "Well, " + BAD)


def test_ids_are_unique_by_default() -> None:
    async def collect() -> list[str | None]:
        fake = Fake([GOOD * 3])
        return [
            event.id
            async for event in emulated(chat(), fake, prompted=TOOLS, checked=NOTHING, streaming=True)
            if isinstance(event, ToolCallDelta)
        ]

    found = asyncio.run(collect()) + asyncio.run(collect())
    assert len(found) == len(set(found)) == 6
