"""Continue's command line, `cn`, from the configuration that `farmhand connect continue` writes.

It reads the same files as the extensions for VS Code and JetBrains, which cannot run here.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="needs llama-cpp-python; install the extra `llama`")

from tests.live.client_cases import APP, DEMO, ENDLESS, HELLO, NATIVE, Farm, grew
from tests.live.js_cases import CONTINUE, bare_env, connect, program, run_program
from tests.live.kit import node, node_env
from tests.live.processes import running

NAME = "Continue"
Tried = Callable[[str, str], None]

# Its own server and whom it reports to: nobody.
QUIET = {
    "CONTINUE_API_BASE": "http://127.0.0.1:9/",
    "CONTINUE_TELEMETRY_ENABLED": "0",
    "CONTINUE_CLI_ENABLE_TELEMETRY": "0",
    "CONTINUE_METRICS_ENABLED": "0",
}
THEIRS = """\
name: My own  # and nobody else's
version: 0.0.1
schema: v1
models:
  # my laptop completes
  - name: Codestral
    provider: ollama
    model: codestral
    roles: [autocomplete]
rules:
  - Be brief.
"""
# The file that the fake upstream's model asks for: the first string of its alphabet.
FILE, SECRET = "w0", "The lighthouse keeper is called Marten."
READ = f'<tool_call>{{"name": "Read", "arguments": {{"filepath": "{FILE}"}}}}</tool_call>'


@pytest.fixture(scope="module")
def cn() -> list[str]:
    return [str(node()), str(node_env("continue", *CONTINUE) / "node_modules" / "@continuedev" / "cli" / "dist" / "cn.js")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of a person who has a configuration already, and a file to ask about in the current folder."""
    (tmp_path / ".continue").mkdir()
    (tmp_path / ".continue" / "config.yaml").write_text(THEIRS)
    (tmp_path / FILE).write_text(SECRET)
    return tmp_path


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_it_answers_from_what_connect_wrote(served: Farm, cn: list[str], home: Path, tried: Tried, model: str) -> None:
    """It always streams."""
    tried(NAME, "stream")
    connect("continue", served, home, "--model", model)
    assert program([*cn, "-p", HELLO], home, home, **QUIET).strip()


def test_the_embedded_engine_answers(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    """A model that writes noise for ever, by a person who wants short answers."""
    tried(NAME, "stream")
    connect("continue", served, home, "--model", ENDLESS)
    config = home / ".continue" / "config.yaml"
    config.write_text(config.read_text().replace("maxTokens: 4096", "maxTokens: 32"))
    before = served.answered()
    program([*cn, "-p", HELLO], home, home, **QUIET)
    assert grew(before, served.answered()) == {200: 1}


def test_what_is_written_and_what_is_sent(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    tried(NAME, "plain")
    printed = connect("continue", served, home, "--model", NATIVE)
    assert served.adapter.key not in printed
    config = (home / ".continue" / "config.yaml").read_text()
    assert served.adapter.key not in config
    assert "name: My own  # and nobody else's" in config
    assert "  # my laptop completes\n  - name: Codestral" in config
    assert stat.S_IMODE((home / ".continue" / ".env").stat().st_mode) == 0o600
    assert program([*cn, "-p", HELLO], home, home, **QUIET).strip() == served.upstream.text
    sent = served.upstream.generations[-1].json
    assert sent["max_tokens"] == 2_048  # a quarter of the upstream's 8192
    assert {"Read", "List", "Bash"} <= {tool["function"]["name"] for tool in sent["tools"]}


@pytest.mark.parametrize("model", [APP, NATIVE])
def test_a_file_is_read_by_a_tool_and_used(served: Farm, cn: list[str], home: Path, tried: Tried, model: str) -> None:
    tried(NAME, "tools")
    connect("continue", served, home, "--model", model)
    if model == APP:
        served.app_says(READ, f"The tool said: {SECRET}")
    said = program([*cn, "-p", "Use Read to find out who keeps the lighthouse."], home, home, **QUIET)
    assert "The tool said:" in said
    assert SECRET in said


def test_a_wrong_key_is_told(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    tried(NAME, "errors")
    connect("continue", served, home, "--model", NATIVE)
    env = home / ".continue" / ".env"
    env.write_text(env.read_text().replace(served.adapter.key, "sk-nobody"))
    done = run_program([*cn, "-p", HELLO], home, home, **QUIET)
    assert done.returncode != 0
    assert "401" in done.stdout + done.stderr


def test_a_model_with_too_small_a_context_is_told(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    """The demo model has 2,048 tokens; what it says of itself reaches the person."""
    tried(NAME, "errors")
    connect("continue", served, home, "--model", DEMO)
    done = run_program([*cn, "-p", HELLO], home, home, **QUIET)
    assert done.returncode != 0
    assert "This model's maximum context length is 2048 tokens" in done.stdout + done.stderr


def test_a_context_that_is_too_long_is_told(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    """It knows from the configuration how much there is and asks for nothing."""
    tried(NAME, "errors")
    connect("continue", served, home, "--model", DEMO)
    before = served.answered()
    done = run_program([*cn, "-p", "sheep " * 9_000], home, home, **QUIET)
    assert done.returncode != 0
    assert "context" in (done.stdout + done.stderr).lower()
    assert 200 not in grew(before, served.answered())


def test_it_waits_as_told_and_comes_back(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    tried(NAME, "retries")
    connect("continue", served, home, "--model", NATIVE)
    before = served.answered()
    served.refuse(503, retry_after_s=2)
    assert program([*cn, "-p", HELLO], home, home, **QUIET).strip() == served.upstream.text
    assert grew(before, served.answered()) == {503: 1, 200: 1}


def test_a_person_who_interrupts_frees_the_seat(served: Farm, cn: list[str], home: Path, tried: Tried) -> None:
    tried(NAME, "abort")
    connect("continue", served, home, "--model", ENDLESS)
    before = served.answered()
    command = ["env", "-i", *(f"{name}={value}" for name, value in bare_env(home, QUIET).items()), *cn]
    with running([*command, "-p", HELLO], stdin=True) as started:
        served.until_running(1)
        os.kill(started.process.pid, signal.SIGINT)
        served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}
