"""Marks in place of line breaks: asked for, turned back however the text is cut, left alone where none came."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence

import pytest

from adapter.chat import (
    Chat,
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
    Usage,
    UsageSource,
)
from adapter.dispatch.items import Remark
from adapter.engines.base import ModelCard
from adapter.errors import EngineFailed
from adapter.line_marks import (
    MARKS,
    REMARK,
    MarkReader,
    asking,
    mark_for,
    marked,
    wants_line_marks,
    with_marks,
)
from adapter.settings import EchoSettings, InferrlmSettings

PHONE = InferrlmSettings(name="phone", kind="inferrlm", line_marks=True)
END = Finished(FinishReason.STOP, Usage(9, 8))

READ = [
    # what the model wrote, what the client gets
    ("", ""),
    ("one line", "one line"),
    ("one  line with   blanks  ", "one  line with   blanks  "),
    ("a¶b", "a\nb"),
    ("a ¶ b", "a\nb"),
    ("a ¶b", "a\nb"),
    ("a¶ b", "a\nb"),
    ("a ¶¶ b", "a\n\nb"),
    ("a ¶ ¶ b", "a\n\nb"),
    ("a  \t¶ b", "a\nb"),
    ("¶a", "\na"),
    ("a ¶", "a\n"),
    ("a ¶ ", "a\n"),
    ("a\nb ¶ c", "a\nb\nc"),
    # Indentation: 4 alone, 4 behind the blank that sets the mark off, and a nested list.
    ("def f():¶    return 1", "def f():\n    return 1"),
    ("def f(): ¶     return 1", "def f():\n    return 1"),
    ("if x: ¶         y()", "if x:\n        y()"),
    ("- a ¶   - b ¶ - c", "- a\n  - b\n- c"),
    ("x:¶\ty", "x:\n\ty"),
    ("```python ¶ print(1) ¶ ```", "```python\nprint(1)\n```"),
    ("日本語。¶ naïve 🎉", "日本語。\nnaïve 🎉"),
]


def read(pieces: Sequence[str]) -> str:
    reader = MarkReader("¶")
    return "".join([reader.feed(piece) for piece in pieces] + [reader.flush()])


@pytest.mark.parametrize(("wrote", "gets"), READ)
def test_marks_become_line_breaks_whole_and_letter_by_letter(wrote: str, gets: str) -> None:
    assert read([wrote]) == gets
    assert read(list(wrote)) == gets


def test_the_result_does_not_depend_on_the_cuts() -> None:
    rng = random.Random(11)
    for _ in range(2_000):
        text = "".join(rng.choices("ab ¶\t\n", k=rng.randint(0, 20)))
        pieces, at = [], 0
        while at < len(text):
            width = rng.randint(1, 5)
            pieces.append(text[at : at + width])
            at += width
        assert read(pieces) == read([text])
        if "¶" not in text:
            assert read(pieces) == text


def test_nothing_visible_waits_for_what_follows() -> None:
    reader = MarkReader("¶")
    assert [reader.feed(piece) for piece in ("One", " line.", " ", "¶", " ", "Two")] == [
        "One", " line.", "", "\n", "", "Two",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["one", "a\nb", "a\n\nb\n", "def f():\n    if x:\n        y()\n", "- a\n  - b\n- c", "\na"]
)
def test_what_the_history_shows_reads_back_the_same(text: str) -> None:
    """The manner that the model sees is the one that it is read by."""
    line = with_marks(text, "¶")
    assert "\n" not in line
    assert read([line]) == text


def test_other_line_ends_are_line_breaks_too() -> None:
    assert with_marks("a\r\nb\rc", "¶") == "a ¶ b ¶ c"


# --- the request ------------------------------------------------------------------------------------------------


def chat_of(*messages: Message, stop: tuple[str, ...] = (), output: OutputFormat | None = None, n: int = 1) -> Chat:
    return Chat("m", messages or (Message(Role.USER, "list two things"),), Sampling(stop=stop), output=output, n=n)


def test_only_one_line_models_of_owners_who_want_it_are_asked() -> None:
    one_line, many = ModelCard("m", 4_096, 1_024, multiline=False), ModelCard("m", 4_096, 1_024)
    without = InferrlmSettings(name="phone", kind="inferrlm")
    echo = EchoSettings(name="echo", kind="echo")
    assert wants_line_marks(one_line, PHONE)
    assert not wants_line_marks(many, PHONE)
    assert not wants_line_marks(one_line, without)
    assert not wants_line_marks(one_line, echo)
    assert not wants_line_marks(one_line, None)


@pytest.mark.parametrize(
    ("chat", "mark"),
    [
        (chat_of(), "¶"),
        (chat_of(Message(Role.USER, "what does ¶ mean?")), "⏎"),
        (chat_of(Message(Role.USER, "¶ or ⏎"), stop=("↵",)), None),
        (chat_of(Message(Role.USER, "".join(MARKS))), None),
        (chat_of(output=OutputFormat(OutputKind.JSON)), None),
        (chat_of(stop=("\n",)), None),
        (chat_of(stop=("\n\n", "END")), "¶"),
        (chat_of(stop=("\n\n",), n=2), None),
    ],
)
def test_the_mark_is_one_that_the_conversation_lacks(chat: Chat, mark: str | None) -> None:
    assert mark_for(chat) == mark


def test_the_request_goes_to_the_system_message_and_the_history_shows_marks() -> None:
    chat = chat_of(
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "a\nb"),
        Message(Role.ASSISTANT, "c\n  d"),
        Message(Role.USER, "go on"),
    )
    system, user, assistant, last = asking(chat, "¶").messages
    assert system.content.startswith("Be brief.\n\n")
    assert "write ¶" in system.content
    assert (user, last) == (chat.messages[1], chat.messages[3])
    assert assistant.content == "c ¶   d"


def test_without_a_system_message_none_is_invented() -> None:
    """Templates such as Gemma 2's refuse them."""
    (message,) = asking(chat_of(), "¶").messages
    assert message.role is Role.USER
    assert message.content.startswith("list two things\n\n")
    assert "¶" in message.content


# --- the answer -------------------------------------------------------------------------------------------------


class Model:
    """Says its script and remembers what it was asked."""

    def __init__(self, *script: Event | Exception) -> None:
        self._script = script
        self.asked: list[Chat] = []
        self.closed = 0

    async def __call__(self, chat: Chat) -> AsyncGenerator[Event, None]:
        self.asked.append(chat)
        try:
            for step in self._script:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.closed += 1


async def items_of(model: Model, chat: Chat | None = None) -> list[Event | Remark]:
    return [item async for item in marked(chat or chat_of(), model)]


async def test_marks_in_text_and_reasoning_with_one_remark() -> None:
    model = Model(
        Started(), ReasoningDelta("hm ¶"), ReasoningDelta(" so "), TextDelta("a ¶"), TextDelta(" b "), TextDelta("c "), END
    )
    assert await items_of(model) == [
        Started(), ReasoningDelta("hm\n"), REMARK, ReasoningDelta("so"), ReasoningDelta(" "),
        TextDelta("a\n"), TextDelta("b"), TextDelta(" c"), TextDelta(" "), END,
    ]  # fmt: skip


async def test_a_model_that_does_not_care_is_passed_on_as_it_is() -> None:
    events: list[Event] = [Started(), TextDelta("One"), TextDelta(" line.\n"), TextDelta("Two"), END]
    assert await items_of(Model(*events)) == events


async def test_a_form_is_neither_asked_nor_touched() -> None:
    model = Model(Started(), TextDelta('{"a": "¶"}'), END)
    chat = chat_of(output=OutputFormat(OutputKind.JSON))
    assert await items_of(model, chat) == [Started(), TextDelta('{"a": "¶"}'), END]
    assert model.asked == [chat]


async def test_stop_strings_with_line_breaks_are_found_behind_the_marks() -> None:
    model = Model(Started(), TextDelta("Thought ¶ Obs"), TextDelta("ervation: 5"), TextDelta(" and on"), END)
    items = await items_of(model, chat_of(stop=("\nObservation:", "END")))
    assert items[:-1] == [Started(), TextDelta("Thought"), REMARK]
    last = items[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.usage.completion_source) == (FinishReason.STOP, UsageSource.ESTIMATED)
    assert model.asked[0].sampling.stop == ("END",)
    assert model.closed == 1


async def test_a_stop_string_that_only_seemed_to_begin_is_text() -> None:
    model = Model(Started(), TextDelta("a ¶ Obs"), END)
    items = await items_of(model, chat_of(stop=("\nObservation:",)))
    assert "".join(item.text for item in items if isinstance(item, TextDelta)) == "a\nObs"
    assert items[-1] == END


async def test_failures_pass_through_and_the_engine_is_closed() -> None:
    model = Model(Started(), TextDelta("a ¶"), EngineFailed("gone"))
    seen: list[Event | Remark] = []
    with pytest.raises(EngineFailed, match="gone"):
        async for item in marked(chat_of(), model):
            seen.append(item)  # noqa: PERF401  what came before the error is wanted too
    assert seen == [Started(), TextDelta("a\n"), REMARK]
    assert model.closed == 1
