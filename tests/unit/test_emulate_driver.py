"""Engines that know no tools and no forms, or do not keep to them: what is asked of them and what comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

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
    Started,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolMode,
    Usage,
    UsageSource,
)
from adapter.dispatch.items import Remark
from adapter.emulate.driver import emulated
from adapter.engines.base import Can
from adapter.errors import BadRequest, ContextTooLong, EngineFailed, NotCapable, OutputInvalid

WEATHER = Tool(
    "get_weather",
    "Weather of a city.",
    '{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}',
)
NOW = Tool("now", "The time.", '{"type": "object", "properties": {}}')
PERSON = OutputFormat(
    OutputKind.SCHEMA,
    '{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}',
)
TOOLS, FORMS, NOTHING = frozenset({Can.TOOLS}), frozenset({Can.OUTPUT}), frozenset[Can]()
GOOD = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>'
BAD = '<tool_call>{"name": "get_weather", "arguments": {"town": "Paris"}}</tool_call>'
USAGE = Usage(10, 5, 2)
Script = str | Sequence[Event] | Exception


@dataclass
class Fake:
    """An engine that answers each ask with the next script: text character by character, or these events, or an error."""

    scripts: list[Script]
    reason: FinishReason = FinishReason.STOP
    usage: Usage = USAGE
    asked: list[Chat] = field(default_factory=list)
    open: int = 0

    async def __call__(self, chat: Chat) -> AsyncGenerator[Event | Remark, None]:
        self.asked.append(chat)
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        self.open += 1
        try:
            yield Started()
            if isinstance(script, Exception):
                raise script
            for event in [TextDelta(char) for char in script] if isinstance(script, str) else script:
                yield event
            if isinstance(script, str):
                yield Finished(self.reason, self.usage)
        finally:
            self.open -= 1


def chat(**changes: Any) -> Chat:
    base = Chat("m", (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Weather in Paris?")), tools=(WEATHER, NOW))
    return replace(base, **changes)


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"id{next(numbers)}"


@dataclass
class Got:
    events: list[Event | Remark]
    error: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def calls(self) -> list[tuple[str | None, Any]]:
        return [(event.name, json.loads(event.arguments)) for event in self.events if isinstance(event, ToolCallDelta)]

    @property
    def remark(self) -> dict[str, Any]:
        (found,) = [event.value for event in self.events if isinstance(event, Remark)]
        return dict(found)

    @property
    def last(self) -> Finished:
        assert isinstance(self.events[-1], Finished)
        return self.events[-1]


def run(
    fake: Fake,
    asked: Chat,
    *,
    prompted: frozenset[Can] = NOTHING,
    checked: frozenset[Can] = NOTHING,
    streaming: bool = True,
) -> Got:
    async def collect() -> Got:
        got = Got([])
        try:
            async for event in emulated(
                asked, fake, prompted=prompted, checked=checked, streaming=streaming, new_id=ids()
            ):
                got.events.append(event)
        except (OutputInvalid, ContextTooLong, EngineFailed) as exc:
            got.error = exc
        return got

    got = asyncio.run(collect())
    assert fake.open == 0
    assert sum(isinstance(event, Started) for event in got.events) == 1
    return got


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
