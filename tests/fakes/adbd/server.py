"""A real adb server of a test's own: its own port, keys and log, and nothing left of it afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.fakes.adbd.device import FakeDevice

LIMIT_S = 30.0


class AdbServer:
    """A context manager. `env` is the environment in which any `adb` talks to this server and to no other.

    folder: for its HOME (keys) and log. The server starts with the first command and is killed at the end.
    """

    def __init__(self, folder: Path, adb: str = "adb") -> None:
        self.adb = adb
        home = folder / "adb_home"
        home.mkdir()
        (home / "tmp").mkdir()
        self.port = _free_port()
        others = ("ADB_", "ANDROID_", "FARMHAND_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.env |= {
            "HOME": str(home),
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",  # it looks for no emulators on this machine
            "TMPDIR": str(home / "tmp"),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, "the adb server is still there"

    def __call__(self, *words: str, ok: bool = True) -> str:
        """`adb WORDS`; gives what it said on both streams. With `ok` it must succeed."""
        done = subprocess.run(
            [self.adb, *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0 or not ok, f"adb {' '.join(words)} gave {done.returncode}: {done.stdout}"
        return done.stdout

    def plug(self, device: FakeDevice) -> str:
        """Tell the server that there is a device, which it then keeps looking for by itself, as it does at a USB port; gives
        its serial number. (It is what Android's emulator says when it starts: `adb connect` has no part in it.)"""
        self("start-server")
        message = f"host:emulator:{device.port}".encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as told:
            told.sendall(b"%04x%b" % (len(message), message))
            told.recv(1)
        assert device.connected.wait(LIMIT_S)
        return f"emulator-{device.port - 1}"

    def kill(self) -> None:
        """As `adb kill-server`, which another tool on the laptop may run at any time."""
        self("kill-server", ok=False)

    def rules(self) -> list[str]:
        return [line for line in self("forward", "--list").splitlines() if line]

    def states(self) -> dict[str, str]:
        """Serial -> state, of what `adb devices` lists."""
        lines = self("devices").splitlines()
        rows = [line.split("\t") for line in lines if "\t" in line]
        return {row[0]: row[1] for row in rows}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
