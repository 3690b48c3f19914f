"""`farmhand status` against a server that says all kinds of things: what is printed, and the exit status."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from adapter.cli import main
from adapter.keys import load_or_create_key
from adapter.terminal import status as status_cli
from adapter.terminal.report import report

DETAIL = "InferrLM 0.7.2 answers at http://127.0.0.1:8889; the model gemma-3n-E2B-it-Q4_K_M.gguf is in memory and ready."
FULL: dict[str, Any] = {
    "status": "ready",
    "engines": {
        "inferrlm": {
            "ready": True,
            "detail": DETAIL,
            "queue": {"capacity": 1, "running": 0, "waiting": 2, "mean_s": 3.2},
            "breakers": [
                {
                    "target": "inferrlm/x.gguf",
                    "state": "open",
                    "retry_in_s": 12.0,
                    "fails": 4,
                    "code": "engine_failed",
                    "message": "The app ended the answer in the middle.",
                },
                {"target": "inferrlm/y.gguf", "state": "half_open", "fails": 5, "code": "upstream_timeout", "message": ""},
                {"target": "inferrlm/z.gguf", "state": "closed", "fails": 1, "code": "engine_failed", "message": "It broke."},
            ],
        },
        "localllm": {"ready": False, "detail": "The LocalLLM app is closed; open it."},
    },
}
SHOWN = """\
Farmhand at {url} is ready.

inferrlm: ready
  InferrLM 0.7.2 answers at http://127.0.0.1:8889; the model
  gemma-3n-E2B-it-Q4_K_M.gguf is in memory and ready.
  0 of 1 running, 2 waiting, 3.2 s an answer
  inferrlm/x.gguf is left alone for another 12 s after 4 failures
    last engine_failed: The app ended the answer in the middle.
  inferrlm/y.gguf gets one request as a trial after 5 failures
    last upstream_timeout
  inferrlm/z.gguf is still asked after 1 failure
    last engine_failed: It broke.

localllm: NOT READY
  The LocalLLM app is closed; open it.
"""


@dataclass
class Fake:
    """A server that answers every GET with `body` (an object as JSON), and what it was asked."""

    url: str
    body: object = field(default_factory=lambda: FULL)
    status: int = 200
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Fake]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.asked.append((self.path, self.headers.get("Authorization")))
            data = running.body if isinstance(running.body, bytes) else json.dumps(running.body).encode()
            self.send_response(running.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Fake(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setenv("FARMHAND_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with serving() as running:
        yield running


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(["status", *argv])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_server_that_is_ready(fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Asked at its root, with this installation's own key."""
    assert said(capsys, "--url", fake.url) == (0, SHOWN.format(url=fake.url), "")
    assert fake.asked == [("/ready", f"Bearer {load_or_create_key(tmp_path)}")]


def test_the_address_comes_from_the_configuration(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARMHAND_SERVER_PORT", fake.url.rpartition(":")[2].removesuffix("/v1"))
    assert said(capsys)[0] == 0
    assert len(fake.asked) == 1


def test_a_server_that_is_not_ready(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """`/ready` says it with a status 503."""
    fake.status, fake.body = 503, {"status": "not ready", "engines": {"localllm": FULL["engines"]["localllm"]}}
    status, out, err = said(capsys, "--url", fake.url)
    assert (status, err) == (1, "")
    assert out == f"Farmhand at {fake.url} is not ready.\n\nlocalllm: NOT READY\n  The LocalLLM app is closed; open it.\n"


def test_json_is_what_the_server_said(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "--json", "--url", fake.url, "--key", "sk-given-key")
    assert (status, json.loads(out)) == (0, FULL)
    assert fake.asked == [("/ready", "Bearer sk-given-key")]
    fake.status, fake.body = 503, {"status": "not ready"}
    status, out, _ = said(capsys, "--json", "--url", fake.url)
    assert (status, json.loads(out)) == (1, {"status": "not ready"})


def test_without_a_valid_key_there_are_no_details(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.body = {"status": "ready"}
    status, out, _ = said(capsys, "--url", fake.url)
    assert (status, out.count("--key KEY")) == (0, 1)


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_nobody_there(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to type; as JSON for who reads that."""
    url = nobody()
    status, out, err = said(capsys, "--url", url)
    assert (status, out) == (2, "")
    assert err.startswith(f"farmhand: Nobody answers at {url} (")
    assert err.endswith("Start it with: farmhand serve\n")
    status, out, err = said(capsys, "--json", "--url", url)
    assert (status, err) == (2, "")
    assert json.loads(out)["status"] == "unknown" and "farmhand serve" in json.loads(out)["detail"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, []),
        (200, {"status": "fine"}),
        (404, {"status": "ready"}),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe"),
        (200, b'{"status": "ready", "x": "' + b"a" * (2 << 20)),
    ],
)
def test_something_else_is_there(
    fake: Fake, capsys: pytest.CaptureFixture[str], status: int, body: object
) -> None:
    fake.status, fake.body = status, body
    exit_status, out, err = said(capsys, "--url", fake.url)
    assert (exit_status, out) == (2, "")
    assert f"not as Farmhand does (status {status})" in err and err.count("\n") == 1


@pytest.mark.parametrize("url", ["nonsense", "http://x:99999/v1", "http://[::1/v1", "http://a b/v1", "http://" + "a" * 70])
def test_no_address(fake: Fake, capsys: pytest.CaptureFixture[str], url: str) -> None:
    status, out, err = said(capsys, "--url", url, "--key", "sk-some-key")
    assert (status, out) == (2, "")
    assert err.startswith("farmhand: ") and err.count("\n") == 1


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that does `answer` with its first connection."""

    def serve() -> None:
        # The client may hang up first, or never come.
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4_096)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_silence_and_trickles_end(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """A server that accepts and says nothing, and one that says a byte now and then."""
    monkeypatch.setattr(status_cli, "ANSWER_S", 0.3)

    def trickle(connection: socket.socket) -> None:
        connection.sendall(begun)
        connection.settimeout(0.05)
        while True:  # until the client hangs up: an end of file, or a reset
            with contextlib.suppress(TimeoutError):
                if connection.recv(1) == b"":
                    return
            if begun:
                connection.sendall(b" ")

    with raw(trickle) as url:
        status, _, err = said(capsys, "--url", url)
    assert (status, err) == (2, f"farmhand: {url} does not answer within 0.3 s.\n")


def test_a_connection_that_ends_early(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    with raw(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")) as url:
        assert said(capsys, "--url", url)[0] == 2
    with raw(lambda connection: connection.sendall(b"SSH-2.0-x\r\n")) as url:
        assert said(capsys, "--url", url)[0] == 2


# --- what is printed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [10, 30, 44, 80])
def test_no_line_is_too_long(width: int) -> None:
    """Also on a phone held upright, also for words without a break."""
    body = {"status": "ready", "engines": {"e" * 64: {"ready": True, "detail": "x" * 500 + " and words" * 30}, **FULL["engines"]}}
    lines = report(body, "http://127.0.0.1:8888/v1", width=width)
    assert max(len(line) for line in lines) <= max(width, 30)
    assert "".join(lines).count("x" * 20) >= 10


@pytest.mark.parametrize(
    "engines",
    [
        None,
        [],
        {"a": None},
        {"a": {"queue": None, "breakers": {}}},
        {"a": {"queue": {"running": "x", "capacity": None, "mean_s": 10**400}, "breakers": [None, {}, 3]}},
        {"a": {"ready": "yes", "detail": 7, "queue": {"running": True, "waiting": float("nan")}}},
    ],
)
def test_a_body_of_another_form_is_shown_as_far_as_it_goes(engines: object) -> None:
    lines = report({"status": "ready", "engines": engines}, "http://x/v1", width=80)
    assert lines[0] == "Farmhand at http://x/v1 is ready."
    assert len(lines) > 1


def test_a_queue_without_a_mean_or_a_capacity() -> None:
    def shown(**queue: float) -> str:
        return report({"status": "ready", "engines": {"e": {"ready": True, "queue": queue}}}, "u", width=80)[-1].strip()

    assert shown(capacity=4, running=4, waiting=0, mean_s=0.0) == "4 of 4 running, 0 waiting"
    assert shown(running=1) == "1 running"
    assert shown(mean_s=12.345) == "12.3 s an answer"


def test_an_apps_words_do_not_command_the_terminal() -> None:
    nasty = "red \x1b[31m bell \x07 back \x9b2J line\r\nbreak"
    body = {"status": "ready", "engines": {f"e{nasty}": {"detail": nasty, "breakers": [{"target": nasty, "message": nasty}]}}}
    text = "\n".join(report(body, "http://x/v1", width=80))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) is None
    assert "red  [31m bell" in text
