"""The format of one file with a computed prefix: names and head, bytes <-> values. Pure.

    head     8 magic, 16 digest of the identity, 4 number of tokens, 8 payload bytes, 4 CRC of the payload,
             4 CRC of all before it and of the tokens; little-endian, 44 bytes
    tokens   4 bytes each, as llama.cpp has them in memory
    payload  what `llama_state_seq_get_data` gave, to the end of the file

CRC-32, because it is the quickest that Python brings: 100 MB take 23 ms here, SHA-256 53 ms (with the
processor's help), BLAKE2b 110 ms. Torn writes and bit rot are what it must find; somebody who can write into
the folder could do worse.

Names: `<digest>-<hash of the tokens>.kv`, and `.pin.kv` for what must never be dropped to make room. So a
listing tells whose a file is and whether it is pinned, and pinning is a rename.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# Part of every digest: files of another format are foreign, not damaged.
FORMAT_VERSION = 1
MAGIC = b"FarmKV\r\n"
TOKEN_BYTES = 4
# Far beyond any context; bounds what a damaged head can make a reader ask for.
MAX_TOKENS = 1 << 22

DIGEST_CHARS = 16
_KEY_CHARS = 24
_SUFFIX = ".kv"
_PINNED_SUFFIX = ".pin.kv"
_TEMP_SUFFIX = ".kv-part"
_HEX = frozenset("0123456789abcdef")

_FIXED = struct.Struct("<8s16sIQI")
_CRC = struct.Struct("<I")
HEAD_BYTES = _FIXED.size + _CRC.size


class Damaged(Exception):
    """Not a file that can be used. The text says what is wrong, to go behind the file's name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """All that decides whether a saved sequence means the same to a context.

    model_hash: of the whole GGUF. n_ctx: of one slot. n_seq: number of slots. library: version and build of
    the library. layout: whatever else the library's state depends on.
    """

    model_hash: str
    n_ctx: int
    n_seq: int
    kv_type: str
    library: str
    flash_attention: str = ""
    layout: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits; the names of the files that fit begin with it."""
        text = json.dumps({"format": FORMAT_VERSION, **asdict(self)}, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=DIGEST_CHARS // 2).hexdigest()


@dataclass(frozen=True, slots=True)
class Name:
    """What a file's name says. key: a hash of the tokens."""

    digest: str
    key: str
    pinned: bool

    def __str__(self) -> str:
        return f"{self.digest}-{self.key}{_PINNED_SUFFIX if self.pinned else _SUFFIX}"


@dataclass(frozen=True, slots=True)
class Head:
    """tokens: as packed by `pack_tokens`. payload_at: where the payload begins."""

    digest: str
    tokens: bytes
    payload_bytes: int
    payload_crc: int

    @property
    def payload_at(self) -> int:
        return HEAD_BYTES + len(self.tokens)

    @property
    def file_bytes(self) -> int:
        return self.payload_at + self.payload_bytes


def pack_tokens(tokens: Sequence[int]) -> bytes:
    """Four bytes each. Raises `OverflowError` for what is no token id of llama.cpp."""
    return array("i", tokens).tobytes()


def unpack_tokens(packed: bytes) -> list[int]:
    return array("i", packed).tolist()


def name_for(digest: str, tokens: bytes, *, pinned: bool) -> Name:
    """The name of the file for these packed tokens: the same tokens always have the same."""
    return Name(digest, hashlib.blake2b(tokens, digest_size=_KEY_CHARS // 2).hexdigest(), pinned)


def parse_name(name: str) -> Name | None:
    """`None` for a file that is none of ours."""
    pinned = name.endswith(_PINNED_SUFFIX)
    stem = name.removesuffix(_PINNED_SUFFIX if pinned else _SUFFIX)
    digest, dash, key = stem.partition("-")
    fits = len(digest) == DIGEST_CHARS and len(key) == _KEY_CHARS and _HEX.issuperset(digest + key)
    if stem == name or not dash or not fits:
        return None
    return Name(digest, key, pinned)


def temp_name(unique: str) -> str:
    """Of a file that is being written. unique: not used by anybody else at this moment."""
    return f"{unique}{_TEMP_SUFFIX}"


def is_temp_name(name: str) -> bool:
    return name.endswith(_TEMP_SUFFIX)


def render_head(head: Head) -> bytes:
    """Head and tokens, as they stand before the payload."""
    n_tokens = len(head.tokens) // TOKEN_BYTES
    fixed = _FIXED.pack(MAGIC, head.digest.encode("ascii"), n_tokens, head.payload_bytes, head.payload_crc)
    return fixed + _CRC.pack(zlib.crc32(head.tokens, zlib.crc32(fixed))) + head.tokens


def tokens_bytes(start: bytes, file_bytes: int) -> int:
    """How many bytes of tokens follow the first `HEAD_BYTES`, before the checksum is known. Raises
    `Damaged`.
    """
    if len(start) < HEAD_BYTES:
        raise Damaged(f"ends after {len(start)} bytes, inside its head")
    magic, _, n_tokens, payload_bytes, _ = _FIXED.unpack_from(start)
    if magic != MAGIC:
        raise Damaged("does not begin as it should")
    if not 0 < n_tokens <= MAX_TOKENS:
        raise Damaged(f"announces {n_tokens} tokens")
    announced = HEAD_BYTES + n_tokens * TOKEN_BYTES + payload_bytes
    if payload_bytes == 0 or announced != file_bytes:
        raise Damaged(f"has {file_bytes} bytes where its head announces {announced}")
    return int(n_tokens) * TOKEN_BYTES


def parse_head(start: bytes, tokens: bytes) -> Head:
    """start: the first `HEAD_BYTES`, for which `tokens_bytes` gave the length of `tokens`. Raises
    `Damaged`.
    """
    _, digest, _, payload_bytes, payload_crc = _FIXED.unpack_from(start)
    (crc,) = _CRC.unpack_from(start, _FIXED.size)
    if crc != zlib.crc32(tokens, zlib.crc32(start[: _FIXED.size])):
        raise Damaged("has a wrong checksum over its head and tokens")
    return Head(digest.decode("ascii", "replace"), tokens, payload_bytes, payload_crc)
