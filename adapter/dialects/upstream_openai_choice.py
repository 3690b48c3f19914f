"""One choice of an answer, chunk by chunk -> our deltas. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapter.chat import FinishReason, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta
from adapter.dialects.upstream_openai_calls import Calls, Joiner
from adapter.dialects.upstream_openai_logprobs import read_logprobs
from adapter.reasoning import Part, ReasoningSplitter
from adapter.stops import StopFilter

Delta = TextDelta | ReasoningDelta | ToolCallDelta
# Other words for OpenAI's four. What nobody knows ("eos", "end_turn") is an end like any other.
_REASONS = {
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "max_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def reason_of(word: str) -> FinishReason:
    """Any server's word for why an answer ended, as one of OpenAI's four."""
    return _REASONS.get(word, FinishReason.STOP)


class Choice:
    """index: which of the answers. stops, max_tokens: seen to here as well, for servers that do not. logprobs: as asked for.

    made_up: begins the ids of calls without one. splits: `<think>` at the beginning is reasoning, where the server has no field for it.
    """

    def __init__(
        self,
        index: int,
        *,
        stops: tuple[str, ...] = (),
        max_tokens: int | None = None,
        logprobs: int | None = None,
        made_up: str = "",
        splits: bool = True,
    ) -> None:
        self.index = index
        self.reason: FinishReason | None = None
        self.size = 0
        self.text: list[str] = []
        self._pieces = 0
        self._max_tokens = max_tokens
        self._logprobs = logprobs
        self._joiner = Joiner()
        self._reasoning = Joiner()
        self._splitter = ReasoningSplitter() if splits else None
        self._stops = StopFilter(stops)
        self._calls = Calls(index, made_up)
        self._tokens: list[TokenLogprob] = []

    @property
    def stopped(self) -> bool:
        """Did one of our own stop strings end it?"""
        return self._stops.matched is not None

    @property
    def counted(self) -> int:
        """Pieces of text, which is about the tokens."""
        return self._pieces

    @property
    def said_something(self) -> bool:
        return self.size > 0 or self._calls.count > 0

    def feed(self, choice: Mapping[str, Any]) -> Iterator[Delta]:
        """One entry of `choices`: of a chunk, of a plain answer, or of a completion. Sets `reason` when it is the last one."""
        if self.reason is not None:
            return
        delta = choice.get("delta")
        delta = choice.get("message") if delta is None else delta
        delta = delta if isinstance(delta, dict) else {"content": choice.get("text")}
        if self._logprobs is not None and choice.get("logprobs"):
            self._tokens += read_logprobs(choice["logprobs"], self._logprobs)
        yield from self._said(delta)
        word = choice.get("finish_reason")
        if self.reason is None and isinstance(word, str) and word:
            yield from self.finish(reason_of(word))

    def finish(self, reason: FinishReason) -> Iterator[Delta]:
        """It ends here: what was held back, and the reason."""
        yield from self._flush()
        if self.reason is not None:
            return
        yield from self._calls.close(cut=reason is FinishReason.LENGTH)
        if self._calls.count and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS
        if not self._calls.count and reason is FinishReason.TOOL_CALLS:
            reason = FinishReason.STOP
        self.reason = reason

    def _said(self, delta: Mapping[str, Any]) -> Iterator[Delta]:
        reasoning = text_in(delta.get("reasoning_content")) or text_in(delta.get("reasoning"))
        if reasoning:
            yield from self._reasoned(reasoning)
        text = text_in(delta.get("content")) + text_in(delta.get("refusal"))
        if text:
            yield from self._wrote(text)
        calls = delta.get("tool_calls")
        if not calls and isinstance(delta.get("function_call"), dict):
            calls = [{"index": 0, "function": delta["function_call"]}]
        if isinstance(calls, list) and calls and self.reason is None:
            yield from self._flush()
            for entry in calls:
                yield from self._calls.feed(entry)

    def _reasoned(self, text: str) -> Iterator[Delta]:
        yield from self._flush()  # its own field: tags in the text are text
        self._splitter = None
        self._pieces += 1
        text = self._reasoning.feed(text)
        if text:
            self.size += len(text)
            self.text.append(text)
            yield ReasoningDelta(text, self.index)
        if self._is_beyond():
            yield from self.finish(FinishReason.LENGTH)

    def _wrote(self, text: str) -> Iterator[Delta]:
        text = self._joiner.feed(text)
        if not text:
            return
        self._pieces += 1
        if self._is_beyond(len(text.encode("utf-8", "replace"))):
            yield from self.finish(FinishReason.LENGTH)
            return
        if self._splitter is None:
            yield from self._passed(text)
            return
        for part, piece in self._splitter.feed(text):
            yield from self._sorted(part, piece)

    def _sorted(self, part: Part, piece: str) -> Iterator[Delta]:
        if part is Part.TEXT:
            yield from self._passed(piece)
        elif self.reason is None:
            self.size += len(piece)
            self.text.append(piece)
            self._tokens.clear()
            yield ReasoningDelta(piece, self.index)

    def _passed(self, text: str) -> Iterator[Delta]:
        if self.reason is not None:
            return
        yield from self._text(self._stops.feed(text))
        if self.stopped:
            self.reason = FinishReason.STOP

    def _text(self, text: str) -> Iterator[Delta]:
        if not text:
            return
        self.size += len(text)
        self.text.append(text)
        tokens, self._tokens = tuple(self._tokens), []
        yield TextDelta(text, self.index, tokens)

    def _flush(self) -> Iterator[Delta]:
        if self.reason is not None:
            return
        half = self._joiner.flush()
        if self._splitter is not None:
            for part, piece in [*(self._splitter.feed(half) if half else []), *self._splitter.flush()]:
                yield from self._sorted(part, piece)
        elif half:
            yield from self._passed(half)
        if self.reason is None:
            yield from self._text(self._stops.flush())
            if self.stopped:
                self.reason = FinishReason.STOP

    def _is_beyond(self, coming: int = 0) -> bool:
        """Does the server pass over `max_tokens`? Then more pieces came than tokens are allowed, and no server sends less than a
        token at a time, except those that send single characters; or far more text than that many tokens can be."""
        if self._max_tokens is None:
            return False
        size = self.size + coming
        if self._pieces > self._max_tokens and size >= 2 * self._pieces:
            return True
        return size > 16 * self._max_tokens + 64


def text_in(value: object) -> str:
    """Content in every shape that servers send it: a string, a list of parts, null."""
    match value:
        case str():
            return value
        case list():
            return "".join(
                part if isinstance(part, str) else text_in(part.get("text"))
                for part in value
                if isinstance(part, str | dict)
            )
        case _:
            return ""
