"""What an agent's requests begin with, made into a prompt that the embedded engine computes ahead (`adapter/engines/llama/pins.py`). Pure.

Seen with OpenClaw 2026.9.6, two turns in two sessions of one gateway: system message and tools are the same byte for byte; the time, the session and
the host stand in the user's message behind them. Only the day is in the system message. A turn without a gateway (`--local`) has another prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.connect.target import ConnectError

# Less is no agent's prompt, and computed in no time anyway.
LEAST_LETTERS = 2_000


@dataclass(frozen=True, slots=True)
class Pin:
    """body: for `pins/NAME.json`. letters: of the system message. tools: how many. cut: letters of it that were left out, since they change."""

    body: Mapping[str, Any]
    letters: int
    tools: int
    cut: int = 0


def pin_of(requests: Sequence[Mapping[str, Any]], day: str) -> Pin:
    """requests: bodies of at least two chat completions of different sessions. day: on which they were recorded, like 2026-11-20.

    Raises `ConnectError` where they have no system message and tools in common.
    """
    if len(requests) < 2:
        raise ConnectError(f"{len(requests)} of two requests came; nothing was recorded. Try again")
    texts = [_system_text(request) for request in requests]
    tools = requests[0].get("tools") or []
    if any((request.get("tools") or []) != tools for request in requests):
        raise ConnectError("its tools change from one turn to the next, so there is nothing that could be kept ready")
    text = _in_common(texts)
    if len(text) < LEAST_LETTERS:
        raise ConnectError(f"its turns have only {len(text):,} letters of their system message in common; there is nothing worth keeping ready")
    body: dict[str, Any] = {"messages": [{"role": "system", "content": text}]}
    if tools:
        body |= {"tools": tools, "tool_choice": "auto"}
    if day in text:
        body["date"] = day
    return Pin(body, len(text), len(tools), max(map(len, texts)) - len(text))


def _system_text(request: Mapping[str, Any]) -> str:
    """Of the first message, which may be a list of parts."""
    messages = request.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, Mapping) or first.get("role") not in ("system", "developer"):
        raise ConnectError("its request does not begin with a system message, so there is nothing that could be kept ready")
    content = first.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _in_common(texts: Sequence[str]) -> str:
    """Whole lines: half a line would be half a word."""
    same: list[str] = []
    for lines in zip(*(text.splitlines(keepends=True) for text in texts), strict=False):
        if len({*lines}) > 1:
            break
        same.append(lines[0])
    return "".join(same)
