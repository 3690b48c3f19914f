"""A model name -> who answers, and what the list of models shows."""

from __future__ import annotations

import time

import pytest

from adapter.engines.base import PLAIN_CHAT, Can, ModelCard
from adapter.errors import EngineUnavailable, ModelNotFound, NotCapable
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


# --- what models can do ---------------------------------------------------------------------------------------


def able(name: str, *can: Can, loaded: bool = False) -> ModelCard:
    """A chat model with more, or just what `can` says if that holds no chat."""
    extra = PLAIN_CHAT if Can.EMBEDDINGS not in can else frozenset[Can]()
    return ModelCard(name, context_tokens=4_096, max_output_tokens=1_024, loaded=loaded, can=extra.union(can))


CHATS = {Can.CHAT: "model"}
TOOLS = {**CHATS, Can.TOOLS: "tools"}
EMBEDS = {Can.EMBEDDINGS: "model"}
LOCAL = Listing(
    "local",
    (able("bge", Can.EMBEDDINGS, loaded=True), able("plain"), able("qwen", Can.TOOLS, Can.OUTPUT), able("x", Can.TOOLS)),
)
ALL = (APP, LOCAL)
ROUTES = {"r": ["app/big.gguf", "local/qwen", "local/x"], "any": ["app/auto", "local/auto"], "bad": ["app/big.gguf"]}


@pytest.mark.parametrize(
    ("asked", "needs", "targets"),
    [
        ("auto", CHATS, "app/small.gguf local/plain"),  # never the embedding model, loaded or not
        ("auto", EMBEDS, "local/bge"),  # never a chat model
        ("auto", TOOLS, "local/qwen"),
        ("local/auto", TOOLS, "local/qwen"),
        ("local/auto", EMBEDS, "local/bge"),
        ("any", CHATS, "app/small.gguf local/plain"),
        ("any", TOOLS, "local/qwen"),
        ("r", CHATS, "app/big.gguf local/qwen local/x"),
        ("r", TOOLS, "local/qwen local/x"),  # in their order
        ("r", {**TOOLS, Can.OUTPUT: "response_format"}, "local/qwen"),
        ("qwen", TOOLS, "local/qwen"),
        ("local/x", TOOLS, "local/x"),
    ],
)
def test_only_models_that_can_become_targets(asked: str, needs: dict[Can, str], targets: str) -> None:
    found = resolve(asked, ALL, ROUTES, needs)
    assert [f"{target.engine}/{target.model}" for target in found] == targets.split()
    assert all(target.can >= needs.keys() for target in found)


@pytest.mark.parametrize(
    ("asked", "needs", "param", "said"),
    [
        ("bad", TOOLS, "tools", ("app/big.gguf cannot call tools.", "Ask for local/qwen or local/x, which can.")),
        ("bge", CHATS, "model", ("local/bge does not chat.", "Ask for app/big.gguf or app/small.gguf or")),
        ("plain", EMBEDS, "model", ("local/plain makes no embeddings.", "Ask for local/bge, which can.")),
        (
            "r",
            {**TOOLS, Can.LOGPROBS: "logprobs"},
            "tools",
            (
                "app/big.gguf cannot call tools and reports no logprobs; local/qwen reports no logprobs;",
                "No model listed here can.",
            ),
        ),
        ("local/x", {**TOOLS, Can.OUTPUT: "guided_regex"}, "guided_regex", ("local/x cannot be held to",)),
        ("auto", {**CHATS, Can.MANY: "n"}, "n", ("app/small.gguf gives one answer at a time; local/plain gives",)),
    ],
)
def test_when_none_can_the_field_and_who_could_are_named(
    asked: str, needs: dict[Can, str], param: str, said: tuple[str, ...]
) -> None:
    with pytest.raises(NotCapable) as caught:
        resolve(asked, ALL, ROUTES, needs)
    assert caught.value.param == param
    assert caught.value.message.startswith(f"'{param}' asks for more than '{asked}' can do: ")
    assert [text for text in said if text not in caught.value.message] == []


def test_a_wish_is_granted_where_it_can_be_and_forgotten_elsewhere() -> None:
    """Many clients end with a message of the assistant's; most engines cannot go on with it."""
    going_on = Listing("local", (able("plain"), able("on", Can.CONTINUE)))
    wish = frozenset({Can.CONTINUE})
    assert resolve("auto", (APP, going_on), {}, CHATS, wish) == (Target("local", "on"),)
    assert resolve("auto", ALL, {}, CHATS, wish) == resolve("auto", ALL, {}, CHATS)
    with pytest.raises(NotCapable) as caught:
        resolve("bge", ALL, {}, CHATS, wish)
    assert caught.value.param == "model"


def test_an_engine_of_which_nothing_is_known_is_for_plain_chats_only() -> None:
    """What it cannot do it might drop without a word. Whether it could may become known, so that is no 400."""
    assert resolve("app/new.gguf", (APP_CLOSED, DEMO), {}, CHATS) == (Target("app", "new.gguf"),)
    with pytest.raises(EngineUnavailable) as caught:
        resolve("app/new.gguf", (APP_CLOSED, DEMO), {}, TOOLS)
    assert CLOSED in caught.value.message
    routes = {"r": ["app/new.gguf", "demo/demo"]}
    with pytest.raises(NotCapable, match=r"app/new.gguf cannot be asked now; demo/demo cannot call tools"):
        resolve("r", (DEMO, APP_CLOSED), routes, TOOLS)


def test_what_a_closed_app_listed_last_is_believed() -> None:
    closed = Listing("local", LOCAL.cards, CLOSED)
    assert resolve("local/qwen", (closed,), {}, TOOLS) == (Target("local", "qwen"),)
    with pytest.raises(NotCapable):
        resolve("local/plain", (closed,), {}, TOOLS)


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


def test_a_route_to_auto_shows_a_model_that_chats() -> None:
    assert listed((LOCAL,), {"any": ["local/auto"]})[0] == ("any", "local", "plain")
