"""runit's and service-daemon's own ways (`facts/termux.md` 2.2 and 2.5), measured with the real ones: what `phone/runit.py` relies on and avoids."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest

from phone.supervisor.types import Phase
from tests.live.runit_cases import ADAPTER, start_adapter
from tests.live.termux_prefix import TermuxPrefix


def test_our_reading_is_that_of_sv(runit_phone: TermuxPrefix) -> None:
    """In each state, word by word."""
    ready = runit_phone.places.user / "ready"
    run = f'trap "sleep 2.5; exit" TERM; touch {ready}; while :; do sleep 0.1; done\n'
    runit_phone.add_service("slow", run, finish="exec sleep 2.5\n", down=True)
    runit_phone.start_daemon()

    def line(name: str) -> str:
        """Ours, which is sv's."""
        folder = runit_phone.places.service(name)
        ours, theirs = "", "none yet"
        for _ in range(20):  # a second may end between the two
            ours, theirs = runit_phone.status_line(name), runit_phone.sv("status", str(folder)).partition("; ")[0]
            if ours == theirs:
                break
        assert ours == theirs
        return re.sub(r"\d+", "N", ours.replace(str(folder), name))

    start_adapter(runit_phone)
    assert line(ADAPTER) == f"run: {ADAPTER}: (pid N) Ns, normally down"
    assert line("farmhand") == "run: farmhand: (pid N) Ns"
    assert line("farmhand-engine") == "down: farmhand-engine: Ns"
    assert runit_phone.runsv.signal(ADAPTER, "pause").ok
    runit_phone.wait_until(lambda: runit_phone.status(ADAPTER).paused, "paused")
    assert line(ADAPTER) == f"run: {ADAPTER}: (pid N) Ns, normally down, paused"
    assert runit_phone.runsv.signal(ADAPTER, "cont").ok
    runit_phone.run("sv", "up", "slow")
    runit_phone.wait_until(ready.exists, "its trap is set")
    runit_phone.run("sv", "down", "slow")
    runit_phone.wait_until(lambda: "got TERM" in runit_phone.status_line("slow"), "slow is told")
    assert line("slow") == "run: slow: (pid N) Ns, normally down, want down, got TERM"
    runit_phone.wait_until(lambda: runit_phone.status("slow").phase is Phase.FINISH, "slow finishes")
    runit_phone.wait_until(lambda: runit_phone.status("slow").pid is not None, "its finish runs")
    assert line("slow") == "finish: slow: (pid N) Ns, normally down, want down"


def test_a_new_service_is_noticed(runit_phone: TermuxPrefix) -> None:
    """Within 5 s; until then nobody looks after it, and that is no error (2.2)."""
    runit_phone.start_daemon()
    shutil.rmtree(runit_phone.prefix / "var" / "x.new", ignore_errors=True)
    runit_phone.add_service("late", "exec sleep 1000\n")
    assert runit_phone.status("late").phase is Phase.MISSING
    outcome = runit_phone.runsv.up("late")
    assert not outcome.ok and "runit does not look after" in outcome.words
    runit_phone.wait_until(lambda: runit_phone.status("late").phase is Phase.RUN, "it is noticed", 8)


def test_dot_folders_are_nobodys(runit_phone: TermuxPrefix) -> None:
    """runsvdir leaves them alone (2.2)."""
    runit_phone.add_service(".hidden", "exec sleep 1000\n")
    runit_phone.start_daemon()
    time.sleep(0.5)
    assert runit_phone.status(".hidden").phase is Phase.MISSING


def test_starting_the_daemon(runit_phone: TermuxPrefix) -> None:
    """Once, however often it is asked; without termux-services a sentence."""
    assert runit_phone.runsv.runsvdir_pid() is None
    assert runit_phone.runsv.start_runsvdir().ok
    pid = runit_phone.runsv.runsvdir_pid()
    assert pid is not None and runit_phone.runsv.start_runsvdir().ok and runit_phone.runsv.runsvdir_pid() == pid
    # Its pid file may lie: after a reboot the number is another program's, and somebody may have deleted it.
    file = runit_phone.prefix / "var" / "run" / "service-daemon.pid"
    file.write_text(f"{os.getpid()}\n")
    assert runit_phone.runsv.runsvdir_pid() == pid
    file.unlink()
    assert runit_phone.runsv.runsvdir_pid() == pid
    file.write_text(f"{pid}\n")
    runit_phone.stop_daemon()
    (runit_phone.bin / "service-daemon").unlink()
    outcome = runit_phone.runsv.start_runsvdir()
    assert not outcome.ok and "pkg install termux-services" in outcome.words


@pytest.mark.parametrize("finish", ["", "exit 0\n"], ids=["without-finish", "with-finish"])
def test_the_measured_trap_of_service_daemon(runit_phone: TermuxPrefix, finish: str) -> None:
    """`restart` gives a service 2 s (2.5). Told with `sv` first, one that needs 3 s ends in order, and the daemon is back."""
    out = runit_phone.places.user / "out"
    run = f"trap 'sleep 3; echo clean >> {out}; exit' TERM\necho up >> {out}\nwhile :; do sleep 0.1; done\n"
    runit_phone.add_service("slow", run, finish=finish)
    pid = runit_phone.start_daemon()
    runit_phone.wait_until(lambda: out.exists() and out.read_text().split() == ["up"], "it runs")
    runit_phone.run("service-daemon", "restart", limit_s=60)
    assert "clean" not in out.read_text()  # killed
    assert runit_phone.runsv.start_runsvdir().ok
    runit_phone.wait_until(lambda: out.read_text().split().count("up") == 2, "it runs again")

    outcome = runit_phone.runsv.down("slow", 10)
    assert outcome == type(outcome)(True)
    assert out.read_text().split()[-1] == "clean"
    assert runit_phone.runsv.down("farmhand", 10).ok
    assert runit_phone.run("service-daemon", "restart", limit_s=60).returncode == 0
    runit_phone.wait_until(lambda: runit_phone.runsv.runsvdir_pid() not in (None, pid), "the daemon is back")
