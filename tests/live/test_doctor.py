"""`farmhand doctor` on a phone with the real bundle up: one thing is broken at a time, it is found and nothing else, and what it says to type is typed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phone.doctor.first_device import questions
from phone.doctor.gather import gather
from phone.doctor.report import findings
from phone.supervisor import store
from phone.supervisor.published import Published
from phone.supervisor.types import Phase
from tests.live.termux_prefix import TermuxPrefix, termux_prefix

ECHO = "[server]\nport = {port}\n[[engine]]\nname = 'echo'\nkind = 'echo'\n"
# What any phone is asked about; and what depends on the machine that these tests run on, where we are one user of many.
USUAL = {"phantom", "doze", "wakelock-held", "processes", "cores", "memory", "disk"}
PM = 'case "$2" in com.termux.*) echo "package:/data/app/$2/base.apk" ;; *) exit 1 ;; esac\n'
# Half a minute for all that may hang together, and Python's own start on a busy machine.
LIMIT_S = 30.0


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TermuxPrefix]:
    """Booted, all ready, nothing wrong. Each test mends what it breaks: the next one finds only what it has broken itself."""
    with termux_prefix(tmp_path_factory.mktemp("doctor")) as made:
        start(made)
        done = typed(made, by_name(doctor(made))["job"]["command"])
        assert "response 1" in done
        assert set(news(made)) == set()
        yield made
        assert set(news(made)) == set(), "not mended"


def start(phone: TermuxPrefix, config: str = ECHO) -> None:
    phone.places.config.write_text(config.format(port=phone.port))
    phone.command_file("pm", PM)
    phone.boot()
    phone.wait_until(lambda: (now := published(phone)) and now.ready, "the bundle is ready", 40)


def published(phone: TermuxPrefix) -> Published | None:
    return store.read_published(phone.places)


def is_up(phone: TermuxPrefix) -> bool:
    now = published(phone)
    return bool(now and now.ready and now.pid == phone.status("farmhand").pid)


def terminal(phone: TermuxPrefix, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a login shell in Termux; and the tree under test, wherever .venv comes from."""
    return {**phone.login_env, "PYTHONPATH": str(phone.places.root), "COLUMNS": "80", **(env or {})}


def doctor(phone: TermuxPrefix, **env: str) -> dict[str, Any]:
    done = phone.run("farmhand", "doctor", "--json", env=terminal(phone, env))
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if said["healthy"] else 1)
    return said


def by_name(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in reversed(said["findings"])}


def news(phone: TermuxPrefix, **env: str) -> dict[str, dict[str, Any]]:
    """What is found that is not usual. Ends of the last day stay, so they are looked at by their own test alone."""
    found = by_name(doctor(phone, **env))
    return {name: one for name, one in found.items() if one["level"] != "ok" and name not in {*USUAL, "ends"}}


def typed(phone: TermuxPrefix, command: str) -> str:
    """In a terminal on the phone, as it was said."""
    done = phone.shell(command, env=terminal(phone), limit_s=90)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def only(phone: TermuxPrefix, name: str, **env: str) -> dict[str, Any]:
    found = news(phone, **env)
    assert set(found) == {name}
    return found[name]


# --- a healthy phone ---------------------------------------------------------------------------------------------


def test_a_healthy_phone(phone: TermuxPrefix) -> None:
    """80 columns, the questions for the laptop, a sentence at the end; all that is in order only when it is asked for."""
    done = phone.run("farmhand", "doctor", env=terminal(phone))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines if not line.lstrip().startswith(("type:", "on the laptop:")))
    assert "WARN" not in done.stdout.replace("WARN Termux has ", "") and "FAIL" not in done.stdout and "\nok " not in done.stdout
    assert "3 can only be seen from the laptop." in " ".join(lines)
    whole = phone.run("farmhand", "doctor", "--all", env=terminal(phone)).stdout
    for said in ("Termux:API answers.", "adapter is ready.", "echo is ready.", "Android looks now and then", "After the last reboot it ran"):
        assert f"ok   {said}" in whole
    assert phone.places.key_file.read_text().strip() not in whole + done.stdout


def test_off_the_phone(phone: TermuxPrefix) -> None:
    """On a PC nothing of Termux is asked for."""
    assert phone.fake
    before = len(phone.fake.calls("termux-job-scheduler"))
    done = phone.shell(f"unset TERMUX_VERSION; exec {phone.places.root}/.venv/bin/python -m phone doctor --json", env=terminal(phone))
    names = {one["name"] for one in json.loads(done.stdout)["findings"]}
    assert names <= {"memory", "disk", "clock", "cores", "python", "adapter-answers", "engine-echo"}
    assert len(phone.fake.calls("termux-job-scheduler")) == before


# --- runit and the services --------------------------------------------------------------------------------------


def test_switched_off(phone: TermuxPrefix) -> None:
    (phone.places.service("farmhand") / "down").touch()
    found = only(phone, "enabled")
    assert (found["level"], found["command"]) == ("fail", "sv-enable farmhand")
    typed(phone, found["command"])


def test_a_service_that_would_start_by_itself(phone: TermuxPrefix) -> None:
    (phone.places.service("farmhand-litellm") / "down").unlink()
    found = only(phone, "enabled")
    assert found["level"] == "warn"
    typed(phone, found["command"])
    assert phone.status("farmhand-litellm").phase is Phase.DOWN


def test_no_execute_bit(phone: TermuxPrefix) -> None:
    """It would be started every second, in silence (2.3)."""
    script = phone.places.service("farmhand-litellm") / "run"
    script.chmod(0o600)
    found = only(phone, "scripts")
    assert found["wrong"] == "farmhand-litellm/run is not executable."
    assert re.fullmatch(r"sh /\S+/scripts/install", found["command"])
    script.chmod(0o700)


def test_line_ends_of_windows(phone: TermuxPrefix) -> None:
    script = phone.places.service("farmhand-litellm") / "finish"
    text = script.read_text()
    script.write_bytes(text.replace("\n", "\r\n").encode())
    assert only(phone, "scripts")["wrong"] == "farmhand-litellm/finish has line ends of Windows."
    script.write_text(text)


def test_a_logger_that_is_down(phone: TermuxPrefix) -> None:
    typed(phone, f"sv -w 10 force-stop {phone.places.service('farmhand-engine')}/log")
    found = only(phone, "logs")
    assert found["wrong"] == "The logger of farmhand-engine does not run."
    typed(phone, found["command"])
    phone.wait_until(lambda: phone.status("farmhand-engine/log").phase is Phase.RUN, "the logger runs")
    time.sleep(1.6)  # what has started this very moment might be starting every second


def test_a_pid_file_that_lies(phone: TermuxPrefix) -> None:
    (phone.prefix / "var" / "run" / "service-daemon.pid").write_text(f"{os.getpid()}\n")
    found = only(phone, "runit-pid")
    assert found["command"].startswith(f"echo {phone.runsv.runsvdir_pid()} > ")
    typed(phone, found["command"])


def test_a_second_daemon(phone: TermuxPrefix) -> None:
    """A boot script of somebody's started one (2.6)."""
    pid = phone.runsv.runsvdir_pid()
    second = phone.start_task(phone.command_file("second", f"exec runsvdir {phone.places.services}\n"))
    assert phone.runsv.runsvdir_pid() == pid
    found = only(phone, "runit-twice")
    assert found["command"] == f"kill -HUP {second.pid}"
    typed(phone, found["command"])
    second.wait(10)


def test_stopped_by_a_signal(phone: TermuxPrefix) -> None:
    typed(phone, "sv pause farmhand-litellm || true; sv pause farmhand")
    phone.wait_until(lambda: phone.status("farmhand").paused, "runit knows")
    found = only(phone, "stopped")
    assert found["command"] == f"sv cont {phone.places.service('farmhand')}"
    typed(phone, found["command"])
    phone.wait_until(lambda: not phone.status("farmhand").paused, "it goes on")


def test_no_supervisor(phone: TermuxPrefix) -> None:
    """Everything was stopped by somebody: `farmhand up` is said, and does it."""
    typed(phone, "farmhand down")
    found = news(phone)
    assert set(found) == {"supervisor", "adapter-answers"}
    assert found["supervisor"]["command"] == "farmhand up"
    assert "The bundle is ready." in typed(phone, found["supervisor"]["command"])


def test_no_runit(phone: TermuxPrefix) -> None:
    """Android has ended all of it; what was started once by a shell is there no more (2.6). The number in the pid file is another's by now."""
    typed(phone, "farmhand down")
    phone.stop_daemon()
    (phone.prefix / "var" / "run" / "service-daemon.pid").write_text(f"{os.getpid()}\n")
    found = news(phone)
    assert {"runit", "supervisor", "adapter-answers"} == set(found)
    assert found["runit"]["command"].endswith("; farmhand up")
    assert "The bundle is ready." in typed(phone, found["runit"]["command"])


def test_a_service_was_killed(phone: TermuxPrefix) -> None:
    """Who did it, as far as it can be told, and the laptop's command (4.2)."""
    assert "ends" not in {one["name"] for one in doctor(phone)["findings"] if one["level"] == "warn"}
    pid, count = phone.pid("farmhand-adapter"), len(phone.exits("farmhand-adapter"))
    os.kill(pid, signal.SIGKILL)
    phone.wait_until(lambda: len(phone.exits("farmhand-adapter")) > count, "its end is written down")
    phone.wait_until(lambda: phone.status("farmhand-adapter").pid not in (None, pid), "it is back")
    phone.wait_until(lambda: is_up(phone) and "adapter-answers" not in news(phone), "it answers")
    found = by_name(doctor(phone))["ends"]
    assert found["level"] == "warn" and "farmhand-adapter ended once in the last day" in found["wrong"]
    assert "was killed (SIGKILL)" in found["wrong"] and found["where"] == "laptop"
    assert found["command"] == "adb shell settings put global settings_enable_monitor_phantom_procs false"


# --- boot --------------------------------------------------------------------------------------------------------


def test_a_folder_in_the_boot_folder(phone: TermuxPrefix) -> None:
    """Before ours it keeps ours from starting (1, row 5); behind it, others'."""
    boot = phone.places.boot_scripts
    (boot / "zz-old").mkdir()
    assert only(phone, "boot-folder")["level"] == "warn"
    (boot / "zz-old").rename(boot / "00-a")
    assert phone.boot() == []
    found = only(phone, "boot-folder")
    assert found["level"] == "fail"
    typed(phone, found["command"])
    assert (phone.places.user / "00-a").is_dir() and not (boot / "00-a").exists()


def test_somebody_elses_boot_script(phone: TermuxPrefix) -> None:
    """The README's own example of Termux:Boot fails in dash (1, row 4)."""
    script = phone.write(phone.places.boot_scripts / "50-mine", "#!@PREFIX@/bin/sh\nif true; then\n  source ./x\nfi\n")
    (phone.places.user / "x").write_text("true\n")
    assert phone.run(script).returncode == 127
    found = only(phone, "boot-source")
    typed(phone, found["command"])
    assert script.read_text().splitlines()[2] == "  . ./x"
    assert phone.run(script).returncode == 0
    script.write_text("#!/usr/bin/env python\nprint(1)\n")
    assert only(phone, "boot-shebang")["command"] == f"termux-fix-shebang {script}"
    script.write_text('. "$PREFIX/etc/profile.d/start-services.sh"\n')
    found = only(phone, "boot-twice")
    typed(phone, found["command"])
    assert not script.exists()


def test_termux_boot_was_never_opened(phone: TermuxPrefix) -> None:
    """The services were there before the reboot, and nobody has started them after it (3)."""
    run = phone.places.service("farmhand") / "run"
    ensured, was = phone.places.run / "ensured-by-boot", run.stat()
    text = ensured.read_text()
    ensured.write_text("1000000000 0 50.0\n")
    os.utime(run, (0, 0))
    found = news(phone)
    just_booted = time.clock_gettime(time.CLOCK_BOOTTIME) < 900
    assert set(found) == (set() if just_booted else {"boot-ran"})
    os.utime(run, (was.st_atime, was.st_mtime))
    ensured.write_text(text)


# --- Termux:API --------------------------------------------------------------------------------------------------


def test_termux_api_hangs(phone: TermuxPrefix) -> None:
    """Everything that goes through it, and `pm` as well: it ends in time, says what to do, and leaves no process (5.1)."""
    assert phone.fake
    phone.command_file("pm", "exec sleep 1000\n")
    phone.fake.set_mode("all", "missing")
    known = set(phone.processes())
    began = time.monotonic()
    found = news(phone)
    assert time.monotonic() - began < LIMIT_S
    assert set(found) == {"api"}
    assert "did not answer in time" in found["api"]["wrong"] and "Open the Termux:API app once" in found["api"]["command"]
    phone.fake.set_mode("all", "normal")
    phone.command_file("pm", PM)
    of_ours = {pid: words for pid, words in phone.processes().items() if pid not in known and "supervise" not in words}
    phone.wait_until(lambda: not {*of_ours} & {*phone.processes()}, "what hung is gone")


@pytest.mark.parametrize(
    ("mode", "said", "command"),
    [
        ("error nothing there", "Termux:API said: nothing there.", "termux-battery-status"),
        ("permission", "lacks a permission", "Grant it on the phone"),
        ("garbage", "The answer is no JSON object", "termux-battery-status"),
        ("empty", "answered with nothing", "termux-battery-status"),
    ],
)
def test_termux_api_answers_with_something_else(phone: TermuxPrefix, mode: str, said: str, command: str) -> None:
    """It exits with 0 all the same (1, row 8)."""
    assert phone.fake
    phone.fake.set_mode("termux-battery-status", mode)
    found = only(phone, "api")
    assert said in found["wrong"] and command in found["command"]
    phone.fake.set_mode("termux-battery-status", "normal")


def test_no_termux_api(phone: TermuxPrefix) -> None:
    """A normal state, said once: the bundle is healthy without it."""
    assert phone.fake
    phone.fake.uninstall("termux-battery-status")
    assert only(phone, "api")["command"] == "pkg install termux-api"
    phone.fake.install("termux-battery-status")
    phone.command_file("pm", "exit 1\n")
    found = news(phone)
    assert {name: one["level"] for name, one in found.items()} == {"Termux:Boot": "fail", "Termux:API": "warn"}
    phone.command_file("pm", PM)


def test_the_job_is_gone(phone: TermuxPrefix) -> None:
    """After a kill nobody else starts us (4.5)."""
    typed(phone, "termux-job-scheduler --cancel-all")
    found = only(phone, "job")
    typed(phone, found["command"])
    assert phone.fake and len(phone.fake.jobs) == 1


# --- configuration and keys --------------------------------------------------------------------------------------


def test_a_pause(phone: TermuxPrefix) -> None:
    typed(phone, "farmhand pause --for 5min --why 'Sunday'")
    phone.wait_until(lambda: (now := published(phone)) and now.level == "pause", "the supervisor knows")
    found = only(phone, "paused")
    assert re.fullmatch(r"Somebody has paused the engines for another \S+ \S+: Sunday\.", found["wrong"])
    typed(phone, found["command"])
    phone.wait_until(lambda: not news(phone), "all is as before")


def test_keys_that_others_can_read(phone: TermuxPrefix) -> None:
    phone.places.state.chmod(0o755)
    found = only(phone, "private")
    assert found["wrong"] == f"{phone.places.state} can be read by others (mode 755)."
    typed(phone, found["command"])


@pytest.mark.parametrize(
    ("line", "said"),
    [("[supervisor]\ntik_s = 5\n", "tik_s"), ("[server]\nprot = 1\n", "prot"), ("[server\n", "not valid TOML")],
    ids=["ours", "the adapter's", "no TOML"],
)
def test_a_configuration_that_cannot_be_used(phone: TermuxPrefix, line: str, said: str) -> None:
    """By either reader: said once, with the place and the key."""
    text = phone.places.config.read_text()
    phone.places.config.write_text(line)
    found = by_name(doctor(phone))["config"]  # of the server there is something to say as well: another port
    phone.places.config.write_text(text)
    assert (found["level"], found["where"]) == ("fail", "Android settings")
    assert found["wrong"].startswith(str(phone.places.config)) and said in found["wrong"]
    assert found["command"] == f"edit {phone.places.config}"


def test_no_key_is_asked_for(phone: TermuxPrefix) -> None:
    """Any app on the phone gets in (1, row 12)."""
    text = phone.places.config.read_text()
    phone.places.config.write_text(f"{text}[auth]\nrequired = false\n")
    assert only(phone, "auth")["fact"] == "1 row 12"
    phone.places.config.write_text(text)


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("api-level", {"ANDROID_API_LEVEL": "36"}),
        ("termux-version", {"TERMUX_VERSION": "0.118.0"}),
        ("termux-build", {"TERMUX_APK_RELEASE": "GOOGLE_PLAY_STORE"}),
        ("svdir", {"SVDIR": "/srv"}),
        ("shell", {"SHELL": "/x/zsh", "SVDIR": ""}),
        ("port", {"FARMHAND_PROXY_PORT": "80", "FARMHAND_PROXY_ENABLED": "true"}),
    ],
)
def test_of_this_shell(phone: TermuxPrefix, name: str, env: dict[str, str]) -> None:
    found = news(phone, **env)
    if name == "svdir":  # there is nothing of ours where it looks
        assert name in found and "services" in found
    elif name == "port":
        assert set(found) == {"port", "litellm"}
    else:
        assert set(found) == {name}


def test_the_gateways_node(phone: TermuxPrefix) -> None:
    """Its version, and the call that Android 13 and later forbid (11)."""
    phone.command_file("openclaw", "exit 0\n")
    phone.command_file("node", "echo v24.15.0\n")
    assert only(phone, "node", FARMHAND_GATEWAY_ENABLED="true")["command"] == "pkg install nodejs-lts"
    phone.command_file("node", 'echo v24.18.0; echo "SystemError [ERR]: uv_interface_addresses returned error 13" >&2; exit 1\n')
    assert only(phone, "openclaw-config", FARMHAND_GATEWAY_ENABLED="true")["command"] == "farmhand connect openclaw --write"
    phone.write(phone.places.user / ".openclaw" / "openclaw.json", "{}\n", 0o600)
    assert "returned error 13" in only(phone, "node-network", FARMHAND_GATEWAY_ENABLED="true")["wrong"]
    phone.ship("openclaw-guard.cjs", phone.prefix / "libexec" / "farmhand" / "openclaw-guard.cjs")
    assert news(phone, FARMHAND_GATEWAY_ENABLED="true") == {}
    (phone.bin / "node").unlink()
    assert only(phone, "node", FARMHAND_GATEWAY_ENABLED="true")["wrong"] == "There is no node, which openclaw runs on."
    (phone.bin / "openclaw").unlink()


# --- what is not to be broken here -------------------------------------------------------------------------------


def test_little_memory(phone: TermuxPrefix, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 204800 kB\n")
    facts = gather(phone.places, phone.env, phone.command, on_phone=True, proc=tmp_path)
    assert "Only 200 MiB of memory are available." in [f.wrong for f in findings(facts)]


def test_an_environment_of_another_python(phone: TermuxPrefix, tmp_path: Path) -> None:
    """`pkg upgrade` has brought a new one (7.1); or has taken away the old."""
    venv = tmp_path / ".venv"
    phone.write(venv / "bin" / "python", f'#!@PREFIX@/bin/sh\nexec {phone.places.root}/.venv/bin/python "$@"\n')
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.1.4\n")
    places = replace(phone.places, root=tmp_path)
    found = {f.name: f for f in findings(gather(places, phone.env, phone.command, on_phone=True))}
    assert ".venv was made by Python 3.1, and this is 3." in found["venv"].wrong
    assert found["venv"].command == f"sh {tmp_path}/scripts/install"
    phone.write(venv / "bin" / "python", "#!@PREFIX@/bin/sh\necho broken >&2; exit 127\n")
    found = {f.name: f for f in findings(gather(places, phone.env, phone.command, on_phone=True))}
    assert "its Python does not start (broken)" in found["venv"].wrong


# --- the report about a first device -----------------------------------------------------------------------------


def test_first_device(phone: TermuxPrefix) -> None:
    """Every question of section 13, bounded, without a key or an address; where it was said, and no process left."""
    assert phone.fake
    key = phone.places.key_file.read_text().strip()
    phone.fake.set_mode("termux-battery-status", "deaf")
    phone.command_file("am", f"echo {key}; echo 192.168.1.23 02:00:5e:10:00:ff fe80::1ff:fe23:4567:890a 2001:db8:1:2:3:4:5:6 at 20:36:40\n")
    out, known = phone.places.user / "a report.md", set(phone.processes())
    done = phone.run("farmhand", "doctor", "--first-device", "--out", out, env=terminal(phone), limit_s=120)
    (phone.bin / "am").unlink()
    (phone.bin / "am").symlink_to(phone.fake.bin / "am")
    phone.fake.set_mode("termux-battery-status", "normal")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"Written to {out}. Read it, then share it.\n")
    text = out.read_text()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(questions(phone.places)) and "(no answer within 10 s)" in text
    assert key not in text and "(key)" in text
    assert "(address) (address) (address) (address) at 20:36:40" in text
    assert not re.search(r"192\.168|02:00:5e|fe80|2001:db8", text)
    assert "To be typed by hand: `adb shell dumpsys power" in text
    phone.wait_until(lambda: not any("battery" in words for pid, words in phone.processes().items() if pid not in known), "what hung is gone")


def test_first_device_says_where_it_cannot_write(phone: TermuxPrefix) -> None:
    done = phone.run("farmhand", "doctor", "--first-device", "--out", phone.places.user / "no" / "x", env=terminal(phone))
    assert done.returncode == 1 and "choose another with --out FILE" in done.stderr
    assert done.stdout == ""  # said before the minute that it takes


# --- what needs a bundle of its own ------------------------------------------------------------------------------


def test_given_up_on_a_hot_phone(tmp_path: Path) -> None:
    """The battery is hot, then the adapter falls again and again: each is found, and the restart that is said works once that is mended."""
    quick = "[supervisor]\ncrashes = 1\ngive_up = 1\nbackoff_s = 0.1\ntick_s = 1\n"
    with termux_prefix(tmp_path) as phone:
        assert phone.fake
        phone.fake.set_battery(temperature=50.0)
        start(phone, ECHO + quick)
        typed(phone, by_name(doctor(phone))["job"]["command"])
        phone.wait_until(lambda: "pressure" in news(phone), "the adapter is told")
        assert "50" in only(phone, "pressure")["wrong"]
        phone.fake.set_battery(temperature=30.0)
        run = phone.places.service("farmhand-adapter") / "run"
        text = run.read_text()
        phone.write(run, text.replace("in_root\n", "in_root\nexit 3\n"))
        os.kill(phone.pid("farmhand-adapter"), signal.SIGTERM)
        phone.wait_until(lambda: (now := published(phone)) and now.services["adapter"].state == "given up", "it is given up", 40)
        found = news(phone)
        assert set(found) == {"adapter", "adapter-answers"}
        assert "ended with status 3" in found["adapter"]["wrong"]
        phone.write(run, text)
        said = typed(phone, found["adapter"]["command"])
        assert "farmhand-adapter: ended with code 3" in said
        phone.wait_until(lambda: is_up(phone), "it is ready again", 40)
