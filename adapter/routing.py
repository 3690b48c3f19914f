"""Which engine answers for a model name. Pure: listings and routes in, targets out.

A client may ask for the name of a `[[model]]` route, for `engine/model`, for a bare model id that some engine
lists, or for `auto`. The answer is a list of targets, best first; the caller tries them in that order. Only models
that can do what the request needs become targets: a chat never goes to an embedding model, a request with tools never to an
engine that would drop them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import EngineUnavailable, ModelNotFound, NotCapable

AUTO = "auto"
# What InferrLM's models are called (`protocols/inferrlm.md` 6): a name like this may belong to a closed app.
MODEL_FILE_ENDINGS = (".gguf", ".litertlm", ".task")
# Capability -> the field of the request that asks for it.
Needs = Mapping[Can, str]
NO_NEEDS: Needs = {}


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
    """One engine and the name of a model in that engine's own words. card: `None` where it is not listed now.

    emulated: what the request needs and this model cannot do by itself, so that we do it around it.
    """

    engine: str
    model: str
    card: ModelCard | None = field(default=None, compare=False, repr=False)
    emulated: frozenset[Can] = field(default=frozenset(), compare=False)

    @property
    def can(self) -> frozenset[Can]:
        """What is known of it; a plain chat is what every engine is for."""
        return self.card.can if self.card else PLAIN_CHAT


def resolve(
    asked: str,
    listings: Sequence[Listing],
    routes: Mapping[str, Sequence[str]],
    needs: Needs = NO_NEEDS,
    wishes: AbstractSet[Can] = frozenset(),
) -> tuple[Target, ...]:
    """Targets for `asked`, best first, at least one, each able to do all that `needs` names.

    wishes: what the targets shall be able to do as well, if any of them can; else it counts for nothing.

    Raises `ModelNotFound` with the nearest names, `NotCapable` naming the field that asks for too much, or
    `EngineUnavailable` where the name may well belong to an app that cannot be reached: a passing condition must not be a 404.
    """
    if wishes:
        try:
            return resolve(asked, listings, routes, {**needs, **dict.fromkeys(wishes, "")})
        except (NotCapable, EngineUnavailable):
            pass
    found = _found(asked, listings, routes, needs.keys())
    able = tuple(target for target in found if needs.keys() <= target.can)
    if not able:
        raise _not_capable(asked, found, listings, needs)
    return able


def _found(
    asked: str, listings: Sequence[Listing], routes: Mapping[str, Sequence[str]], needs: AbstractSet[Can]
) -> tuple[Target, ...]:
    """Whoever the name means. `auto` means models that can do what is needed, as far as there are any."""
    if asked in routes:
        return tuple(_routed(target, listings, needs) for target in routes[asked])
    engine, slash, model = asked.partition("/")
    if slash and model and any(listing.engine == engine for listing in listings):
        return (_named(engine, model, listings, needs),)
    found = tuple(Target(ls.engine, asked, c) for ls in listings for c in ls.cards if c.id == asked)
    if found:
        return _reachable_first(found, listings)
    if asked == AUTO:
        return _auto(listings, needs)
    raise _unknown(asked, listings, routes)


def public_models(
    listings: Sequence[Listing], routes: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, ModelCard]]:
    """(name, engine, card) for everything that can be asked for now: routes, bare ids, `engine/id` where two share it.

    A route shows the card of its first target that is listed; one without any is left out.
    """
    now = [listing for listing in listings if not listing.trouble]
    cards = {f"{ls.engine}/{card.id}": (ls.engine, card) for ls in now for card in ls.cards}
    autos = {f"{ls.engine}/{AUTO}": (ls.engine, _preferred(ls, PLAIN_CHAT)) for ls in now if ls.cards}
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


def _routed(route: str, listings: Sequence[Listing], needs: AbstractSet[Can]) -> Target:
    """A route's `engine/model`; `engine/auto` is whatever that engine prefers now."""
    engine, _, model = route.partition("/")
    listing = next((ls for ls in listings if ls.engine == engine), None)
    if listing is None:
        return Target(engine, model)
    if model == AUTO and listing.cards:
        model = _preferred(listing, needs).id
    return _target(listing, model)


def _named(engine: str, model: str, listings: Sequence[Listing], needs: AbstractSet[Can]) -> Target:
    """`engine/model`. What a reachable engine does not list does not exist; a closed one gets the benefit of doubt."""
    listing = next(ls for ls in listings if ls.engine == engine)
    if model == AUTO:
        if not listing.cards:
            raise EngineUnavailable(_nobody([listing]))
        return _target(listing, _preferred(listing, needs).id)
    if not listing.trouble and all(card.id != model for card in listing.cards):
        raise _unknown(f"{engine}/{model}", listings, {})
    return _target(listing, model)


def _target(listing: Listing, model: str) -> Target:
    return Target(listing.engine, model, next((card for card in listing.cards if card.id == model), None))


def _reachable_first(found: tuple[Target, ...], listings: Sequence[Listing]) -> tuple[Target, ...]:
    troubled = {ls.engine for ls in listings if ls.trouble}
    return tuple(sorted(found, key=lambda target: target.engine in troubled))


def _auto(listings: Sequence[Listing], needs: AbstractSet[Can]) -> tuple[Target, ...]:
    reachable = [ls for ls in listings if ls.cards and not ls.trouble]
    if not reachable:
        raise EngineUnavailable(_nobody(listings))
    return tuple(_target(ls, _preferred(ls, needs).id) for ls in reachable)


def _preferred(listing: Listing, needs: AbstractSet[Can]) -> ModelCard:
    """The model in memory, else the first: naming another one costs a load and evicts somebody.

    Of those that can do all of what is needed, or at least the most.
    """
    most = max(len(needs & card.can) for card in listing.cards)
    cards = [card for card in listing.cards if len(needs & card.can) == most]
    return next((card for card in cards if card.loaded), cards[0])


# --- when nobody can ------------------------------------------------------------------------------------------

_CANNOT = {
    Can.CHAT: "does not chat",
    Can.TOOLS: "cannot call tools",
    Can.OUTPUT: "cannot be held to an output format",
    Can.GRAMMAR: "takes no grammar",
    Can.VISION: "sees no images",
    Can.LOGPROBS: "reports no logprobs",
    Can.LOGIT_BIAS: "takes no logit_bias",
    Can.MANY: "gives one answer at a time",
    Can.CONTINUE: "cannot continue a partial answer",
    Can.REASONING: "has no budget for reasoning",
    Can.COMPLETIONS: "completes no plain text",
    Can.EMBEDDINGS: "makes no embeddings",
    Can.TOKENIZE: "does not show its tokens",
}
_MAX_NAMED = 5


def _not_capable(
    asked: str, found: Sequence[Target], listings: Sequence[Listing], needs: Needs
) -> NotCapable | EngineUnavailable:
    """Says of every target what it lacks, and who could do it. Where nothing is known of any, that may pass."""
    troubles = {ls.engine: ls.trouble for ls in listings if ls.trouble}
    known = [target for target in found if target.card]
    if not known:
        why = " ".join(troubles.get(target.engine, "") for target in found).strip()
        return EngineUnavailable(f"What '{asked[:100]}' can do cannot be told now. {why}", param="model")
    param = next(name for can, name in needs.items() if can not in known[0].can)
    text = f"'{param}' asks for more than '{asked[:100]}' can do: "
    text += "; ".join(_lack(target, needs) for target in found[:_MAX_NAMED]) + "."
    able = [f"{ls.engine}/{card.id}" for ls in listings for card in ls.cards if needs.keys() <= card.can]
    if able:
        return NotCapable(f"{text} Ask for {' or '.join(able[:_MAX_NAMED])}, which can.", param=param)
    return NotCapable(f"{text} No model listed here can.", param=param)


def _lack(target: Target, needs: Needs) -> str:
    name = f"{target.engine}/{target.model[:100]}"
    if target.card is None:
        return f"{name} cannot be asked now"
    lacking = [_CANNOT[can] for can in needs if can not in target.can]
    return f"{name} {' and '.join(lacking)}"


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
