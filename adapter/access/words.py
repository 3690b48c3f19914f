"""What `farmhand token list` shows, in lines of at most 80 columns and as JSON. Pure: times come as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.access.book import State
from adapter.access.durations import in_words
from adapter.access.grant import Grant
from adapter.access.scopes import Scope
from adapter.access.use import Use
from adapter.caller import OnDeadline, Urgency

# Wall time -> `2026-12-21 20:05` of wherever the reader is.
Clock = Callable[[float], str]

LAG = "Counts are written once a minute while the server runs: they may lag by that."
UNUSED = "never used"
WIDTH = 80


@dataclass(frozen=True, slots=True)
class Key:
    """One key of any kind, as the list shows it. kind: `generated`, `auth.keys`, `[[key]]`, `token`. The rest as in `Grant`; no key is in it."""

    kind: str
    id: str
    name: str
    scopes: tuple[Scope, ...]
    state: State = State.VALID
    rate: str | None = None
    urgency: Urgency | None = None
    deadline_s: float | None = None
    on_deadline: OnDeadline = OnDeadline.REFUSE
    expires_s: int | None = None
    made_s: int | None = None
    revoked_s: int | None = None
    use: Use | None = None


def summary(grant: Grant | Key, clock: Clock) -> str:
    """`chat, embed; 60/min; until 2026-12-21 20:05`: its rights and manners."""
    parts = [", ".join(grant.scopes)]
    parts += [grant.rate] if grant.rate else []
    parts += [grant.urgency.value] if grant.urgency else []
    if grant.deadline_s is not None:
        then = ", then what there is" if grant.on_deadline is OnDeadline.PARTIAL else ""
        parts.append(f"within {grant.deadline_s:g} s{then}")
    elif grant.on_deadline is OnDeadline.PARTIAL:
        parts.append("what there is at a deadline")
    parts += [f"until {clock(grant.expires_s)}"] if grant.expires_s is not None else []
    return "; ".join(parts)


def lines(key: Key, now_s: float, clock: Clock) -> list[str]:
    """Who, what, how much: a line each, or more where it is long."""
    head = f"token {key.id}" if key.kind == "token" else _KINDS[key.kind]
    word = "" if key.state is State.VALID else f", {_STATES[key.state]}"
    if key.revoked_s is not None:
        word += f" {clock(key.revoked_s)}"
    who = f"{key.name}  ({head}{word})"
    heads = [who] if len(who) <= WIDTH else [key.name, f"  ({head}{word})"]
    return [*heads, *_folded(summary(key, clock)), *_folded(use_in_words(key.use, now_s))]


_KINDS = {"generated": "the generated key", "auth.keys": "of [auth] keys", "[[key]]": "of [[key]]"}
_STATES = {
    State.EXPIRED: "expired",
    State.REVOKED: "revoked",
    State.LOST: "not valid: its secret is gone",
}


def _folded(text: str, width: int = WIDTH - 2) -> list[str]:
    """Broken behind a `;` where it does not fit."""
    found: list[str] = []
    for part in text.split("; "):
        if found and len(found[-1]) + len(part) + 2 <= width:
            found[-1] += f"; {part}"
        else:
            found.append(part)
    return [f"  {line}" for line in found]


def use_in_words(use: Use | None, now_s: float) -> str:
    if use is None:
        return UNUSED
    text = f"{use.requests:,} request{'' if use.requests == 1 else 's'}"
    text += f", {use.refused:,} refused" if use.refused else ""
    text += f"; {_short(use.prompt_tokens)} + {_short(use.completion_tokens)} tokens"
    ago_s = now_s - use.last_s
    return f"{text}; last {'just now' if ago_s < 1 else in_words(ago_s) + ' ago'}"


def _short(count: int) -> str:
    """`950`, `12.3k`, `4.5M`."""
    for size, letter in ((1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)


def gone(uses: Mapping[str, Use], now_s: float) -> list[str]:
    """By id: what was used without a key of ours, and keys that are in no list any more."""
    return [
        f"{use.name}  (not there any more)\n  {use_in_words(use, now_s)}"
        if use.name
        else f"without a key\n  {use_in_words(use, now_s)}"
        for _, use in sorted(uses.items())
    ]


def for_programs(key: Key) -> dict[str, Any]:
    """Times in seconds since 1970."""
    use = key.use
    return {
        "name": key.name,
        "kind": key.kind,
        "id": key.id or None,
        "state": key.state.value,
        "scope": list(key.scopes),
        "rate": key.rate,
        "class": key.urgency.value if key.urgency else None,
        "deadline_s": key.deadline_s,
        "on_deadline": key.on_deadline.value,
        "expires_at": key.expires_s,
        "created_at": key.made_s,
        "revoked_at": key.revoked_s,
        "use": use_for_programs(use) if use else None,
    }


def use_for_programs(use: Use) -> dict[str, Any]:
    return {
        "requests": use.requests,
        "refused": use.refused,
        "prompt_tokens": use.prompt_tokens,
        "completion_tokens": use.completion_tokens,
        "first_at": use.first_s,
        "last_at": use.last_s,
    }
