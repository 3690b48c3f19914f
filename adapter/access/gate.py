"""Keys in, holders out; and whether a holder may make this request now. One per server, used on its event loop only."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from adapter.access.grant import LONGEST, Grant, looks_like_token, unseal
from adapter.access.holders import Holder, of_grant, static_holders
from adapter.access.keyring import Keyring
from adapter.access.rate import Bucket, Standing
from adapter.access.scopes import Scope, costs, needed
from adapter.access.store import SECRET_FILE
from adapter.access.tally import USAGE_FILE, Tally
from adapter.access.watch import Watch
from adapter.chat import Usage
from adapter.errors import BadKey, MissingScope, RateLimited
from adapter.keys import key_digest
from adapter.settings import Settings

# Tokens whose signature was found right; checking one takes some 20 us on a PC, and every request passes here.
REMEMBERED = 256


class Gate:
    """own: keys that may do everything, besides those of the settings. wall: seconds since 1970. clock: seconds, never going back.

    Clock set back: an expired token is valid again until the clock reaches its end once more. Revoked ones stay revoked, and rates
    and queues, which use `clock`, do not notice.
    """

    def __init__(
        self, own: Iterable[str], settings: Settings, *, wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._static = static_holders(own, settings)
        self._open = not settings.auth.required
        self._wall, self._clock = wall, clock
        self._watch = Watch(settings.home / SECRET_FILE, clock=clock)
        self._known: OrderedDict[bytes, tuple[Grant, Holder]] = OrderedDict()
        self._known_by: Keyring | None = None
        self._buckets: dict[str, Bucket] = {}
        self.tally = Tally(settings.home / USAGE_FILE, wall=wall)

    async def holder(self, key: str) -> Holder | None:
        """Whose key it is; `None`: nobody's. Raises `BadKey` for a token that is not valid (any more), `TokensUnavailable`."""
        digest = key_digest(key)
        if found := self._static.get(digest):
            return found
        if not looks_like_token(key):
            return None
        ring = await self._watch.keyring()
        grant, holder = self._checked(key, digest, ring)
        try:
            self._check_life(grant, ring)
        except BadKey:
            self.tally.count(holder.id, holder.name, refused=True)
            raise
        return holder

    def _checked(self, token: str, digest: bytes, ring: Keyring | None) -> tuple[Grant, Holder]:
        """The token's signature is right by `ring`. Raises `BadKey`."""
        secret = ring.secret if ring else None
        if self._known_by is None or secret != self._known_by.secret:
            self._known.clear()
            self._known_by = ring
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        grant = unseal(token[: LONGEST + 1], secret)
        self._known[digest] = grant, of_grant(grant)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[digest]

    def _check_life(self, grant: Grant, ring: Keyring | None) -> None:
        if ring is not None and grant.id in ring.revoked:
            raise BadKey(f"The token '{grant.name}' has been revoked; a new one is made with: farmhand token new {grant.name}")
        if grant.expires_s is not None and grant.expired(self._wall()):
            ended = datetime.fromtimestamp(grant.expires_s, UTC)
            raise BadKey(
                f"The token '{grant.name}' expired on {ended:%Y-%m-%d at %H:%M:%S} UTC; a new one is made with: farmhand token new {grant.name}"
            )

    def check_scope(self, holder: Holder, path: str) -> None:
        """Raises `MissingScope`. Where no key is needed, one is for `admin` all the same."""
        scope = needed(path)
        if scope is None or scope in holder.scopes or (self._open and scope != "admin"):
            return
        self.tally.count(holder.id, holder.name, refused=True)
        raise MissingScope(_lacking(scope, holder, path))

    def take(self, holder: Holder, path: str) -> Standing | None:
        """Count the request against the holder's rate; `None` where it has none, or the request costs nothing.

        `wait_s` of the answer says whether it may pass; `refusal` is for when it may not.
        """
        if holder.rate is None or not costs(path):
            return None
        bucket = self._buckets.get(holder.id)
        if bucket is None or bucket.rate != holder.rate:
            bucket = self._buckets[holder.id] = Bucket(holder.rate)
        standing = bucket.take(self._clock())
        if standing.wait_s:
            self.tally.count(holder.id, holder.name, refused=True)
        return standing

    def note(self, holder: Holder, path: str, usage: Usage | None) -> None:
        """A request that was let in has ended. The bundle's looking after itself is no use of anything."""
        if holder.owner and needed(path) in ("admin", "metrics"):
            return
        self.tally.count(
            holder.id,
            holder.name,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
        )


def refusal(holder: Holder, standing: Standing) -> RateLimited:
    wait_s = max(1, math.ceil(standing.wait_s))
    rate = holder.settings.rate if holder.settings else standing.limit
    return RateLimited(
        f"This key has made all the requests that its rate of {rate} allows; the next one may come in {wait_s} s.", retry_after_s=wait_s
    )


def _lacking(scope: Scope, holder: Holder, path: str) -> str:
    has = ", ".join(sorted(holder.scopes))
    return (
        f"{path[:100]} needs a key with the scope '{scope}', and this one has {has}; make one with: "
        f"farmhand token new NAME --scope {scope}"
    )
