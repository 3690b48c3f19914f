"""A chat's answer -> `chat.completion` and `chat.completion.chunk`. Pure.

A stream of one choice, in the order of its chunks (`protocols/clients.md` 5): the role, deltas, an empty delta with the reason, then the
usage if it was asked for. Of several choices each has its own role and reason. A call begins with `index`, `id`,
`type` and `name`; its arguments follow in pieces.
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
)
from adapter.dialects.collected import Collected, CollectedCall
from adapter.dialects.openai_render import (
    Delta,
    Envelope,
    Json,
    Open,
    OpenaiFrames,
    finite_logprob,
    render_usage,
)


class ChatForm(OpenaiFrames):
    """See `AnswerForm`. n: how many choices. logprobs: were they asked for? legacy: calls are shown as `function_call`."""

    def __init__(
        self, envelope: Envelope, *, n: int = 1, logprobs: bool = False, include_usage: bool = False, legacy: bool = False
    ) -> None:
        self.envelope = envelope
        self._logprobs = logprobs
        self._include_usage = include_usage
        self._legacy = legacy
        self._choices = [Collected() for _ in range(n)]
        self._open = Open(n)

    # --- plain ----------------------------------------------------------------------------------------------

    def add(self, event: Delta | ChoiceFinished) -> None:
        self._choices[event.choice].add(event)

    def body(self, end: Finished) -> Json:
        cut: list[Json] = []
        body: Json = {
            "id": self.envelope.id,
            "object": "chat.completion",
            "created": self.envelope.created,
            "model": self.envelope.model,
            "choices": [self._choice(index, end, cut) for index in range(len(self._choices))],
            "usage": render_usage(end.usage),
            "farmhand": self.envelope.extension(end.usage),
        }
        if cut:
            body["farmhand"]["incomplete_tool_calls"] = cut
        return body

    def _choice(self, index: int, end: Finished, cut: list[Json]) -> Json:
        """`content` is always a string: null breaks Pydantic AI and ADK."""
        parts = self._choices[index]
        reason = parts.reason or end.reason
        message: Json = {"role": "assistant", "content": "".join(parts.text)}
        if parts.reasoning:
            message["reasoning_content"] = "".join(parts.reasoning)
        calls = []
        for call in parts.calls.values():
            shown = _whole_call(call)
            if reason is FinishReason.LENGTH and call.args(cut=True) is None:
                cut.append({"choice": index, "id": call.id, "name": call.name, "arguments": "".join(call.arguments)})
            else:
                calls.append(shown)
        if calls and self._legacy:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        logprobs = _render_logprobs(parts.logprobs) if self._logprobs else None
        return {"index": index, "message": message, "finish_reason": self._reason(reason), "logprobs": logprobs}

    # --- streamed -------------------------------------------------------------------------------------------

    def opening(self) -> list[Json]:
        """The JS SDK's helper breaks without the role."""
        return [self._chunk(index, {"role": "assistant", "content": ""}) for index in range(len(self._choices))]

    def keepalive(self) -> Json:
        return self._chunk(self._open.first, {"content": ""})

    def chunk(self, event: Delta | ChoiceFinished) -> Json | None:
        if isinstance(event, TextDelta):
            chunk = self._chunk(event.choice, {"content": event.text})
            if event.logprobs:
                chunk["choices"][0]["logprobs"] = _render_logprobs(event.logprobs)
            return chunk
        if isinstance(event, ReasoningDelta):
            return self._chunk(event.choice, {"reasoning_content": event.text})
        if isinstance(event, ToolCallDelta):
            return self._chunk(event.choice, self._call_delta(event))
        self._choices[event.choice].reason = event.reason
        if self._open.close(event.choice):
            return self._chunk(event.choice, {}, self._reason(event.reason))
        return None

    def closing(self, end: Finished) -> list[Json]:
        """The end of the choice that was complete last, then, if it was asked for, the usage without any choice."""
        index = self._open.first
        last = self._chunk(index, {}, self._reason(self._choices[index].reason or end.reason))
        last["farmhand"] = self.envelope.extension(end.usage)
        if not self._include_usage:
            return [last]
        usage = self._chunk(0, {})
        usage["choices"] = []
        usage["usage"] = render_usage(end.usage)
        return [last, usage]

    def _call_delta(self, event: ToolCallDelta) -> Json:
        function: Json = {"arguments": event.arguments}
        if event.name is not None:
            function = {"name": event.name, **function}
        if self._legacy:
            return {"function_call": function}
        if event.id is None:
            return {"tool_calls": [{"index": event.index, "function": function}]}
        return {"tool_calls": [{"index": event.index, "id": event.id, "type": "function", "function": function}]}

    def _chunk(self, index: int, delta: Json, finish_reason: str | None = None) -> Json:
        envelope = self.envelope
        return {
            "id": envelope.id,
            "object": "chat.completion.chunk",
            "created": envelope.created,
            "model": envelope.model,
            "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
        }

    def _reason(self, reason: FinishReason) -> str:
        """Who asked with `functions` waits for the word of that time."""
        return "function_call" if self._legacy and reason is FinishReason.TOOL_CALLS else reason


def _whole_call(call: CollectedCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}


def _render_logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    return {"content": [{**_token(token), "top_logprobs": [*map(_token, token.top)]} for token in tokens], "refusal": None}


def _token(token: TokenLogprob) -> Json:
    return {"token": token.token, "logprob": finite_logprob(token.logprob), "bytes": list(token.bytes)}
