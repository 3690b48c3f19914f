"""Adapters behind a real LiteLLM proxy, and what happens to requests when one of them goes away. For `test_chain_*.py` and `scripts/bench/farm.py`.

    with phones(folder, 3) as farm, farm.proxy() as proxy:
        outcome = asyncio.run(load(proxy, 200, event=lambda: farm.kill(1)))
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from adapter.connect.edits_env import read_env
from tests.fakes.openai_server import FakeOpenAI
from tests.live import kit
from tests.live.processes import REPO, Adapter, Running, adapter, running

LITELLM = "litellm[proxy]==1.106.2"
START_S = 180.0  # 10 to 12 s alone on two cores (clients.md 9.2); tests run beside each other
ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\ntoken_delay_s = {delay_s}\nqueue = 64\n'
# Nobody answers there: whoever is sent through it gets nowhere.
NOWHERE = "http://127.0.0.1:9"
QUESTION = "one two three four five six seven eight nine ten eleven twelve"


Serve = Callable[[Callable[[], None], asyncio.Event], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Proxy:
    """A running LiteLLM. root_url: without `/v1`. key: its master key."""

    root_url: str
    key: str
    running: Running

    @property
    def base_url(self) -> str:
        return f"{self.root_url}/v1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@contextmanager
def litellm_proxy(config: Path, env: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """`litellm --config FILE` with the `env.local` beside it, and no way to the internet."""
    variables = read_env((config.parent / "env.local").read_text())
    program = kit.python_env("litellm", LITELLM).parent / "litellm"
    port = free_port()
    outside = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), NOWHERE)
    inside = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with running(command, {**outside, **inside, "HOME": str(config.parent), **variables, **(env or {})}) as started:
        proxy = Proxy(f"http://127.0.0.1:{port}", variables["LITELLM_MASTER_KEY"], started)
        asyncio.run(_ready(proxy))
        yield proxy


async def _ready(proxy: Proxy) -> None:
    """By `/health/liveliness`, never `/health` (clients.md 9.1)."""
    deadline = time.monotonic() + START_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and proxy.running.process.poll() is None:
            try:
                async with session.get(f"{proxy.root_url}/health/liveliness", timeout=aiohttp.ClientTimeout(5)) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)
    raise AssertionError(f"LiteLLM did not come up:\n{proxy.running.output[-4000:]}")


def connect(name: str, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`farmhand connect NAME ...` as a person types it. env: over a clean one that has no place of the user's in it."""
    clean = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env}
    return subprocess.run(
        [sys.executable, "-m", "adapter", "connect", name, *arguments],
        cwd=REPO, env=clean, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


# --- phones ------------------------------------------------------------------------------------------------------


@dataclass
class Farm:
    """folder: of the proxy's files. relays: what stands before each phone, so that it can be unplugged."""

    folder: Path
    adapters: list[Adapter] = field(default_factory=list)
    relays: list[Relay] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "litellm" / "config.yaml"

    def kill(self, number: int) -> None:
        """As Android does it. number: from 0."""
        self.adapters[number].running.process.send_signal(signal.SIGKILL)

    def connect(self, *arguments: str, keys: Sequence[str] | None = None) -> str:
        """The proxy's files, by `farmhand connect`; what it printed."""
        keys = [phone.key for phone in self.adapters] if keys is None else keys
        env = {
            "HOME": str(self.folder),
            "FARMHAND_HOME": str(self.folder / "state"),
            "NEURAL_FARM_API_KEY": keys[0],
            **{f"NEURAL_FARM_API_KEY_{number}": key for number, key in enumerate(keys[1:], 2)},
        }
        urls = [relay.url for relay in self.relays]
        others = [word for url in urls[1:] for word in ("--phone", url)]
        given = ("--url", urls[0], "--key", keys[0], *others, "--file", str(self.config), "--write", *arguments)
        done = connect("litellm", *given, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def phones(folder: Path, configs: Sequence[str]) -> Iterator[Farm]:
    """One adapter for each configuration, each behind a relay of its own."""
    farm = Farm(folder)
    with ExitStack() as stack:
        for number, config in enumerate(configs, 1):
            home = folder / f"phone{number}"
            home.mkdir()
            phone = stack.enter_context(adapter(home, config))
            farm.adapters.append(phone)
            farm.relays.append(stack.enter_context(relay(int(phone.base_url.removesuffix("/v1").rpartition(":")[2]))))
        yield farm


@contextmanager
def app(token_delay_s: float) -> Iterator[str]:
    """A phone's app, which does one thing at a time; its URL."""
    command = [sys.executable, "-m", "tests.fakes.inferrlm", "--build", "B", "--port", "0", "--token-delay-s", str(token_delay_s)]
    with running(command) as started:
        yield started.wait_for(r"listening (http://\S+)")[1]


class Relay:
    """Between the proxy and a phone, in a thread with a loop of its own. `unplug`: from then on nothing comes through, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def unplug(self) -> None:
        self._silent = True

    async def serve(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._one, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        await stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            if not self._silent:
                writer.transport.abort()
            return
        self._writers.add(forth)
        ends = asyncio.gather(self._pass(reader, forth), self._pass(back, writer))
        try:
            await ends
        except (OSError, asyncio.CancelledError):
            return  # cancelled by `_to_the_end`, and `start_server` reports a task that was
        finally:
            ends.cancel()
            if not self._silent:
                writer.transport.abort()
                forth.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self._silent:
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
        if not self._silent:
            writer.write_eof()


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    found = Relay(port)
    with in_a_thread(found.serve):
        yield found


@contextmanager
def served(fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    async def serve(ready: Callable[[], None], stop: asyncio.Event) -> None:
        async with fake:
            ready()
            await stop.wait()

    with in_a_thread(serve):
        yield fake


@contextmanager
def in_a_thread(serve: Serve) -> Iterator[None]:
    """serve: says when it is ready, and goes on until it is to stop."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_to_the_end(serve, ready.set, stop)), daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _to_the_end(serve: Serve, ready: Callable[[], None], stop: asyncio.Event) -> None:
    await serve(ready, stop)
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


# --- load --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """began: something of the answer had come, be it that the assistant speaks. whose: which entry of the proxy answered. said: what was wrong, "" if nothing."""

    stream: bool
    seconds: float
    began: bool
    whose: str
    said: str = ""


@dataclass(frozen=True)
class Outcome:
    results: tuple[Result, ...]
    seconds: float

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.said]

    @property
    def failed_unbegun(self) -> list[Result]:
        return [result for result in self.failed if not result.began]

    @property
    def slowest_s(self) -> float:
        return max(result.seconds for result in self.results)

    def median_s(self) -> float:
        return sorted(result.seconds for result in self.results)[len(self.results) // 2]

    def shares(self) -> dict[str, int]:
        return {whose: sum(result.whose == whose for result in self.results) for whose in sorted({result.whose for result in self.results})}


async def load(
    proxy: Proxy, model: str, count: int, *, at_once: int = 9, event: Callable[[], object] = lambda: None, after: int = 60, limit_s: float = 300.0
) -> Outcome:
    """Every other request streams. event: what happens once `after` of them are done. limit_s: for each."""
    began_s = time.monotonic()
    numbers = iter(range(count))
    results: list[Result] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            results.append(await ask(session, proxy, model, stream=number % 2 == 0, limit_s=limit_s))
            if len(results) == after:
                event()

    async with aiohttp.ClientSession(headers=proxy.headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(at_once)))
    return Outcome(tuple(results), time.monotonic() - began_s)


async def ask(session: aiohttp.ClientSession, proxy: Proxy, model: str, *, stream: bool, limit_s: float, text: str = QUESTION) -> Result:
    began_s = time.monotonic()
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
    heard: list[str] = []  # "" for a chunk without text
    whose = said = ""
    try:
        async with session.post(f"{proxy.base_url}/chat/completions", json=body, timeout=aiohttp.ClientTimeout(limit_s)) as answer:
            whose = answer.headers.get("x-litellm-model-id", "")
            said = await (_streamed if stream and answer.status == 200 else _plain)(answer, heard)
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        said = f"{type(exc).__name__}: {exc}"
    if not said and text.split()[-1] not in "".join(heard):
        said = f"not the answer: {''.join(heard)[:80]!r}"
    return Result(stream, time.monotonic() - began_s, bool(heard), whose, said)


async def _plain(answer: aiohttp.ClientResponse, heard: list[str]) -> str:
    text = await answer.text()
    if answer.status != 200:
        return f"HTTP {answer.status}: {text[:200]}"
    heard.append(json.loads(text)["choices"][0]["message"]["content"] or "")
    return ""


async def _streamed(answer: aiohttp.ClientResponse, heard: list[str]) -> str:
    finish = ""
    async for raw in answer.content:
        data = raw.decode().strip().removeprefix("data: ")
        if not raw.startswith(b"data: ") or data == "[DONE]":
            continue
        frame = json.loads(data)
        if "error" in frame:
            return f"in the stream: {frame['error']}"[:300]
        for choice in frame.get("choices", []):
            heard.append(choice.get("delta", {}).get("content") or "")
            finish = choice.get("finish_reason") or finish
    return "" if finish else "the stream ended without finish_reason"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

