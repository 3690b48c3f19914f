"""The text of the file `tokens.json`: which tokens were made, for `list` and `show`. Pure.

No token is in it, and nobody who only checks tokens reads it: losing it makes none valid or invalid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from adapter.access.grant import LAST_S, Grant, fields_of, grant_of
from adapter.access.keyring import Keyring

# Revoked tokens are shown, so that who finds one in use knows whose it was; the oldest make room for newer ones.
REVOKED_KEPT = 100


class State(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    # Its secret is gone: the text that was given out is refused.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Entry:
    """made_s: wall time. mark: of the secret that it was made with (`Keyring.mark`). revoked_s: wall time, `None`: it is not."""

    grant: Grant
    made_s: int
    mark: str
    revoked_s: int | None = None

    def state(self, ring: Keyring | None, now_s: float) -> State:
        if self.revoked_s is not None or (ring is not None and self.grant.id in ring.revoked):
            return State.REVOKED
        if ring is None or ring.mark != self.mark:
            return State.LOST
        return State.EXPIRED if self.grant.expired(now_s) else State.VALID


def render_book(entries: Sequence[Entry]) -> str:
    """The oldest of more than `REVOKED_KEPT` revoked ones are left out."""
    revoked = sorted(entry.revoked_s for entry in entries if entry.revoked_s is not None)
    since_s = revoked[-REVOKED_KEPT] if len(revoked) > REVOKED_KEPT else 0
    kept = [entry for entry in entries if entry.revoked_s is None or entry.revoked_s >= since_s]
    listed = [
        {"token": fields_of(entry.grant), "made": entry.made_s, "secret": entry.mark, "revoked": entry.revoked_s}
        for entry in kept
    ]
    return json.dumps({"version": 1, "tokens": listed}, indent=1) + "\n"


def parse_book(text: str) -> tuple[Entry, ...]:
    """The inverse of `render_book`. Raises `ValueError` with what is wrong."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("it is no list of tokens") from None
    if not isinstance(data, dict) or data.get("version") != 1 or not isinstance(data.get("tokens"), list):
        raise ValueError("it is no list of tokens of version 1")
    entries = tuple(_entry(item, number) for number, item in enumerate(data["tokens"], 1))
    if len({entry.grant.id for entry in entries}) != len(entries):
        raise ValueError("two of its tokens have the same id")
    return entries


def _entry(item: Any, number: int) -> Entry:
    match item:
        case {"token": fields, "secret": str(mark)}:
            try:
                return Entry(grant_of(fields), _time(item, "made") or 0, mark, _time(item, "revoked"))
            except ValueError as exc:
                raise ValueError(f"in its entry {number}: {exc}") from None
        case _:
            raise ValueError(f"its entry {number} is none")


def _time(item: dict[str, Any], key: str) -> int | None:
    value = item.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LAST_S):
        raise ValueError(f"{key!r} must be a time in seconds")
    return value


def find(entries: Sequence[Entry], word: str) -> Entry | None:
    """By name, the one that is not revoked before those that are, the newest of those; else by id."""
    named = [entry for entry in entries if entry.grant.name == word]
    if named:
        return next((entry for entry in named if entry.revoked_s is None), named[-1])
    return next((entry for entry in entries if entry.grant.id == word), None)


def revoke(entries: Sequence[Entry], ident: str, now_s: int) -> tuple[Entry, ...]:
    return tuple(
        replace(entry, revoked_s=now_s) if entry.grant.id == ident and entry.revoked_s is None else entry
        for entry in entries
    )
