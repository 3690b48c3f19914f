"""Vercel's AI SDK against a real adapter: the demo model, an app, and a server with tools of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="needs llama-cpp-python; install the extra `llama`")

from tests.live.client_cases import (
    APP,
    ASK_TIDE,
    DEMO,
    ENDLESS,
    HELLO,
    NATIVE,
    PLACE,
    TIDE,
    Client,
    Farm,
    grew,
)
from tests.live.js_cases import beside, js_client, node_20, old_sdks, run_snippet, sdks

AI_SDK = "Vercel AI"
Tried = Callable[[str, str], None]

CALL = f'<tool_call>{{"name": "tide", "arguments": {{"place": "{PLACE}"}}}}</tool_call>'
FORM = '{"name": "Husum", "far": true}'
DESCRIBED = 'Which city, and is it far? Answer as JSON: {"name": "Cuxhaven" or "Husum", "far": true or false}.'


@pytest.fixture(scope="module")
def js(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with js_client(sdks(), "ai_sdk", served, tmp_path_factory.mktemp("js")) as started:
        yield started


def test_the_program_that_connect_prints_runs_as_it_is(served: Farm, tried: Tried, tmp_path: Path) -> None:
    """Text from the model, then a vector from the first that makes such."""
    tried(AI_SDK, "stream")
    said = run_snippet("ai-sdk", served, beside(sdks(), tmp_path / "app"), "--model", NATIVE)
    assert re.fullmatch(rf"{served.upstream.text}\n\d+ numbers\n", said)


# --- plain, stream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_a_plain_answer(js: Client, tried: Tried, model: str) -> None:
    tried(AI_SDK, "plain")
    got = js.do("plain", model=model, text=HELLO)
    assert got["text"]
    assert got["finish"] in ("stop", "length")
    assert got["usage"]["inputTokens"] > 0
    assert got["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_a_stream_says_what_the_plain_answer_says(js: Client, tried: Tried, model: str) -> None:
    """With `includeUsage`, without which it knows no tokens."""
    tried(AI_SDK, "stream")
    plain = js.do("plain", model=model, text=HELLO)
    got = js.do("stream", model=model, text=HELLO)
    assert (got["text"], got["finish"]) == (plain["text"], "stop")
    assert got["usage"]["inputTokens"] == plain["usage"]["inputTokens"]
    assert got["usage"]["outputTokens"] > 0


def test_a_stream_of_the_demo_model(js: Client, tried: Tried) -> None:
    tried(AI_SDK, "stream")
    got = js.do("stream", model=DEMO, text="What is Farmhand?")
    assert got["text"]
    assert got["finish"] in ("stop", "length")


# --- tools ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_a_call_that_is_required_is_made(js: Client, tried: Tried, model: str, stream: bool) -> None:
    """The demo model's words are noise; a grammar makes them a call, and the SDK checks it by its schema."""
    tried(AI_SDK, "tools")
    got = js.do("forced", model=model, text=ASK_TIDE, stream=stream)
    (call,) = got["calls"]
    assert (call["toolName"], call.get("invalid")) == ("tide", None)
    assert got["called"] == [call["input"]["place"]]


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_a_server_that_has_them(js: Client, tried: Tried, stream: bool) -> None:
    tried(AI_SDK, "tools")
    got = js.do("loop", model=NATIVE, text=ASK_TIDE, stream=stream)
    assert got["called"] == [PLACE]
    assert got["last"].endswith(f"The tool said: {TIDE} in {PLACE}")
    assert got["steps"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_an_app_that_has_none(js: Client, served: Farm, tried: Tried, stream: bool) -> None:
    tried(AI_SDK, "tools")
    served.app_says(CALL, f"It is {TIDE}.")
    got = js.do("loop", model=APP, text=ASK_TIDE, stream=stream)
    assert got["called"] == [PLACE]
    assert got["last"].endswith(f"It is {TIDE}.")
    assert got["steps"] == 2


# --- schema, embeddings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["object", "output"])
@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_an_object_by_its_schema(js: Client, tried: Tried, model: str, check: str) -> None:
    tried(AI_SDK, "schema")
    got = js.do(check, model=model, text="Which city, and is it far?", structured=True)
    assert got["name"] in ("Cuxhaven", "Husum")
    assert isinstance(got["far"], bool)


@pytest.mark.parametrize("structured", [True, False])
def test_an_object_of_an_app_that_knows_no_schema(js: Client, served: Farm, tried: Tried, structured: bool) -> None:
    """Without `supportsStructuredOutputs` it asks for JSON alone, and the schema is in the prompt or nowhere."""
    tried(AI_SDK, "schema")
    served.app_says(f"Of course! {FORM}")
    got = js.do("object", model=APP, text=DESCRIBED, structured=structured)
    assert got == {"name": "Husum", "far": True}


def test_without_the_schema_on_the_wire_json_is_all_that_is_promised(js: Client, served: Farm, tried: Tried) -> None:
    """A JSON object comes, and it is the SDK that finds it wrong: no reason for the server to invent a schema."""
    tried(AI_SDK, "schema")
    got = js.fails("object", model=NATIVE, text="Which city, and is it far?", structured=False)
    assert served.upstream.generations[-1].json["response_format"] == {"type": "json_object"}
    assert got["raised"][0] == "NoObjectGeneratedError"
    assert "did not match schema" in got["text"]


def test_vectors(js: Client, tried: Tried) -> None:
    tried(AI_SDK, "embeddings")
    got = js.do("embed", model="embed", input=["one", "two", "one"])
    one, two, again = got["embeddings"]
    assert one == pytest.approx(again, abs=1e-6)
    assert one != pytest.approx(two, abs=1e-3)
    assert sum(value * value for value in one) == pytest.approx(1.0, abs=1e-3)
    assert got["usage"]["tokens"] > 0


# --- errors -----------------------------------------------------------------------------------------------------


def test_a_wrong_key(js: Client, tried: Tried) -> None:
    tried(AI_SDK, "errors")
    got = js.fails("badKey", model=DEMO)
    assert (got["raised"][0], got["status"]) == ("APICallError", 401)
    assert "key" in got["text"]


def test_an_unknown_model(js: Client, tried: Tried) -> None:
    tried(AI_SDK, "errors")
    got = js.fails("plain", model="demo/dmeo", text="hi")
    assert got["status"] == 404
    assert "dmeo" in got["text"]


@pytest.mark.parametrize("check", ["plain", "streamFails"])
def test_a_context_that_is_too_long(js: Client, tried: Tried, check: str) -> None:
    tried(AI_SDK, "errors")
    got = js.fails(check, model=DEMO, text="sheep " * 9_000)
    assert got["status"] == 400
    assert "maximum context length is" in got["text"]


def test_a_break_in_mid_stream_is_told(js: Client, served: Farm, tried: Tried) -> None:
    tried(AI_SDK, "errors")
    served.upstream.fail_after(2, "frame")
    got = js.fails("streamFails", model=NATIVE, text=HELLO)
    assert "native" in got["text"]


# --- retries, abort ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "stream"), [(503, False), (503, True), (429, False)])
def test_it_waits_as_told_and_comes_back(js: Client, served: Farm, tried: Tried, status: int, stream: bool) -> None:
    """3 s, because 2 are its own first pause."""
    tried(AI_SDK, "retries")
    before = served.answered()
    served.refuse(status, retry_after_s=3)
    got = js.do("retried", model=NATIVE, text=HELLO, stream=stream)
    assert got["value"] == served.upstream.text
    assert got["seconds"] >= 2.9
    assert grew(before, served.answered()) == {status: 1, 200: 1}


def test_a_client_that_leaves_a_stream_frees_its_seat(js: Client, served: Farm, tried: Tried) -> None:
    """The model has one seat, and its answer is endless."""
    tried(AI_SDK, "abort")
    got = js.do("abort", model=ENDLESS)
    assert got["text"] > 0
    assert got["aborted"]
    served.until_running(0)
    assert js.do("plain", model=ENDLESS, text="hi")["finish"] == "length"


def test_a_client_that_leaves_a_plain_answer_frees_its_seat(js: Client, served: Farm, tried: Tried) -> None:
    tried(AI_SDK, "abort")
    js.fails("abortPlain", model=ENDLESS, after_s=1)
    served.until_running(0)
    assert js.do("plain", model=ENDLESS, text="hi")["finish"] == "length"


# --- the older generation ---------------------------------------------------------------------------------------


@pytest.fixture
def old(served: Farm, tmp_path: Path) -> Iterator[Client]:
    with js_client(old_sdks(), "ai_sdk", served, tmp_path, program=node_20()) as started:
        yield started


def test_the_older_generation_on_node_20(old: Client, served: Farm, tried: Tried) -> None:
    """`protocols/clients.md` 1: it sends the same."""
    tried(f"{AI_SDK} (Node 20)", "tools")
    assert old.do("plain", model=NATIVE, text=HELLO)["text"] == served.upstream.text
    assert old.do("stream", model=NATIVE, text=HELLO)["text"] == served.upstream.text
    tools = old.do("loop", model=NATIVE, text=ASK_TIDE, stream=True)
    assert (tools["called"], tools["steps"]) == ([PLACE], 2)
    assert old.do("object", model=DEMO, text="Which city, and is it far?", structured=True)["name"] in ("Cuxhaven", "Husum")
    assert old.fails("badKey", model=DEMO)["status"] == 401
    old.ask("abort", model=ENDLESS)
    served.until_running(0)
