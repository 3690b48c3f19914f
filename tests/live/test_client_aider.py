"""aider in a folder of files, from what `farmhand connect aider --write` wrote, and nothing else. A process for every message.

It has no tools, no schemas and no vectors: what it wants is a file in the answer's text.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live.client_cases import (
    ASK_EDIT,
    HELLO,
    Farm,
    aider,
    command_in,
    connected,
    grew,
    private_env,
)
from tests.live.processes import running

NAME = "aider"
Tried = Callable[[str, str], None]
APP, ENDLESS = "openai/Llama-3.2-1B-Instruct-Q4_K_M.gguf", "openai/endless"
# Nobody is asked, nothing is told or looked up outside, and no terminal is there.
QUIET = (
    "--no-git", "--yes-always", "--no-check-update", "--no-show-release-notes", "--analytics-disable", "--no-pretty", "--no-fancy-input",
    "--no-suggest-shell-commands", "--no-detect-urls",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    connected(served, made, "aider", "--model", "m")
    return made


def program() -> str:
    return str(aider().with_name("aider"))


def says(home: Path, message: str, *flags: str) -> str:
    """All that it prints, with the line breaks that fit a terminal taken out."""
    done = command_in(home, program(), *QUIET, "--message", message, *flags)
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(("check", "flags"), [("stream", ()), ("plain", ("--no-stream",))])
def test_it_writes_a_file(served: Farm, home: Path, check: str, flags: tuple[str, ...], tried: Tried) -> None:
    """And believes what it was told of the model: no warning of a model that it does not know, no map of the repository in 8 k of context."""
    tried(NAME, check)
    (home / "greet.py").write_text("print('hi')\n")
    said = says(home, ASK_EDIT, "greet.py", *flags)
    assert (home / "greet.py").read_text() == "print('Moin!')\n"
    assert "Applied edit to greet.py" in said and "whole edit format" in said and "Repo-map: disabled" in said
    assert "Unknown context window" not in said
    assert served.upstream.generations[-1].json.get("stream", False) == (check == "stream")


def test_a_question_to_the_app(home: Path, tried: Tried) -> None:
    tried(NAME, "stream")
    assert f" {HELLO} Tokens: " in says(home, HELLO, "--chat-mode", "ask", "--model", APP)


def test_errors_reach_the_person(home: Path, tried: Tried) -> None:
    tried(NAME, "errors")
    said = says(home, HELLO, "--api-key", "openai=sk-wrong-0123456789")
    assert "AuthenticationError" in said and "Incorrect API key provided" in said
    said = says(home, HELLO, "--model", "openai/dmo", "--no-show-model-warnings")
    assert "The model 'dmo' does not exist here" in said
    said = says(home, "many words " * 9_000)
    assert "exceeds the 8,192 token limit for openai/m" in said  # before it asks, from the sizes in the file
    assert "Model openai/m has hit a token limit!" in said  # after the server's 400


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, home: Path, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    before = served.answered()
    served.refuse(status, times=2)
    assert "w0 w1" in says(home, HELLO, "--chat-mode", "ask")
    assert grew(before, served.answered()) == {status: 2, 200: 1}


def test_leaving_frees_the_seat(served: Farm, home: Path, tried: Tried) -> None:
    tried(NAME, "abort")
    before = served.answered()
    command = [program(), *QUIET, "--message", HELLO, "--chat-mode", "ask", "--model", ENDLESS]
    with running(["sh", "-c", 'cd "$0" && exec "$@"', str(home), *command], private_env(home)) as asked:
        served.until_running(1, within_s=120)
        asked.process.send_signal(signal.SIGINT)
        served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}


def test_what_was_there_stays(served: Farm, tmp_path: Path) -> None:
    """Somebody's own settings and their comments; where they chose a form of edits, it is theirs."""
    conf, sizes = tmp_path / ".aider.conf.yml", tmp_path / ".aider.model.metadata.json"
    conf.write_text("# mine\ndark-mode: true  # at night\nedit-format: diff\nmodel: gpt-4o\n")
    sizes.write_text('{"openai/mine": {"max_input_tokens": 4096}}')
    connected(served, tmp_path, "aider", "--model", "m")
    assert conf.read_text().startswith("# mine\ndark-mode: true  # at night\nedit-format: diff\nmodel: openai/m\n")
    written = json.loads(sizes.read_text())
    assert written["openai/mine"] == {"max_input_tokens": 4096}
    assert written["openai/m"]["max_input_tokens"] == 8_192 and written["openai/m"]["max_output_tokens"] == 7_936
    assert (tmp_path / ".aider" / "farmhand.env").stat().st_mode & 0o077 == 0
    assert served.adapter.key not in conf.read_text()
