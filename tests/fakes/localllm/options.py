"""What a test can choose about the fake: the build, the owner's settings, the personality (protocols/localllm.md 2, 15, 19)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Build = Literal["monolith", "split", "rich", "warm"]
MidStreamFailure = Literal["frame", "cut"]
Deltas = Literal["length", "correct"]
Head = Literal["with_body", "at_once"]
Overlap = Literal["queue", "fail", "crash"]
Disconnect = Literal["ignore", "stop"]
AICore = Literal["unavailable", "downloadable", "downloading", "available", "probe_failed", "background"]
WholeNumbers = Literal["int", "float"]

AICORE_ID = "gemini-nano-aicore"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says: text pieces, then tool calls (name, arguments), then perhaps a native failure with this text.

    Calls are made only where the conversation has tools; `error` ends the answer after the last piece.
    """

    pieces: tuple[str, ...] = ()
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    error: str | None = None


Says = Callable[[list[dict[str, Any]]], Reply]


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `FakeLocalLLM`, with the defaults that depend on the build filled in."""

    build: Build
    key: str
    models: Sequence[str]
    embedders: Sequence[str]
    selected: str
    says: Says
    mid_stream_failure: MidStreamFailure
    deltas: Deltas
    head: Head
    overlap: Overlap
    disconnect: Disconnect
    aicore: AICore
    context_tokens: int
    queue_depth: int
    max_prompt_chars: int
    request_timeout_s: float
    rate: float
    burst: int
    token_delay_s: float
    load_delay_s: float
    keepalive_s: float
    warm_timeout_s: float
    whole_numbers: WholeNumbers

    @property
    def rich_errors(self) -> bool:
        """String codes, and 503/425/403 instead of 500 (2)."""
        return self.build in ("rich", "warm")


def deltas_of(build: Build) -> Deltas:
    """The length rule came with 031866c; what stands before it in section 2 compared prefixes (8.4)."""
    return "length" if build in ("rich", "warm") else "correct"


def to_says(reply: Says | Reply | None) -> Says:
    """The three forms of the argument `reply` as one function of what the model was shown."""
    if reply is None:
        return echo
    if isinstance(reply, Reply):
        return lambda messages: reply
    return reply


def echo(messages: list[dict[str, Any]]) -> Reply:
    """The last user text, word by word, each with the blank before it; `ok` where there is none."""
    texts = [message["content"] for message in messages if message["role"] == "user"]
    return Reply(tuple(re.findall(r"\s*\S+", texts[-1] if texts else "") or ("ok",)))
