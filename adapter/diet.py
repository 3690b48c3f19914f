"""A prompt that is too long for a context, made shorter by stated rules. Pure. Off unless `[router] prompt_diet` is set.

The rules, in this order, each only as far as it is needed and only where it helps (`diet_rules.py`):

1. Descriptions inside the tools' schemas are dropped; then the tools' own are cut to their first sentence; then tools are dropped from
   the end, but none that the history calls, that `tool_choice` names or that the last user message mentions, and never the last one.
2. Old tool results are cut to head and tail. The newest ones are not old.
3. So are old messages of user and assistant, and long strings in the arguments of old calls.
4. The oldest rounds are dropped whole: a user message and all up to the next one, so that calls and results stay together.
5. The newest tool results are cut to head and tail: the model sees the gap and can ask for another part.
6. System messages are cut in their middle: how they begin and end is what they are mostly about.

The last user message is never touched. What is cut says how much is missing; what else was done is in the report, which
the client gets. If even all rules do not help enough, the request is refused as it would have been without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import Chat, Message, Tool, ToolMode
from adapter.diet_rules import RULES, Form
from adapter.errors import ContextTooLong
from adapter.tokens import MESSAGE_TOKENS, OPENING_TOKENS, estimate_tokens

# What templates put around a tool and around a call.
TOOL_TOKENS = 12
CALL_TOKENS = 8
# From a thumbnail to a page it is 64 to 1,600 tokens, depending on the model; nothing here knows which.
IMAGE_TOKENS = 512
# An estimate is off by up to a fifth (`tokens.py`); without a number of the engine's own half of that is kept free.
MARGIN = 1.1
# The engine's own number may be about something else than the texts (a template that fails, a window that was cut).
MIN_SCALE, MAX_SCALE = 0.5, 3.0

Count = Callable[[Chat], int]


@dataclass(frozen=True, slots=True)
class DietReport:
    """What was done. notes: rule -> JSON of what it did, in order of the rules; empty if nothing had to be done."""

    tokens_before: int
    tokens_after: int
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the extension: some numbers, and the names of the tools that were dropped."""
        return {"prompt_tokens_before": self.tokens_before, "prompt_tokens_after": self.tokens_after, **self.notes}


def diet(chat: Chat, *, room_tokens: int, count: Count) -> tuple[Chat, DietReport]:
    """`chat` in at most `room_tokens` by `count`, and what was done for it. Deterministic.

    room_tokens: the context without what the answer gets. count: called some twenty times at most, most of them with texts
    that it has seen before. Raises `ContextTooLong` with the numbers of the whole request where the rules do not help enough.
    """
    before = count(chat)
    if before <= room_tokens:
        return chat, DietReport(before, before)
    now, tokens, notes = chat, before, dict[str, Any]()
    for rule in RULES:
        level, make = rule(now)
        if not level:
            continue
        strict = make(level)
        least = count(strict.chat)
        if least <= room_tokens:
            form, after = _mildest(make, level, (strict, least), room_tokens, count)
            return form.chat, DietReport(before, after, {**notes, **form.note})
        if least < tokens:
            now, tokens = strict.chat, least
            notes |= strict.note
    raise _too_long(chat, before, room_tokens)


def _mildest(
    make: Callable[[int], Form], level: int, best: tuple[Form, int], room_tokens: int, count: Count
) -> tuple[Form, int]:
    """The lowest level that fits, where `level` does: `best` is its form and its tokens."""
    low = 1
    while low < level:
        middle = (low + level) // 2
        form = make(middle)
        tokens = count(form.chat)
        if tokens <= room_tokens:
            level, best = middle, (form, tokens)
        else:
            low = middle + 1
    return best


def _too_long(chat: Chat, tokens: int, room_tokens: int) -> ContextTooLong:
    answer = chat.sampling.max_tokens
    return ContextTooLong.of(
        context_tokens=max(0, room_tokens) + (answer or 0), prompt_tokens=tokens, max_tokens=answer
    )


# --- counting ---------------------------------------------------------------------------------------------------


def estimate_chat_tokens(chat: Chat) -> int:
    """Tokens of the whole prompt, messages and tools, with what a template puts around them."""
    return _estimated(chat, estimate_tokens)


def scaled_count(reported_prompt_tokens: int | None, chat: Chat) -> Count:
    """How to count forms of `chat`. reported_prompt_tokens: what the engine counted for `chat`, `None` if it did not say.

    The engine's number says how far off the estimate is for these texts and this vocabulary. Texts that stay the same are looked at once.
    """
    known: dict[str, int] = {}

    def remembered(text: str) -> int:
        if text not in known:
            known[text] = estimate_tokens(text)
        return known[text]

    scale = MARGIN
    if reported_prompt_tokens is not None:
        scale = min(MAX_SCALE, max(MIN_SCALE, reported_prompt_tokens / max(1, _estimated(chat, remembered))))
    return lambda form: int(_estimated(form, remembered) * scale) + 1


def _estimated(chat: Chat, tokens_of: Callable[[str], int]) -> int:
    messages = sum(_message(message, tokens_of) for message in chat.messages)
    hidden = chat.tool_choice.mode is ToolMode.NONE  # then the model does not see them
    tools = 0 if hidden else sum(_tool(tool, tokens_of) for tool in chat.tools)
    return OPENING_TOKENS + messages + tools


def _message(message: Message, tokens_of: Callable[[str], int]) -> int:
    calls = sum(CALL_TOKENS + tokens_of(call.name) + tokens_of(call.arguments) for call in message.tool_calls)
    return MESSAGE_TOKENS + tokens_of(message.content) + calls + IMAGE_TOKENS * len(message.images)


def _tool(tool: Tool, tokens_of: Callable[[str], int]) -> int:
    return TOOL_TOKENS + tokens_of(tool.name) + tokens_of(tool.description) + tokens_of(tool.parameters)
