"""scripts/farmhand-tunnel: what it reads from adb, which phone it chooses, and an adb that is missing, old or broken."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tunnel_cases import Phone, Rule, Said, Want, tunnel

# --- what adb says ---------------------------------------------------------------------------------------------------

LISTED = """\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
28161FDH2000AB         device usb:1-2 product:panther model:Pixel_7 device:panther transport_id:1
192.168.1.5:37123      offline transport_id:3
emulator-5554          unauthorized transport_id:4
????????????           no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]
(no serial number)     device transport_id:9

"""


def test_parse_phones() -> None:
    assert tunnel.parse_phones(LISTED) == [
        Phone("28161FDH2000AB", "device", "Pixel 7"),
        Phone("192.168.1.5:37123", "offline"),
        Phone("emulator-5554", "unauthorized"),
        Phone("????????????", "no permissions"),
        Phone("(no serial number)", "device"),
    ]
    assert tunnel.parse_phones("List of devices attached\n\n") == []


def test_parse_rules() -> None:
    text = "A tcp:8888 tcp:8888\nB tcp:1 localabstract:x\n\nadb: error: nonsense\n* daemon started successfully\n"
    assert tunnel.parse_rules(text) == [Rule("A", "tcp:8888", "tcp:8888"), Rule("B", "tcp:1", "localabstract:x")]


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        ("192.168.1.5:37123", True),
        ("pixel.lan:5555", True),
        ("[fe80::1]:5555", True),
        ("28161FDH2000AB", False),
        ("emulator-5554", False),
        ("adb-28161FDH-x7._adb-tls-connect._tcp", False),
        ("fe80::1:5555", False),
        ("host:", False),
        ("", False),
    ],
)
def test_is_address(serial: str, expected: bool) -> None:
    assert tunnel.is_address(serial) is expected


def test_moved_to() -> None:
    services = (
        "List of discovered mdns services\n"
        "adb-1-a\t_adb-tls-pairing._tcp\t192.168.1.5:1111\n"
        "adb-2-b\t_adb-tls-connect._tcp\t192.168.1.6:2222\n"
        "adb-1-a\t_adb-tls-connect._tcp\t192.168.1.5:3333\n"
    )
    assert tunnel.moved_to(services, "192.168.1.5:37123") == "192.168.1.5:3333"
    assert tunnel.moved_to(services, "192.168.1.5:3333") == ""
    assert tunnel.moved_to("adb: unknown command mdns\n", "192.168.1.5:1") == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(1, "", "adb: error: cannot rebind existing socket\n"), "cannot rebind existing socket"),
        (Said(1, "", "* daemon not running; starting now\nerror: device offline\n"), "device offline"),
        (Said(0, "failed to connect to 'x:1': Connection refused\n"), "failed to connect to 'x:1': Connection refused"),
        (Said(7), "exit code 7"),
        (Said(None, "half"), "adb did not answer in time"),
    ],
)
def test_what_adb_complained_of(said: Any, words: str) -> None:
    assert said.words == words


# --- which phone -----------------------------------------------------------------------------------------------------

A, B = Phone("A", "device", "Pixel 7"), Phone("B", "device", "Pixel 9")


@pytest.mark.parametrize(
    ("phones", "wanted", "chosen", "kind"),
    [
        ([], "", None, "gone"),
        ([], "A", None, "gone"),
        ([A], "", A, "found"),
        ([A], "B", None, "gone"),
        ([A, B], "", None, "ask"),
        ([A, B], "B", B, "found"),
        ([A, Phone("C", "unauthorized")], "", A, "found"),
        ([A, Phone("C", "unauthorized")], "C", None, "unauthorized"),
        ([Phone("C", "offline")], "", None, "offline"),
        ([Phone("C", "no permissions")], "", None, "no-permissions"),
    ],
)
def test_choose(phones: list[Any], wanted: str, chosen: Any, kind: str) -> None:
    phone, state = tunnel.choose(phones, wanted, "linux")
    assert (phone, state.kind, state.ok) == (chosen, kind, chosen is not None)


def test_choosing_names_every_phone_that_could_be_meant() -> None:
    words = tunnel.choose([A, B], "", "linux")[1].words
    assert "Pixel 7 (A)" in words and "Pixel 9 (B)" in words and "--serial A" in words
    assert "adb lists: A, B." in tunnel.choose([A, B], "C", "linux")[1].words


@pytest.mark.parametrize(
    ("state", "serial", "platform", "remedy"),
    [
        ("unauthorized", "A", "linux", "tap Allow"),
        ("authorizing", "A", "linux", "unlock the phone"),
        ("offline", "A", "linux", "plug the cable out and in"),
        ("offline", "10.0.0.2:5555", "linux", "wireless debugging"),
        ("no permissions", "A", "linux", "plugdev"),
        ("no permissions", "A", "darwin", "adb kill-server"),
        ("recovery", "A", "linux", "Start Android"),
        ("something-new", "A", "linux", "'something-new'"),
    ],
)
def test_every_state_has_a_remedy(state: str, serial: str, platform: str, remedy: str) -> None:
    words = tunnel.explain(Phone(serial, state), platform)
    assert remedy in words and serial in words


# --- adb itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "os_release", "expected"),
    [
        ("darwin", "", "brew install"),
        ("win32", "", "winget install"),
        ("linux", 'NAME="Debian"\nID=debian\n', "sudo apt install adb"),
        ("linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "sudo apt install adb"),
        ("linux", "ID=fedora\n", "dnf install android-tools"),
        ("linux", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install android-tools"),
        ("linux", "ID=nixos\n", "your package manager"),
        ("linux", "", "your package manager"),
    ],
)
def test_how_to_install(platform: str, os_release: str, expected: str) -> None:
    assert expected in tunnel.how_to_install(platform, os_release)


@pytest.mark.parametrize(
    ("env", "platform", "expected"),
    [
        ({}, "linux", "/h/Android/Sdk/platform-tools/adb"),
        ({"ANDROID_HOME": "/sdk"}, "linux", "/sdk/platform-tools/adb"),
        ({}, "darwin", "/h/Library/Android/sdk/platform-tools/adb"),
        ({"LOCALAPPDATA": "C:/L"}, "win32", "C:/L/Android/Sdk/platform-tools/adb.exe"),
    ],
)
def test_adb_places(env: dict[str, str], platform: str, expected: str) -> None:
    assert tunnel.adb_places(env, "/h", platform)[0] == expected


def test_find_adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PATH, else in the SDK's folder, else a line to type."""
    tools = tmp_path / "sdk" / "platform-tools"
    tools.mkdir(parents=True)
    program = fake_adb(tools, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert tunnel.find_adb("") == program
    assert tunnel.find_adb(program) == program
    on_path = fake_adb(tmp_path, "exit 0")
    assert tunnel.find_adb("") == on_path


def test_no_adb_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac's folders are looked through: a Linux machine that runs this has its adb in one of its own."""
    if any(Path(place).exists() for place in tunnel.adb_places({}, str(tmp_path), "darwin")):
        pytest.skip("this machine has an adb where a Mac would have it; the test needs one without")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    with pytest.raises(tunnel.Stop, match=r"^adb is not installed here\. Type: brew ") as caught:
        tunnel.find_adb("")
    assert caught.value.code == tunnel.NO_ADB


def test_an_adb_that_cannot_wait_is_not_asked_all_the_time(tmp_path: Path) -> None:
    """An old one does not know `wait-for-disconnect` and says so at once."""
    adb = tunnel.Adb(fake_adb(tmp_path, "exit 1"))
    made = tunnel.Tunnel(adb, tunnel.Teller(as_json=True), [Want(1, 1)], serial="A", strict=False, interval_s=0.6)
    made.phone = A
    begun = time.monotonic()
    for _ in range(4):
        made.wait(tunnel.State("answers", "", tunnel.DONE))
    assert time.monotonic() - begun > 0.25 + 0.5 + 0.6 + 0.6


def fake_adb(folder: Path, body: str) -> str:
    program = folder / "adb"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


def test_adb_that_hangs_is_ended(tmp_path: Path) -> None:
    """Also when a child of its own, as adb's server is, keeps its output open."""
    adb = tunnel.Adb(fake_adb(tmp_path, "echo begun; sleep 5 & exec sleep 60"))
    begun = time.monotonic()
    said = adb("devices", limit_s=0.5)
    assert (said.code, said.out) == (None, "begun\n")
    assert time.monotonic() - begun < 4


def test_adb_is_told_not_to_take_over_a_rule_either(tmp_path: Path) -> None:
    """Another program may set its rule between our look and our own rule."""
    body = """case "$*" in
      *list*) ;;
      *--no-rebind*tcp:8888*tcp:8888) echo 'adb: error: cannot rebind existing socket' >&2; exit 1 ;;
      *--no-rebind*tcp:18888*) echo 18888 ;;
      *) echo "took it over: $*" >&2; exit 9 ;;
    esac"""
    tell = tunnel.Teller(as_json=True)
    made = tunnel.Tunnel(
        tunnel.Adb(fake_adb(tmp_path, body)), tell, [Want(8888, 8888)], serial="A", strict=False, interval_s=1
    )
    made._ensure(Want(8888, 8888), A)
    assert made.ports == {8888: 18888}
    strict = tunnel.Tunnel(
        tunnel.Adb(fake_adb(tmp_path, body)), tell, [Want(8888, 8888)], serial="A", strict=True, interval_s=1
    )
    with pytest.raises(tunnel.Stop, match="has a rule of adb's") as caught:
        strict._ensure(Want(8888, 8888), A)
    assert caught.value.code == tunnel.PORT_TAKEN


def test_adb_that_fails_is_said(tmp_path: Path) -> None:
    adb = tunnel.Adb(fake_adb(tmp_path, "echo 'adb: error: no disk' >&2; exit 1"))
    with pytest.raises(tunnel.NotNow, match="no disk"):
        adb.phones()
    with pytest.raises(tunnel.Stop, match="cannot be run") as caught:
        tunnel.Adb(str(tmp_path / "nowhere"))("devices")
    assert caught.value.code == tunnel.NO_ADB
