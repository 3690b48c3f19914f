"""Which conversation is still in LocalLLM's memory, so that only its last message must be computed (7.5). Pure.

The app keeps one live conversation for each model, and any other request to that model ends it. It compares less than it should:
neither the tools nor the answer that was given count, so these are compared here, and a conversation that differs gets a new id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapter.dialects.localllm_frames import Call

if TYPE_CHECKING:
    from adapter.dialects.localllm import Ask

# The app keeps two engines loaded (7.4), and one conversation in each.
MAX_LIVE = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """What a session was asked last. messages: each as canonical JSON. manner: whatever else must stay the same."""

    model: str
    messages: tuple[str, ...]
    manner: str

    @classmethod
    def of(cls, ask: Ask) -> Turn:
        return cls(ask.model.id, tuple(_canonical(m) for m in ask.messages), _canonical(dict(ask.fields)))


@dataclass(slots=True)
class _Live:
    id: str
    turn: Turn
    answer: str


class Sessions:
    """`begin` before each request that touches a model, `keep` after a whole answer; whatever is not kept is forgotten."""

    def __init__(self, prefix: str) -> None:
        """prefix: begins every id, so that no other client's are met."""
        self._prefix = prefix
        self._made = 0
        self._live: dict[str, _Live] = {}

    def begin(self, ask: Ask) -> str:
        """The id to send: of the conversation that `ask` continues, else a new one. The model's conversation is now ours to lose."""
        turn = Turn.of(ask)
        live = self._live.pop(turn.model, None)
        if live is not None and _continues(live, turn, ask.messages):
            return live.id
        self._made += 1
        return f"{self._prefix}-{self._made}"

    def keep(self, session: str, ask: Ask, text: str, calls: Sequence[Call]) -> None:
        """The answer was `text` and `calls`, whole, and the client has all of it."""
        self._live.pop(ask.model.id, None)
        self._live[ask.model.id] = _Live(session, Turn.of(ask), _answer_key(text, calls))
        while len(self._live) > MAX_LIVE:
            del self._live[next(iter(self._live))]

    def forget(self, model: str | None = None) -> None:
        """Something else ran on `model`, or, with `None`, the app began anew."""
        if model is None:
            self._live.clear()
        else:
            self._live.pop(model, None)


def _continues(live: _Live, turn: Turn, messages: Sequence[Mapping[str, Any]]) -> bool:
    count = len(live.turn.messages)
    if turn.manner != live.turn.manner or turn.messages[:count] != live.turn.messages:
        return False
    new = messages[count:]
    if len(new) != 2 or new[0]["role"] != "assistant" or new[1]["role"] not in ("user", "tool"):
        return False
    return _echoed(new[0]) == live.answer


def _echoed(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    calls = [Call(c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", ())]
    return _answer_key(content if isinstance(content, str) else "", calls)


def _answer_key(text: str, calls: Sequence[Call]) -> str:
    """Clients may trim a text, and leave it out beside calls."""
    if calls:
        # Imported here: whoever only looks for the app needs no conversations.
        from adapter.dialects.localllm_messages import canonical_arguments

        return json.dumps([[call.name, canonical_arguments(call.arguments)] for call in calls])
    return json.dumps(text.strip())


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
