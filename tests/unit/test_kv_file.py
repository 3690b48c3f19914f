"""The format of a stored prefix: what is written is read, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.engines.llama.kv_file import (
    HEAD_BYTES,
    MAX_TOKENS,
    Damaged,
    Head,
    Identity,
    Name,
    is_temp_name,
    name_for,
    pack_tokens,
    parse_head,
    parse_name,
    render_head,
    temp_name,
    tokens_bytes,
    unpack_tokens,
)

ID = Identity("ab" * 32, 4096, 4, "f16", "0.3.36 b1", "auto", "kv=28x1024")
TOKENS = pack_tokens([1, 2, 151_643, 0, -1])
HEAD = Head(ID.digest, TOKENS, 1000, 0xDEADBEEF)


def parsed(data: bytes, file_bytes: int) -> Head:
    n_bytes = tokens_bytes(data[:HEAD_BYTES], file_bytes)
    return parse_head(data[:HEAD_BYTES], data[HEAD_BYTES : HEAD_BYTES + n_bytes])


def test_a_head_survives_the_way() -> None:
    data = render_head(HEAD)
    assert parsed(data, HEAD.file_bytes) == HEAD
    assert HEAD.payload_at == len(data) == HEAD_BYTES + 20
    assert HEAD.file_bytes == len(data) + 1000
    assert unpack_tokens(HEAD.tokens) == [1, 2, 151_643, 0, -1]


def test_every_flipped_bit_is_noticed() -> None:
    data = render_head(HEAD)
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            parsed(bytes(bad), HEAD.file_bytes)


@pytest.mark.parametrize("file_bytes", [0, 1, HEAD_BYTES, HEAD.file_bytes - 1, HEAD.file_bytes + 1])
def test_a_file_of_another_length_is_damaged(file_bytes: int) -> None:
    with pytest.raises(Damaged, match=r"has \d+ bytes where its head announces \d+"):
        parsed(render_head(HEAD), file_bytes)


@pytest.mark.parametrize("length", range(HEAD_BYTES))
def test_a_cut_head_is_damaged(length: int) -> None:
    with pytest.raises(Damaged, match=f"ends after {length} bytes"):
        tokens_bytes(render_head(HEAD)[:length], length)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (replace(HEAD, tokens=b""), "announces 0 tokens"),
        (replace(HEAD, payload_bytes=0), "bytes where its head announces"),
        (replace(HEAD, tokens=bytes(4 * (MAX_TOKENS + 1))), "tokens"),
    ],
)
def test_nothing_absurd_is_asked_for(head: Head, why: str) -> None:
    """The checksum is right, and yet a reader must not believe it."""
    with pytest.raises(Damaged, match=why):
        tokens_bytes(render_head(head)[:HEAD_BYTES], head.file_bytes)


@pytest.mark.parametrize(
    "other",
    [
        replace(ID, model_hash="cd" * 32),
        replace(ID, n_ctx=8192),
        replace(ID, n_seq=2),
        replace(ID, kv_type="q8_0"),
        replace(ID, library="0.3.37 b1"),
        replace(ID, flash_attention="on"),
        replace(ID, layout="kv=28x512"),
    ],
)
def test_whatever_changes_the_state_changes_the_digest(other: Identity) -> None:
    assert other.digest != ID.digest
    assert replace(ID).digest == ID.digest


def test_names_tell_digest_tokens_and_pin() -> None:
    name = name_for(ID.digest, TOKENS, pinned=False)
    pinned = name_for(ID.digest, TOKENS, pinned=True)
    assert (name.digest, name.key) == (ID.digest, pinned.key)
    assert name.key != name_for(ID.digest, TOKENS[:-4], pinned=False).key
    assert parse_name(str(name)) == name
    assert parse_name(str(pinned)) == pinned == replace(name, pinned=True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".kv",
        "-.kv",
        "key",
        "0123456789abcdef-0123456789abcdef01234567",
        "0123456789abcdef-0123456789abcdef01234567.kv-part",
        "0123456789abcdef-0123456789abcdef01234567.kv.bak",
        "0123456789abcdef-0123456789abcdef0123456.kv",
        "0123456789abcdeF-0123456789abcdef01234567.kv",
        "0123456789abcdef_0123456789abcdef01234567.kv",
        "0123456789abcde--0123456789abcdef01234567.kv",
        "../456789abcdef-0123456789abcdef01234567.kv",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert parse_name(name) is None


def test_a_part_is_known_by_its_name() -> None:
    assert is_temp_name(temp_name("123-abc")) and parse_name(temp_name("123-abc")) is None
    assert not is_temp_name(str(Name(ID.digest, "0" * 24, False)))


@pytest.mark.parametrize("token", [1 << 31, -(1 << 31) - 1])
def test_what_is_no_token_id_is_refused(token: int) -> None:
    with pytest.raises(OverflowError):
        pack_tokens([token])
