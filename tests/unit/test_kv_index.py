"""Which stored prefix is taken, and which files go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapter.engines.llama.kv_file import Name, pack_tokens
from adapter.engines.llama.kv_index import (
    FOREIGN_PIN_NS,
    LATEST_NS,
    MARK_STEP_NS,
    Entry,
    OnDisk,
    Stored,
    common_tokens,
    covered,
    evictions,
    longest,
    next_mark,
    shadowed,
)

OURS, THEIRS = "a" * 16, "b" * 16


def entry(name: str, tokens: Sequence[int]) -> Entry:
    return Entry(name, pack_tokens(tokens), pinned=name.startswith("pin"))


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        ([], [], 0),
        ([], [1], 0),
        ([1], [2], 0),
        ([1], [1], 1),
        ([1, 2, 3], [1, 2, 4, 5], 2),
        ([1, 2, 3], [1, 2, 3, 4], 3),
        ([0x01020304], [0x01020305], 0),  # three of its four bytes are the same
        ([7, 0x01020304], [7, 0x05020304], 1),
    ],
)
def test_common_tokens(a: list[int], b: list[int], n: int) -> None:
    assert common_tokens(pack_tokens(a), pack_tokens(b)) == n
    assert common_tokens(pack_tokens(b), pack_tokens(a)) == n


def test_common_tokens_at_every_place() -> None:
    tokens = list(range(67))
    for place in range(len(tokens)):
        other = [*tokens[:place], 999, *tokens[place + 1 :]]
        assert common_tokens(pack_tokens(tokens), pack_tokens(other)) == place


SHELF = [
    entry("system", [1, 2, 3]),
    entry("chat", [1, 2, 3, 4, 5, 6]),
    entry("other", [1, 9, 9, 9]),
]


@pytest.mark.parametrize(
    ("prompt", "trims", "found"),
    [
        ([1, 2, 3, 4, 5, 6, 7], True, Stored("chat", 6, 6)),
        ([1, 2, 3, 4, 8], True, Stored("chat", 6, 4)),
        ([1, 2, 3, 8], True, Stored("system", 3, 3)),  # the chat saves no more and is longer
        ([1, 2, 3], True, Stored("system", 3, 3)),
        ([1, 9, 5], True, Stored("other", 4, 2)),
        ([5, 5], True, None),
        ([], True, None),
        ([1, 2, 3, 4, 5, 6, 7], False, Stored("chat", 6, 6)),
        ([1, 2, 3, 4, 8], False, Stored("system", 3, 3)),
        ([1, 2, 3, 4], False, Stored("system", 3, 3)),
        ([1, 2, 3], False, None),  # its last token must be computed, and nothing can be taken back
        ([1, 9, 5], False, None),
    ],
)
def test_longest(prompt: list[int], trims: bool, found: Stored | None) -> None:
    assert longest(SHELF, pack_tokens(prompt), trims=trims) == found
    assert longest(reversed(SHELF), pack_tokens(prompt), trims=trims) == found


@pytest.mark.parametrize(
    ("tokens", "trims", "n"),
    [
        ([1, 2, 3, 4, 5, 6, 7], True, 6),
        ([1, 2, 3, 4], True, 4),
        ([1, 2, 3, 4], False, 3),
        ([1, 2, 3], False, 3),
        ([1, 9], True, 2),
        ([1, 9], False, 0),
        ([], True, 0),
    ],
)
def test_covered(tokens: list[int], trims: bool, n: int) -> None:
    assert covered(SHELF, pack_tokens(tokens), trims=trims) == n


def test_an_empty_store_covers_nothing() -> None:
    assert covered([], pack_tokens([1]), trims=True) == covered([], pack_tokens([1]), trims=False) == 0


@pytest.mark.parametrize(
    ("trims", "gone"),
    [(True, ["system"]), (False, [])],
)
def test_beginnings_go_where_sequences_can_be_trimmed(trims: bool, gone: list[str]) -> None:
    entries = [*SHELF, entry("pinned", [1, 2]), entry("same", [1, 2, 3, 4])]
    assert shadowed(entries, pack_tokens([1, 2, 3, 4]), trims=trims) == gone


@pytest.mark.parametrize(
    ("now", "highest", "mark"),
    [
        (1_000_000_000, 0, 1_000_000_000),
        (1_000_000_000, 999_000_000, 1_000_000_000),
        (1_000_000_000, 1_000_000_000, 1_000_000_000 + MARK_STEP_NS),
        (0, 1_000_000_000, 1_000_000_000 + MARK_STEP_NS),  # a clock in 1970
        (-5, 0, MARK_STEP_NS),
        (1 << 90, 0, LATEST_NS),
        (1 << 90, LATEST_NS, LATEST_NS + MARK_STEP_NS),
    ],
)
def test_marks_only_rise(now: int, highest: int, mark: int) -> None:
    assert next_mark(now, highest) == mark > highest


def file(key: str, n_bytes: int, mark: int, *, digest: str = OURS) -> OnDisk:
    return OnDisk(Name(digest, key, pinned=key.startswith("pin")), n_bytes, mark)


WEEK = FOREIGN_PIN_NS


@pytest.mark.parametrize(
    ("files", "max_bytes", "gone"),
    [
        ([], 0, []),
        ([file("a", 10, 1), file("b", 10, 2)], 20, []),
        ([file("a", 10, 1), file("b", 10, 2)], 19, ["a"]),
        ([file("a", 10, 3), file("b", 10, 2)], 19, ["b"]),
        ([file("a", 10, 1), file("b", 10, 2), file("c", 1, 3)], 10, ["a", "b"]),
        ([file("a", 10, 2), file("b", 10, 1)], 0, ["b", "a"]),
        ([file("b", 10, 1), file("a", 10, 1)], 10, ["a"]),
        ([file("pin", 10, 1), file("b", 10, 2)], 10, ["b"]),
        ([file("pin", 10, 1), file("pin2", 10, 2), file("b", 1, 3)], 5, ["b"]),
        # Of models that nobody asks for any more: counted, and dropped like the others.
        ([file("old", 10, 1, digest=THEIRS), file("b", 10, 2)], 10, ["old"]),
        # Another model's pinned ones are somebody's, for a week.
        ([file("pin", 10, 1, digest=THEIRS), file("b", 10, 2)], 10, ["b"]),
        ([file("pin", 10, 1, digest=THEIRS), file("b", 10, WEEK)], 10, ["b"]),
        ([file("pin", 10, 1, digest=THEIRS), file("b", 10, WEEK + 1)], 10, ["pin"]),
        ([file("pin", 10, 1), file("b", 10, WEEK + 1)], 10, ["b"]),
    ],
)
def test_evictions(files: list[OnDisk], max_bytes: int, gone: list[str]) -> None:
    assert [found.name.key for found in evictions(files, max_bytes, OURS)] == gone
