"""Pydantic AI over a real adapter and every kind of engine."""

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

NAME = "Pydantic AI"
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(sdks(), "run_pydantic_ai", served, tmp_path_factory.mktemp("home")) as running:
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
@pytest.mark.parametrize("model", [APP, PHONE, NATIVE])
def test_a_tool_loop(served: Farm, sdk: Client, model: str, streamed: bool, tried: Tried) -> None:
    tried(NAME, "tools")
    checks.tool_loop(served, sdk, model, streamed)


@pytest.mark.parametrize(("model", "way"), [*((model, way) for model in (DEMO, APP, NATIVE) for way in ("tool", "native")), (APP, "prompted")])
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, way: str, tried: Tried) -> None:
    """By a required call, by `json_schema`, and by asking for it, which holds no model to anything."""
    tried(NAME, "schema")
    if model == APP:
        served.app_says(APP_HARBOUR["function_calling" if way == "tool" else "json_schema"])
    checks.harbour(sdk.do("schema", model=model, text="Describe the harbour.", way=way))


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "ModelHTTPError", "ModelHTTPError", "ModelHTTPError")


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.retries(served, sdk, status)


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.gives_up(served, sdk, "ModelHTTPError")


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    checks.leaves(served, sdk)


def test_what_connect_prints_runs(served: Farm, tmp_path: Path) -> None:
    (hello,) = connected(served, tmp_path, "pydantic-ai", "--model", "demo")
    assert "by_the_sea=" in run_snippet(sdks(), tmp_path, hello)
