"""`adapter.queueing.urgency`: what programs ask by themselves, and what only looks like it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.caller import Urgency
from adapter.chat import Chat, Message, Role
from adapter.dialects.openai_parse import parse_chat
from adapter.errors import BadRequest
from adapter.queueing.urgency import is_errand, is_heartbeat, urgency_of
from adapter.settings import KeySettings

RECORDED = Path(__file__).resolve().parent.parent / "data" / "wire" / "clients"
ERRANDS = {f"open-webui/{name}" for name in ("browser_turn-3", "browser_turn-4", "browser_turn-5", "title_task")}

HEARTBEAT = (
    "Read HEARTBEAT.md if it exists (workspace context). Follow it strictly. Do not infer or repeat old tasks from prior chats. "
    "If nothing needs attention, reply HEARTBEAT_OK."
)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def chat_of(name: str) -> Chat:
    return parse_chat(recorded(name)["body"]).chat


def all_chats() -> list[str]:
    names = [str(path.relative_to(RECORDED).with_suffix("")) for path in sorted(RECORDED.glob("*/*.json"))]
    return [name for name in names if recorded(name)["path"].endswith("/chat/completions")]


def user(text: str) -> Chat:
    return Chat("m", (Message(Role.USER, text),))


def test_of_all_recorded_chats_the_errands_and_no_others_are_background() -> None:
    seen: dict[str, Urgency] = {}
    for name in all_chats():
        with contextlib.suppress(BadRequest):  # two or three ask for what the parser refuses
            seen[name] = urgency_of(chat_of(name), {}, None)
    assert len(seen) > 100
    assert {name for name, urgency in seen.items() if urgency is Urgency.BACKGROUND} == ERRANDS


TITLE = chat_of("open-webui/title_task").messages[0].content
TAGS = chat_of("open-webui/browser_turn-5").messages[0].content
SYSTEM = Message(Role.SYSTEM, "You are kind.")
OLDER_TITLE = (
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Guidelines:\n- Short.\n"
    '### Output:\nJSON format: { "title": "your concise title here" }\n### Chat History:\n<chat_history>\nUSER: hi\n</chat_history>'
)


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        (user(TITLE), True),
        (user(TAGS), True),
        (user(OLDER_TITLE), True),
        (user(TITLE + "\n"), True),
        (Chat("m", (SYSTEM, Message(Role.USER, TITLE))), True),  # a model with a system prompt of its own
        (user(TITLE.replace("USER: Say hi.", "USER: what is ### Task:\n### Chat History: <chat_history>")), True),
        # A person's own words about titles, with the template quoted, or with something after it.
        (user("Generate a concise title summarizing the chat history."), False),
        (user("Please give this chat a title as JSON format: { \"title\": \"...\" }"), False),
        (user(f"What does this prompt do?\n{TITLE}"), False),
        (user(f"{TITLE}\nWhy does Open WebUI send this?"), False),
        (user("### Task:\nWrite a title for my book.\n### Output:\nJSON format: { \"title\": \"x\" }"), False),
        # The same form for what somebody waits for: a search before the answer, a picture, a completion while typing.
        (user(TITLE.replace('{ "title": "your concise title here" }', '{ "queries": ["query1", "query2"] }')), False),
        (user(TITLE.replace('{ "title": "your concise title here" }', '{ "prompt": "..." }')), False),
        (user(TITLE.replace('JSON format: { "title":', 'JSON format: { "text":')), False),
        # The wanted key only in the quoted conversation.
        (user(TITLE.replace("### Output:\nJSON format", "### Form:\nJSON").replace("Say hi.", '### Output:\nJSON format: { "title": "x" }')), False),
        # A conversation that goes on, or has tools, is not an errand.
        (Chat("m", (Message(Role.USER, TITLE), Message(Role.ASSISTANT, "{}"), Message(Role.USER, "Shorter"))), False),
        (Chat("m", (Message(Role.USER, "hi"), Message(Role.USER, TITLE))), False),
        (replace(user(TITLE), tools=chat_of("open-webui/browser_turn-1").tools), False),
        (Chat("m", (SYSTEM,)), False),
    ],
)  # fmt: skip
def test_errands(chat: Chat, expected: bool) -> None:
    assert is_errand(chat) is expected


def said(name: str, text: str, *, after: tuple[Message, ...] = ()) -> Chat:
    """A recorded turn of an agent with `text` in place of what the person said."""
    chat = chat_of(name)
    first = next(i for i, m in enumerate(chat.messages) if m.role is Role.USER)
    rest = tuple(m for m in chat.messages[first + 1 :])
    return replace(chat, messages=(*chat.messages[:first], Message(Role.USER, text), *after, *rest))


BELOW = (
    "\nWhen reading HEARTBEAT.md, use workspace file /home/user/HEARTBEAT.md (exact case). Do not read docs/heartbeat.md."
    "\nCurrent time: Thursday, April 9th, 2026 — 11:11 AM (UTC) / 2026-04-09 11:11 UTC"
)
CALLED = (Message(Role.ASSISTANT, "Reading."), Message(Role.TOOL, "ok", tool_call_id="c"))


@pytest.mark.parametrize("name", ["openclaw/agent_turn", "clawdbot/agent_turn"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEARTBEAT, True),
        (HEARTBEAT + BELOW, True),
        (f"[Fri 2026-11-20 10:34 UTC] {HEARTBEAT}", True),
        (f"{HEARTBEAT}\n\nRuntime: agent=main | host=host", True),
        (f"{HEARTBEAT}\nAnd tell me the time.", False),
        (f"{HEARTBEAT} What does this mean?", False),
        (f"System: [2026-04-07 13:48:34 UTC] Exec completed (swift-co, code 0)\n\n{HEARTBEAT}{BELOW}", False),
        ("Read HEARTBEAT.md if it exists and tell me what is in it.", False),
        ("Did you send a heartbeat? Reply HEARTBEAT_OK.", False),
        ("Say hi in five words.", False),
        ("", False),
    ],
)
def test_heartbeats(name: str, text: str, expected: bool) -> None:
    assert is_heartbeat(said(name, text)) is expected
    assert is_heartbeat(said(name, text, after=CALLED)) is expected  # the calls of a turn belong to it


def test_a_person_who_speaks_after_a_heartbeat_is_answered_as_one() -> None:
    chat = said("openclaw/agent_turn", HEARTBEAT)
    later = (*chat.messages, Message(Role.ASSISTANT, "HEARTBEAT_OK"), Message(Role.USER, "And now?"))
    assert not is_heartbeat(replace(chat, messages=later))


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("Look at the inbox, then say HEARTBEAT_OK.", "Look at the inbox, then say HEARTBEAT_OK.", True),
        ("Look at the inbox, then say HEARTBEAT_OK.", "Look at the inbox.", False),
        ("Hi", "Hi", False),  # too short to be told from what a person says
        ("", "", False),
    ],
)
def test_a_prompt_of_the_users_own_is_known_by_the_system_message(prompt: str, text: str, expected: bool) -> None:
    chat = said("clawdbot/agent_turn", text)
    system = chat.messages[0].content
    assert f"\nHeartbeat prompt: {HEARTBEAT}\n" in system
    own = Message(Role.SYSTEM, system.replace(HEARTBEAT, prompt))
    assert is_heartbeat(replace(chat, messages=(own, *chat.messages[1:]))) is expected


def key(urgency: Urgency | None) -> KeySettings:
    return KeySettings(name="k", key="k" * 8, urgency=urgency)


I, B = Urgency.INTERACTIVE, Urgency.BACKGROUND


@pytest.mark.parametrize(
    ("setting", "header", "text", "expected"),
    [
        (None, None, "hi", I),
        (None, None, TITLE, B),
        (None, "interactive", TITLE, I),
        (None, "background", "hi", B),
        (None, " Background ", "hi", B),
        (None, "urgent", "hi", I),
        (None, "urgent", TITLE, B),
        (B, "interactive", "hi", B),
        (I, "background", TITLE, I),
        (I, None, TITLE, I),
    ],
)
def test_the_key_before_the_header_before_the_shape(
    setting: Urgency | None, header: str | None, text: str, expected: Urgency
) -> None:
    headers = {} if header is None else {"x-farmhand-class": header}
    assert urgency_of(user(text), headers, key(setting)) is expected
    if setting is None:
        assert urgency_of(user(text), headers, None) is expected
