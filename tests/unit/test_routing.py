"""A model name -> who answers, and what the list of models shows."""

from __future__ import annotations

import time

import pytest

from adapter.engines.base import ModelCard
from adapter.errors import EngineUnavailable, ModelNotFound
from adapter.routing import Listing, Target, public_models, resolve

CLOSED = "The InferrLM app is closed; open it."


def card(name: str, *, loaded: bool = False, tokens: int = 4_096) -> ModelCard:
    return ModelCard(name, context_tokens=tokens, max_output_tokens=1_024, loaded=loaded)


APP = Listing("app", (card("big.gguf"), card("small.gguf", loaded=True)))
DEMO = Listing("demo", (card("demo"), card("small.gguf")))
APP_CLOSED = Listing("app", (), CLOSED)
APP_JUST_CLOSED = Listing("app", APP.cards, CLOSED)
EMPTY = Listing("app", ())
BOTH = (APP, DEMO)


@pytest.mark.parametrize(
    ("asked", "listings", "targets"),
    [
        ("demo", BOTH, "demo/demo"),
        ("big.gguf", BOTH, "app/big.gguf"),
        ("small.gguf", BOTH, "app/small.gguf demo/small.gguf"),  # both have it: in order of preference
        ("demo/small.gguf", BOTH, "demo/small.gguf"),
        ("auto", BOTH, "app/small.gguf demo/demo"),  # the model in memory first, then every other engine
        ("auto", (DEMO, APP), "demo/demo app/small.gguf"),
        ("app/auto", BOTH, "app/small.gguf"),
        ("auto", (APP_CLOSED, DEMO), "demo/demo"),
        ("small.gguf", (APP_JUST_CLOSED, DEMO), "demo/small.gguf app/small.gguf"),  # who can be reached first
        ("big.gguf", (APP_JUST_CLOSED, DEMO), "app/big.gguf"),  # its own error says what to do
        ("app/new.gguf", (APP_CLOSED, DEMO), "app/new.gguf"),  # the benefit of the doubt
        ("app/auto", (APP_JUST_CLOSED, DEMO), "app/small.gguf"),
        ("fast", BOTH, "demo/demo app/big.gguf"),
        ("any", BOTH, "app/small.gguf demo/demo"),  # auto inside a route
        ("any", (APP_CLOSED, DEMO), "app/auto demo/demo"),
        ("a/b", BOTH, "app/x/y.gguf"),  # slashes in names of routes and of models
    ],
)
def test_targets(asked: str, listings: tuple[Listing, ...], targets: str) -> None:
    routes = {
        "fast": ["demo/demo", "app/big.gguf"],
        "any": ["app/auto", "demo/auto"],
        "a/b": ["app/x/y.gguf"],
    }
    found = resolve(asked, listings, routes)
    assert [f"{target.engine}/{target.model}" for target in found] == targets.split()


def test_a_route_hides_a_model_of_the_same_name() -> None:
    """Whoever writes the configuration decides what a name means, `auto` included."""
    routes = {"demo": ["app/big.gguf"], "auto": ["app/big.gguf"]}
    assert resolve("demo", BOTH, routes) == resolve("auto", BOTH, routes) == (Target("app", "big.gguf"),)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("dem", "Did you mean demo?"),
        ("big-gguf", "Did you mean big.gguf"),
        ("gpt-4o", "There are: big.gguf, small.gguf, demo, demo/small.gguf; or 'auto'."),
        ("demo/gpt", "'demo/gpt' does not exist"),
        ("nobody/demo", "'nobody/demo' does not exist"),
        ("app/", "'app/' does not exist"),
        ("/", "'/' does not exist"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(asked: str, said: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve(asked, BOTH, {})
    assert said in caught.value.message
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("asked", "listings", "said"),
    [
        ("auto", (APP_CLOSED,), CLOSED),
        ("auto", (), "No engine can answer now."),
        ("auto", (EMPTY,), "app: it lists no model."),
        ("app/auto", (EMPTY, DEMO), "app: it lists no model."),
        ("app/auto", (APP_CLOSED, DEMO), CLOSED),
        ("qwen.gguf", (APP_CLOSED, DEMO), CLOSED),
        ("Qwen.GGUF", (APP_CLOSED, DEMO), "'Qwen.GGUF'"),
        ("gemma.litertlm", (APP_CLOSED, DEMO), CLOSED),
    ],
)
def test_a_passing_condition_is_never_a_404(asked: str, listings: tuple[Listing, ...], said: str) -> None:
    """Behind LiteLLM a single one shuts the model off for everybody."""
    with pytest.raises(EngineUnavailable) as caught:
        resolve(asked, listings, {})
    assert said in caught.value.message


def test_a_404_mentions_who_could_not_be_asked() -> None:
    with pytest.raises(ModelNotFound, match="app cannot be asked: The InferrLM app is closed"):
        resolve("qwen", (APP_CLOSED, DEMO), {})


def test_a_huge_name_costs_nothing() -> None:
    """It is compared with every name and told back, so only its beginning counts."""
    began = time.perf_counter()
    with pytest.raises(ModelNotFound) as caught:
        resolve("ab" * 2_000_000, BOTH, {})
    assert len(caught.value.message) < 400
    assert time.perf_counter() - began < 0.2


# --- what is listed -------------------------------------------------------------------------------------------


def listed(
    listings: tuple[Listing, ...], routes: dict[str, list[str]] | None = None
) -> list[tuple[str, str, str]]:
    return [(name, engine, card.id) for name, engine, card in public_models(listings, routes or {})]


def test_names_are_unique() -> None:
    """The bare name belongs to the preferred engine; the other's model keeps its long one."""
    assert listed(BOTH) == [
        ("big.gguf", "app", "big.gguf"),
        ("small.gguf", "app", "small.gguf"),
        ("demo", "demo", "demo"),
        ("demo/small.gguf", "demo", "small.gguf"),
    ]


def test_routes_come_first_and_show_their_first_target_that_is_there() -> None:
    routes = {"small.gguf": ["app/gone", "demo/demo"], "none": ["app/gone"], "any": ["app/auto"]}
    assert listed(BOTH, routes)[:2] == [("small.gguf", "demo", "demo"), ("any", "app", "small.gguf")]
    assert ("app/small.gguf", "app", "small.gguf") in listed(BOTH, routes)


def test_whoever_cannot_be_reached_lists_nothing() -> None:
    assert listed((APP_JUST_CLOSED, DEMO), {"r": ["app/big.gguf"]}) == [
        ("demo", "demo", "demo"),
        ("small.gguf", "demo", "small.gguf"),
    ]
    assert listed(()) == []


def test_everything_listed_can_be_asked_for() -> None:
    routes = {"fast": ["demo/demo"], "any": ["app/auto"]}
    for name, engine, model in listed(BOTH, routes):
        assert resolve(name, BOTH, routes)[0] == Target(engine, model)
