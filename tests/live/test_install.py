"""`scripts/install` and `scripts/uninstall` in a scratch prefix: real runit, the files of `termux/` as shipped, a copy of this clone.

Only `test_with_a_real_environment` sets up a virtual environment; elsewhere a stand-in counts as one. The other `test_install_*.py`: upgrades,
kills, what is in the way, the engine's stand-in, what is a person's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from phone.places import places
from tests.live.install_phone import VENV, BarePhone, bare_phone, enable, runs, settled, written

# --- install, again, and away ------------------------------------------------------------------------------------


def test_twice_and_away_twice(new_phone: BarePhone) -> None:
    """The second installation changes nothing and says so; an uninstall leaves what was there before, and nothing else."""
    before = new_phone.snapshot(without=VENV)
    said = new_phone.install("--no-llama")
    assert "Farmhand starts now and answers at http://127.0.0.1:8888/v1" in said
    assert "scripts/farmhand-tunnel" in said
    assert max(len(line) for line in said.splitlines()) <= 80
    settled(new_phone)
    pid = runs(new_phone)
    assert oct(new_phone.places.state.stat().st_mode & 0o777) == "0o700"
    assert new_phone.places.key_file.read_text().startswith("sk-farm-")
    job = new_phone.termux.fake.jobs if new_phone.termux.fake else {}
    assert [j["script"] for j in job.values()] == [str(new_phone.places.prefix / "libexec" / "farmhand" / "ensure")]
    assert (new_phone.boot / "00-farmhand").exists()
    assert not (new_phone.places.user / ".shortcuts").exists(), "nobody reads them here"
    between = new_phone.snapshot(times=True)
    began = time.monotonic()
    assert new_phone.install("--no-llama") == "Nothing to do: Farmhand is in place and runs.\n"
    assert time.monotonic() - began < 5
    assert new_phone.install("--no-llama", "--quiet") == ""
    assert new_phone.snapshot(times=True) == between
    assert new_phone.termux.pid("farmhand") == pid
    assert "Farmhand is gone" in new_phone.uninstall()
    assert new_phone.snapshot(without=VENV) == before
    assert not (new_phone.root / ".venv").exists()
    assert new_phone.termux.fake is not None
    assert new_phone.termux.fake.jobs == {}
    assert new_phone.uninstall() == "Nothing to remove: nothing is installed here.\n"


def test_the_services_are_as_shipped_but_for_the_prefix(new_phone: BarePhone) -> None:
    """Text, modes, and the switches: only the supervisor starts by itself."""
    enable(new_phone, "proxy", "gateway")
    new_phone.install("--no-llama")
    runs(new_phone)
    shipped = new_phone.root / "termux" / "sv"
    for source in shipped.rglob("*"):
        if source.is_dir() or "farmhand-engine" in source.parts:
            continue
        there = new_phone.places.services / source.relative_to(shipped)
        assert there.read_text() == source.read_text().replace("/data/data/com.termux/files/usr", str(new_phone.places.prefix))
        assert there.stat().st_mode & 0o777 == (0o600 if source.name == "down" else 0o700)
    assert not (new_phone.places.services / "farmhand-engine").exists(), "there is an embedded engine, or none is wanted"
    assert [p.name for p in new_phone.places.services.iterdir() if not (p / "down").exists()] == ["farmhand"]
    env = (new_phone.places.prefix / "etc" / "farmhand" / "env").read_text()
    assert f"FARMHAND_ROOT='{new_phone.root}'\nHOME='{new_phone.places.user}'\nFARMHAND_HOME='{new_phone.places.state}'\n" in env
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


def test_a_package_that_another_one_needs_by_now_stays(still_phone: BarePhone) -> None:
    """`pkg uninstall` would take that one along."""
    still_phone.take_away("termux-api")
    still_phone.install("--no-llama", "--no-start")
    (still_phone.tmp / "needed-by").write_text("Remv somebodys-tool [1.0]\n")
    said = still_phone.uninstall("--packages")
    assert "The packages were left: somebodys-tool would go with them" in said
    assert (still_phone.termux.bin / "termux-job-scheduler").exists()


def test_a_package_that_cannot_be_had(still_phone: BarePhone) -> None:
    """The end of what pkg said, and what to type; nothing else was done."""
    still_phone.take_away("termux-services")
    (still_phone.tmp / "store" / "termux-services").rename(still_phone.tmp / "elsewhere")
    done = still_phone.script("install", "--no-llama")
    assert done.returncode == 1
    assert "E: Unable to locate package termux-services" in done.stderr
    assert "Type: pkg upgrade, then run this again" in done.stderr
    (still_phone.tmp / "elsewhere").rename(still_phone.tmp / "store" / "termux-services")
    still_phone.install("--no-llama", "--no-start")


# --- starting ----------------------------------------------------------------------------------------------------


def test_no_start(new_phone: BarePhone) -> None:
    """Nothing runs, not even after runsvdir has found it; the next installation starts it."""
    assert "Not started. To start it now and with the phone: sh scripts/install" in new_phone.install("--no-llama", "--no-start")
    new_phone.termux.wait_until(lambda: new_phone.termux.status("farmhand").phase.value == "down", "runsv is there")
    new_phone.install("--no-llama")
    runs(new_phone)
    assert not (new_phone.places.service("farmhand") / "down").exists()
    assert written(new_phone)["held"] is False


def test_disabled_by_hand(new_phone: BarePhone) -> None:
    """`sv-disable farmhand` is a person's decision."""
    new_phone.install("--no-llama")
    runs(new_phone)
    new_phone.termux.run("sv-disable", "farmhand")
    new_phone.termux.wait_until(lambda: new_phone.termux.status("farmhand").phase.value == "down", "it is down")
    said = new_phone.install("--no-llama")
    assert "farmhand was disabled by hand, so it is not started. Type: sv-enable farmhand" in said
    assert new_phone.termux.status("farmhand").pid is None


def test_other_services_and_another_svdir(new_phone: BarePhone) -> None:
    """A user's own service is neither stopped nor touched, and where this shell looks for services does not matter."""
    new_phone.termux.add_service("sshd", "exec sleep 3600\n")
    pid = runs(new_phone, "sshd")
    new_phone.install("--no-llama", SVDIR=str(new_phone.tmp / "elsewhere"))
    runs(new_phone)
    new_phone.uninstall()
    assert new_phone.termux.pid("sshd") == pid
    assert new_phone.termux.runsv.runsvdir_pid() is not None


def test_uninstall_ends_every_process(new_phone: BarePhone) -> None:
    """The services with their runsv and svlogd, and the anchor."""
    enable(new_phone, "proxy")
    new_phone.install("--no-llama")
    runs(new_phone)
    new_phone.termux.run("sv", "up", "farmhand-litellm")
    anchor = new_phone.termux.start_task(new_phone.places.prefix / "libexec" / "farmhand" / "anchor")
    new_phone.termux.wait_until((new_phone.places.run / "anchor.pid").exists, "the anchor is there")
    new_phone.termux.wait_until(lambda: "sleep" in new_phone.termux.processes().get(anchor.pid, ""), "the anchor sleeps")
    new_phone.uninstall()
    assert anchor.wait(5) == -15
    assert [words for words in new_phone.termux.processes().values() if "runsvdir" not in words] == []


# --- rehearsals, and elsewhere ------------------------------------------------------------------------------------


def test_dry_runs_change_nothing(new_phone: BarePhone) -> None:
    """Neither of them, before and after."""
    before = new_phone.snapshot(times=True)
    said = new_phone.install("--dry-run", "--no-llama")
    assert "$PREFIX/var/service/farmhand-adapter" in said
    assert said.endswith("Nothing was changed.\n")
    assert new_phone.snapshot(times=True) == before
    new_phone.install("--no-llama")
    settled(new_phone)
    before = new_phone.snapshot(times=True)
    assert new_phone.install("--dry-run", "--no-llama") == "Nothing to do: Farmhand is in place.\n"
    said = new_phone.uninstall("--dry-run")
    assert str(new_phone.places.service("farmhand")) in said
    assert new_phone.snapshot(times=True) == before


@pytest.mark.parametrize(("script", "instead"), [("install", "scripts/up"), ("uninstall", "deleting the clone")])
def test_not_in_termux(still_phone: BarePhone, script: str, instead: str) -> None:
    """One sentence."""
    before = still_phone.snapshot(times=True)
    env = {key: value for key, value in os.environ.items() if key not in ("PREFIX", "TERMUX_VERSION")}
    done = subprocess.run(
        ["sh", still_phone.root / "scripts" / script],
        env={**env, "PYTHON": sys.executable, "PREFIX": "/usr/local"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert instead in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert still_phone.snapshot(times=True) == before


def test_another_clone_takes_over(still_phone: BarePhone) -> None:
    """The folder was moved, or cloned anew: the services follow, and it is said."""
    still_phone.install("--no-llama", "--no-start")
    moved = still_phone.tmp / "moved"
    still_phone.root.rename(moved)
    still_phone.termux.places = places(still_phone.termux.env, moved)
    still_phone.stand_in()
    said = still_phone.install("--no-llama", "--no-start")
    assert f"the services are those of {moved} now, no longer of {still_phone.tmp}/clone" in " ".join(said.split())
    assert f"FARMHAND_ROOT='{moved}'\n" in (still_phone.places.prefix / "etc" / "farmhand" / "env").read_text()
    still_phone.uninstall()
    assert not (moved / ".venv").exists()


def test_the_address_is_the_one_of_the_configuration(still_phone: BarePhone) -> None:
    """Also where it cannot be read: then `farmhand doctor` has something to say."""
    still_phone.places.config.parent.mkdir(parents=True)
    still_phone.places.config.write_text("[server]\nport = 9999\n")
    assert still_phone.script("install", "--no-llama").returncode == 0
    (still_phone.places.services / "farmhand" / "run").write_text("x")
    assert "answers at http://127.0.0.1:9999/v1" in still_phone.install("--no-llama")


def test_up_installs_in_termux(new_phone: BarePhone) -> None:
    """And then shows the status; the services serve."""
    said = _ok(new_phone.script("up", "--no-llama"))
    assert "Farmhand starts now" in said
    assert said.endswith("farmhand up\nfarmhand status\n")
    runs(new_phone)


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
