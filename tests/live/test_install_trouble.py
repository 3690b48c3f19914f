"""`scripts/install` and `scripts/uninstall` with something in their way: files of others, lost or damaged manifests, an Android that is silent."""

from __future__ import annotations

import fcntl
import os
import sys

import pytest

from install_steps import android
from tests.live.install_phone import VENV, BarePhone, written
from tests.live.leftovers import VARIABLE, wait_gone

# --- in the way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["service", "command", "empty service", "boot script"])
def test_what_is_not_ours_is_not_overwritten(still_phone: BarePhone, what: str) -> None:
    """Said before anything is changed, with what to type."""
    path = {
        "service": still_phone.places.service("farmhand-adapter") / "run",
        "empty service": still_phone.places.service("farmhand") / "notes",
        "command": still_phone.termux.bin / "farmhand",
        "boot script": still_phone.boot / "00-farmhand",
    }[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("somebody's")
    before = still_phone.snapshot(times=True)
    done = still_phone.script("install", "--no-llama")
    assert done.returncode == 1
    assert "nothing was changed, since something is in the way" in done.stderr
    assert "; mv " in done.stderr or ": mv " in done.stderr
    assert still_phone.snapshot(times=True) == before


def test_a_lost_manifest_is_found_again(still_phone: BarePhone) -> None:
    """The state folder was deleted by hand: what lies there as shipped is ours."""
    still_phone.install("--no-llama", "--no-start")
    names, files = written(still_phone)["services"], written(still_phone)["files"]
    still_phone.manifest.unlink()
    still_phone.install("--no-llama", "--no-start")
    assert written(still_phone)["services"] == names
    down = str(still_phone.places.service("farmhand") / "down")
    assert isinstance(files, dict)
    assert written(still_phone)["files"] == {path: known for path, known in files.items() if not path.endswith("/down")}
    assert "disabled by hand" in still_phone.install("--no-llama"), f"nobody knows any more whose {down} is"


def test_a_damaged_manifest(still_phone: BarePhone) -> None:
    """Named, with a remedy."""
    still_phone.places.state.mkdir(parents=True)
    still_phone.manifest.write_text("{")
    for script in ("install", "uninstall"):
        done = still_phone.script(script)
        assert done.returncode == 1
        assert f"{still_phone.manifest} is not JSON" in done.stderr


def test_one_at_a_time(still_phone: BarePhone) -> None:
    """The second one says so, and does not wait."""
    lock = os.open(still_phone.places.prefix, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for script in ("install", "uninstall"):
            done = still_phone.script(script)
            assert (done.returncode, done.stdout) == (1, "")
            assert "another scripts/install or scripts/uninstall is at work here" in done.stderr
    finally:
        os.close(lock)


def test_another_state_folder_than_the_installed_one(still_phone: BarePhone) -> None:
    """The one of the first time is remembered, whatever terminal the next call comes from."""
    state = still_phone.places.user / "state"
    still_phone.install("--no-llama", "--no-start", FARMHAND_HOME=str(state))
    assert (state / "key").exists()
    assert "Nothing to do" in still_phone.install("--no-llama", "--no-start")
    assert not still_phone.places.state.exists()
    done = still_phone.script("install", "--no-llama", FARMHAND_HOME=str(still_phone.places.user / "other"))
    assert done.returncode == 1
    assert f"has its state in {state}.\nType: unset FARMHAND_HOME" in done.stderr
    still_phone.uninstall()
    assert not state.exists()


# --- Android does not answer -------------------------------------------------------------------------------------


def test_missing_apps_are_named(still_phone: BarePhone) -> None:
    """Without Termux:API no command of it is called: each would block."""
    still_phone.set_apps()
    said = still_phone.install("--no-llama", "--no-start", TERMUX_API_VERSION="")
    assert "Termux:Boot is not installed" in said
    assert "Termux:API is not installed" in said
    assert still_phone.termux.fake is not None
    assert still_phone.termux.fake.calls() == []


def test_commands_that_never_come_back(still_phone: BarePhone) -> None:
    """Termux:API is there and does not answer. It takes a time limit, and all is in place."""
    assert still_phone.termux.fake is not None
    still_phone.termux.fake.set_mode("termux-job-scheduler", "missing")
    said = still_phone.install("--no-llama", "--no-start")
    assert "Android was not asked to start Farmhand again after a kill" in said
    assert still_phone.places.service("farmhand").exists()
    assert still_phone.termux.processes() == {}


def test_a_package_manager_that_hangs(still_phone: BarePhone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither there nor missing: nobody knows, and nothing is said of it. The whole group is gone afterwards."""
    monkeypatch.setattr(android, "CALL_S", 0.3)
    monkeypatch.setenv(VARIABLE, still_phone.termux.mark)
    monkeypatch.delenv("TERMUX_API_VERSION", raising=False)
    still_phone.termux.command_file("pm", "sleep 3600 &\nwait\n")
    assert android.apps(still_phone.places.prefix, ["com.termux.api", "com.termux.boot"]) == {"com.termux.api": None, "com.termux.boot": None}
    assert wait_gone(still_phone.termux.mark) == {}


AS_ANDROID = """
import sys
sys.platform = "android"  # as Python 3.13 and later have it on a phone
import runpy
script, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def test_where_the_platform_is_called_android(still_phone: BarePhone) -> None:
    """Installing and removing, with PREFIX as the only other sign."""
    before = still_phone.snapshot(without=VENV)
    for script, *arguments in (("install", "--no-llama", "--no-start"), ("uninstall",)):
        path = still_phone.root / "scripts" / f"_{script}.py"
        done = still_phone.termux.run(sys.executable, "-B", "-c", AS_ANDROID, path, *arguments, env={"TERMUX_VERSION": ""})
        assert done.returncode == 0, done.stderr
        assert (still_phone.snapshot(without=VENV) == before) == (script == "uninstall")
