"""What a name meant a moment ago: `routing.resolve`, remembered until somebody lists something else. Pure.

Programs ask for the same model with each request, and finding out anew who that is costs more than all the rest of the routing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapter.engines.base import Can
from adapter.routing import resolve
from adapter.routing_types import SURE_PART, Listing, Needs, Target

# Names may come from clients, so there is an end to how many are remembered.
MAX_REMEMBERED = 256
_Key = tuple[str, frozenset[Can], frozenset[Can], frozenset[Can]]


class Resolver:
    """`resolve` for one configuration. Remembered is what was found, never an error, and only for prompts that every model has room for:
    who is asked first depends on nothing else of a prompt.
    """

    def __init__(self, routes: Mapping[str, Sequence[str]], aliases: Mapping[str, str], fallbacks: Sequence[str]) -> None:
        self._routes = routes
        self._aliases = aliases
        self._fallbacks = fallbacks
        self._listings: Sequence[Listing] = ()
        self._room = 0
        self._found: dict[_Key, tuple[Target, ...]] = {}

    def resolve(
        self,
        asked: str,
        listings: Sequence[Listing],
        needs: Needs,
        wishes: frozenset[Can],
        emulates: frozenset[Can],
        prompt_tokens: int | None,
    ) -> tuple[Target, ...]:
        """As `routing.resolve`."""
        self._look_at(listings)
        fits = (prompt_tokens or 0) * SURE_PART < self._room
        key = (asked, frozenset(needs), wishes, emulates)
        if fits and (found := self._found.get(key)) is not None:
            return found
        targets = resolve(
            asked,
            listings,
            self._routes,
            needs,
            wishes,
            aliases=self._aliases,
            fallbacks=self._fallbacks,
            emulates=emulates,
            prompt_tokens=prompt_tokens,
        )
        if fits and len(self._found) < MAX_REMEMBERED:
            self._found[key] = targets
        return targets

    def _look_at(self, listings: Sequence[Listing]) -> None:
        """An engine that was asked again has another `Listing`, whatever is in it."""
        known = self._listings
        if len(known) == len(listings) and all(a is b for a, b in zip(known, listings, strict=True)):
            return
        self._listings = tuple(listings)
        self._room = min((card.context_tokens for ls in listings for card in ls.cards), default=0)
        self._found.clear()
