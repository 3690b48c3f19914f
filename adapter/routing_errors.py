"""What is said when nobody has a model of that name, or nobody of that name can. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapter.aliases import may_belong_to_an_app
from adapter.engines.base import Can
from adapter.errors import EngineUnavailable, ModelNotFound, NotCapable
from adapter.routing_lookup import public_models
from adapter.routing_types import Listing, Target, Wanted

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
# Of a name that somebody made up, so much is told back.
_MAX_SHOWN = 100


def not_capable(
    asked: str, found: Sequence[Target], listings: Sequence[Listing], wanted: Wanted
) -> NotCapable | EngineUnavailable:
    """Says of every target what it lacks, and who could do it. Where nothing is known of any, that may pass."""
    shown = asked[:_MAX_SHOWN]
    known = [target for target in found if target.card]
    if not known:
        troubles = {ls.engine: ls.trouble for ls in listings if ls.trouble}
        why = " ".join(dict.fromkeys(troubles.get(target.engine, "") for target in found)).strip()
        return EngineUnavailable(f"What '{shown}' can do cannot be told now. {why}", param="model")
    param = next(name for can, name in wanted.needs.items() if can in _lacking(known[0], wanted))
    text = f"'{param}' asks for more than '{shown}' can do: "
    text += "; ".join(_lack(target, wanted) for target in found[:_MAX_NAMED]) + "."
    able = [f"{ls.engine}/{card.id}" for ls in listings for card in ls.cards if wanted.is_met(card.can)]
    if able:
        return NotCapable(f"{text} Ask for {' or '.join(able[:_MAX_NAMED])}, which can.", param=param)
    return NotCapable(f"{text} No model listed here can.", param=param)


def _lacking(target: Target, wanted: Wanted) -> frozenset[Can]:
    """What stands in the way: not what could be emulated, unless nothing else does."""
    missing = wanted.missing(target.can)
    return missing - wanted.emulates or missing


def _lack(target: Target, wanted: Wanted) -> str:
    name = f"{target.engine}/{target.model[:_MAX_SHOWN]}"
    if target.card is None:
        return f"{name} cannot be asked now"
    lacking = _lacking(target, wanted)
    return f"{name} {' and '.join(_CANNOT[can] for can in wanted.needs if can in lacking)}"


def unknown(
    asked: str, listings: Sequence[Listing], routes: Mapping[str, Sequence[str]], aliases: Mapping[str, str]
) -> ModelNotFound | EngineUnavailable:
    """Nobody has it. Where an app that cannot be asked may well have it, that is a passing condition and no 404."""
    shown = asked[:_MAX_SHOWN]
    troubled = [ls for ls in listings if ls.trouble]
    # Of an alias the meaning counts: that is the name which is not there.
    meant = aliases.get(asked, asked)
    if troubled and may_belong_to_an_app(meant):
        why = " ".join(f"{ls.engine}: {ls.trouble}" for ls in troubled)
        return EngineUnavailable(f"No engine that can be reached now has the model '{shown}'. {why}", param="model")
    import difflib  # for this error only; it costs as much memory as all of the router

    names = [name for name, _, _ in public_models(listings, routes)]
    text = f"The model '{shown}' does not exist here."
    if meant != asked:
        text = f"'{shown}' is an alias of '{meant[:_MAX_SHOWN]}', which does not exist here."
    if near := difflib.get_close_matches(meant[:_MAX_SHOWN], [*names, *aliases], n=3, cutoff=0.5):
        text += f" Did you mean {' or '.join(near)}?"
    elif names:
        text += f" There are: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}; or 'auto'."
    for ls in troubled:
        text += f" ({ls.engine} cannot be asked: {ls.trouble})"
    return ModelNotFound(text, param="model")
