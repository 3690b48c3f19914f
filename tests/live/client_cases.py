"""What the tests of Python clients share: a real adapter in front of every kind of engine, and a client program that does one check after the other.

The clients run in environments of their own (`kit.py`), in processes that live as long as a test file: importing LangChain or aider takes seconds.
`clients_py/` holds what runs there; the test sends it one job a line and gets one result a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.fakes.inferrlm import FakeInferrLM, FakeModelRuntime, Script
from tests.fakes.localllm import FakeLocalLLM
from tests.fakes.localllm import Reply as PhoneReply
from tests.fakes.openai_server import Call, FakeOpenAI, Reply
from tests.fakes.openai_server.model import default_reply
from tests.live.kit import python_env
from tests.live.processes import REPO, Adapter, Running, adapter, running

# The versions of `protocols/clients.md` 1. What agrees on its dependencies shares an environment; Instructor and aider want older SDKs than 3.51.
SDKS = ("openai==3.51.0", "langchain-openai==1.7.3", "pydantic-ai-slim[openai]==2.68.0", "llm==0.36")
INSTRUCTOR = ("instructor==1.17.0",)
# Without mcp every call with tools fails with an import error (`protocols/clients.md` 10 says it of ADK, which has LiteLLM under it).
LITELLM = ("litellm==1.106.2", "mcp>=2.2")
AIDER = ("aider-chat==0.86.2",)

# A job may have to wait for the import of its client and for a model to load, beside other test files.
JOB_S = 180.0
IDLE_S = 20.0

PLACE = "Cuxhaven"
TIDE = "high water at 14:05"
ASK_TIDE = f"When is high water? Use tide for {PLACE}."
ASK_EDIT = "Make the greeting a harbour's."
EDIT = "greet.py\n```python\nprint('Moin!')\n```\n"
HELLO = "Say hello to the harbour."
# Endless, and answered by nobody else: what a client leaves.
ENDLESS = "endless/endless"
# The engines: with grammars; an app without anything, for which all is emulated; one with tools of its own; a server that has all.
DEMO, APP, PHONE, NATIVE = "demo/demo", "inferrlm/Llama-3.2-1B-Instruct-Q4_K_M.gguf", "localllm/gemma-4-e2b", "native/m"
# What the app's model writes to call it, in the form that it is asked for; on one line, where its answers end (`protocols/inferrlm.md` 13.1).
APP_CALL = f'<tool_call>{{"name": "tide", "arguments": {{"place": "{PLACE}"}}}}</tool_call>'

# What it writes where an object `Harbour` is wanted, as text or as the call that stands for it.
HARBOUR = '{"name": "Cuxhaven", "berths": 12, "open": true}'
APP_HARBOUR = {
    "json_schema": f"Sure: {HARBOUR}",
    "function_calling": f'<tool_call>{{"name": "Harbour", "arguments": {HARBOUR}}}</tool_call>',
}

# A key that may ask once a second.
HURRIED = "sk-hurried-0123456789"

CONFIG = """
[router]
disable_cooldowns = true
retry_policy = {{ InternalServerErrorRetries = 0 }}

[[key]]
name = "hurried"
key = "{hurried}"
rate = "1/s"

[[engine]]
name = "demo"
kind = "llama"
threads = 1
kv_store_mib = 0

[[engine]]
name = "endless"
kind = "llama"
model = "{folder}/endless.gguf"
threads = 1
slots = 1
queue = 1
kv_store_mib = 0
ctx_tokens = 32768
default_max_tokens = 30000

[[engine]]
name = "embed"
kind = "llama"
model = "{folder}/embed.gguf"
threads = 1

[[engine]]
name = "inferrlm"
kind = "inferrlm"
url = "{app}"

[[engine]]
name = "localllm"
kind = "localllm"
url = "{phone}"

[[engine]]
name = "native"
kind = "openai"
url = "{upstream}"
tools = "native"
schema = "native"
context_tokens = 8192
"""

T = TypeVar("T")


def sdks() -> Path:
    return python_env("py-openai", *SDKS)


def instructor() -> Path:
    return python_env("py-instructor", *INSTRUCTOR)


def litellm() -> Path:
    return python_env("py-litellm", *LITELLM)


def aider() -> Path:
    return python_env("py-aider", *AIDER)


# --- what stands behind the adapter ---------------------------------------------------------------------------


def upstream_says(body: dict[str, Any]) -> Reply:
    """A model that calls `tide` when it is named, uses what it said, edits a file as aider wants it, and else does what the fake does by itself."""
    if any(ASK_EDIT in _text(message["content"]) for message in body["messages"] if message["role"] == "user"):
        return Reply(("Here ", "it is:\n\n", EDIT))
    results = [message for message in body["messages"] if message["role"] == "tool"]
    if results and body.get("tool_choice", "auto") == "auto":
        return Reply(("The ", "tool ", "said: ", _text(results[-1]["content"])))
    reply = default_reply(body, words=16, continues=False, quirks=frozenset())
    if reply.calls and reply.calls[0].name == "tide":
        return Reply((), calls=(Call("tide", json.dumps({"place": PLACE})),), finish="tool_calls")
    return reply


def phone_says(messages: list[dict[str, Any]]) -> PhoneReply:
    """The same of LocalLLM, which calls tools by itself."""
    if messages[-1]["role"] == "tool":
        return PhoneReply(("The ", "tool ", "said: ", _text(messages[-1]["content"])))
    asked = _text(next((m["content"] for m in reversed(messages) if m["role"] == "user"), ""))
    if "Use tide" in asked:
        return PhoneReply(calls=(("tide", {"place": PLACE}),))
    return PhoneReply(tuple(re.findall(r"\s*\S+", asked)) or ("ok",))


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content or "")


@dataclass
class Farm:
    """A running adapter and the fakes behind it, which live in a thread of their own."""

    adapter: Adapter
    upstream: FakeOpenAI
    app: FakeInferrLM
    phone: FakeLocalLLM

    def app_says(self, *answers: str) -> None:
        """What the model in the InferrLM app writes next, one answer each; without an order it echoes."""
        self.app.runtime.next(*(Script(pieces=tuple(re.findall(r"\s*\S+\s*|\s+", answer))) for answer in answers))

    def refuse(self, status: int, *, times: int = 1, retry_after_s: int = 1) -> None:
        """What the native upstream answers next."""
        self.upstream.fail_next(status, headers={"Retry-After": str(retry_after_s)}, times=times)

    def state(self) -> dict[str, Any]:
        found = json.loads(self._get("/admin/state"))
        assert isinstance(found, dict)
        return found

    def answered(self) -> dict[int, int]:
        """How many requests for a chat the adapter has answered so far, by status; 499: the client left."""
        rows = re.findall(r'^farmhand_requests_total\{([^}]*)\} ([\d.]+)', self._get("/metrics"), re.MULTILINE)
        counts: dict[int, int] = {}
        for labels, count in rows:
            if "/chat/completions" in labels:
                status = int(re.findall(r'status="(\d+)"', labels)[0])
                counts[status] = counts.get(status, 0) + int(float(count))
        return counts

    def until_running(self, number: int, within_s: float = IDLE_S) -> None:
        """Until so many requests are under way."""
        ends = time.monotonic() + within_s
        state = self.state()
        while state["running"] != number:
            assert time.monotonic() < ends, f"{state} instead of {number} running"
            state = json.loads(self._get(f"/admin/state?since={state['version']}&wait_s=1"))

    def _get(self, path: str) -> str:
        request = urllib.request.Request(
            self.adapter.base_url.removesuffix("/v1") + path, headers={"Authorization": f"Bearer {self.adapter.key}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
        return text


@contextmanager
def farm(folder: Path) -> Iterator[Farm]:
    """The adapter in front of the demo model, an endless one, one for vectors, both apps, and a server with tools of its own."""
    from tests.fakes.pooled_gguf import add_pooling
    from tests.fakes.tiny_gguf import write_random

    mean = 1
    write_random(folder / "endless.gguf", context=32_768)
    add_pooling(folder / "endless.gguf", folder / "embed.gguf", mean)
    home = folder / "farm"
    home.mkdir()
    upstream = FakeOpenAI(reply=upstream_says)
    app = FakeInferrLM("C", engine=FakeModelRuntime())
    phone = FakeLocalLLM(reply=phone_says)
    with _thread() as loop, _inside(loop, upstream), _inside(loop, app), _inside(loop, phone):
        config = CONFIG.format(folder=folder, hurried=HURRIED, app=app.url, phone=phone.url, upstream=upstream.url)
        with adapter(home, config) as served:
            yield Farm(served, upstream, app, phone)


@contextmanager
def _thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def _inside(loop: asyncio.AbstractEventLoop, fake: Any) -> Iterator[None]:
    """`async with fake` in the loop's thread."""
    _wait(loop, fake.__aenter__())
    try:
        yield
    finally:
        _wait(loop, fake.__aexit__(None, None, None))


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(30)


# --- the client's program -------------------------------------------------------------------------------------


@dataclass
class Client:
    """A process in the client's environment that waits for jobs."""

    running: Running
    _seen: int = field(default=0)

    def do(self, check: str, **arguments: Any) -> Any:
        """What the check gave. Fails with the client's traceback where it raised."""
        result = self.ask(check, **arguments)
        assert "raised" not in result, f"{check} {arguments}: {result['traceback']}"
        return result["value"]

    def fails(self, check: str, **arguments: Any) -> dict[str, Any]:
        """How the client's exception looks: raised (its class and those above), text, status, code."""
        result = self.ask(check, **arguments)
        assert "raised" in result, f"{check} {arguments} gave {result}"
        return result

    def ask(self, check: str, **arguments: Any) -> dict[str, Any]:
        process = self.running.process
        assert process.stdin is not None
        process.stdin.write(json.dumps({"check": check, **arguments}) + "\n")
        process.stdin.flush()
        self._seen += 1
        found = self.running.wait_for(rf"(?m)^@{self._seen} (.*)\n", JOB_S)
        result: dict[str, Any] = json.loads(found[1])
        return result


@contextmanager
def client(python: Path, script: str, farm: Farm, folder: Path, **env: str) -> Iterator[Client]:
    """`clients_py/SCRIPT.py`, which knows the server only by the two variables that every SDK of OpenAI's reads. folder: becomes its home."""
    home = folder / script
    home.mkdir(exist_ok=True)
    command = [str(python), str(REPO / "tests" / "live" / "clients_py" / f"{script}.py")]
    with running(command, {**client_env(farm, home), **env}, stdin=True) as started:
        yield Client(started)


def client_env(farm: Farm, home: Path) -> dict[str, str]:
    """A home of its own, the farm's address and key, and no word to anybody outside."""
    return {
        **private_env(home),
        "OPENAI_BASE_URL": farm.adapter.base_url,
        "OPENAI_API_KEY": farm.adapter.key,
    }


def private_env(home: Path) -> dict[str, str]:
    """What keeps a client's files in `home` and its telemetry and price lists at home, too."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "LLM_USER_PATH": str(home / "llm"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "HF_HUB_OFFLINE": "1",
        "LANGSMITH_TRACING": "false",
        "PYTHONUNBUFFERED": "1",
    }


# --- `farmhand connect` -----------------------------------------------------------------------------------------


def connected(farm: Farm, home: Path, name: str, *flags: str) -> list[str]:
    """`farmhand connect NAME --write` in `home`, for the farm; gives the snippets that it prints."""
    command = [sys.executable, "-m", "adapter", "connect", name, "--write", "--json"]
    command += ["--url", farm.adapter.base_url, "--key", farm.adapter.key, *flags]
    env = {**os.environ, **private_env(home), "FARMHAND_HOME": str(home / "farmhand"), "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=JOB_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [part["text"] for part in json.loads(done.stdout)["parts"] if part["kind"] == "snippet"]


def run_snippet(python: Path, home: Path, text: str) -> str:
    """What the printed program prints, with the variables of the `.env` beside it read by a shell, as the note says."""
    (home / "hello.py").write_text(text)
    return command_in(home, "sh", "-c", f"set -a; . ./.env; set +a; exec {shlex.quote(str(python))} hello.py").stdout


def command_in(home: Path, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """A program that knows nothing but the files in `home`. fails: it is to end with another status than 0."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "NEURAL_FARM_"))} | private_env(home)
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=JOB_S, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode != 0) == fails, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


def grew(before: Mapping[int, int], after: Mapping[int, int]) -> dict[int, int]:
    """What came to the counts of `Farm.answered` in between."""
    return {status: count - before.get(status, 0) for status, count in after.items() if count != before.get(status, 0)}
