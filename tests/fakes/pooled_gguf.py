"""Makes a model for vectors of a tiny one that writes text: the same file with a pooling type in its head."""

from __future__ import annotations

import struct
from pathlib import Path

_START = struct.Struct("<4sIQQ")  # magic, version, tensors, keys
_U32, _STRING = 4, 8
ALIGNMENT = 32


def add_pooling(source: Path, path: Path, pooling: int, *, architecture: str = "llama") -> None:
    """Write `source` to `path` with `<architecture>.pooling_type`.

    Offsets of tensors count from the first aligned byte behind the head, so the head grows by whole alignments.
    """
    data = source.read_bytes()
    magic, version, tensors, keys = _START.unpack_from(data)
    new = _text(f"{architecture}.pooling_type") + struct.pack("<II", _U32, pooling)
    padding = _text("test.padding") + struct.pack("<I", _STRING)
    padding += _text("." * (-(len(new) + len(padding) + 8) % ALIGNMENT))
    head = _START.pack(magic, version, tensors, keys + 2)
    path.write_bytes(head + new + padding + data[_START.size :])


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()
