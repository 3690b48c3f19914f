"""`farmhand chat` as a process, against the real adapter with the echo engine: pipes, prompts and a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.processes import REPO, Adapter, adapter
from tests.live.terminal import CTRL_C, CTRL_D, on_terminal

ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\n'
SLOW = '[[engine]]\nname = "slow"\nkind = "echo"\ntoken_delay_s = 0.3\n'
END_S = 60.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    with adapter(tmp_path_factory.mktemp("home"), ECHO + SLOW) as running:
        yield running


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FARMHAND_")}
    return {**kept, "FARMHAND_HOME": str(home), "XDG_CONFIG_HOME": str(home / "none")}


def command(served: Adapter, *args: str) -> list[str]:
    return [sys.executable, "-m", "phone", "chat", "--url", served.base_url, "--model", "echo/echo", *args]


def chat(
    served: Adapter, *args: str, stdin: str = "", status: int = 0, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(served, *args),
        cwd=REPO,
        env=environment(home or served.home),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_one_question(served: Adapter) -> None:
    """The key comes from the state folder; the answer alone is on standard output."""
    done = chat(served, "hello", "there")
    assert (done.stdout, done.stderr) == ("You said: hello there\n", "")


def test_a_pipe(served: Adapter) -> None:
    assert chat(served, stdin="from a pipe\n").stdout == "You said: from a pipe\n"
    assert chat(served, "before", "-", "behind", stdin="piped").stdout == "You said: before piped behind\n"
    assert "nothing to ask" in chat(served, stdin=" \n", status=1).stderr


def test_the_address_comes_from_the_configuration(served: Adapter) -> None:
    port = served.base_url.rpartition(":")[2].removesuffix("/v1")
    done = subprocess.run(
        [sys.executable, "-m", "phone", "chat", "hi"],
        cwd=REPO,
        env={**environment(served.home), "FARMHAND_SERVER_PORT": port},
        capture_output=True,
        text=True,
        timeout=END_S,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    assert done.stdout == "You said: hi\n"


def test_failures_are_sentences(served: Adapter, tmp_path: Path) -> None:
    """With what to type; the server's own words where it has some."""
    assert "does not accept the key" in chat(served, "hi", "--key", "sk-wrong-key", status=1).stderr
    assert "does not accept the key" in chat(served, "hi", status=1, home=tmp_path).stderr
    unknown = chat(served, "hi", "--model", "gone", status=1).stderr
    assert unknown.startswith("farmhand: ") and "gone" in unknown
    nobody = chat(served, "hi", "--url", "http://127.0.0.1:9/v1", status=1).stderr
    assert "Start it with: farmhand serve" in nobody
    assert "must look like" in chat(served, "hi", "--url", "localhost:8888", status=1).stderr


def test_a_reader_that_leaves_is_no_error(served: Adapter) -> None:
    """In the middle of a slow answer: the program ends, silently."""
    process = subprocess.Popen(
        command(served, "--model", "slow/echo", "one two three four five"),
        cwd=REPO,
        env=environment(served.home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(3) == b"You"
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(END_S) == 1
    assert errors == b""


def test_a_conversation_on_a_terminal(served: Adapter) -> None:
    """Several turns, the commands, and Ctrl-D."""
    with on_terminal(command(served, "--system", "be kind"), environment(served.home)) as terminal:
        terminal.wait_for("/help for what else there is")
        terminal.wait_for("> ")
        terminal.type("first\n")
        terminal.wait_for(r"\nYou said: first\r\n")
        terminal.wait_for("> ")
        terminal.type("/system\n")
        terminal.wait_for("\nbe kind")
        terminal.type("/model\n")
        terminal.wait_for(r"\n. auto\r\n")
        terminal.type("/new\n")
        terminal.wait_for("forgotten")
        terminal.type("/nonsense\n")
        terminal.wait_for("There is no /nonsense")
        terminal.type("/model slow/echo\n")
        terminal.wait_for(r"talking to slow/echo\)")
        terminal.wait_for("> ")
        terminal.type("second\n")
        terminal.wait_for(r"\nYou said: second\r\n")
        terminal.wait_for("> ")
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert "Traceback" not in terminal.shown


def test_ctrl_c_stops_the_answer_and_not_the_program(served: Adapter) -> None:
    """The next question is answered; Ctrl-C twice in a row ends."""
    with on_terminal(command(served, "--model", "slow/echo"), environment(served.home)) as terminal:
        terminal.wait_for("> ")
        terminal.type("one two three four five six seven eight nine ten\n")
        terminal.wait_for("You said")
        terminal.type(CTRL_C)
        terminal.wait_for("stopped; Ctrl-C once more")
        terminal.wait_for("> ")
        assert "ten" not in terminal.shown.partition("You said")[2]
        terminal.type("again\n")
        terminal.wait_for("You said: again")
        terminal.wait_for("> ")
        terminal.press(CTRL_C, "once more or Ctrl-D ends")
        terminal.wait_for("> ")
        terminal.press(CTRL_C, "\n")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


def test_ctrl_c_ends_a_single_question(served: Adapter) -> None:
    with on_terminal(
        command(served, "--model", "slow/echo", "one two three four five six"), environment(served.home)
    ) as terminal:
        terminal.wait_for("You said")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown and "six" not in terminal.shown


def test_a_server_that_is_not_there_is_told_and_the_conversation_goes_on(served: Adapter) -> None:
    with on_terminal(command(served, "--url", "http://127.0.0.1:9/v1"), environment(served.home)) as terminal:
        terminal.wait_for("> ")
        terminal.type("hi\n")
        terminal.wait_for("Start it with: farmhand serve")
        terminal.wait_for("> ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
