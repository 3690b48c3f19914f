"""Engines that know no tools and no forms, or do not keep to them: what is asked of them and what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    Role,
    Started,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolMode,
    Usage,
)
from adapter.dispatch.items import Remark
from adapter.emulate.driver import emulated
from adapter.errors import OutputInvalid
from tests.unit.emulate_cases import (
    BAD,
    FORMS,
    GOOD,
    NOTHING,
    PERSON,
    TOOLS,
    USAGE,
    Fake,
    chat,
    run,
)

# --- tools ------------------------------------------------------------------------------------------------------------


def test_a_call_in_words() -> None:
    fake = Fake(["Let me look.\n" + GOOD])
    got = run(fake, chat(), prompted=TOOLS)
    assert got.text == "Let me look."
    assert got.calls == [("get_weather", {"city": "Paris"})]
    assert [event.id for event in got.events if isinstance(event, ToolCallDelta)] == ["id1"]
    assert got.last == Finished(FinishReason.TOOL_CALLS, USAGE)
    assert got.remark == {"tools": "prompt"}
    (asked,) = fake.asked
    assert asked.tools == ()
    assert "get_weather" in asked.messages[0].content
    assert asked.messages[0].content.startswith("Be brief.\n\n")
    assert asked.messages[1].content == "Weather in Paris?"


@pytest.mark.parametrize("streaming", [True, False])
def test_plain_answers_pass(streaming: bool) -> None:
    got = run(Fake(["It is sunny {really}.\n"]), chat(), prompted=TOOLS, streaming=streaming)
    assert got.text == "It is sunny {really}.\n"
    assert got.last.reason is FinishReason.STOP


def test_a_stream_shows_text_before_its_end_and_a_plain_answer_does_not() -> None:
    def first_text(streaming: bool) -> int:
        got = run(Fake(["It is sunny.\n" + GOOD]), chat(), prompted=TOOLS, streaming=streaming)
        return [type(event) for event in got.events].index(TextDelta)

    async def texts_before_the_engine_goes_on(streaming: bool) -> int:
        gate = asyncio.Event()

        async def begin(asked: Chat) -> AsyncGenerator[Event | Remark, None]:
            yield Started()
            yield TextDelta("It is sunny. ")
            yield TextDelta("Or ")
            await gate.wait()
            yield Finished(FinishReason.STOP, USAGE)

        seen = 0
        async for event in emulated(chat(), begin, prompted=TOOLS, checked=NOTHING, streaming=streaming):
            seen += isinstance(event, TextDelta) and not gate.is_set()
            if seen == (2 if streaming else 0):
                gate.set()
        return seen

    assert first_text(True) == 1
    assert asyncio.run(texts_before_the_engine_goes_on(True)) == 2
    assert asyncio.run(texts_before_the_engine_goes_on(False)) == 0


def test_a_bad_call_is_asked_for_again_with_the_reason() -> None:
    fake = Fake([BAD, GOOD])
    got = run(fake, chat(), prompted=TOOLS)
    assert got.calls == [("get_weather", {"city": "Paris"})]
    assert got.last.usage == Usage(20, 10, 4)
    assert got.remark["tools"] == "asked again"
    second = fake.asked[1].messages
    assert second[-2] == Message(Role.ASSISTANT, BAD)
    assert second[-1].role is Role.USER
    assert 'the key "city" is missing' in second[-1].content
    assert second[:-2] == fake.asked[0].messages


def test_what_was_shown_before_a_bad_call_stays_and_the_rest_is_a_paragraph_of_its_own() -> None:
    got = run(Fake(["I look.\n" + BAD, "Again: " + GOOD]), chat(), prompted=TOOLS)
    assert got.text == "I look.\n\nAgain:"
    assert len(got.calls) == 1


def test_nothing_of_a_bad_answer_is_in_a_plain_one() -> None:
    got = run(Fake(["I look.\n" + BAD, "Again: " + GOOD]), chat(), prompted=TOOLS, streaming=False)
    assert got.text == "Again:"


def test_repairs_are_told() -> None:
    raw = '<tool_call>{"name": "functions.get_weather", "arguments": {"city": "Paris", "days": "3",}}</tool_call>'
    got = run(Fake([raw]), chat(), prompted=TOOLS)
    assert got.calls == [("get_weather", {"city": "Paris", "days": 3})]
    assert got.remark["tools"] == "repaired"
    assert any("days" in note for note in got.remark["notes"])


@pytest.mark.parametrize(
    "choice", [ToolChoice(ToolMode.REQUIRED), ToolChoice(ToolMode.REQUIRED, "get_weather")], ids=["required", "named"]
)
def test_a_model_that_never_calls(choice: ToolChoice) -> None:
    fake = Fake(["I would rather talk."])
    got = run(fake, chat(tool_choice=choice), prompted=TOOLS)
    assert isinstance(got.error, OutputInvalid)
    assert "no call of" in got.error.message
    assert len(fake.asked) == 2
    assert got.text == ""
    assert "Answer only with a call" in fake.asked[0].messages[-1].content


def test_a_model_that_calls_at_the_second_time() -> None:
    fake = Fake(["I would rather talk.", GOOD])
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.REQUIRED)), prompted=TOOLS)
    assert got.text == ""
    assert got.calls == [("get_weather", {"city": "Paris"})]
    assert got.last.reason is FinishReason.TOOL_CALLS


def test_a_named_tool_is_the_only_one_shown_and_taken() -> None:
    fake = Fake(['<tool_call>{"name": "now", "arguments": {}}</tool_call>', GOOD])
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.REQUIRED, "get_weather")), prompted=TOOLS)
    assert "- now" not in fake.asked[0].messages[0].content
    assert "only get_weather may be called" in fake.asked[1].messages[-1].content
    assert got.calls == [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize("raw", ['{"city": "Paris"}', '```json\n{"city": "Paris"}\n```', "Sure: {'city': 'Paris'}"])
def test_the_arguments_alone_are_a_call_of_the_only_tool_that_may_be_called(raw: str) -> None:
    got = run(Fake([raw]), chat(tool_choice=ToolChoice(ToolMode.REQUIRED, "get_weather")), prompted=TOOLS)
    assert got.calls == [("get_weather", {"city": "Paris"})]
    assert got.remark["tools"] == "repaired"
    fake = Fake([raw])
    open_choice = run(fake, chat(tool_choice=ToolChoice(ToolMode.REQUIRED)), prompted=TOOLS)
    assert isinstance(open_choice.error, OutputInvalid)


def test_remarks_of_what_is_below_pass() -> None:
    async def begin(asked: Chat) -> AsyncGenerator[Event | Remark, None]:
        yield Started()
        yield TextDelta("x")
        yield Remark("diet", 1)
        yield Finished(FinishReason.STOP, USAGE)

    async def collect() -> list[Event | Remark]:
        return [event async for event in emulated(chat(), begin, prompted=TOOLS, checked=NOTHING, streaming=True)]

    assert Remark("diet", 1) in asyncio.run(collect())


def test_no_tools_are_shown_or_read_where_none_may_be_called() -> None:
    fake = Fake([GOOD])
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.NONE)), prompted=TOOLS)
    assert got.text == GOOD
    assert fake.asked[0].messages == chat().messages
    assert fake.asked[0].tools == ()


def test_one_call_at_a_time() -> None:
    fake = Fake([GOOD + '<tool_call>{"name": "now", "arguments": {}}</tool_call>'])
    got = run(fake, chat(tool_choice=ToolChoice(parallel=False)), prompted=TOOLS)
    assert [name for name, _ in got.calls] == ["get_weather"]
    assert any("parallel_tool_calls" in note and "now" in note for note in got.remark["notes"])
    assert "only one at a time" in fake.asked[0].messages[0].content


def test_several_calls_are_numbered() -> None:
    got = run(Fake([GOOD + '\n<tool_call>{"name": "now", "arguments": {}}</tool_call>']), chat(), prompted=TOOLS)
    found = [(event.index, event.id) for event in got.events if isinstance(event, ToolCallDelta)]
    assert found == [(0, "id1"), (1, "id2")]


def test_earlier_calls_and_results_are_words() -> None:
    history = (
        Message(Role.USER, "Weather?"),
        Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "get_weather", '{"city": "Paris"}'), ToolCall("c2", "now", "{}"))),
        Message(Role.TOOL, "21 degrees", tool_call_id="c1"),
        Message(Role.TOOL, "12:00", tool_call_id="c2"),
    )
    fake = Fake(["It is warm."])
    run(fake, chat(messages=history), prompted=TOOLS)
    told = fake.asked[0].messages
    assert [message.role for message in told] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER]
    assert told[2].content.count("<tool_call>") == 2
    assert not told[2].tool_calls
    assert "get_weather: 21 degrees" in told[3].content
    assert "now: 12:00" in told[3].content


def test_results_that_the_model_made_up_are_left_out_and_told() -> None:
    got = run(Fake([GOOD + "\n<tool_response>\n30 degrees\n</tool_response>\nIt is hot."]), chat(), prompted=TOOLS)
    assert got.text == ""
    assert len(got.calls) == 1
    assert any("left out" in note for note in got.remark["notes"])


# --- max_tokens -------------------------------------------------------------------------------------------------------


def test_a_call_that_max_tokens_cut() -> None:
    raw = '<tool_call>{"name": "get_weather", "arguments": {"city": "Pa'
    fake = Fake([raw], reason=FinishReason.LENGTH)
    got = run(fake, chat(), prompted=TOOLS)
    (call,) = [event for event in got.events if isinstance(event, ToolCallDelta)]
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Pa')
    assert got.last.reason is FinishReason.LENGTH
    assert len(fake.asked) == 1


def test_a_cut_call_without_arguments_is_told_in_the_remark() -> None:
    got = run(Fake(["[get_weather(city='Pa"], reason=FinishReason.LENGTH), chat(), prompted=TOOLS)
    assert got.calls == []
    assert got.text == ""
    assert any("[get_weather(city='Pa" in note for note in got.remark["notes"])


def test_talk_behind_complete_calls_that_was_cut_does_not_hide_them() -> None:
    raw = GOOD + "\n<tool_response>\n30 degr"
    got = run(Fake([raw], reason=FinishReason.LENGTH), chat(), prompted=TOOLS)
    assert len(got.calls) == 1
    assert got.last.reason is FinishReason.TOOL_CALLS


def test_a_cut_answer_is_not_asked_for_again_where_a_call_is_wanted() -> None:
    fake = Fake(["Let me think about"], reason=FinishReason.LENGTH)
    got = run(fake, chat(tool_choice=ToolChoice(ToolMode.REQUIRED)), prompted=TOOLS)
    assert got.text == "Let me think about"
    assert got.last.reason is FinishReason.LENGTH
    assert len(fake.asked) == 1


def test_a_form_that_max_tokens_cut_comes_as_it_is() -> None:
    fake = Fake(['{"name": "Ana", "a'], reason=FinishReason.LENGTH)
    got = run(fake, chat(tools=(), output=PERSON), prompted=FORMS)
    assert got.text == '{"name": "Ana", "a'
    assert got.last.reason is FinishReason.LENGTH
    assert len(fake.asked) == 1
