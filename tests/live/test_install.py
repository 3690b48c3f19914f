"""`scripts/install` and `scripts/uninstall` in a scratch prefix: real runit, the files of `termux/` as shipped, a copy of this clone.

Only `test_with_a_real_environment` sets up a virtual environment; elsewhere a stand-in counts as one.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter import configuration
from install_steps import android
from phone.places import places
from tests.live.install_phone import BarePhone, bare_phone
from tests.live.leftovers import VARIABLE, wait_gone

# A stand-in of an environment goes with an uninstall, and is not there before the real one.
VENV = (".venv",)


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[BarePhone]:
    with bare_phone(tmp_path) as found:
        yield found


@pytest.fixture
def still(tmp_path: Path) -> Iterator[BarePhone]:
    """Nothing runs."""
    with bare_phone(tmp_path, daemon=False) as found:
        yield found


def runs(phone: BarePhone, name: str = "farmhand") -> int:
    """Its pid, as soon as there is one."""
    phone.termux.wait_until(lambda: phone.termux.status(name).pid, f"{name} runs")
    return phone.termux.pid(name)


def settled(phone: BarePhone) -> None:
    """The supervisor runs, and every logger has made its files: nothing changes any more by itself."""
    pid = runs(phone)
    names = [folder.name for folder in phone.places.services.iterdir()]
    phone.termux.wait_until(lambda: all(phone.places.log(name).exists() for name in names), f"logs of {names}")
    phone.termux.wait_until(lambda: "sleep" in phone.termux.processes().get(pid, ""), "its run script is done")


def written(phone: BarePhone) -> dict[str, object]:
    """The manifest."""
    found: dict[str, object] = json.loads(phone.manifest.read_text())
    return found


# --- install, again, and away ------------------------------------------------------------------------------------


def test_twice_and_away_twice(phone: BarePhone) -> None:
    """The second installation changes nothing and says so; an uninstall leaves what was there before, and nothing else."""
    before = phone.snapshot(without=VENV)
    said = phone.install("--no-llama")
    assert "Farmhand starts now and answers at http://127.0.0.1:8888/v1" in said
    assert "scripts/farmhand-tunnel" in said
    assert max(len(line) for line in said.splitlines()) <= 80
    settled(phone)
    pid = runs(phone)
    assert oct(phone.places.state.stat().st_mode & 0o777) == "0o700"
    assert phone.places.key_file.read_text().startswith("sk-farm-")
    job = phone.termux.fake.jobs if phone.termux.fake else {}
    assert [j["script"] for j in job.values()] == [str(phone.places.prefix / "libexec" / "farmhand" / "ensure")]
    assert (phone.boot / "00-farmhand").exists()
    assert not (phone.places.user / ".shortcuts").exists(), "nobody reads them here"
    between = phone.snapshot(times=True)
    began = time.monotonic()
    assert phone.install("--no-llama") == "Nothing to do: Farmhand is in place and runs.\n"
    assert time.monotonic() - began < 5
    assert phone.install("--no-llama", "--quiet") == ""
    assert phone.snapshot(times=True) == between
    assert phone.termux.pid("farmhand") == pid
    assert "Farmhand is gone" in phone.uninstall()
    assert phone.snapshot(without=VENV) == before
    assert not (phone.root / ".venv").exists()
    assert phone.termux.fake is not None
    assert phone.termux.fake.jobs == {}
    assert phone.uninstall() == "Nothing to remove: nothing is installed here.\n"


def test_the_services_are_as_shipped_but_for_the_prefix(phone: BarePhone) -> None:
    """Text, modes, and the switches: only the supervisor starts by itself."""
    enable(phone, "proxy", "gateway")
    phone.install("--no-llama")
    runs(phone)
    shipped = phone.root / "termux" / "sv"
    for source in shipped.rglob("*"):
        if source.is_dir() or "farmhand-engine" in source.parts:
            continue
        there = phone.places.services / source.relative_to(shipped)
        assert there.read_text() == source.read_text().replace("/data/data/com.termux/files/usr", str(phone.places.prefix))
        assert there.stat().st_mode & 0o777 == (0o600 if source.name == "down" else 0o700)
    assert not (phone.places.services / "farmhand-engine").exists(), "there is an embedded engine, or none is wanted"
    assert [p.name for p in phone.places.services.iterdir() if not (p / "down").exists()] == ["farmhand"]
    env = (phone.places.prefix / "etc" / "farmhand" / "env").read_text()
    assert f"FARMHAND_ROOT='{phone.root}'\nHOME='{phone.places.user}'\nFARMHAND_HOME='{phone.places.state}'\n" in env
    assert "FARMHAND_CONFIG" not in env, "that would have to be a file that exists"


def test_on_a_fresh_termux(tmp_path: Path) -> None:
    """No termux-services, no Termux:API commands, no runsvdir: pkg brings them, and they are remembered."""
    with bare_phone(tmp_path, daemon=False) as phone:
        for package in ("termux-services", "termux-api"):
            phone.take_away(package)
        before = phone.snapshot(without=(*VENV, "service-daemon.pid"))
        said = phone.install("--no-llama")
        assert "installing with pkg: termux-services termux-api" in said
        runs(phone)
        assert written(phone)["packages"] == ["termux-services", "termux-api"]
        said = phone.uninstall()
        assert "  pkg uninstall termux-services termux-api\n" in said
        assert (phone.termux.bin / "service-daemon").exists()
        phone.stand_in()
        phone.install("--no-llama")
        assert written(phone)["packages"] == [], "they were there before"
        phone.uninstall()
        # Once more, with all of it to go.
        for package in ("termux-services", "termux-api"):
            phone.take_away(package)
        phone.stand_in()
        phone.install("--no-llama")
        phone.uninstall("--packages")
        assert phone.snapshot(without=(*VENV, "service-daemon.pid")) == before


def test_a_package_that_another_one_needs_by_now_stays(still: BarePhone) -> None:
    """`pkg uninstall` would take that one along."""
    still.take_away("termux-api")
    still.install("--no-llama", "--no-start")
    (still.tmp / "needed-by").write_text("Remv somebodys-tool [1.0]\n")
    said = still.uninstall("--packages")
    assert "The packages were left: somebodys-tool would go with them" in said
    assert (still.termux.bin / "termux-job-scheduler").exists()


def test_a_package_that_cannot_be_had(still: BarePhone) -> None:
    """The end of what pkg said, and what to type; nothing else was done."""
    still.take_away("termux-services")
    (still.tmp / "store" / "termux-services").rename(still.tmp / "elsewhere")
    done = still.script("install", "--no-llama")
    assert done.returncode == 1
    assert "E: Unable to locate package termux-services" in done.stderr
    assert "Type: pkg upgrade, then run this again" in done.stderr
    (still.tmp / "elsewhere").rename(still.tmp / "store" / "termux-services")
    still.install("--no-llama", "--no-start")


# --- a newer version --------------------------------------------------------------------------------------------


def enable(phone: BarePhone, *sections: str) -> None:
    phone.places.config.parent.mkdir(parents=True, exist_ok=True)
    phone.places.config.write_text("".join(f"[{section}]\nenabled = true\n" for section in sections))


def test_only_wanted_services_are_there(phone: BarePhone) -> None:
    """Each folder costs two processes: what the configuration does not ask for is not there, and goes when it no longer asks."""
    always = {"farmhand", "farmhand-adapter"}
    for sections, more in (((), set()), (("proxy", "gateway"), {"farmhand-litellm", "farmhand-openclaw"}), (("gateway",), {"farmhand-openclaw"})):
        enable(phone, *sections)
        phone.install("--no-llama")
        assert {path.name for path in phone.places.services.glob("farmhand*")} == always | more


def test_upgrade_in_place(phone: BarePhone) -> None:
    """What runs goes on; its files are new, obsolete ones gone, switches as a person left them."""
    shipped = phone.root / "termux"
    newer = (shipped / "sv" / "farmhand" / "run").read_text()
    (shipped / "sv" / "farmhand" / "run").write_text(newer + "# an older version\n")
    for old in ("sv/farmhand/helper", "sv/farmhand-adapter/control/t", "boot/01-older"):
        phone.termux.write(shipped / old, "#!/data/data/com.termux/files/usr/bin/sh\nexit 0\n")
    enable(phone, "proxy")
    phone.install("--no-llama")
    pid, folder = runs(phone), phone.places.service("farmhand")
    status = (folder / "supervise" / "status").stat().st_ino
    assert (folder / "run").read_text().endswith("# an older version\n")
    (phone.places.service("farmhand-litellm") / "down").unlink()  # sv-enable
    (shipped / "sv" / "farmhand" / "run").write_text(newer)
    for old in ("sv/farmhand/helper", "sv/farmhand-adapter/control/t", "boot/01-older"):
        (shipped / old).unlink()

    said = phone.install("--no-llama")
    assert "What runs is older than this clone. To run the new version: farmhand restart" in " ".join(said.split())
    assert "# an older version" not in (folder / "run").read_text()
    assert phone.termux.pid("farmhand") == pid
    assert (folder / "supervise" / "status").stat().st_ino == status
    assert not (phone.places.service("farmhand-litellm") / "down").exists()
    assert (phone.places.service("farmhand-adapter") / "down").exists()
    assert not (folder / "helper").exists()
    assert not (phone.places.service("farmhand-adapter") / "control" / "t").exists()
    assert not (phone.boot / "01-older").exists()
    assert "Nothing to do" in phone.install("--no-llama")
    phone.termux.run("sv", "term", "farmhand")
    phone.termux.wait_until(lambda: phone.termux.status("farmhand").pid not in (None, pid), "it is another one")
    assert phone.install("--no-llama") == "Nothing to do: Farmhand is in place and runs.\n"


def test_an_edited_file_is_kept_aside(phone: BarePhone) -> None:
    """An upgrade puts its own in place, but what a person wrote is not lost; nor by an uninstall."""
    phone.install("--no-llama")
    runs(phone)
    run = phone.places.service("farmhand-adapter") / "run"
    run.write_text(run.read_text() + "# mine\n")
    said = phone.install("--no-llama")
    kept = phone.places.state / "kept" / "var" / "service" / "farmhand-adapter" / "run"
    assert str(kept) in said
    assert kept.read_text().endswith("# mine\n")
    assert "# mine" not in run.read_text()
    run.with_name("control").mkdir()
    run.with_name("control").joinpath("t").write_text("theirs")
    said = phone.uninstall()
    assert f"{phone.places.state}/kept (files you had changed)" in said
    assert (kept.parent / "control" / "t").read_text() == "theirs"


def test_what_a_person_adds_to_the_environment_of_services_stays(still: BarePhone) -> None:
    """Keys of other programs are handed to the adapter there (`key = "os.environ/NAME"`)."""
    still.install("--no-llama", "--no-start")
    env = still.places.prefix / "etc" / "farmhand" / "env"
    with env.open("a") as file:
        file.write("export OLLAMA_KEY=secret\n")
    still.install("--no-llama", "--no-start", XDG_CONFIG_HOME=str(still.places.user / "cfg"))
    text = env.read_text()
    assert text.count("export OLLAMA_KEY=secret\n") == text.count("FARMHAND_ROOT=") == 1
    assert f"export XDG_CONFIG_HOME='{still.places.user}/cfg'\n" in text


def test_another_python_makes_the_environment_anew(phone: BarePhone) -> None:
    """As after `pkg upgrade`: the stamp is another Python's. The bundle is stopped for that time, and started again."""
    phone.install("--no-llama")
    pid = runs(phone)
    phone.stamp(version=(3, 10))
    (phone.root / ".venv" / "pyvenv.cfg").write_text(f"version = 3.10.1\ncommand = python -m venv {phone.root}/.venv\n")
    done = phone.script("install", "--no-llama", PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 1, "without pydantic it must not look as if all were well"
    assert "stopped while .venv is made anew" in done.stdout
    assert "Making .venv with Python" in done.stdout
    phone.termux.wait_until(lambda: phone.termux.status("farmhand").pid != pid, "it was stopped")


# --- in the way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["service", "command", "empty service", "boot script"])
def test_what_is_not_ours_is_not_overwritten(still: BarePhone, what: str) -> None:
    """Said before anything is changed, with what to type."""
    path = {
        "service": still.places.service("farmhand-adapter") / "run",
        "empty service": still.places.service("farmhand") / "notes",
        "command": still.termux.bin / "farmhand",
        "boot script": still.boot / "00-farmhand",
    }[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("somebody's")
    before = still.snapshot(times=True)
    done = still.script("install", "--no-llama")
    assert done.returncode == 1
    assert "nothing was changed, since something is in the way" in done.stderr
    assert "; mv " in done.stderr or ": mv " in done.stderr
    assert still.snapshot(times=True) == before


def test_a_lost_manifest_is_found_again(still: BarePhone) -> None:
    """The state folder was deleted by hand: what lies there as shipped is ours."""
    still.install("--no-llama", "--no-start")
    names, files = written(still)["services"], written(still)["files"]
    still.manifest.unlink()
    still.install("--no-llama", "--no-start")
    assert written(still)["services"] == names
    down = str(still.places.service("farmhand") / "down")
    assert isinstance(files, dict)
    assert written(still)["files"] == {path: known for path, known in files.items() if not path.endswith("/down")}
    assert "disabled by hand" in still.install("--no-llama"), f"nobody knows any more whose {down} is"


def test_a_damaged_manifest(still: BarePhone) -> None:
    """Named, with a remedy."""
    still.places.state.mkdir(parents=True)
    still.manifest.write_text("{")
    for script in ("install", "uninstall"):
        done = still.script(script)
        assert done.returncode == 1
        assert f"{still.manifest} is not JSON" in done.stderr


def test_one_at_a_time(still: BarePhone) -> None:
    """The second one says so, and does not wait."""
    lock = os.open(still.places.prefix, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for script in ("install", "uninstall"):
            done = still.script(script)
            assert (done.returncode, done.stdout) == (1, "")
            assert "another scripts/install or scripts/uninstall is at work here" in done.stderr
    finally:
        os.close(lock)


def test_another_state_folder_than_the_installed_one(still: BarePhone) -> None:
    """The one of the first time is remembered, whatever terminal the next call comes from."""
    state = still.places.user / "state"
    still.install("--no-llama", "--no-start", FARMHAND_HOME=str(state))
    assert (state / "key").exists()
    assert "Nothing to do" in still.install("--no-llama", "--no-start")
    assert not still.places.state.exists()
    done = still.script("install", "--no-llama", FARMHAND_HOME=str(still.places.user / "other"))
    assert done.returncode == 1
    assert f"has its state in {state}.\nType: unset FARMHAND_HOME" in done.stderr
    still.uninstall()
    assert not state.exists()


# --- interrupted ------------------------------------------------------------------------------------------------

# Kills itself right before the Nth change of any kind; 0: tells how many there are.
KILLER = """
import os, runpy, signal, sys
left, script, *arguments = sys.argv[1:]
COUNTED = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "subprocess.Popen")
seen = 0
def look(event, _):
    global seen
    if event in COUNTED:
        seen += 1
        if seen == int(left):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(look)
sys.argv = [script, *arguments]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    print(seen, file=sys.stderr)
"""


def killed_at(phone: BarePhone, number: int, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = phone.root / "scripts" / f"_{script}.py"
    return phone.termux.run(sys.executable, "-B", "-c", KILLER, str(number), path, *arguments, limit_s=60)


def changes(phone: BarePhone, script: str, *arguments: str) -> int:
    done = killed_at(phone, 0, script, *arguments)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def test_killed_at_any_moment(still: BarePhone) -> None:
    """Installing again comes to the same result, and uninstalling leaves nothing: whenever either was killed."""
    # A command's output in $TMPDIR, which Termux empties.
    apart = (*VENV, "tmp")
    before = still.snapshot(without=apart)
    count = changes(still, "install", "--no-llama", "--no-start")
    whole = still.snapshot(without=(*apart, "key"))
    count_away = changes(still, "uninstall")
    assert still.snapshot(without=apart) == before
    assert count > 40
    assert count_away > 30
    for number in range(1, count + 1, 3):
        still.stand_in()
        assert killed_at(still, number, "install", "--no-llama", "--no-start").returncode == -9
        if number % 2:
            still.install("--no-llama", "--no-start")
            assert still.snapshot(without=(*apart, "key")) == whole, f"killed at change {number} of the installation"
            assert killed_at(still, 1 + number % count_away, "uninstall").returncode == -9
        still.uninstall()
        assert still.snapshot(without=apart) == before, f"killed at change {number}"


def test_killed_in_an_upgrade_while_it_runs(phone: BarePhone) -> None:
    """A live service folder always has whole files, and the next call ends what was begun."""
    phone.install("--no-llama")
    pid = runs(phone)
    shipped = phone.root / "termux"
    for number in range(1, 12, 2):
        texts = {path: path.read_text() + f"# version {number}\n" for path in (shipped / "sv").rglob("run")}
        for path, text in texts.items():
            path.write_text(text)
        killed_at(phone, number, "install", "--no-llama")
        for path, text in texts.items():
            there = phone.places.services / path.relative_to(shipped / "sv")
            if there.exists():
                assert there.read_text().count("# version") in (text.count("# version"), text.count("# version") - 1)
        phone.install("--no-llama")
        assert f"# version {number}" in (phone.places.service("farmhand") / "run").read_text()
    assert phone.termux.pid("farmhand") == pid


# --- the embedded engine cannot be built -------------------------------------------------------------------------


def test_termux_llama_server_in_place_of_the_engine(still: BarePhone) -> None:
    """Loud, but no failure; not tried again until asked for; and all of it goes once the engine can be built."""
    before = still.snapshot(without=(*VENV, "bin"))
    said = still.install("--no-start")
    assert "! The embedded engine could not be built. To try again: sh scripts/install" in said
    assert "ninja: build stopped" in said
    service, engine_env = still.places.service("farmhand-engine"), still.places.state / "engine.env"
    assert (service / "down").exists()
    model = still.root / "adapter" / "demo" / "demo.gguf"
    assert engine_env.read_text().endswith(f"ENGINE_MODEL={model}\nENGINE_PORT=8090\n")
    settings = configuration.load({"HOME": str(still.places.user), "FARMHAND_HOME": str(still.places.state)}, config=still.places.config)
    assert [(engine.name, engine.kind) for engine in settings.engine] == [
        ("inferrlm", "inferrlm"),
        ("localllm", "localllm"),
        ("demo", "llama"),
        ("llama-server", "openai"),
    ]
    assert set(written(still)["packages"]) >= {"llama-cpp", "clang", "cmake"}  # type: ignore[call-overload]  # a list
    assert still.builds() == 1
    assert "Nothing to do" in still.install("--no-start")
    assert still.builds() == 1
    (still.tmp / "builds").touch()
    still.stand_in()
    said = still.install("--llama", "--no-start")
    assert "farmhand-engine is not needed any more" in said
    assert not service.exists()
    assert not engine_env.exists()
    assert not still.places.config.exists()
    still.uninstall()
    assert still.snapshot(without=(*VENV, "bin")) == before


def test_llama_server_runs_as_it_was_set(phone: BarePhone) -> None:
    """`engine.env` and the service's run script agree; a person's changes to it outlive an upgrade."""
    phone.install()
    runs(phone)
    phone.termux.wait_until(lambda: phone.termux.status("farmhand-engine").phase.value == "down", "its runsv is there")
    phone.termux.run("sv", "up", "farmhand-engine")
    model = phone.root / "adapter" / "demo" / "demo.gguf"
    phone.termux.wait_for_log("farmhand-engine", f"serving --model {model} --host 127.0.0.1 --port 8090\n")
    engine_env = phone.places.state / "engine.env"
    with engine_env.open("a") as file:
        file.write("ENGINE_THREADS=2\n")
    assert "Nothing to do" in phone.install()
    assert engine_env.read_text().endswith("ENGINE_THREADS=2\n")
    phone.uninstall()
    kept = phone.places.state / "kept" / "home" / ".local" / "share" / "farmhand" / "engine.env"
    assert kept.read_text().endswith("ENGINE_THREADS=2\n")


def test_a_configuration_of_ones_own_is_not_touched(still: BarePhone) -> None:
    """What to add is printed, each time until it is there."""
    config = still.places.config
    config.parent.mkdir(parents=True)
    config.write_text('[[engine]]\nname = "mine"\nkind = "echo"\n')
    said = still.install("--no-start")
    assert f"{config} is yours, so it was not touched" in " ".join(said.split())
    added = said[said.index("  [[engine]]") : said.index("8090/v1") + 8]
    assert tomllib.loads(added)["engine"] == [{"name": "llama-server", "kind": "openai", "url": "http://127.0.0.1:8090/v1"}]
    assert config.read_text() == '[[engine]]\nname = "mine"\nkind = "echo"\n'
    with config.open("a") as file:
        file.write(added)
    assert "not touched" not in still.install("--no-start")
    still.uninstall()
    assert config.exists()


def test_neither_engine_nor_llama_server(still: BarePhone) -> None:
    """Only the apps answer then; the rest is in place, and the next call tries again."""
    (still.tmp / "store" / "llama-cpp").rename(still.tmp / "elsewhere")
    said = still.install("--no-start")
    assert "Nor could Termux's llama-cpp be installed" in said
    assert "Unable to locate package llama-cpp" in said
    assert not still.places.service("farmhand-engine").exists()
    assert still.places.service("farmhand-adapter").exists()
    still.install("--no-start")
    assert still.builds() == 2


# --- starting ----------------------------------------------------------------------------------------------------


def test_no_start(phone: BarePhone) -> None:
    """Nothing runs, not even after runsvdir has found it; the next installation starts it."""
    assert "Not started. To start it now and with the phone: sh scripts/install" in phone.install("--no-llama", "--no-start")
    phone.termux.wait_until(lambda: phone.termux.status("farmhand").phase.value == "down", "runsv is there")
    phone.install("--no-llama")
    runs(phone)
    assert not (phone.places.service("farmhand") / "down").exists()
    assert written(phone)["held"] is False


def test_disabled_by_hand(phone: BarePhone) -> None:
    """`sv-disable farmhand` is a person's decision."""
    phone.install("--no-llama")
    runs(phone)
    phone.termux.run("sv-disable", "farmhand")
    phone.termux.wait_until(lambda: phone.termux.status("farmhand").phase.value == "down", "it is down")
    said = phone.install("--no-llama")
    assert "farmhand was disabled by hand, so it is not started. Type: sv-enable farmhand" in said
    assert phone.termux.status("farmhand").pid is None


def test_other_services_and_another_svdir(phone: BarePhone) -> None:
    """A user's own service is neither stopped nor touched, and where this shell looks for services does not matter."""
    phone.termux.add_service("sshd", "exec sleep 3600\n")
    pid = runs(phone, "sshd")
    phone.install("--no-llama", SVDIR=str(phone.tmp / "elsewhere"))
    runs(phone)
    phone.uninstall()
    assert phone.termux.pid("sshd") == pid
    assert phone.termux.runsv.runsvdir_pid() is not None


def test_uninstall_ends_every_process(phone: BarePhone) -> None:
    """The services with their runsv and svlogd, and the anchor."""
    enable(phone, "proxy")
    phone.install("--no-llama")
    runs(phone)
    phone.termux.run("sv", "up", "farmhand-litellm")
    anchor = phone.termux.start_task(phone.places.prefix / "libexec" / "farmhand" / "anchor")
    phone.termux.wait_until((phone.places.run / "anchor.pid").exists, "the anchor is there")
    phone.termux.wait_until(lambda: "sleep" in phone.termux.processes().get(anchor.pid, ""), "the anchor sleeps")
    phone.uninstall()
    assert anchor.wait(5) == -15
    assert [words for words in phone.termux.processes().values() if "runsvdir" not in words] == []


# --- what is a person's ------------------------------------------------------------------------------------------


def test_models_and_configuration_stay_unless_purged(still: BarePhone) -> None:
    """What is left is named, with its place."""
    still.install("--no-llama", "--no-start")
    before = still.snapshot(without=VENV)
    model = still.places.state / "models" / "big.gguf"
    model.parent.mkdir()
    model.write_text("gigabytes")
    still.places.config.parent.mkdir(parents=True)
    still.places.config.write_text("[server]\nport = 8889\n")
    said = still.uninstall()
    assert f"{model.parent} (the models)" in said
    assert f"{still.places.config} (your configuration)" in said
    assert sorted(path.name for path in still.places.state.iterdir()) == ["models"]
    assert f"What is yours is still in {still.places.state}" in still.uninstall()
    still.stand_in()
    still.install("--no-llama", "--no-start")
    still.uninstall("--purge")
    assert not still.places.state.exists()
    assert not still.places.config.exists()
    assert before


def test_purge_leaves_a_folder_of_others_alone(still: BarePhone) -> None:
    """FARMHAND_HOME may be a folder with other things in it."""
    (still.places.user / "photo.jpg").write_text("dear")
    still.install("--no-llama", "--no-start", FARMHAND_HOME=str(still.places.user))
    done = still.script("uninstall", "--purge")
    assert done.returncode == 1
    assert "holds your home, so --purge would delete that" in done.stderr
    still.uninstall()
    assert [path.name for path in still.places.user.iterdir()] == ["photo.jpg"]


def test_a_key_from_before_stays(still: BarePhone) -> None:
    """Programs have it already."""
    still.places.state.mkdir(parents=True)
    still.places.key_file.write_text("sk-farm-0123456789abcdef\n")
    still.install("--no-llama", "--no-start")
    still.uninstall()
    assert still.places.key_file.read_text() == "sk-farm-0123456789abcdef\n"


def test_what_else_is_in_the_boot_folder(still: BarePhone) -> None:
    """A folder there makes Termux:Boot skip scripts (`facts/termux.md` 1, row 5)."""
    (still.boot / "backup").mkdir(parents=True)
    (still.boot / "50-mine").write_text(". $PREFIX/etc/profile.d/start-services.sh\n")
    (still.boot / "60-harmless").write_text("echo hello\n")
    said = still.install("--no-llama", "--no-start")
    assert f"! {still.boot}/backup is a folder. Termux:Boot stops at it" in said.replace("\n  ", " ")
    assert f"  Type: mv {still.boot}/backup ~/" in said
    assert f"{still.boot}/50-mine" in said
    assert "60-harmless" not in said
    still.uninstall()
    assert sorted(path.name for path in still.boot.iterdir()) == ["50-mine", "60-harmless", "backup"]


def test_shortcuts_where_they_are_read(still: BarePhone) -> None:
    """For Termux:Widget; its folder goes again unless something else is in it."""
    still.set_apps("com.termux.boot", "com.termux.widget")
    still.install("--no-llama", "--no-start")
    folder = still.places.user / ".shortcuts"
    assert sorted(path.name for path in folder.iterdir()) == ["farmhand-restart", "farmhand-status"]
    (folder / "mine").write_text("x")
    still.uninstall()
    assert [path.name for path in folder.iterdir()] == ["mine"]


# --- Android does not answer -------------------------------------------------------------------------------------


def test_missing_apps_are_named(still: BarePhone) -> None:
    """Without Termux:API no command of it is called: each would block."""
    still.set_apps()
    said = still.install("--no-llama", "--no-start", TERMUX_API_VERSION="")
    assert "Termux:Boot is not installed" in said
    assert "Termux:API is not installed" in said
    assert still.termux.fake is not None
    assert still.termux.fake.calls() == []


def test_commands_that_never_come_back(still: BarePhone) -> None:
    """Termux:API is there and does not answer. It takes a time limit, and all is in place."""
    assert still.termux.fake is not None
    still.termux.fake.set_mode("termux-job-scheduler", "missing")
    said = still.install("--no-llama", "--no-start")
    assert "Android was not asked to start Farmhand again after a kill" in said
    assert still.places.service("farmhand").exists()
    assert still.termux.processes() == {}


def test_a_package_manager_that_hangs(still: BarePhone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither there nor missing: nobody knows, and nothing is said of it. The whole group is gone afterwards."""
    monkeypatch.setattr(android, "CALL_S", 0.3)
    monkeypatch.setenv(VARIABLE, still.termux.mark)
    monkeypatch.delenv("TERMUX_API_VERSION", raising=False)
    still.termux.command_file("pm", "sleep 3600 &\nwait\n")
    assert android.apps(still.places.prefix, ["com.termux.api", "com.termux.boot"]) == {"com.termux.api": None, "com.termux.boot": None}
    assert wait_gone(still.termux.mark) == {}


AS_ANDROID = """
import sys
sys.platform = "android"  # as Python 3.13 and later have it on a phone
import runpy
script, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def test_where_the_platform_is_called_android(still: BarePhone) -> None:
    """Installing and removing, with PREFIX as the only other sign."""
    before = still.snapshot(without=VENV)
    for script, *arguments in (("install", "--no-llama", "--no-start"), ("uninstall",)):
        path = still.root / "scripts" / f"_{script}.py"
        done = still.termux.run(sys.executable, "-B", "-c", AS_ANDROID, path, *arguments, env={"TERMUX_VERSION": ""})
        assert done.returncode == 0, done.stderr
        assert (still.snapshot(without=VENV) == before) == (script == "uninstall")


# --- rehearsals, and elsewhere ------------------------------------------------------------------------------------


def test_dry_runs_change_nothing(phone: BarePhone) -> None:
    """Neither of them, before and after."""
    before = phone.snapshot(times=True)
    said = phone.install("--dry-run", "--no-llama")
    assert "$PREFIX/var/service/farmhand-adapter" in said
    assert said.endswith("Nothing was changed.\n")
    assert phone.snapshot(times=True) == before
    phone.install("--no-llama")
    settled(phone)
    before = phone.snapshot(times=True)
    assert phone.install("--dry-run", "--no-llama") == "Nothing to do: Farmhand is in place.\n"
    said = phone.uninstall("--dry-run")
    assert str(phone.places.service("farmhand")) in said
    assert phone.snapshot(times=True) == before


@pytest.mark.parametrize(("script", "instead"), [("install", "scripts/up"), ("uninstall", "deleting the clone")])
def test_not_in_termux(still: BarePhone, script: str, instead: str) -> None:
    """One sentence."""
    before = still.snapshot(times=True)
    env = {key: value for key, value in os.environ.items() if key not in ("PREFIX", "TERMUX_VERSION")}
    done = subprocess.run(
        ["sh", still.root / "scripts" / script],
        env={**env, "PYTHON": sys.executable, "PREFIX": "/usr/local"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert instead in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert still.snapshot(times=True) == before


def test_another_clone_takes_over(still: BarePhone) -> None:
    """The folder was moved, or cloned anew: the services follow, and it is said."""
    still.install("--no-llama", "--no-start")
    moved = still.tmp / "moved"
    still.root.rename(moved)
    still.termux.places = places(still.termux.env, moved)
    still.stand_in()
    said = still.install("--no-llama", "--no-start")
    assert f"the services are those of {moved} now, no longer of {still.tmp}/clone" in " ".join(said.split())
    assert f"FARMHAND_ROOT='{moved}'\n" in (still.places.prefix / "etc" / "farmhand" / "env").read_text()
    still.uninstall()
    assert not (moved / ".venv").exists()


def test_the_address_is_the_one_of_the_configuration(still: BarePhone) -> None:
    """Also where it cannot be read: then `farmhand doctor` has something to say."""
    still.places.config.parent.mkdir(parents=True)
    still.places.config.write_text("[server]\nport = 9999\n")
    assert still.script("install", "--no-llama").returncode == 0
    (still.places.services / "farmhand" / "run").write_text("x")
    assert "answers at http://127.0.0.1:9999/v1" in still.install("--no-llama")


def test_up_installs_in_termux(phone: BarePhone) -> None:
    """And then shows the status; the services serve."""
    said = _ok(phone.script("up", "--no-llama"))
    assert "Farmhand starts now" in said
    assert said.endswith("farmhand up\nfarmhand status\n")
    runs(phone)


def _ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the true thing ----------------------------------------------------------------------------------------------


def test_with_a_real_environment(tmp_path: Path) -> None:
    """Fresh clone, real pip: the command works from Termux's PATH, a new Python minor makes the environment anew, `scripts/up` serves, and
    all of it goes."""
    with bare_phone(tmp_path, stand_in=False, daemon=False) as phone:
        phone.places.config.parent.mkdir(parents=True)
        phone.places.config.write_text(f'[server]\nport = {phone.termux.port}\n[[engine]]\nname = "e"\nkind = "echo"\n')
        before = phone.snapshot()
        said = phone.install("--no-llama", "--no-start")
        assert "Making .venv with Python" in said
        done = phone.termux.run("farmhand", "--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("farmhand 0.")
        cfg = phone.root / ".venv" / "pyvenv.cfg"
        assert "include-system-site-packages = true" in cfg.read_text()
        now = f"{sys.version_info.major}.{sys.version_info.minor}."
        cfg.write_text(cfg.read_text().replace(f"version = {now}", "version = 3.10."))
        phone.stamp(version=(3, 10))
        said = phone.install("--no-llama", "--no-start")
        assert "made by another Python" in said
        assert f"version = {now}" in cfg.read_text()
        assert "Nothing to do" in phone.install("--no-llama", "--no-start")
        _serve_and_answer(phone)
        said = phone.uninstall()
        after = phone.snapshot()
        cache = [path for path in after if path.startswith("com.termux/home/.cache")]
        assert f"Left: {phone.places.user}/.cache/pip, where pip keeps" in said
        left = {path: seen for path, seen in after.items() if path not in cache}
        # runit itself goes on: it is termux-services' own.
        assert sorted(set(left) ^ set(before)) == ["com.termux/usr/var/run/service-daemon.pid"]
        assert {path: left[path] for path in before} == before


def _serve_and_answer(phone: BarePhone) -> None:
    """The README's command on a phone, and what a new user does next."""
    said = _ok(phone.script("up", "--no-llama"))
    assert "The bundle is ready." in said
    assert f"http://127.0.0.1:{phone.termux.port}/v1" in said
    assert f"Farmhand at http://127.0.0.1:{phone.termux.port}/v1 is ready." in said
    key = phone.places.key_file.read_text().strip()
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello there"}]})
    request = urllib.request.Request(
        f"http://127.0.0.1:{phone.termux.port}/v1/chat/completions",
        body.encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert "hello there" in json.load(answer)["choices"][0]["message"]["content"]
    doctor = phone.termux.run("farmhand", "doctor")
    assert (doctor.returncode, doctor.stderr) == (0, ""), doctor.stdout
