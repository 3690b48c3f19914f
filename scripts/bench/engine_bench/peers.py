"""The three programs that are measured, each started on the same model, threads, slots and context."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
KEY = "sk-bench-farm"
START_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Load:
    """What every peer is given. ctx_tokens: of one slot."""

    model: Path
    slots: int
    ctx_tokens: int
    threads: int


@dataclass(slots=True)
class Peer:
    """A running server. pid: of the process that holds the model."""

    name: str
    base_url: str
    model: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The server itself, or the child that works for it."""
        children = [pid for pid in _children(self.process.pid) if b"worker" in _command(pid)]
        return children[0] if children else self.process.pid

    def pss_mib(self) -> float:
        """Its own pages and its share of shared ones; pages of the mapped model count here as well."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def farmhand(load: Load, home: Path, *, extra: str = "") -> Iterator[Peer]:
    """extra: further lines of the engine's section."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    config.write_text(
        f'[auth]\nkeys = ["{KEY}"]\n[log]\nlevel = "warning"\n'
        f'[[engine]]\nname = "bench"\nkind = "llama"\nmodel = "{load.model}"\nslots = {load.slots}\n'
        f"ctx_tokens = {load.ctx_tokens}\nthreads = {load.threads}\npreload = true\nqueue = 64\n{extra}"
    )
    port = _free_port()
    command = [sys.executable, "-m", "adapter", "serve", "--config", str(config), "--port", str(port)]
    env = {**os.environ, "FARMHAND_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with _running(command, env, home / "log") as process:
        base = f"http://127.0.0.1:{port}"
        _wait_for(f"{base}/health", process, home / "log")
        yield Peer("farmhand", f"{base}/v1", "auto", process)


@contextmanager
def llama_server(load: Load, binary: Path, logs: Path) -> Iterator[Peer]:
    """Prefix caching as it is by default."""
    port = _free_port()
    threads, context = str(load.threads), str(load.ctx_tokens * load.slots)
    command = [
        str(binary), "-m", str(load.model), "--host", "127.0.0.1", "--port", str(port), "-t", threads, "-tb", threads,
        "-np", str(load.slots), "-c", context, "--api-key", KEY,
    ]  # fmt: skip
    env = {**os.environ, "LD_LIBRARY_PATH": str(binary.parent)}
    with _running(command, env, logs / "llama-server.log") as process:
        base = f"http://127.0.0.1:{port}"
        _wait_for(f"{base}/health", process, logs / "llama-server.log")
        yield Peer("llama-server", f"{base}/v1", "any", process)


@contextmanager
def llama_cpp_server(load: Load, libraries: Path, logs: Path) -> Iterator[Peer]:
    """`python -m llama_cpp.server`: one sequence, so `slots` does not apply. libraries: where its web framework is."""
    port = _free_port()
    command = [
        sys.executable, "-m", "llama_cpp.server", "--model", str(load.model), "--host", "127.0.0.1", "--port", str(port),
        "--n_threads", str(load.threads), "--n_threads_batch", str(load.threads), "--n_ctx", str(load.ctx_tokens),
        "--api_key", KEY, "--interrupt_requests", "false",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(libraries)}
    with _running(command, env, logs / "llama_cpp.server.log") as process:
        base = f"http://127.0.0.1:{port}"
        _wait_for(f"{base}/v1/models", process, logs / "llama_cpp.server.log")
        yield Peer("llama_cpp.server", f"{base}/v1", "any", process)


@contextmanager
def _running(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=log.parent)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {KEY}"})
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended; see {log}:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"{process.args!r} did not answer within {START_LIMIT_S:g} s; see {log}")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
