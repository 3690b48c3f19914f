"""OpenAI's Python SDK, of the version of `protocols/clients.md` 1, against a real adapter over every kind of engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    DEMO,
    ENDLESS,
    HELLO,
    HURRIED,
    NATIVE,
    PHONE,
    Client,
    Farm,
    client,
    connected,
    grew,
    instructor,
    run_snippet,
    sdks,
)

NAME = "OpenAI Python"
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(sdks(), "run_openai", served, tmp_path_factory.mktemp("home")) as running:
        yield running


def test_the_models_are_there(sdk: Client) -> None:
    assert {"auto", "demo", "m", "embed", "endless"} <= set(sdk.do("models"))


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_plain_answer(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "plain")
    checks.plain(sdk, model)


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_stream(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "stream")
    checks.stream(sdk, model)


def test_a_stream_of_the_async_client(sdk: Client, tried: Tried) -> None:
    tried(NAME, "stream")
    assert sdk.do("async_stream", model=APP, text=HELLO) == HELLO


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
        served.app_says('Sure: {"name": "Cuxhaven", "berths": 12, "open": true}')
    checks.harbour(sdk.do("schema", model=model, text="Describe the harbour."))


def test_vectors(sdk: Client, tried: Tried) -> None:
    tried(NAME, "embeddings")
    found = sdk.do("embeddings", model="embed", texts=["low water", "high water"])
    assert len(found["packed"]) == 2 and found["packed"][0] != found["packed"][1]
    assert found["packed"] == [pytest.approx(one, abs=1e-6) for one in found["numbers"]]


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "AuthenticationError", "NotFoundError", "BadRequestError")
    assert sdk.fails("plain", model="dmo", text=HELLO)["code"] == "model_not_found"


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.retries(served, sdk, status)


def test_a_key_that_asks_too_often_waits_its_turn(served: Farm, sdk: Client, tried: Tried) -> None:
    """The adapter's own 429: nobody sees it."""
    tried(NAME, "retries")
    before = served.answered()
    first, second = sdk.do("at_once", model=NATIVE, text=HELLO, key=HURRIED)
    assert first == second and first.startswith("w0 w1")
    came = grew(before, served.answered())
    assert came[200] == 2 and came[429] >= 1 and set(came) == {200, 429}


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.gives_up(served, sdk, "InternalServerError")


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    checks.leaves(served, sdk)


def test_leaving_a_plain_answer_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    before = served.answered()
    sdk.do("begin_plain", model=ENDLESS, text=HELLO)
    served.until_running(1)
    assert sdk.do("leave_plain")
    served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}


def test_what_connect_prints_runs(served: Farm, tmp_path: Path) -> None:
    hello, extract = connected(served, tmp_path, "openai-python", "--model", "demo")
    assert run_snippet(sdks(), tmp_path, hello).strip()
    assert "by_the_sea=" in run_snippet(instructor(), tmp_path, extract)
