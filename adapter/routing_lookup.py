"""What a model's name means: a route, an alias, `engine/model`, what somebody lists, or `auto`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adapter.aliases import MAX_NAME, closeness, meanings, plain, spellings
from adapter.engines.base import Can, ModelCard
from adapter.errors import EngineUnavailable
from adapter.routing_types import AUTO, Listing, Target, Wanted, card_of, target_of

_A_CHAT = Wanted({Can.CHAT: "model"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """Whoever a name means. chosen: a person has put them into this order; else it is the order of the configuration."""

    targets: tuple[Target, ...]
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """listings: in order of preference. routes: name -> `engine/model`s. aliases: name -> a name of any kind, but no alias."""

    listings: Sequence[Listing]
    routes: Mapping[str, Sequence[str]]
    aliases: Mapping[str, str]

    def find(self, asked: str, wanted: Wanted) -> Meaning | None:
        """`None` where nobody has anything of that name. wanted: decides among an engine's models for `auto`.

        Exact names come first, whatever they are; then, with case, endings and known spellings forgiven, the same again.
        Raises `EngineUnavailable` where `auto` finds nobody.
        """
        names = spellings(asked)
        for name in names:
            if found := self._exact(name, wanted):
                return found
        for name in names:
            if len(name) <= MAX_NAME and (found := self._similar(name, wanted)):
                return found
        return None

    def fallback(self, name: str, wanted: Wanted) -> Target | None:
        """`engine/model`, as in a route; `None` where no engine is called that."""
        found = self._in_engine(name)
        return _routed(*found, wanted) if found else None

    # --- exactly --------------------------------------------------------------------------------------------------

    def _exact(self, name: str, wanted: Wanted) -> Meaning | None:
        if name in self.routes:
            return self._route(name, wanted)
        if name in self.aliases:
            return self._alias(name, wanted)
        if (found := self._in_engine(name)) and (target := _named(*found, wanted)):
            return Meaning((target,))
        listed = tuple(Target(ls.engine, name, c) for ls in self.listings for c in ls.cards if c.id == name)
        if listed:
            return Meaning(listed)
        return self._auto(wanted) if name == AUTO else None

    def _route(self, name: str, wanted: Wanted) -> Meaning:
        targets = []
        for step in self.routes[name]:
            found = self._in_engine(step)
            engine, _, model = step.partition("/")
            targets.append(_routed(*found, wanted) if found else Target(engine, model))
        return Meaning(tuple(targets), chosen=True)

    def _alias(self, name: str, wanted: Wanted) -> Meaning | None:
        """One step only, so that no alias leads in a circle."""
        return replace(self, aliases={}).find(self.aliases[name], wanted)

    def _in_engine(self, name: str) -> tuple[Listing, str] | None:
        """The engine that a name begins with, and the rest of the name."""
        engine, _, model = name.partition("/")
        listing = next((ls for ls in self.listings if ls.engine == engine), None)
        return (listing, model) if listing and model else None

    def _auto(self, wanted: Wanted) -> Meaning:
        reachable = [ls for ls in self.listings if ls.cards and not ls.trouble]
        if not reachable:
            raise EngineUnavailable(nobody(self.listings))
        return Meaning(tuple(target_of(ls, wanted.preferred(ls).id) for ls in reachable))

    # --- nearly ---------------------------------------------------------------------------------------------------

    def _similar(self, name: str, wanted: Wanted) -> Meaning | None:
        key = plain(name)
        for route in self.routes:
            if plain(route) == key:
                return self._route(route, wanted)
        for alias in self.aliases:
            if plain(alias) == key:
                return self._alias(alias, wanted)
        if target := self._similar_in_engine(name, wanted):
            return Meaning((target,))
        if alike := _alike(name, self.listings):
            return Meaning(alike)
        return self._auto(wanted) if key == AUTO else None

    def _similar_in_engine(self, name: str, wanted: Wanted) -> Target | None:
        engine, _, model = name.partition("/")
        listing = next((ls for ls in self.listings if ls.engine.casefold() == engine.casefold()), None)
        if listing is None or not model:
            return None
        if found := _named(listing, model if plain(model) != AUTO else AUTO, wanted):
            return found
        return next(iter(_alike(model, [listing])), None)


def _routed(listing: Listing, model: str, wanted: Wanted) -> Target:
    """A route's `engine/model`; `engine/auto` is whatever that engine prefers now."""
    if model == AUTO and listing.cards:
        return target_of(listing, wanted.preferred(listing).id)
    return _listed_or_alike(listing, model)


def _named(listing: Listing, model: str, wanted: Wanted) -> Target | None:
    """`engine/model`. What a reachable engine does not list does not exist; a closed one gets the benefit of doubt."""
    if model == AUTO:
        if not listing.cards:
            raise EngineUnavailable(nobody([listing]))
        return target_of(listing, wanted.preferred(listing).id)
    if listing.trouble:
        return _listed_or_alike(listing, model)
    card = card_of(listing, model)
    return Target(listing.engine, model, card) if card else None


def _listed_or_alike(listing: Listing, model: str) -> Target:
    """With the engine's own word for the model where that is known."""
    if card_of(listing, model) is None and (alike := _alike(model, [listing])):
        return alike[0]
    return target_of(listing, model)


def _alike(name: str, listings: Sequence[Listing]) -> tuple[Target, ...]:
    """Models whose names are other spellings of `name`: the closest first, and of equally close ones the one in memory."""
    meant = meanings(name)
    found = [
        (close, not card.loaded, Target(ls.engine, card.id, card))
        for ls in listings
        for card in ls.cards
        if (close := closeness(card.id, meant)) is not None
    ]
    return tuple(target for _, _, target in sorted(found, key=lambda each: each[:2]))


# --- what there is --------------------------------------------------------------------------------------------


def public_models(
    listings: Sequence[Listing], routes: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, ModelCard]]:
    """(name, engine, card) for everything that can be asked for now: routes, bare ids, `engine/id` where two share it.

    A route shows the card of its first target that is listed; one without any is left out.
    """
    now = [listing for listing in listings if not listing.trouble]
    cards = {f"{ls.engine}/{card.id}": (ls.engine, card) for ls in now for card in ls.cards}
    autos = {f"{ls.engine}/{AUTO}": (ls.engine, _A_CHAT.preferred(ls)) for ls in now if ls.cards}
    listed = autos | cards
    for name, route in routes.items():
        hit = next((listed[target] for target in route if target in listed), None)
        if hit:
            yield name, *hit
    taken = set(routes)
    for full, (engine, card) in cards.items():
        name = card.id if card.id not in taken else full
        if name not in taken:
            taken.add(name)
            yield name, engine, card


def nobody(listings: Sequence[Listing]) -> str:
    """Why none of these can answer, in sentences."""
    why = " ".join(f"{ls.engine}: {ls.trouble or 'it lists no model.'}" for ls in listings)
    return f"No engine can answer now. {why}".strip()
