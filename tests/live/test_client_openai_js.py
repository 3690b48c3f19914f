"""OpenAI's SDK for JavaScript against a real adapter: the demo model, an app, and a server with tools of its own."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.live.processes import adapter

OPENAI_JS = "OpenAI JS"
Tried = Callable[[str, str], None]

CALL = f'<tool_call>{{"name": "tide", "arguments": {{"place": "{PLACE}"}}}}</tool_call>'
FORM = '{"name": "Husum", "far": true}'
ORIGIN = "http://localhost:3000"


@pytest.fixture(scope="module")
def js(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with js_client(sdks(), "openai_js", served, tmp_path_factory.mktemp("js")) as started:
        yield started


def test_the_program_that_connect_prints_runs_as_it_is(served: Farm, tried: Tried, tmp_path: Path) -> None:
    tried(OPENAI_JS, "stream")
    folder = beside(sdks(), tmp_path / "app")
    assert run_snippet("openai-js", served, folder, "--model", NATIVE) == served.upstream.text
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


# --- plain, stream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_a_plain_answer(js: Client, tried: Tried, model: str) -> None:
    tried(OPENAI_JS, "plain")
    got = js.do("plain", model=model, text=HELLO)
    assert got["text"]
    assert got["finish"] in ("stop", "length")
    assert got["usage"]["prompt_tokens"] > 0
    assert got["usage"]["total_tokens"] == got["usage"]["prompt_tokens"] + got["usage"]["completion_tokens"]


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_a_stream_says_what_the_plain_answer_says(js: Client, tried: Tried, model: str) -> None:
    tried(OPENAI_JS, "stream")
    plain = js.do("plain", model=model, text=HELLO)["text"]
    got = js.do("stream", model=model, text=HELLO)
    assert got["text"] == got["helper"] == plain
    assert got["finish"] == "stop"
    assert got["usage"]["completion_tokens"] > 0


def test_a_stream_of_the_demo_model(js: Client, tried: Tried) -> None:
    tried(OPENAI_JS, "stream")
    got = js.do("stream", model=DEMO, text="What is Farmhand?")
    assert got["text"] and got["helper"]
    assert got["finish"] in ("stop", "length")


def test_the_list_of_models(js: Client, tried: Tried) -> None:
    tried(OPENAI_JS, "plain")
    assert {"demo", "m", "embed", "auto"} <= set(js.do("models"))


# --- tools ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_a_call_that_is_required_is_made(js: Client, tried: Tried, model: str, stream: bool) -> None:
    """The demo model's words are noise; a grammar makes them a call."""
    tried(OPENAI_JS, "tools")
    (call,) = js.do("forced", model=model, text=ASK_TIDE, stream=stream)
    assert (call["type"], call["name"], list(call["arguments"])) == ("function", "tide", ["place"])
    assert call["id"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_a_server_that_has_them(js: Client, tried: Tried, stream: bool) -> None:
    tried(OPENAI_JS, "tools")
    got = js.do("runTools", model=NATIVE, text=ASK_TIDE, stream=stream)
    assert got["called"] == [PLACE]
    assert got["last"] == f"The tool said: {TIDE} in {PLACE}"
    assert got["roles"] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_an_app_that_has_none(js: Client, served: Farm, tried: Tried, stream: bool) -> None:
    tried(OPENAI_JS, "tools")
    served.app_says(CALL, f"It is {TIDE}.")
    got = js.do("runTools", model=APP, text=ASK_TIDE, stream=stream)
    assert got["called"] == [PLACE]
    assert got["last"] == f"It is {TIDE}."
    assert TIDE in served.app.runtime.orders[-1].prompt


# --- schema, embeddings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DEMO, NATIVE])
def test_parse_gives_what_the_schema_says(js: Client, tried: Tried, model: str) -> None:
    tried(OPENAI_JS, "schema")
    got = js.do("schema", model=model, text="Which city, and is it far?")
    assert got["name"] in ("Cuxhaven", "Husum")
    assert isinstance(got["far"], bool)


def test_parse_with_an_app_that_knows_no_schema(js: Client, served: Farm, tried: Tried) -> None:
    tried(OPENAI_JS, "schema")
    served.app_says(f"Of course! {FORM}")
    assert js.do("schema", model=APP, text="Which city, and is it far?") == {"name": "Husum", "far": True}


def test_vectors_in_base64_and_as_numbers(js: Client, tried: Tried) -> None:
    tried(OPENAI_JS, "embeddings")
    got = js.do("embed", model="embed", input=["one", "two"])
    assert [len(vector) for vector in got["own"]] == [len(vector) for vector in got["floats"]]
    for own, floats in zip(got["own"], got["floats"], strict=True):
        assert own == pytest.approx(floats, abs=1e-6)
    assert got["own"][0] != got["own"][1]
    assert sum(value * value for value in got["own"][0]) == pytest.approx(1.0, abs=1e-3)
    assert got["usage"]["prompt_tokens"] > 0


# --- errors -----------------------------------------------------------------------------------------------------


def test_a_wrong_key(js: Client, tried: Tried) -> None:
    tried(OPENAI_JS, "errors")
    got = js.fails("badKey", model=DEMO)
    assert (got["raised"][0], got["status"]) == ("AuthenticationError", 401)
    assert "key" in got["text"]


def test_an_unknown_model(js: Client, tried: Tried) -> None:
    tried(OPENAI_JS, "errors")
    got = js.fails("plain", model="demo/dmeo", text="hi")
    assert (got["raised"][0], got["status"], got["code"]) == ("NotFoundError", 404, "model_not_found")
    assert "dmeo" in got["text"]


@pytest.mark.parametrize("check", ["plain", "stream"])
def test_a_context_that_is_too_long(js: Client, tried: Tried, check: str) -> None:
    tried(OPENAI_JS, "errors")
    got = js.fails(check, model=DEMO, text="sheep " * 9_000)
    assert (got["raised"][0], got["status"], got["code"]) == ("BadRequestError", 400, "context_length_exceeded")
    assert "maximum context length is" in got["text"]


def test_a_break_in_mid_stream_is_raised(js: Client, served: Farm, tried: Tried) -> None:
    tried(OPENAI_JS, "errors")
    served.upstream.fail_after(2, "frame")
    got = js.fails("stream", model=NATIVE, text=HELLO)
    assert "APIError" in got["raised"]
    assert "native" in got["text"]


# --- retries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "stream"), [(503, False), (503, True), (429, False)])
def test_it_waits_as_told_and_comes_back(js: Client, served: Farm, tried: Tried, status: int, stream: bool) -> None:
    tried(OPENAI_JS, "retries")
    before = served.answered()
    served.refuse(status, retry_after_s=2)
    got = js.do("retried", model=NATIVE, text=HELLO, stream=stream)
    assert got["value"] == served.upstream.text
    assert got["seconds"] >= 1.9
    assert grew(before, served.answered()) == {status: 1, 200: 1}


# --- abort ------------------------------------------------------------------------------------------------------


def test_a_client_that_leaves_a_stream_frees_its_seat(js: Client, served: Farm, tried: Tried) -> None:
    """The model has one seat, and its answer is endless."""
    tried(OPENAI_JS, "abort")
    assert js.do("abort", model=ENDLESS)["text"] > 0
    served.until_running(0)
    assert js.do("plain", model=ENDLESS, text="hi")["finish"] == "length"


def test_a_client_that_leaves_a_plain_answer_frees_its_seat(js: Client, served: Farm, tried: Tried) -> None:
    tried(OPENAI_JS, "abort")
    got = js.fails("abortPlain", model=ENDLESS, after_s=1)
    assert got["raised"][0] == "APIUserAbortError"
    served.until_running(0)
    assert js.do("plain", model=ENDLESS, text="hi")["finish"] == "length"


# --- Node's silence, browsers -----------------------------------------------------------------------------------

LIMIT_S, SILENCE_S = 5.0, 12.0
QUICK = """
[server]
keepalive_s = 1
status_hold_s = 1
cors_origins = ["{origin}"]

[[engine]]
name = "native"
kind = "openai"
url = "{url}"
"""


@contextmanager
def slow(served: Farm) -> Iterator[None]:
    """The upstream thinks for `SILENCE_S` before each word."""
    served.upstream.token_delay_s = SILENCE_S
    try:
        yield
    finally:
        served.upstream.token_delay_s = 0.0


@pytest.fixture(scope="module")
def alive(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An adapter with a key for all that shows signs of life every second, instead of every five."""
    config = QUICK.format(url=served.upstream.url, origin=ORIGIN) + f'\n[auth]\nkeys = ["{served.adapter.key}"]\n'
    with adapter(tmp_path_factory.mktemp("alive"), config) as started:
        yield started.base_url


def test_nodes_silence_is_broken_by_signs_of_life(js: Client, served: Farm, alive: str, tried: Tried) -> None:
    """Node gives up after 300 s without a byte, here after 5; the upstream says nothing for 12 (`protocols/clients.md` 6)."""
    tried(OPENAI_JS, "stream")
    with slow(served):
        got = js.do("silence", model="native/m", text="Say one word.", limit_s=LIMIT_S, base=alive)
    assert got["value"]
    assert got["seconds"] >= SILENCE_S


def test_without_them_node_gives_up(js: Client, served: Farm) -> None:
    """What the test above would see of a server that keeps silent."""
    with slow(served):
        got = js.fails("silence", model="m", text="Say one word.", limit_s=LIMIT_S, base=served.upstream.url)
    assert {"UND_ERR_BODY_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT"} & {*got["causes"], got["code"]}


def test_a_page_of_a_named_origin_may_call(js: Client, served: Farm, alive: str, tried: Tried) -> None:
    tried("browser (fetch)", "plain")
    got = js.do("browser", origin=ORIGIN, url=alive, key=served.adapter.key, model="native/m")
    assert got["asked"]["access-control-allow-origin"] == got["posted"]["access-control-allow-origin"] == ORIGIN
    assert "POST" in got["asked"]["access-control-allow-methods"]
    allowed = got["asked"]["access-control-allow-headers"].lower().split(",")
    assert {"authorization", "content-type"} <= {name.strip() for name in allowed}
    assert got["posted"]["status"] == 200
    assert got["body"]["choices"][0]["message"]["content"]


def test_a_page_of_any_other_origin_may_not(js: Client, served: Farm, alive: str, tried: Tried) -> None:
    tried("browser (fetch)", "errors")
    got = js.do("browser", origin="http://evil.example", url=alive, key=served.adapter.key, model="native/m")
    assert got["asked"]["status"] == 401  # a browser asks no further
    assert "access-control-allow-origin" not in {**got["asked"], **got["posted"]}


# --- the older generation ---------------------------------------------------------------------------------------


@pytest.fixture
def old(served: Farm, tmp_path: Path) -> Iterator[Client]:
    with js_client(old_sdks(), "openai_js", served, tmp_path, program=node_20()) as started:
        yield started


def test_the_older_generation_on_node_20(old: Client, served: Farm, tried: Tried) -> None:
    """`protocols/clients.md` 1: it sends the same."""
    tried(f"{OPENAI_JS} (Node 20)", "tools")
    assert old.do("plain", model=NATIVE, text=HELLO)["text"] == served.upstream.text
    assert old.do("stream", model=NATIVE, text=HELLO)["text"] == served.upstream.text
    tools = old.do("runTools", model=NATIVE, text=ASK_TIDE, stream=True)
    assert (tools["called"], tools["last"]) == ([PLACE], f"The tool said: {TIDE} in {PLACE}")
    assert old.do("schema", model=DEMO, text="Which city, and is it far?")["name"] in ("Cuxhaven", "Husum")
    assert old.fails("badKey", model=DEMO)["status"] == 401
    old.ask("abort", model=ENDLESS)
    served.until_running(0)
