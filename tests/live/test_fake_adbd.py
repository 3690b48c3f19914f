"""The fake phone, seen by the real adb: what the tests of the tunnel rest on."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.adbd import AdbServer, FakeDevice, Reply, packets

pytestmark = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb: apt install adb")
MB = 1024 * 1024


@pytest.fixture
def adb(tmp_path: Path) -> Iterator[AdbServer]:
    with AdbServer(tmp_path) as server:
        yield server


@contextmanager
def talking(says: bytes, hears: int) -> Iterator[tuple[int, bytearray]]:
    """A program that listens: takes one connection, says all this, hears so many bytes, says `.`. Its port, what it heard."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as one:
                one.sendall(says)
                while len(heard) < hears and (data := one.recv(65_536)):
                    heard.extend(data)
                one.sendall(b".")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("version", [packets.VERSION, packets.VERSION_WITH_SUMS])
def test_adb_connects_lists_and_runs_commands(adb: AdbServer, version: int) -> None:
    with FakeDevice(version=version) as device:
        assert f"connected to {device.serial}" in adb("connect", device.serial)
        assert adb.states() == {device.serial: "device"}
        assert "model:Pixel_7" in adb("devices", "-l")
        assert adb("shell", "getprop ro.build.version.sdk") == "34\n"
        [service] = device.opened
        assert service.startswith("shell,v2,") and service.endswith("raw:getprop ro.build.version.sdk")
    assert not device.connected.is_set()


def test_a_command_has_two_streams_and_an_exit_code(adb: AdbServer) -> None:
    with FakeDevice() as device:
        adb("connect", device.serial)
        device.shell.answers["both"] = Reply("out\n", "err\n", 3)
        done = subprocess.run(
            [adb.adb, "shell", "both"], env=adb.env, capture_output=True, text=True, timeout=20, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
        assert "not found" in adb("shell", "nonsense", ok=False)


def test_an_old_phone_has_one_stream_and_no_exit_code(adb: AdbServer) -> None:
    with FakeDevice(features="cmd") as device:
        adb("connect", device.serial)
        device.shell.answers["both"] = Reply("out\n", "err\n", 3)
        done = subprocess.run(
            [adb.adb, "shell", "both"], env=adb.env, capture_output=True, text=True, timeout=20, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "out\nerr\n", "")


def test_what_was_set_is_there_afterwards_and_over_a_restart(adb: AdbServer) -> None:
    with FakeDevice() as device:
        adb("connect", device.serial)
        assert adb("shell", "settings get global x") == "null\n"
        adb("shell", "settings put global x 7")
        adb("shell", "dumpsys deviceidle whitelist +com.termux")
        device.reboot()
        adb("disconnect", device.serial)
        adb("connect", device.serial)
        assert adb("shell", "settings get global x") == "7\n"
        assert "user,com.termux," in adb("shell", "dumpsys deviceidle whitelist")


@pytest.mark.parametrize("version", [packets.VERSION, packets.VERSION_WITH_SUMS])
def test_a_forward_carries_everything_both_ways(adb: AdbServer, version: int) -> None:
    down, up = os.urandom(3 * MB + 17), os.urandom(2 * MB + 5)
    with FakeDevice(version=version) as device, talking(down, len(up)) as (port, heard):
        device.ports[8888] = port
        adb("connect", device.serial)
        local = int(adb("forward", "tcp:0", "tcp:8888"))
        assert adb.rules() == [f"{device.serial} tcp:{local} tcp:8888"]
        with socket.create_connection(("127.0.0.1", local), timeout=20) as client:
            sender = threading.Thread(target=client.sendall, args=(up,), daemon=True)
            sender.start()
            came = bytearray()
            while data := client.recv(65_536):
                came.extend(data)
            sender.join(20)
    # Not compared as they are: pytest would show the difference of millions of bytes.
    assert hashlib.sha256(came).digest() == hashlib.sha256(down + b".").digest()
    assert hashlib.sha256(heard).digest() == hashlib.sha256(up).digest()


@pytest.mark.parametrize("mapped", [False, True])
def test_a_port_where_nothing_listens_takes_the_connection_and_closes_it(adb: AdbServer, mapped: bool) -> None:
    """The trap of facts/termux.md 10, as the real adb makes it."""
    with FakeDevice() as device, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        if mapped:
            device.ports[8888] = deaf.getsockname()[1]
        adb("connect", device.serial)
        local = int(adb("forward", "tcp:0", "tcp:8888"))
        with socket.create_connection(("127.0.0.1", local), timeout=20) as client:
            assert client.recv(1) == b""


def test_unplugged_it_is_offline_and_its_rules_are_gone(adb: AdbServer) -> None:
    with FakeDevice() as device:
        adb("connect", device.serial)
        adb("forward", "tcp:0", "tcp:8888")
        device.unplug()
        adb("wait-for-disconnect")
        assert adb.states() == {device.serial: "offline"} and adb.rules() == []
        assert "refused" in adb("connect", device.serial, ok=False)
        device.plug()
        adb("disconnect", device.serial)
        adb("connect", device.serial)
        assert adb.states() == {device.serial: "device"} and adb.rules() == []


def test_a_key_it_does_not_know_waits_for_a_person(adb: AdbServer) -> None:
    with FakeDevice(asks_key=True) as device:
        assert "failed to authenticate" in adb("connect", device.serial, ok=False)
        assert device.asked_key.wait(20)
        assert adb.states() == {device.serial: "unauthorized"}
        device.authorise()
        adb("wait-for-device")
        assert adb.states() == {device.serial: "device"}


def test_hung_it_answers_nothing_and_comes_back(adb: AdbServer) -> None:
    with FakeDevice() as device:
        adb("connect", device.serial)
        device.hung = True
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run([adb.adb, "shell", "echo hi"], env=adb.env, capture_output=True, timeout=1, check=False)
        device.hung = False
        assert adb("shell", "echo hi") == "hi\n"


def test_at_usb_adb_finds_it_again_by_itself(adb: AdbServer) -> None:
    with FakeDevice() as device:
        serial = adb.plug(device)
        adb("-s", serial, "wait-for-device")
        adb("forward", "tcp:0", "tcp:8888")
        device.unplug()
        adb("-s", serial, "wait-for-disconnect")
        device.plug()
        assert device.connected.wait(30)
        adb("-s", serial, "wait-for-device")
        assert adb.states() == {serial: "device"} and adb.rules() == []


def test_several_at_once(adb: AdbServer) -> None:
    with FakeDevice() as one, FakeDevice() as two:
        two.shell.model = "Pixel 9"
        adb("connect", one.serial)
        adb("connect", two.serial)
        assert adb.states() == {one.serial: "device", two.serial: "device"}
        assert "more than one device" in adb("shell", "echo", ok=False)
        assert adb("-s", two.serial, "shell", "getprop ro.product.model") == "Pixel 9\n"


@pytest.mark.parametrize("spoiled", [(4, 1), (20, 1), (24, 1)])  # an argument's byte is free; the magic, the data are not
def test_a_message_that_is_none_ends_the_connection(spoiled: tuple[int, int]) -> None:
    place, change = spoiled
    raw = bytearray(packets.render(packets.Message(packets.CNXN, packets.VERSION_WITH_SUMS, 4096, b"host::\0")))
    raw[place] ^= change
    with FakeDevice(version=packets.VERSION_WITH_SUMS) as device:
        with socket.create_connection(("127.0.0.1", device.port), timeout=20) as server:
            server.sendall(raw)
            answer = server.recv(24)
        assert (answer[:4] == b"CNXN") == (place == 4)
