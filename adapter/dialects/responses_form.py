"""An answer as `POST /v1/responses` gives it: the `response` object, and the events of a stream. Pure.

Every event has an `event:` line, which names its type as OpenAI's do, and a `sequence_number`. There is no `[DONE]`: the last event says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapter.chat import ChoiceFinished, Finished, FinishReason, Usage
from adapter.dialects.openai_render import Delta, Envelope, Json, dump, render_error
from adapter.dialects.responses_output import Output
from adapter.errors import AdapterError
from adapter.tokens import estimate_tokens
from adapter.wire import sse

_INCOMPLETE = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}
# What is the same thing under another name in a chat, whose words engines and the dispatcher use.
_OUR_WORDS = {"messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format", "logprobs": "include"}


def field_here(param: str | None) -> str | None:
    """The field of this API that an error of a chat is about."""
    return _OUR_WORDS.get(param or "", param)


class ResponsesForm:
    """See `AnswerForm`. echo: what the answer repeats of the request. summary: reasoning is shown as a summary.

    A chunk is `{"events": [...]}`: what is said at once. Events get their numbers as they leave, so that they rise on the wire, whoever sends.
    """

    done = b""

    def __init__(self, envelope: Envelope, echo: Json, *, summary: bool = False) -> None:
        self.envelope = envelope
        self._echo = echo
        self._output = Output(envelope.id, summary=summary)
        self._opened = False
        self._last: list[Json] | None = None
        self._sent = 0

    # --- plain ----------------------------------------------------------------------------------------------

    def add(self, event: Delta | ChoiceFinished) -> None:
        if not isinstance(event, ChoiceFinished):
            self._output.take(event)

    def body(self, end: Finished) -> Json:
        """Also what is kept of the answer."""
        self._end(end)
        status = "incomplete" if end.reason in _INCOMPLETE else "completed"
        return self._response(status, self._output.items, end)

    def not_stored(self) -> None:
        """It was to be kept, and could not be: before `body` or `closing`."""
        self._echo = {**self._echo, "store": False}
        remarks = {**dict(self.envelope.remarks), "stored": False}
        self.envelope = replace(self.envelope, remarks=tuple(remarks.items()))

    # --- streamed -------------------------------------------------------------------------------------------

    def opening(self) -> list[Json]:
        """Once only: a response has one beginning."""
        if self._opened:
            return []
        self._opened = True
        response = self._response("in_progress", [])
        return [_together([{"type": "response.created", "response": response}, {"type": "response.in_progress", "response": response}])]

    def chunk(self, event: Delta | ChoiceFinished) -> Json | None:
        if isinstance(event, ChoiceFinished):
            return None
        events = self._output.take(event)
        return _together(events) if events else None

    def keepalive(self) -> Json:
        """That it is in progress still: every SDK knows that event, and none takes it for news. A comment would not do for OpenClaw."""
        return _together([{"type": "response.in_progress", "response": self._response("in_progress", [])}])

    def closing(self, end: Finished) -> list[Json]:
        events = self._end(end)
        response = self.body(end)
        return [_together([*events, {"type": f"response.{response['status']}", "response": response}])]

    def failed(self, error: AdapterError) -> list[Json]:
        """`response.failed`, and then an error that the SDKs raise: without it a program that only reads text takes the rest for an answer.

        What was under way is in the response, incomplete; `error` in the last event is what both SDKs look for.
        """
        said = render_error(error)["error"]
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"  # OpenAI's words; ours is in the last event
        response = self._response("failed", self._output.so_far())
        response["error"] = {"code": code, "message": error.message}
        said["param"] = field_here(error.param)
        last = {"type": "error", "code": said["code"], "message": said["message"], "param": said["param"], "error": said}
        return [*self.opening(), _together([{"type": "response.failed", "response": response}, last])]

    def frame(self, chunk: Json) -> bytes:
        return b"".join(self._frame(event) for event in chunk["events"])

    def _frame(self, event: Json) -> bytes:
        number, self._sent = self._sent, self._sent + 1
        kind = str(event["type"])
        data = dump({"type": kind, "sequence_number": number, **event})
        return b"event: " + kind.encode() + b"\n" + sse.encode(data)

    # --- parts ----------------------------------------------------------------------------------------------

    def _end(self, end: Finished) -> list[Json]:
        """Close what is open: once, however often it is asked for."""
        if self._last is None:
            self._last = self._output.finish(whole=end.reason not in _INCOMPLETE)
        return self._last

    def _response(self, status: str, output: Sequence[Json], end: Finished | None = None) -> Json:
        envelope = self.envelope
        reason = _INCOMPLETE.get(end.reason) if end else None
        return {
            "id": envelope.id,
            "object": "response",
            "created_at": envelope.created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": envelope.model,
            "output": list(output),
            "usage": _usage(end.usage, self._output.reasoning) if end else None,
            **self._echo,
            "farmhand": envelope.extension(end.usage if end else None),
        }


def _together(events: list[Json]) -> Json:
    return {"events": events}


def _usage(usage: Usage, reasoning: str) -> dict[str, Any]:
    """Nobody counts the tokens of the reasoning by themselves: they are estimated from its text."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": min(usage.completion_tokens, estimate_tokens(reasoning))},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
