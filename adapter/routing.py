"""Which engine answers for a model name. Pure: listings and routes in, targets out.

A client may ask for the name of a `[[model]]` route, for `engine/model`, for a bare model id that some engine
lists, or for `auto`. The answer is a list of targets, best first; the caller tries them in that order.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapter.engines.base import ModelCard
from adapter.errors import EngineUnavailable, ModelNotFound

AUTO = "auto"
# What InferrLM's models are called (`protocols/inferrlm.md` 6): a name like this may belong to a closed app.
MODEL_FILE_ENDINGS = (".gguf", ".litertlm", ".task")


@dataclass(frozen=True, slots=True)
class Listing:
    """One engine's models, in its own order.

    cards: what it lists now or, while it cannot be reached, what it listed last.
    trouble: empty when it can be reached, else a sentence with the cause and the remedy.
    """

    engine: str
    cards: tuple[ModelCard, ...]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One engine and the name of a model in that engine's own words."""

    engine: str
    model: str


def resolve(asked: str, listings: Sequence[Listing], routes: Mapping[str, Sequence[str]]) -> tuple[Target, ...]:
    """Targets for `asked`, best first, at least one.

    Raises `ModelNotFound` with the nearest names, or `EngineUnavailable` where the name may well belong to an app
    that cannot be reached: a passing condition must not be a 404.
    """
    if asked in routes:
        return tuple(_routed(target, listings) for target in routes[asked])
    engine, slash, model = asked.partition("/")
    if slash and model and any(listing.engine == engine for listing in listings):
        return (_named(engine, model, listings),)
    found = tuple(Target(ls.engine, asked) for ls in listings if any(c.id == asked for c in ls.cards))
    if found:
        return _reachable_first(found, listings)
    if asked == AUTO:
        return _auto(listings)
    raise _unknown(asked, listings, routes)


def public_models(
    listings: Sequence[Listing], routes: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, ModelCard]]:
    """(name, engine, card) for everything that can be asked for now: routes, bare ids, `engine/id` where two share it.

    A route shows the card of its first target that is listed; one without any is left out.
    """
    now = [listing for listing in listings if not listing.trouble]
    cards = {f"{ls.engine}/{card.id}": (ls.engine, card) for ls in now for card in ls.cards}
    autos = {f"{ls.engine}/{AUTO}": (ls.engine, _preferred(ls)) for ls in now if ls.cards}
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


def _routed(route: str, listings: Sequence[Listing]) -> Target:
    """A route's `engine/model`; `engine/auto` is whatever that engine prefers now."""
    engine, _, model = route.partition("/")
    listing = next((ls for ls in listings if ls.engine == engine), None)
    if model == AUTO and listing and listing.cards:
        model = _preferred(listing).id
    return Target(engine, model)


def _named(engine: str, model: str, listings: Sequence[Listing]) -> Target:
    """`engine/model`. What a reachable engine does not list does not exist; a closed one gets the benefit of doubt."""
    listing = next(ls for ls in listings if ls.engine == engine)
    if model == AUTO:
        if not listing.cards:
            raise EngineUnavailable(_nobody([listing]))
        return Target(engine, _preferred(listing).id)
    if not listing.trouble and all(card.id != model for card in listing.cards):
        raise _unknown(f"{engine}/{model}", listings, {})
    return Target(engine, model)


def _reachable_first(found: tuple[Target, ...], listings: Sequence[Listing]) -> tuple[Target, ...]:
    troubled = {ls.engine for ls in listings if ls.trouble}
    return tuple(sorted(found, key=lambda target: target.engine in troubled))


def _auto(listings: Sequence[Listing]) -> tuple[Target, ...]:
    targets = tuple(Target(ls.engine, _preferred(ls).id) for ls in listings if ls.cards and not ls.trouble)
    if not targets:
        raise EngineUnavailable(_nobody(listings))
    return targets


def _preferred(listing: Listing) -> ModelCard:
    """The model in memory, else the first: naming another one costs a load and evicts somebody."""
    return next((card for card in listing.cards if card.loaded), listing.cards[0])


def _nobody(listings: Sequence[Listing]) -> str:
    why = " ".join(f"{ls.engine}: {ls.trouble or 'it lists no model.'}" for ls in listings)
    return f"No engine can answer now. {why}".strip()


def _unknown(
    asked: str, listings: Sequence[Listing], routes: Mapping[str, Sequence[str]]
) -> ModelNotFound | EngineUnavailable:
    shown = asked[:100]
    troubled = [ls for ls in listings if ls.trouble]
    if troubled and asked.lower().endswith(MODEL_FILE_ENDINGS):
        why = " ".join(f"{ls.engine}: {ls.trouble}" for ls in troubled)
        return EngineUnavailable(f"No engine that can be reached now has the model '{shown}'. {why}", param="model")
    names = [name for name, _, _ in public_models(listings, routes)]
    text = f"The model '{shown}' does not exist here."
    if near := difflib.get_close_matches(shown, names, n=3, cutoff=0.5):
        text += f" Did you mean {' or '.join(near)}?"
    elif names:
        text += f" There are: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}; or 'auto'."
    for ls in troubled:
        text += f" ({ls.engine} cannot be asked: {ls.trouble})"
    return ModelNotFound(text, param="model")
