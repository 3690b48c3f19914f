"""scripts/farmhand-tunnel with the real adb, a fake phone and a real `farmhand serve` behind its port 8888: it forwards, proves, pairs."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import stat
import subprocess
from pathlib import Path

from tests.fakes.adbd import AdbServer, FakeDevice
from tests.live.processes import Adapter
from tests.live.terminal import CTRL_C
from tests.live.tunnel_cases import END_S, Tunnels, foreign_server, get, needs_adb, plugged, port_of

pytestmark = needs_adb


# --- it forwards and proves ------------------------------------------------------------------------------------------


def test_forwards_proves_and_leaves_nothing_behind(
    adb_server: AdbServer, cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels
) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(rf"\d\d:\d\d:\d\d  Using Pixel 7 \({cabled_phone.serial}\)\.\n")
        tunnel.wait_for(rf"Farmhand of Pixel 7 \(\S+\) answers at http://127\.0\.0\.1:{tunnels.port}/v1\n")
        assert adb_server.rules() == [f"{cabled_phone.serial} tcp:{tunnels.port} tcp:8888"]
        assert get(tunnels.port, "/v1/models", cabled_farmhand.key)[0] == 200
    assert tunnel.process.returncode == 143
    assert adb_server.rules() == []


def test_once_ends_after_the_proof_and_keep_leaves_the_rule(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    assert tunnels.done("--once").returncode == 0
    assert adb_server.rules() == []
    assert tunnels.done("--once", "--keep").returncode == 0
    assert adb_server.rules() == [f"{cabled_phone.serial} tcp:{tunnels.port} tcp:8888"]
    again = tunnels.done("--once")
    assert "that rule is not ours and will stay" in again.stdout
    assert adb_server.rules() == [f"{cabled_phone.serial} tcp:{tunnels.port} tcp:8888"]


def test_json_lines(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    found, answers = tunnels.events("--once")
    assert (found["event"], found["serial"], found["model"]) == ("phone", cabled_phone.serial, "Pixel 7")
    assert (answers["event"], answers["ok"]) == ("answers", True)
    assert answers["base_url"] == f"http://127.0.0.1:{tunnels.port}/v1"


def test_ctrl_c_is_a_clean_end(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.terminal() as shown:
        shown.wait_for(r"answers at")
        shown.type(CTRL_C)
        assert shown.end() == 130
    assert adb_server.rules() == []


def test_a_long_answer_comes_whole(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """Thousands of small chunks through adb's packets: every word, in order, and the end mark."""
    words = [f"w{number}" for number in range(5000)]
    body = {"model": "auto", "stream": True, "max_tokens": 6000, "messages": [{"role": "user", "content": " ".join(words)}]}
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        connection = http.client.HTTPConnection("127.0.0.1", tunnels.port, timeout=END_S)
        headers = {"Authorization": f"Bearer {cabled_farmhand.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        frames = connection.getresponse().read().decode().split("\n\n")
        connection.close()
    assert frames[-2:] == ["data: [DONE]", ""]
    deltas = [json.loads(frame.removeprefix("data: "))["choices"] for frame in frames[:-2]]
    text = "".join(choices[0]["delta"].get("content", "") for choices in deltas if choices)
    assert text.removeprefix("You said: ").split() == words


def test_more_ports(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """The gateway's port answers, whatever it says; the proxy's does not, and that is said without hiding the rest."""
    with foreign_server() as port:
        cabled_phone.ports[18789] = port
        local = tunnels.port + 5000
        good = tunnels.done("--once", "--gateway", "--port", f"{local}:18789")
        assert good.returncode == 0, good.stdout
        assert f"port 18789 of the phone is at http://127.0.0.1:{local}" in good.stdout
        bad = tunnels.done("--once", "--port", f"{local}:4000", "--proxy", "--pair", FARMHAND_KEY=cabled_farmhand.key)
    assert bad.returncode == 5
    assert f"OPENAI_API_KEY='{cabled_farmhand.key}'" in bad.stdout
    assert "answers at" in bad.stdout and "Nothing listens at port 4000 of the phone (LiteLLM)" in bad.stdout


# --- ports and phones of others --------------------------------------------------------------------------------------


def test_a_busy_port_of_the_laptop(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with socket.create_server(("127.0.0.1", tunnels.port)):
        done = tunnels.done("--once", "--keep")
        assert done.returncode == 0
        assert f"Port {tunnels.port} of this laptop is taken by another program, so port {tunnels.port + 10_000}" in done.stdout
        assert adb_server.rules() == [f"{cabled_phone.serial} tcp:{tunnels.port + 10_000} tcp:8888"]
        strict = tunnels.done("--once", "--strict")
    assert strict.returncode == 6
    assert strict.stderr.startswith(f"farmhand-tunnel: Port {tunnels.port} of this laptop is taken by another program.")


def test_rules_of_others_stay_as_they_are(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    """Of another phone on our port, and of this phone on others."""
    with plugged(adb_server) as other:
        adb_server("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:8888")
        adb_server("-s", cabled_phone.serial, "forward", f"tcp:{tunnels.port + 5000}", "tcp:22")
        before = sorted(adb_server.rules())
        with tunnels.running("--serial", cabled_phone.serial) as tunnel:
            tunnel.wait_for(rf"answers at http://127\.0\.0\.1:{tunnels.port + 10_000}/v1")
            assert set(before) < set(adb_server.rules())
        assert sorted(adb_server.rules()) == before
        strict = tunnels.done("--once", "--strict", "--serial", cabled_phone.serial)
        assert (strict.returncode, sorted(adb_server.rules())) == (6, before)


def test_two_phones_without_a_terminal(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with plugged(adb_server) as other:
        done = tunnels.done("--once")
        assert done.returncode == 4
        assert cabled_phone.serial in done.stderr and other.serial in done.stderr and "--serial" in done.stderr
        assert tunnels.done("--once", "--serial", cabled_phone.serial).returncode == 0
        assert tunnels.done("--once", ANDROID_SERIAL=cabled_phone.serial).returncode == 0
        [error] = tunnels.events("--once")
        assert (error["event"], error["code"]) == ("several-phones", 4)


def test_two_phones_with_a_person(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    """Whichever adb lists first, the number that stands before our phone is our phone."""
    with plugged(adb_server), tunnels.terminal("--once") as shown:
        number = shown.wait_for(rf"(\d)  Pixel 7 \({cabled_phone.serial}\)")[1]
        shown.wait_for(r"Which phone\? \[1-2\] ")
        shown.type("7\n")
        shown.wait_for(r"Which phone\? \[1-2\] ")
        shown.type(f"{number}\n")
        shown.wait_for(rf"Using Pixel 7 \({cabled_phone.serial}\)")
        assert shown.end() == 0


def test_it_never_moves_to_another_phone(adb_server: AdbServer, cabled_farmhand: Adapter, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        with plugged(adb_server, cabled_farmhand) as other:
            cabled_phone.unplug()
            tunnel.wait_for(r"offline|is not connected")
            cabled_phone.plug()
            tunnel.wait_for(rf"{cabled_phone.serial}\) answers at \S+, again")
            assert not [rule for rule in adb_server.rules() if rule.startswith(other.serial)]


def test_a_phone_that_does_not_know_the_laptop(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb_server, cabled_farmhand, asks_key=True) as device, tunnels.running() as tunnel:
        tunnel.wait_for(r"does not know this computer yet\. Unlock it, tick 'Always allow")
        device.authorise()
        tunnel.wait_for(r"answers at")


def test_no_phone_is_waited_for_unless_once(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    assert tunnels.done("--once").returncode == 4
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"No phone is connected\. Plug it in")
        with plugged(adb_server, cabled_farmhand):
            tunnel.wait_for(r"answers at")


def test_connect_to_a_phone_on_the_network(cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    with FakeDevice(ports={8888: port_of(cabled_farmhand.base_url)}) as device:
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


def test_pair_with_a_good_key(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """What is printed works as it is pasted."""
    done = tunnels.done("--once", "--keep", "--pair", FARMHAND_KEY=cabled_farmhand.key)
    assert done.returncode == 0
    assert f"export OPENAI_BASE_URL='http://127.0.0.1:{tunnels.port}/v1'\n" in done.stdout
    assert f"export OPENAI_API_KEY='{cabled_farmhand.key}'\n" in done.stdout
    [curl] = [line for line in done.stdout.splitlines() if line.startswith("curl ")]
    if shutil.which("curl"):
        pasted = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=END_S, check=True)
        assert json.loads(pasted.stdout)["object"] == "list"


def test_pair_with_a_bad_key(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    done = tunnels.done("--pair", "--key", "-", says="sk-farm-wrong\n")
    assert done.returncode == 7
    assert "The phone refuses this key" in done.stderr and "farmhand token new laptop" in done.stderr
    assert "OPENAI" not in done.stdout and adb_server.rules() == []


def test_pair_needs_a_key(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    assert (none := tunnels.done("--pair")).returncode == 2 and "FARMHAND_KEY" in none.stderr
    assert (broken := tunnels.done("--pair", "--key", "two words")).returncode == 2
    assert "two words" not in broken.stderr


def test_pair_asks_a_person_without_showing_the_key(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels, tmp_path: Path) -> None:
    file = tmp_path / "env"
    with tunnels.terminal("--once", "--pair", "--write-env", str(file)) as shown:
        shown.wait_for(r"farmhand token new laptop")
        shown.wait_for(r"The key \(it does not show\): ")
        shown.type(f"{cabled_farmhand.key}\n")
        shown.wait_for(r"The key works; models: echo")
        assert shown.end() == 0
    assert cabled_farmhand.key not in shown.shown
    assert f"OPENAI_API_KEY={cabled_farmhand.key}\n" in file.read_text()


def test_the_env_file_keeps_what_else_is_in_it(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("OTHER=1\nexport OPENAI_API_KEY=old\n")
    file.chmod(0o644)
    done = tunnels.done("--once", "--pair", "--write-env", str(file), FARMHAND_KEY=cabled_farmhand.key)
    assert done.returncode == 0 and cabled_farmhand.key not in done.stdout
    base = f"http://127.0.0.1:{tunnels.port}/v1"
    assert file.read_text() == f"OTHER=1\nOPENAI_BASE_URL={base}\nOPENAI_API_KEY={cabled_farmhand.key}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*tmp_path.glob(".env*")] == []
