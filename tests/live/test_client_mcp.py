"""`farmhand mcp` as clients start it: real processes, real pipes, the real client of the `mcp` library; and LiteLLM's own search client."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.openai_server import Call, FakeOpenAI, Reply
from tests.fakes.searxng import FakeSearxng
from tests.fakes.website import Website
from tests.live.kit import python_env
from tests.live.processes import REPO, running
from tests.wire.server import KEY, running_adapter

# What farmhand itself needs stands beside it, so that its clone runs there from PYTHONPATH.
FARMHAND = ("aiohttp>=3.14.2", "pydantic>=2.12.5", "sh>=2.2.2", "segno>=1.6.6")
# lxml-html-clean: trafilatura's justext wants it of lxml under a name that older pips do not find.
MCP = ("mcp>=2.2,<3", "trafilatura>=2.3", "lxml-html-clean", *FARMHAND)
# As in `js_cases.py`.
TINY_AGENTS = ("huggingface_hub[mcp]==2.4.0", "mcp==1.30.0")
SCRIPTS = Path(__file__).parent / "clients_py"
# The server's imports and the first page's, on a machine that does other things as well.
START_S = 120.0
END_S = 30.0
PATIENT = aiohttp.ClientTimeout(total=60)
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def python() -> Path:
    return python_env("mcp", *MCP)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Nothing of the user's is read."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "FARMHAND_HOME": str(tmp_path / "state"), "PYTHONPATH": str(REPO)}


def configured(tmp_path: Path, url: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(f'[search]\nurl = "{url}"\nallow_private = ["127.0.0.1"]\n[server]\nport = 0\n')
    return str(path)


@asynccontextmanager
async def process(*command: str | Path, env: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 24, env={"PATH": os.environ["PATH"], **env}
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


def server_command(python: Path, *flags: str) -> list[str]:
    return [str(python), "-m", "adapter", "mcp", *flags]


@asynccontextmanager
async def client(
    python: Path, env: Mapping[str, str], jobs: Sequence[Mapping[str, Any]], *flags: str
) -> AsyncIterator[tuple[Callable[[], Any], asyncio.subprocess.Process]]:
    """(what gives the next line of the client, its process)."""
    command = json.dumps(server_command(python, *flags))
    async with process(python, SCRIPTS / "run_mcp.py", command, json.dumps(jobs), env=env) as started:

        async def line() -> dict[str, Any]:
            assert started.stdout is not None and started.stderr is not None
            async with asyncio.timeout(START_S):
                raw = await started.stdout.readline()
            if not raw:
                pytest.fail((await started.stderr.read()).decode()[-3_000:])
            value: dict[str, Any] = json.loads(raw)
            return value

        assert await line() == {"server": "farmhand", "tools": True}
        yield line, started
        async with asyncio.timeout(END_S):
            assert await started.wait() == 0


async def jobs_done(python: Path, env: Mapping[str, str], jobs: Sequence[Mapping[str, Any]], *flags: str) -> list[dict[str, Any]]:
    async with client(python, env, jobs, *flags) as (line, _):
        return [await line() for _ in jobs]


def fetch(url: str, **more: Any) -> dict[str, Any]:
    return {"call": "web_fetch", "arguments": {"url": url, **more}}


async def test_the_tools_work_over_the_real_client(python: Path, home: dict[str, str], tmp_path: Path, tried: Tried) -> None:
    tried("mcp", "tools")
    async with Website() as site, FakeSearxng() as searxng:
        listed, page, packed, rest, found, dotted = await jobs_done(
            python,
            home,
            [
                {"list": True},
                fetch(site.url + "/moved"),
                fetch(site.url + "/gzip", max_chars=500),
                fetch(site.url + "/gzip", offset=500),
                {"call": "search_web", "arguments": {"query": "farm"}},
                {"call": "search.web", "arguments": {"query": "farm", "max_results": 1}},
            ],
            "--config",
            configured(tmp_path, searxng.url),
        )
    assert [(tool["name"], tool["inputSchema"]["required"]) for tool in listed["tools"]] == [("web_fetch", ["url"]), ("search_web", ["query"])]
    assert page["text"].startswith(f"Title: The farm & the hand\nURL: {site.url}/article\n\n") and not page["failed"]
    assert "Part 8. The farmhand feeds" in page["text"] and "hay" in page["text"]
    assert not any(word in page["text"] for word in ("Log in", "hidden", "Imprint", "<p>"))
    assert "call again with offset 500" in packed["text"] and "the end." in rest["text"]
    whole = page["text"].partition("\n\n")[2]
    assert packed["text"].partition("\n\n")[2] + rest["text"].partition("\n\n")[2] == whole
    assert found["text"].startswith("1. Farm - Wikipedia (2024-05-01)\n   https://en.wikipedia.org/wiki/Farm")
    assert dotted["text"].count("https://") == 1


async def test_errors_are_answers_of_tools(python: Path, home: dict[str, str], tmp_path: Path, tried: Tried) -> None:
    tried("mcp", "errors")
    async with Website() as site, FakeSearxng(quirks={"html_only"}) as searxng:
        jobs = [
            fetch("http://192.168.1.1/"),
            fetch("http://127.0.0.2:" + str(site.port)),
            fetch(site.url + "/to-metadata"),
            fetch(site.url + "/pdf"),
            fetch(site.url + "/loop"),
            fetch("nonsense"),
            {"call": "search_web", "arguments": {"query": "farm"}},
            {"call": "search_web", "arguments": {}},
            {"call": "rm", "arguments": {}},
            fetch(site.url + "/text"),
        ]
        answers = await jobs_done(python, home, jobs, "--config", configured(tmp_path, searxng.url), "--dotted")
    said = [
        "private network", "127.0.0.2 is not on", "169.254.169.254 is not on", "a PDF", "more than 5 times", "Only http", "formats: [html, json]",
        "'query' is missing", "There is no tool 'rm'",
    ]  # fmt: skip
    assert [answer["failed"] for answer in answers] == [True] * len(said) + [False]
    for words, answer in zip(said, answers, strict=False):
        assert words in answer["text"]
    assert answers[-1]["text"].endswith("plain words"), "it goes on after every error"


async def test_a_call_that_is_called_off_lets_go_of_the_page(python: Path, home: dict[str, str], tried: Tried) -> None:
    tried("mcp", "abort")
    async with Website() as site:
        jobs = [{**fetch(site.url + "/drip"), "cancel": True}, fetch(site.url + "/text")]
        async with client(python, home, jobs, "--allow-private", "127.0.0.1") as (line, started):
            async with asyncio.timeout(START_S):
                await site.asked.wait()
            assert started.stdin is not None and not site.left.is_set()
            started.stdin.write(b"now\n")
            assert await line() == {"cancelled": True}
            async with asyncio.timeout(10):  # its own limit is 30 s
                await site.left.wait()
            assert (await line())["text"].endswith("plain words")


def message(number: int, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


HELLO = message(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"})
READY = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


@pytest.mark.parametrize("busy", [False, True])
async def test_standard_output_is_the_protocol_and_the_end_of_input_the_end(python: Path, home: dict[str, str], busy: bool) -> None:
    """busy: a page is being fetched when the client goes away."""
    async with Website() as site, process(*server_command(python, "--allow-private", "127.0.0.1", "--dotted"), env=home) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        calls = [("/pdf", 2), ("/article", 3), *([("/drip", 4)] if busy else [])]
        server.stdin.write(HELLO + READY + b"this is no JSON\n")
        server.stdin.write(b"".join(message(number, "tools/call", name="web.fetch", arguments={"url": site.url + path}) for path, number in calls))
        server.stdin.write(message(9, "tools/list"))
        answers: dict[Any, Any] = {}
        async with asyncio.timeout(START_S):
            while not {1, 2, 3, 9} <= answers.keys():
                line = json.loads(await server.stdout.readline())
                assert line["jsonrpc"] == "2.0"
                answers[line.get("id")] = line
            if busy:
                await site.until("GET /drip")
        server.stdin.close()
        async with asyncio.timeout(END_S):
            rest = await server.stdout.read()
            assert await server.wait() == 0
            log = (await server.stderr.read()).decode()
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert [tool["name"] for tool in answers[9]["result"]["tools"]] == ["web.fetch", "search.web"]
    assert answers[2]["result"]["isError"] is True and not answers[3]["result"].get("isError")
    assert "clean text by trafilatura" in log and "Traceback" not in log
    assert site.left.is_set() is busy


async def test_a_page_that_is_being_cleaned_does_not_hold_up_the_end(python: Path, home: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "trafilatura.py").write_text(
        "import sys, time\n\ndef extract(*args, **more):\n    sys.stderr.write('cleaning\\n')\n    sys.stderr.flush()\n    time.sleep(600)\n"
    )
    env = {**home, "PYTHONPATH": f"{folder}{os.pathsep}{REPO}"}
    async with Website() as site, process(*server_command(python, "--allow-private", "127.0.0.1"), env=env) as server:
        assert server.stdin is not None and server.stderr is not None
        server.stdin.write(HELLO + READY + message(2, "tools/call", name="web_fetch", arguments={"url": site.url + "/article"}))
        async with asyncio.timeout(START_S):
            while await server.stderr.readline() not in (b"cleaning\n", b""):
                pass
        assert server.returncode is None
        server.stdin.close()
        async with asyncio.timeout(END_S):
            assert await server.wait() == 0


async def refused_start(python: Path, env: Mapping[str, str], *flags: str) -> str:
    """What it says instead of starting."""
    async with process(*server_command(python, *flags), env=env) as server:
        async with asyncio.timeout(START_S):
            out, err = await server.communicate()
    assert (server.returncode, out) == (1, b"")
    return err.decode()


async def test_what_keeps_it_from_starting_is_one_sentence(python: Path, home: dict[str, str]) -> None:
    type_it = "type: .venv/bin/pip install -e '.[mcp]'  (in the folder of Farmhand)\n"
    # Where the tests run it is not installed; and tiny-agents wants the library's first generation.
    missing = await refused_start(Path(sys.executable), home)
    assert missing == f"farmhand: mcp needs the library of that name, which is not installed; {type_it}"
    old = await refused_start(python_env("py-tiny-agents", *TINY_AGENTS), home)
    assert old == f"farmhand: mcp needs version 2.2 or newer of the library of that name, and 1.30.0 is installed; {type_it}"
    assert "'router' is no address" in await refused_start(python, home, "--allow-private", "router")
    assert "no such configuration file" in await refused_start(python, home, "--config", "/nowhere/config.toml")


async def test_without_trafilatura_pages_are_still_clean(python: Path, home: dict[str, str], tmp_path: Path) -> None:
    """As on a phone, where its lxml may be missing: an import that fails stands in for that."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "trafilatura.py").write_text("raise ImportError('lxml.html.clean is now a separate project', name='lxml.html.clean')")
    env = {**home, "PYTHONPATH": f"{folder}{os.pathsep}{REPO}"}
    async with Website() as site:
        (page,) = await jobs_done(python, env, [fetch(site.url + "/article")], "--allow-private", "127.0.0.1")
    assert "Part 8. The farmhand feeds" in page["text"] and not any(word in page["text"] for word in ("Log in", "hidden", "Imprint", "<p>"))


async def test_readability_is_taken_where_it_is_the_one_installed(home: dict[str, str]) -> None:
    python = python_env("mcp-readability", "mcp>=2.2,<3", "readability-lxml>=0.8.4", "lxml-html-clean", *FARMHAND)
    async with Website() as site, process(*server_command(python, "--allow-private", "127.0.0.1"), env=home) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        server.stdin.write(HELLO + READY + message(2, "tools/call", name="web_fetch", arguments={"url": site.url + "/article"}))
        async with asyncio.timeout(START_S):
            lines = [json.loads(await server.stdout.readline()) for _ in range(2)]
        server.stdin.close()
        async with asyncio.timeout(END_S):
            assert await server.wait() == 0
            log = (await server.stderr.read()).decode()
    text = lines[1]["result"]["content"][0]["text"]
    assert "clean text by readability" in log and "Part 8. The farmhand feeds" in text and "Imprint" not in text


def reads_the_page(url: str) -> Callable[[dict[str, Any]], Reply]:
    """A model that fetches the page, and says afterwards what it has of it."""

    def reply(body: dict[str, Any]) -> Reply:
        last = body["messages"][-1]
        if last["role"] != "tool":
            return Reply([], [Call("web_fetch", json.dumps({"url": url, "max_chars": 300}))], finish="tool_calls")
        return Reply([f"The page: {line}" for line in str(last["content"]).splitlines() if "Title" in line])

    return reply


async def test_an_agent_reads_a_page_through_us(python: Path, home: dict[str, str], tmp_path: Path, tried: Tried) -> None:
    """tiny-agents (Python) with `farmhand mcp` as its server and the adapter as its model: it hands tools' names on as they are."""
    tried("tiny-agents (Python)", "mcp")
    program = python_env("py-tiny-agents", *TINY_AGENTS).with_name("tiny-agents")
    command = server_command(python, "--allow-private", "127.0.0.1")
    async with Website() as site, FakeOpenAI(reply=reads_the_page(site.url + "/article")) as upstream:
        engine = {"name": "up", "kind": "openai", "url": upstream.url, "tools": "native", "context_tokens": 8_192}
        async with running_adapter(engine=[engine]) as adapter:
            server = {"type": "stdio", "command": command[0], "args": command[1:], "env": home}
            agent = {"model": "up/m", "endpointUrl": f"{adapter.url}/v1", "apiKey": KEY, "servers": [server]}
            (tmp_path / "agent.json").write_text(json.dumps(agent))
            env = {"HOME": str(tmp_path), "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
            async with process(program, "run", tmp_path / "agent.json", env=env) as started:
                assert started.stdin is not None
                await printed(started, "Agent loaded with 2 tools")
                started.stdin.write(b"What is on the farm?\n")
                await printed(started, "The page: Title: The farm & the hand")
    offered = {tool["function"]["name"] for seen in upstream.requests if seen.method == "POST" for tool in seen.json["tools"]}
    assert offered >= {"web_fetch", "search_web"}
    assert [request for request, _ in site.seen] == ["GET /article"]


async def printed(started: asyncio.subprocess.Process, words: str) -> None:
    assert started.stdout is not None and started.stderr is not None
    seen = ""
    async with asyncio.timeout(START_S):
        while words not in seen:
            more = await started.stdout.read(4_096)
            if not more:
                pytest.fail(f"{words!r} did not appear:\n{seen}\n{(await started.stderr.read()).decode()[-3_000:]}")
            seen += more.decode(errors="replace")


async def test_litellm_searches_through_us(tried: Tried, tmp_path: Path) -> None:
    tried("LiteLLM SDK", "search")
    python = python_env("litellm", "litellm[proxy]==1.106.2")
    env = {"HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    async with FakeSearxng() as searxng, running_adapter(search={"url": searxng.url}) as adapter:
        command = (python, SCRIPTS / "run_search.py", adapter.url + "/v1", KEY, "farm")
        async with process(*command, env=env) as program, asyncio.timeout(START_S):
            out, err = await program.communicate()
    assert program.returncode == 0, err.decode()[-3_000:]
    got = json.loads(out.splitlines()[-1])
    assert got["object"] == "search" and [result["title"] for result in got["results"]] == ["Farm - Wikipedia", "Farming news"]
    assert got["results"][0].keys() >= {"title", "url", "snippet", "date", "last_updated"}
    assert got["several"] == ["https://example.com/untitled", "https://tools.example.com/a"]
    assert "'max_results' must be from 1 to 20; got 50." in got["error"]
    assert searxng.seen[0] == {"q": "farm", "format": "json", "language": "de-DE"}




PROXY = """
model_list: []
search_tools:
  - search_tool_name: web
    litellm_params: {search_provider: perplexity, api_base: os.environ/NEURAL_FARM_BASE_URL, api_key: os.environ/NEURAL_FARM_API_KEY}
general_settings: {master_key: sk-proxy-0123456789}
litellm_settings: {telemetry: false}
"""


async def test_the_litellm_proxy_searches_through_us(tmp_path: Path, tried: Tried) -> None:
    tried("LiteLLM proxy", "search")
    program = python_env("litellm", "litellm[proxy]==1.106.2").with_name("litellm")
    (tmp_path / "config.yaml").write_text(PROXY)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with FakeSearxng() as searxng, running_adapter(search={"url": searxng.url}) as adapter:
        places = {"NEURAL_FARM_BASE_URL": f"{adapter.url}/v1", "NEURAL_FARM_API_KEY": KEY}
        env = {**places, "HOME": str(tmp_path), "PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        command = [str(program), "--config", str(tmp_path / "config.yaml"), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        with running(["env", "-i", *(f"{name}={value}" for name, value in env.items()), *command]) as proxy:
            await asyncio.to_thread(proxy.wait_for, "Uvicorn running on", START_S)
            session = adapter.session
            url = f"http://127.0.0.1:{port}/v1/search"
            headers = {"Authorization": "Bearer sk-proxy-0123456789"}
            async with session.get(f"{url}/tools", headers=headers) as response:
                tools = await response.json()
            async with session.post(f"{url}/web", headers=headers, json={"query": "farm", "max_results": 2}, timeout=PATIENT) as response:
                status, found = response.status, await response.json()
    assert status == 200, found
    assert [result["url"] for result in found["results"]] == ["https://en.wikipedia.org/wiki/Farm", "https://news.example.org/farming"]
    assert tools == {"object": "list", "data": [{"search_tool_name": "web", "search_provider": "perplexity"}]}
