"""`/v1/responses` with the clients that ask for it, over a real adapter: the embedded demo model, an app without tools, a server that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live.client_cases import (
    APP,
    APP_CALL,
    ASK_TIDE,
    DEMO,
    ENDLESS,
    HARBOUR,
    HELLO,
    NATIVE,
    PLACE,
    TIDE,
    Client,
    Farm,
    client,
    litellm,
    sdks,
)
from tests.live.client_checks import harbour
from tests.live.js_cases import js_client
from tests.live.js_cases import sdks as js_sdks

Tried = Callable[[str, str], None]

SDK, LANGCHAIN, PYDANTIC, LITELLM, JS = "OpenAI Python", "LangChain", "Pydantic AI", "LiteLLM SDK", "OpenAI JS"
WHO = (SDK, LANGCHAIN, PYDANTIC)
CHECK = "responses"


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(sdks(), "run_responses", served, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def lite(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(litellm(), "run_responses_litellm", served, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def js(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with js_client(js_sdks(), "responses", served, tmp_path_factory.mktemp("js")) as running:
        yield running


def prompted(served: Farm) -> list[str]:
    """The texts of all messages that the model in the app was last given."""
    return [message.content for message in served.app.runtime.orders[-1].messages]


# --- Python: OpenAI's SDK, LangChain, Pydantic AI -----------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
@pytest.mark.parametrize("who", WHO)
def test_a_plain_answer(sdk: Client, who: str, model: str, tried: Tried) -> None:
    tried(who, CHECK)
    answer = sdk.do("plain", who=who, model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0
    assert answer["status"] in ("completed", "incomplete")
    if model == APP:
        assert answer["text"] == HELLO  # which it echoes


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
@pytest.mark.parametrize("who", WHO)
def test_a_stream(sdk: Client, who: str, model: str, tried: Tried) -> None:
    tried(who, CHECK)
    answer = sdk.do("stream", who=who, model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0 and answer["pieces"] > 1
    if model == APP:
        assert answer["text"] == HELLO


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [APP, NATIVE])
@pytest.mark.parametrize("who", WHO)
def test_a_tool_loop(served: Farm, sdk: Client, who: str, model: str, streamed: bool, tried: Tried) -> None:
    tried(who, CHECK)
    if model == APP:
        served.app_says(APP_CALL, f"The tool said: {TIDE}")
    loop = sdk.do("tools", who=who, model=model, text=ASK_TIDE, result=TIDE, streamed=streamed)
    assert loop["calls"] == [["tide", {"place": PLACE}]]
    assert loop["text"] == f"The tool said: {TIDE}"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("who", [SDK, LANGCHAIN])
def test_a_call_that_is_required_is_made_by_grammar(sdk: Client, who: str, streamed: bool, tried: Tried) -> None:
    tried(who, CHECK)
    loop = sdk.do("tools", who=who, model=DEMO, text=ASK_TIDE, result=TIDE, streamed=streamed, forced=True)
    ((name, arguments),) = loop["calls"]
    assert name == "tide" and arguments["place"] in ("Cuxhaven", "Emden")


def test_a_tool_loop_that_sends_only_what_is_new(sdk: Client, tried: Tried) -> None:
    tried(PYDANTIC, CHECK)
    loop = sdk.do("tools", who=PYDANTIC, model=NATIVE, text=ASK_TIDE, result=TIDE, linked=True)
    assert loop == {"calls": [["tide", {"place": PLACE}]], "text": f"The tool said: {TIDE}"}


def test_a_conversation_that_sends_only_what_is_new(served: Farm, sdk: Client, tried: Tried) -> None:
    """What went before reaches the model, though the client sent nothing but an id."""
    tried(LANGCHAIN, CHECK)
    assert sdk.do("linked", who=LANGCHAIN, model=APP, texts=["The tide is in.", "Where is the tide?"]) == "Where is the tide?"
    assert "The tide is in." in prompted(served)


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
@pytest.mark.parametrize("who", WHO)
def test_an_object_of_a_class(served: Farm, sdk: Client, who: str, model: str, tried: Tried) -> None:
    tried(who, CHECK)
    if model == APP:
        served.app_says(f"Sure: {HARBOUR}")
    harbour(sdk.do("schema", who=who, model=model, text="Describe the harbour."))


@pytest.mark.parametrize(("who", "kind"), [(SDK, "AuthenticationError"), (LANGCHAIN, "AuthenticationError"), (PYDANTIC, "ModelHTTPError")])
def test_errors_reach_the_person(sdk: Client, who: str, kind: str, tried: Tried) -> None:
    tried(who, CHECK)
    failed = sdk.fails("wrong_key", who=who)
    assert kind in failed["raised"] and "Incorrect API key" in failed["text"]
    failed = sdk.fails("plain", who=who, model=DEMO, text="many words " * 20_000)
    assert "maximum context length is" in failed["text"], failed["traceback"]


@pytest.mark.parametrize("who", WHO)
def test_a_break_in_mid_stream_is_raised(served: Farm, sdk: Client, who: str, tried: Tried) -> None:
    tried(who, CHECK)
    served.upstream.fail_after(2, "frame")
    failed = sdk.fails("stream", who=who, model=NATIVE, text=HELLO)
    assert "native" in failed["text"], failed["traceback"]


def test_what_the_sdk_makes_of_a_break(served: Farm, sdk: Client, tried: Tried) -> None:
    """`response.failed` for who looks at events, then an exception for who only reads the text."""
    tried(SDK, CHECK)
    served.upstream.fail_after(2, "frame")
    got = sdk.do("events", model=NATIVE, text=HELLO)
    assert got["seen"]["response.failed"] == 1 and "response.completed" not in got["seen"]
    assert "APIError" in got["raised"]["raised"] and got["raised"]["code"]


@pytest.mark.parametrize("who", WHO)
def test_leaving_frees_the_seat(served: Farm, sdk: Client, who: str, tried: Tried) -> None:
    tried(who, CHECK)
    assert sdk.do("begin", who=who, model=ENDLESS, text=HELLO)
    sdk.do("leave", who=who)
    served.until_running(0)


def test_the_conversation_behind_an_id(served: Farm, sdk: Client, tried: Tried) -> None:
    """What went before is in the prompt: an engine that echoes the last words counts all of them."""
    tried(SDK, CHECK)
    got = sdk.do("told", model=APP, texts=["My boat is called Albatross.", "It is red.", "What is it called?"])
    assert got["text"] == "What is it called?"
    assert prompted(served)[::2] == ["My boat is called Albatross.", "It is red.", "What is it called?"]
    assert got["counted"] == sorted(set(got["counted"]))


def test_kept_answers(sdk: Client, tried: Tried) -> None:
    tried(SDK, CHECK)
    got = sdk.do("kept", model=DEMO, text=HELLO)
    assert (got["same"], got["items"]) == (True, 1)
    gone = sdk.fails("goes_on", previous=got["id"])
    assert (gone["status"], gone["code"]) == (400, "previous_response_not_found")
    gone = sdk.fails("fetched", ident=got["id"])
    assert (gone["status"], gone["code"]) == (404, "response_not_found")


# --- LiteLLM's SDK --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_litellm_plain_and_streamed(lite: Client, model: str, tried: Tried) -> None:
    tried(LITELLM, CHECK)
    plain, streamed = (lite.do(check, model=model, text=HELLO) for check in ("plain", "stream"))
    assert plain["text"] and plain["total"] > 0 and plain["status"] in ("completed", "incomplete")
    assert streamed["text"] and streamed["total"] > 0 and streamed["pieces"] > 1
    if model == NATIVE:
        assert streamed["text"] == plain["text"]


@pytest.mark.parametrize("streamed", [False, True])
def test_litellms_tool_loop(lite: Client, streamed: bool, tried: Tried) -> None:
    """By `previous_response_id`: LiteLLM packs the id into one of its own, and unpacks it on the way back."""
    tried(LITELLM, CHECK)
    loop = lite.do("tools", model=NATIVE, text=ASK_TIDE, result=TIDE, streamed=streamed)
    assert loop == {"calls": [["tide", {"place": PLACE}]], "text": f"The tool said: {TIDE}"}


def test_litellms_errors(served: Farm, lite: Client, tried: Tried) -> None:
    tried(LITELLM, CHECK)
    failed = lite.fails("wrong_key")
    assert "AuthenticationError" in failed["raised"] and "Incorrect API key" in failed["text"]
    failed = lite.fails("plain", model=DEMO, text="many words " * 20_000)
    assert "maximum context length is" in failed["text"], failed["traceback"]


# --- OpenAI's SDK for JavaScript ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_js_plain_and_streamed(js: Client, model: str, tried: Tried) -> None:
    tried(JS, CHECK)
    plain = js.do("plain", model=model, text=HELLO)
    assert plain["text"] and plain["total"] > 0 and plain["status"] in ("completed", "incomplete")
    got = js.do("stream", model=model, text=HELLO)
    assert got["numbers"] == list(range(len(got["numbers"]))) and got["last"] == "response.completed"
    assert got["text"] and got["helper"] and got["total"] > 0 and got["pieces"] > 1
    if model == APP:
        assert got["text"] == got["helper"] == plain["text"] == HELLO


@pytest.mark.parametrize("streamed", [False, True])
def test_js_tool_loop(js: Client, streamed: bool, tried: Tried) -> None:
    tried(JS, CHECK)
    loop = js.do("tools", model=NATIVE, text=ASK_TIDE, streamed=streamed)
    assert loop["calls"] == [["tide", {"place": PLACE}]]
    assert loop["text"] == f"The tool said: {TIDE} in {PLACE}"


@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_js_parse(js: Client, model: str, tried: Tried) -> None:
    tried(JS, CHECK)
    got = js.do("schema", model=model, text="Which city, and is it far?")
    assert got["name"] in ("Cuxhaven", "Husum") and isinstance(got["far"], bool)


def test_js_items_and_references_to_them(js: Client, tried: Tried) -> None:
    tried(JS, CHECK)
    got = js.do("items", model=DEMO, text=HELLO)
    assert len(got["ids"]) == 1 and got["again"] in ("completed", "incomplete")


def test_js_errors(js: Client, tried: Tried) -> None:
    tried(JS, CHECK)
    assert js.fails("badKey", model=DEMO)["status"] == 401
    gone = js.fails("goesOn", previous="resp_" + "0" * 48)
    assert (gone["status"], gone["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("helper", [False, True])
def test_js_raises_a_break_in_mid_stream(js: Client, served: Farm, helper: bool, tried: Tried) -> None:
    tried(JS, CHECK)
    served.upstream.fail_after(2, "frame")
    got = js.fails("broken", model=NATIVE, text=HELLO, helper=helper)
    assert "APIError" in got["raised"] and "native" in got["text"]


def test_js_leaving_frees_the_seat(js: Client, served: Farm, tried: Tried) -> None:
    tried(JS, CHECK)
    assert js.do("abort", model=ENDLESS, text=HELLO)
    served.until_running(0)
