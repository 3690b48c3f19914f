"""`scripts/install` and `scripts/uninstall` killed before any of their changes: the next call ends what was begun."""

from __future__ import annotations

import subprocess
import sys

from tests.live.install_phone import VENV, BarePhone, runs

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


def test_killed_at_any_moment(still_phone: BarePhone) -> None:
    """Installing again comes to the same result, and uninstalling leaves nothing: whenever either was killed."""
    # A command's output in $TMPDIR, which Termux empties.
    apart = (*VENV, "tmp")
    before = still_phone.snapshot(without=apart)
    count = changes(still_phone, "install", "--no-llama", "--no-start")
    whole = still_phone.snapshot(without=(*apart, "key"))
    count_away = changes(still_phone, "uninstall")
    assert still_phone.snapshot(without=apart) == before
    assert count > 40
    assert count_away > 30
    for number in range(1, count + 1, 3):
        still_phone.stand_in()
        assert killed_at(still_phone, number, "install", "--no-llama", "--no-start").returncode == -9
        if number % 2:
            still_phone.install("--no-llama", "--no-start")
            assert still_phone.snapshot(without=(*apart, "key")) == whole, f"killed at change {number} of the installation"
            assert killed_at(still_phone, 1 + number % count_away, "uninstall").returncode == -9
        still_phone.uninstall()
        assert still_phone.snapshot(without=apart) == before, f"killed at change {number}"


def test_killed_in_an_upgrade_while_it_runs(new_phone: BarePhone) -> None:
    """A live service folder always has whole files, and the next call ends what was begun."""
    new_phone.install("--no-llama")
    pid = runs(new_phone)
    shipped = new_phone.root / "termux"
    for number in range(1, 12, 2):
        texts = {path: path.read_text() + f"# version {number}\n" for path in (shipped / "sv").rglob("run")}
        for path, text in texts.items():
            path.write_text(text)
        killed_at(new_phone, number, "install", "--no-llama")
        for path, text in texts.items():
            there = new_phone.places.services / path.relative_to(shipped / "sv")
            if there.exists():
                assert there.read_text().count("# version") in (text.count("# version"), text.count("# version") - 1)
        new_phone.install("--no-llama")
        assert f"# version {number}" in (new_phone.places.service("farmhand") / "run").read_text()
    assert new_phone.termux.pid("farmhand") == pid
