"""Which engine answers for a model name. Pure: listings and routes in, targets out.

A client may ask for the name of a `[[model]]` route, for an alias, for `engine/model`, for a bare model id that some engine
lists, or for `auto`; nearly the same name will do where nobody has that one (`aliases.py`). The answer is a list of targets, best first;
the caller tries them in that order. Only models that can do what the request needs become targets, by themselves or with our help: a
chat never goes to an embedding model, a request with tools never to an engine that would drop them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from adapter.engines.base import Can
from adapter.routing_errors import not_capable, unknown
from adapter.routing_lookup import Lookup, Meaning, public_models
from adapter.routing_types import AUTO, NO_NEEDS, Listing, Needs, Target, Wanted

# What the others take from here, wherever it stands.
__all__ = ["AUTO", "NO_ALIASES", "NO_NEEDS", "Listing", "Needs", "Target", "public_models", "resolve"]

NO_ALIASES: Mapping[str, str] = {}
# Numbers of one model mean nothing to another, so nobody stands in for the one that was asked for.
_OWN_NUMBERS = frozenset({Can.EMBEDDINGS, Can.TOKENIZE})


def resolve(
    asked: str,
    listings: Sequence[Listing],
    routes: Mapping[str, Sequence[str]],
    needs: Needs = NO_NEEDS,
    wishes: AbstractSet[Can] = frozenset(),
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
    fallbacks: Sequence[str] = (),
    emulates: AbstractSet[Can] = frozenset(),
    prompt_tokens: int | None = None,
) -> tuple[Target, ...]:
    """Targets for `asked`, best first, at least one, each able to do all that `needs` names.

    wishes: what the targets shall be able to do as well, if any of them can; else it counts for nothing. No wish is worth the
    demo model, an emulation or a context that is too small. aliases: another name -> what it means. fallbacks: `engine/model`s that stand behind
    whatever the name means, where they can do it; embeddings and tokens have none. emulates: what we can do around a model that chats;
    its `Target.emulated` says what of it is needed. prompt_tokens: an estimate; models without room for it come last.

    Raises `ModelNotFound` with the nearest names, `NotCapable` naming the field that asks for too much, or
    `EngineUnavailable` where the name may well belong to an app that cannot be reached: a passing condition must not be a 404.
    """
    router = _Router(listings, Lookup(listings, routes, aliases))
    wanted = Wanted(needs, emulates if Can.CHAT in needs else frozenset(), prompt_tokens)
    meaning = router.lookup.find(asked, wanted)
    if meaning is None:
        raise unknown(asked, listings, routes, aliases)
    targets = router.able(meaning, wanted)
    if wishes:
        targets = router.granted(asked, targets, wanted, wishes)
    behind = router.behind(targets, () if needs.keys() & _OWN_NUMBERS else fallbacks, wanted)
    if not targets and not behind:
        raise not_capable(asked, meaning.targets, listings, wanted)
    return (*targets, *behind)


@dataclass(frozen=True, slots=True)
class _Router:
    """What of the listings fits a request, and in which order."""

    listings: Sequence[Listing]
    lookup: Lookup

    def able(self, meaning: Meaning, wanted: Wanted) -> tuple[Target, ...]:
        """Those that can, in the order in which they are tried."""
        troubled = {ls.engine for ls in self.listings if ls.trouble}

        def rank(target: Target) -> tuple[bool, ...]:
            if meaning.chosen:
                return (wanted.is_too_long_for(target.card), bool(target.emulated))
            one_line = target.card is not None and not target.card.multiline
            return (target.engine in troubled, *_cost(target, wanted), one_line)

        return tuple(sorted(_fitting(meaning.targets, wanted), key=rank))

    def granted(
        self, asked: str, targets: tuple[Target, ...], wanted: Wanted, wishes: AbstractSet[Can]
    ) -> tuple[Target, ...]:
        """Those that can do what is wished as well, where that costs nothing; else `targets`."""
        more = replace(wanted, needs={**wanted.needs, **dict.fromkeys(wishes, "")})
        meaning = self.lookup.find(asked, more)  # `auto` may mean another model of an engine now
        wished = self.able(meaning, more) if meaning else ()
        if wished and targets and _cost(wished[0], wanted) <= _cost(targets[0], wanted):
            return wished
        return targets

    def behind(self, targets: Sequence[Target], fallbacks: Sequence[str], wanted: Wanted) -> tuple[Target, ...]:
        """The configured fallbacks that can and are not among `targets`, in their order."""
        found = (self.lookup.fallback(name, wanted) for name in fallbacks)
        able = _fitting([target for target in found if target], wanted)
        return tuple(target for target in dict.fromkeys(able) if target not in targets)


def _fitting(targets: Sequence[Target], wanted: Wanted) -> list[Target]:
    """Those that can, by themselves or with our help."""
    return [replace(t, emulated=wanted.missing(t.can)) for t in targets if wanted.is_met(t.can)]


def _cost(target: Target, wanted: Wanted) -> tuple[bool, bool, bool]:
    """What speaks against a target, worst first: no room, only the demo model, not by itself."""
    stopgap = target.card is not None and target.card.stopgap
    return wanted.is_too_long_for(target.card), stopgap, bool(target.emulated)
