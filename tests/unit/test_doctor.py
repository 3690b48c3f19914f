"""What `farmhand doctor` makes of what it is shown: a table of everything that breaks (`facts/termux.md` 2 to 11)."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from install_steps import android
from install_steps.bounded import Ran
from phone.device import Battery, Device
from phone.doctor.checks_boot import JOB
from phone.doctor.facts import BootFacts, DaemonFacts, Ensured, Facts, NodeFacts, PythonFacts, ServiceFacts
from phone.doctor.finding import Finding, Level, Where
from phone.doctor.report import as_json, exit_status, findings, lines
from phone.places import places
from phone.settings import GatewaySettings, PhoneSettings, ProxySettings, Server
from phone.supervisor.published import Published, PublishedService
from phone.supervisor.types import SUPERVISOR, Exit, Phase, Runit
from phone.termux_answers import Job, Problem, Trouble

NOW = 1_800_000_000.0
PLACES = places({}, Path("/clone"))
SCRIPTS = {"run": "", "finish": "", "check": "", "log/run": ""}
UP = Runit(Phase.RUN, 400, True, wall_since_s=NOW - 600)
LOGGER = Runit(Phase.RUN, 401, True, wall_since_s=NOW - 600)
RUNS = ServiceFacts(True, False, UP, LOGGER, SCRIPTS, log_age_s=3.0)
DOWN = ServiceFacts(True, True, Runit(Phase.DOWN), LOGGER, SCRIPTS)
ENSURE = f"{PLACES.prefix}/libexec/farmhand/ensure"
OUR_JOB = Job(JOB, ENSURE, 900.0, persisted=True, any_network=True)
HOUR_S = 3600.0
PUBLISHED = Published(
    pid=400, boot_id="b", wall_s=NOW, goal="up", ready=True, lock_policy="always", lock_words="asked for 3 min ago",
    services={"adapter": PublishedService("farmhand-adapter", "ready", pid=401)},
)  # fmt: skip
HEALTHY = Facts(
    on_phone=True,
    env={"TERMUX_VERSION": "0.118.3", "TERMUX_APK_RELEASE": "F_DROID"},
    places=PLACES,
    wall_s=NOW,
    settings=PhoneSettings(),
    booted_wall_s=NOW - 10 * HOUR_S,
    installed_wall_s=NOW - 100 * HOUR_S,
    daemon=DaemonFacts(300, pid_file=300, pid_file_lives=True),
    services={SUPERVISOR: RUNS, "farmhand-adapter": replace(RUNS, has_down=True), "farmhand-litellm": DOWN},
    published=PUBLISHED,
    supervisor_lives=True,
    boot=BootFacts(exists=True, after_boot=Ensured(NOW - 9.9 * HOUR_S, "0")),
    apps={"com.termux.boot": True, "com.termux.api": True},
    api_asked=True,
    jobs=(OUR_JOB,),
    device=Device(Battery(80.0, 30.0, True), 3 << 30, 8 << 30, 0.9),
    affinity=8,
    cores=8,
    own_processes=9,
    phantoms="false",
    python=PythonFacts("android", "3.14", "3.14", imports={"aiohttp": "", "pydantic": "", "llama_cpp": ""}),
    adapter={"status": "ready", "engines": {"demo": {"ready": True, "detail": "demo.gguf"}}},
    disk_free_bytes=20 << 30,
    modes={"/s/key": 0o600},
)


def with_service(name: str, **changes: Any) -> Facts:
    return replace(HEALTHY, services={**HEALTHY.services, name: replace(HEALTHY.services[name], **changes)})


def with_state(name: str, state: str, words: str) -> Facts:
    service = PublishedService(f"farmhand-{name}", state, words)
    return replace(HEALTHY, published=replace(PUBLISHED, services={name: service}))


def with_python(**changes: Any) -> Facts:
    return replace(HEALTHY, python=replace(HEALTHY.python, **changes))


def with_engine(**engine: Any) -> Facts:
    return replace(HEALTHY, adapter={"status": "ready", "engines": {"inferrlm": engine}})


def ended(*exits: Exit) -> Facts:
    return with_service("farmhand-adapter", exits=exits)


def on(**sections: Any) -> PhoneSettings:
    return PhoneSettings(**sections)


def with_boot(**changes: Any) -> Facts:
    return replace(HEALTHY, boot=replace(HEALTHY.boot, **changes))


def with_env(**changes: str) -> Facts:
    return replace(HEALTHY, env={**HEALTHY.env, **changes})


def with_gateway(node: NodeFacts | None, openclaw: str = "/bin/openclaw") -> Facts:
    return replace(HEALTHY, settings=on(gateway=GatewaySettings(enabled=True)), programs={"openclaw": openclaw}, node=node)


def with_api(text: str, remedy: str, trouble: Trouble) -> Facts:
    return replace(HEALTHY, api=Problem(text, remedy, trouble))


def test_a_healthy_phone() -> None:
    found = findings(HEALTHY)
    assert exit_status(found) == 0
    assert {f.level for f in found} == {Level.OK, Level.ASK}
    assert [f.name for f in found if f.level is Level.ASK] == ["doze", "wakelock-held"]


# What is shown, the level, a piece of the sentence, a piece of what to type, and where.
TROUBLES: list[tuple[str, Facts, Level, str, str, Where]] = [
    ("2.1 not installed", replace(HEALTHY, services={}), Level.FAIL, "not installed", "sh /clone/scripts/install", Where.PHONE),
    ("2.1 down", with_service(SUPERVISOR, has_down=True), Level.FAIL, "switched off", "sv-enable farmhand", Where.PHONE),
    ("2.1 down lost", with_service("farmhand-litellm", has_down=False), Level.WARN, "lost its file 'down'", "touch ", Where.PHONE),
    ("2.2 supervisor down", replace(HEALTHY, supervisor_lives=False, services={**HEALTHY.services, SUPERVISOR: DOWN}), Level.FAIL, "not running", "farmhand up", Where.PHONE),
    ("2.2 supervisor loops", replace(HEALTHY, supervisor_lives=False), Level.FAIL, "does not stay up", "farmhand logs supervisor", Where.PHONE),
    ("2.3 mode", with_service(SUPERVISOR, scripts={"run": "is not executable"}), Level.FAIL, "farmhand/run is not executable", "sh /clone/scripts/install", Where.PHONE),
    ("2.3 shebang", with_service("farmhand-adapter", scripts={"log/run": "does not begin with #!/x"}), Level.FAIL, "log/run does not begin", "sh /clone/scripts/install", Where.PHONE),
    ("2.4 no log", with_service(SUPERVISOR, log_age_s=None), Level.FAIL, "There is no log", "/log", Where.PHONE),
    ("2.4 no logger", with_service("farmhand-adapter", logger=Runit(Phase.DOWN)), Level.FAIL, "The logger of farmhand-adapter does not run", "sv up ", Where.PHONE),
    ("2.4 logger loops", with_service(SUPERVISOR, logger=replace(LOGGER, wall_since_s=NOW - 0.5)), Level.FAIL, "starts again and again", "df -h ", Where.PHONE),
    ("2.1 stale pid", replace(HEALTHY, daemon=DaemonFacts(300, pid_file=77, pid_file_lives=True)), Level.WARN, "says 77; runsvdir is 300", "echo 300 > ", Where.PHONE),
    ("2.1 no pid file", replace(HEALTHY, daemon=DaemonFacts(300)), Level.WARN, "says nothing", "echo 300 > ", Where.PHONE),
    ("2.1 pid of another", replace(HEALTHY, daemon=DaemonFacts(None, pid_file=77, pid_file_lives=True)), Level.FAIL, "runit is not running", "service-daemon.pid; farmhand up", Where.PHONE),
    ("2.6 two daemons", replace(HEALTHY, daemon=DaemonFacts(300, (301,), 300, True)), Level.FAIL, "2 runsvdir", "kill -HUP 301", Where.PHONE),
    ("2.2 nobody looks", with_service("farmhand-litellm", runit=Runit()), Level.FAIL, "does not look after farmhand-litellm", "service-daemon restart", Where.PHONE),
    ("2.2 stopped", with_service("farmhand-adapter", runit=replace(UP, paused=True)), Level.FAIL, "stopped by a signal", "sv cont ", Where.PHONE),
    ("2.2 zsh", with_env(SHELL="/x/zsh"), Level.WARN, "zsh does not read", ".zshrc", Where.PHONE),
    ("2.2 no SVDIR", with_env(SHELL="/x/bash"), Level.WARN, "SVDIR is not set", "start-services.sh", Where.PHONE),
    ("2.1 SVDIR", with_env(SVDIR="/x"), Level.WARN, "SVDIR is /x", "export SVDIR=", Where.PHONE),
    ("2.4 LOGDIR", with_env(LOGDIR="/x"), Level.WARN, "LOGDIR is /x", "export LOGDIR=", Where.PHONE),
    ("2.1 no packages", replace(HEALTHY, daemon=replace(HEALTHY.daemon, missing=("sv",))), Level.FAIL, "There is no sv", "pkg install termux-services", Where.PHONE),
    ("2.3 no parts", replace(HEALTHY, missing_parts=("etc/farmhand/env",)), Level.FAIL, "etc/farmhand/env cannot be read", "sh /clone/scripts/install", Where.PHONE),
    ("7.1 low port", replace(HEALTHY, settings=on(server=Server(port=80))), Level.FAIL, "[server] port is 80", "another port", Where.SETTINGS),
    ("one port for two", replace(HEALTHY, settings=on(server=Server(port=4000), proxy=ProxySettings(enabled=True)), programs={"litellm": "/x"}), Level.FAIL, "the same port, 4000", "another port", Where.SETTINGS),
    ("4.6 old Termux", with_env(TERMUX_VERSION="0.117"), Level.WARN, "Termux 0.117", "update Termux", Where.SETTINGS),
    ("2.6 no runit", replace(HEALTHY, daemon=DaemonFacts()), Level.FAIL, "runit is not running", "farmhand up", Where.PHONE),
    ("3 no boot script", with_boot(exists=False), Level.FAIL, "no boot script", "sh /clone/scripts/install", Where.PHONE),
    ("3 broken boot script", with_boot(problem="cannot be read (x)"), Level.FAIL, "The boot script cannot be read", "sh /clone/scripts/install", Where.PHONE),
    ("3 env shebang", with_boot(by_env=("my",)), Level.WARN, "begins with #!/usr/bin/env", "termux-fix-shebang ", Where.PHONE),
    ("3 never opened", with_boot(after_boot=None), Level.WARN, "did not run after the last reboot", "Termux:Boot once", Where.SETTINGS),
    ("3 not this time", with_boot(after_boot=Ensured(NOW - 50 * HOUR_S)), Level.WARN, "did not run after the last reboot", "Termux:Boot once", Where.SETTINGS),
    ("5.1 lock hung at boot", with_boot(after_boot=Ensured(NOW - 9 * HOUR_S, "124")), Level.WARN, "did not answer", "termux-wake-lock", Where.PHONE),
    ("1.5 folder before ours", with_boot(strange=("00-a",)), Level.FAIL, "boot/00-a is no plain file", "mv ", Where.PHONE),
    ("1.5 folder after ours", with_boot(strange=("old",)), Level.WARN, "boot/old is no plain file", "mv ", Where.PHONE),
    ("1.4 source in sh", with_boot(sourcing=("my",)), Level.WARN, "says 'source'", "sed -i", Where.PHONE),
    ("1.6 started twice", with_boot(starters=("svc",)), Level.WARN, "starts runit as well", "mv ", Where.PHONE),
    ("3 no Termux:Boot", replace(HEALTHY, apps={"com.termux.boot": False}), Level.FAIL, "Termux:Boot is not installed", "F-Droid", Where.SETTINGS),
    ("5.1 no Termux:API", replace(HEALTHY, apps={"com.termux.api": False}), Level.WARN, "Termux:API is not installed", "F-Droid", Where.SETTINGS),
    ("5.1 it hangs", with_api("It did not answer in time.", "Open the app once.", Trouble.SILENT), Level.WARN, "did not answer", "Open the app once", Where.SETTINGS),
    ("5.1 no package", with_api("There is no x.", "Type: pkg y", Trouble.MISSING), Level.WARN, "There is no x", "pkg install termux-api", Where.PHONE),
    ("5.1 permission", with_api("It lacks a permission.", "Grant it.", Trouble.REFUSED), Level.WARN, "lacks a permission", "Grant it", Where.SETTINGS),
    ("5.1 garbage", with_api("The answer is no JSON object: x.", "", Trouble.UNREADABLE), Level.WARN, "no JSON", "termux-battery-status", Where.PHONE),
    ("4.5 no job", replace(HEALTHY, jobs=()), Level.WARN, "No job of Android's", "--network none --battery-not-low false", Where.PHONE),
    ("4.5 job of another", replace(HEALTHY, jobs=(replace(OUR_JOB, script="/x"),)), Level.WARN, "No job of Android's", f"--script {ENSURE} ", Where.PHONE),
    ("4.5 job waits for network", replace(HEALTHY, jobs=(replace(OUR_JOB, any_network=False),)), Level.WARN, "waits for network", "termux-job-scheduler", Where.PHONE),
    ("4.5 job waits for charge", replace(HEALTHY, jobs=(replace(OUR_JOB, battery_not_low=True),)), Level.WARN, "waits for charge", "termux-job-scheduler", Where.PHONE),
    ("4.1 state in TMPDIR", replace(HEALTHY, places=replace(PLACES, state=PLACES.prefix / "tmp" / "f")), Level.FAIL, "is in TMPDIR", "FARMHAND_HOME", Where.PHONE),
    ("4.2 phantom killer on", replace(HEALTHY, phantoms="null"), Level.WARN, "phantom process killer is on", "monitor_phantom_procs false", Where.LAPTOP),
    ("4.2 not to be seen", replace(HEALTHY, phantoms=""), Level.ASK, "Is the phantom process killer on", "adb shell settings get", Where.LAPTOP),
    ("4.2 many processes", replace(HEALTHY, own_processes=30), Level.WARN, "30 processes", "ps", Where.PHONE),
    ("4.2 killed", ended(Exit(NOW - 60, -1, 9, 2 << 20)), Level.WARN, "ended once in the last day; the last time it was killed (SIGKILL)", "adb shell settings put", Where.LAPTOP),
    ("4.4 low memory", ended(Exit(NOW - 60, -1, 9, 90_000)), Level.WARN, "low-memory killer", "farmhand logs adapter", Where.PHONE),
    ("4.4 little memory", replace(HEALTHY, device=replace(HEALTHY.device, available_bytes=200 << 20)), Level.WARN, "Only 200 MiB", "models suggest", Where.PHONE),
    ("4.6 Play Store", replace(HEALTHY, env={"TERMUX_APK_RELEASE": "GOOGLE_PLAY_STORE"}), Level.FAIL, "Play Store", "F-Droid", Where.SETTINGS),
    ("5.2 battery", replace(HEALTHY, device=replace(HEALTHY.device, battery=Battery(health="OVERHEAT"))), Level.WARN, "OVERHEAT", "unplug", Where.SETTINGS),
    ("6 cpuset", replace(HEALTHY, affinity=4, cpuset="/background"), Level.WARN, "Only 4 of 8 cores may be used (cpuset /background)", "farmhand restart", Where.PHONE),
    ("4.1 lock refused", replace(HEALTHY, published=replace(PUBLISHED, lock_words="not asked for yet; the last ask failed: x")), Level.WARN, "the last ask failed", "termux-wake-lock", Where.PHONE),
    ("7.1 other Python", with_python(version="3.15"), Level.FAIL, ".venv was made by Python 3.14, and this is 3.15", "sh /clone/scripts/install", Where.PHONE),
    ("7.1 broken venv", with_python(broken="its Python does not start"), Level.FAIL, "does not work: its Python does not start", "sh /clone/scripts/install", Where.PHONE),
    ("7.1 platform", with_python(platform="ios"), Level.WARN, "'ios'", "--first-device", Where.PHONE),
    ("7.2 aiohttp", with_python(imports={"aiohttp": "ImportError: x"}), Level.FAIL, "aiohttp does not load: ImportError: x", "sh /clone/scripts/install", Where.PHONE),
    ("8.1 no engine", with_python(imports={"llama_cpp": "RuntimeError: Unsupported platform"}), Level.WARN, "llama_cpp does not load", "sh /clone/scripts/install", Where.PHONE),
    ("1.9 API level", replace(HEALTHY, env={"ANDROID_API_LEVEL": "36"}), Level.WARN, "ANDROID_API_LEVEL is 36", "=24", Where.PHONE),
    ("8.1 illegal instruction", ended(Exit(NOW - 60, -1, 4)), Level.WARN, "SIGILL", "farmhand logs adapter", Where.PHONE),
    ("10 no key", replace(HEALTHY, auth_required=False), Level.WARN, "any app on the phone", "config.toml", Where.SETTINGS),
    ("10 open host", replace(HEALTHY, settings=on(server=Server(host="0.0.0.0"))), Level.WARN, "beyond this phone", "127.0.0.1", Where.SETTINGS),
    ("10 readable key", replace(HEALTHY, modes={"/s/key": 0o644}), Level.FAIL, "/s/key can be read by others (mode 644)", "chmod go-rwx /s/key", Where.PHONE),
    ("11 no openclaw", with_gateway(None, ""), Level.FAIL, "no program 'openclaw'", "enabled = false in [gateway]", Where.SETTINGS),
    ("11 no node", with_gateway(NodeFacts()), Level.FAIL, "There is no node", "pkg install nodejs-lts", Where.PHONE),
    ("11 old node", with_gateway(NodeFacts((24, 15, 9))), Level.WARN, "node is 24.15.9", "pkg install nodejs-lts", Where.PHONE),
    ("11 odd node", with_gateway(NodeFacts((25, 0, 0))), Level.WARN, "node is 25.0.0", "pkg install nodejs-lts", Where.PHONE),
    ("11 interfaces", with_gateway(NodeFacts((26, 4, 0), "SystemError: error 13")), Level.WARN, "network interfaces: SystemError", "on the laptop", Where.SETTINGS),
    ("11 no config", with_gateway(NodeFacts((26, 4, 0), configured=False)), Level.FAIL, "openclaw has no configuration", "farmhand connect openclaw --write", Where.PHONE),
    ("8.2 no llama-server", replace(HEALTHY, engine_model="/m.gguf"), Level.FAIL, "no llama-server", "pkg install llama-cpp", Where.PHONE),
    ("8.2 no model", replace(HEALTHY, engine_model="/m.gguf", engine_problem="/m.gguf cannot be read", programs={"llama-server": "/x"}), Level.FAIL, "cannot be read", "engine.env", Where.SETTINGS),
    ("11 no litellm", replace(HEALTHY, settings=on(proxy=ProxySettings(enabled=True))), Level.FAIL, "no program 'litellm'", "enabled = false in [proxy]", Where.SETTINGS),
    ("config", replace(HEALTHY, settings=None, config_problem="c.toml: unknown key"), Level.FAIL, "unknown key", "edit ", Where.SETTINGS),
    ("config of the server", replace(HEALTHY, adapter=None, adapter_words=f"farmhand: {PLACES.config}: unknown key 'x'"), Level.FAIL, f"{PLACES.config}: unknown key", "edit ", Where.SETTINGS),
    ("given up", with_state("adapter", "given up", "ended with status 1"), Level.FAIL, "adapter is given up: it ended with status 1", "farmhand restart adapter", Where.PHONE),
    ("backing off", with_state("litellm", "backing off", "crashed"), Level.WARN, "litellm is backing off", "farmhand logs litellm", Where.PHONE),
    ("missing", with_state("litellm", "missing", ""), Level.FAIL, "litellm is wanted", "sh /clone/scripts/install", Where.PHONE),
    ("paused", replace(HEALTHY, paused_words="Somebody has paused the engines."), Level.WARN, "paused", "farmhand resume", Where.PHONE),
    ("no adapter", replace(HEALTHY, adapter=None, adapter_words="Nobody answers"), Level.FAIL, "Nobody answers", "farmhand logs adapter", Where.PHONE),
    ("adapter unknown", replace(HEALTHY, adapter={"status": "unknown", "detail": "no such key"}), Level.FAIL, "no such key", "farmhand logs adapter", Where.PHONE),
    ("no engine ready", replace(HEALTHY, adapter={"status": "not ready"}), Level.FAIL, "no engine is ready", "farmhand status", Where.PHONE),
    ("engine not ready", with_engine(ready=False, detail="open the app"), Level.WARN, "inferrlm is not ready: open the app", "farmhand status", Where.PHONE),
    ("one-line answers", with_engine(ready=True, detail="answers end at their first line break"), Level.WARN, "first line break", "line_marks", Where.SETTINGS),
    ("breaker", with_engine(ready=True, breakers=[{"state": "open", "target": "inferrlm/x", "code": "boom"}]), Level.WARN, "inferrlm/x is left alone after failures: boom", "farmhand status", Where.PHONE),
    ("hot", replace(HEALTHY, adapter={"status": "ready", "pressure": {"level": "pause", "reason": "45 degrees"}}), Level.WARN, "told to pause: 45 degrees", "farmhand status", Where.PHONE),
    ("disk", replace(HEALTHY, disk_free_bytes=10 << 20), Level.WARN, "Only 10 MiB are free", "models list", Where.PHONE),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "level", "said", "command", "where"), [t[1:] for t in TROUBLES], ids=[t[0] for t in TROUBLES])
def test_trouble(facts: Facts, level: Level, said: str, command: str, where: Where) -> None:
    """Each trouble is one finding that a healthy phone does not have, with a command."""
    usual = {(f.name, f.wrong) for f in findings(HEALTHY)}
    news = [f for f in findings(facts) if (f.name, f.wrong) not in usual]
    match = [f for f in news if f.level is level and said in f.wrong]
    assert match, [f.wrong for f in news]
    assert command in match[0].command
    assert match[0].where is where
    assert match[0].causes
    assert exit_status(findings(facts)) == (1 if level is Level.FAIL else exit_status(news))


# Each is in order: nothing but what a healthy phone says, and no more than its two questions.
FINE = {
    "off the laptop's list": replace(HEALTHY, jobs=None, apps={}),
    "zsh with its line": with_env(SHELL="/x/zsh", SVDIR=str(PLACES.services), LOGDIR=f"{PLACES.logs}/"),
    "just booted": replace(with_boot(after_boot=None), booted_wall_s=NOW - 600),
    "installed after the boot": replace(with_boot(after_boot=None), installed_wall_s=NOW - HOUR_S),
    "node 24.16": with_gateway(NodeFacts((24, 16, 0))),
    "node 26.1": with_gateway(NodeFacts((26, 1, 0))),
    "port by the system": replace(HEALTHY, settings=on(server=Server(port=0))),
    "llama-server": replace(HEALTHY, engine_model="/m.gguf", programs={"llama-server": "/x"}),
    "logger that just started with the bundle": with_service(
        "farmhand-adapter", runit=replace(UP, wall_since_s=NOW - 2), logger=replace(LOGGER, wall_since_s=NOW - 1)
    ),
    "the supervisor's clock was set": with_service(SUPERVISOR, logger=replace(LOGGER, wall_since_s=NOW + 50)),
    "beta": with_env(TERMUX_VERSION="0.119.0-beta.3"),
    "nothing wanted is missing": replace(HEALTHY, programs={}),
}  # fmt: skip


@pytest.mark.parametrize("facts", FINE.values(), ids=FINE)
def test_no_trouble(facts: Facts) -> None:
    found = findings(facts)
    assert [f.wrong for f in found if f.level in (Level.FAIL, Level.WARN)] == []
    assert [f.name for f in found if f.level is Level.ASK] == ["doze", "wakelock-held"]


ALL = {(f.name, f.command): f for facts in (HEALTHY, *(t[1] for t in TROUBLES)) for f in findings(facts) if f.command}


@pytest.mark.parametrize("finding", ALL.values(), ids=[name for name, _ in ALL])
def test_a_command_can_be_typed_as_it_stands(finding: Finding) -> None:
    """In one go, by a person who copies it: a shell reads it, and no remark is in it."""
    if finding.where is Where.SETTINGS:
        assert not finding.command.endswith(".")
        return
    done = subprocess.run([shutil.which("dash") or "sh", "-n", "-c", finding.command], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n" not in finding.command and "   " not in finding.command
    program = finding.command.split()[0]
    assert program.startswith("adb") is (finding.where is Where.LAPTOP)


def test_the_job_is_the_one_that_scripts_install_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places know its options, since one of them must run without the other."""
    asked: list[list[str]] = []

    def bounded(argv: list[str], *_: object) -> Ran:
        asked.append(argv)
        return Ran(0, "response 1")

    monkeypatch.setattr(android, "bounded", bounded)
    android.set_job(PLACES.prefix, Path(ENSURE))
    command = next(f.command for f in findings(replace(HEALTHY, jobs=())) if f.name == "job")
    assert [command.split()] == asked


@pytest.mark.parametrize(
    "end",
    [Exit(NOW - 90_000, -1, 9), Exit(NOW - 60, -1, 15), Exit(NOW - 60, 0, 0)],
    ids=["long ago", "told to", "by itself"],
)
def test_ends_that_are_no_trouble(end: Exit) -> None:
    assert {f.name for f in findings(ended(end)) if f.level is Level.WARN} == set()


@pytest.mark.parametrize(
    "odd",
    [{}, {"status": 3}, {"status": "ready", "engines": [1]}, {"status": "ready", "engines": {"x": 4}, "pressure": 7}],
)
def test_an_adapter_of_another_version_breaks_nothing(odd: dict[str, Any]) -> None:
    assert findings(replace(HEALTHY, adapter=odd))


def test_off_the_phone_only_what_applies_there() -> None:
    names = {f.name for f in findings(replace(HEALTHY, on_phone=False, services={}, daemon=DaemonFacts()))}
    assert not names & {"runit", "boot", "services", "phantom", "api", "wakelock"}
    assert {"python", "adapter-answers"} <= names


@pytest.mark.parametrize("width", [40, 80])
def test_the_report(width: int) -> None:
    facts = replace(HEALTHY, daemon=DaemonFacts(), phantoms="null", modes={"/s/\x1bkey": 0o644})
    text = lines(findings(facts), width=width, all_of_them=False)
    assert text[0].startswith("FAIL ")
    assert all(len(line) <= width or line.lstrip().startswith(("type:", "on the laptop:")) for line in text)
    assert all(line.isprintable() for line in text)
    assert not any(line.startswith("ok ") for line in text)
    assert "2 wrong, 1 doubtful, " in " ".join(text[-4:])
    assert "--all shows all" in " ".join(text)
    whole = lines(findings(facts), width=width, all_of_them=True)
    assert any(line.startswith("ok ") for line in whole)


def test_json() -> None:
    said = as_json(findings(replace(HEALTHY, daemon=DaemonFacts())))
    assert said["healthy"] is False
    first: Finding = Finding(**said["findings"][0])
    assert (first.name, first.level, first.command) == ("runit", "fail", "farmhand up")


def test_every_service_may_be_missing() -> None:
    """Facts of nothing but the bare machine are judged as well."""
    bare = Facts(on_phone=True, env={}, places=PLACES, wall_s=NOW)
    found = findings(bare)
    assert exit_status(found) == 1
    assert next(f.name for f in found) == "services"
