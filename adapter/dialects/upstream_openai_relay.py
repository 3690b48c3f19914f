"""Passing bytes on: which requests can be, what is looked at on the way, and what has been said so far. Pure.

A stream is cut at the ends of events and searched for a few words; only frames that hold one of them are parsed, and those up to
the first word of the answer. That is where the time goes, so `RelayScan.feed` has no loop over frames on its common path. Where the first
frames lack something that clients break without (`protocols/clients.md` 5), all frames of that stream are mended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Chat, FinishReason, Role, ToolMode
from adapter.dialects.upstream_openai_answer import usage_of
from adapter.dialects.upstream_openai_choice import reason_of, text_in
from adapter.dialects.upstream_openai_errors import Peer, empty, in_stream, said, unfinished, unreadable
from adapter.dialects.upstream_openai_frames import (
    DONE,
    MalformedFrame,
    event_end,
    frames_of,
    last_event_end,
    parse_payload,
    payloads_of,
)
from adapter.dialects.upstream_openai_kinds import Dialect, Trust
from adapter.dialects.upstream_openai_mend import Mender, is_tidy, is_tidy_plain
from adapter.dialects.upstream_openai_request import dump
from adapter.engines.base import Wire
from adapter.errors import AdapterError

MAX_FRAME_BYTES = 1 << 20
DONE_FRAME = b"data: [DONE]\n\n"
# Fields beyond OpenAI's: passed on only to who knows them.
VENDOR_FIELDS = frozenset(
    {
        "top_k", "min_p", "repeat_penalty", "repetition_penalty", "chat_template_kwargs", "session_id", "regex", "grammar",
        "json_schema", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs",
        "max_reasoning_tokens", "thinking_budget_tokens", "reasoning",
    }
)  # fmt: skip
_MARKS = (
    b'"finish_reason":"', b'"finish_reason": "', b'"error"', b"\nerror:", b"[DONE]", b'"usage":{', b'"usage": {',
)  # fmt: skip
_WORDS = {reason.value for reason in FinishReason}


# --- the request ----------------------------------------------------------------------------------------------


def relay_body(chat: Chat, wire: Wire, dialect: Dialect, *, adds_limit: bool = False) -> bytes | None:
    """The bytes to send: the client's own, or with another `model` in them; `None` where more would have to be changed.

    adds_limit: the engine has a limit for requests without one.
    """
    value = wire.value
    if wire.path != "/chat/completions" or any(_in_the_way(chat, value, dialect)):
        return None
    has_limit = chat.sampling.max_tokens is not None
    if adds_limit and not has_limit:
        return None
    if value.get("model") == chat.model:
        return wire.body
    return _with_model(wire, chat.model)


def _in_the_way(chat: Chat, value: Mapping[str, Any], dialect: Dialect) -> Iterator[bool]:
    """Each of these needs another word, a check of the answer, or is not for this server."""
    yield "functions" in value or "function_call" in value
    yield value.get("max_tokens") == -1 or value.get("max_completion_tokens") == -1
    yield value.get("max_tokens") is not None and value.get("max_completion_tokens") is not None
    given = next((name for name in ("max_completion_tokens", "max_tokens") if value.get(name) is not None), None)
    yield given is not None and not dialect.any_limit and given != dialect.limit_field
    yield any(value[name] is not None and name not in dialect.fields for name in VENDOR_FIELDS & value.keys())
    options = value.get("stream_options")
    yield isinstance(options, dict) and bool(options.get("include_usage")) and not dialect.usage
    yield bool(chat.tools) and (chat.tool_choice.mode is ToolMode.NONE or dialect.tools is not Trust.NATIVE)
    yield chat.output is not None and dialect.schema is not Trust.NATIVE
    yield chat.continues and bool(dialect.prefill_fields)
    yield len(chat.sampling.stop) > dialect.max_stops
    if not dialect.developer:
        yield any(message.role is Role.DEVELOPER for message in chat.messages)
    yield any(_is_odd(message) for message in value.get("messages") or ())


def _is_odd(message: object) -> bool:
    """A shape that not every server takes: the role's old name, parts that are bare strings, no content at all."""
    if not isinstance(message, dict) or message.get("role") == "function" or "function_call" in message:
        return True
    content = message.get("content")
    if isinstance(content, list):
        return not all(isinstance(part, dict) and part.get("type") in ("text", "image_url") for part in content)
    return content is None and not message.get("tool_calls")


def _with_model(wire: Wire, model: str) -> bytes:
    """Spliced in where the bytes have the word "model" once (and no letter of it escaped), so that large bodies are not written anew."""
    old = wire.value.get("model")
    key = wire.body.find(b'"model"')
    is_plain = key >= 0 and wire.body.find(b'"model"', key + 7) < 0 and b"\\u006" not in wire.body
    if isinstance(old, str) and is_plain:
        quoted = json.dumps(old, ensure_ascii=False).encode("utf-8", "replace")
        at = wire.body.find(quoted, key + 7)
        if at >= 0 and wire.body[key + 7 : at].strip() == b":":
            return wire.body[:at] + json.dumps(model).encode() + wire.body[at + len(quoted) :]
    return dump({**wire.value, "model": model})


def adapted(body: bytes, dialect: Dialect) -> bytes:
    """A body that was refused for a word in it, in the words of `dialect`, which has been learned from that."""
    value = json.loads(body)
    for name in ("max_tokens", "max_completion_tokens"):
        if name != dialect.limit_field and value.get(name) is not None:
            value[dialect.limit_field] = value.pop(name)
    if not dialect.usage:
        value.pop("stream_options", None)
    return dump(value)


# --- the stream -----------------------------------------------------------------------------------------------


class RelayScan:
    """Sees to one stream on its way. n: how many answers were asked for. explained: an empty answer is one, since a stop string can do that.

    max_tokens: as asked for; a server that goes far beyond is cut off (`cut_here`).
    """

    def __init__(
        self,
        peer: Peer,
        *,
        model: str,
        n: int,
        explained: bool,
        made_up: str,
        created: int,
        max_tokens: int | None = None,
    ) -> None:
        # A frame is a token, or more: so many are too many by far, and the server does not keep to the limit.
        self._most_frames = n * (4 * max_tokens + 64) if max_tokens else 1 << 62
        self._head: Mapping[str, Any] = {"id": f"chatcmpl-{made_up}", "created": created, "model": model}
        self._peer = peer
        self._model = model
        self._n = n
        self._explained = explained
        self._mender = Mender(made_up, created, model)
        self._mending = False
        self._held = b""
        self._lead: list[bytes] = []
        self._begun = False
        self._called = False
        self._reasons: dict[int, FinishReason] = {}
        self._usage: Mapping[str, Any] = {}
        self._failure: AdapterError | None = None
        self.frames = 0
        self.done = False
        self.thinks = False
        self.cut_here = False

    @property
    def complete(self) -> bool:
        """Every choice has its reason."""
        return len(self._reasons) >= self._n

    @property
    def begun(self) -> bool:
        """Something of the answer has been passed on."""
        return self._begun

    @property
    def reason(self) -> FinishReason:
        return self._reasons.get(0, FinishReason.STOP)

    @property
    def usage(self) -> Mapping[str, Any]:
        """As the server sent it; empty if it did not."""
        return self._usage

    def feed(self, data: bytes) -> bytes:
        """Takes new bytes, returns what is to be passed on now: whole events, or nothing. An error in them is raised by the next call."""
        self.check()
        if self._held:
            data = self._held + data
        end = last_event_end(data)
        if end < 0:
            if len(data) > MAX_FRAME_BYTES:
                raise unreadable(self._peer, f"sent an event of more than {MAX_FRAME_BYTES} bytes", data)
            self._held = data
            return b""
        self._held = data[end:]
        piece = data if end == len(data) else data[:end]
        self.frames += piece.count(b"data:")
        if self._begun and not self._mending and self._mark(piece) < 0:
            passed = piece
        else:
            passed = self._examined(piece)
        if self.frames > self._most_frames and not self.done and self._begun and not self.complete:
            return passed + self._cut()
        return passed

    def _cut(self) -> bytes:
        """The server goes on beyond `max_tokens`: we end it."""
        choices = [
            {"index": index, "delta": {}, "finish_reason": "length"}
            for index in range(self._n)
            if self._reasons.setdefault(index, FinishReason.LENGTH) is FinishReason.LENGTH
        ]
        self.done = self.cut_here = True
        self._held = b""
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        return b"data: " + dump(chunk) + b"\n\n" + DONE_FRAME

    def check(self) -> None:
        """Raises what the last bytes held; they have been kept back."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> bytes:
        """The stream has ended: what is still to be passed on. Raises `UpstreamProtocol` if it is not whole."""
        self.check()
        rest = b""
        if not self.done and self._held.strip():
            held, self._held = self._held, b""
            rest = self._examined(held.rstrip(b"\r\n") + b"\n\n")
            self.check()
        if not self.complete:
            raise unfinished(self._peer)
        if not self.done:  # harmless for all clients, and what was to say has been said
            rest += self._close() + DONE_FRAME
            self.check()
            self.done = True
        return rest

    def _mark(self, piece: bytes, start: int = 0) -> int:
        """Where the first word stands that matters, else -1. Quotes inside of texts are escaped, so these are keys; `null` is no reason."""
        if not piece.startswith((b"data:", b":"), start):
            return start
        marks = _MARKS if self._called else (*_MARKS, b'"tool_calls"')
        return min((at for mark in marks if (at := piece.find(mark, start)) >= 0), default=-1)

    def _examined(self, piece: bytes) -> bytes:
        """Frames with a word that matters are parsed, and all until something was said; what lies between passes as it is."""
        passed: list[bytes] = []
        start = 0
        try:
            while start < len(piece) and not self.done:
                end = self._harmless_end(piece, start)
                if end > start:
                    passed.append(piece[start:end])
                else:
                    end = event_end(piece, start)
                    end = len(piece) if end < 0 else end
                    raw = piece[start:end]
                    passed.append(self._frame(raw, payloads_of(raw)))
                start = end
        except MalformedFrame as exc:
            self._failure = unreadable(self._peer, exc.problem, exc.data)
        except AdapterError as exc:
            self._failure = exc
        return b"".join(passed)

    def _harmless_end(self, piece: bytes, start: int) -> int:
        """How far whole frames can pass unread."""
        if not self._begun or self._mending:
            return start
        mark = self._mark(piece, start)
        if mark < 0:
            return len(piece)
        end = piece.rfind(b"\n\n", start, mark) + 2
        if b"\r" in piece:
            end = max(end, piece.rfind(b"\r\n\r\n", start, mark) + 4)
        return end if end > start + 4 else start

    def _frame(self, raw: bytes, payloads: list[bytes]) -> bytes:
        passed = [self._payload(payload) for payload in payloads]
        if any(changed is not None for changed in passed):
            pieces = [changed if changed is not None else payload for changed, payload in zip(passed, payloads, strict=True)]
            raw = b"".join(b"data: " + piece + b"\n\n" for piece in pieces)
        if self._begun:
            lead, self._lead = self._lead, []
            return b"".join([*lead, raw])
        self._lead.append(raw)
        return b""

    def _payload(self, payload: bytes) -> bytes | None:
        """What it becomes; `None` for itself."""
        if payload.strip() == DONE:
            if not self.complete:
                raise unfinished(self._peer)
            self._lead = [self._close()]
            self.done = True
            return None
        value = parse_payload(payload)
        reason = said(value)
        if reason is not None:
            raise in_stream(reason, self._peer, model=self._model)
        if not isinstance(value, dict):
            raise MalformedFrame("sent JSON that is no object", payload)
        changed = self._mend(value)
        self._read(value)
        return dump(value) if changed else None

    def _mend(self, value: dict[str, Any]) -> bool:
        """Changes what clients would break on. Returns whether there was something."""
        calls = any(_delta(choice).get("tool_calls") for choice in _choices(value))
        if not self._mending and (not self._begun or (calls and not self._called)):
            self._mending = not is_tidy(value)
        self._called = self._called or calls
        changed = self._mending and self._mender.mend(value)
        if not self._begun:
            changed = self._mender.add_role(value) or changed
        for choice in _choices(value):
            word = choice.get("finish_reason")
            if isinstance(word, str) and word and word not in _WORDS:
                choice["finish_reason"] = reason_of(word).value
                changed = True
        return changed

    def _read(self, value: Mapping[str, Any]) -> None:
        for position, choice in enumerate(_choices(value)):
            delta = _delta(choice)
            if not self._begun and _says(delta):
                self._begun = True
                self._head = {key: value.get(key, default) for key, default in self._head.items()}
                self.thinks = text_in(delta.get("content")).lstrip().startswith("<think>")
            index = choice.get("index", position)
            word = choice.get("finish_reason")
            if isinstance(word, str) and word and isinstance(index, int):
                self._reasons.setdefault(index, reason_of(word))
        if isinstance(value.get("usage"), dict):
            self._usage = value["usage"]

    def _close(self) -> bytes:
        """What was kept back while nothing had been said. Raises `UpstreamProtocol` if that is all there is, and nothing explains it."""
        lead, self._lead = self._lead, []
        if not self._begun and not self._explained and FinishReason.LENGTH not in self._reasons.values():
            raise empty(self._peer)
        self._begun = True
        return b"".join(lead)


def plain_as_stream(value: Mapping[str, Any]) -> bytes:
    """A plain answer, of a server that sends no streams, as one: for the client that asked for it."""
    head = {key: value[key] for key in ("id", "created", "model") if key in value} | {"object": "chat.completion.chunk"}
    said_at_once, ends = [], []
    for position, choice in enumerate(_choices(value)):
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


# --- the plain answer -----------------------------------------------------------------------------------------


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
    choices = _choices(value) if isinstance(value, dict) else []
    if not isinstance(value, dict) or not choices:
        raise unreadable(peer, "sent an answer without choices", body)
    if len(choices) < n or any(not isinstance(choice.get("finish_reason"), str) for choice in choices):
        raise unfinished(peer)
    reasons = [reason_of(choice["finish_reason"]) for choice in choices]
    if not (explained or FinishReason.LENGTH in reasons or any(_says(_delta(choice)) for choice in choices)):
        raise empty(peer)
    changed = not is_tidy_plain(value) and Mender(made_up, created, model).mend_plain(value)
    text = "".join(text_in(_delta(choice).get(key)) for choice in choices for key in ("reasoning_content", "content"))
    usage = value.get("usage")
    return PlainAnswer(
        dump(value) if changed else body,
        reasons[0],
        usage if isinstance(usage, dict) else {},
        text,
        text.lstrip().startswith("<think>"),
    )


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
        for position, choice in enumerate(_choices(value)):
            index = choice.get("index", position)
            seen.add(index)
            delta = _delta(choice)
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


def _choices(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = value.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _delta(choice: Mapping[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta", choice.get("message"))
    return delta if isinstance(delta, dict) else {}


def _says(delta: Mapping[str, Any]) -> bool:
    texts = ("content", "reasoning_content", "reasoning", "refusal")
    return any(text_in(delta.get(key)) for key in texts) or bool(delta.get("tool_calls") or delta.get("function_call"))


__all__ = [
    "DONE_FRAME", "VENDOR_FIELDS", "PlainAnswer", "RelayScan", "Relayed", "plain_as_stream", "relay_body", "relay_plain",
    "relayed", "usage_of",
]  # fmt: skip
