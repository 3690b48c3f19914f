"""What the tests of the store on disk share: small sequences, a store in a folder, and what it holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.engines.llama.kv_file import (
    HEAD_BYTES,
    Identity,
    name_for,
    pack_tokens,
)
from adapter.engines.llama.kv_store import KvStore
from tests.wire.kv_child import IDENTITY, payload_of, same

LOG = logging.getLogger("test-kv")
OTHER = replace(IDENTITY, kv_type="q8_0")
A, B, C, D = ([n, n + 1, n + 2, n + 3] for n in (10, 20, 30, 40))
KIB = 1024
# Four tokens of head, so that budgets can be said in files.
FILE_BYTES = KIB
PAYLOAD = FILE_BYTES - HEAD_BYTES - 16


def opened(
    folder: Path,
    identity: Identity = IDENTITY,
    *,
    files: int = 1000,
    trims: bool = True,
    reserve_bytes: int | None = 0,
    clock_ns: Callable[[], int] = time.time_ns,
) -> KvStore:
    """files: the budget, in files of four tokens."""
    store = KvStore(
        folder,
        identity,
        max_bytes=files * FILE_BYTES,
        log=LOG,
        trims=trims,
        reserve_bytes=reserve_bytes,
        clock_ns=clock_ns,
    )
    store.open()
    return store


def put(store: KvStore, *sequences: list[int], pinned: bool = False) -> None:
    for tokens in sequences:
        assert store.save(tokens, payload_of(tokens, PAYLOAD), pinned=pinned)
        assert store.wait_idle(30)


def held(store: KvStore, tokens: list[int]) -> bool:
    """Is exactly this sequence there? A wrong payload fails."""
    found = store.longest([*tokens, -1])
    if found is None or (found.n_common, found.n_tokens) != (len(tokens), len(tokens)):
        return False
    payload = store.load(found.key)
    assert payload is None or same(payload, payload_of(tokens, PAYLOAD))
    return payload is not None


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def path_of(folder: Path, tokens: list[int], *, pinned: bool = False) -> Path:
    return folder / str(name_for(IDENTITY.digest, pack_tokens(tokens), pinned=pinned))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def one_line_about(path: Path, caplog: pytest.LogCaptureFixture) -> bool:
    lines = said(caplog)
    caplog.clear()
    return len(lines) == 1 and path.name in lines[0]
