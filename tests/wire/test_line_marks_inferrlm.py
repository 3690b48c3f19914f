"""`protocols/inferrlm.md` 13.1: answers of one line on builds B and C, and the marks that make them longer."""

from __future__ import annotations

import json

import pytest

from adapter.chat import Chat, Message, Role, Sampling, TextDelta
from adapter.dispatch.items import Remark
from adapter.line_marks import REMARK, marked, wants_line_marks
from adapter.settings import InferrlmSettings
from tests.fakes.inferrlm import LLAMA, Build, FakeInferrLM, FakeModelRuntime, Script
from tests.wire.inferrlm_cases import chats, engine_for

MARKED = Script(pieces=["Two", " things", ".", " ¶", " -", " a", " ¶", " ¶", "     x", " =", " 1"])
PLAIN = Script(pieces=["First", " line", ".", "\n", "Second", " line", "."])
CHAT = Chat(
    LLAMA,
    (Message(Role.USER, "hi"), Message(Role.ASSISTANT, "a\nb"), Message(Role.USER, "list two things")),
    Sampling(max_tokens=40),
)


async def answer(build: Build, script: Script) -> tuple[str, list[Remark], list[dict[str, str]]]:
    """Text, remarks, and the messages that the app got."""
    async with (
        FakeInferrLM(build, engine=FakeModelRuntime(script=script)) as phone,
        engine_for(phone.url, line_marks=True) as engine,
    ):
        items = [item async for item in marked(CHAT, engine.generate)]
        (seen,) = chats(phone)
    text = "".join(item.text for item in items if isinstance(item, TextDelta))
    return text, [item for item in items if isinstance(item, Remark)], json.loads(seen.body)["messages"]


@pytest.mark.parametrize("build", ["B", "C"])
async def test_13_1_one_line_answers_become_many_with_marks(build: Build) -> None:
    text, remarks, messages = await answer(build, MARKED)
    assert text == "Two things.\n- a\n\n    x = 1"
    assert remarks == [REMARK]
    assert [message["content"] for message in messages[:2]] == ["hi", "a ¶ b"]
    assert "write ¶" in messages[2]["content"]


@pytest.mark.parametrize("build", ["B", "C"])
async def test_13_1_a_model_that_ignores_the_request_gives_its_first_line(build: Build) -> None:
    text, remarks, _ = await answer(build, PLAIN)
    assert text.strip() == "First line."
    assert remarks == []


@pytest.mark.parametrize(("build", "wanted"), [("A", False), ("B", True), ("C", True)])
async def test_13_1_only_builds_that_stop_at_newlines_are_asked(build: Build, wanted: bool) -> None:
    settings = InferrlmSettings(name="phone", kind="inferrlm", line_marks=True)
    async with FakeInferrLM(build) as phone, engine_for(phone.url) as engine:
        cards = {card.id: card for card in await engine.models()}
    assert wants_line_marks(cards[LLAMA], settings) is wanted
