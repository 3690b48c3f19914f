"""Messages as a template can take them: without system messages, without calls, without tools, in turns. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from adapter.calls.family import CallForm
from adapter.calls.json_text import to_json
from adapter.calls.tools import ToolBox
from adapter.chat import Message, Role, ToolCall

_ID_CHARS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHORT_ID = 9


def _is_system(message: Message) -> bool:
    return message.role in (Role.SYSTEM, Role.DEVELOPER)


def gather_system(messages: Sequence[Message]) -> list[Message]:
    """All system messages as one, at the beginning."""
    system = [message.content for message in messages if _is_system(message)]
    rest = [message for message in messages if not _is_system(message)]
    return [Message(Role.SYSTEM, "\n\n".join(system)), *rest] if system else rest


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """No system message: their text goes to the top of the first user message."""
    system = [message.content for message in messages if _is_system(message)]
    rest = [message for message in messages if not _is_system(message)]
    if not system:
        return rest
    for at, message in enumerate(rest):
        if message.role is Role.USER:
            rest[at] = Message(Role.USER, "\n\n".join([*system, message.content]), name=message.name)
            return rest
    return [Message(Role.USER, "\n\n".join(system)), *rest]


def join_neighbours(messages: Sequence[Message]) -> list[Message]:
    """Neighbouring user messages as one, neighbouring plain assistant messages as one."""
    joined: list[Message] = []
    for message in messages:
        before = joined[-1] if joined else None
        alike = before is not None and before.role is message.role and before.role is not Role.TOOL
        if before is not None and alike and not before.tool_calls and not message.tool_calls:
            joined[-1] = Message(before.role, f"{before.content}\n\n{message.content}", name=before.name)
        else:
            joined.append(message)
    return joined


# --- tools ------------------------------------------------------------------------------------------------------


def describe_tools(messages: Sequence[Message], tools: ToolBox, form: CallForm) -> list[Message]:
    """The tools, and how to call them, in the first system message: for templates that do not show tools."""
    lines = [
        to_json({"name": spec.name, "description": spec.description, "parameters": spec.schema})
        for spec in tools
    ]
    example = form.write([ToolCall("", "function_name", '{"argument": "value"}')])
    text = (
        "You can call these functions to help with the user's request:\n<tools>\n"
        + "\n".join(lines)
        + "\n</tools>\n\nTo call one, write its name and its arguments, as its parameters demand, in exactly this form:\n"
        + f"{example}\n\nThe result comes in the next message, between <tool_response> and </tool_response>. "
        "When no function is needed, answer as usual."
    )
    first = messages[0] if messages else None
    if first is not None and _is_system(first):
        return [replace(first, content=f"{first.content}\n\n{text}"), *messages[1:]]
    return [Message(Role.SYSTEM, text), *messages]


def name_results(messages: Sequence[Message]) -> list[Message]:
    """Each tool's result with the name of its tool, which some templates show."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return [
        replace(message, name=names[message.tool_call_id])
        if message.role is Role.TOOL and message.name is None and message.tool_call_id in names
        else message
        for message in messages
    ]


def split_calls(messages: Sequence[Message]) -> list[Message]:
    """One call a message, each before its result: for models that know only that."""
    split: list[Message] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        at += 1
        if len(message.tool_calls) < 2:
            split.append(message)
            continue
        end = at
        while end < len(messages) and messages[end].role is Role.TOOL:
            end += 1
        split += _interleaved(message, list(messages[at:end]))
        at = end
    return split


def _interleaved(message: Message, results: list[Message]) -> list[Message]:
    turns: list[Message] = []
    for index, call in enumerate(message.tool_calls):
        turns.append(replace(message, content=message.content if index == 0 else "", tool_calls=(call,)))
        mine = [result for result in results if result.tool_call_id == call.id]
        turns += mine
        results = [result for result in results if result not in mine]
    return turns + results


def calls_as_text(messages: Sequence[Message], form: CallForm) -> list[Message]:
    """Earlier calls as the model would write them."""
    return [
        Message(Role.ASSISTANT, "\n".join(filter(None, [message.content, form.write(message.tool_calls)])))
        if message.tool_calls
        else message
        for message in messages
    ]


def results_as_text(messages: Sequence[Message]) -> list[Message]:
    """Results of tools as messages of the user; neighbours become one."""
    changed: list[Message] = []
    before: Role | None = None
    for message in messages:
        if message.role is not Role.TOOL:
            changed.append(message)
        elif before is Role.TOOL:
            changed[-1] = Message(Role.USER, f"{changed[-1].content}\n{_result(message)}")
        else:
            changed.append(Message(Role.USER, _result(message)))
        before = message.role
    return changed


def _result(message: Message) -> str:
    name = f"{message.name}: " if message.name else ""
    return f"<tool_response>\n{name}{message.content}\n</tool_response>"


def shorten_ids(messages: Sequence[Message]) -> list[Message]:
    """Ids of calls as nine letters and digits; the same id always becomes the same."""
    return [
        replace(
            message,
            tool_calls=tuple(replace(call, id=short_id(call.id)) for call in message.tool_calls),
            tool_call_id=None if message.tool_call_id is None else short_id(message.tool_call_id),
        )
        for message in messages
    ]


def short_id(text: str) -> str:
    if len(text) == _SHORT_ID and text.isascii() and text.isalnum():
        return text
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
    digits = ""
    for _ in range(_SHORT_ID):
        number, digit = divmod(number, len(_ID_CHARS))
        digits += _ID_CHARS[digit]
    return digits
