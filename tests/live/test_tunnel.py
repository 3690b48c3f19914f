"""scripts/farmhand-tunnel with the real adb, a fake phone and a real `farmhand serve` behind its port 8888."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.adbd import AdbServer, FakeDevice, FakeShell
from tests.live.processes import REPO, Adapter, Running, adapter, running
from tests.live.terminal import CTRL_C, Terminal, on_terminal

pytestmark = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb: apt install adb")

SCRIPT = str(REPO / "scripts" / "farmhand-tunnel")
ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\nctx_tokens = 100000\n'
NOT_READY = '[[engine]]\nname = "away"\nkind = "openai"\nurl = "http://127.0.0.1:9"\n'
END_S = 30.0
PHANTOM = "settings_enable_monitor_phantom_procs"


@pytest.fixture(scope="module")
def farmhand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    """What runs on the phone."""
    with adapter(tmp_path_factory.mktemp("phone"), ECHO) as served:
        yield served


@pytest.fixture
def adb(tmp_path: Path) -> Iterator[AdbServer]:
    with AdbServer(tmp_path) as server:
        yield server


@pytest.fixture
def phone(adb: AdbServer, farmhand: Adapter) -> Iterator[FakeDevice]:
    """Plugged in, with Farmhand on its port 8888."""
    with plugged(adb, farmhand) as device:
        yield device


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


@pytest.fixture
def tunnels(adb: AdbServer) -> Iterator[Tunnels]:
    with own_port() as port:
        yield Tunnels(adb, port)


def get(port: int, path: str, key: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=END_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


# --- it forwards and proves ------------------------------------------------------------------------------------------


def test_forwards_proves_and_leaves_nothing_behind(
    adb: AdbServer, phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels
) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(rf"\d\d:\d\d:\d\d  Using Pixel 7 \({phone.serial}\)\.\n")
        tunnel.wait_for(rf"Farmhand of Pixel 7 \(\S+\) answers at http://127\.0\.0\.1:{tunnels.port}/v1\n")
        assert adb.rules() == [f"{phone.serial} tcp:{tunnels.port} tcp:8888"]
        assert get(tunnels.port, "/v1/models", farmhand.key)[0] == 200
    assert tunnel.process.returncode == 143
    assert adb.rules() == []


def test_once_ends_after_the_proof_and_keep_leaves_the_rule(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    assert tunnels.done("--once").returncode == 0
    assert adb.rules() == []
    assert tunnels.done("--once", "--keep").returncode == 0
    assert adb.rules() == [f"{phone.serial} tcp:{tunnels.port} tcp:8888"]
    again = tunnels.done("--once")
    assert "that rule is not ours and will stay" in again.stdout
    assert adb.rules() == [f"{phone.serial} tcp:{tunnels.port} tcp:8888"]


def test_json_lines(phone: FakeDevice, tunnels: Tunnels) -> None:
    found, answers = tunnels.events("--once")
    assert (found["event"], found["serial"], found["model"]) == ("phone", phone.serial, "Pixel 7")
    assert (answers["event"], answers["ok"]) == ("answers", True)
    assert answers["base_url"] == f"http://127.0.0.1:{tunnels.port}/v1"


def test_ctrl_c_is_a_clean_end(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.terminal() as shown:
        shown.wait_for(r"answers at")
        shown.type(CTRL_C)
        assert shown.end() == 130
    assert adb.rules() == []


def test_a_long_answer_comes_whole(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    """Thousands of small chunks through adb's packets: every word, in order, and the end mark."""
    words = [f"w{number}" for number in range(5000)]
    body = {"model": "auto", "stream": True, "max_tokens": 6000, "messages": [{"role": "user", "content": " ".join(words)}]}
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        connection = http.client.HTTPConnection("127.0.0.1", tunnels.port, timeout=END_S)
        headers = {"Authorization": f"Bearer {farmhand.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        frames = connection.getresponse().read().decode().split("\n\n")
        connection.close()
    assert frames[-2:] == ["data: [DONE]", ""]
    deltas = [json.loads(frame.removeprefix("data: "))["choices"] for frame in frames[:-2]]
    text = "".join(choices[0]["delta"].get("content", "") for choices in deltas if choices)
    assert text.removeprefix("You said: ").split() == words


def test_more_ports(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    """The gateway's port answers, whatever it says; the proxy's does not, and that is said without hiding the rest."""
    with foreign_server() as port:
        phone.ports[18789] = port
        local = tunnels.port + 5000
        good = tunnels.done("--once", "--gateway", "--port", f"{local}:18789")
        assert good.returncode == 0, good.stdout
        assert f"port 18789 of the phone is at http://127.0.0.1:{local}" in good.stdout
        bad = tunnels.done("--once", "--port", f"{local}:4000", "--proxy", "--pair", FARMHAND_KEY=farmhand.key)
    assert bad.returncode == 5
    assert f"OPENAI_API_KEY='{farmhand.key}'" in bad.stdout
    assert "answers at" in bad.stdout and "Nothing listens at port 4000 of the phone (LiteLLM)" in bad.stdout


# --- it keeps it -----------------------------------------------------------------------------------------------------


def test_unplugged_and_plugged_in_again(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        phone.unplug()
        tunnel.wait_for(r"offline|is not connected")
        phone.plug()
        tunnel.wait_for(r"answers at \S+, again after \d+ s\n")
        assert get(tunnels.port, "/v1/models", farmhand.key)[0] == 200
    assert tunnel.output.count("answers at") == 2


def test_adb_kill_server(adb: AdbServer, phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    """Every rule and every connection is gone at once, and a phone on the network must be asked again."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        adb.kill()
        tunnel.wait_for(r"again after \d+ s\n")
        assert adb.rules() == [f"{phone.serial} tcp:{tunnels.port} tcp:8888"]
        assert get(tunnels.port, "/v1/models", farmhand.key)[0] == 200
    assert adb.rules() == []


def test_a_phone_at_usb_is_unplugged_and_adb_killed(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    """adb finds it again by itself; the rules it has forgotten."""
    with FakeDevice(ports={8888: port_of(farmhand.base_url)}) as device:
        serial = adb.plug(device)
        with tunnels.running() as tunnel:
            tunnel.wait_for(rf"\({serial}\) answers at")
            device.unplug()
            tunnel.wait_for(r"offline|is not connected")
            device.plug()
            tunnel.wait_for(r"again after \d+ s\n")
            adb.kill()
            tunnel.wait_for(rf"again after[^\n]*\n[^\n]*{serial} is not connected")
            adb.plug(device)
            tunnel.wait_for(r"(?s)again after.*again after \d+ s\n")
            assert adb.rules() == [f"{serial} tcp:{tunnels.port} tcp:8888"]
            assert get(tunnels.port, "/v1/models", farmhand.key)[0] == 200


def test_the_phone_restarts(adb: AdbServer, phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    """First adb is back, and only after the first unlock does Farmhand start (facts/termux.md 1, row 6)."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        phone.ports.clear()
        phone.reboot()
        tunnel.wait_for(r"Nothing listens at port 8888")
        phone.ports[8888] = port_of(farmhand.base_url)
        tunnel.wait_for(r"again after \d+ s\n")


def test_a_rule_that_somebody_removed_is_set_again(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        adb("forward", "--remove-all")
        tunnel.wait_for(rf"The rule for port {tunnels.port} was gone and is there again\.\n")
        assert get(tunnels.port, "/health")[0] == 200
    assert adb.rules() == []


def test_a_rule_that_somebody_took_over_is_theirs(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    with FakeDevice() as other:
        with tunnels.running() as tunnel:
            tunnel.wait_for(r"answers at")
            adb("connect", other.serial)
            adb("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:9")  # without a word: facts/termux.md 10
            tunnel.wait_for(rf"Port {tunnels.port} of this laptop has a rule of adb's to the phone {other.serial}, so port")
            tunnel.wait_for(rf"answers at http://127\.0\.0\.1:{tunnels.port + 10_000}/v1")
        assert adb.rules() == [f"{other.serial} tcp:{tunnels.port} tcp:9"]


def test_a_rule_taken_over_just_before_the_end_is_left_alone(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    """It looks once more before it removes: `--remove` asks for the port only, not whose it is (facts/termux.md 10)."""
    with plugged(adb) as other:
        with tunnels.running("--interval", "600", "--serial", phone.serial) as tunnel:
            tunnel.wait_for(r"answers at")
            adb("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:9")
        assert adb.rules() == [f"{other.serial} tcp:{tunnels.port} tcp:9"]


def test_a_dead_port_is_said_and_waited_for(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb) as device, tunnels.running() as tunnel:
        tunnel.wait_for(r"Nothing listens at port 8888 of the phone\. There, in Termux, type: farmhand up")
        device.ports[8888] = port_of(farmhand.base_url)
        tunnel.wait_for(r"answers at")
        del device.ports[8888]
        tunnel.wait_for(r"answers at[^\n]*\n[^\n]*Nothing listens")
        device.ports[8888] = port_of(farmhand.base_url)
        tunnel.wait_for(r"again after \d+ s\n")


def test_once_says_with_its_code_that_nothing_answers(adb: AdbServer, tunnels: Tunnels) -> None:
    with plugged(adb):
        assert tunnels.done("--once").returncode == 5
    assert adb.rules() == []


def test_once_with_a_wait_goes_on_trying(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb) as device, tunnels.running("--once", "--wait", "60") as tunnel:
        tunnel.wait_for(r"Nothing listens")
        device.ports[8888] = port_of(farmhand.base_url)
        assert tunnel.process.wait(END_S) == 0


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


def test_something_else_at_the_port(adb: AdbServer, tunnels: Tunnels) -> None:
    with foreign_server() as port, plugged(adb) as device:
        device.ports[8888] = port
        done = tunnels.done("--once")
    assert done.returncode == 5
    assert "Something else than Farmhand ('BaseHTTP" in done.stdout


def test_farmhand_that_is_not_ready(adb: AdbServer, tunnels: Tunnels, tmp_path: Path) -> None:
    with adapter(tmp_path, NOT_READY) as served, plugged(adb, served):
        done = tunnels.done("--once")
    assert done.returncode == 5
    assert "Farmhand runs but is not ready: " in done.stdout and "farmhand status" in done.stdout


# --- ports and phones of others --------------------------------------------------------------------------------------


def test_a_busy_port_of_the_laptop(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    with socket.create_server(("127.0.0.1", tunnels.port)):
        done = tunnels.done("--once", "--keep")
        assert done.returncode == 0
        assert f"Port {tunnels.port} of this laptop is taken by another program, so port {tunnels.port + 10_000}" in done.stdout
        assert adb.rules() == [f"{phone.serial} tcp:{tunnels.port + 10_000} tcp:8888"]
        strict = tunnels.done("--once", "--strict")
    assert strict.returncode == 6
    assert strict.stderr.startswith(f"farmhand-tunnel: Port {tunnels.port} of this laptop is taken by another program.")


def test_rules_of_others_stay_as_they_are(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    """Of another phone on our port, and of this phone on others."""
    with plugged(adb) as other:
        adb("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:8888")
        adb("-s", phone.serial, "forward", f"tcp:{tunnels.port + 5000}", "tcp:22")
        before = sorted(adb.rules())
        with tunnels.running("--serial", phone.serial) as tunnel:
            tunnel.wait_for(rf"answers at http://127\.0\.0\.1:{tunnels.port + 10_000}/v1")
            assert set(before) < set(adb.rules())
        assert sorted(adb.rules()) == before
        strict = tunnels.done("--once", "--strict", "--serial", phone.serial)
        assert (strict.returncode, sorted(adb.rules())) == (6, before)


def test_two_phones_without_a_terminal(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    with plugged(adb) as other:
        done = tunnels.done("--once")
        assert done.returncode == 4
        assert phone.serial in done.stderr and other.serial in done.stderr and "--serial" in done.stderr
        assert tunnels.done("--once", "--serial", phone.serial).returncode == 0
        assert tunnels.done("--once", ANDROID_SERIAL=phone.serial).returncode == 0
        [error] = tunnels.events("--once")
        assert (error["event"], error["code"]) == ("several-phones", 4)


def test_two_phones_with_a_person(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    """Whichever adb lists first, the number that stands before our phone is our phone."""
    with plugged(adb), tunnels.terminal("--once") as shown:
        number = shown.wait_for(rf"(\d)  Pixel 7 \({phone.serial}\)")[1]
        shown.wait_for(r"Which phone\? \[1-2\] ")
        shown.type("7\n")
        shown.wait_for(r"Which phone\? \[1-2\] ")
        shown.type(f"{number}\n")
        shown.wait_for(rf"Using Pixel 7 \({phone.serial}\)")
        assert shown.end() == 0


def test_it_never_moves_to_another_phone(adb: AdbServer, farmhand: Adapter, phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        with plugged(adb, farmhand) as other:
            phone.unplug()
            tunnel.wait_for(r"offline|is not connected")
            phone.plug()
            tunnel.wait_for(rf"{phone.serial}\) answers at \S+, again")
            assert not [rule for rule in adb.rules() if rule.startswith(other.serial)]


def test_a_phone_that_does_not_know_the_laptop(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb, farmhand, asks_key=True) as device, tunnels.running() as tunnel:
        tunnel.wait_for(r"does not know this computer yet\. Unlock it, tick 'Always allow")
        device.authorise()
        tunnel.wait_for(r"answers at")


def test_no_phone_is_waited_for_unless_once(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    assert tunnels.done("--once").returncode == 4
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"No phone is connected\. Plug it in")
        with plugged(adb, farmhand):
            tunnel.wait_for(r"answers at")


def test_connect_to_a_phone_on_the_network(farmhand: Adapter, tunnels: Tunnels) -> None:
    with FakeDevice(ports={8888: port_of(farmhand.base_url)}) as device:
        assert tunnels.done("--once", "--connect", device.serial).returncode == 0
        device.unplug()
        with tunnels.running("--connect", device.serial) as tunnel:
            tunnel.wait_for(rf"{device.serial} cannot be reached: .*Wireless debugging")
            device.plug()
            tunnel.wait_for(r"answers at")


def test_without_adb(tunnels: Tunnels, tmp_path: Path) -> None:
    done = tunnels.done("--adb", "no-such-adb")
    assert (done.returncode, done.stderr) == (3, "farmhand-tunnel: --adb: there is no program 'no-such-adb'.\n")


# --- a key -----------------------------------------------------------------------------------------------------------


def test_pair_with_a_good_key(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels) -> None:
    """What is printed works as it is pasted."""
    done = tunnels.done("--once", "--keep", "--pair", FARMHAND_KEY=farmhand.key)
    assert done.returncode == 0
    assert f"export OPENAI_BASE_URL='http://127.0.0.1:{tunnels.port}/v1'\n" in done.stdout
    assert f"export OPENAI_API_KEY='{farmhand.key}'\n" in done.stdout
    [curl] = [line for line in done.stdout.splitlines() if line.startswith("curl ")]
    if shutil.which("curl"):
        pasted = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=END_S, check=True)
        assert json.loads(pasted.stdout)["object"] == "list"


def test_pair_with_a_bad_key(adb: AdbServer, phone: FakeDevice, tunnels: Tunnels) -> None:
    done = tunnels.done("--pair", "--key", "-", says="sk-farm-wrong\n")
    assert done.returncode == 7
    assert "The phone refuses this key" in done.stderr and "farmhand token new laptop" in done.stderr
    assert "OPENAI" not in done.stdout and adb.rules() == []


def test_pair_needs_a_key(phone: FakeDevice, tunnels: Tunnels) -> None:
    assert (none := tunnels.done("--pair")).returncode == 2 and "FARMHAND_KEY" in none.stderr
    assert (broken := tunnels.done("--pair", "--key", "two words")).returncode == 2
    assert "two words" not in broken.stderr


def test_pair_asks_a_person_without_showing_the_key(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels, tmp_path: Path) -> None:
    file = tmp_path / "env"
    with tunnels.terminal("--once", "--pair", "--write-env", str(file)) as shown:
        shown.wait_for(r"farmhand token new laptop")
        shown.wait_for(r"The key \(it does not show\): ")
        shown.type(f"{farmhand.key}\n")
        shown.wait_for(r"The key works; models: echo")
        assert shown.end() == 0
    assert farmhand.key not in shown.shown
    assert f"OPENAI_API_KEY={farmhand.key}\n" in file.read_text()


def test_the_env_file_keeps_what_else_is_in_it(phone: FakeDevice, farmhand: Adapter, tunnels: Tunnels, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("OTHER=1\nexport OPENAI_API_KEY=old\n")
    file.chmod(0o644)
    done = tunnels.done("--once", "--pair", "--write-env", str(file), FARMHAND_KEY=farmhand.key)
    assert done.returncode == 0 and farmhand.key not in done.stdout
    base = f"http://127.0.0.1:{tunnels.port}/v1"
    assert file.read_text() == f"OTHER=1\nOPENAI_BASE_URL={base}\nOPENAI_API_KEY={farmhand.key}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*tmp_path.glob(".env*")] == []


# --- the phone itself ------------------------------------------------------------------------------------------------


def state_of(shell: FakeShell) -> tuple[object, ...]:
    return ({**shell.settings}, {*shell.exempt}, {*shell.granted}, {**shell.device_config}, {**shell.background})


def test_doctor_says_and_changes_nothing(phone: FakeDevice, tunnels: Tunnels) -> None:
    phone.shell.exits = (
        "  package: com.termux\n    ApplicationExitInfo #0:\n"
        "      timestamp=2026-08-20 04:12:07.123 pid=1 realUid=10234 user=0\n"
        "      process=com.termux reason=10 (USER REQUESTED) subreason=0 (UNKNOWN) status=0\n"
    )
    phone.shell.log = "08-20 04:12 I ActivityManager: Killing 4242:PhantomProcessRecord {a 4242:77:python/u0a234}: Trimming phantom\n"
    before = state_of(phone.shell)
    done = tunnels.done("--doctor")
    assert done.returncode == 1
    assert state_of(phone.shell) == before
    for words in (
        "!!  Android 14 kills child processes",
        "!!  com.termux is not exempt",
        "ok  Termux holds its wake lock",
        "Android last ended Termux on 2026-08-20 04:12:07: user requested",
        "Android has killed child processes (1 in its log)",
        "Limit to 80 %",
    ):
        assert words in done.stdout
    assert "Remedy: farmhand-tunnel --fix" in done.stdout


def test_fix_asks_before_each_change(phone: FakeDevice, tunnels: Tunnels) -> None:
    """Yes to the first, no to the rest; what is done can be undone with what is shown."""
    with tunnels.terminal("--fix") as shown:
        shown.wait_for(rf"adb -s {phone.serial} shell 'settings put global {PHANTOM} false'")
        undo = shown.wait_for(r"to undo:\s+adb -s \S+ shell '(settings [^']*)'")[1]
        shown.wait_for(r"Do it\? \[y/n\] ")
        assert phone.shell.settings == {}
        shown.type("y\n")
        shown.wait_for(r"phantom-killer: done\.")
        for name in ("battery com.termux", "battery com.termux.boot", "battery com.termux.api", "dump"):
            shown.wait_for(r"Do it\? \[y/n\] ")
            shown.type("n\n")
            shown.wait_for(rf"{name}: left as it is\.")
        assert shown.end() == 0
    assert state_of(phone.shell) == ({PHANTOM: "false"}, set(), set(), {}, {})
    phone.shell(undo)
    assert phone.shell.settings == {}


def test_fix_with_yes_does_all_and_then_finds_nothing(phone: FakeDevice, tunnels: Tunnels) -> None:
    phone.shell.background["com.termux"] = "ignore"
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert phone.shell.settings == {PHANTOM: "false"}
    assert phone.shell.exempt == {"com.termux", "com.termux.boot", "com.termux.api"}
    assert phone.shell.granted == {("com.termux", "android.permission.DUMP")}
    assert phone.shell.background == {"com.termux": "allow"}
    assert tunnels.done("--doctor").returncode == 0
    phone.shell.ran.clear()
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert not [line for line in phone.shell.ran if " put " in line or "+" in line or "grant " in line]


def test_fix_for_android_12(phone: FakeDevice, tunnels: Tunnels) -> None:
    phone.shell.release, phone.shell.sdk = "12", 31
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert phone.shell.device_config == {"activity_manager/max_phantom_processes": "2147483647"}
    assert (phone.shell.sync_disabled, phone.shell.settings) == ("persistent", {})


def test_fix_says_what_did_not_take(phone: FakeDevice, tunnels: Tunnels) -> None:
    phone.shell.ignores.add("settings")
    done = tunnels.done("--fix", "--yes")
    assert done.returncode == 1
    assert "phantom-killer: the phone did not take it" in done.stdout and "dump: done." in done.stdout


def test_fix_without_a_terminal_changes_nothing(phone: FakeDevice, tunnels: Tunnels) -> None:
    before = state_of(phone.shell)
    done = tunnels.done("--fix")
    assert (done.returncode, state_of(phone.shell)) == (2, before)
    assert "--yes" in done.stderr


def test_wake_termux(phone: FakeDevice, tunnels: Tunnels) -> None:
    assert tunnels.done("--once", "--wake-termux").returncode == 0
    assert phone.shell.started == ["com.termux/.app.TermuxActivity"]
    phone.shell.installed.clear()
    done = tunnels.done("--once", "--wake-termux")
    assert done.returncode == 1 and "does not exist" in done.stderr


def test_sigterm_while_it_waits_ends_it(adb: AdbServer, tunnels: Tunnels) -> None:
    """No adb of its own is left either."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"No phone is connected")
        tunnel.process.send_signal(signal.SIGTERM)
        assert tunnel.process.wait(END_S) == 143


def test_under_nohup_it_outlives_its_terminal(adb: AdbServer, farmhand: Adapter, tunnels: Tunnels) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *tunnels.argv()]
    with running(command, adb.env) as tunnel:
        tunnel.wait_for(r"No phone is connected")
        tunnel.process.send_signal(signal.SIGHUP)
        with plugged(adb, farmhand):
            tunnel.wait_for(r"answers at")
