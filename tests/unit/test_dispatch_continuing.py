"""The request for the rest of an answer, and the sum of both parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.chat import (
    Chat,
    Completion,
    Finished,
    FinishReason,
    Message,
    OutputFormat,
    OutputKind,
    ReasoningDelta,
    Role,
    Sampling,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from adapter.dispatch.continuing import continuation, joined_end
from adapter.dispatch.items import Item
from adapter.dispatch.progress import Progress
from adapter.engines.base import Raw

CHAT = Chat("m", (Message(Role.USER, "Count."),))
FRAME = b'data: {"id":"up-1","model":"m","choices":[{"index":0,"delta":%s}]}\n\n'


def progress(*items: Item) -> Progress:
    made = Progress()
    for item in items:
        made.note(item)
    made.settle()
    return made


def test_the_text_so_far_becomes_the_answers_beginning() -> None:
    rest = continuation(CHAT, "one two", 2)
    assert isinstance(rest, Chat)
    assert rest.messages == (*CHAT.messages, Message(Role.ASSISTANT, "one two"))
    assert rest.continues


def test_a_partial_answer_grows() -> None:
    begun = replace(CHAT, messages=(*CHAT.messages, Message(Role.ASSISTANT, "zero ")))
    rest = continuation(begun, "one", 1)
    assert isinstance(rest, Chat)
    assert rest.messages[-1] == Message(Role.ASSISTANT, "zero one")


@pytest.mark.parametrize(("asked", "used", "left"), [(10, 3, 7), (10, 10, None), (10, 12, None), (None, 3, None)])
def test_max_tokens_is_what_is_left_of_it(asked: int | None, used: int, left: int | None) -> None:
    rest = continuation(replace(CHAT, sampling=Sampling(max_tokens=asked)), "x", used)
    if asked is not None and left is None:
        assert rest is None
    else:
        assert rest is not None and rest.sampling.max_tokens == left


def test_a_completion_goes_on_behind_its_text() -> None:
    rest = continuation(Completion("m", text="A: "), "one", 1)
    assert isinstance(rest, Completion) and rest.text == "A: one"


def test_what_was_sent_is_answer_and_not_prompt() -> None:
    end = joined_end(Finished(FinishReason.STOP, Usage(30, 5, cached_tokens=28)), 10)
    assert end == Finished(
        FinishReason.STOP,
        Usage(20, 15, cached_tokens=20, prompt_source=UsageSource.COUNTED, completion_source=UsageSource.COUNTED),
    )


@pytest.mark.parametrize(
    ("items", "text", "begun", "goes_on"),
    [
        ((), "", False, False),
        ((TextDelta("a"), TextDelta("b")), "ab", True, True),
        ((ReasoningDelta("hm"),), "", False, False),
        ((TextDelta("a"), ToolCallDelta(0, "c", "f", "{")), "a", True, False),
        ((Raw(FRAME % b'{"role":"assistant"}' + FRAME % b'{"content":"a"}'), Raw(FRAME % b'{"content":"b"}')), "ab", True, True),
        ((Raw(FRAME % b'{"tool_calls":[{"index":0,"id":"c"}]}'),), "", True, False),
        ((Raw(FRAME % b'{"reasoning_content":"hm"}'),), "", False, False),
    ],
)
def test_what_can_be_continued(items: tuple[Item, ...], text: str, begun: bool, goes_on: bool) -> None:
    made = progress(*items)
    assert (made.text, made.begun, made.continues(CHAT)) == (text, begun, goes_on)


@pytest.mark.parametrize(
    "request_",
    [
        replace(CHAT, n=2),
        replace(CHAT, output=OutputFormat(OutputKind.JSON)),
        replace(CHAT, logprobs=2),
        Completion("m", tokens=(1, 2)),
        Completion("m", text="a", suffix="z"),
        Completion("m", text="a", echo=True),
    ],
)
def test_what_is_never_spliced(request_: Chat | Completion) -> None:
    assert not progress(TextDelta("a")).continues(request_)


def test_the_id_of_a_relayed_answer_is_kept() -> None:
    assert progress(Raw(FRAME % b'{"content":"a"}')).relayed_id == "up-1"


def test_two_attempts_add_up() -> None:
    made = progress(TextDelta("one "))
    made.note(TextDelta("two"))
    made.settle()
    assert made.text == "one two"
