"""The real OpenClaw with what `farmhand connect openclaw --write` makes, and the phone's app as a fake that a test scripts. For `test_chain_*.py`.

Nothing here sleeps for an effect: programs are awaited by what they answer, with generous limits, since two cores run several of them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter.connect.edits_env import read_env
from tests.fakes.inferrlm import FakeInferrLM, FakeModelRuntime
from tests.fakes.inferrlm.script import Script
from tests.live import farm_cases, kit
from tests.live.processes import Adapter, Running, running

OPENCLAW = "openclaw@2026.9.6"
START_S = 240.0  # alone 6 to 12 s (`protocols/clients.md` 8.2)
TURN_S = 400.0
STOP_S = 30.0


def openclaw_program() -> Path:
    return kit.node_env("openclaw", OPENCLAW) / "node_modules" / "openclaw" / "openclaw.mjs"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class OpenClaw:
    """One user's: `home` is their home folder. env: further variables, which go before OpenClaw's own `.env`."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    @property
    def config(self) -> Path:
        return self.home / ".openclaw" / "openclaw.json"

    @property
    def workspace(self) -> Path:
        return self.home / ".openclaw" / "workspace"

    @property
    def environment(self) -> dict[str, str]:
        """A clean one: nothing of the machine's own OpenClaw or provider keys."""
        return {
            "HOME": str(self.home),
            "PATH": kit.node_path(),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.home / "tmp"),
            "OPENCLAW_DISABLE_BONJOUR": "1",
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_GATEWAY_PORT": str(self.port),
            **self.env,
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(kit.node()), str(openclaw_program()), *arguments]

    def run(self, *arguments: str, limit_s: float = TURN_S) -> subprocess.CompletedProcess[str]:
        (self.home / "tmp").mkdir(exist_ok=True)
        return subprocess.run(
            self.command(*arguments), env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=limit_s, check=False,
        )  # fmt: skip

    def turn(self, message: str, session: str, *, local: bool = False) -> subprocess.CompletedProcess[str]:
        where = ["--local"] if local else []
        return self.run("agent", *where, "--agent", "main", "--session-id", session, "--message", message, "--timeout", f"{TURN_S - 60:.0f}")

    def connect(self, phone: Adapter, *arguments: str) -> str:
        """As its user types it on the machine that the adapter runs on; what was printed."""
        env = {"HOME": str(self.home), "FARMHAND_HOME": str(phone.home), "FARMHAND_CONFIG": str(phone.home / "config.toml")}
        done = farm_cases.connect("openclaw", "--url", phone.base_url, "--write", *arguments, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def gateway(self) -> Iterator[Running]:
        """`openclaw gateway run`, until it says that it lives."""
        (self.home / "tmp").mkdir(exist_ok=True)
        command = self.command("gateway", "run", "--port", str(self.port), "--bind", "loopback")
        with running(command, _only(self.environment)) as started:
            wait_until_it_answers(f"http://127.0.0.1:{self.port}/healthz", lambda: _alive(started), lambda: started.output)
            yield started


def _only(env: Mapping[str, str]) -> dict[str, str]:
    """`running` adds to our own environment: what is not wanted there becomes empty."""
    unwanted = [name for name in os.environ if name.startswith(("OPENCLAW_", "NEURAL_FARM_", "OPENAI_", "LITELLM_"))]
    return {**dict.fromkeys(unwanted, ""), **env}


def _alive(started: Running) -> bool:
    return started.process.poll() is None


def wait_until_it_answers(url: str, alive: Callable[[], bool], said: Callable[[], str], limit_s: float = START_S) -> None:
    """A 200 there. Fails with what the program said when it has ended, or the time is up."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and alive():
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer; the program said:\n{said()[-4000:]}")


# --- the proxy ------------------------------------------------------------------------------------------------------


@dataclass
class LiteLlm:
    """The real proxy on one port, which a test kills and starts again. config: with the `env.local` beside it."""

    config: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def variables(self) -> Mapping[str, str]:
        return read_env((self.config.parent / "env.local").read_text())

    @property
    def key(self) -> str:
        return self.variables["LITELLM_MASTER_KEY"]

    @property
    def log(self) -> Path:
        return self.config.parent / "log"

    def start(self) -> None:
        """Begins; `wait` says when it answers."""
        program = kit.python_env("litellm", farm_cases.LITELLM).parent / "litellm"
        command = [str(program), "--config", str(self.config), "--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1"]
        env = {"HOME": str(self.config.parent), "PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", **self.variables}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        process = self.process
        assert process is not None
        wait_until_it_answers(f"http://127.0.0.1:{self.port}/health/liveliness", lambda: process.poll() is None, self.log.read_text)

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_S)
            self.process = None


# --- the app --------------------------------------------------------------------------------------------------------


class App:
    """The fake InferrLM in a thread with a loop of its own, on one port: closed and opened again while others talk to it.

    runtime: what it answers by; its `orders` are the requests that came.
    """

    def __init__(self) -> None:
        self.runtime = FakeModelRuntime(n_ctx=65_536)
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._phone: FakeInferrLM | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._phone = FakeInferrLM("C", engine=self.runtime, port=self.port, token_delay_s=0.004)
        self._done(self._phone.__aenter__())

    def close(self) -> None:
        """As Android ends it: every connection breaks."""
        if self._phone is not None:
            phone, self._phone = self._phone, None
            self._done(phone.__aexit__(None, None, None))

    def end(self) -> None:
        try:
            self.close()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_S)
            self._loop.close()

    def _done(self, doing: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(STOP_S)

    def script(self, *scripts: Script) -> None:
        """Of the next requests; what an earlier test had in store is forgotten."""
        self.runtime._queued.clear()
        self.runtime.next(*scripts)

    def wait_for_orders(self, count: int, limit_s: float = TURN_S) -> None:
        """Until so many requests have got to the model."""
        until = time.monotonic() + limit_s
        while len(self.runtime.orders) < count:
            assert time.monotonic() < until, f"{len(self.runtime.orders)} of {count} requests came"
            time.sleep(0.02)
