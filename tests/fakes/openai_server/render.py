"""Replies as bodies and chunks, with whatever the quirks spoil. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.openai_server.kinds import CREATED, Traits
from tests.fakes.openai_server.model import Call, Reply, usage_of

HUGE = 300_000


@dataclass(frozen=True)
class Form:
    """What all parts of one answer share. chat: messages, or plain text (`/v1/completions`)."""

    id: str
    model: str
    chat: bool
    quirks: frozenset[str]
    traits: Traits
    body: Mapping[str, Any]

    def has(self, quirk: str) -> bool:
        return quirk in self.quirks

    @property
    def many(self) -> int:
        return 1 if self.has("n_is_one") else int(self.body.get("n") or 1)


@dataclass(frozen=True)
class Chunk:
    """value: its JSON. delta: it has text, reasoning or a part of a call. last: it has the `finish_reason`."""

    value: dict[str, Any]
    delta: bool = False
    last: bool = False


def plain(reply: Reply, form: Form) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    value = _envelope(form, "chat.completion" if form.chat else "text_completion")
    value["choices"] = [] if form.has("no_choices") else [_choice(reply, form, index) for index in range(form.many)]
    if not form.has("no_usage"):
        value["usage"] = _usage(reply, form, _pieces_of(reply))
    return value


def chunks(reply: Reply, form: Form) -> Iterator[Chunk]:
    """A stream's chunks, without `[DONE]`; endless if the reply is."""
    if form.chat:
        yield _chunk(form, _role(form) | {"content": None if form.has("content_null") else ""}, usage=_so_far(reply, form, 0))
    sent = 0
    for delta in _deltas(reply, form):
        sent += 1
        for index in range(form.many):
            yield _chunk(form, delta, index=index, usage=_so_far(reply, form, sent), delta_inside=True)
    if not form.has("no_finish"):
        for index in range(form.many):
            yield _chunk(form, {}, index=index, finish=_finish(reply, form), usage=_so_far(reply, form, sent))
    wants = (form.body.get("stream_options") or {}).get("include_usage")
    if wants and not form.has("no_usage") and not form.has("usage_every_chunk"):
        value = _envelope(form, _chunk_object(form))
        yield Chunk({**value, "choices": [], "usage": _usage(reply, form, sent)})


def frame(value: Mapping[str, Any] | str, quirks: frozenset[str], *, field: str = "data") -> bytes:
    """One event of the stream."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "huge_line" in quirks and not isinstance(value, str):
        text = json.dumps({**value, "padding": "x" * HUGE}, ensure_ascii=False)
    line = "\r\n" if "crlf" in quirks else "\n"
    head = f": ping{line}{line}" if "comments" in quirks else ""
    head += f"event: message{line}id: 1{line}" if "event_lines" in quirks else ""
    space = "" if "no_space_after_data" in quirks else " "
    return f"{head}{field}:{space}{text}{line}{line}".encode()


def _envelope(form: Form, kind: str) -> dict[str, Any]:
    created = CREATED + 0.5 if form.has("float_created") else CREATED
    value = {"created": created, "system_fingerprint": form.traits.fingerprint}
    if not form.has("no_id"):
        value = {"id": form.id, "object": kind, "model": form.model, **value}
    return value if form.traits.fingerprint else {key: v for key, v in value.items() if key != "system_fingerprint"}


def _choice(reply: Reply, form: Form, index: int) -> dict[str, Any]:
    numbered = {} if form.has("no_index") else {"index": index}
    finish = {} if form.has("no_finish") else {"finish_reason": _finish(reply, form)}
    if not form.chat:
        return {**numbered, "text": reply.text, "logprobs": None, **finish}
    return {**numbered, "message": _message(reply, form), **finish}


def _message(reply: Reply, form: Form) -> dict[str, Any]:
    text: Any = _thinking(reply, form) + reply.text
    if form.has("content_null") or (reply.calls and not text):
        text = None
    elif form.has("content_list"):
        text = [{"type": "text", "text": text}]
    message = {**_role(form), "content": text}
    if reply.reasoning and not form.has("think_in_text"):
        message[form.traits.reasoning] = "".join(reply.reasoning)
    if reply.calls:
        calls = enumerate(reply.calls)
        message["tool_calls"] = [{**_call_head(call, form, n), "function": _function(call, form)} for n, call in calls]
    return message


def _thinking(reply: Reply, form: Form) -> str:
    inline = reply.reasoning and form.has("think_in_text")
    return f"<think>{''.join(reply.reasoning)}</think>\n" if inline else ""


def _deltas(reply: Reply, form: Form) -> Iterator[dict[str, Any]]:
    role = {} if form.traits.fingerprint != "fp_ollama" else _role(form)  # Ollama repeats it in every chunk
    if form.has("think_in_text") and reply.reasoning:
        yield from ({**role, "content": part} for part in ("<think>", *reply.reasoning, "</think>\n"))
    else:
        yield from ({**role, form.traits.reasoning: part} for part in reply.reasoning)
    for piece in reply.all_pieces():
        yield {**role, **_content(piece, form)}
    for number, call in enumerate(reply.calls):
        yield from _call_deltas(call, form, number)


def _content(piece: str, form: Form) -> dict[str, Any]:
    if form.has("content_null"):
        return {"content": None}
    return {"content": [{"type": "text", "text": piece}] if form.has("content_list") else piece}


def _call_deltas(call: Call, form: Form, number: int) -> Iterator[dict[str, Any]]:
    index = {} if form.has("no_tool_index") else {"index": number}
    head = {**index, **_call_head(call, form, number)}
    if form.has("arguments_object"):
        yield {"tool_calls": [{**head, "function": _function(call, form)}]}
        return
    yield {"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]}
    for part in call.cut:
        yield {"tool_calls": [{**index, "function": {"arguments": part}}]}


def _call_head(call: Call, form: Form, number: int) -> dict[str, Any]:
    head = {} if form.has("no_tool_id") else {"id": call.id or f"call_{number}"}
    return head if form.has("no_tool_type") else {**head, "type": "function"}


def _function(call: Call, form: Form) -> dict[str, Any]:
    arguments: Any = json.loads(call.arguments) if form.has("arguments_object") else call.arguments
    return {"name": call.name, "arguments": arguments}


def _chunk(
    form: Form,
    delta: Mapping[str, Any],
    *,
    index: int = 0,
    finish: str | None = None,
    usage: Mapping[str, int] | None = None,
    delta_inside: bool = False,
) -> Chunk:
    value = _envelope(form, _chunk_object(form))
    numbered = {} if form.has("no_index") else {"index": index}
    said = {"delta": dict(delta)} if form.chat else {"text": delta.get("content") or ""}
    if not form.has("no_choices"):
        value["choices"] = [{**numbered, **said, "finish_reason": finish}]
    if usage is not None:
        value["usage"] = usage
    return Chunk(value, delta_inside, finish is not None)


def _chunk_object(form: Form) -> str:
    return "chat.completion.chunk" if form.chat else "text_completion"


def _role(form: Form) -> dict[str, Any]:
    return {} if form.has("no_role") else {"role": "assistant"}


def _finish(reply: Reply, form: Form) -> str:
    return "eos" if form.has("eos_finish") and reply.finish == "stop" else reply.finish


def _so_far(reply: Reply, form: Form, sent: int) -> dict[str, int] | None:
    return _usage(reply, form, sent) if form.has("usage_every_chunk") else None


def _usage(reply: Reply, form: Form, sent: int) -> dict[str, int]:
    prompt, completion = (0, 0) if form.has("zero_usage") else usage_of(reply, form.body, sent)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _pieces_of(reply: Reply) -> int:
    """As many as a stream would have."""
    return len(reply.reasoning) + len(reply.pieces) + sum(1 + len(call.cut) for call in reply.calls)
