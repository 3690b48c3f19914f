"""Server-sent events, written here, read by a parser that follows the specification."""

from __future__ import annotations

import json

import pytest

from adapter.dialects.openai_render import dump
from adapter.wire import sse


def events(raw: bytes) -> list[str]:
    """The data of every event, as the HTML standard's section 9.2.6 reads it."""
    text = raw.decode().replace("\r\n", "\n").replace("\r", "\n")
    blocks = [block for block in text.split("\n\n") if block]
    return ["\n".join(line.removeprefix("data:").removeprefix(" ") for line in b.split("\n")) for b in blocks]


def test_an_event_is_a_line_and_an_empty_line() -> None:
    assert sse.encode(b"{}") == b"data: {}\n\n"
    assert sse.DONE == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "text", ["x", "", "two\nlines", "\r\n", "\u2028\u2029\x85", " leading", "data: x", ": c", "\N{SAILBOAT}"]
)
def test_whatever_the_text_is_it_arrives_in_one_event(text: str) -> None:
    """JSON escapes line breaks, and the standard knows only CR and LF as such."""
    raw = sse.encode(dump({"text": text})) + sse.DONE
    first, done = events(raw)
    assert json.loads(first) == {"text": text}
    assert done == "[DONE]"
