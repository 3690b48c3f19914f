"""Who is measured: the upstream itself, the relay, the adapter, LiteLLM's proxy. Each is a process with a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idle import free_port, memory_mib

from relay_bench.load import request_bytes

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KEY = "sk-bench-farm-0123456789"
START_LIMIT_S = 120.0
SETTLE_S = 1.0

ADAPTER = """
[auth]
keys = ["{key}"]
[log]
level = "warning"
[[engine]]
name = "up"
kind = "openai"
url = "{upstream}/v1"
capacity = 64
tools = "native"
schema = "native"
usage = "yes"
max_tokens_field = "max_tokens"
"""
LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {{model: openai/bench, api_base: "{upstream}/v1", api_key: x, timeout: 60, stream_timeout: 60, max_retries: 0}}
litellm_settings: {{drop_params: true, telemetry: false, request_timeout: 60}}
general_settings: {{master_key: {key}}}
"""


@dataclass(frozen=True)
class Contestant:
    """command: argument list for a port. health: a path that answers 200 as soon as requests can be sent."""

    name: str
    command: Callable[[str], list[str]]
    env: dict[str, str]
    health: str = "/health"


@dataclass(frozen=True)
class Running:
    contestant: Contestant
    port: int
    pid: int


@dataclass(frozen=True)
class Start:
    """From exec to the first 200 of the health path, and of a chat; memory at rest before any chat."""

    health_ms: float
    answer_ms: float
    rss_mib: float
    pss_mib: float


def upstream() -> Contestant:
    return Contestant("direct", lambda port: [sys.executable, str(HERE / "upstream.py"), port], {}, "/v1/models")


def relay(upstream_url: str) -> Contestant:
    return Contestant("relay", lambda port: [sys.executable, str(HERE / "plain_relay.py"), port, upstream_url], {})


def adapter(upstream_url: str, home: Path) -> Contestant:
    """In a state folder of its own; as users start it, but for the log level."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    config.write_text(ADAPTER.format(key=KEY, upstream=upstream_url))
    command = [sys.executable, "-m", "adapter", "serve", "--config", str(config), "--port"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {"FARMHAND_HOME": str(home), "PYTHONPATH": os.pathsep.join(paths)}
    return Contestant("adapter", lambda port: [*command, port], env)


def litellm(upstream_url: str, python: Path, folder: Path) -> Contestant:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(key=KEY, upstream=upstream_url))
    code = "from litellm import run_server; run_server()"
    command = [str(python), "-c", code, "--config", str(config), "--host", "127.0.0.1", "--num_workers", "1", "--port"]
    return Contestant("litellm", lambda port: [*command, port], {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}, "/health/liveliness")


@contextmanager
def running(contestant: Contestant, folder: Path) -> Iterator[Running]:
    """Started and answering; stopped when the block is left. Its output goes to a file in `folder`."""
    port = free_port()
    with _process(contestant, port, folder) as process:
        _wait(port, contestant.health, process, folder / f"{contestant.name}.log")
        yield Running(contestant, port, process.pid)


def start(contestant: Contestant, folder: Path) -> Start:
    """One start, alone."""
    port = free_port()
    log = folder / f"{contestant.name}.log"
    began = time.perf_counter()
    with _process(contestant, port, folder) as process:
        _wait(port, contestant.health, process, log)
        health_ms = (time.perf_counter() - began) * 1000
        time.sleep(SETTLE_S)
        rss, pss = (sum(each) for each in zip(*map(memory_mib, _family(process.pid)), strict=True))
    # A second start, since a chat changes the memory at rest, and the settling would count as time.
    port = free_port()
    began = time.perf_counter()
    with _process(contestant, port, folder) as process:
        _wait(port, "/v1/chat/completions", process, log)
        return Start(health_ms, (time.perf_counter() - began) * 1000, rss, pss)


@contextmanager
def _process(contestant: Contestant, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    # All run from compiled bytecode, as installed programs do, wherever the machine's own settings forbid to write any.
    env = {**os.environ, **contestant.env, "PYTHONPYCACHEPREFIX": str(folder / f"{contestant.name}-bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / f"{contestant.name}.log").open("wb") as log:
        process = subprocess.Popen(contestant.command(str(port)), env=env, stdout=log, stderr=log, cwd=folder)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(port: int, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `path` answers 200."""
    _, _, body = request_bytes(KEY, 0).partition(b"\r\n\r\n")
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    data = body if path.endswith("completions") else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)
    limit = time.monotonic() + START_LIMIT_S
    said: object = ""
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                answer.read()
                return
        except urllib.error.HTTPError as error:
            said = error.read()[:500]
        except (urllib.error.URLError, OSError) as error:
            said = error
        time.sleep(0.002)
    raise NotStarted(f"{process.args!r} does not answer {path}: {said!r}\n{log.read_text(errors='replace')[-1500:]}")


class NotStarted(Exception):
    """The program ended, or does not answer."""


def cpu_us(pid: int) -> float:
    """Processor time of a process, all threads and children, so far."""
    tasks = [task for member in _family(pid) for task in Path(f"/proc/{member}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e3


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found
