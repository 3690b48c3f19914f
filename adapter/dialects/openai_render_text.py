"""A completion's answer -> `text_completion`, which has one shape for whole answers and for chunks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.chat import ChoiceFinished, Finished, FinishReason, TextDelta, TokenLogprob, ToolCallDelta
from adapter.dialects.openai_render import (
    Delta,
    Envelope,
    Json,
    Open,
    OpenaiFrames,
    finite_logprob,
    render_usage,
)


@dataclass(slots=True)
class _Choice:
    """length: characters said so far, which is where the next token begins."""

    text: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    length: int = 0
    reason: FinishReason | None = None


class TextForm(OpenaiFrames):
    """See `AnswerForm`. n: how many choices, over all prompts. logprobs: were they asked for?"""

    def __init__(
        self, envelope: Envelope, *, n: int = 1, logprobs: bool = False, include_usage: bool = False
    ) -> None:
        self.envelope = envelope
        self._logprobs = logprobs
        self._include_usage = include_usage
        self._choices = [_Choice() for _ in range(n)]
        self._open = Open(n)

    def add(self, event: Delta | ChoiceFinished) -> None:
        choice = self._choices[event.choice]
        if isinstance(event, ChoiceFinished):
            choice.reason = event.reason
        elif not isinstance(event, ToolCallDelta):
            choice.text.append(event.text)
            if isinstance(event, TextDelta):
                choice.logprobs += event.logprobs

    def body(self, end: Finished) -> Json:
        choices = []
        for index, parts in enumerate(self._choices):
            logprobs = _render_logprobs(parts.logprobs, 0) if self._logprobs else None
            choices.append(_choice(index, "".join(parts.text), parts.reason or end.reason, logprobs))
        return {**self._head(), "choices": choices, "usage": render_usage(end.usage), "farmhand": self._said(end)}

    def opening(self) -> list[Json]:
        """Nothing: there are no roles here."""
        return []

    def keepalive(self) -> Json:
        return self._chunk(_choice(self._open.first, ""))

    def chunk(self, event: Delta | ChoiceFinished) -> Json | None:
        choice = self._choices[event.choice]
        if isinstance(event, ChoiceFinished):
            choice.reason = event.reason
            return self._chunk(_choice(event.choice, "", event.reason)) if self._open.close(event.choice) else None
        if isinstance(event, ToolCallDelta):
            return None
        logprobs = None
        if isinstance(event, TextDelta) and event.logprobs:
            logprobs = _render_logprobs(event.logprobs, choice.length)
        choice.length += len(event.text)
        return self._chunk(_choice(event.choice, event.text, logprobs=logprobs))

    def closing(self, end: Finished) -> list[Json]:
        index = self._open.first
        last = self._chunk(_choice(index, "", self._choices[index].reason or end.reason))
        last["farmhand"] = self._said(end)
        if not self._include_usage:
            return [last]
        return [last, {**self._head(), "choices": [], "usage": render_usage(end.usage)}]

    def _chunk(self, choice: Json) -> Json:
        return {**self._head(), "choices": [choice]}

    def _head(self) -> Json:
        envelope = self.envelope
        return {"id": envelope.id, "object": "text_completion", "created": envelope.created, "model": envelope.model}

    def _said(self, end: Finished) -> Json:
        return self.envelope.extension(end.usage)


def _choice(index: int, text: str, reason: FinishReason | None = None, logprobs: Json | None = None) -> Json:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _render_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> Json:
    """Four lists side by side. text_offset: where each token begins, in characters of the answer."""
    shown: Json = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for token in tokens:
        shown["tokens"].append(token.token)
        shown["token_logprobs"].append(finite_logprob(token.logprob))
        shown["top_logprobs"].append({top.token: finite_logprob(top.logprob) for top in token.top})
        shown["text_offset"].append(offset)
        offset += len(token.token)
    return shown
