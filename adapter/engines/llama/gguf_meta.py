"""Reads the head of a GGUF file: enough to list a model, to estimate its memory, and to tell a damaged file. Pure.

Works on any seekable binary stream, keeps scalars, short strings and short arrays of whole numbers (one for each
layer), skips long ones (a vocabulary has a quarter of a million entries) without holding them. Every length in the
file is checked against what the file can contain.
Format: ggml/docs/gguf.md in llama.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

MAX_KEYS = 65_536
MAX_TENSORS = 1 << 20
MAX_ARRAY = 1 << 24
# An array of numbers for each layer; llama.cpp has at most 512 layers.
MAX_KEPT_ARRAY = 512
MAX_NAME_BYTES = 1 << 16
# The longest string that is kept is a chat template; the longest known has some 20 kB.
MAX_STRING_BYTES = 1 << 20
DEFAULT_ALIGNMENT = 32

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_FLOATS = (6, 12)
# ggml_type -> (values in a block, bytes of a block), from ggml.c. Unknown ones are checked less strictly.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip


class GgufError(Exception):
    """Not a GGUF that can be used. The text says what is wrong, to go behind the file's name."""


class Truncated(GgufError):
    """The file ends too early: an interrupted download."""


@dataclass(frozen=True, slots=True)
class GgufMeta:
    """What the head says. values: scalars and strings by key. arrays: those of at most 512 whole numbers or booleans.

    vocabulary_size: how many tokens there are, 0 if the file does not say. data_bytes: of all tensors together.
    """

    version: int
    n_tensors: int
    values: Mapping[str, int | float | bool | str]
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    vocabulary_size: int = 0
    data_bytes: int = 0

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def context_length(self) -> int | None:
        """How many tokens the model was trained for; `None` if the file does not say."""
        value = self.values.get(f"{self.architecture}.context_length")
        return value if isinstance(value, int) and value > 0 else None

    @property
    def embedding_length(self) -> int | None:
        """Width of the hidden state, and of the vectors that an embedding model makes."""
        length = self.values.get(f"{self.architecture}.embedding_length")
        return length if isinstance(length, int) and length > 0 else None

    @property
    def chat_template(self) -> str | None:
        value = self.values.get("tokenizer.chat_template")
        return value if isinstance(value, str) else None


def parse_gguf(stream: BinaryIO, size_bytes: int) -> GgufMeta:
    """Read the head from the beginning of `stream` (of `size_bytes` in all). Raises `GgufError`.

    The weights themselves are not read, only that the file is long enough to have them all.
    """
    head = _Head(stream, size_bytes)
    version, n_tensors, n_keys = _read_start(head)
    entries = dict(_read_entry(head) for _ in range(n_keys))
    values = {key: value for key, value in entries.items() if not isinstance(value, _Array | None)}
    arrays = {key: value for key, value in entries.items() if isinstance(value, _Array)}
    tokens = arrays.get("tokenizer.ggml.tokens")
    meta = GgufMeta(
        version,
        n_tensors,
        values,
        {key: array.items for key, array in arrays.items() if array.items is not None},
        tokens.length if tokens else 0,
    )
    if not meta.architecture:
        raise GgufError("names no architecture; it is no model for llama.cpp")
    return replace(meta, data_bytes=_check_tensors(head, meta))


@dataclass(frozen=True, slots=True)
class _Array:
    """items: `None` where they are not kept."""

    length: int
    items: tuple[int, ...] | None


class _Head:
    """Bounded reads; every one knows where it is and that the file may be a lie."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream = stream
        self.size_bytes = size_bytes
        self.at = 0

    def read(self, n_bytes: int) -> bytes:
        self._reserve(n_bytes)
        data = self._stream.read(n_bytes)
        if len(data) < n_bytes:
            raise Truncated("ends inside its head; the download is incomplete")
        return data

    def skip(self, n_bytes: int) -> None:
        self._reserve(n_bytes)
        self._stream.seek(n_bytes, 1)

    def scalar(self, form: str) -> int | float | bool:
        (value,) = struct.unpack(form, self.read(struct.calcsize(form)))
        return value  # type: ignore[no-any-return]  # struct knows no types

    def u32(self) -> int:
        return int.from_bytes(self.read(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.read(8), "little")

    def text(self, most_bytes: int, what: str) -> str:
        length = self.u64()
        if length > most_bytes:
            raise GgufError(f"is damaged: {what} of {length} bytes")
        return self.read(length).decode("utf-8", "replace")

    def _reserve(self, n_bytes: int) -> None:
        if n_bytes > self.size_bytes - self.at:
            raise Truncated("ends inside its head; the download is incomplete")
        self.at += n_bytes


def _read_start(head: _Head) -> tuple[int, int, int]:
    if head.size_bytes == 0:
        raise Truncated("is empty; the download is incomplete")
    magic = head.read(min(4, head.size_bytes))
    if magic != b"GGUF":
        raise GgufError(f"is no GGUF file (it begins with {magic!r})")
    version = head.u32()
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        kind = "was made for a big-endian machine" if swapped in (2, 3) else f"has GGUF version {version}"
        raise GgufError(f"{kind}; versions 2 and 3, little-endian, can be read")
    n_tensors, n_keys = head.u64(), head.u64()
    if n_tensors > MAX_TENSORS or n_keys > MAX_KEYS:
        raise GgufError(f"is damaged: its head announces {n_tensors} tensors and {n_keys} keys")
    return version, n_tensors, n_keys


def _read_entry(head: _Head) -> tuple[str, int | float | bool | str | _Array | None]:
    key = head.text(MAX_NAME_BYTES, "a key")
    kind = head.u32()
    if kind == _STRING:
        length = head.u64()
        if length > MAX_STRING_BYTES:
            head.skip(length)
            return key, None
        return key, head.read(length).decode("utf-8", "replace")
    if kind == _ARRAY:
        return key, _read_array(head, key)
    if kind not in _SCALARS:
        raise GgufError(f"is damaged: key {key!r} has the unknown type {kind}")
    return key, head.scalar(_SCALARS[kind])


def _read_array(head: _Head, key: str) -> _Array:
    kind, length = head.u32(), head.u64()
    if length > MAX_ARRAY:
        raise GgufError(f"is damaged: key {key!r} announces {length} entries")
    if kind == _STRING:
        for _ in range(length):
            head.skip(head.u64())
    elif kind in _SCALARS and kind not in _FLOATS and length <= MAX_KEPT_ARRAY:
        return _Array(length, tuple(int(head.scalar(_SCALARS[kind])) for _ in range(length)))
    elif kind in _SCALARS:
        head.skip(length * struct.calcsize(_SCALARS[kind]))
    else:
        raise GgufError(f"is damaged: key {key!r} is an array of the unknown type {kind}")
    return _Array(length, None)


def _check_tensors(head: _Head, meta: GgufMeta) -> int:
    """Is every tensor's data inside the file? Gives the bytes of it all."""
    if meta.n_tensors == 0:
        raise GgufError("has no tensors; it is a vocabulary without a model")
    ends = [_read_tensor_end(head) for _ in range(meta.n_tensors)]
    alignment = meta.values.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
        raise GgufError(f"is damaged: alignment {alignment!r}")
    needed = -(-head.at // alignment) * alignment + max(ends)
    if needed > head.size_bytes:
        raise Truncated(f"has {head.size_bytes} of {needed} bytes; the download is incomplete")
    return max(ends)


def _read_tensor_end(head: _Head) -> int:
    """The first byte behind a tensor, counted from the start of the data."""
    name = head.text(MAX_NAME_BYTES, "a tensor's name")
    n_dimensions = head.u32()
    if n_dimensions > 8:
        raise GgufError(f"is damaged: tensor {name!r} has {n_dimensions} dimensions")
    n_values = 1
    for _ in range(n_dimensions):
        n_values *= head.u64()
    kind, offset = head.u32(), head.u64()
    per_block, block_bytes = _BLOCKS.get(kind, (1, 0))
    return offset + n_values // per_block * block_bytes
