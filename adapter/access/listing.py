"""Every key there is, with what it was used: from the settings, the tokens' files and the file of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.access.holders import of_entry, of_grant
from adapter.access.scopes import SCOPES, USUAL
from adapter.access.store import Store
from adapter.access.tally import USAGE_FILE, read_uses
from adapter.access.use import Use
from adapter.access.words import Key
from adapter.keys import KEY_FILE, stand_in
from adapter.settings import Settings


@dataclass(frozen=True, slots=True)
class Listing:
    """keys: static ones first, then tokens as they were made. gone: by id, uses of keys that are in no list any more. trouble: sentences."""

    keys: tuple[Key, ...]
    gone: Mapping[str, Use]
    trouble: tuple[str, ...]


def read(settings: Settings, now_s: float) -> Listing:
    """Blocking. Raises `TokenError`."""
    trouble: list[str] = []
    try:
        uses = read_uses(settings.home / USAGE_FILE)
    except (OSError, ValueError) as exc:
        uses = {}
        trouble.append(f"{settings.home / USAGE_FILE}: the counts cannot be read ({exc}); the server begins anew with its next request")
    keys = [*_static(settings, uses), *_tokens(Store(settings.home), uses, now_s)]
    return Listing(tuple(keys), uses, tuple(trouble))


def _static(settings: Settings, uses: dict[str, Use]) -> list[Key]:
    found: dict[str, Key] = {}
    own = _own_key(settings)
    for kind, keys, scopes in (("generated", [own] if own else [], SCOPES), ("auth.keys", settings.auth.keys, USUAL)):
        for key in keys:
            name = stand_in(key)
            if name not in found:
                found[name] = Key(kind, "", name, scopes, use=uses.pop(f"hash:{name}", None))
    named = [
        Key(
            "[[key]]",
            "",
            entry.name,
            entry.scope,
            rate=entry.rate,
            urgency=entry.urgency,
            deadline_s=entry.deadline_s,
            on_deadline=entry.on_deadline,
            use=uses.pop(of_entry(entry).id, None),
        )
        for entry in settings.key
    ]
    return [*found.values(), *named]


def _own_key(settings: Settings) -> str | None:
    """The generated key, if a server has run here; looking at it makes none."""
    try:
        return (settings.home / KEY_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _tokens(store: Store, uses: dict[str, Use], now_s: float) -> list[Key]:
    ring = store.keyring()
    return [
        Key(
            "token",
            entry.grant.id,
            entry.grant.name,
            entry.grant.scopes,
            entry.state(ring, now_s),
            entry.grant.rate,
            entry.grant.urgency,
            entry.grant.deadline_s,
            entry.grant.on_deadline,
            entry.grant.expires_s,
            entry.made_s,
            entry.revoked_s,
            uses.pop(of_grant(entry.grant).id, None),
        )
        for entry in store.entries()
    ]
