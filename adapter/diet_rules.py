"""The rules of the prompt diet, one function each: a chat -> forms of it, from mild to strict. Pure.

A rule gives how many levels it has for this chat (0: nothing to do) and how to make the form of level 1 to that. Each level is
at most as long as the one before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter.chat import Chat, Message, Role, Tool, ToolCall

# Characters that stay at the strictest; about four are a token.
RESULT_CHARS = 200
MESSAGE_CHARS = 500
NEWEST_CHARS = 1_000
SYSTEM_CHARS = 1_000
# Each level leaves so much of the one before, from the longest text down: fine enough to use a small context well.
STEP_PCT = 80
# A cut must be worth its mark.
WORTH_CHARS = 60
FIRST_SENTENCE_CHARS = 200
MAX_DEPTH = 64

# Words of a schema that constrain nothing.
_ANNOTATIONS = frozenset({"description", "title", "examples", "$comment"})
# Words whose value is named schemas, a list of schemas or a schema; all other values are data and stay.
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NESTED = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n|[。！？]")  # noqa: RUF001  full-width ends are what is meant


@dataclass(frozen=True, slots=True)
class Form:
    """A shorter chat. note: what was done, for the report."""

    chat: Chat
    note: dict[str, Any]


Make = Callable[[int], Form]
Rule = Callable[[Chat], tuple[int, Make]]


# --- 1. tools ---------------------------------------------------------------------------------------------------


def bare_schemas(chat: Chat) -> tuple[int, Make]:
    """Rule 1a, in one level."""

    def make(_: int) -> Form:
        tools = tuple(replace(tool, parameters=bare_schema(tool.parameters)) for tool in chat.tools)
        changed = sum(tool is not old and tool != old for tool, old in zip(tools, chat.tools, strict=True))
        return Form(replace(chat, tools=tools), {"schemas_without_descriptions": changed})

    return (1 if chat.tools else 0), make


def brief_tools(chat: Chat) -> tuple[int, Make]:
    """Rule 1b, in one level."""

    def make(_: int) -> Form:
        tools = tuple(replace(tool, description=first_sentence(tool.description)) for tool in chat.tools)
        changed = sum(tool.description != old.description for tool, old in zip(tools, chat.tools, strict=True))
        return Form(replace(chat, tools=tools), {"tool_descriptions_shortened": changed})

    return (1 if chat.tools else 0), make


def fewer_tools(chat: Chat) -> tuple[int, Make]:
    """Rule 1c; a level for each tool that may go."""
    needed = _needed_tools(chat)
    free = [at for at, tool in enumerate(chat.tools) if tool.name not in needed]
    if len(free) == len(chat.tools):
        free = free[1:]  # one always stays

    def make(level: int) -> Form:
        gone = set(free[-level:])
        tools = tuple(tool for at, tool in enumerate(chat.tools) if at not in gone)
        dropped = [chat.tools[at].name for at in sorted(gone)]
        return Form(replace(chat, tools=tools), {"tools_dropped": dropped})

    return len(free), make


def _needed_tools(chat: Chat) -> set[str]:
    needed = {call.name for message in chat.messages for call in message.tool_calls}
    needed |= {message.name for message in chat.messages if message.role is Role.TOOL and message.name}
    if chat.tool_choice.name:
        needed.add(chat.tool_choice.name)
    at = _last_user(chat.messages)
    asked = chat.messages[at].content.casefold() if at >= 0 else ""
    return needed | {tool.name for tool in chat.tools if _mentioned(tool, asked)}


def _mentioned(tool: Tool, asked: str) -> bool:
    name = tool.name.casefold()
    return name in asked or re.sub(r"[_.-]+", " ", name) in asked


def bare_schema(text: str) -> str:
    """The JSON text of a schema without what constrains nothing; `text` itself if it is no JSON object."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(schema, dict):
        return text
    bare = json.dumps(_bare(schema, MAX_DEPTH), ensure_ascii=False, separators=(",", ":"))
    return bare if len(bare) < len(text) else text


def _bare(schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or not depth:
        return schema
    return {key: _bare_value(key, value, depth - 1) for key, value in schema.items() if key not in _ANNOTATIONS}


def _bare_value(key: str, value: Any, depth: int) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _bare(schema, depth) for name, schema in value.items()}
    if isinstance(value, list) and (key in _LISTS or key == "items"):
        return [_bare(schema, depth) for schema in value]
    return _bare(value, depth) if key in _NESTED else value


def first_sentence(text: str) -> str:
    """Of a description, at most `FIRST_SENTENCE_CHARS` characters."""
    text = text.strip()
    end = _SENTENCE_END.search(text)
    sentence = text[: end.end()].rstrip() if end else text
    return sentence if len(sentence) <= FIRST_SENTENCE_CHARS else sentence[: FIRST_SENTENCE_CHARS - 1] + "…"


# --- 2, 3, 5, 6. texts ------------------------------------------------------------------------------------------


def old_results(chat: Chat) -> tuple[int, Make]:
    """Rule 2; a level for each length."""
    newest = set(_newest_results(chat.messages))
    where = [at for at, m in enumerate(chat.messages) if m.role is Role.TOOL and at not in newest]
    return _cutting(chat, where, RESULT_CHARS, "old_tool_results_shortened")


def old_messages(chat: Chat) -> tuple[int, Make]:
    """Rule 3. Old is all but the last user message, and the assistant's last one with what follows it."""
    last_user = _last_user(chat.messages)
    end = _last(chat.messages, (Role.ASSISTANT,))
    where = [
        at
        for at, message in enumerate(chat.messages)
        if message.role in (Role.USER, Role.ASSISTANT) and at != last_user and (at < end or at < last_user)
    ]
    return _cutting(chat, where, MESSAGE_CHARS, "old_messages_shortened")


def newest_results(chat: Chat) -> tuple[int, Make]:
    """Rule 5."""
    return _cutting(chat, _newest_results(chat.messages), NEWEST_CHARS, "newest_tool_results_shortened")


def system_messages(chat: Chat) -> tuple[int, Make]:
    """Rule 6."""
    where = [at for at, m in enumerate(chat.messages) if m.role in (Role.SYSTEM, Role.DEVELOPER)]
    return _cutting(chat, where, SYSTEM_CHARS, "system_messages_shortened")


def _cutting(chat: Chat, where: Collection[int], shortest: int, name: str) -> tuple[int, Make]:
    """The messages at `where` cut to ever shorter lengths, the last of which is `shortest`."""
    longest = max((_longest(chat.messages[at]) for at in where), default=0)
    lengths = _lengths(longest, shortest)

    def make(level: int) -> Form:
        messages = list(chat.messages)
        for at in where:
            messages[at] = _cut(messages[at], lengths[level - 1])
        changed = sum(messages[at] != chat.messages[at] for at in where)
        left_out = sum(map(_size, chat.messages)) - sum(map(_size, messages))
        note = {name: {"messages": changed, "characters_left_out": left_out}}
        return Form(replace(chat, messages=tuple(messages)), note)

    return len(lengths), make


def _lengths(longest: int, shortest: int) -> list[int]:
    lengths: list[int] = []
    length = longest - WORTH_CHARS
    while length > shortest:
        length = max(shortest, length * STEP_PCT // 100)
        lengths.append(length)
    return lengths


def _longest(message: Message) -> int:
    return max([len(message.content), *(len(call.arguments) for call in message.tool_calls)])


def _size(message: Message) -> int:
    return len(message.content) + sum(len(call.arguments) for call in message.tool_calls)


def _cut(message: Message, length: int) -> Message:
    calls = tuple(_cut_call(call, length) for call in message.tool_calls)
    return replace(message, content=head_and_tail(message.content, length), tool_calls=calls)


def _cut_call(call: ToolCall, length: int) -> ToolCall:
    """Its arguments stay a JSON object, so long strings in them are cut, not the text."""
    if len(call.arguments) <= length + WORTH_CHARS:
        return call
    try:
        value = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call
    if not isinstance(value, dict):
        return call
    cut = json.dumps(_cut_strings(value, length, MAX_DEPTH), ensure_ascii=False)
    return replace(call, arguments=cut) if len(cut) < len(call.arguments) else call


def _cut_strings(value: Any, length: int, depth: int) -> Any:
    if isinstance(value, str):
        return head_and_tail(value, length)
    if not depth:
        return value
    if isinstance(value, dict):
        return {key: _cut_strings(item, length, depth - 1) for key, item in value.items()}
    return [_cut_strings(item, length, depth - 1) for item in value] if isinstance(value, list) else value


def head_and_tail(text: str, length: int) -> str:
    """`length` characters of `text`, two thirds from its head, with a mark that says how many are missing between."""
    if len(text) <= length + WORTH_CHARS:
        return text
    tail = length // 3
    head = length - tail
    return f"{text[:head]}\n[… {len(text) - length} characters left out …]\n{text[-tail:]}"


# --- 4. rounds --------------------------------------------------------------------------------------------------


def fewer_rounds(chat: Chat) -> tuple[int, Make]:
    """Rule 4; a level for each round but the last. System messages stay where they are."""
    rounds = _rounds(chat.messages)

    def make(level: int) -> Form:
        gone = {at for round_ in rounds[:level] for at in round_}
        messages = tuple(message for at, message in enumerate(chat.messages) if at not in gone)
        note = {"rounds_dropped": {"rounds": level, "messages": len(gone)}}
        return Form(replace(chat, messages=messages), note)

    return len(rounds), make


def _rounds(messages: Sequence[Message]) -> list[list[int]]:
    """Places of the messages of each round before the last user message, oldest first."""
    rounds: list[list[int]] = []
    for at in range(max(0, _last_user(messages))):
        if messages[at].role in (Role.SYSTEM, Role.DEVELOPER):
            continue
        if messages[at].role is Role.USER or not rounds:
            rounds.append([])
        rounds[-1].append(at)
    return rounds


# --- where things are -------------------------------------------------------------------------------------------


def _last(messages: Sequence[Message], roles: Collection[Role]) -> int:
    """Place of the last message of these roles, -1 if there is none."""
    return max((at for at, message in enumerate(messages) if message.role in roles), default=-1)


def _last_user(messages: Sequence[Message]) -> int:
    return _last(messages, (Role.USER,))


def _newest_results(messages: Sequence[Message]) -> list[int]:
    """Results that the model has not answered yet: those behind its last message."""
    begin = _last(messages, (Role.ASSISTANT,)) + 1
    return [at for at in range(begin, len(messages)) if messages[at].role is Role.TOOL]


RULES: tuple[Rule, ...] = (
    bare_schemas,
    brief_tools,
    fewer_tools,
    old_results,
    old_messages,
    fewer_rounds,
    newest_results,
    system_messages,
)
