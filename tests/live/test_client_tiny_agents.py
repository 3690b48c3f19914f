"""Hugging Face's tiny-agents, from the configuration that `farmhand connect tiny-agents` writes."""

from __future__ import annotations

import json
import stat
import sys
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
from tests.live.js_cases import (
    SCRIPTS,
    TINY_AGENTS,
    TINY_AGENTS_PY,
    bare_env,
    beside,
    connect,
    js_client,
    program,
)
from tests.live.kit import node, node_env, python_env
from tests.live.processes import REPO, running

TINY = "tiny-agents"
Tried = Callable[[str, str], None]
START_S = 60.0

CALL = f'<tool_call>{{"name": "tide", "arguments": {{"place": "{PLACE}"}}}}</tool_call>'


@pytest.fixture(scope="module")
def kit() -> Path:
    return node_env("tiny-agents", *TINY_AGENTS)


@pytest.fixture(scope="module")
def agent_json(served: Farm, kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the command leaves a file that had servers and another provider in it."""
    folder = beside(kit, tmp_path_factory.mktemp("agent"))
    (folder / "tide_server.mjs").write_text((SCRIPTS / "tide_server.mjs").read_text())
    server = {"type": "stdio", "command": str(node()), "args": [str(folder / "tide_server.mjs")]}
    path = folder / "agent.json"
    path.write_text(json.dumps({"model": "Qwen/Qwen2.5-72B-Instruct", "provider": "auto", "servers": [server]}))
    connect("tiny-agents", served, folder, "--model", NATIVE)
    return path


@pytest.fixture(scope="module")
def agent(served: Farm, kit: Path, agent_json: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with js_client(kit, "tiny_agents", served, tmp_path_factory.mktemp("js"), AGENT_JSON=str(agent_json)) as started:
        yield started


def javascript(kit: Path) -> list[str]:
    return [str(node()), str(kit / "node_modules" / "@huggingface" / "tiny-agents" / "dist" / "cli.js"), "run"]


def python(kit: Path) -> list[str]:
    return [str(python_env("py-tiny-agents", *TINY_AGENTS_PY).with_name("tiny-agents")), "run"]


@pytest.mark.parametrize(("client", "program"), [(TINY, javascript), ("tiny-agents (Python)", python)])
def test_the_program_runs_an_agent_from_what_connect_wrote(
    served: Farm, kit: Path, agent_json: Path, tried: Tried, client: str, program: Callable[[Path], list[str]]
) -> None:
    """The command line itself, with a tool of the person's own server; nothing but the file tells it where to go."""
    tried(client, "tools")
    assert stat.S_IMODE(agent_json.stat().st_mode) == 0o600
    bare = ["env", "-i", *(f"{name}={value}" for name, value in bare_env(agent_json.parent).items())]
    with running([*bare, *program(kit), str(agent_json)], stdin=True) as started:
        started.wait_for(r"(?s)Agent loaded with 1 tools:.{0,40}\btide", START_S)
        assert started.process.stdin is not None
        started.process.stdin.write(f"{ASK_TIDE}\n")
        started.process.stdin.flush()
        started.wait_for(rf"{TIDE} in {PLACE}", START_S)
        started.wait_for(rf"The tool said: {TIDE} in {PLACE}", START_S)
    offered = [[tool["function"]["name"] for tool in seen.json["tools"]] for seen in served.upstream.generations]
    assert set(offered[-1]) == {"task_complete", "ask_question", "tide"}


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_it_answers(agent: Client, tried: Tried, model: str) -> None:
    """It only streams."""
    tried(TINY, "stream")
    assert agent.do("stream", model=model, text=HELLO)["text"]


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_a_tool_is_called_and_its_result_used(agent: Client, served: Farm, tried: Tried, model: str) -> None:
    tried(TINY, "tools")
    if model == APP:
        served.app_says(CALL, f"The tool said: {TIDE} in {PLACE}", "Anything else?")
    got = agent.do("stream", model=model, text=ASK_TIDE)
    assert got["calls"] == ["tide"]
    assert got["results"] == [f"{TIDE} in {PLACE}"]
    assert got["text"].startswith(f"The tool said: {TIDE} in {PLACE}")


def test_after_a_tool_it_asks_once_more_and_its_seat_is_free(agent: Client, served: Farm, tried: Tried) -> None:
    """Of the third answer it reads two chunks and lets go of the body without closing it (its `request.js`)."""
    tried(TINY, "abort")
    before = len(served.upstream.generations)
    agent.do("stream", model=NATIVE, text=ASK_TIDE)
    served.until_running(0)
    assert len(served.upstream.generations) - before == 3


def test_a_person_who_interrupts_frees_the_seat(agent: Client, served: Farm, tried: Tried) -> None:
    tried(TINY, "abort")
    before = served.answered()
    got = agent.ask("abort", model=ENDLESS)
    # Either the agent or `fetch` below it sees it first; only the latter is told.
    assert got["value"]["text"] if "value" in got else "abort" in got["text"].lower()
    served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apiKey": "sk-nobody"}, "key"),
        ({"model": "demo/dmeo"}, "dmeo"),
        ({"text": "sheep " * 9_000, "model": DEMO}, "maximum context length is"),
    ],
)
def test_what_went_wrong_reaches_the_person(agent: Client, tried: Tried, changes: dict[str, str], said: str) -> None:
    tried(TINY, "errors")
    got = agent.fails("stream", **{"text": "hi", **changes})
    assert said in got["text"]


def test_it_asks_at_once_where_it_was_told_to_wait(agent: Client, served: Farm, tried: Tried) -> None:
    """503 is repeated without a pause and without an end, `Retry-After` or not; any other status is not."""
    tried(TINY, "retries")
    before = served.answered()
    served.refuse(503, times=5, retry_after_s=30)
    got = agent.do("timed", model=NATIVE, text=HELLO)
    assert got["value"]["text"] == served.upstream.text
    assert grew(before, served.answered()) == {503: 5, 200: 1}
    assert got["seconds"] < 30


def test_a_key_with_a_rate_ends_that(agent: Client, served: Farm, tried: Tried) -> None:
    """What `farmhand connect tiny-agents` advises. It takes a 429 for final."""
    tried(TINY, "retries")
    command = [sys.executable, "-m", "adapter", "token", "new", "agent", "--rate", "5/min"]
    token = program(command, served.adapter.home, REPO, FARMHAND_HOME=str(served.adapter.home)).strip()
    before = served.answered()
    served.refuse(503, times=50)
    got = agent.fails("stream", model=NATIVE, text=HELLO, apiKey=token)
    served.upstream.orders.refusals.clear()
    assert "5/min" in got["text"]
    assert grew(before, served.answered()) == {503: 5, 429: 1}
