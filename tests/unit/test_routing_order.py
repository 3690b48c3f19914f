"""In which order targets are tried: emulation, the demo model, one-line models, room for the prompt, fallbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import pytest

from adapter.engines.base import Can, ModelCard
from adapter.errors import ModelNotFound, NotCapable
from adapter.routing import Listing, Needs, Target, resolve

CHAT: Needs = {Can.CHAT: "model"}
TOOLS: Needs = {**CHAT, Can.TOOLS: "tools"}
FORMS: Needs = {**CHAT, Can.OUTPUT: "response_format"}
BOTH: Needs = {**TOOLS, **FORMS}
EMULATED = frozenset({Can.TOOLS, Can.OUTPUT})
ROUTES: Mapping[str, Sequence[str]] = {
    "r": ["demo/demo", "lines/lines", "local/gemma", "up/qwen"],
    "small-first": ["tiny/tiny", "lines/lines"],
}


def card(
    name: str, *can: Can, multiline: bool = True, stopgap: bool = False, tokens: int = 4_096, loaded: bool = False
) -> ModelCard:
    return ModelCard(
        name, tokens, tokens, multiline=multiline, stopgap=stopgap, loaded=loaded, can=frozenset({Can.CHAT, *can})
    )


LINES = Listing("lines", (card("lines", multiline=False, loaded=True),))
DEMO = Listing("demo", (card("demo", Can.TOOLS, Can.OUTPUT, Can.GRAMMAR, Can.CONTINUE, stopgap=True),))
LOCAL = Listing("local", (card("gemma"),))
UP = Listing("up", (card("qwen", Can.TOOLS),))
TINY = Listing("tiny", (card("tiny", Can.TOOLS, tokens=1_000),))
EMBED = Listing("embed", (ModelCard("bge", 512, 512, can=frozenset({Can.EMBEDDINGS})),))
ALL = (LINES, DEMO, LOCAL, UP)


def names(targets: Sequence[Target]) -> str:
    """Emulated ones with what is emulated."""
    return " ".join(
        f"{t.engine}/{t.model}" + "".join(f"+{can.value}" for can in sorted(t.emulated)) for t in targets
    )


def found(
    asked: str,
    needs: Needs = CHAT,
    listings: Sequence[Listing] = ALL,
    *,
    emulates: AbstractSet[Can] = EMULATED,
    prompt_tokens: int | None = None,
    fallbacks: Sequence[str] = (),
    wishes: AbstractSet[Can] = frozenset(),
) -> str:
    return names(
        resolve(
            asked,
            listings,
            ROUTES,
            needs,
            wishes,
            emulates=emulates,
            prompt_tokens=prompt_tokens,
            fallbacks=fallbacks,
        )
    )


@pytest.mark.parametrize(
    ("needs", "targets"),
    [
        (CHAT, "local/gemma up/qwen lines/lines demo/demo"),
        (TOOLS, "up/qwen local/gemma+tools lines/lines+tools demo/demo"),
        (FORMS, "local/gemma+response_format up/qwen+response_format lines/lines+response_format demo/demo"),
        (
            BOTH,
            "local/gemma+response_format+tools up/qwen+response_format lines/lines+response_format+tools demo/demo",
        ),
        ({**CHAT, Can.GRAMMAR: "guided_grammar"}, "demo/demo"),  # a grammar cannot be emulated
    ],
)
def test_auto(needs: Needs, targets: str) -> None:
    """The demo model last of all, then emulation, then one-line models, then the configuration's order."""
    assert found("auto", needs) == targets


def test_without_emulation_it_is_as_ever() -> None:
    assert found("auto", TOOLS, emulates=frozenset()) == "up/qwen demo/demo"


@pytest.mark.parametrize(
    ("needs", "targets"),
    [
        (CHAT, "demo/demo lines/lines local/gemma up/qwen"),
        (TOOLS, "demo/demo up/qwen lines/lines+tools local/gemma+tools"),
        (FORMS, "demo/demo lines/lines+response_format local/gemma+response_format up/qwen+response_format"),
    ],
)
def test_a_route_keeps_its_order_but_for_emulation(needs: Needs, targets: str) -> None:
    assert found("r", needs) == targets


def test_engine_and_model_are_just_that_one() -> None:
    assert found("lines/lines", BOTH) == "lines/lines+response_format+tools"
    assert found("up/auto", TOOLS) == "up/qwen"


def test_a_bare_name_follows_the_same_order() -> None:
    same = [Listing("a", (card("m", multiline=False),)), Listing("b", (card("m"),)), Listing("c", (card("m", Can.TOOLS),))]
    closed = Listing("z", (card("m", Can.TOOLS),), "It is closed.")
    assert found("m", CHAT, [closed, *same]) == "b/m c/m a/m z/m"
    assert found("m", TOOLS, [closed, *same]) == "c/m b/m+tools a/m+tools z/m"  # who cannot be reached is last


def test_an_engine_offers_the_model_that_needs_no_emulation() -> None:
    """Or else the one that can be helped, though another could do more of it."""
    engine = Listing("e", (card("plain", loaded=True), card("tools", Can.TOOLS), card("eyes", Can.VISION)))
    assert found("auto", TOOLS, [engine]) == "e/tools"
    assert found("auto", FORMS, [engine]) == "e/plain+response_format"
    assert found("auto", {**TOOLS, Can.VISION: "messages"}, [engine]) == "e/eyes+tools"


def test_only_what_chats_is_emulated_for() -> None:
    listings = [EMBED, Listing("text", (ModelCard("base", 512, 512, can=frozenset({Can.COMPLETIONS, Can.CHAT})),))]
    assert found("auto", TOOLS, listings) == "text/base+tools"
    with pytest.raises(NotCapable) as caught:
        found("bge", TOOLS, listings)
    assert caught.value.param == "model"
    assert "embed/bge does not chat." in caught.value.message
    with pytest.raises(NotCapable, match="cannot be held to an output format"):
        found("base", {Can.COMPLETIONS: "model", Can.OUTPUT: "guided_json"}, listings)


def test_a_model_of_which_nothing_is_known_is_emulated_for() -> None:
    closed = Listing("local", (), "It is closed.")
    assert found("local/new", TOOLS, [closed, UP]) == "local/new+tools"


@pytest.mark.parametrize(
    ("asked", "needs", "param", "says"),
    [
        ("gemma", {**TOOLS, Can.LOGPROBS: "logprobs"}, "logprobs", "local/gemma reports no logprobs. No model"),
        ("gemma", {**TOOLS, Can.GRAMMAR: "grammar"}, "grammar", "local/gemma takes no grammar. Ask for demo/demo, which"),
        ("r", {**CHAT, Can.VISION: "messages"}, "messages", "demo/demo sees no images; lines/lines sees no images; local"),
    ],
)
def test_what_can_be_emulated_is_not_what_is_lacking(asked: str, needs: Needs, param: str, says: str) -> None:
    with pytest.raises(NotCapable) as caught:
        found(asked, needs)
    assert caught.value.param == param
    assert says in caught.value.message


# --- room for the prompt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt_tokens", "targets"),
    [
        (None, "tiny/tiny lines/lines demo/demo"),
        (1_000, "tiny/tiny lines/lines demo/demo"),
        (1_249, "tiny/tiny lines/lines demo/demo"),  # 999 if the estimate is a fifth too high
        (1_250, "lines/lines demo/demo tiny/tiny"),
        (5_120, "tiny/tiny lines/lines demo/demo"),  # nobody has room: as ever, and the engines say so
    ],
)
def test_what_is_obviously_too_long_comes_last(prompt_tokens: int | None, targets: str) -> None:
    assert found("auto", CHAT, (LINES, DEMO, TINY), prompt_tokens=prompt_tokens) == targets
    assert found("small-first", CHAT, (LINES, TINY), prompt_tokens=prompt_tokens) == targets.replace(" demo/demo", "")


def test_room_counts_for_more_than_emulation() -> None:
    """A model that calls tools by itself is no help if the request does not fit."""
    assert found("auto", TOOLS, (TINY, LOCAL), prompt_tokens=3_000) == "local/gemma+tools tiny/tiny"


def test_an_engine_offers_a_model_with_room() -> None:
    engine = Listing("e", (card("small", tokens=1_000, loaded=True), card("large", tokens=8_000)))
    assert found("auto", CHAT, [engine]) == "e/small"
    assert found("auto", CHAT, [engine], prompt_tokens=2_000) == "e/large"


# --- wishes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listings", "needs", "targets"),
    [
        ((LINES, Listing("on", (card("on", Can.CONTINUE),))), CHAT, "on/on"),
        ((LINES, DEMO), CHAT, "lines/lines demo/demo"),  # not at the price of the demo model
        ((UP, Listing("on", (card("on", Can.CONTINUE),))), TOOLS, "up/qwen on/on+tools"),  # nor of an emulation
        ((DEMO,), CHAT, "demo/demo"),
    ],
)
def test_a_wish_is_granted_where_it_costs_nothing(listings: Sequence[Listing], needs: Needs, targets: str) -> None:
    assert found("auto", needs, listings, wishes={Can.CONTINUE}) == targets


# --- fallbacks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "needs", "targets"),
    [
        ("gemma", CHAT, "local/gemma up/qwen demo/demo"),
        ("gemma", TOOLS, "local/gemma+tools up/qwen demo/demo"),  # behind it, whatever it costs
        ("qwen", CHAT, "up/qwen demo/demo"),  # not twice
        ("lines/lines", FORMS, "lines/lines+response_format up/qwen+response_format demo/demo"),
        ("lines/lines", {**CHAT, Can.GRAMMAR: "g"}, "demo/demo"),  # instead of a 400
    ],
)
def test_fallbacks_stand_behind_every_name(asked: str, needs: Needs, targets: str) -> None:
    fallbacks = ["up/qwen", "up/auto", "nobody/x", "x", "demo/demo", "embed/bge"]
    assert found(asked, needs, (*ALL, EMBED), fallbacks=fallbacks) == targets


def test_fallbacks_make_no_name_known() -> None:
    with pytest.raises(ModelNotFound):
        found("nonsense", fallbacks=["demo/demo"])


@pytest.mark.parametrize("can", [Can.EMBEDDINGS, Can.TOKENIZE])
def test_nobody_stands_in_for_a_models_own_numbers(can: Can) -> None:
    """Vectors and tokens of another model would be wrong, and nobody would notice."""
    other = Listing("other", (ModelCard("e5", 512, 512, can=frozenset({Can.EMBEDDINGS, Can.TOKENIZE})),))
    with pytest.raises(NotCapable):
        found("gemma", {can: "model"}, (LOCAL, other), fallbacks=["other/e5"])
    assert found("e5", {can: "model"}, (EMBED, other), fallbacks=["embed/bge"]) == "other/e5"


def test_when_nobody_can_not_even_a_fallback_it_is_a_400() -> None:
    with pytest.raises(NotCapable, match=r"local/gemma sees no images\."):
        found("gemma", {**CHAT, Can.VISION: "messages"}, fallbacks=["up/qwen"])
