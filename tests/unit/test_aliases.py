"""What a model's name may also mean, and what it never means."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from adapter.aliases import ALSO_MEANS, closeness, may_belong_to_an_app, meanings, plain, spellings
from adapter.engines.base import Can, ModelCard
from adapter.errors import EngineUnavailable, ModelNotFound
from adapter.routing import NO_ALIASES, Listing, Target, resolve

NO_ROUTES: Mapping[str, Sequence[str]] = {}
CLOSED = "The LocalLLM app is closed; open it."


def listing(engine: str, *ids: str, trouble: str = "", loaded: str = "") -> Listing:
    cards = tuple(ModelCard(id_, 4_096, 1_024, loaded=id_ == loaded) for id_ in ids)
    return Listing(engine, cards, trouble)


def found(
    asked: str,
    *listings: Listing,
    routes: Mapping[str, Sequence[str]] = NO_ROUTES,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> str:
    return " ".join(f"{t.engine}/{t.model}" for t in resolve(asked, listings, routes, aliases=aliases))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gemma-4-E2B-it", "gemma-4-e2b"),
        ("gemma-4-E2B-it.litertlm", "gemma-4-e2b"),
        ("Gemma-4-e2b.TASK", "gemma-4-e2b"),
        ("qwen3:latest", "qwen3"),
        ("x.gguf:latest", "x"),
        ("x-it-it", "x"),
        ("AUTO", "auto"),
        ("-it", "-it"),  # nothing is left of it otherwise
        (".gguf", ".gguf"),
        ("", ""),
        ("a-IT" * 200, "a-IT" * 200),  # no name any more
    ],
)
def test_plain_names(name: str, key: str) -> None:
    assert plain(name) == key


@pytest.mark.parametrize(
    ("asked", "listed", "is_it"),
    [
        ("gemma-4-e2b", "gemma-4-E2B-it-Q4_K_M.gguf", True),
        ("gemma-4-e2b", "gemma-4-E2B-it-UD-Q4_K_XL.gguf", True),
        ("gemma-4-e2b", "gemma-4-E2B-it-int4.task", True),
        ("gemma3n-e2b", "gemma-3n-E2B-it.Q8_0.gguf", True),
        ("gemma3n-e2b", "gemma3n:e2b", True),
        ("gemma3n-e2b", "gemma-4-e2b", True),  # LocalLLM's model under Pitwall's name
        ("gemma-4-e2b", "gemma-3n-e2b", False),  # never the older one for the newer
        ("gemma3n-e2b", "gemma-3n-e4b", False),
        ("gemma3n-e2b", "gemma-2b", False),
        ("gemma3n-e2b", "gemma3-1b-it-npu-sm8550", False),
        ("gemma3n-e2b", "gemma-4-e2b-abliterated", False),
        ("qwen3-0.6b", "Qwen3-0.6B-IQ4_XS.gguf", True),
        ("qwen3-0.6b-q8_0", "Qwen3-0.6B-Q4_K_M.gguf", False),  # this one was meant, and is not there
        ("qwen3-0.6b", "qwen3-0.6b-coder", False),
        ("llama-3-1b", "llama-31b", False),
        ("qwen2.5", "qwen25", False),
        ("model-q4", "model", False),
    ],
)
def test_spellings_of_one_model(asked: str, listed: str, is_it: bool) -> None:
    assert (closeness(listed, meanings(asked)) is not None) is is_it


def test_the_closest_spelling_is_the_first() -> None:
    names = ["gemma-3n-e2b", "gemma-3n-e2b-q8_0", "gemma3n-e2b", "gemma-4-e2b"]
    ranks = [closeness(name, meanings("gemma3n-e2b")) for name in names]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda rank: rank or 0)


def test_nothing_means_another_family() -> None:
    """All that the table of built-in meanings may ever lead to."""
    for name, meant in ALSO_MEANS.items():
        assert plain(name) == name
        assert all("gemma" in each and "e2b" in each for each in (name, *meant))
        assert "3n" in name or not any("3n" in each for each in meant)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("x", ("x",)),
        ("openai/x", ("openai/x", "x")),
        ("openai/openai/x", ("openai/openai/x", "openai/x")),
        ("openai/", ("openai/",)),
        ("OpenAI/x", ("OpenAI/x",)),
    ],
)
def test_a_provider_in_front(asked: str, names: tuple[str, ...]) -> None:
    assert spellings(asked) == names


# --- in the router --------------------------------------------------------------------------------------------

LOCAL = listing("localllm", "gemma-4-e2b", "bge-small-en-v1.5")
APP = listing("inferrlm", "gemma-3n-E2B-it-Q4_K_M.gguf", "gemma-4-E2B-it-Q8_0.gguf", "gemma-4-E2B-it-Q4_K_M.gguf")
DEMO = listing("demo", "demo")


@pytest.mark.parametrize("provider", ["", "openai/"])
@pytest.mark.parametrize("asked", ["gemma3n-e2b", "gemma-4-e2b", "gemma-4-E2B-it", "gemma-4-e2b-it", "gemma-3n-e2b"])
def test_pitwalls_names_reach_localllms_model(provider: str, asked: str) -> None:
    """`protocols/pitwall.md` 8, row 4."""
    assert found(provider + asked, LOCAL, DEMO) == "localllm/gemma-4-e2b"


@pytest.mark.parametrize(
    ("asked", "targets"),
    [
        # The older one where it is, then spellings that are closer, then the order of the configuration.
        (
            "gemma3n-e2b",
            (
                "inferrlm/gemma-3n-E2B-it-Q4_K_M.gguf localllm/gemma-4-e2b "
                "inferrlm/gemma-4-E2B-it-Q8_0.gguf inferrlm/gemma-4-E2B-it-Q4_K_M.gguf"
            ),
        ),
        (
            "gemma-4-E2B-it",
            "localllm/gemma-4-e2b inferrlm/gemma-4-E2B-it-Q8_0.gguf inferrlm/gemma-4-E2B-it-Q4_K_M.gguf",
        ),
        ("gemma-4-e2b", "localllm/gemma-4-e2b"),  # exactly that, and nothing else
        ("gemma-4-e2b-it-q4_k_m", "inferrlm/gemma-4-E2B-it-Q4_K_M.gguf"),
        ("inferrlm/gemma-4-e2b", "inferrlm/gemma-4-E2B-it-Q8_0.gguf"),  # one engine, one model
        ("openai/InferrLM/gemma-4-E2B-it-q4_K_m", "inferrlm/gemma-4-E2B-it-Q4_K_M.gguf"),
        ("openai/localllm/gemma-4-e2b", "localllm/gemma-4-e2b"),
        ("openai/auto", "localllm/gemma-4-e2b inferrlm/gemma-3n-E2B-it-Q4_K_M.gguf demo/demo"),
        ("Auto", "localllm/gemma-4-e2b inferrlm/gemma-3n-E2B-it-Q4_K_M.gguf demo/demo"),
        ("DEMO", "demo/demo"),
        ("Demo/Auto", "demo/demo"),
        ("openai/Fast", "demo/demo localllm/gemma-4-e2b"),
        ("routed", "localllm/gemma-4-e2b"),  # also in the targets of a route
    ],
)
def test_names_that_are_nearly_right(asked: str, targets: str) -> None:
    routes = {"fast": ["demo/demo", "localllm/gemma-4-e2b"], "routed": ["localllm/gemma-4-E2B-it"]}
    assert found(asked, LOCAL, APP, DEMO, routes=routes) == targets


def test_of_equal_spellings_the_model_in_memory_is_first() -> None:
    app = listing("inferrlm", *(card.id for card in APP.cards), loaded="gemma-4-E2B-it-Q4_K_M.gguf")
    assert found("gemma-4-e2b", app).startswith("inferrlm/gemma-4-E2B-it-Q4_K_M.gguf ")


def test_an_exact_name_is_never_read_otherwise() -> None:
    """Also one with a provider's name in front, and where an engine is called that."""
    upstream = listing("up", "openai/gpt-oss-20b", "Demo")
    assert found("openai/gpt-oss-20b", upstream, DEMO) == "up/openai/gpt-oss-20b"
    assert found("openai/gpt-oss-20B", upstream) == "up/openai/gpt-oss-20b"
    assert found("demo", upstream, DEMO) == "demo/demo"
    assert found("Demo", upstream, DEMO) == "up/Demo"
    assert found("openai/demo", listing("openai", "demo"), DEMO) == "openai/demo"
    assert found("openai/demo", listing("openai", "other"), DEMO) == "demo/demo"


@pytest.mark.parametrize("asked", ["gemma-3n-e4b", "gemma3n-e4b", "gemma-2b", "gemma", "e2b", "openai/", "openai/gpt-4o"])
def test_an_unknown_name_stays_unknown(asked: str) -> None:
    with pytest.raises(ModelNotFound, match=r"does not exist here"):
        found(asked, LOCAL, APP, DEMO)


def test_without_any_gemma_e2b_it_is_a_404_with_near_names() -> None:
    other = listing("inferrlm", "gemma-3n-E4B-it", "gemma-3-1b-it.gguf")
    with pytest.raises(ModelNotFound, match=r"'gemma3n-e2b' does not exist here\. Did you mean gemma-3n-E4B-it\?"):
        found("gemma3n-e2b", other, DEMO)


@pytest.mark.parametrize(
    "asked",
    ["gemma3n-e2b", "openai/gemma-4-E2B-it", "gemma-4-e4b", "gemini-nano-aicore", "gemma3-1b-it-npu-sm8650", "x.GGUF"],
)
def test_what_the_apps_have_is_no_404_while_one_is_closed(asked: str) -> None:
    """Behind LiteLLM a single 404 shuts the model off for everybody, and the app may be opened any moment."""
    assert may_belong_to_an_app(asked)
    with pytest.raises(EngineUnavailable, match=CLOSED):
        found(asked, listing("localllm", trouble=CLOSED), DEMO)
    with pytest.raises(ModelNotFound):
        found(asked, DEMO)


def test_a_closed_app_is_asked_by_its_own_word_for_the_model() -> None:
    """Where it is known, that is; else the name is passed on as it came."""
    known = listing("localllm", "gemma-4-e2b", trouble=CLOSED)
    assert found("localllm/gemma3n-e2b", known) == "localllm/gemma-4-e2b"
    assert found("gemma3n-e2b", known, DEMO) == "localllm/gemma-4-e2b"
    assert found("localllm/gemma3n-e2b", listing("localllm", trouble=CLOSED)) == "localllm/gemma3n-e2b"


# --- configured ones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "targets"),
    [
        ("gpt-4o", "localllm/gemma-4-e2b"),
        ("openai/gpt-4o", "localllm/gemma-4-e2b"),
        ("GPT-4o", "localllm/gemma-4-e2b"),
        ("small", "demo/demo"),
        ("demo", "localllm/gemma-4-e2b"),  # who configures it decides, as with routes
        ("demo/demo", "demo/demo"),
        ("any", "localllm/gemma-4-e2b demo/demo"),
        ("r", "demo/demo"),  # a route of the same name comes first
        ("to-route", "demo/demo"),
        ("fuzzy", "localllm/gemma-4-e2b"),  # what it means may be nearly right as well
    ],
)
def test_configured_aliases(asked: str, targets: str) -> None:
    aliases = {
        "gpt-4o": "localllm/gemma-4-e2b",
        "small": "demo/demo",
        "demo": "gemma-4-e2b",
        "any": "auto",
        "r": "localllm/gemma-4-e2b",
        "to-route": "r",
        "fuzzy": "gemma3n-e2b",
    }
    assert found(asked, LOCAL, DEMO, routes={"r": ["demo/demo"]}, aliases=aliases) == targets


def test_aliases_do_not_chain() -> None:
    """So that none leads in a circle; the name that is not there is named."""
    with pytest.raises(ModelNotFound, match=r"'a' is an alias of 'b', which does not exist here"):
        resolve("a", (DEMO,), {}, aliases={"a": "b", "b": "a"})
    with pytest.raises(ModelNotFound, match=r"'a' is an alias of 'b', which"):
        resolve("a", (DEMO,), {}, aliases={"a": "b", "b": "demo"})


def test_an_alias_of_a_closed_apps_model_is_no_404() -> None:
    with pytest.raises(EngineUnavailable, match=CLOSED):
        resolve("gpt-4o", (listing("localllm", trouble=CLOSED),), {}, aliases={"gpt-4o": "gemma-4-e2b"})


def test_near_names_include_aliases() -> None:
    with pytest.raises(ModelNotFound, match=r"Did you mean gpt-4o\?"):
        resolve("gpt-4", (DEMO,), {}, aliases={"gpt-4o": "demo"})


# --- what it costs --------------------------------------------------------------------------------------------


def test_many_models_and_long_names_cost_little() -> None:
    """A list of 2,000 models, and names of four megabytes."""
    many = listing("up", *(f"org/model-{number}-Q4_K_M.gguf" for number in range(2_000)))
    began = time.perf_counter()
    assert found("ORG/Model-7", many) == "up/org/model-7-Q4_K_M.gguf"
    for asked in ("-it" * 1_400_000, "openai/" * 600_000, "-q4" * 1_400_000):
        with pytest.raises(ModelNotFound):
            found(asked, DEMO)
    with pytest.raises(ModelNotFound):
        found("it", listing("up", "it" + "-it" * 10_000, "it-q4" * 100_000))
    assert time.perf_counter() - began < 0.5


def test_a_chat_model_is_found_for_a_need_under_another_spelling() -> None:
    cards = (ModelCard("M-it.gguf", 512, 512, can=frozenset({Can.CHAT, Can.TOOLS})), ModelCard("m-Q4_0", 512, 512))
    assert resolve("m", (Listing("e", cards),), {}, {Can.TOOLS: "tools", Can.CHAT: "model"}) == (Target("e", "M-it.gguf"),)
