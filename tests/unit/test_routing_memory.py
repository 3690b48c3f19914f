"""What a name meant a moment ago: the same answers as `resolve`, and anew when something has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import ModelNotFound, NotCapable
from adapter.routing import Listing, Target
from adapter.routing_memory import MAX_REMEMBERED, Resolver

NEEDS = {Can.CHAT: "model"}
NONE: frozenset[Can] = frozenset()


def card(name: str, tokens: int = 4_096, can: frozenset[Can] = PLAIN_CHAT) -> ModelCard:
    return ModelCard(name, context_tokens=tokens, max_output_tokens=tokens, can=can)


SMALL = Listing("app", (card("gemma", 1_000),))
LARGE = Listing("up", (card("gemma", 8_000), card("qwen", 8_000)))
BOTH = (SMALL, LARGE)


def names(targets: tuple[Target, ...]) -> str:
    return " ".join(f"{target.engine}/{target.model}" for target in targets)


def resolver() -> Resolver:
    return Resolver({"house": ("up/qwen",)}, {"gpt": "qwen"}, ("up/qwen",))


def ask(one: Resolver, asked: str, listings: tuple[Listing, ...] = BOTH, *, tokens: int | None = 10) -> tuple[Target, ...]:
    return one.resolve(asked, listings, NEEDS, NONE, NONE, tokens)


def test_the_same_question_has_the_same_answer_without_looking_again() -> None:
    one = resolver()
    assert ask(one, "gemma") is ask(one, "gemma", tokens=20)
    assert names(ask(one, "gemma")) == "app/gemma up/gemma up/qwen"


def test_routes_aliases_and_fallbacks_are_those_of_the_configuration() -> None:
    one = resolver()
    assert [names(ask(one, asked)) for asked in ("house", "gpt", "app/gemma")] == ["up/qwen", "up/qwen", "app/gemma up/qwen"]


def test_another_listing_is_another_answer() -> None:
    one = resolver()
    assert names(ask(one, "gemma")) == "app/gemma up/gemma up/qwen"
    closed = replace(SMALL, trouble="It is closed.")
    assert names(ask(one, "gemma", (closed, LARGE))) == "up/gemma app/gemma up/qwen"
    assert names(ask(one, "gemma", (LARGE,))) == "up/gemma up/qwen"
    assert names(ask(one, "gemma")) == "app/gemma up/gemma up/qwen"


def test_a_long_prompt_is_looked_at_each_time() -> None:
    """Who has no room for it comes last, whatever was remembered for short ones."""
    one = resolver()
    assert names(ask(one, "gemma")) == "app/gemma up/gemma up/qwen"
    assert names(ask(one, "gemma", tokens=2_000)) == "up/gemma app/gemma up/qwen"
    assert names(ask(one, "gemma")) == "app/gemma up/gemma up/qwen"


def test_needs_and_wishes_are_part_of_the_question() -> None:
    seeing = Listing("up", (card("gemma", can=PLAIN_CHAT | {Can.VISION}),))
    one = Resolver({}, {}, ())
    listings = (Listing("app", (card("gemma"),)), seeing)
    assert names(one.resolve("gemma", listings, NEEDS, NONE, NONE, 1)) == "app/gemma up/gemma"
    assert names(one.resolve("gemma", listings, {**NEEDS, Can.VISION: "messages"}, NONE, NONE, 1)) == "up/gemma"
    assert names(one.resolve("gemma", listings, NEEDS, frozenset({Can.VISION}), NONE, 1)) == "up/gemma"
    with pytest.raises(NotCapable):
        one.resolve("gemma", listings, {**NEEDS, Can.TOOLS: "tools"}, NONE, NONE, 1)
    emulated = one.resolve("gemma", listings, {**NEEDS, Can.TOOLS: "tools"}, NONE, frozenset({Can.TOOLS}), 1)
    assert [target.emulated for target in emulated] == [frozenset({Can.TOOLS})] * 2


def test_an_error_is_not_remembered_and_names_the_field_of_its_own_request() -> None:
    one = resolver()
    for param in ("tools", "functions"):
        with pytest.raises(NotCapable) as caught:
            one.resolve("gemma", BOTH, {**NEEDS, Can.TOOLS: param}, NONE, NONE, 1)
        assert caught.value.param == param
    with pytest.raises(ModelNotFound):
        ask(one, "nobody")


def test_names_that_clients_make_up_fill_no_memory() -> None:
    """Any number of spellings is understood, and so many are remembered."""
    one = resolver()
    for number in range(4 * MAX_REMEMBERED):
        spelled = "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate("gemma.gguf"))
        assert names(ask(one, spelled)) == "app/gemma up/gemma up/qwen"
    assert len(one._found) == MAX_REMEMBERED
