"""What Android starts: the boot script, the job that looks after it, the anchor; and the command and shortcuts that a person starts."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from phone.supervisor.types import Phase
from tests.live.runit_cases import ADAPTER, start_adapter
from tests.live.termux_prefix import TermuxPrefix


def test_boot(runit_phone: TermuxPrefix) -> None:
    """After the first unlock: wake lock, services, and a task that stays, so that Termux does too without a lock."""
    fake = runit_phone.fake
    assert fake is not None
    (task,) = runit_phone.boot()
    runit_phone.wait_for_log("farmhand", "program -u -m phone supervise")
    runit_phone.wait_until(lambda: (runit_phone.places.run / "anchor.pid").exists(), "the anchor")
    assert fake.locked
    assert int((runit_phone.places.run / "anchor.pid").read_text()) == task.pid
    runit_phone.wait_until(lambda: Path(f"/proc/{task.pid}/comm").read_text() == "sleep\n", "it sleeps")
    at_s, lock, uptime = (runit_phone.places.run / "ensured-by-boot").read_text().split()
    assert abs(int(at_s) - time.time()) < 30 and lock == "0" and float(uptime) > 0
    # The job that looks after it finds all in order: no wake lock, no second anchor.
    calls = len(fake.calls())
    job = runit_phone.start_task(runit_phone.prefix / "libexec" / "farmhand" / "ensure")
    assert job.wait(10) == 0
    assert len(fake.calls()) == calls
    task.send_signal(signal.SIGTERM)
    task.wait(5)
    # Without its anchor, the next one becomes it.
    job = runit_phone.start_task(runit_phone.prefix / "libexec" / "farmhand" / "ensure")
    runit_phone.wait_until(lambda: (runit_phone.places.run / "anchor.pid").read_text() == f"{job.pid}\n", "the next anchor")


def test_a_folder_in_the_boot_folder(runit_phone: TermuxPrefix) -> None:
    """It ends the receiver in silence (3): `doctor` has to find it. One that sorts after ours does no harm."""
    odd = runit_phone.places.boot_scripts / "00-a-folder"
    odd.mkdir()
    assert runit_phone.boot() == []
    odd.rename(runit_phone.places.boot_scripts / "zz-a-folder")
    assert len(runit_phone.boot()) == 1
    runit_phone.wait_for_log("farmhand", "program -u -m phone supervise")


def test_a_wake_lock_that_hangs(runit_phone: TermuxPrefix) -> None:
    """`am` may (5.1): the services start all the same, and what happened is written down."""
    assert runit_phone.fake is not None
    runit_phone.fake.set_mode("am", "deaf")
    runit_phone.boot()
    runit_phone.wait_until(lambda: (runit_phone.places.run / "ensured-by-boot").exists(), "it goes on", 30)
    assert (runit_phone.places.run / "ensured-by-boot").read_text().split()[1] in ("124", "137")
    runit_phone.wait_for_log("farmhand", "program -u -m phone supervise")


def test_coming_back_after_android_killed_all(runit_phone: TermuxPrefix) -> None:
    """Nothing restarts us (4.1) but the job: old pid files and states do not mislead it."""
    runit_phone.boot()
    runit_phone.wait_for_log("farmhand", "program -u -m phone supervise")
    start_adapter(runit_phone)
    runit_phone.android_kills_the_app()
    assert runit_phone.status(ADAPTER).phase is Phase.MISSING
    job = runit_phone.start_task(runit_phone.prefix / "libexec" / "farmhand" / "ensure")
    runit_phone.wait_until(lambda: runit_phone.log("farmhand").count("program -u -m phone supervise") == 2, "the supervisor is back")
    runit_phone.wait_until(lambda: (runit_phone.places.run / "anchor.pid").read_text() == f"{job.pid}\n", "and the anchor")
    assert runit_phone.status(ADAPTER).phase is Phase.DOWN  # the supervisor's to start


def test_the_anchor_that_the_supervisor_asks_for(runit_phone: TermuxPrefix) -> None:
    """The app starts it as a task; a second one leaves at once."""
    fake = runit_phone.fake
    assert fake is not None
    anchor = runit_phone.prefix / "libexec" / "farmhand" / "anchor"
    ask = "am startservice --user 0 -n com.termux/com.termux.app.TermuxService -a com.termux.service_execute"
    assert runit_phone.shell(f"{ask} -d com.termux.file:{anchor} --ez com.termux.execute.background true").returncode == 0
    file = runit_phone.places.run / "anchor.pid"
    runit_phone.wait_until(file.exists, "it is there")
    first = file.read_text()
    assert runit_phone.start_task(anchor).wait(10) == 0
    assert file.read_text() == first


def test_of_two_anchors_at_the_same_moment_one_stays(runit_phone: TermuxPrefix) -> None:
    """From the boot script and from the job."""
    anchor = runit_phone.prefix / "libexec" / "farmhand" / "anchor"
    for _ in range(5):
        both = [runit_phone.start_task(anchor), runit_phone.start_task(anchor)]

        def one_left(both: list[subprocess.Popen[bytes]] = both) -> bool:
            return any(task.poll() == 0 for task in both)

        runit_phone.wait_until(one_left, "one leaves")
        stays = next(task for task in both if task.poll() is None)

        def sleeps(pid: int = stays.pid) -> bool:
            return "sleep" in runit_phone.processes().get(pid, "")

        runit_phone.wait_until(sleeps, "the other one sleeps")
        assert (runit_phone.places.run / "anchor.pid").read_text() == f"{stays.pid}\n"
        stays.terminate()
        stays.wait(5)
        (runit_phone.places.run / "anchor.pid").unlink()


def test_the_command_and_the_shortcuts(runit_phone: TermuxPrefix) -> None:
    """`farmhand` anywhere in Termux, with the services' settings unless others are given; and what to type when it is broken."""
    command = runit_phone.places.root / ".venv" / "bin" / "farmhand"
    runit_phone.write(command, '#!@PREFIX@/bin/sh\necho "$* $FARMHAND_HOME $FARMHAND_CONFIG ${FARMHAND_ROOT-none}"\n')
    places = runit_phone.places
    assert runit_phone.run("farmhand", "status", "a b").stdout == f"status a b {places.state} {places.config} none\n"
    given = runit_phone.run("farmhand", "x", env={"FARMHAND_HOME": "/h", "FARMHAND_CONFIG": "/c"})
    assert given.stdout == "x /h /c none\n"
    for name, asked in (("farmhand-status", "status"), ("farmhand-restart", "restart")):
        shown = runit_phone.run(places.user / ".shortcuts" / name).stdout
        assert shown == f"{asked} {places.state} {places.config} none\n\nEnter closes this window. "
    newer = places.root / "python3.99"
    newer.write_text("")
    (command.parent / "python").unlink(missing_ok=True)
    (command.parent / "python").symlink_to(newer)
    broken = runit_phone.run("farmhand", "status")
    assert broken.returncode == 78 and "is not usable" in broken.stderr, "what was installed for the old Python is not found"
    (command.parent.parent / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
    assert runit_phone.run("farmhand", "status").returncode == 0
    command.unlink()
    broken = runit_phone.run("farmhand", "status")
    assert (broken.returncode, broken.stdout) == (78, "")
    assert broken.stderr.endswith(f"is not usable. Type: sh {places.root}/scripts/install\n")
    (runit_phone.prefix / "etc" / "farmhand" / "env").unlink()
    broken = runit_phone.run("farmhand", "status")
    assert broken.returncode == 78 and "Type in the folder of Farmhand: sh scripts/install" in broken.stderr
