"""A stream on its way through: what is looked at while its bytes are passed on. Pure.

It is cut at the ends of events and searched for a few words; only frames that hold one of them are parsed, and those up to the first word
of the answer. That is where the time goes, so there is no loop over frames on the common path. Where the first frames lack
something that clients break without (`protocols/clients.md` 5), all frames of that stream are mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.chat import FinishReason
from adapter.dialects.upstream_openai_choice import reason_of, text_in
from adapter.dialects.upstream_openai_errors import (
    Peer,
    empty,
    in_stream,
    said,
    silent,
    unfinished,
    unreadable,
)
from adapter.dialects.upstream_openai_frames import (
    DONE,
    MalformedFrame,
    event_end,
    last_event_end,
    parse_payload,
    payloads_of,
)
from adapter.dialects.upstream_openai_mend import Mender, is_tidy
from adapter.dialects.upstream_openai_request import dump
from adapter.errors import AdapterError

MAX_FRAME_BYTES = 1 << 20
DONE_FRAME = b"data: [DONE]\n\n"
_MARKS = (
    b'"finish_reason":"', b'"finish_reason": "', b'"error"', b"\nerror:", b"[DONE]", b'"usage":{', b'"usage": {',
)  # fmt: skip
_MARKS_AND_CALLS = (*_MARKS, b'"tool_calls"')
_WORDS = {reason.value for reason in FinishReason}


class RelayScan:
    """Sees to one stream on its way. n: how many answers were asked for. explained: an empty answer is one, since a stop string can do that.

    max_tokens: as asked for; a server that goes far beyond is cut off (`cut_here`). begun: something of the answer has been passed on.
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
        self.begun = False
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
        if self.begun and not self._mending and self._is_harmless(piece):
            passed = piece
        else:
            passed = self._examined(piece)
        if self.frames > self._most_frames and not self.done and self.begun and not self.complete:
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
            raise unfinished(self._peer) if self.frames or rest else silent(self._peer)
        if not self.done:  # harmless for all clients, and what was to say has been said
            rest += self._close() + DONE_FRAME
            self.check()
            self.done = True
        return rest

    def _is_harmless(self, piece: bytes) -> bool:
        """No word in it that matters: `_mark` for each chunk of an ordinary stream, where a generator would cost more than the search."""
        if not piece.startswith((b"data:", b":")):
            return False
        for mark in self._marks:  # noqa: SIM110
            if mark in piece:
                return False
        return True

    @property
    def _marks(self) -> tuple[bytes, ...]:
        return _MARKS if self._called else _MARKS_AND_CALLS

    def _mark(self, piece: bytes, start: int = 0) -> int:
        """Where the first word stands that matters, else -1. Quotes inside of texts are escaped, so these are keys; `null` is no reason."""
        if not piece.startswith((b"data:", b":"), start):
            return start
        return min((at for mark in self._marks if (at := piece.find(mark, start)) >= 0), default=-1)

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
        if not self.begun or self._mending:
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
        if self.begun:
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
        calls = any(delta_of(choice).get("tool_calls") for choice in choices_of(value))
        if not self._mending and (not self.begun or (calls and not self._called)):
            self._mending = not is_tidy(value)
        self._called = self._called or calls
        changed = self._mending and self._mender.mend(value)
        if not self.begun:
            changed = self._mender.add_role(value) or changed
        for choice in choices_of(value):
            word = choice.get("finish_reason")
            if isinstance(word, str) and word and word not in _WORDS:
                choice["finish_reason"] = reason_of(word).value
                changed = True
        return changed

    def _read(self, value: Mapping[str, Any]) -> None:
        for position, choice in enumerate(choices_of(value)):
            delta = delta_of(choice)
            if not self.begun and says_something(delta):
                self.begun = True
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
        if not self.begun and not self._explained and FinishReason.LENGTH not in self._reasons.values():
            raise empty(self._peer)
        self.begun = True
        return b"".join(lead)


def choices_of(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = value.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def delta_of(choice: Mapping[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta", choice.get("message"))
    return delta if isinstance(delta, dict) else {}


def says_something(delta: Mapping[str, Any]) -> bool:
    texts = ("content", "reasoning_content", "reasoning", "refusal")
    return any(text_in(delta.get(key)) for key in texts) or bool(delta.get("tool_calls") or delta.get("function_call"))
