"""What the router's parts speak of: listings, targets, and what a request wants of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from adapter.engines.base import PLAIN_CHAT, Can, ModelCard

AUTO = "auto"
# Capability -> the field of the request that asks for it.
Needs = Mapping[Can, str]
NO_NEEDS: Needs = {}
# An estimate of a prompt's tokens may be too high by a fifth (`tokens.py`). What does not even fit then is obviously too long.
SURE_PART = 0.8


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of a model. emulates: what can be done around a model that chats and cannot do it by itself.

    prompt_tokens: an estimate of the prompt's length, `None` if there is none.
    """

    needs: Needs
    emulates: AbstractSet[Can] = frozenset()
    prompt_tokens: int | None = None

    def missing(self, can: AbstractSet[Can]) -> frozenset[Can]:
        return frozenset(self.needs.keys() - can)

    def is_met(self, can: AbstractSet[Can]) -> bool:
        """By the model itself, or by the model and us. Only a chat can be asked for what has to be emulated."""
        missing = self.missing(can)
        return not missing or (Can.CHAT in can and missing <= self.emulates)

    def is_too_long_for(self, card: ModelCard | None) -> bool:
        """Obviously so; whether what is near the limit fits, the engine decides."""
        return card is not None and (self.prompt_tokens or 0) * SURE_PART >= card.context_tokens

    def preferred(self, listing: Listing) -> ModelCard:
        """The model in memory, else the first: naming another one costs a load and evicts somebody.

        Of those that meet what is wanted, best by themselves and with room for the prompt. A model in memory that answers in one line comes
        before one that would have to be loaded; other engines' models are put before both (`routing.py`). `listing` has cards.
        """

        def rank(card: ModelCard) -> tuple[bool, bool, int, bool, bool, bool]:
            missing = len(self.missing(card.can))
            too_long = self.is_too_long_for(card)
            return not self.is_met(card.can), too_long, missing, card.stopgap, not card.loaded, not card.multiline

        return min(listing.cards, key=rank)


def card_of(listing: Listing, model: str) -> ModelCard | None:
    return next((card for card in listing.cards if card.id == model), None)


def target_of(listing: Listing, model: str) -> Target:
    return Target(listing.engine, model, card_of(listing, model))
