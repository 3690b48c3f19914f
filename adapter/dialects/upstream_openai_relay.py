"""Answers passed on as bytes: plain ones, plain ones for who wants a stream, and what has been said so far. Pure.

The stream itself is seen to in `upstream_openai_scan.py`, the request in `upstream_openai_relay_body.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import FinishReason
from adapter.dialects.upstream_openai_choice import reason_of, text_in
from adapter.dialects.upstream_openai_errors import Peer, empty, in_stream, said, unfinished, unreadable
from adapter.dialects.upstream_openai_frames import DONE, MalformedFrame, frames_of, parse_payload
from adapter.dialects.upstream_openai_mend import Mender, is_tidy_plain
from adapter.dialects.upstream_openai_request import dump
from adapter.dialects.upstream_openai_scan import DONE_FRAME, choices_of, delta_of, says_something


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """data: to be passed on. reason: of choice 0. usage: as the server sent it. text: of all choices, for an estimate."""

    data: bytes
    reason: FinishReason
    usage: Mapping[str, Any]
    text: str
    thinks: bool = False


def relay_plain(body: bytes, peer: Peer, *, model: str, n: int, explained: bool, made_up: str, created: int) -> PlainAnswer:
    """A plain answer on its way: its own bytes, or mended. Raises the errors of `generate`. Arguments as of `RelayScan`."""
    try:
        value = parse_payload(body)
    except MalformedFrame:
        raise unreadable(peer, "sent something that is not JSON", body) from None
    reason = said(value)
    if reason is not None:
        raise in_stream(reason, peer, model=model)
    choices = choices_of(value) if isinstance(value, dict) else []
    if not isinstance(value, dict) or not choices:
        raise unreadable(peer, "sent an answer without choices", body)
    if len(choices) < n or any(not isinstance(choice.get("finish_reason"), str) for choice in choices):
        raise unfinished(peer)
    reasons = [reason_of(choice["finish_reason"]) for choice in choices]
    if not (explained or FinishReason.LENGTH in reasons or any(says_something(delta_of(choice)) for choice in choices)):
        raise empty(peer)
    changed = not is_tidy_plain(value) and Mender(made_up, created, model).mend_plain(value)
    text = "".join(text_in(delta_of(choice).get(key)) for choice in choices for key in ("reasoning_content", "content"))
    usage = value.get("usage")
    return PlainAnswer(
        dump(value) if changed else body,
        reasons[0],
        usage if isinstance(usage, dict) else {},
        text,
        text.lstrip().startswith("<think>"),
    )


def plain_as_stream(value: Mapping[str, Any]) -> bytes:
    """A plain answer, of a server that sends no streams, as one: for the client that asked for it."""
    head = {key: value[key] for key in ("id", "created", "model") if key in value} | {"object": "chat.completion.chunk"}
    said_at_once, ends = [], []
    for position, choice in enumerate(choices_of(value)):
        index = choice.get("index", position)
        message = choice.get("message")
        delta = dict(message) if isinstance(message, dict) else {}
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            delta["tool_calls"] = [{**call, "index": i} for i, call in enumerate(calls) if isinstance(call, dict)]
        said_at_once.append({"index": index, "delta": delta, "finish_reason": None})
        ends.append({"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")})
    chunks = [{**head, "choices": said_at_once}, {**head, "choices": ends}]
    if isinstance(value.get("usage"), dict):
        chunks[1]["usage"] = value["usage"]
    return b"".join(b"data: " + dump(chunk) + b"\n\n" for chunk in chunks) + DONE_FRAME


# --- what has been said ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a client has been sent of choice 0. text: exactly, in whole characters. calls: a tool call has begun. choices: how many have."""

    text: str = ""
    reasoning: str = ""
    calls: bool = False
    id: str = ""
    model: str = ""
    choices: int = 0


def relayed(data: bytes) -> Relayed:
    """Reads whole frames, as `Raw`s hold them. What is no chunk is passed over."""
    text, reasoning, calls, seen = [], [], False, set()
    name, model = "", ""
    for value in _values(data):
        name = name or _string(value.get("id"))
        model = model or _string(value.get("model"))
        for position, choice in enumerate(choices_of(value)):
            index = choice.get("index", position)
            seen.add(index)
            delta = delta_of(choice)
            calls = calls or bool(delta.get("tool_calls")) or bool(delta.get("function_call"))
            if index == 0:
                text.append(text_in(delta.get("content")))
                reasoning.append(text_in(delta.get("reasoning_content")) or text_in(delta.get("reasoning")))
    return Relayed(_whole(text), _whole(reasoning), calls, name, model, len(seen))


def _values(data: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        for _, payloads in frames_of(data):
            for payload in payloads:
                if payload.strip() != DONE:
                    value = parse_payload(payload)
                    if isinstance(value, dict):
                        yield value
    except MalformedFrame:
        return


def _whole(pieces: list[str]) -> str:
    """Half a character at the end has not been said yet."""
    text = "".join(pieces)
    if text and "\ud800" <= text[-1] <= "\udbff":
        text = text[:-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
