"""`output` of a response as it comes into being: its items, and the events that tell of them. Pure.

One item is open at a time. Its events, in the order that the SDKs' helpers insist on (openai 3.51 and 7.55):

    message        output_item.added, content_part.added, output_text.delta ..., output_text.done, content_part.done, output_item.done
    function_call  output_item.added, function_call_arguments.delta ..., function_call_arguments.done, output_item.done
    reasoning      as a message with reasoning_text, or, as a summary, reasoning_summary_part.added, reasoning_summary_text.delta ... .done
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta
from adapter.dialects.openai_render import finite_logprob
from adapter.dialects.responses_past import item_id

Json = dict[str, Any]
Delta = TextDelta | ReasoningDelta | ToolCallDelta


@dataclass(slots=True)
class _Open:
    """The item under way. call: which call of the answer, -1 for what is none."""

    kind: str
    id: str
    index: int
    call: int = -1
    call_id: str = ""
    name: str = ""
    said: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)


class Output:
    """summary: reasoning is shown as a summary."""

    def __init__(self, response_id: str, *, summary: bool) -> None:
        self._response_id = response_id
        self._summary = summary
        self._open: _Open | None = None
        self._reasoning: list[str] = []
        self.items: list[Json] = []

    @property
    def reasoning(self) -> str:
        """All of it."""
        return "".join(self._reasoning)

    def take(self, delta: Delta) -> list[Json]:
        """More of the answer; the events that say so."""
        match delta:
            case TextDelta():
                events, item = self._for("message")
                item.logprobs += delta.logprobs
                item.said.append(delta.text)
                shown = render_logprobs(delta.logprobs)
                return [*events, _event("response.output_text.delta", item, content_index=0, delta=delta.text, logprobs=shown)]
            case ReasoningDelta():
                events, item = self._for("reasoning")
                self._reasoning.append(delta.text)
                item.said.append(delta.text)
                return [*events, self._thought("delta", item, delta=delta.text)]
            case ToolCallDelta():
                events, item = self._for("function_call", delta)
                if not delta.arguments:
                    return events
                item.said.append(delta.arguments)
                return [*events, _event("response.function_call_arguments.delta", item, delta=delta.arguments)]

    def finish(self, *, whole: bool) -> list[Json]:
        """The answer is over. whole: its last item is complete. An answer without anything gets an empty message, which SDKs look for."""
        events = self._close(whole=whole)
        if not self.items and whole:
            begun, _ = self._for("message")
            events += begun + self._close(whole=True)
        return events

    def so_far(self) -> list[Json]:
        """The items, the open one included, as they are if nothing more comes."""
        return self.items if self._open is None else [*self.items, self._shown(self._open, "incomplete")]

    # --- one item -------------------------------------------------------------------------------------------

    def _for(self, kind: str, delta: ToolCallDelta | None = None) -> tuple[list[Json], _Open]:
        call = -1 if delta is None else delta.index
        if (item := self._open) is not None and (item.kind, item.call) == (kind, call):
            return [], item
        events = self._close(whole=True)
        index = len(self.items)
        item = self._open = _Open(kind, item_id(self._response_id, kind, index), index, call)
        if delta is not None:
            item.call_id, item.name = delta.id or item.id, delta.name or ""
        events.append(_whole("response.output_item.added", item, self._blank(item)))
        if kind == "message":
            events.append(_event("response.content_part.added", item, content_index=0, part=_text_part("", ())))
        elif kind == "reasoning" and self._summary:
            part = {"type": "summary_text", "text": ""}
            events.append(_event("response.reasoning_summary_part.added", item, summary_index=0, part=part))
        elif kind == "reasoning":
            part = {"type": "reasoning_text", "text": ""}
            events.append(_event("response.content_part.added", item, content_index=0, part=part))
        return events, item

    def _close(self, *, whole: bool) -> list[Json]:
        item, self._open = self._open, None
        if item is None:
            return []
        events: list[Json] = []
        if item.kind == "function_call" and whole and not item.said:
            # Empty arguments break whoever parses them: they are an empty object.
            item.said.append("{}")
            events.append(_event("response.function_call_arguments.delta", item, delta="{}"))
        text = "".join(item.said)
        # A call may have been complete when the answer was cut: then it can be run.
        complete = whole or (item.kind == "function_call" and _is_object(text))
        shown = self._shown(item, "completed" if complete else "incomplete")
        self.items.append(shown)
        match item.kind:
            case "message":
                logprobs = render_logprobs(item.logprobs)
                events.append(_event("response.output_text.done", item, content_index=0, text=text, logprobs=logprobs))
                events.append(_event("response.content_part.done", item, content_index=0, part=shown["content"][0]))
            case "function_call":
                done = {"name": item.name, "arguments": text}
                events.append(_event("response.function_call_arguments.done", item, **done))
            case _:
                events.append(self._thought("done", item, text=text))
                if self._summary:
                    part = {"type": "summary_text", "text": text}
                    events.append(_event("response.reasoning_summary_part.done", item, summary_index=0, part=part))
                else:
                    part = {"type": "reasoning_text", "text": text}
                    events.append(_event("response.content_part.done", item, content_index=0, part=part))
        return [*events, _whole("response.output_item.done", item, shown)]

    def _thought(self, what: str, item: _Open, **said: Any) -> Json:
        if self._summary:
            return _event(f"response.reasoning_summary_text.{what}", item, summary_index=0, **said)
        return _event(f"response.reasoning_text.{what}", item, content_index=0, **said)

    def _blank(self, item: _Open) -> Json:
        """As it is announced: its parts come as events of their own."""
        match item.kind:
            case "message":
                return {"id": item.id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
            case "function_call":
                return self._shown(item, "in_progress")
            case _:
                return {"id": item.id, "type": "reasoning", "status": "in_progress", "summary": []}

    def _shown(self, item: _Open, status: str) -> Json:
        text = "".join(item.said)
        shown: Json = {"id": item.id, "type": item.kind, "status": status}
        match item.kind:
            case "message":
                return {**shown, "role": "assistant", "content": [_text_part(text, item.logprobs)]}
            case "function_call":
                return {**shown, "call_id": item.call_id, "name": item.name, "arguments": text}
            case _ if self._summary:
                return {**shown, "summary": [{"type": "summary_text", "text": text}]}
            case _:
                return {**shown, "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _event(kind: str, item: _Open, **more: Any) -> Json:
    return {"type": kind, "item_id": item.id, "output_index": item.index, **more}


def _whole(kind: str, item: _Open, shown: Json) -> Json:
    return {"type": kind, "output_index": item.index, "item": shown}


def _text_part(text: str, logprobs: Sequence[TokenLogprob]) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": render_logprobs(logprobs)}


def render_logprobs(tokens: Sequence[TokenLogprob]) -> list[Json]:
    return [{**_token(token), "top_logprobs": [*map(_token, token.top)]} for token in tokens]


def _token(token: TokenLogprob) -> Json:
    return {"token": token.token, "logprob": finite_logprob(token.logprob), "bytes": list(token.bytes)}
