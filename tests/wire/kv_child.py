"""Programs of the store's tests that run in a process of their own: `python -m tests.wire.kv_child NAME
FOLDER ...`.
"""

from __future__ import annotations

import hashlib
import logging
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from adapter.engines.llama import kv_store
from adapter.engines.llama.kv_file import Identity, pack_tokens
from adapter.engines.llama.kv_store import KvStore

IDENTITY = Identity("ab" * 32, 4096, 4, "f16", "test")
LOG = logging.getLogger("kv-child")


def payload_of(tokens: list[int], n_bytes: int) -> bytes:
    """Tells whose it is: different for every list of tokens."""
    block = hashlib.sha256(pack_tokens(tokens)).digest()
    return (block * (n_bytes // len(block) + 1))[:n_bytes]


def same(payload: memoryview | None, wanted: bytes) -> bool:
    return payload is not None and bytes(payload) == wanted


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def hammer(folder: Path, seed: str, rounds: str) -> None:
    """Save, look up, load, pin and evict without end; fails on any payload that is not the right one."""
    choose = random.Random(int(seed))
    kv_store.LOOK_S = 0.0
    store = KvStore(folder, IDENTITY, max_bytes=400_000, log=LOG, reserve_bytes=0)
    store.open()
    hits = saves = 0
    for round_ in range(int(rounds)):
        tokens = [choose.randrange(6), *range(choose.randrange(1, 40))]
        found = store.longest(tokens)
        if found is not None:
            held = store.load(found.key)
            if held is not None:
                stored = [*tokens[: found.n_common], *range(found.n_common - 1, found.n_tokens - 1)]
                assert same(held, payload_of(stored, 50_000 + len(stored))), found
                hits += 1
        saves += store.save(tokens, payload_of(tokens, 50_000 + len(tokens)), pinned=choose.random() < 0.02)
        if round_ % 4 == 0:  # or all rounds may be over before a slow disk has taken the first file
            store.wait_idle(30)
        if choose.random() < 0.05:
            store.pin_only([tokens])
    store.close(30)
    say(hits, saves)


def save_for_ever(folder: Path, n_bytes: str) -> None:
    """Until killed; a dot for each payload that was taken."""
    store = KvStore(folder, IDENTITY, max_bytes=4 * int(n_bytes), log=LOG, reserve_bytes=0)
    store.open()
    for number in range(10_000):
        tokens = [number, 1, 2, 3]
        store.save(tokens, payload_of(tokens, int(n_bytes)), pinned=False)
        store.wait_idle(60)
        say(".")


def small_files_only(folder: Path) -> None:
    """The kernel refuses to let any file grow beyond 1 MiB: the write fails half way, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    store = KvStore(folder, IDENTITY, max_bytes=1 << 30, log=LOG, reserve_bytes=0)
    store.open()
    small, large = [1, 2, 3], [4, 5, 6]
    say(store.save(small, payload_of(small, 500_000), pinned=False), store.wait_idle(30))
    say(store.save(large, payload_of(large, 5_000_000), pinned=False), store.wait_idle(30))
    say(store.save(large, payload_of(large, 500), pinned=False), "while paused")
    found = store.longest([1, 2, 3, 4])
    say(found is not None and same(store.load(found.key), payload_of(small, 500_000)))
    store.close(30)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    program, where, *rest = sys.argv[1:]
    programs: dict[str, Callable[..., None]] = {
        "hammer": hammer,
        "save_for_ever": save_for_ever,
        "small_files_only": small_files_only,
    }
    programs[program](Path(where), *rest)
