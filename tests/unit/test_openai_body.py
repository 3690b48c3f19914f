"""Bytes of a request body -> a JSON object: everything that is not one is a 400 with a sentence."""

from __future__ import annotations

import json

import pytest

from adapter.dialects.openai_body import parse_json_object
from adapter.errors import BadRequest

LIMIT = 64


def nested(levels: int) -> bytes:
    """An object whose deepest value lies `levels` levels down."""
    return b'{"a":' * levels + b"1" + b"}" * levels


def refused(raw: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        parse_json_object(raw, max_nesting=LIMIT)
    return caught.value.message


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"null", "must be a JSON object, not null"),
        (b"[]", "not an array"),
        (b"17", "not a number"),
        (b'"x"', "not a string"),
        (b"true", "not a boolean"),
        (b"{", "not valid JSON"),
        (b'{"a":1,}', "line 1, column"),
        (b'{"a":1} x', "Extra data"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":"line\nbreak"}', "Invalid control character"),
        (b"model=x&stream=true", "not valid JSON"),
        (b'{"a":NaN}', "NaN is not a JSON number"),
        (b'{"a":[-Infinity]}', "-Infinity is not a JSON number"),
        (b'{"a":"\xff"}', "not valid UTF-8 (byte 6)"),
        (b'{"a":"\xc3', "not valid UTF-8"),
        (b'{"a":' + b"1" * 5_000 + b"}", "not valid JSON: Exceeds the limit"),
    ],
)
def test_what_is_no_object_is_refused_with_a_sentence(raw: bytes, said: str) -> None:
    assert said in refused(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1}',
        b' \n{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',  # a byte order mark, from Windows' editors
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_forms_of_one_object(raw: bytes) -> None:
    assert parse_json_object(raw, max_nesting=LIMIT) == {"a": 1}


def test_the_last_of_two_equal_keys_wins() -> None:
    """As in every common parser; a client that sends both means neither more."""
    assert parse_json_object(b'{"a":1,"a":2}', max_nesting=LIMIT) == {"a": 2}


def test_nesting_up_to_the_limit() -> None:
    assert parse_json_object(nested(LIMIT), max_nesting=LIMIT)


@pytest.mark.parametrize(
    "raw",
    [
        nested(LIMIT + 1),
        b'{"a":' + b"[" * LIMIT + b"]" * LIMIT + b"}",
        nested(5_000),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"[" * 100_000,  # never closed
        b"[" * 100_000,
    ],
    ids=["65", "64 in 1", "5,000", "100,000", "100,000 open", "100,000 open arrays"],
)
def test_deeper_nesting_is_refused_by_name(raw: bytes) -> None:
    """Without a crash, whatever the recursion does on the way."""
    assert "deeper than 64 levels (server.max_nesting)" in refused(raw)


def test_wide_is_not_deep() -> None:
    wide: dict[str, object] = {"a": [[] for _ in range(50_000)]}
    assert parse_json_object(json.dumps(wide).encode(), max_nesting=4) == wide


def test_half_surrogates_come_through_as_text() -> None:
    """JSON may escape them, and some clients cut an emoji in two; `parse_chat` replaces them."""
    assert parse_json_object(rb'{"a":"\ud83d"}', max_nesting=LIMIT) == {"a": "\ud83d"}
