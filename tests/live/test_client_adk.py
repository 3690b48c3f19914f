"""Google's ADK on both of its paths, over a real adapter and every kind of engine: turns with a tool, and Pitwall's nine agents."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from adapter.connect.parts import EnvFile, Secret, Snippet
from adapter.connect.targets import adk
from adapter.connect.truth import Model, Options, Truth, Where
from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    APP_CALL,
    APP_HARBOUR,
    ASK_TIDE,
    DEMO,
    ENDLESS,
    HELLO,
    NATIVE,
    PHONE,
    PLACE,
    TIDE,
    Client,
    Farm,
    client,
    private_env,
)
from tests.live.kit import python_env

# `protocols/clients.md` 10: without mcp 2 every turn with tools fails on the path of LiteLLM.
ADK = ("google-adk==2.13.0", "litellm<1.106.3", "mcp>=2.2")
PATHS = ["LiteLlm", "Gemini"]
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """LiteLLM asks Hugging Face for a tokenizer for each stream of a model with `llama-3` in its name; without the internet it waits 47 s for that."""
    with client(python_env("adk", *ADK), "run_adk", served, tmp_path_factory.mktemp("home"), HF_HUB_OFFLINE="1") as running:
        yield running


def name(path: str) -> str:
    return f"ADK {path.partition(' ')[0]}"


@pytest.mark.parametrize("path", [*PATHS, "Gemini /v1"])
@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_plain_answer(sdk: Client, path: str, model: str, tried: Tried) -> None:
    tried(name(path), "plain")
    answer = sdk.do("plain", path=path, model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0 and answer["pieces"] == 0
    if model == APP:
        assert answer["text"].endswith(HELLO)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_stream(sdk: Client, path: str, model: str, tried: Tried) -> None:
    tried(name(path), "stream")
    answer = sdk.do("stream", path=path, model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0 and answer["pieces"] > (1 if model == NATIVE else 0)
    if model != DEMO:
        assert answer["text"] == sdk.do("plain", path=path, model=model, text=HELLO)["text"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", [APP, PHONE, NATIVE])
def test_a_turn_with_a_tool(served: Farm, sdk: Client, model: str, path: str, streamed: bool, tried: Tried) -> None:
    """The agent calls the function, and its answer uses what it said."""
    tried(name(path), "tools")
    if model == APP:
        served.app_says(APP_CALL, f"The tool said: {TIDE}")
    answer = sdk.do("tools", path=path, model=model, text=ASK_TIDE, result=TIDE, streamed=streamed)
    assert answer["calls"] == [["tide", {"place": PLACE}]]
    assert answer["text"].startswith("The tool said: ") and TIDE in answer["text"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_by_grammar(sdk: Client, streamed: bool, tried: Tried) -> None:
    """The embedded engine holds the demo model to the call that ADK's `tool_config` demands."""
    tried("ADK Gemini", "tools")
    answer = sdk.do("forced", path="Gemini", model=DEMO, text=ASK_TIDE, streamed=streamed)
    assert answer["calls"] and all(call[0] == "tide" and call[1]["place"] in checks.PLACES for call in answer["calls"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, path: str, tried: Tried) -> None:
    tried(name(path), "schema")
    if model == APP:
        served.app_says(APP_HARBOUR["json_schema"])
    checks.harbour(sdk.do("schema", path=path, model=model, text="Describe the harbour.", streamed=model == NATIVE))


@pytest.mark.parametrize(
    ("path", "key", "missing"),
    [("LiteLlm", "AuthenticationError", "NotFoundError"), ("Gemini", "UNAUTHENTICATED", "NOT_FOUND")],
)
def test_errors_reach_the_person(sdk: Client, path: str, key: str, missing: str, tried: Tried) -> None:
    tried(name(path), "errors")
    failed = sdk.fails("wrong_key", path=path)
    assert key in failed["text"] and "Incorrect API key" in failed["text"], failed["traceback"]
    failed = sdk.fails("plain", path=path, model="dmo", text=HELLO)
    assert missing in failed["text"] and "'dmo' does not exist" in failed["text"], failed["traceback"]
    failed = sdk.fails("plain", path=path, model=DEMO, text="many words " * 20_000)
    assert "maximum context length is 2048 tokens" in failed["text"], failed["traceback"]


@pytest.mark.parametrize("path", PATHS)
def test_a_broken_stream_is_no_answer(served: Farm, sdk: Client, path: str, tried: Tried) -> None:
    """ADK makes an event of it, with the server's words, and no final answer of the text so far."""
    tried(name(path), "errors")
    served.upstream.fail_after(3, "cut")
    failed = sdk.fails("stream", path=path, model=NATIVE, text=HELLO)
    assert "broke its answer off in the middle" in failed["text"], failed["traceback"]


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("path", PATHS)
def test_it_tries_again(served: Farm, sdk: Client, path: str, status: int, tried: Tried) -> None:
    tried(name(path), "retries")
    served.refuse(status, times=2)
    before = len(served.upstream.generations)
    assert sdk.do("retried", path=path, model=NATIVE, text=HELLO)["text"].startswith("w0 w1")
    assert len(served.upstream.generations) - before == 3


@pytest.mark.parametrize("path", PATHS)
def test_leaving_frees_the_seat(served: Farm, sdk: Client, path: str, tried: Tried) -> None:
    tried(name(path), "abort")
    assert sdk.do("begin", path=path, model=ENDLESS, text=HELLO)
    served.until_running(1)
    sdk.do("leave")
    served.until_running(0)


@pytest.mark.parametrize("path", PATHS)
def test_nine_agents_at_once(served: Farm, sdk: Client, path: str, tried: Tried) -> None:
    """The app bears one answer at a time (`protocols/pitwall.md` 5): it gets eighteen, one after the other, and nobody is turned away."""
    tried(name(path), "nine agents")
    before, overlaps = len(served.phone.requests), served.phone.overlaps
    answer = sdk.do("nine", path=path, model=PHONE)
    chats = [seen for seen in served.phone.requests[before:] if seen.path.endswith("/chat/completions")]
    assert len(chats) == 18 and served.phone.overlaps == overlaps
    assert answer["calls"] == [["tide", {"place": PLACE}]] * 9
    assert len(answer["texts"]) == 9 and all("high water of Cuxhaven" in text for text in answer["texts"].values())


@pytest.mark.parametrize("path", PATHS)
def test_what_farmhand_connect_prints_runs(served: Farm, path: str, tmp_path: Path, tried: Tried) -> None:
    """`farmhand connect adk`: the agent of each path, as it is to be pasted, with the variables of its file."""
    tried(name(path), "connect")
    model = Model(NATIVE, "native", 8192, 1024, frozenset({"chat", "tools"}))
    truth = Truth(served.adapter.base_url, model, (model,), served.adapter.key)
    env, *snippets = adk.connection(truth, Where(tmp_path, tmp_path, tmp_path, {}), Options()).parts
    (snippet,) = (part for part in snippets if isinstance(part, Snippet) and f"{path}(" in part.text)
    program = tmp_path / "agent.py"
    program.write_text(snippet.text)
    assert isinstance(env, EnvFile)
    variables = {key: value.value if isinstance(value, Secret) else str(value) for key, value in env.variables}
    done = subprocess.run(
        [str(python_env("adk", *ADK)), str(program)],
        check=False, capture_output=True, text=True, timeout=180, cwd=tmp_path, env={**os.environ, **private_env(tmp_path), **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "tide" in done.stdout and "The tool said: " in done.stdout and "14:05" in done.stdout, done.stdout
