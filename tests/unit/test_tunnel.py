"""scripts/farmhand-tunnel: what it reads from adb and decides, by tables; and that it runs alone, on an old Python."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.fakes.adbd.shell import FakeShell, Reply

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "farmhand-tunnel"


def load() -> ModuleType:
    """It has no .py at its end, and is no module of anybody's."""
    loader = importlib.machinery.SourceFileLoader("farmhand_tunnel", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look their module up there
    loader.exec_module(module)
    return module


tunnel: Any = load()
Phone, Rule, Want, Said, HttpReply = tunnel.Phone, tunnel.Rule, tunnel.Want, tunnel.Said, tunnel.Reply


# --- it runs alone ---------------------------------------------------------------------------------------------------


def test_it_imports_only_the_standard_library() -> None:
    found = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").split(".")[0])
    assert found <= sys.stdlib_module_names


def test_python_3_9_can_read_it() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))


def pythons() -> list[str]:
    """Every Python on PATH from 3.9 on that works: a version manager's names need not."""
    found = [sys.executable]
    for minor in range(9, 15):
        name = shutil.which(f"python3.{minor}")
        if name and subprocess.run([name, "-c", ""], capture_output=True, timeout=60, check=False).returncode == 0:
            found.append(name)
    return found


@pytest.mark.parametrize("python", pythons())
def test_copied_alone_it_runs(python: str, tmp_path: Path) -> None:
    """Without site packages, without its repository, under the Pythons there are."""
    alone = shutil.copy(SCRIPT, tmp_path / "farmhand-tunnel")
    for flags, code in ((["--help"], 0), (["--adb", "none-such"], 3)):
        done = subprocess.run(
            [python, "-S", "-I", alone, *flags], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_it_is_executable() -> None:
    """This one is for laptops, so `env` finds its Python; on the phone nothing starts like that."""
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")


def test_the_help_names_every_exit_code() -> None:
    codes = (tunnel.DONE, tunnel.FAILED, tunnel.USAGE, tunnel.NO_ADB, tunnel.NO_PHONE, tunnel.NOT_PROVEN)
    for code in (*codes, tunnel.PORT_TAKEN, tunnel.KEY_REFUSED, tunnel.CTRL_C, tunnel.TERMINATED):
        assert f"{code} " in tunnel.parser().epilog


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


# --- which port ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8888", Want(8888, 8888)), ("18888:8888", Want(18888, 8888)), ("0:8888", Want(0, 8888))],
)
def test_parse_port(text: str, expected: Any) -> None:
    assert tunnel.parse_port(text) == expected


@pytest.mark.parametrize("text", ["", "x", "8888:", ":8888", "1:2:3", "8888:0", "65536", "70000:1", "-1:5", " 1:2"])
def test_parse_port_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        tunnel.parse_port(text)


def test_wanted_ports() -> None:
    def wanted(*more: Any, **how: bool) -> list[Any]:
        return list(tunnel.wanted_ports(8888, more=more, **{"proxy": False, "gateway": False, **how}))

    assert wanted() == [Want(8888, 8888)]
    assert wanted(proxy=True, gateway=True) == [Want(8888, 8888), Want(4000, 4000), Want(18789, 18789)]
    assert wanted(Want(9000, 8888), Want(2222, 8022)) == [Want(9000, 8888), Want(2222, 8022)]
    assert wanted(Want(0, 8888), Want(0, 8022)) == [Want(0, 8888), Want(0, 8022)]
    with pytest.raises(ValueError, match="4000 of the laptop cannot lead to both 4000 and 8022"):
        wanted(Want(4000, 8022), proxy=True)


@pytest.mark.parametrize(
    ("want", "before", "expected"),
    [
        (Want(8888, 8888), 0, [8888, 18888, 28888, 0]),
        (Want(8888, 8888), 8888, [8888, 18888, 28888, 0]),
        (Want(8888, 8888), 18888, [18888, 8888, 28888, 0]),
        (Want(60000, 1), 0, [60000, 0]),
        (Want(0, 1), 0, [0]),
        (Want(0, 1), 40123, [40123, 0]),
    ],
)
def test_candidates(want: Any, before: int, expected: list[int]) -> None:
    assert tunnel.candidates(want, before) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], ""),
        ([Rule("A", "tcp:8888", "tcp:8888")], "have"),
        ([Rule("A", "tcp:8888", "tcp:22")], "leads to tcp:22 of this phone"),
        ([Rule("B", "tcp:8888", "tcp:8888")], "has a rule of adb's to the phone B"),
        ([Rule("A", "tcp:18888", "tcp:8888"), Rule("B", "tcp:88", "tcp:8888")], ""),
    ],
)
def test_judge_rule(rules: list[Any], expected: str) -> None:
    assert tunnel.judge_rule(rules, "A", 8888, 8888) == expected


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [tunnel.pause_s(misses) for misses in range(50)]
    assert pauses == sorted(pauses) and pauses[0] == 0.25 and pauses[-1] == 8.0


# --- what answers ----------------------------------------------------------------------------------------------------

GOOD, NONE = HttpReply(200, "farmhand", '{"status":"ok"}'), HttpReply(failure="silent")


@pytest.mark.parametrize(
    ("health", "ready", "kind", "says"),
    [
        (GOOD, GOOD, "answers", "Farmhand WHERE"),
        (HttpReply(failure="closed"), NONE, "nothing-listens", "farmhand up"),
        (HttpReply(failure="refused"), NONE, "rule-lost", "Setting it up again"),
        (HttpReply(failure="silent"), NONE, "silent", "farmhand doctor"),
        (HttpReply(failure="cut"), NONE, "cut", "asked again"),
        (GOOD, HttpReply(failure="cut"), "cut", "asked again"),
        (HttpReply(failure="garbage"), NONE, "not-farmhand", "port 9999"),
        (HttpReply(200, "nginx", "hello"), NONE, "not-farmhand", "('nginx')"),
        (HttpReply(200, "", "hello"), NONE, "not-farmhand", "Something else"),
        (HttpReply(503, "farmhand", '{"error":{"message":"It is hot."}}'), NONE, "unhealthy", "It is hot."),
        (GOOD, HttpReply(503, "farmhand", '{"error":{"message":"No engine."}}'), "not-ready", "No engine."),
        (GOOD, NONE, "not-ready", "no answer to /ready"),
    ],
)
def test_judge_health(health: Any, ready: Any, kind: str, says: str) -> None:
    state = tunnel.judge_health(health, ready, 9999, "WHERE")
    assert (state.kind, state.up) == (kind, kind == "answers")
    assert says in state.words


MODELS = json.dumps({"data": [{"id": f"m{number}"} for number in range(8)]})


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (HttpReply(200, "farmhand", MODELS), tunnel.DONE, "m0, m1, m2, m3, m4, m5, ..."),
        (HttpReply(200, "farmhand", '{"data": []}'), tunnel.DONE, "none yet"),
        (HttpReply(200, "farmhand", "[]"), tunnel.NOT_PROVEN, "no list of models"),
        (HttpReply(200, "farmhand", "<html>"), tunnel.NOT_PROVEN, "no list of models"),
        (HttpReply(401, "farmhand", "{}"), tunnel.KEY_REFUSED, "farmhand token new laptop"),
        (HttpReply(403, "farmhand", '{"error":{"message":"Needs chat."}}'), tunnel.KEY_REFUSED, "Needs chat."),
        (HttpReply(failure="closed"), tunnel.NOT_PROVEN, "Try again"),
    ],
)
def test_judge_models(reply: Any, code: int, says: str) -> None:
    state = tunnel.judge_models(reply)
    assert state.code == code and says in state.words


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error":{"message":"So."}}', "So."),
        ('{"error":"So."}', "So."),
        ('{"detail":1}', '{"detail":1}'),
        ("[]", "[]"),
        ("a\n  b", "a b"),
        ("", ""),
    ],
)
def test_message_of(body: str, expected: str) -> None:
    assert tunnel.message_of(body) == expected


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection, served as told; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with listener.accept()[0] as one:
                serve(one)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)
        assert not thread.is_alive()


def drip(one: socket.socket) -> None:
    """A body of 100 bytes, one by one, each in time for an ordinary time limit."""
    one.sendall(b"HTTP/1.1 200 OK\r\nServer: farmhand\r\nContent-Length: 100\r\nConnection: close\r\n\r\n")
    one.settimeout(0.05)
    while True:
        try:
            one.sendall(b" ")
            if one.recv(65_536) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return


def until_it_leaves(one: socket.socket) -> None:
    while one.recv(65_536):
        pass


def answers(text: bytes) -> Callable[[socket.socket], None]:
    def serve(one: socket.socket) -> None:
        one.recv(65_536)
        one.sendall(text)

    return serve


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (answers(b"HTTP/1.1 200 OK\r\nServer: farmhand\r\nContent-Length: 2\r\n\r\nok"), HttpReply(200, "farmhand", "ok")),
        (answers(b"HTTP/1.0 503 No\r\n\r\n\xff"), HttpReply(503, "", "�")),
        (answers(b""), HttpReply(failure="closed")),
        (lambda one: None, HttpReply(failure="closed")),
        (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), HttpReply(failure="garbage")),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), HttpReply(failure="cut")),
        (answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok"), HttpReply(failure="cut")),
        (until_it_leaves, HttpReply(failure="silent")),
        (drip, HttpReply(failure="silent")),
    ],
)
def test_get_tells_apart(serve: Callable[[socket.socket], None], expected: Any) -> None:
    with raw_server(serve) as port:
        begun = time.monotonic()
        assert tunnel.get(port, "/health", limit_s=0.5) == expected
        assert time.monotonic() - begun < 5


def test_get_where_nobody_listens() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert tunnel.get(deaf.getsockname()[1], "/health") == HttpReply(failure="refused")


# --- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [" sk-farm-aB_9.x~\n", "Bearer sk-farm-aB_9.x~", "OPENAI_API_KEY=sk-farm-aB_9.x~", "export OPENAI_API_KEY='sk-farm-aB_9.x~'"],
)
def test_clean_key(text: str) -> None:
    assert tunnel.clean_key(text) == "sk-farm-aB_9.x~"


@pytest.mark.parametrize("text", ["", "  ", "secret words", "secret'; rm", "sécret", "secret\x07"])
def test_clean_key_refuses_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        tunnel.clean_key(text)
    assert "secret" not in str(caught.value)


def test_settings_for_the_shell_of_the_platform() -> None:
    assert tunnel.settings_lines("U", "K", "linux") == ["export OPENAI_BASE_URL='U'", "export OPENAI_API_KEY='K'"]
    assert tunnel.settings_lines("U", "K", "win32") == ["$env:OPENAI_BASE_URL = 'U'", "$env:OPENAI_API_KEY = 'K'"]


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("", "A=1\nB=2\n"),
        ("X=9", "X=9\nA=1\nB=2\n"),
        ("export A=0\n# A=3\nAA=4\n  B = 5\n", "# A=3\nAA=4\nA=1\nB=2\n"),
    ],
)
def test_merge_env(old: str, expected: str) -> None:
    assert tunnel.merge_env(old, {"A": "1", "B": "2"}) == expected
    assert tunnel.merge_env(expected, {"A": "1", "B": "2"}) == expected


# --- the phone's own settings ----------------------------------------------------------------------------------------


def asks_of(shell: FakeShell) -> Callable[[str], Any]:
    def asks(line: str) -> Any:
        reply = shell(line)
        return Said(reply.code, reply.out, reply.err)

    return asks


@pytest.mark.parametrize(
    ("sdk", "value", "ok", "fix", "undo"),
    [
        (30, None, True, (), ()),
        (31, None, False, 2, ("device_config delete activity_manager max_phantom_processes",)),
        (31, "32", False, 2, ("device_config put activity_manager max_phantom_processes 32",)),
        (31, "2147483647", True, (), ()),
        (32, None, False, 1, ("settings delete global settings_enable_monitor_phantom_procs",)),
        (33, "true", False, 1, ("settings put global settings_enable_monitor_phantom_procs true",)),
        (34, None, False, 1, ("settings delete global settings_enable_monitor_phantom_procs",)),
        (34, "false", True, (), ()),
        (35, "0", True, (), ()),
    ],
)
def test_the_phantom_killer_by_android_version(sdk: int, value: str | None, ok: bool, fix: Any, undo: tuple[str, ...]) -> None:
    """The table of facts/termux.md 4.2. What is proposed works on the phone, and its undoing leads back."""
    shell = FakeShell(sdk=sdk)
    if value is not None and sdk == 31:
        shell.device_config["activity_manager/max_phantom_processes"] = value
    elif value is not None:
        shell.settings["settings_enable_monitor_phantom_procs"] = value
    before = ({**shell.settings}, {**shell.device_config}, shell.sync_disabled)
    found = tunnel.check_phantom(asks_of(shell))
    assert (found.ok, len(found.fix)) == (ok, fix or 0)
    assert found.undo[:1] == undo
    for line in found.fix:
        assert shell(line).code == 0
    assert tunnel.check_phantom(asks_of(shell)).ok is True
    for line in found.undo:
        assert shell(line).code == 0
    assert (shell.settings, shell.device_config, shell.sync_disabled) == before


def test_only_android_14_has_the_switch_in_its_developer_options() -> None:
    for sdk, named in ((33, False), (34, True)):
        words = tunnel.check_phantom(asks_of(FakeShell(sdk=sdk))).words
        assert ("Disable child process restrictions" in words) is named


def test_exemptions_are_checked_for_what_is_installed() -> None:
    shell = FakeShell(installed={"com.termux", "com.termux.boot"}, exempt={"com.termux"})
    found = {finding.name: finding for finding in tunnel.every_check(asks_of(shell))}
    assert found["battery com.termux"].ok is True
    assert found["battery com.termux.boot"].fix == ("dumpsys deviceidle whitelist +com.termux.boot",)
    assert "battery com.termux.api" not in found
    assert found["package com.termux.api"].ok is None


def test_without_termux_there_is_nothing_to_look_at() -> None:
    found = list(tunnel.every_check(asks_of(FakeShell(installed={"com.termux.boot"}))))
    assert found[0].ok is False and "Termux is not installed" in found[0].words
    assert len(found) == 3


@pytest.mark.parametrize(("mode", "ok"), [(None, True), ("allow", True), ("default", True), ("ignore", False), ("deny", False)])
def test_background(mode: str | None, ok: bool) -> None:
    shell = FakeShell(background={"com.termux": mode} if mode else {})
    found = tunnel.check_background(asks_of(shell))
    assert found.ok is ok
    for line in found.fix:
        shell(line)
    assert tunnel.check_background(asks_of(shell)).ok is True


@pytest.mark.parametrize(
    ("locks", "ok"),
    [
        (["PARTIAL_WAKE_LOCK 'termux:service-wakelock' ACQ=-1s"], True),
        (["PARTIAL_WAKE_LOCK 'Other' ACQ=-1s"], False),
        ([], False),
    ],
)
def test_the_wake_lock(locks: list[str], ok: bool) -> None:
    assert tunnel.check_lock(asks_of(FakeShell(locks=locks))).ok is ok


@pytest.mark.parametrize("reply", [Reply(), Reply(err="error: device offline\n", code=1), Reply("rubbish\n")])
def test_what_cannot_be_read_is_neither_good_nor_bad(reply: Reply) -> None:
    """A phone that went away in the middle, or a vendor's system with answers of its own: no finding, no remedy, no traceback."""
    found = list(tunnel.every_check(lambda line: Said(reply.code, reply.out, reply.err)))
    unknown = [finding for finding in found if not finding.name.startswith(("package", "background"))]
    assert all(finding.ok is None and not finding.fix for finding in unknown)


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


# --- flags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--connect", "phone"], "--connect: 'phone' is not HOST:PORT"),
        (["--connect", "10.0.0.2:5", "--serial", "A"], "name two phones"),
        (["--port", "x"], "'x' is not LOCAL:REMOTE"),
        (["--port", "5:99999"], "a port is a number from 1 to 65535"),
        (["--phone-port", "0"], "a port is a number from 1 to 65535"),
        (["--key", "k"], "belong to --pair"),
        (["--write-env", "f"], "belong to --pair"),
        (["--yes"], "belongs to --fix"),
        (["--interval", "0"], "--interval is from"),
        (["--interval", "nan"], "--interval is from"),
        (["--wait", "-1"], "--wait from"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tunnel.checked_args(flags)
    assert caught.value.code == tunnel.USAGE
    assert says in capsys.readouterr().err
