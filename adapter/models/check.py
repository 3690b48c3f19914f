"""Is a file a whole GGUF, and the one it should be? Blocking; reads in blocks, whatever the size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from adapter.engines.llama.gguf_meta import GgufError, GgufMeta, parse_gguf
from adapter.models.failures import ModelsError

BLOCK_BYTES = 4 << 20


def sha256_of(path: Path, on_block: Callable[[int], None] = lambda done_bytes: None) -> str:
    """Lower-case digest of a file. on_block: told the bytes done so far after each 4 MiB. Raises `ModelsError`."""
    digest = hashlib.sha256()
    done = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                on_block(done := done + len(block))
    except OSError as exc:
        raise ModelsError(f"{path} cannot be read: {exc.strerror}") from exc
    return digest.hexdigest()


def read_head(path: Path) -> GgufMeta:
    """The head, which also tells whether the file is long enough. Raises `GgufError`, `ModelsError`."""
    try:
        with open(path, "rb", buffering=1 << 18) as file:
            return parse_gguf(file, os.fstat(file.fileno()).st_size)
    except OSError as exc:
        raise ModelsError(f"{path} cannot be read: {exc.strerror}") from exc


def problem_of(path: Path) -> str | None:
    """What is wrong with a GGUF, to go behind its name; `None` if its head is whole. Raises `ModelsError`."""
    try:
        read_head(path)
    except GgufError as exc:
        return str(exc)
    return None
