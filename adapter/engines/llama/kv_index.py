"""Which stored prefix fits a prompt best, and which files must go. Pure.

Tokens are packed (`kv_file.pack_tokens`), so that they can be compared in bulk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from adapter.engines.llama.kv_file import TOKEN_BYTES, Name

MARK_STEP_NS = 1_000_000
# The year 2200: later than any clock is right, earlier than what file systems can hold.
LATEST_NS = 7_258_118_400 * 1_000_000_000
# Pinned files of another model or shape are somebody's, unless nobody has used them for so long while others
# were used.
FOREIGN_PIN_NS = 7 * 24 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored prefix for a prompt: it holds `n_tokens`, of which the first `n_common` are the prompt's."""

    key: str
    n_tokens: int
    n_common: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that may be loaded. name: the file's, which is also its key."""

    name: str
    tokens: bytes
    pinned: bool


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file of anybody, as a listing shows it. mark: when it was last used, see `next_mark`."""

    name: Name
    n_bytes: int
    mark: int


def next_mark(now_ns: int, highest: int) -> int:
    """The mark of a file used now, given the highest mark in the folder.

    It is the time of day where the clock runs forward, and always higher than every mark before it: a clock
    that was in 1970 or in 2100 for a while changes what the marks read like, not their order.
    """
    return max(min(now_ns, LATEST_NS), highest + MARK_STEP_NS)


def common_tokens(a: bytes, b: bytes) -> int:
    """How many tokens at the start are the same."""
    # Halves the question again and again, so that bytes are compared in bulk.
    low, high = 0, min(len(a), len(b)) // TOKEN_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        span = slice(low * TOKEN_BYTES, middle * TOKEN_BYTES)
        if a[span] == b[span]:
            low = middle
        else:
            high = middle - 1
    return low


def longest(entries: Iterable[Entry], prompt: bytes, *, trims: bool) -> Stored | None:
    """The entry that saves the most of the prompt; of equals the shortest, as it loads quickest.

    trims: a loaded sequence can lose its end. If not, an entry is of use only as a whole, and only if the
    prompt goes on behind it: the last token must be computed anyway, to have something to sample from.
    """
    best: Stored | None = None
    for entry in entries:
        if not trims and not (len(entry.tokens) < len(prompt) and prompt.startswith(entry.tokens)):
            continue
        n_tokens = len(entry.tokens) // TOKEN_BYTES
        n_common = common_tokens(entry.tokens, prompt)
        if n_common and (best is None or (n_common, -n_tokens) > (best.n_common, -best.n_tokens)):
            best = Stored(entry.name, n_tokens, n_common)
    return best


def covered(entries: Iterable[Entry], tokens: bytes, *, trims: bool) -> int:
    """How many of the first tokens need no saving, since an entry already has them in a form that can be
    used.
    """
    if trims:
        return max((common_tokens(entry.tokens, tokens) for entry in entries), default=0)
    whole = (len(entry.tokens) for entry in entries if tokens.startswith(entry.tokens))
    return max(whole, default=0) // TOKEN_BYTES


def shadowed(entries: Iterable[Entry], tokens: bytes, *, trims: bool) -> list[str]:
    """The unpinned entries that `tokens`, once stored, make useless: its proper beginnings.

    None where sequences cannot be trimmed: there a beginning serves prompts that the whole does not serve.
    """
    if not trims:
        return []
    return [
        entry.name
        for entry in entries
        if not entry.pinned and len(entry.tokens) < len(tokens) and tokens.startswith(entry.tokens)
    ]


def holds(file: OnDisk, digest: str, highest: int) -> bool:
    """Must this file stay, whatever the budget?"""
    if not file.name.pinned:
        return False
    return file.name.digest == digest or highest - file.mark < FOREIGN_PIN_NS


def evictions(files: Collection[OnDisk], max_bytes: int, digest: str) -> list[OnDisk]:
    """The files to delete, least recently used first, until the rest fits. digest: of the caller's own files.

    What is pinned stays, also beyond the budget.
    """
    over = sum(file.n_bytes for file in files) - max_bytes
    highest = max((file.mark for file in files), default=0)
    gone: list[OnDisk] = []
    for file in sorted(files, key=lambda file: (file.mark, str(file.name))):
        if over <= 0:
            break
        if not holds(file, digest, highest):
            gone.append(file)
            over -= file.n_bytes
    return gone
