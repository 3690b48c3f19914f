"""A phone at the end of a cable and scripts/farmhand-tunnel at the other; the fixtures `adb_server`, `cabled_*` and `tunnels` of conftest.py."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.adbd import AdbServer, FakeDevice
from tests.live.processes import REPO, Adapter, Running, running
from tests.live.terminal import Terminal, on_terminal

needs_adb = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb: apt install adb")

SCRIPT = str(REPO / "scripts" / "farmhand-tunnel")
ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\nctx_tokens = 100000\n'
END_S = 30.0


@contextmanager
def plugged(adb: AdbServer, farmhand: Adapter | None = None, **how: Any) -> Iterator[FakeDevice]:
    with FakeDevice(ports={8888: port_of(farmhand.base_url)} if farmhand else {}, **how) as device:
        adb("connect", device.serial, ok=False)
        yield device


def port_of(url: str) -> int:
    return int(url.split(":")[2].partition("/")[0])


@contextmanager
def own_port() -> Iterator[int]:
    """A port of the laptop for one test alone; its second choice, 10,000 higher, is free too, and neither is one that the
    system hands out. The same port of UDP is held meanwhile: that keeps other runs of these tests away."""
    for port in range(20_000, 22_700):
        with socket.socket(type=socket.SOCK_DGRAM) as mine, socket.socket() as first, socket.socket() as second:
            try:
                mine.bind(("127.0.0.1", port))
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            first.close()
            second.close()
            yield port
            return
    raise AssertionError("no port is free")


class Tunnels:
    """Starts the script; its port of the laptop for the phone's 8888 is `port`."""

    def __init__(self, adb: AdbServer, port: int) -> None:
        self.adb, self.port = adb, port

    def argv(self, *flags: str) -> list[str]:
        return [sys.executable, SCRIPT, "--port", f"{self.port}:8888", "--interval", "1", *flags]

    @contextmanager
    def running(self, *flags: str, **env: str) -> Iterator[Running]:
        with running(self.argv(*flags), {**self.adb.env, **env}) as started:
            yield started
        assert "Traceback" not in started.output

    def done(self, *flags: str, says: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Runs to its end, without a terminal. says: its standard input."""
        done = subprocess.run(
            self.argv(*flags),
            env={**self.adb.env, **env},
            input=says,
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    def events(self, *flags: str, **env: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.done("--json", *flags, **env).stdout.splitlines()]

    @contextmanager
    def terminal(self, *flags: str, **env: str) -> Iterator[Terminal]:
        with on_terminal(self.argv(*flags), {**self.adb.env, **env}) as shown:
            yield shown
        assert "Traceback" not in shown.shown


def get(port: int, path: str, key: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=END_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Foreign(http.server.BaseHTTPRequestHandler):
    """A web server that is not Farmhand; 501 for whatever is asked."""

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def foreign_server() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()
