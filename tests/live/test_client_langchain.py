"""LangChain over a real adapter and every kind of engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    APP_HARBOUR,
    DEMO,
    NATIVE,
    PHONE,
    Client,
    Farm,
    client,
    connected,
    run_snippet,
    sdks,
)

NAME = "LangChain"
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(sdks(), "run_langchain", served, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_plain_answer(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "plain")
    checks.plain(sdk, model)


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_stream(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "stream")
    checks.stream(sdk, model)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_by_grammar(sdk: Client, streamed: bool, tried: Tried) -> None:
    tried(NAME, "tools")
    checks.forced_tool_loop(sdk, streamed)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [APP, PHONE, NATIVE])
def test_a_tool_loop(served: Farm, sdk: Client, model: str, streamed: bool, tried: Tried) -> None:
    tried(NAME, "tools")
    checks.tool_loop(served, sdk, model, streamed)


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, method: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        served.app_says(APP_HARBOUR[method])
    checks.harbour(sdk.do("schema", model=model, text="Describe the harbour.", method=method))


def test_json_of_no_class(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "schema")
    served.app_says('Here it is: {"berths": 12} That is all.')
    assert sdk.do("schema_of_json_mode", model=APP, text="Describe the harbour as JSON.") == {"berths": 12}


def test_vectors(sdk: Client, tried: Tried) -> None:
    tried(NAME, "embeddings")
    one, other = sdk.do("embeddings", model="embed", texts=["low water", "high water"])
    assert len(one) == len(other) and one != other


def test_tokens_of_a_foreign_vocabulary_are_refused(sdk: Client, tried: Tried) -> None:
    """They mean nothing to the model here: vectors of them would be wrong without a sign of it."""
    tried(NAME, "embeddings")
    failed = sdk.fails("embeddings_of_tokens", model="embed", tokens=[[1111, 1110], [12]])
    assert failed["raised"][0] == "BadRequestError" and "check_embedding_ctx_length=False" in failed["text"]


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "AuthenticationError", "NotFoundError", "BadRequestError")


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.retries(served, sdk, status)


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.gives_up(served, sdk, "InternalServerError")


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    checks.leaves(served, sdk)


def test_what_connect_prints_runs(served: Farm, tmp_path: Path) -> None:
    (hello,) = connected(served, tmp_path, "langchain", "--model", "demo")
    assert run_snippet(sdks(), tmp_path, hello).endswith("64 numbers\n")
