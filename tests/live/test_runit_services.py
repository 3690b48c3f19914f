"""The services of `termux/` under real runit, with small programs in the place of ours: they start, stop, get ready, and say what is missing.

Each row of `facts/termux.md` 2 that concerns us is here, in test_runit_logs.py (records and logs) or in test_runit_traps.py (runit's own ways).
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from phone.supervisor.types import Phase, Service
from tests.live.runit_cases import ADAPTER, behave, is_free, start_adapter, wait_for_ends
from tests.live.termux_prefix import SERVICES, TermuxPrefix

# --- starting and stopping ---------------------------------------------------------------------------------------


def test_only_the_supervisor_starts_by_itself(runit_phone: TermuxPrefix) -> None:
    """The others wait for it: they ship `down`. runsvdir is in a session of its own, with init as its parent (2.6)."""
    pid = runit_phone.start_daemon()
    runit_phone.wait_for_log("farmhand", "program -u -m phone supervise")
    assert {name: runit_phone.status(name).phase for name in SERVICES if name != "farmhand"} == {
        service.folder: Phase.DOWN for service in Service
    }
    assert os.getsid(pid) != os.getsid(0)
    assert not any(runit_phone.status(service.folder).wants_up for service in Service)


def test_term_reaches_the_program_and_its_port_is_free(runit_phone: TermuxPrefix) -> None:
    """No shell is left between runit and it (2.3), so nothing is orphaned."""
    runit_phone.start_daemon()
    pid = start_adapter(runit_phone)
    assert b"program.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert not is_free(runit_phone.port)
    assert runit_phone.runsv.down(ADAPTER, 10).ok
    assert is_free(runit_phone.port)
    assert runit_phone.log(ADAPTER).count("ends in order") == 1
    assert not any("program.py" in words and "adapter" in words for words in runit_phone.processes().values())
    (end,) = runit_phone.exits(ADAPTER)
    assert (end.code, end.signal) == (0, 0)


def test_restart_gives_a_new_process(runit_phone: TermuxPrefix) -> None:
    """And the one before it has ended first."""
    runit_phone.start_daemon()
    first = start_adapter(runit_phone)
    assert runit_phone.runsv.restart(ADAPTER, 10).ok
    runit_phone.wait_until(lambda: runit_phone.log(ADAPTER).count("listening") == 2, "the second one listens")
    assert runit_phone.pid(ADAPTER) != first
    assert not Path(f"/proc/{first}").exists()


def test_who_ignores_term_is_killed_once(runit_phone: TermuxPrefix) -> None:
    """After its time, with one record of it; the words say so."""
    behave(runit_phone, "adapter", f"port {runit_phone.port} term never")
    runit_phone.start_daemon()
    start_adapter(runit_phone)
    began = time.monotonic()
    outcome = runit_phone.runsv.down(ADAPTER, 1)
    assert 1 <= time.monotonic() - began < 5
    assert outcome.ok and "did not end within 1 s and was killed" in outcome.words
    assert [(end.code, end.signal) for end in runit_phone.exits(ADAPTER)] == [(-1, 9)]
    assert is_free(runit_phone.port)


def test_who_is_stopped_by_a_signal_can_be_ended(runit_phone: TermuxPrefix) -> None:
    """`sv pause`, or Android's own SIGSTOP: down sends CONT as well."""
    runit_phone.start_daemon()
    start_adapter(runit_phone)
    assert runit_phone.runsv.signal(ADAPTER, "pause").ok
    runit_phone.wait_until(lambda: runit_phone.status(ADAPTER).paused, "runit knows that it is paused")
    assert runit_phone.runsv.down(ADAPTER, 10).ok
    assert [(end.code, end.signal) for end in runit_phone.exits(ADAPTER)] == [(0, 0)]


def test_stop_and_start_in_the_second_after_a_crash(runit_phone: TermuxPrefix) -> None:
    """runsv sleeps then, and `sv` believes what was true before: its `up` would be lost."""
    behave(runit_phone, "adapter", "exit 3")
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(ADAPTER).ok
    wait_for_ends(runit_phone, ADAPTER, 1)
    behave(runit_phone, "adapter", f"port {runit_phone.port}")
    assert runit_phone.runsv.restart(ADAPTER, 5).ok
    runit_phone.wait_for_log(ADAPTER, "listening")


def test_a_second_finish_after_a_kill_in_the_first(runit_phone: TermuxPrefix) -> None:
    """Why `Runsv` never kills while `finish` runs: runsv takes the end of `finish` for one of the service."""
    out = runit_phone.places.user / "out"
    runit_phone.add_service("other", "exit 3\n", finish=f'echo "$1" >> {out}; exec sleep 2\n', down=True)
    runit_phone.start_daemon()
    runit_phone.run("sv", "once", "other")
    runit_phone.wait_until(lambda: runit_phone.status("other").phase is Phase.FINISH, "finish runs")
    runit_phone.run("sv", "kill", "other")
    runit_phone.wait_until(lambda: runit_phone.status("other").phase is Phase.DOWN, "it is down")
    assert out.read_text().split() == ["3", "0"]


def test_without_svdir(runit_phone: TermuxPrefix) -> None:
    """Where nothing has set it, as in a notification's button, only absolute paths work (2.2)."""
    runit_phone.start_daemon()
    bare = runit_phone.shell(f"sv up {ADAPTER}")
    assert bare.returncode != 0
    assert runit_phone.status(ADAPTER).phase is Phase.DOWN
    assert runit_phone.shell(f"sv up {runit_phone.places.service(ADAPTER)}").returncode == 0
    runit_phone.wait_for_log(ADAPTER, "listening")


def test_leaving_runit_for_good(runit_phone: TermuxPrefix) -> None:
    """Before its folder is deleted, it is moved out of runsvdir's sight, which would start another runsv; then nothing of it is left."""
    runit_phone.start_daemon()
    start_adapter(runit_phone)
    away = runit_phone.prefix / "var" / "gone"
    runit_phone.places.service(ADAPTER).rename(away)
    outcome = runit_phone.runsv.exit(str(away), 10)
    assert outcome.ok, outcome.words
    assert not any(ADAPTER in words for words in runit_phone.processes().values())
    shutil.rmtree(away)
    assert runit_phone.runsv.exit(ADAPTER, 1).ok  # there is none: nothing to do


def test_exit_in_place_does_not_last(runit_phone: TermuxPrefix) -> None:
    """runsvdir starts another runsv for a folder that is still there."""
    runit_phone.start_daemon()
    assert runit_phone.sv("-w", "1", "shutdown", str(runit_phone.places.service(ADAPTER)))
    runit_phone.wait_until(lambda: runit_phone.status(ADAPTER).phase is Phase.DOWN, "it is looked after again")


# --- readiness ---------------------------------------------------------------------------------------------------


def test_sv_start_waits_until_it_is_ready(runit_phone: TermuxPrefix) -> None:
    """`check` (2.3): listening alone is not enough."""
    behave(runit_phone, "adapter", f"port {runit_phone.port} ready-after 1.5")
    runit_phone.start_daemon()
    began = time.monotonic()
    done = runit_phone.run("sv", "-w", "15", "start", ADAPTER)
    assert done.returncode == 0 and done.stdout.startswith(f"ok: run: {ADAPTER}: (pid ")
    assert time.monotonic() - began >= 1.5
    assert runit_phone.run("sv", "check", ADAPTER).returncode == 0
    assert done.stderr == ""  # nothing of what each probe said


def test_sv_start_of_one_that_never_gets_ready(runit_phone: TermuxPrefix) -> None:
    """It times out, and the service goes on."""
    behave(runit_phone, "adapter", f"port {runit_phone.port} ready-after 1000")
    runit_phone.start_daemon()
    done = runit_phone.run("sv", "-w", "2", "start", ADAPTER)
    assert done.returncode == 1 and done.stdout.startswith(f"timeout: run: {ADAPTER}: (pid ")
    assert runit_phone.status(ADAPTER).phase is Phase.RUN


# --- the others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("farmhand-litellm", "litellm is not installed. It is optional: set enabled = false in [proxy], or type in the folder of Farmhand: sh scripts/install"),
        (
            "farmhand-openclaw",
            "openclaw is not installed. It is optional: set enabled = false in [gateway], or type: pkg install nodejs-lts && npm install -g openclaw",
        ),
        ("farmhand-engine", "llama-server is not installed. Type: pkg install llama-cpp"),
    ],
)
def test_what_is_not_installed_says_so(runit_phone: TermuxPrefix, name: str, said: str) -> None:
    """One line, and the code for what a restart cannot mend."""
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(name).ok
    assert wait_for_ends(runit_phone, name, 1)[0].code == 78
    assert runit_phone.runsv.down(name, 5).ok
    runit_phone.wait_for_log(name, f"{name}: {said}\n")


def test_the_proxy_and_the_gateway(runit_phone: TermuxPrefix) -> None:
    """Ports from the configuration; the gateway's models where the supervisor says; both in the foreground."""
    runit_phone.places.config.write_text("[proxy]\nport = 4123\n[gateway]\nport = 18123\n")
    says = 'echo "args $*"; echo "base $NEURAL_FARM_BASE_URL bonjour $OPENCLAW_DISABLE_BONJOUR"; exec sleep 1000\n'
    runit_phone.command_file("openclaw", says)
    runit_phone.write(runit_phone.places.user / ".openclaw" / "openclaw.json", "{}\n", 0o600)
    runit_phone.write(runit_phone.places.root / ".cache" / "litellm" / "bin" / "litellm", f"#!@PREFIX@/bin/sh\n{says}")
    runit_phone.start_daemon()
    assert runit_phone.runsv.up("farmhand-litellm").ok and runit_phone.runsv.up("farmhand-openclaw").ok
    runit_phone.wait_for_log("farmhand-openclaw", "args gateway run --port 18123 --bind loopback\n")
    runit_phone.wait_for_log("farmhand-openclaw", "base http://127.0.0.1:8888/v1 bonjour 1\n")
    config = runit_phone.places.state / "litellm" / "config.yaml"
    runit_phone.wait_for_log("farmhand-litellm", f"{config} is missing")
    runit_phone.write(config, "model_list: []\n")
    runit_phone.write(runit_phone.places.run / "gateway.env", "OTHER=x\nNEURAL_FARM_BASE_URL=http://127.0.0.1:4123/v1\n", 0o600)
    runit_phone.wait_for_log("farmhand-litellm", f"args --config {config} --host 127.0.0.1 --num_workers 1 --port 4123\n")
    assert runit_phone.runsv.restart("farmhand-openclaw", 5).ok
    runit_phone.wait_for_log("farmhand-openclaw", "base http://127.0.0.1:4123/v1 bonjour 1\n")


def test_a_configuration_that_cannot_be_read(runit_phone: TermuxPrefix) -> None:
    """No port, no start: a sentence and 78."""
    runit_phone.places.config.write_text("[gateway]\nport = 99999\n")
    runit_phone.command_file("openclaw", "exec sleep 1000\n")
    runit_phone.start_daemon()
    assert runit_phone.runsv.up("farmhand-openclaw").ok
    assert wait_for_ends(runit_phone, "farmhand-openclaw", 1)[0].code == 78
    runit_phone.wait_for_log("farmhand-openclaw", "gateway.port of")
    runit_phone.wait_for_log("farmhand-openclaw", "its port is not known; the line above says why")


def test_termuxs_own_llama_server(runit_phone: TermuxPrefix) -> None:
    """Model and port from engine.env; each thing that is missing has its sentence."""
    runit_phone.command_file("llama-server", 'echo "args $*"; exec sleep 1000\n')
    runit_phone.start_daemon()
    name, env = "farmhand-engine", runit_phone.places.state / "engine.env"
    model = runit_phone.write(runit_phone.places.user / "a model.gguf", "", 0o600)
    root = runit_phone.places.root
    for text, said in (
        (None, f"{env} is missing. Type: sh {root}/scripts/install\n"),
        ("ENGINE_PORT=8123\n", f"{env} lacks ENGINE_MODEL, the path of a GGUF file\n"),
        ("ENGINE_MODEL='/no such.gguf'\n", f"/no such.gguf, the ENGINE_MODEL of {env}, cannot be read\n"),
        (f"ENGINE_MODEL='{model}'\nENGINE_PORT=8123\nENGINE_THREADS=4\n", "--host 127.0.0.1 --port 8123 --threads 4\n"),
    ):
        if text is not None:
            runit_phone.write(env, text)
        assert runit_phone.runsv.restart(name, 5).ok
        runit_phone.wait_for_log(name, said)
    assert f"args --model {model} --host" in runit_phone.log(name)


def test_a_python_that_was_upgraded(runit_phone: TermuxPrefix) -> None:
    """The environment has no packages for the new one, or does not start at all (7.1): one line says what to type."""
    said = f"is not the version it was set up with. Type: sh {runit_phone.places.root}/scripts/install\n"
    lib = runit_phone.places.root / ".venv" / "lib"
    (version,) = lib.iterdir()
    version.rename(lib / "python3.1")
    runit_phone.start_daemon()
    (end, *_) = wait_for_ends(runit_phone, "farmhand", 1)
    assert end.code == 78
    runit_phone.wait_for_log("farmhand", said)
    (runit_phone.places.root / ".venv" / "bin" / "python").unlink()
    assert runit_phone.runsv.up(ADAPTER).ok
    assert wait_for_ends(runit_phone, ADAPTER, 1)[0].code == 78
    runit_phone.wait_for_log(ADAPTER, said)


def test_an_installation_without_its_settings(runit_phone: TermuxPrefix) -> None:
    """Half uninstalled: the log runs all the same, and has the sentence."""
    settings = runit_phone.prefix / "etc" / "farmhand" / "env"
    settings.unlink()
    runit_phone.start_daemon()
    runit_phone.wait_for_log("farmhand", f"farmhand: {settings} is missing. Type in the folder of Farmhand: sh scripts/install")
    settings.write_text("HOME=/x\n")
    runit_phone.wait_for_log("farmhand", f"farmhand: {settings} lacks FARMHAND_ROOT, FARMHAND_HOME or HOME. Type in the folder")
    assert runit_phone.runsv.down("farmhand", 5).ok
