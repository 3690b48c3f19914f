"""`farmhand serve` as a process: what it prints, what a shell makes of that, how it ends, and why it may not start."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.live.processes import REPO, Adapter, Running, adapter, children, running

ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\n'
SLOW = ECHO + "token_delay_s = 0.2\n"
END_S = 15.0
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="needs curl; install it to run this test"
)


@contextmanager
def serving(home: Path, config: str = ECHO, *flags: str) -> Iterator[Running]:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(config)
    command = [sys.executable, "-m", "adapter", "serve", "--config", str(home / "config.toml"), *flags]
    with running(command, {"FARMHAND_HOME": str(home)}) as started:
        yield started


def refused(home: Path, config: str, *flags: str) -> str:
    """The one sentence of a start that fails: exit code 1, nothing else on any stream."""
    with serving(home, config, *flags) as started:
        assert started.process.wait(END_S) == 1
        started.wait_for(r"\n")
    assert started.output.count("\n") == 1 and "Traceback" not in started.output
    return started.output


def pasted(line: str) -> subprocess.Popen[str]:
    """The line in a shell of its own; curl's progress meter is for people."""
    command = ["sh", "-c", f"exec {line} --silent"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def curl_line(served: Adapter) -> str:
    return served.running.wait_for(r"(?m)^curl .*$")[0]


@needs_curl
def test_the_printed_curl_line_streams(tmp_path: Path) -> None:
    """Pasted into a shell as it is: chunks arrive one by one, not all at the end."""
    with adapter(tmp_path, SLOW) as served, pasted(curl_line(served)) as curl:
        assert curl.stdout is not None
        arrived = [(time.monotonic(), line) for line in curl.stdout if line.startswith("data: ")]
        assert curl.wait(END_S) == 0
    assert arrived[-1][1] == "data: [DONE]\n"
    chunks = [json.loads(line.removeprefix("data: ")) for _, line in arrived[:-1]]
    assert (
        "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "You said: What is Farmhand?"
    )
    assert arrived[-1][0] - arrived[0][0] > 0.3, "the answer took a second, so its chunks were spread over it"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, no process and no open port left, and nothing in its folder but the key."""
    with adapter(tmp_path, ECHO) as served:
        port = int(served.base_url.rpartition(":")[2].removesuffix("/v1"))
        before = children(served.pid)
        served.running.process.send_signal(number)
        assert served.running.process.wait(END_S) == 0
        served.running.wait_for("Farmhand has stopped")
    assert "Traceback" not in served.running.output
    assert [pid for pid in before if Path(f"/proc/{pid}").exists()] == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "key", ".key.lock"}


@needs_curl
def test_a_signal_in_mid_stream_ends_the_stream_with_a_word(tmp_path: Path) -> None:
    with adapter(tmp_path, "[server]\ndrain_s = 0.1\n" + SLOW) as served, pasted(curl_line(served)) as curl:
        assert curl.stdout is not None
        first = curl.stdout.readline()
        served.running.process.terminate()
        assert served.running.process.wait(END_S) == 0
        rest = curl.stdout.read()
    assert "chat.completion.chunk" in first
    assert "Farmhand was stopped before this answer was complete." in rest
    assert "[DONE]" not in rest


@needs_curl
def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """Nor for an answer that would take a minute, although ten were allowed."""
    config = "[server]\ndrain_s = 600\nstatus_hold_s = 0\n" + ECHO + "token_delay_s = 60\n"
    with adapter(tmp_path, config) as served, pasted(curl_line(served)) as curl:
        assert curl.stdout is not None
        assert "chat.completion.chunk" in curl.stdout.readline()
        served.running.process.send_signal(signal.SIGINT)
        served.running.wait_for("stopping drain_s=600")
        served.running.process.send_signal(signal.SIGINT)
        assert served.running.process.wait(END_S) == 0
        assert curl.wait(END_S) != 0, (
            "a connection that is broken off, which no client takes for a whole answer"
        )
    assert "Traceback" not in served.running.output


def test_the_key_is_private_and_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with adapter(home, ECHO) as first:
        pass
    with adapter(home, ECHO) as second:
        pass
    assert first.key == second.key == (home / "key").read_text().strip()
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600


def test_two_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(serving(tmp_path, ECHO, "--port", "0")) for _ in range(2)]
        keys = {started.wait_for(r"API key +(\S+)")[1] for started in both}
    assert len(keys) == 1


def test_a_taken_port_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(tmp_path, ECHO, "--port", str(port)) == (
            f"farmhand: Port {port} on 127.0.0.1 is taken, perhaps by another Farmhand: stop that program, or "
            "choose another port with --port.\n"
        )


@pytest.mark.parametrize(
    ("config", "flags", "said"),
    [
        ("[server\n", (), "not valid TOML"),
        ("[server]\nprot = 1\n", (), "unknown key 'server.prot'"),
        ("server = 1\n", ("--port", "0"), "write it as [server]"),
        ("[[engine]]\nname = 'x'\nkind = 'ollama'\n", (), "'kind' must be one of"),
        ("[[engine]]\nname = 'x'\nkind = 'localllm'\nkey = 'os.environ/NOT_THERE'\n", (), "NOT_THERE"),
        ("[[engine]]\nname = 'x'\nkind = 'openai'\nurl = 'http://127.0.0.1:9/v1'\nkey = 'file:/nowhere'\n", (), "/nowhere"),
        ("[auth]\nrequired = false\n" + ECHO, ("--host", "0.0.0.0"), "[auth] required = false is refused"),
        ("[auth]\nrequired = false\n[server]\nhost = '::'\n" + ECHO, (), "reachable from outside"),
        (ECHO, ("--host", "192.0.2.1"), "is not an address of this machine"),
        (ECHO, ("--host", "a..b"), "is no host name"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    tmp_path: Path, config: str, flags: tuple[str, ...], said: str
) -> None:
    assert said in refused(tmp_path, config, *flags)


def test_a_broken_key_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    assert "delete the file and a new key is made" in refused(tmp_path, ECHO)


def test_the_command_tells_its_flags() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adapter", "serve", "--help"],
        cwd=REPO, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert all(flag in done.stdout for flag in ("--config", "--host", "--port"))
