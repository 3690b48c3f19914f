"""Is a service ready? The judgement by tables, the asking against small servers that misbehave."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phone import probe as probing
from phone.places import Places, places
from phone.probe import address, main, probe, probe_supervisor
from phone.readiness import Answer, Probe, answered, is_complete, judge
from phone.settings import PhoneSettings
from phone.supervisor import clock
from phone.supervisor.published import Published, PublishedService, to_json
from phone.supervisor.types import Service

ROOT = Path(__file__).resolve().parents[2]


# --- judging -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "status", "body", "ready", "words"),
    [
        (Service.ADAPTER, 200, b'{"status": "ready"}', True, "ready"),
        (Service.ADAPTER, 503, b'{"status": "not ready"}', True, "up; no engine can answer now"),
        (Service.ADAPTER, 503, b'{"status": "not ready", "engines": {}}', True, "up; no engine can answer now"),
        (Service.ADAPTER, 200, b"<html>", False, "something else than Farmhand"),
        (Service.ADAPTER, 200, b"[]", False, "something else than Farmhand"),
        (Service.ADAPTER, 200, b'{"status": 7}', False, "something else than Farmhand"),
        (Service.ADAPTER, 404, b"", False, "HTTP 404"),
        (Service.ADAPTER, 503, b"overloaded", False, "HTTP 503"),
        (Service.ADAPTER, 503, b'{"status": "ready"}', False, "HTTP 503"),
        (Service.PROXY, 200, b'"I\'m alive!"', True, "answers"),
        (Service.PROXY, 503, b"", False, "/health/liveliness answers with HTTP 503"),
        (Service.PROXY, 401, b"", False, "HTTP 401"),
        (Service.GATEWAY, 200, b"<html>", True, "answers"),
        (Service.GATEWAY, 401, b"", True, "answers"),
        (Service.GATEWAY, 404, b"", True, "answers"),
        (Service.ENGINE, 200, b'{"status":"ok"}', True, "answers"),
        (Service.ENGINE, 503, b'{"error":{"message":"Loading model"}}', False, "it is loading its model"),
        (Service.ENGINE, 500, b"", False, "HTTP 500"),
    ],
)
def test_judge(service: Service, status: int, body: bytes, ready: bool, words: str) -> None:
    """An adapter without an engine is up: no restart of it opens an app."""
    verdict = judge(service, Answer(status, body))
    assert verdict.ready is ready and words in verdict.words


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Answer(200, b"ok")),
        (b"HTTP/1.0 503 Service Unavailable\r\n\r\n", Answer(503)),
        (b"HTTP/1.1 401\r\n", Answer(401)),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"HTTP/1.1", None),
        (b"", None),
    ],
)
def test_answered(data: bytes, expected: Answer | None) -> None:
    """A status line is enough; what is no HTTP is nothing."""
    assert answered(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\n\r\nok!", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nok", False),
    ],
)
def test_is_complete(data: bytes, expected: bool) -> None:
    """Only a length tells before the end of the connection."""
    assert is_complete(data) is expected


# --- asking ------------------------------------------------------------------------------------------------------


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where `serve` gets each connection, with the request already read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(4096)
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


READY = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"status": "ready"}'


def keeps_open(connection: socket.socket) -> None:
    """Answers, and does not close although asked to."""
    connection.sendall(READY)
    connection.recv(1)


def says_nothing(connection: socket.socket) -> None:
    connection.recv(1)


def trickles(connection: socket.socket) -> None:
    """A byte now and then: each read succeeds, and the answer never comes."""
    while True:
        connection.sendall(b"H")
        time.sleep(0.02)


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000)


@pytest.mark.parametrize(
    ("serve", "ready", "words"),
    [
        pytest.param(lambda c: c.sendall(READY), True, "ready", id="answers"),
        pytest.param(keeps_open, True, "ready", id="keeps-the-connection-open"),
        pytest.param(lambda c: None, False, "does not answer in HTTP", id="closes"),
        pytest.param(lambda c: c.sendall(b"SSH-2.0-x\r\n"), False, "does not answer in HTTP", id="other-protocol"),
        pytest.param(says_nothing, False, "no answer from 127.0.0.1:", id="hangs"),
        pytest.param(trickles, False, "does not answer in HTTP", id="trickles"),
        pytest.param(floods, False, "something else than Farmhand", id="floods"),
    ],
)
def test_probe(serve: Callable[[socket.socket], None], ready: bool, words: str) -> None:
    """Bounded, whatever the other side does; and it never raises."""
    began = time.monotonic()
    with server(serve) as port:
        answer = probe(Service.ADAPTER, "127.0.0.1", port, 0.5)
        assert time.monotonic() - began < 2
    assert answer.ready is ready and words in answer.words


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_nobody_listens() -> None:
    """As while it starts."""
    port = free_port()
    assert probe(Service.PROXY, "127.0.0.1", port, 1) == Probe(False, f"nothing listens on 127.0.0.1:{port} yet")


def test_a_host_that_is_none() -> None:
    """A name that cannot be resolved is no traceback."""
    answer = probe(Service.ADAPTER, "no such host.invalid", 1, 2)
    assert not answer.ready and "cannot be asked" in answer.words


def test_all_interfaces_are_asked_on_loopback() -> None:
    """0.0.0.0 is where one listens, not where one is reached."""
    with server(lambda c: c.sendall(READY)) as port:
        assert probe(Service.ADAPTER, "0.0.0.0", port, 1).ready


# --- where -------------------------------------------------------------------------------------------------------


@pytest.fixture
def where(tmp_path: Path) -> Places:
    found = places({"PREFIX": str(tmp_path / "usr"), "HOME": str(tmp_path)}, ROOT)
    found.config.parent.mkdir(parents=True)
    found.run.mkdir(parents=True)
    return found


def test_without_a_configuration(where: Places) -> None:
    """The same ports as `phone/settings.py` has, which is not read for it: pydantic is slow to import."""
    usual = PhoneSettings()
    assert address(Service.ADAPTER, where, {}) == (usual.server.host, usual.server.port)
    assert address(Service.PROXY, where, {}) == ("127.0.0.1", usual.proxy.port)
    assert address(Service.GATEWAY, where, {}) == ("127.0.0.1", usual.gateway.port)
    assert address(Service.ENGINE, where, {}) == ("127.0.0.1", 8090)


def test_file_then_environment(where: Places) -> None:
    """As everywhere, the environment wins."""
    where.config.write_text('[server]\nport = 9001\nhost = "::1"\n[proxy]\nport = 9002\n[gateway]\nport = 9003\n')
    (where.state / "engine.env").write_text("ENGINE_MODEL=/x.gguf\nENGINE_PORT='9004'\n")
    assert address(Service.ADAPTER, where, {}) == ("::1", 9001)
    assert [address(s, where, {})[1] for s in (Service.PROXY, Service.GATEWAY, Service.ENGINE)] == [9002, 9003, 9004]
    env = {"FARMHAND_SERVER_PORT": "9011", "FARMHAND_SERVER_HOST": "127.0.0.1", "FARMHAND_PROXY_PORT": "9012"}
    assert address(Service.ADAPTER, where, env) == ("127.0.0.1", 9011)
    assert address(Service.PROXY, where, env) == ("127.0.0.1", 9012)


@pytest.mark.parametrize(
    ("config", "env", "said"),
    [
        ("[server]\nport = 70000\n", {}, "server.port of"),
        ('[server]\nport = "x"\n', {}, "must be a port, 1 to 65535; it is 'x'"),
        ("[server]\nport = 0\n", {}, "must be a port"),
        ("[server]\nport = true\n", {}, "must be a port"),
        ("[server\n", {}, "not valid TOML"),
        ("", {"FARMHAND_SERVER_PORT": "9" * 6000}, "must be a port"),
    ],
)
def test_a_port_that_is_none(where: Places, config: str, env: dict[str, str], said: str) -> None:
    """A sentence that names the place."""
    where.config.write_text(config)
    with pytest.raises(ValueError, match=re.escape(said)):
        address(Service.ADAPTER, where, env)


def test_sections_of_an_odd_kind_count_as_empty(where: Places) -> None:
    """Who owns them complains; the probe asks where it usually is."""
    where.config.write_text("server = 3\n")
    assert address(Service.ADAPTER, where, {}) == ("127.0.0.1", 8888)


# --- the supervisor ----------------------------------------------------------------------------------------------


def publish(where: Places, *, pid: int | None, ready: bool, boot_id: str | None = None) -> None:
    services = {"adapter": PublishedService("farmhand-adapter", "ready", ready=True)}
    services["litellm"] = PublishedService("farmhand-litellm", "starting", ready=ready)
    boot = clock.boot_id() if boot_id is None else boot_id
    published = Published(pid=pid, boot_id=boot, wall_s=1.0, goal="up", ready=ready, services=services)
    (where.run / "supervisor.json").write_text(json.dumps(to_json(published)))


def test_the_supervisor(where: Places) -> None:
    """Ready is what it says, while it lives."""
    assert probe_supervisor(where) == Probe(False, "the supervisor has not said anything yet")
    publish(where, pid=os.getpid(), ready=True)
    assert probe_supervisor(where) == Probe(True, "all is ready")
    publish(where, pid=os.getpid(), ready=False)
    assert probe_supervisor(where) == Probe(False, "not ready yet: litellm")


def test_a_supervisor_that_is_gone(where: Places) -> None:
    """What it left behind does not count: of another boot, of a process that has ended, of an orderly end, half a file."""
    publish(where, pid=os.getpid(), ready=True, boot_id="another")
    assert not probe_supervisor(where).ready
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    publish(where, pid=child.pid, ready=True)
    assert probe_supervisor(where) == Probe(False, "the supervisor that spoke last has ended")
    for pid in (None, 0, -1, 10**30):
        publish(where, pid=pid, ready=True)
        assert not probe_supervisor(where).ready
    (where.run / "supervisor.json").write_text('{"version": 1, "pid"')
    assert not probe_supervisor(where).ready


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command(where: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """0 and 1 for runit; the words go to standard error, a port alone to standard output."""
    env = {"PREFIX": str(where.prefix), "HOME": str(where.user)}
    with server(lambda c: c.sendall(READY)) as port:
        where.config.write_text(f"[server]\nport = {port}\n")
        assert main(["adapter"], env) == 0
        assert capsys.readouterr() == ("", "ready\n")
        assert main(["--port", "adapter"], env) == 0
        assert capsys.readouterr() == (f"{port}\n", "")
    assert main(["adapter"], env) == 1
    assert main(["farmhand"], env) == 1
    where.config.write_text("[server]\nport = 0\n")
    assert main(["adapter"], env) == main(["--port", "adapter"], env) == 1
    assert "must be a port" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["--port"], ["--port", "farmhand"], ["adapter", "litellm"], ["-x", "adapter"]])
def test_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Told in one line."""
    assert main(argv, {}) == 2
    assert capsys.readouterr().err.startswith("usage: python -m phone.probe")


def test_check_is_quick_and_needs_no_library() -> None:
    """runit runs it twice a second, on a phone: neither pydantic nor aiohttp, not even with all of site-packages away."""
    code = "import sys, phone.probe; print(sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "['__main__', 'phone']"
    assert probing.LIMIT_S < 7  # which is how long `sv start` waits for it
