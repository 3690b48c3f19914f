"""`adapter.wire.ndjson`: lines from bytes that are cut anywhere."""

from __future__ import annotations

import json
import random

import pytest

from adapter.wire.ndjson import MalformedLine, NdjsonDecoder

VALUES: list[object] = [{"response": "naïve 日本 👋🏽"}, {"done": True, "output": "a\nb"}, [], 7, None]
WHOLE = b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in VALUES)


def decoded(pieces: list[bytes]) -> list[object]:
    decoder = NdjsonDecoder()
    return [value for piece in pieces for value in decoder.feed(piece)] + decoder.flush()


def test_whole_byte_by_byte_and_cut_at_random_places() -> None:
    """The cut never matters, not even inside a character or between CR and LF."""
    for data in (WHOLE, WHOLE.replace(b"\n", b"\r\n")):
        assert decoded([data]) == VALUES
        assert decoded([data[at : at + 1] for at in range(len(data))]) == VALUES
        rng = random.Random(7)
        for _ in range(50):
            cuts = sorted(rng.sample(range(len(data)), 5))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
            assert decoded(pieces) == VALUES


def test_values_come_as_soon_as_their_line_ends() -> None:
    decoder = NdjsonDecoder()
    assert decoder.feed(b'{"a":1') == []
    assert decoder.feed(b'}\n{"b":2}\n{"c"') == [{"a": 1}, {"b": 2}]
    assert decoder.feed(b":3}") == []
    assert decoder.flush() == [{"c": 3}]
    assert decoder.flush() == []


def test_blank_lines_are_skipped() -> None:
    assert decoded([b"\n\r\n  \n1\n\n"]) == [1]


@pytest.mark.parametrize("line", [b"<html>", b'{"a":', b"\xff\xfe", b"{'a': 1}", b"1 2", b"[" * 100_000])
def test_a_line_that_is_not_json_keeps_its_first_bytes(line: bytes) -> None:
    with pytest.raises(MalformedLine) as caught:
        NdjsonDecoder().feed(b"1\n" + line + b"\n")
    assert caught.value.first_bytes == line[:80]


def test_a_line_cut_off_at_the_end_is_malformed() -> None:
    decoder = NdjsonDecoder()
    assert decoder.feed(b'1\n{"response": "ab') == [1]
    with pytest.raises(MalformedLine, match="response"):
        decoder.flush()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_may_not_be_longer_than_the_bound(end: bytes) -> None:
    assert NdjsonDecoder(max_line_bytes=10).feed(b'"' + b"x" * 8 + b'"\n') == ["x" * 8]
    with pytest.raises(MalformedLine, match="more than 10 bytes"):
        NdjsonDecoder(max_line_bytes=10).feed(b'"' + b"x" * 9 + b'"' + end)
