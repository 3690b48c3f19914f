"""A chat's answer -> Gemini's `GenerateContentResponse`, whole or in chunks. Pure.

A chunk of a stream is an answer by itself: candidates with the new parts. The last one of a candidate has its `finishReason`, the very last the
usage. Calls are whole, in that last one: Gemini's form has no pieces of a call, and nobody may act on one whose answer breaks off.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter.chat import (
    ChoiceFinished,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from adapter.dialects.collected import Collected
from adapter.dialects.gemini_errors import render_gemini_error
from adapter.dialects.openai_render import Delta, Envelope, Json, Open, dump, finite_logprob
from adapter.errors import AdapterError
from adapter.wire import sse

# While reasoning that is not shown, or a call, is written, every so many of its pieces an empty chunk says that the stream lives.
SIGN_EVERY = 32
_REASONS = {
    FinishReason.STOP: "STOP",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.CONTENT_FILTER: "SAFETY",
}


class GeminiForm:
    """See `AnswerForm`. n: how many candidates. logprobs: were they asked for? thoughts: is the reasoning shown?
    array: a stream is one JSON array, as without `alt=sse`; else server-sent events.
    """

    def __init__(self, envelope: Envelope, *, n: int = 1, logprobs: bool = False, thoughts: bool = False, array: bool = False) -> None:
        self.envelope = envelope
        self._logprobs = logprobs
        self._thoughts = thoughts
        self._choices = [Collected() for _ in range(n)]
        self._open = Open(n)
        self._array = array
        self._framed = False
        self._unseen = 0
        self._cut: list[Json] = []

    # --- plain ----------------------------------------------------------------------------------------------

    def add(self, event: Delta | ChoiceFinished) -> None:
        self._choices[event.choice].add(event)

    def body(self, end: Finished) -> Json:
        candidates = [self._whole(index, end) for index in range(len(self._choices))]
        return self._response(candidates, end.usage)

    def _whole(self, index: int, end: Finished) -> Json:
        choice = self._choices[index]
        parts = []
        if choice.reasoning and self._thoughts:
            parts.append({"text": "".join(choice.reasoning), "thought": True})
        reason = self._ended_by(index, end)
        calls = self._calls(index, reason)
        if choice.text or not calls:
            parts.append({"text": "".join(choice.text)})
        return self._candidate(index, [*parts, *calls], _reason(reason, calls), choice.logprobs)

    # --- streamed -------------------------------------------------------------------------------------------

    def opening(self) -> list[Json]:
        return []

    def keepalive(self) -> Json:
        """`google-genai` fails on a comment; a chunk without text it passes on, and no client shows it."""
        return self._response([self._candidate(self._open.first, [{"text": ""}])])

    def chunk(self, event: Delta | ChoiceFinished) -> Json | None:
        match event:
            case TextDelta():
                return self._response([self._candidate(event.choice, [{"text": event.text}], "", event.logprobs)])
            case ReasoningDelta() if self._thoughts:
                return self._response([self._candidate(event.choice, [{"text": event.text, "thought": True}])])
            case ReasoningDelta():
                return self._sign()
            case ToolCallDelta():
                self.add(event)
                return self._sign()
            case ChoiceFinished():
                self.add(event)
                return self._response([self._ended(event.choice, None)]) if self._open.close(event.choice) else None

    def closing(self, end: Finished) -> list[Json]:
        return [self._response([self._ended(self._open.first, end)], end.usage)]

    def failed(self, error: AdapterError) -> list[Json]:
        return [render_gemini_error(error)]

    def frame(self, chunk: Json) -> bytes:
        """An error ends the array, so that it can be read; a stream of events ends without a word of its own anyway."""
        data = dump(chunk)
        if not self._array:
            return sse.encode(data)
        head, self._framed = (b",\r\n" if self._framed else b"["), True
        return head + data + (b"]" if "error" in chunk else b"")

    @property
    def done(self) -> bytes:
        return b"]" if self._array else b""

    def _ended(self, index: int, end: Finished | None) -> Json:
        reason = self._ended_by(index, end)
        calls = self._calls(index, reason)
        return self._candidate(index, calls or [{"text": ""}], _reason(reason, calls))

    def _sign(self) -> Json | None:
        self._unseen += 1
        return self.keepalive() if self._unseen % SIGN_EVERY == 0 else None

    # --- parts ------------------------------------------------------------------------------------------------

    def _calls(self, index: int, reason: FinishReason) -> list[Json]:
        """The whole calls as parts; what was cut is told in the extension."""
        parts = []
        for call in self._choices[index].calls.values():
            args = call.args(cut=reason is FinishReason.LENGTH)
            if args is None:
                self._cut.append({"choice": index, "id": call.id, "name": call.name, "arguments": "".join(call.arguments)})
            else:
                parts.append({"functionCall": {"id": call.id, "name": call.name, "args": args}})
        return parts

    def _ended_by(self, index: int, end: Finished | None) -> FinishReason:
        return self._choices[index].reason or (end.reason if end else FinishReason.STOP)

    def _candidate(self, index: int, parts: Sequence[Json], reason: str = "", logprobs: Sequence[TokenLogprob] = ()) -> Json:
        candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": index}
        if reason:
            candidate["finishReason"] = reason
        if self._logprobs and logprobs:
            candidate |= _render_logprobs(logprobs)
        return candidate

    def _response(self, candidates: list[Json], usage: Usage | None = None) -> Json:
        response: Json = {"candidates": candidates, "modelVersion": self.envelope.model, "responseId": self.envelope.id}
        if usage is not None:
            response["usageMetadata"] = render_gemini_usage(usage)
            response["farmhand"] = self.envelope.extension(usage)
            if self._cut:
                response["farmhand"]["incomplete_tool_calls"] = self._cut
        return response


def _reason(reason: FinishReason, calls: Sequence[Json]) -> str:
    if reason is FinishReason.TOOL_CALLS and not calls:
        return "MALFORMED_FUNCTION_CALL"
    return _REASONS[reason]


def render_gemini_usage(usage: Usage) -> Json:
    """Reasoning is among the tokens of the answer: engines count it there."""
    said = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.completion_tokens,
    }
    return said | ({"cachedContentTokenCount": usage.cached_tokens} if usage.cached_tokens else {})


def _render_logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    chosen = [_token(token) for token in tokens]
    return {
        "avgLogprobs": sum(token["logProbability"] for token in chosen) / len(chosen),
        "logprobsResult": {"topCandidates": [{"candidates": [*map(_token, token.top)]} for token in tokens], "chosenCandidates": chosen},
    }


def _token(token: TokenLogprob) -> Json:
    return {"token": token.token, "logProbability": finite_logprob(token.logprob)}
