"""LiteLLM's SDK over a real adapter and every kind of engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    APP_HARBOUR,
    DEMO,
    HELLO,
    NATIVE,
    PHONE,
    Client,
    Farm,
    client,
    litellm,
)

NAME = "LiteLLM SDK"
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(litellm(), "run_litellm", served, tmp_path_factory.mktemp("home")) as running:
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
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        served.app_says(APP_HARBOUR["json_schema"])
    checks.harbour(sdk.do("schema", model=model, text="Describe the harbour."))


def test_an_answer_of_the_async_client(sdk: Client, tried: Tried) -> None:
    tried(NAME, "plain")
    assert sdk.do("a_plain", model=APP, text=HELLO) == HELLO


def test_vectors(sdk: Client, tried: Tried) -> None:
    tried(NAME, "embeddings")
    one, other = sdk.do("embeddings", model="embed", texts=["low water", "high water"])
    assert len(one) == len(other) and one != other


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "AuthenticationError", "NotFoundError", "ContextWindowExceededError")


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.retries(served, sdk, status)


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.gives_up(served, sdk, "ServiceUnavailableError")


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    checks.leaves(served, sdk)
