"""Which conversation the app still has in memory (`protocols/localllm.md` 7.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.chat import Chat, Message, Role, Sampling, Tool, ToolCall
from adapter.dialects.localllm import Ask, render_chat
from adapter.dialects.localllm_frames import Call
from adapter.dialects.localllm_models import model_of
from adapter.dialects.localllm_sessions import MAX_LIVE, Sessions


def ask_of(*said: str | Message, model: str = "gemma-4-e2b", tools: tuple[Tool, ...] = (), temperature: float | None = None) -> Ask:
    """Texts are the user's and the assistant's in turn."""
    messages = tuple(
        text if isinstance(text, Message) else Message((Role.USER, Role.ASSISTANT)[index % 2], text)
        for index, text in enumerate(said)
    )
    chat = Chat(model, messages, Sampling(temperature=temperature), tools)
    return render_chat(chat, model_of(model), configured_tokens=4_096, default_max_tokens=64)


def answered(sessions: Sessions, ask: Ask, text: str, *calls: Call) -> str:
    session = sessions.begin(ask)
    sessions.keep(session, ask, text, calls)
    return session


def test_turn_by_turn() -> None:
    sessions = Sessions("p")
    first = answered(sessions, ask_of("a"), "A")
    assert answered(sessions, ask_of("a", "A", "b"), "B") == first
    assert answered(sessions, ask_of("a", "A", "b", " B\n", "c"), "C") == first, "clients trim"
    assert first.startswith("p-")


@pytest.mark.parametrize(
    "turn",
    [
        ask_of("a"),
        ask_of("a", "other", "b"),
        ask_of("other", "A", "b"),
        ask_of("a", "A", "b", "B", "c"),
        ask_of("a", "A", "b", tools=(Tool("t"),)),
        ask_of("a", "A", "b", temperature=0.1),
        ask_of("a", "A", "b", model="gemma-4-e4b"),
        ask_of(Message(Role.SYSTEM, "s"), Message(Role.USER, "a"), Message(Role.ASSISTANT, "A"), Message(Role.USER, "b")),
        ask_of("a", Message(Role.USER, "b")),
    ],
)
def test_what_is_another_conversation(turn: Ask) -> None:
    sessions = Sessions("p")
    first = answered(sessions, ask_of("a"), "A")
    assert sessions.begin(turn) != first


def test_a_tools_result_goes_on() -> None:
    sessions = Sessions("p")
    first = answered(sessions, ask_of("a"), "", Call("f", '{"lap": 3}'))
    called = Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "f", '{ "lap":3 }'),))
    result = Message(Role.TOOL, "ok", tool_call_id="c1")
    assert sessions.begin(ask_of("a", called, result)) == first
    first = answered(sessions, ask_of("a"), "", Call("f", '{"lap": 3}'))
    assert sessions.begin(ask_of("a", called, result, result)) != first, "two results at once are rebuilt by the app"


def test_what_began_is_lost_until_it_is_kept() -> None:
    """A failed or abandoned turn leaves nothing to go on from."""
    sessions = Sessions("p")
    first = answered(sessions, ask_of("a"), "A")
    assert sessions.begin(ask_of("a", "A", "b")) == first
    assert sessions.begin(ask_of("a", "A", "b")) != first


def test_whatever_else_runs_ends_it() -> None:
    sessions = Sessions("p")
    first = answered(sessions, ask_of("a"), "A")
    sessions.forget("another-model")
    assert answered(sessions, ask_of("a", "A", "b"), "B") == first
    sessions.forget("gemma-4-e2b")
    assert sessions.begin(ask_of("a", "A", "b", "B", "c")) != first
    first = answered(sessions, ask_of("a"), "A")
    sessions.forget()
    assert sessions.begin(ask_of("a", "A", "b")) != first


def test_as_many_as_the_app_keeps_engines() -> None:
    sessions = Sessions("p")
    firsts = [answered(sessions, ask_of("a", model=f"m{n}"), "A") for n in range(MAX_LIVE + 1)]
    again = [sessions.begin(ask_of("a", "A", "b", model=f"m{n}")) for n in range(MAX_LIVE + 1)]
    assert [one == other for one, other in zip(firsts, again, strict=True)] == [False] + [True] * MAX_LIVE


def test_ids_are_never_used_twice() -> None:
    sessions = Sessions("p")
    ids = [sessions.begin(replace(ask_of("a"))) for _ in range(5)]
    assert len(set(ids)) == 5
