"""The bytes of an answer and the times at which they came -> `Seen`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapter.connect.check_facts import Seen

LARGEST_BYTES = 4 << 20


class Reader:
    """Of one answer; a stream's frames may come in any pieces. Times in seconds from the request on."""

    def __init__(self) -> None:
        self._data = b""
        self._bytes = 0
        self._last_byte_s = self._last_data_s = 0.0
        self._byte_gap_s = self._data_gap_s = 0.0
        self._first_word_s: float | None = None
        self._last_word_s = 0.0
        self._words = self._prompt_tokens = self._empty = 0
        self._content = ""
        self._error = self._code = ""
        self._finished = False

    def feed(self, data: bytes, at_s: float, *, streamed: bool) -> bool:
        """False once there is nothing more to read."""
        self._byte_gap_s = max(self._byte_gap_s, at_s - self._last_byte_s)
        self._last_byte_s = at_s
        self._bytes += len(data)
        self._data += data
        if self._bytes > LARGEST_BYTES:
            self._error = "the answer does not end"
            return False
        if not streamed:
            return True
        *lines, self._data = self._data.split(b"\n")
        return all(self._line(line.strip(), at_s) for line in lines)

    def _line(self, line: bytes, at_s: float) -> bool:
        if not line.startswith(b"data:"):
            return True
        self._data_gap_s = max(self._data_gap_s, at_s - self._last_data_s)
        self._last_data_s = at_s
        text = line[5:].strip()
        if text == b"[DONE]":
            return False
        self._chunk(_object(text), at_s)
        return True

    def _chunk(self, chunk: Mapping[str, Any], at_s: float) -> None:
        self._take_error(chunk)
        self._take_usage(chunk)
        for choice in _list(chunk.get("choices")):
            delta = choice.get("delta")
            delta = delta if isinstance(delta, dict) else {}
            text = delta.get("content")
            if text or delta.get("tool_calls") or delta.get("reasoning_content") or delta.get("reasoning"):
                self._word(text if isinstance(text, str) else "", at_s)
            elif self._first_word_s is None and "role" not in delta:
                self._empty += 1
            self._finished = self._finished or bool(choice.get("finish_reason"))

    def _word(self, text: str, at_s: float) -> None:
        if self._first_word_s is None:
            self._first_word_s = at_s
        self._last_word_s = at_s
        self._words += 1
        self._content += text

    def _take_error(self, body: Mapping[str, Any]) -> None:
        error = body.get("error")
        if isinstance(error, dict):
            self._error = str(error.get("message") or "an error without a word")[:600]
            self._code = str(error.get("code") or "")

    def _take_usage(self, body: Mapping[str, Any]) -> None:
        usage = body.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        self._prompt_tokens = tokens if isinstance(tokens, int) and tokens > 0 else self._prompt_tokens

    def so_far(self) -> Seen:
        return Seen(
            status=200, error=self._error, code=self._code, byte_gap_s=self._byte_gap_s, data_gap_s=self._data_gap_s, first_word_s=self._first_word_s,
            words_s=self._last_word_s - (self._first_word_s or 0.0), words=self._words, kept_alive=self._empty > 0, prompt_tokens=self._prompt_tokens,
            content=self._content,
        )  # fmt: skip

    def seen(self, whole_s: float, *, streamed: bool) -> Seen:
        """The whole answer."""
        if not streamed:
            self._plain(whole_s)
        elif not self._error and not self._finished:
            self._error = "the stream ended without a finish_reason: the answer broke off"
        from dataclasses import replace

        return replace(self.so_far(), whole_s=whole_s)

    def _plain(self, whole_s: float) -> None:
        body = _object(self._data)
        self._take_error(body)
        self._take_usage(body)
        choices = _list(body.get("choices"))
        message = choices[0].get("message") if choices else None
        if isinstance(message, dict):
            self._word(str(message.get("content") or ""), whole_s)
        elif not self._error and not isinstance(body.get("data"), list):
            self._error = "the answer is no OpenAI answer"


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
