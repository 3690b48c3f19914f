"""Instructor over a real adapter: all of its modes, on a model with grammars, an app for which all is emulated, and a server that has all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    APP_CALL,
    APP_HARBOUR,
    DEMO,
    HARBOUR,
    NATIVE,
    Client,
    Farm,
    client,
    grew,
    instructor,
)

NAME = "Instructor"
Tried = Callable[[str, str], None]
ASK = "Describe the harbour."
BY_CALL = ("TOOLS", "TOOLS_STRICT", "FUNCTIONS")
# These put the schema into the words only: nothing holds a model to them but its own obedience.
BY_WORDS = ("MD_JSON", "JSON_O1")
BY_FORM = ("JSON_SCHEMA", "JSON")


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(instructor(), "run_instructor", served, tmp_path_factory.mktemp("home")) as running:
        yield running


def app_says(farm: Farm, mode: str) -> None:
    if mode in BY_CALL:
        farm.app_says(APP_HARBOUR["function_calling"])
    elif mode in BY_FORM:
        farm.app_says(APP_HARBOUR["json_schema"])
    else:
        farm.app_says(APP_HARBOUR["json_schema"].removeprefix("Sure: "))


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_a_plain_answer(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "plain")
    checks.plain(sdk, model)


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        *((APP, mode) for mode in (*BY_CALL, *BY_FORM, *BY_WORDS)),
        *((model, mode) for model in (DEMO, NATIVE) for mode in (*BY_CALL, "JSON_SCHEMA")),
    ],
)
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, mode: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        app_says(served, mode)
    checks.harbour(sdk.do("schema", model=model, text=ASK, mode=mode))


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_an_object_by_responses(served: Farm, sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        served.app_says(APP_HARBOUR["function_calling"])
    checks.harbour(sdk.do("schema_of_responses", model=model, text=ASK))


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_an_object_in_parts(served: Farm, sdk: Client, model: str, mode: str, tried: Tried) -> None:
    tried(NAME, "stream")
    if model == APP:
        served.app_says(APP_HARBOUR["json_schema"] if mode == "JSON_SCHEMA" else APP_HARBOUR["function_calling"].replace("Harbour", "PartialHarbour"))
    found = sdk.do("partial", model=model, text=ASK, mode=mode)
    checks.harbour(found["last"])
    assert found["states"] > 1 or model == APP  # what is emulated is looked at as a whole before it is sent


def test_several_objects(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "stream")
    served.app_says(f'<tool_call>{{"name": "IterableHarbour", "arguments": {{"tasks": [{HARBOUR}, {HARBOUR}]}}}}</tool_call>')
    found = sdk.do("several", model=APP, text=ASK, mode="TOOLS")
    assert len(found) == 2
    checks.harbour(found[0])


def test_several_calls_at_once(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "tools")
    served.app_says(APP_CALL.replace('"tide"', '"Tide"') + APP_HARBOUR["function_calling"])
    (tide, harbour) = sdk.do("parallel", model=APP, text=ASK)
    assert tide == ["Tide", {"place": "Cuxhaven"}] and harbour[0] == "Harbour"
    checks.harbour(harbour[1])


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_what_does_not_pass_is_asked_for_again(served: Farm, sdk: Client, mode: str, tried: Tried) -> None:
    """With the bad answer and what was wrong with it; the adapter takes that conversation."""
    tried(NAME, "retries")
    before = served.answered()
    right = '{"name": "Cuxhaven", "berths": 12, "open": true}'
    for answer in (right.replace("12", "0"), right):
        served.app_says(answer if mode == "JSON_SCHEMA" else f'<tool_call>{{"name": "Real", "arguments": {answer}}}</tool_call>')
    assert sdk.do("again", model=APP, text=ASK, mode=mode)["berths"] == 12
    assert grew(before, served.answered()) == {200: 2}
    assert "look again" in str(served.app.runtime.orders[-1].messages)


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "InstructorRetryException", "NotFoundError", "BadRequestError")


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.retries(served, sdk, status)


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    checks.gives_up(served, sdk, "InternalServerError")


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "abort")
    before, left = served.answered(), served.upstream.left_early
    with served.upstream.hold():
        sdk.do("begin", model=NATIVE, text=ASK)
        served.until_running(1)
        assert sdk.do("leave")
        served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}
    assert served.upstream.left_early == left + 1
