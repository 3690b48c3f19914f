"""The services of `termux/` under real runit, with small programs in the place of ours: each row of `facts/termux.md` 2 that concerns us."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from phone.supervisor.types import Exit, Phase, Service
from tests.live.termux_prefix import SERVICES, VARIABLE, TermuxPrefix, termux_prefix

ADAPTER = "farmhand-adapter"

# Takes the place of the supervisor and of the adapter. What it does is in the file `mode` of the state folder, word by word:
#   port N        listens there, and answers /ready
#   ready-after S answers like the adapter only that long after its start
#   exit CODE     ends at once
#   term S        needs that long to end on TERM; `never`: ignores it
PROGRAM = r"""
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

began = time.monotonic()
words = Path(os.environ["FARMHAND_HOME"], "mode." + sys.argv[3]).read_text().split()
mode = dict(zip(words[::2], words[1::2]))
print("program", *sys.argv[1:])
print("on standard error", file=sys.stderr)
print("env", json.dumps(dict(os.environ)))
print("cwd", os.getcwd())
if "exit" in mode:
    sys.exit(int(mode["exit"]))
done = threading.Event()

def on_term(*_):
    if mode.get("term") == "never":
        return
    time.sleep(float(mode.get("term", 0)))
    print("ends in order")
    done.set()

signal.signal(signal.SIGTERM, on_term)

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.monotonic() - began >= float(mode.get("ready-after", 0))
        body = b'{"status": "ready"}' if ready else b"starting"
        self.send_response(200 if ready else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if "port" in mode:
    server = ThreadingHTTPServer(("127.0.0.1", int(mode["port"])), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening")
while not done.wait(0.05):
    pass
"""


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[TermuxPrefix]:
    """Nothing runs yet; the adapter is the small program, listening; the supervisor only exists."""
    with termux_prefix(tmp_path) as made:
        program = made.write(made.places.user / "program.py", PROGRAM)
        made.stand_in(f'exec "$REAL" -u {program} "$@"\n')
        behave(made, "adapter", f"port {made.port}")
        behave(made, "phone", "")
        yield made


def behave(phone: TermuxPrefix, module: str, mode: str) -> None:
    (phone.places.state / f"mode.{module}").write_text(mode)


def start_adapter(phone: TermuxPrefix, until: str = "listening") -> int:
    assert phone.runsv.up(ADAPTER).ok
    phone.wait_for_log(ADAPTER, until)
    return phone.pid(ADAPTER)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for_ends(phone: TermuxPrefix, name: str, count: int) -> tuple[Exit, ...]:
    phone.wait_until(lambda: len(phone.exits(name)) >= count, f"{count} ends of {name}")
    return phone.exits(name)


# --- starting and stopping ---------------------------------------------------------------------------------------


def test_only_the_supervisor_starts_by_itself(phone: TermuxPrefix) -> None:
    """The others wait for it: they ship `down`. runsvdir is in a session of its own, with init as its parent (2.6)."""
    pid = phone.start_daemon()
    phone.wait_for_log("farmhand", "program -u -m phone supervise")
    assert {name: phone.status(name).phase for name in SERVICES if name != "farmhand"} == {
        service.folder: Phase.DOWN for service in Service
    }
    assert os.getsid(pid) != os.getsid(0)
    assert not any(phone.status(service.folder).wants_up for service in Service)


def test_term_reaches_the_program_and_its_port_is_free(phone: TermuxPrefix) -> None:
    """No shell is left between runit and it (2.3), so nothing is orphaned."""
    phone.start_daemon()
    pid = start_adapter(phone)
    assert b"program.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert not is_free(phone.port)
    assert phone.runsv.down(ADAPTER, 10).ok
    assert is_free(phone.port)
    assert phone.log(ADAPTER).count("ends in order") == 1
    assert not any("program.py" in words and "adapter" in words for words in phone.processes().values())
    (end,) = phone.exits(ADAPTER)
    assert (end.code, end.signal) == (0, 0)


def test_restart_gives_a_new_process(phone: TermuxPrefix) -> None:
    """And the one before it has ended first."""
    phone.start_daemon()
    first = start_adapter(phone)
    assert phone.runsv.restart(ADAPTER, 10).ok
    phone.wait_until(lambda: phone.log(ADAPTER).count("listening") == 2, "the second one listens")
    assert phone.pid(ADAPTER) != first
    assert not Path(f"/proc/{first}").exists()


def test_who_ignores_term_is_killed_once(phone: TermuxPrefix) -> None:
    """After its time, with one record of it; the words say so."""
    behave(phone, "adapter", f"port {phone.port} term never")
    phone.start_daemon()
    start_adapter(phone)
    began = time.monotonic()
    outcome = phone.runsv.down(ADAPTER, 1)
    assert 1 <= time.monotonic() - began < 5
    assert outcome.ok and "did not end within 1 s and was killed" in outcome.words
    assert [(end.code, end.signal) for end in phone.exits(ADAPTER)] == [(-1, 9)]
    assert is_free(phone.port)


def test_who_is_stopped_by_a_signal_can_be_ended(phone: TermuxPrefix) -> None:
    """`sv pause`, or Android's own SIGSTOP: down sends CONT as well."""
    phone.start_daemon()
    start_adapter(phone)
    assert phone.runsv.signal(ADAPTER, "pause").ok
    phone.wait_until(lambda: phone.status(ADAPTER).paused, "runit knows that it is paused")
    assert phone.runsv.down(ADAPTER, 10).ok
    assert [(end.code, end.signal) for end in phone.exits(ADAPTER)] == [(0, 0)]


def test_stop_and_start_in_the_second_after_a_crash(phone: TermuxPrefix) -> None:
    """runsv sleeps then, and `sv` believes what was true before: its `up` would be lost."""
    behave(phone, "adapter", "exit 3")
    phone.start_daemon()
    assert phone.runsv.up(ADAPTER).ok
    wait_for_ends(phone, ADAPTER, 1)
    behave(phone, "adapter", f"port {phone.port}")
    assert phone.runsv.restart(ADAPTER, 5).ok
    phone.wait_for_log(ADAPTER, "listening")


def test_a_second_finish_after_a_kill_in_the_first(phone: TermuxPrefix) -> None:
    """Why `Runsv` never kills while `finish` runs: runsv takes the end of `finish` for one of the service."""
    out = phone.places.user / "out"
    phone.add_service("other", "exit 3\n", finish=f'echo "$1" >> {out}; exec sleep 2\n', down=True)
    phone.start_daemon()
    phone.run("sv", "once", "other")
    phone.wait_until(lambda: phone.status("other").phase is Phase.FINISH, "finish runs")
    phone.run("sv", "kill", "other")
    phone.wait_until(lambda: phone.status("other").phase is Phase.DOWN, "it is down")
    assert out.read_text().split() == ["3", "0"]


def test_without_svdir(phone: TermuxPrefix) -> None:
    """Where nothing has set it, as in a notification's button, only absolute paths work (2.2)."""
    phone.start_daemon()
    bare = phone.shell(f"sv up {ADAPTER}")
    assert bare.returncode != 0
    assert phone.status(ADAPTER).phase is Phase.DOWN
    assert phone.shell(f"sv up {phone.places.service(ADAPTER)}").returncode == 0
    phone.wait_for_log(ADAPTER, "listening")


def test_leaving_runit_for_good(phone: TermuxPrefix) -> None:
    """Before its folder is deleted, it is moved out of runsvdir's sight, which would start another runsv; then nothing of it is left."""
    phone.start_daemon()
    start_adapter(phone)
    away = phone.prefix / "var" / "gone"
    phone.places.service(ADAPTER).rename(away)
    outcome = phone.runsv.exit(str(away), 10)
    assert outcome.ok, outcome.words
    assert not any(ADAPTER in words for words in phone.processes().values())
    shutil.rmtree(away)
    assert phone.runsv.exit(ADAPTER, 1).ok  # there is none: nothing to do


def test_exit_in_place_does_not_last(phone: TermuxPrefix) -> None:
    """runsvdir starts another runsv for a folder that is still there."""
    phone.start_daemon()
    assert phone.sv("-w", "1", "shutdown", str(phone.places.service(ADAPTER)))
    phone.wait_until(lambda: phone.status(ADAPTER).phase is Phase.DOWN, "it is looked after again")


# --- what is recorded --------------------------------------------------------------------------------------------


def test_sigkill_is_recorded_and_runit_starts_it_again(phone: TermuxPrefix) -> None:
    """`-1 9`, which is what Android's killers leave (2.3), with the memory that was free and how long it had run."""
    phone.start_daemon()
    began = time.time()
    first = start_adapter(phone)
    os.kill(first, signal.SIGKILL)
    (end,) = wait_for_ends(phone, ADAPTER, 1)
    assert (end.code, end.signal) == (-1, 9)
    assert began - 1 <= end.wall_at_s <= time.time()
    assert end.available_kb is not None and end.available_kb > 10_000
    assert end.ran_s is not None and 0 <= end.ran_s <= 20
    phone.wait_until(lambda: phone.log(ADAPTER).count("listening") == 2, "runit has started it again")
    assert "farmhand-adapter: killed (signal 9) after" in phone.log(ADAPTER)


def test_an_exit_code_is_recorded(phone: TermuxPrefix) -> None:
    """As `code 0`."""
    behave(phone, "adapter", "exit 3")
    phone.start_daemon()
    assert phone.runsv.up(ADAPTER).ok
    assert (wait_for_ends(phone, ADAPTER, 1)[0].code, phone.exits(ADAPTER)[0].signal) == (3, 0)
    phone.wait_for_log(ADAPTER, "farmhand-adapter: ended with code 3 after")


def test_a_crash_loop_slows_down_by_itself(phone: TermuxPrefix) -> None:
    """Without a supervisor runit would try every second for ever (2.3); `sv down` ends such a pause at once."""
    behave(phone, "adapter", "exit 3")
    phone.start_daemon()
    began = time.monotonic()
    assert phone.runsv.up(ADAPTER).ok
    wait_for_ends(phone, ADAPTER, 3)  # the second after 1 s, the third after 1 + 2 s, the fourth 5 s later
    time.sleep(max(0.0, began + 7 - time.monotonic()))
    assert len(phone.exits(ADAPTER)) == 3
    assert phone.status(ADAPTER).phase is Phase.FINISH
    began = time.monotonic()
    assert phone.runsv.down(ADAPTER, 10).ok
    assert time.monotonic() - began < 2.5


def test_what_cannot_be_started_is_not_silent(phone: TermuxPrefix) -> None:
    """No execute bit is an endless loop without a word in plain runit (2.3); here the log names the file."""
    (phone.places.service(ADAPTER) / "run").chmod(0o600)
    phone.start_daemon()
    assert phone.runsv.up(ADAPTER).ok
    (end, *_) = wait_for_ends(phone, ADAPTER, 1)
    assert (end.code, end.signal, end.ran_s) == (111, 0, None)
    phone.wait_for_log(ADAPTER, f"could not start {phone.places.service(ADAPTER)}/run; is it there and executable?")


def test_the_record_stays_short_and_nothing_of_it_is_lost(phone: TermuxPrefix) -> None:
    """From 200 lines on it is moved aside; who had read to somewhere reads on there."""
    record = phone.places.exits / ADAPTER
    record.parent.mkdir(parents=True)
    record.write_text("".join(f"{number} 0 0 1 60\n" for number in range(1, 201)))
    _, offset = phone.runsv.exits(ADAPTER, 0)
    with record.open("a") as file:
        file.write("201 0 0 1 60\n")
    behave(phone, "adapter", "exit 3")
    phone.start_daemon()
    phone.run("sv", "once", ADAPTER)
    phone.wait_until(lambda: len(phone.exits(ADAPTER)) == 1, "a new record")
    ends, offset = phone.runsv.exits(ADAPTER, offset)
    assert [end.code for end in ends] == [0, 3]
    assert ends[0].wall_at_s == 201
    assert phone.runsv.exits(ADAPTER, offset) == ((), record.stat().st_size)


# --- logs --------------------------------------------------------------------------------------------------------


def test_both_outputs_reach_the_log_with_utc_stamps(phone: TermuxPrefix) -> None:
    """Standard error too, which goes nowhere otherwise (2.3); at once, since the program is unbuffered; private."""
    phone.start_daemon()
    start_adapter(phone)
    stamp = r"2\d\d\d-\d\d-\d\d_\d\d:\d\d:\d\d\.\d+ "
    lines = phone.log(ADAPTER).splitlines()
    assert any(line.endswith(" on standard error") for line in lines)
    assert all(re.match(stamp, line) for line in lines)
    assert phone.places.log(ADAPTER).parent.stat().st_mode & 0o077 == 0


def test_long_lines_stay_whole(phone: TermuxPrefix) -> None:
    """The environment is printed on one of more than 1,000 characters (2.4)."""
    phone.start_daemon()
    start_adapter(phone, until="cwd ")
    (line,) = (line for line in phone.log(ADAPTER).splitlines() if " env {" in line)
    assert len(line) > 400 and line.endswith("}")


def test_rotation_is_set_once_and_a_persons_own_stays(phone: TermuxPrefix) -> None:
    """svlogd reads `config` where it writes (2.4)."""
    own = phone.places.log("farmhand-engine").with_name("config")
    phone.write(own, "s100000\nn2\n", 0o600)
    phone.start_daemon()
    phone.wait_until(lambda: phone.places.log(ADAPTER).exists(), "svlogd has begun")
    assert phone.places.log(ADAPTER).with_name("config").read_text() == "s500000\nn5\nN1\n"
    assert own.read_text() == "s100000\nn2\n"


def test_a_bare_environment_is_enough(phone: TermuxPrefix) -> None:
    """Whatever runit was started from (2.3): PATH alone here. And what is not for the program does not reach it."""
    start = "start-stop-daemon -S -b -m -p $PREFIX/var/run/service-daemon.pid -x $PREFIX/bin/runsvdir --"
    bare = f'exec env -i {VARIABLE}={phone.mark} PATH="$PATH" FARMHAND_ROOT=/elsewhere {start} {phone.places.services}'
    assert phone.shell(bare).returncode == 0
    phone.wait_until(lambda: phone.status(ADAPTER).phase is Phase.DOWN, "runsv is there")
    start_adapter(phone, until="cwd ")
    (line,) = (line for line in phone.log(ADAPTER).splitlines() if " env {" in line)
    env = json.loads(line.partition(" env ")[2])
    prefix = str(phone.prefix)
    assert {key: env.get(key) for key in ("PREFIX", "PATH", "TMPDIR", "SVDIR", "LOGDIR", "LANG", "HOME")} == {
        "PREFIX": prefix,
        "PATH": f"{prefix}/bin",
        "TMPDIR": f"{prefix}/tmp",
        "SVDIR": f"{prefix}/var/service",
        "LOGDIR": f"{prefix}/var/log",
        "LANG": "en_US.UTF-8",
        "HOME": str(phone.places.user),
    }
    assert env["FARMHAND_HOME"] == str(phone.places.state) and env["FARMHAND_CONFIG"] == str(phone.places.config)
    assert env["PYTHONUNBUFFERED"] == "1"
    assert "FARMHAND_ROOT" not in env  # the adapter takes FARMHAND_* for its settings
    assert f" cwd {phone.places.root}" in phone.log(ADAPTER)


# --- readiness ---------------------------------------------------------------------------------------------------


def test_sv_start_waits_until_it_is_ready(phone: TermuxPrefix) -> None:
    """`check` (2.3): listening alone is not enough."""
    behave(phone, "adapter", f"port {phone.port} ready-after 1.5")
    phone.start_daemon()
    began = time.monotonic()
    done = phone.run("sv", "-w", "15", "start", ADAPTER)
    assert done.returncode == 0 and done.stdout.startswith(f"ok: run: {ADAPTER}: (pid ")
    assert time.monotonic() - began >= 1.5
    assert phone.run("sv", "check", ADAPTER).returncode == 0
    assert done.stderr == ""  # nothing of what each probe said


def test_sv_start_of_one_that_never_gets_ready(phone: TermuxPrefix) -> None:
    """It times out, and the service goes on."""
    behave(phone, "adapter", f"port {phone.port} ready-after 1000")
    phone.start_daemon()
    done = phone.run("sv", "-w", "2", "start", ADAPTER)
    assert done.returncode == 1 and done.stdout.startswith(f"timeout: run: {ADAPTER}: (pid ")
    assert phone.status(ADAPTER).phase is Phase.RUN


# --- the others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("farmhand-litellm", "litellm is not installed. It is optional: set enabled = false in [proxy], or install it"),
        ("farmhand-openclaw", "openclaw is not installed. It is optional: set enabled = false in [gateway], or install it"),
        ("farmhand-engine", "llama-server is not installed. Type: pkg install llama-cpp"),
    ],
)
def test_what_is_not_installed_says_so(phone: TermuxPrefix, name: str, said: str) -> None:
    """One line, and the code for what a restart cannot mend."""
    phone.start_daemon()
    assert phone.runsv.up(name).ok
    assert wait_for_ends(phone, name, 1)[0].code == 78
    assert phone.runsv.down(name, 5).ok
    phone.wait_for_log(name, f"{name}: {said}\n")


def test_the_proxy_and_the_gateway(phone: TermuxPrefix) -> None:
    """Ports from the configuration; the gateway's models where the supervisor says; both in the foreground."""
    phone.places.config.write_text("[proxy]\nport = 4123\n[gateway]\nport = 18123\n")
    says = 'echo "args $*"; echo "base $NEURAL_FARM_BASE_URL bonjour $OPENCLAW_DISABLE_BONJOUR"; exec sleep 1000\n'
    phone.command_file("openclaw", says)
    phone.write(phone.places.root / ".cache" / "litellm" / "bin" / "litellm", f"#!@PREFIX@/bin/sh\n{says}")
    phone.start_daemon()
    assert phone.runsv.up("farmhand-litellm").ok and phone.runsv.up("farmhand-openclaw").ok
    phone.wait_for_log("farmhand-openclaw", "args gateway --port 18123\n")
    phone.wait_for_log("farmhand-openclaw", "base http://127.0.0.1:8888/v1 bonjour 1\n")
    config = phone.places.state / "litellm" / "config.yaml"
    phone.wait_for_log("farmhand-litellm", f"{config} is missing")
    phone.write(config, "model_list: []\n")
    phone.write(phone.places.run / "gateway.env", "OTHER=x\nNEURAL_FARM_BASE_URL=http://127.0.0.1:4123/v1\n", 0o600)
    phone.wait_for_log("farmhand-litellm", f"args --config {config} --host 127.0.0.1 --port 4123\n")
    assert phone.runsv.restart("farmhand-openclaw", 5).ok
    phone.wait_for_log("farmhand-openclaw", "base http://127.0.0.1:4123/v1 bonjour 1\n")


def test_a_configuration_that_cannot_be_read(phone: TermuxPrefix) -> None:
    """No port, no start: a sentence and 78."""
    phone.places.config.write_text("[gateway]\nport = 99999\n")
    phone.command_file("openclaw", "exec sleep 1000\n")
    phone.start_daemon()
    assert phone.runsv.up("farmhand-openclaw").ok
    assert wait_for_ends(phone, "farmhand-openclaw", 1)[0].code == 78
    phone.wait_for_log("farmhand-openclaw", "gateway.port of")
    phone.wait_for_log("farmhand-openclaw", "its port is not known; the line above says why")


def test_termuxs_own_llama_server(phone: TermuxPrefix) -> None:
    """Model and port from engine.env; each thing that is missing has its sentence."""
    phone.command_file("llama-server", 'echo "args $*"; exec sleep 1000\n')
    phone.start_daemon()
    name, env = "farmhand-engine", phone.places.state / "engine.env"
    model = phone.write(phone.places.user / "a model.gguf", "", 0o600)
    root = phone.places.root
    for text, said in (
        (None, f"{env} is missing. Type: sh {root}/scripts/install\n"),
        ("ENGINE_PORT=8123\n", f"{env} lacks ENGINE_MODEL, the path of a GGUF file\n"),
        ("ENGINE_MODEL='/no such.gguf'\n", f"/no such.gguf, the ENGINE_MODEL of {env}, cannot be read\n"),
        (f"ENGINE_MODEL='{model}'\nENGINE_PORT=8123\nENGINE_THREADS=4\n", "--host 127.0.0.1 --port 8123 --threads 4\n"),
    ):
        if text is not None:
            phone.write(env, text)
        assert phone.runsv.restart(name, 5).ok
        phone.wait_for_log(name, said)
    assert f"args --model {model} --host" in phone.log(name)


def test_a_python_that_was_upgraded(phone: TermuxPrefix) -> None:
    """The environment has no packages for the new one, or does not start at all (7.1): one line says what to type."""
    said = f"is not the version it was set up with. Type: sh {phone.places.root}/scripts/install\n"
    lib = phone.places.root / ".venv" / "lib"
    (version,) = lib.iterdir()
    version.rename(lib / "python3.1")
    phone.start_daemon()
    (end, *_) = wait_for_ends(phone, "farmhand", 1)
    assert end.code == 78
    phone.wait_for_log("farmhand", said)
    (phone.places.root / ".venv" / "bin" / "python").unlink()
    assert phone.runsv.up(ADAPTER).ok
    assert wait_for_ends(phone, ADAPTER, 1)[0].code == 78
    phone.wait_for_log(ADAPTER, said)


def test_an_installation_without_its_settings(phone: TermuxPrefix) -> None:
    """Half uninstalled: the log runs all the same, and has the sentence."""
    settings = phone.prefix / "etc" / "farmhand" / "env"
    settings.unlink()
    phone.start_daemon()
    phone.wait_for_log("farmhand", f"farmhand: {settings} is missing. Type in the folder of Farmhand: sh scripts/install")
    settings.write_text("HOME=/x\n")
    phone.wait_for_log("farmhand", f"farmhand: {settings} lacks FARMHAND_ROOT, FARMHAND_HOME or HOME. Type in the folder")
    assert phone.runsv.down("farmhand", 5).ok


# --- runit itself ------------------------------------------------------------------------------------------------


def test_our_reading_is_that_of_sv(phone: TermuxPrefix) -> None:
    """In each state, word by word."""
    ready = phone.places.user / "ready"
    run = f'trap "sleep 2.5; exit" TERM; touch {ready}; while :; do sleep 0.1; done\n'
    phone.add_service("slow", run, finish="exec sleep 2.5\n", down=True)
    phone.start_daemon()

    def line(name: str) -> str:
        """Ours, which is sv's."""
        folder = phone.places.service(name)
        ours, theirs = "", "none yet"
        for _ in range(20):  # a second may end between the two
            ours, theirs = phone.status_line(name), phone.sv("status", str(folder)).partition("; ")[0]
            if ours == theirs:
                break
        assert ours == theirs
        return re.sub(r"\d+", "N", ours.replace(str(folder), name))

    start_adapter(phone)
    assert line(ADAPTER) == f"run: {ADAPTER}: (pid N) Ns, normally down"
    assert line("farmhand") == "run: farmhand: (pid N) Ns"
    assert line("farmhand-engine") == "down: farmhand-engine: Ns"
    assert phone.runsv.signal(ADAPTER, "pause").ok
    phone.wait_until(lambda: phone.status(ADAPTER).paused, "paused")
    assert line(ADAPTER) == f"run: {ADAPTER}: (pid N) Ns, normally down, paused"
    assert phone.runsv.signal(ADAPTER, "cont").ok
    phone.run("sv", "up", "slow")
    phone.wait_until(ready.exists, "its trap is set")
    phone.run("sv", "down", "slow")
    phone.wait_until(lambda: "got TERM" in phone.status_line("slow"), "slow is told")
    assert line("slow") == "run: slow: (pid N) Ns, normally down, want down, got TERM"
    phone.wait_until(lambda: phone.status("slow").phase is Phase.FINISH, "slow finishes")
    phone.wait_until(lambda: phone.status("slow").pid is not None, "its finish runs")
    assert line("slow") == "finish: slow: (pid N) Ns, normally down, want down"


def test_a_new_service_is_noticed(phone: TermuxPrefix) -> None:
    """Within 5 s; until then nobody looks after it, and that is no error (2.2)."""
    phone.start_daemon()
    shutil.rmtree(phone.prefix / "var" / "x.new", ignore_errors=True)
    phone.add_service("late", "exec sleep 1000\n")
    assert phone.status("late").phase is Phase.MISSING
    outcome = phone.runsv.up("late")
    assert not outcome.ok and "runit does not look after" in outcome.words
    phone.wait_until(lambda: phone.status("late").phase is Phase.RUN, "it is noticed", 8)


def test_dot_folders_are_nobodys(phone: TermuxPrefix) -> None:
    """runsvdir leaves them alone (2.2)."""
    phone.add_service(".hidden", "exec sleep 1000\n")
    phone.start_daemon()
    time.sleep(0.5)
    assert phone.status(".hidden").phase is Phase.MISSING


def test_starting_the_daemon(phone: TermuxPrefix) -> None:
    """Once, however often it is asked; without termux-services a sentence."""
    assert phone.runsv.runsvdir_pid() is None
    assert phone.runsv.start_runsvdir().ok
    pid = phone.runsv.runsvdir_pid()
    assert pid is not None and phone.runsv.start_runsvdir().ok and phone.runsv.runsvdir_pid() == pid
    # Its pid file may lie: after a reboot the number is another program's, and somebody may have deleted it.
    file = phone.prefix / "var" / "run" / "service-daemon.pid"
    file.write_text(f"{os.getpid()}\n")
    assert phone.runsv.runsvdir_pid() == pid
    file.unlink()
    assert phone.runsv.runsvdir_pid() == pid
    file.write_text(f"{pid}\n")
    phone.stop_daemon()
    (phone.bin / "service-daemon").unlink()
    outcome = phone.runsv.start_runsvdir()
    assert not outcome.ok and "pkg install termux-services" in outcome.words


@pytest.mark.parametrize("finish", ["", "exit 0\n"], ids=["without-finish", "with-finish"])
def test_the_measured_trap_of_service_daemon(phone: TermuxPrefix, finish: str) -> None:
    """`restart` gives a service 2 s (2.5). Told with `sv` first, one that needs 3 s ends in order, and the daemon is back."""
    out = phone.places.user / "out"
    run = f"trap 'sleep 3; echo clean >> {out}; exit' TERM\necho up >> {out}\nwhile :; do sleep 0.1; done\n"
    phone.add_service("slow", run, finish=finish)
    pid = phone.start_daemon()
    phone.wait_until(lambda: out.exists() and out.read_text().split() == ["up"], "it runs")
    phone.run("service-daemon", "restart", limit_s=60)
    assert "clean" not in out.read_text()  # killed
    assert phone.runsv.start_runsvdir().ok
    phone.wait_until(lambda: out.read_text().split().count("up") == 2, "it runs again")

    outcome = phone.runsv.down("slow", 10)
    assert outcome == type(outcome)(True)
    assert out.read_text().split()[-1] == "clean"
    assert phone.runsv.down("farmhand", 10).ok
    assert phone.run("service-daemon", "restart", limit_s=60).returncode == 0
    phone.wait_until(lambda: phone.runsv.runsvdir_pid() not in (None, pid), "the daemon is back")


# --- Android -----------------------------------------------------------------------------------------------------


def test_boot(phone: TermuxPrefix) -> None:
    """After the first unlock: wake lock, services, and a task that stays, so that Termux does too without a lock."""
    fake = phone.fake
    assert fake is not None
    (task,) = phone.boot()
    phone.wait_for_log("farmhand", "program -u -m phone supervise")
    phone.wait_until(lambda: (phone.places.run / "anchor.pid").exists(), "the anchor")
    assert fake.locked
    assert int((phone.places.run / "anchor.pid").read_text()) == task.pid
    phone.wait_until(lambda: Path(f"/proc/{task.pid}/comm").read_text() == "sleep\n", "it sleeps")
    at_s, lock, uptime = (phone.places.run / "ensured-by-boot").read_text().split()
    assert abs(int(at_s) - time.time()) < 30 and lock == "0" and float(uptime) > 0
    # The job that looks after it finds all in order: no wake lock, no second anchor.
    calls = len(fake.calls())
    job = phone.start_task(phone.prefix / "libexec" / "farmhand" / "ensure")
    assert job.wait(10) == 0
    assert len(fake.calls()) == calls
    task.send_signal(signal.SIGTERM)
    task.wait(5)
    # Without its anchor, the next one becomes it.
    job = phone.start_task(phone.prefix / "libexec" / "farmhand" / "ensure")
    phone.wait_until(lambda: (phone.places.run / "anchor.pid").read_text() == f"{job.pid}\n", "the next anchor")


def test_a_folder_in_the_boot_folder(phone: TermuxPrefix) -> None:
    """It ends the receiver in silence (3): `doctor` has to find it. One that sorts after ours does no harm."""
    odd = phone.places.boot_scripts / "00-a-folder"
    odd.mkdir()
    assert phone.boot() == []
    odd.rename(phone.places.boot_scripts / "zz-a-folder")
    assert len(phone.boot()) == 1
    phone.wait_for_log("farmhand", "program -u -m phone supervise")


def test_a_wake_lock_that_hangs(phone: TermuxPrefix) -> None:
    """`am` may (5.1): the services start all the same, and what happened is written down."""
    assert phone.fake is not None
    phone.fake.set_mode("am", "deaf")
    phone.boot()
    phone.wait_until(lambda: (phone.places.run / "ensured-by-boot").exists(), "it goes on", 30)
    assert (phone.places.run / "ensured-by-boot").read_text().split()[1] in ("124", "137")
    phone.wait_for_log("farmhand", "program -u -m phone supervise")


def test_coming_back_after_android_killed_all(phone: TermuxPrefix) -> None:
    """Nothing restarts us (4.1) but the job: old pid files and states do not mislead it."""
    phone.boot()
    phone.wait_for_log("farmhand", "program -u -m phone supervise")
    start_adapter(phone)
    phone.android_kills_the_app()
    assert phone.status(ADAPTER).phase is Phase.MISSING
    job = phone.start_task(phone.prefix / "libexec" / "farmhand" / "ensure")
    phone.wait_until(lambda: phone.log("farmhand").count("program -u -m phone supervise") == 2, "the supervisor is back")
    phone.wait_until(lambda: (phone.places.run / "anchor.pid").read_text() == f"{job.pid}\n", "and the anchor")
    assert phone.status(ADAPTER).phase is Phase.DOWN  # the supervisor's to start


def test_the_anchor_that_the_supervisor_asks_for(phone: TermuxPrefix) -> None:
    """The app starts it as a task; a second one leaves at once."""
    fake = phone.fake
    assert fake is not None
    anchor = phone.prefix / "libexec" / "farmhand" / "anchor"
    ask = "am startservice --user 0 -n com.termux/com.termux.app.TermuxService -a com.termux.service_execute"
    assert phone.shell(f"{ask} -d com.termux.file:{anchor} --ez com.termux.execute.background true").returncode == 0
    file = phone.places.run / "anchor.pid"
    phone.wait_until(file.exists, "it is there")
    first = file.read_text()
    assert phone.start_task(anchor).wait(10) == 0
    assert file.read_text() == first


def test_of_two_anchors_at_the_same_moment_one_stays(phone: TermuxPrefix) -> None:
    """From the boot script and from the job."""
    anchor = phone.prefix / "libexec" / "farmhand" / "anchor"
    for _ in range(5):
        both = [phone.start_task(anchor), phone.start_task(anchor)]

        def one_left(both: list[subprocess.Popen[bytes]] = both) -> bool:
            return any(task.poll() == 0 for task in both)

        phone.wait_until(one_left, "one leaves")
        stays = next(task for task in both if task.poll() is None)

        def sleeps(pid: int = stays.pid) -> bool:
            return "sleep" in phone.processes().get(pid, "")

        phone.wait_until(sleeps, "the other one sleeps")
        assert (phone.places.run / "anchor.pid").read_text() == f"{stays.pid}\n"
        stays.terminate()
        stays.wait(5)
        (phone.places.run / "anchor.pid").unlink()


def test_the_command_and_the_shortcuts(phone: TermuxPrefix) -> None:
    """`farmhand` anywhere in Termux, with the services' settings unless others are given; and what to type when it is broken."""
    command = phone.places.root / ".venv" / "bin" / "farmhand"
    phone.write(command, '#!@PREFIX@/bin/sh\necho "$* $FARMHAND_HOME $FARMHAND_CONFIG ${FARMHAND_ROOT-none}"\n')
    places = phone.places
    assert phone.run("farmhand", "status", "a b").stdout == f"status a b {places.state} {places.config} none\n"
    given = phone.run("farmhand", "x", env={"FARMHAND_HOME": "/h", "FARMHAND_CONFIG": "/c"})
    assert given.stdout == "x /h /c none\n"
    for name, asked in (("farmhand-status", "status"), ("farmhand-restart", "restart")):
        shown = phone.run(places.user / ".shortcuts" / name).stdout
        assert shown == f"{asked} {places.state} {places.config} none\n\nEnter closes this window. "
    newer = places.root / "python3.99"
    newer.write_text("")
    (command.parent / "python").unlink(missing_ok=True)
    (command.parent / "python").symlink_to(newer)
    broken = phone.run("farmhand", "status")
    assert broken.returncode == 78 and "is not usable" in broken.stderr, "what was installed for the old Python is not found"
    (command.parent.parent / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
    assert phone.run("farmhand", "status").returncode == 0
    command.unlink()
    broken = phone.run("farmhand", "status")
    assert (broken.returncode, broken.stdout) == (78, "")
    assert broken.stderr.endswith(f"is not usable. Type: sh {places.root}/scripts/install\n")
    (phone.prefix / "etc" / "farmhand" / "env").unlink()
    broken = phone.run("farmhand", "status")
    assert broken.returncode == 78 and "Type in the folder of Farmhand: sh scripts/install" in broken.stderr
