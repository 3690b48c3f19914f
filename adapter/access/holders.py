"""Who stands behind a key, and what they may do. Pure, but for the hash of a key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapter.access.grant import Grant
from adapter.access.rate import Rate, parse_rate
from adapter.access.scopes import SCOPES, USUAL, Scope
from adapter.keys import key_digest, stand_in
from adapter.settings import KeySettings, Settings


@dataclass(frozen=True, slots=True)
class Holder:
    """id: in the file of counts, never changes. name: stands for the key in queues and logs, different for each. settings: its manners. owner:
    the installation's own key, with which the bundle looks after itself.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    settings: KeySettings | None = None
    rate: Rate | None = None
    owner: bool = False


# Whoever shows no key of ours, where none is needed.
NOBODY = Holder("nobody", "", frozenset(set(SCOPES) - {"admin"}))


def static_holders(own: Iterable[str], settings: Settings) -> dict[bytes, Holder]:
    """By `key_digest`. own: keys that may do everything. What a `[[key]]` says of a key goes before what `[auth] keys` does, but an own one keeps
    all its scopes.
    """
    found = {key_digest(key): _plain(key, USUAL) for key in settings.auth.keys}
    found |= {key_digest(entry.key): of_entry(entry) for entry in settings.key}
    for digest, key in [(key_digest(key), key) for key in own]:
        named = found.get(digest, _plain(key, SCOPES))
        found[digest] = replace(named, scopes=frozenset(SCOPES), owner=True)
    return found


def _plain(key: str, scopes: Iterable[Scope]) -> Holder:
    name = stand_in(key)
    return Holder(f"hash:{name}", name, frozenset(scopes))


def of_entry(entry: KeySettings) -> Holder:
    """Of a `[[key]]`."""
    rate = parse_rate(entry.rate) if entry.rate else None
    return Holder(f"key:{entry.name}", entry.name, frozenset(entry.scope), entry, rate)


def of_grant(grant: Grant) -> Holder:
    """Of a token. Its name in queues has a `#`, which no other name can have, so that it never shares the turn of a `[[key]]`."""
    # Not validated once more; and with no key in it, so that none can be shown.
    manners = KeySettings.model_construct(
        name=grant.name,
        key="",
        scope=grant.scopes,
        rate=grant.rate,
        urgency=grant.urgency,
        deadline_s=grant.deadline_s,
        on_deadline=grant.on_deadline,
    )
    rate = parse_rate(grant.rate) if grant.rate else None
    return Holder(f"token:{grant.id}", f"{grant.name}#{grant.id}", frozenset(grant.scopes), manners, rate)
