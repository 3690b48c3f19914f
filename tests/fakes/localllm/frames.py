"""The two forms of a chat answer (protocols/localllm.md 8.1 to 8.4)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from tests.fakes.localllm import gson
from tests.fakes.localllm.options import Deltas, Options
from tests.fakes.localllm.payload import ChatRequest

KEEP_ALIVE = ": ka\n\n"
DONE = "data: [DONE]\n\n"
Calls = Iterable[tuple[str, dict[str, Any]]]


def event(payload: Any) -> str:
    return f"data: {gson.dumps(payload)}\n\n"


class Frames:
    """What is written for one request."""

    def __init__(self, request: ChatRequest, number: int, options: Options) -> None:
        self._model = request.model
        self._number = number
        self._options = options
        self._shorten = Shortener(options.deltas)

    def completion(self, text: str, calls: Calls) -> Any:
        """The blocking form: text beside calls is dropped."""
        message: dict[str, Any] = {"role": "assistant"}
        if tool_calls := self._tool_calls(calls):
            message["tool_calls"] = tool_calls
        else:
            message["content"] = text
        reason = "tool_calls" if tool_calls else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return self._envelope("chat.completion", choice)

    def role(self) -> str:
        return self._chunk({"role": "assistant"})

    def content(self, piece: str) -> str | None:
        """The frame of a piece as this build cuts it; None if nothing is left of it."""
        text = self._shorten(piece)
        return self._chunk({"content": text}) if text else None

    def final(self, calls: Calls) -> str:
        """Either the end of the text or all calls, whole and without `index`."""
        tool_calls = self._tool_calls(calls)
        if tool_calls:
            return self._chunk({"tool_calls": tool_calls}, "tool_calls")
        return self._chunk({}, "stop")

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return event(self._envelope("chat.completion.chunk", choice))

    def _envelope(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        head = {"id": f"chatcmpl-{self._number}", "object": kind, "created": int(time.time())}
        return {**head, "model": self._model, "choices": [choice]}

    def _tool_calls(self, calls: Calls) -> list[dict[str, Any]]:
        return [
            {
                "id": f"call_{self._number}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": self._arguments(arguments)},
            }
            for index, (name, arguments) in enumerate(calls)
        ]

    def _arguments(self, arguments: dict[str, Any]) -> str:
        return gson.dumps(gson.to_doubles(arguments) if self._options.whole_numbers == "float" else arguments)


class Shortener:
    """What of each piece goes out: all of it, or by the length rule of 8.4, counted in UTF-16 units."""

    def __init__(self, deltas: Deltas) -> None:
        self._keeps_all = deltas == "correct"
        self._seen = 0

    def __call__(self, piece: str) -> str:
        if self._keeps_all:
            return piece
        units = piece.encode("utf-16-le", "surrogatepass")
        seen, self._seen = self._seen, len(units)
        if len(units) == seen:
            return ""
        beyond = units[seen:] if len(units) > seen else units
        return beyond.decode("utf-16-le", "surrogatepass")
