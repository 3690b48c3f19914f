"""What `farmhand doctor` makes of what it is shown: a table of everything that breaks (`facts/termux.md` 2 to 11)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phone.device import Battery, Device
from phone.doctor.facts import BootFacts, Facts, PythonFacts, ServiceFacts
from phone.doctor.finding import Finding, Level, Where
from phone.doctor.report import as_json, exit_status, findings, lines
from phone.places import places
from phone.settings import GatewaySettings, PhoneSettings, ProxySettings, Server
from phone.supervisor.published import Published, PublishedService
from phone.supervisor.types import SUPERVISOR, Exit, Phase, Runit

NOW = 1_800_000_000.0
PLACES = places({}, Path("/clone"))
SCRIPTS = {"run": "", "finish": "", "check": "", "log/run": ""}
RUNS = ServiceFacts(True, False, Runit(Phase.RUN, 400, True), SCRIPTS, log_age_s=3.0)
DOWN = ServiceFacts(True, True, Runit(Phase.DOWN), SCRIPTS)
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
    runsvdir_pid=300,
    services={SUPERVISOR: RUNS, "farmhand-adapter": replace(RUNS, has_down=True), "farmhand-litellm": DOWN},
    published=PUBLISHED,
    supervisor_lives=True,
    boot=BootFacts(exists=True),
    apps={"com.termux.boot": True, "com.termux.api": True},
    api_asked=True,
    device=Device(Battery(80.0, 30.0, True), 3 << 30, 8 << 30, 0.9),
    affinity=8,
    cores=8,
    own_processes=9,
    phantoms="false",
    python=PythonFacts("android", "3.14", "3.14", imports={"aiohttp": "", "pydantic": "", "llama_cpp": "", "numpy": ""}),
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


def test_a_healthy_phone() -> None:
    found = findings(HEALTHY)
    assert exit_status(found) == 0
    assert {f.level for f in found} == {Level.OK, Level.ASK}
    assert [f.name for f in found if f.level is Level.ASK] == ["doze", "wakelock-held"]


# What is shown, the level, a piece of the sentence, a piece of what to type, and where.
TROUBLES: list[tuple[str, Facts, Level, str, str, Where]] = [
    ("2.1 not installed", replace(HEALTHY, services={}), Level.FAIL, "not installed", "sh scripts/install", Where.PHONE),
    ("2.1 down", with_service(SUPERVISOR, has_down=True), Level.FAIL, "switched off", "sv-enable farmhand", Where.PHONE),
    ("2.1 down lost", with_service("farmhand-litellm", has_down=False), Level.WARN, "lost its file 'down'", "touch ", Where.PHONE),
    ("2.2 supervisor down", replace(HEALTHY, supervisor_lives=False, services={**HEALTHY.services, SUPERVISOR: DOWN}), Level.FAIL, "not running", "farmhand up", Where.PHONE),
    ("2.2 supervisor loops", replace(HEALTHY, supervisor_lives=False), Level.FAIL, "does not stay up", "farmhand logs supervisor", Where.PHONE),
    ("2.3 mode", with_service(SUPERVISOR, scripts={"run": "is not executable"}), Level.FAIL, "farmhand/run is not executable", "sh scripts/install", Where.PHONE),
    ("2.3 shebang", with_service("farmhand-adapter", scripts={"log/run": "does not begin with #!/x"}), Level.FAIL, "log/run does not begin", "sh scripts/install", Where.PHONE),
    ("2.4 no log", with_service(SUPERVISOR, log_age_s=None), Level.FAIL, "There is no log", "/log", Where.PHONE),
    ("2.6 no runit", replace(HEALTHY, runsvdir_pid=None), Level.FAIL, "runit is not running", "farmhand up", Where.PHONE),
    ("3 no boot script", replace(HEALTHY, boot=BootFacts()), Level.FAIL, "no boot script", "sh scripts/install", Where.PHONE),
    ("3 broken boot script", replace(HEALTHY, boot=BootFacts(True, "cannot be read (x)")), Level.FAIL, "The boot script cannot be read", "sh scripts/install", Where.PHONE),
    ("1.5 folder in boot", replace(HEALTHY, boot=BootFacts(True, folders=("old",))), Level.FAIL, "boot/old is a folder", "mv ", Where.PHONE),
    ("1.4 source in sh", replace(HEALTHY, boot=BootFacts(True, sourcing=("my",))), Level.WARN, "says 'source'", "sed -i", Where.PHONE),
    ("1.6 started twice", replace(HEALTHY, boot=BootFacts(True, starters=("svc",))), Level.WARN, "starts runit as well", "rm ", Where.PHONE),
    ("3 no Termux:Boot", replace(HEALTHY, apps={"com.termux.boot": False}), Level.FAIL, "Termux:Boot is not installed", "F-Droid", Where.SETTINGS),
    ("5.1 no Termux:API", replace(HEALTHY, apps={"com.termux.api": False}), Level.FAIL, "Termux:API is not installed", "F-Droid", Where.SETTINGS),
    ("5.1 it hangs", replace(HEALTHY, api="Termux:API does not answer within 8 s"), Level.WARN, "does not answer", "pkg install termux-api", Where.PHONE),
    ("4.1 state in TMPDIR", replace(HEALTHY, places=replace(PLACES, state=PLACES.prefix / "tmp" / "f")), Level.FAIL, "is in TMPDIR", "FARMHAND_HOME", Where.PHONE),
    ("4.2 phantom killer on", replace(HEALTHY, phantoms="null"), Level.WARN, "phantom process killer is on", "monitor_phantom_procs false", Where.LAPTOP),
    ("4.2 not to be seen", replace(HEALTHY, phantoms=""), Level.ASK, "cannot be seen from here", "adb shell settings get", Where.LAPTOP),
    ("4.2 many processes", replace(HEALTHY, own_processes=30), Level.WARN, "30 processes", "ps", Where.PHONE),
    ("4.2 killed", ended(Exit(NOW - 60, -1, 9, 2 << 20)), Level.WARN, "ended once in the last day; the last time it was killed (SIGKILL)", "adb shell settings put", Where.PHONE),
    ("4.4 low memory", ended(Exit(NOW - 60, -1, 9, 90_000)), Level.WARN, "low-memory killer", "farmhand logs adapter", Where.PHONE),
    ("4.4 little memory", replace(HEALTHY, device=replace(HEALTHY.device, available_bytes=200 << 20)), Level.WARN, "Only 200 MiB", "models suggest", Where.PHONE),
    ("4.6 Play Store", replace(HEALTHY, env={"TERMUX_APK_RELEASE": "GOOGLE_PLAY_STORE"}), Level.FAIL, "Play Store", "F-Droid", Where.SETTINGS),
    ("5.2 battery", replace(HEALTHY, device=replace(HEALTHY.device, battery=Battery(health="OVERHEAT"))), Level.WARN, "OVERHEAT", "unplug", Where.PHONE),
    ("6 cpuset", replace(HEALTHY, affinity=4, cpuset="/background"), Level.WARN, "Only 4 of 8 cores may be used here (cpuset /background)", "farmhand restart", Where.PHONE),
    ("6 clock", replace(HEALTHY, device=replace(HEALTHY.device, big_clock=None)), Level.ASK, "clock of the big cores", "cpufreq", Where.PHONE),
    ("7.1 other Python", with_python(version="3.15"), Level.FAIL, ".venv was made by Python 3.14, and this is 3.15", "sh scripts/install", Where.PHONE),
    ("7.1 broken venv", with_python(broken="its Python does not start"), Level.FAIL, "does not work: its Python does not start", "sh scripts/install", Where.PHONE),
    ("7.1 platform", with_python(platform="ios"), Level.WARN, "'ios'", "--first-device", Where.PHONE),
    ("7.2 aiohttp", with_python(imports={"aiohttp": "ImportError: x"}), Level.FAIL, "aiohttp does not load: ImportError: x", "sh scripts/install", Where.PHONE),
    ("8.1 no engine", with_python(imports={"llama_cpp": "RuntimeError: Unsupported platform"}), Level.WARN, "llama_cpp does not load", "sh scripts/install", Where.PHONE),
    ("1.9 API level", replace(HEALTHY, env={"ANDROID_API_LEVEL": "36"}), Level.WARN, "ANDROID_API_LEVEL is 36", "=24", Where.PHONE),
    ("8.1 illegal instruction", ended(Exit(NOW - 60, -1, 4)), Level.WARN, "SIGILL", "farmhand logs adapter", Where.PHONE),
    ("10 no key", replace(HEALTHY, auth_required=False), Level.WARN, "any app on the phone", "config.toml", Where.PHONE),
    ("10 open host", replace(HEALTHY, settings=on(server=Server(host="0.0.0.0"))), Level.WARN, "beyond this phone", "127.0.0.1", Where.PHONE),
    ("10 readable key", replace(HEALTHY, modes={"/s/key": 0o644}), Level.FAIL, "/s/key can be read by others (mode 644)", "chmod go-rwx /s/key", Where.PHONE),
    ("11 no openclaw", replace(HEALTHY, settings=on(gateway=GatewaySettings(enabled=True))), Level.FAIL, "no program 'openclaw'", "farmhand logs openclaw", Where.PHONE),
    ("11 no litellm", replace(HEALTHY, settings=on(proxy=ProxySettings(enabled=True))), Level.FAIL, "no program 'litellm'", "farmhand logs litellm", Where.PHONE),
    ("config", replace(HEALTHY, settings=None, config_problem="c.toml: unknown key"), Level.FAIL, "unknown key", "edit ", Where.PHONE),
    ("given up", with_state("adapter", "given up", "ended with status 1"), Level.FAIL, "adapter is given up: it ended with status 1", "farmhand restart", Where.PHONE),
    ("backing off", with_state("litellm", "backing off", "crashed"), Level.WARN, "litellm is backing off", "farmhand logs litellm", Where.PHONE),
    ("missing", with_state("litellm", "missing", ""), Level.FAIL, "litellm is wanted", "sh scripts/install", Where.PHONE),
    ("paused", replace(HEALTHY, paused_words="Somebody has paused the engines."), Level.WARN, "paused", "farmhand resume", Where.PHONE),
    ("no adapter", replace(HEALTHY, adapter=None, adapter_words="Nobody answers"), Level.FAIL, "Nobody answers", "farmhand logs adapter", Where.PHONE),
    ("adapter unknown", replace(HEALTHY, adapter={"status": "unknown", "detail": "no such key"}), Level.FAIL, "no such key", "farmhand logs adapter", Where.PHONE),
    ("no engine ready", replace(HEALTHY, adapter={"status": "not ready"}), Level.FAIL, "no engine is ready", "farmhand status", Where.PHONE),
    ("engine not ready", with_engine(ready=False, detail="open the app"), Level.WARN, "inferrlm is not ready: open the app", "farmhand status", Where.PHONE),
    ("one-line answers", with_engine(ready=True, detail="answers end at their first line break"), Level.WARN, "first line break", "line_marks", Where.PHONE),
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
    names = {f.name for f in findings(replace(HEALTHY, on_phone=False, services={}, runsvdir_pid=None))}
    assert not names & {"runit", "boot", "services", "phantom", "api", "wakelock"}
    assert {"python", "adapter-answers"} <= names


@pytest.mark.parametrize("width", [40, 80])
def test_the_report(width: int) -> None:
    facts = replace(HEALTHY, runsvdir_pid=None, phantoms="null", modes={"/s/\x1bkey": 0o644})
    text = lines(findings(facts), width=width, all_of_them=False)
    assert text[0].startswith("FAIL ")
    assert all(len(line) <= width or line.lstrip().startswith(("type:", "on the laptop:", "do:")) for line in text)
    assert all(line.isprintable() for line in text)
    assert not any(line.startswith("ok ") for line in text)
    assert "2 wrong, 1 doubtful, " in " ".join(text[-3:])
    assert "--all shows them" in " ".join(text)
    whole = lines(findings(facts), width=width, all_of_them=True)
    assert any(line.startswith("ok ") for line in whole)


def test_json() -> None:
    said = as_json(findings(replace(HEALTHY, runsvdir_pid=None)))
    assert said["healthy"] is False
    first: Finding = Finding(**said["findings"][0])
    assert (first.name, first.level, first.command) == ("runit", "fail", "farmhand up")


def test_every_service_may_be_missing() -> None:
    """Facts of nothing but the bare machine are judged as well."""
    bare = Facts(on_phone=True, env={}, places=PLACES, wall_s=NOW)
    found = findings(bare)
    assert exit_status(found) == 1
    assert next(f.name for f in found) == "services"
