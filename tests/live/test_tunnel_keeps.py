"""scripts/farmhand-tunnel keeps what it has set up: cables, kills, restarts, rules of others, dead ports; until it is told to end."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.fakes.adbd import AdbServer, FakeDevice
from tests.live.processes import Adapter, adapter, running
from tests.live.tunnel_cases import END_S, Tunnels, foreign_server, get, needs_adb, plugged, port_of

pytestmark = needs_adb

NOT_READY = '[[engine]]\nname = "away"\nkind = "openai"\nurl = "http://127.0.0.1:9"\n'


def test_unplugged_and_plugged_in_again(cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        cabled_phone.unplug()
        tunnel.wait_for(r"offline|is not connected")
        cabled_phone.plug()
        tunnel.wait_for(r"answers at \S+, again after \d+ s\n")
        assert get(tunnels.port, "/v1/models", cabled_farmhand.key)[0] == 200
    assert tunnel.output.count("answers at") == 2


def test_adb_kill_server(adb_server: AdbServer, cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """Every rule and every connection is gone at once, and a phone on the network must be asked again."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        adb_server.kill()
        tunnel.wait_for(r"again after \d+ s\n")
        assert adb_server.rules() == [f"{cabled_phone.serial} tcp:{tunnels.port} tcp:8888"]
        assert get(tunnels.port, "/v1/models", cabled_farmhand.key)[0] == 200
    assert adb_server.rules() == []


def test_a_phone_at_usb_is_unplugged_and_adb_killed(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """adb finds it again by itself; the rules it has forgotten."""
    with FakeDevice(ports={8888: port_of(cabled_farmhand.base_url)}) as device:
        serial = adb_server.plug(device)
        with tunnels.running() as tunnel:
            tunnel.wait_for(rf"\({serial}\) answers at")
            device.unplug()
            tunnel.wait_for(r"offline|is not connected")
            device.plug()
            tunnel.wait_for(r"again after \d+ s\n")
            adb_server.kill()
            tunnel.wait_for(rf"again after[^\n]*\n[^\n]*{serial} is not connected")
            adb_server.plug(device)
            tunnel.wait_for(r"(?s)again after.*again after \d+ s\n")
            assert adb_server.rules() == [f"{serial} tcp:{tunnels.port} tcp:8888"]
            assert get(tunnels.port, "/v1/models", cabled_farmhand.key)[0] == 200


def test_the_phone_restarts(adb_server: AdbServer, cabled_phone: FakeDevice, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    """First adb is back, and only after the first unlock does Farmhand start (facts/termux.md 1, row 6)."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        cabled_phone.ports.clear()
        cabled_phone.reboot()
        tunnel.wait_for(r"Nothing listens at port 8888")
        cabled_phone.ports[8888] = port_of(cabled_farmhand.base_url)
        tunnel.wait_for(r"again after \d+ s\n")


def test_a_rule_that_somebody_removed_is_set_again(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"answers at")
        adb_server("forward", "--remove-all")
        tunnel.wait_for(rf"The rule for port {tunnels.port} was gone and is there again\.\n")
        assert get(tunnels.port, "/health")[0] == 200
    assert adb_server.rules() == []


def test_a_rule_that_somebody_took_over_is_theirs(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    with FakeDevice() as other:
        with tunnels.running() as tunnel:
            tunnel.wait_for(r"answers at")
            adb_server("connect", other.serial)
            adb_server("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:9")  # without a word: facts/termux.md 10
            tunnel.wait_for(rf"Port {tunnels.port} of this laptop has a rule of adb's to the phone {other.serial}, so port")
            tunnel.wait_for(rf"answers at http://127\.0\.0\.1:{tunnels.port + 10_000}/v1")
        assert adb_server.rules() == [f"{other.serial} tcp:{tunnels.port} tcp:9"]


def test_a_rule_taken_over_just_before_the_end_is_left_alone(adb_server: AdbServer, cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    """It looks once more before it removes: `--remove` asks for the port only, not whose it is (facts/termux.md 10)."""
    with plugged(adb_server) as other:
        with tunnels.running("--interval", "600", "--serial", cabled_phone.serial) as tunnel:
            tunnel.wait_for(r"answers at")
            adb_server("-s", other.serial, "forward", f"tcp:{tunnels.port}", "tcp:9")
        assert adb_server.rules() == [f"{other.serial} tcp:{tunnels.port} tcp:9"]


def test_a_dead_port_is_said_and_waited_for(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb_server) as device, tunnels.running() as tunnel:
        tunnel.wait_for(r"Nothing listens at port 8888 of the phone\. There, in Termux, type: farmhand up")
        device.ports[8888] = port_of(cabled_farmhand.base_url)
        tunnel.wait_for(r"answers at")
        del device.ports[8888]
        tunnel.wait_for(r"answers at[^\n]*\n[^\n]*Nothing listens")
        device.ports[8888] = port_of(cabled_farmhand.base_url)
        tunnel.wait_for(r"again after \d+ s\n")


def test_once_says_with_its_code_that_nothing_answers(adb_server: AdbServer, tunnels: Tunnels) -> None:
    with plugged(adb_server):
        assert tunnels.done("--once").returncode == 5
    assert adb_server.rules() == []


def test_once_with_a_wait_goes_on_trying(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    with plugged(adb_server) as device, tunnels.running("--once", "--wait", "60") as tunnel:
        tunnel.wait_for(r"Nothing listens")
        device.ports[8888] = port_of(cabled_farmhand.base_url)
        assert tunnel.process.wait(END_S) == 0


def test_something_else_at_the_port(adb_server: AdbServer, tunnels: Tunnels) -> None:
    with foreign_server() as port, plugged(adb_server) as device:
        device.ports[8888] = port
        done = tunnels.done("--once")
    assert done.returncode == 5
    assert "Something else than Farmhand ('BaseHTTP" in done.stdout


def test_farmhand_that_is_not_ready(adb_server: AdbServer, tunnels: Tunnels, tmp_path: Path) -> None:
    with adapter(tmp_path, NOT_READY) as served, plugged(adb_server, served):
        done = tunnels.done("--once")
    assert done.returncode == 5
    assert "Farmhand runs but is not ready: " in done.stdout and "farmhand status" in done.stdout


def test_sigterm_while_it_waits_ends_it(adb_server: AdbServer, tunnels: Tunnels) -> None:
    """No adb of its own is left either."""
    with tunnels.running() as tunnel:
        tunnel.wait_for(r"No phone is connected")
        tunnel.process.send_signal(signal.SIGTERM)
        assert tunnel.process.wait(END_S) == 143


def test_under_nohup_it_outlives_its_terminal(adb_server: AdbServer, cabled_farmhand: Adapter, tunnels: Tunnels) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *tunnels.argv()]
    with running(command, adb_server.env) as tunnel:
        tunnel.wait_for(r"No phone is connected")
        tunnel.process.send_signal(signal.SIGHUP)
        with plugged(adb_server, cabled_farmhand):
            tunnel.wait_for(r"answers at")
