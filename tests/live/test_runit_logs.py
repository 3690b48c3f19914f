"""What the services of `termux/` leave behind under real runit: records of their ends, logs, and the environment that they run in."""

from __future__ import annotations

import json
import os
import re
import signal
import time

from phone.supervisor.types import Phase
from tests.live.runit_cases import ADAPTER, behave, start_adapter, wait_for_ends
from tests.live.termux_prefix import VARIABLE, TermuxPrefix

# --- what is recorded --------------------------------------------------------------------------------------------


def test_sigkill_is_recorded_and_runit_starts_it_again(runit_phone: TermuxPrefix) -> None:
    """`-1 9`, which is what Android's killers leave (2.3), with the memory that was free and how long it had run."""
    runit_phone.start_daemon()
    began = time.time()
    first = start_adapter(runit_phone)
    os.kill(first, signal.SIGKILL)
    (end,) = wait_for_ends(runit_phone, ADAPTER, 1)
    assert (end.code, end.signal) == (-1, 9)
    assert began - 1 <= end.wall_at_s <= time.time()
    assert end.available_kb is not None and end.available_kb > 10_000
    assert end.ran_s is not None and 0 <= end.ran_s <= 20
    runit_phone.wait_until(lambda: runit_phone.log(ADAPTER).count("listening") == 2, "runit has started it again")
    assert "farmhand-adapter: killed (signal 9) after" in runit_phone.log(ADAPTER)


def test_an_exit_code_is_recorded(runit_phone: TermuxPrefix) -> None:
    """As `code 0`."""
    behave(runit_phone, "adapter", "exit 3")
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(ADAPTER).ok
    assert (wait_for_ends(runit_phone, ADAPTER, 1)[0].code, runit_phone.exits(ADAPTER)[0].signal) == (3, 0)
    runit_phone.wait_for_log(ADAPTER, "farmhand-adapter: ended with code 3 after")


def test_a_crash_loop_slows_down_by_itself(runit_phone: TermuxPrefix) -> None:
    """Without a supervisor runit would try every second for ever (2.3); `sv down` ends such a pause at once."""
    behave(runit_phone, "adapter", "exit 3")
    runit_phone.start_daemon()
    began = time.monotonic()
    assert runit_phone.runsv.up(ADAPTER).ok
    wait_for_ends(runit_phone, ADAPTER, 3)  # the second after 1 s, the third after 1 + 2 s, the fourth 5 s later
    time.sleep(max(0.0, began + 7 - time.monotonic()))
    assert len(runit_phone.exits(ADAPTER)) == 3
    assert runit_phone.status(ADAPTER).phase is Phase.FINISH
    began = time.monotonic()
    assert runit_phone.runsv.down(ADAPTER, 10).ok
    assert time.monotonic() - began < 2.5


def test_what_cannot_be_started_is_not_silent(runit_phone: TermuxPrefix) -> None:
    """No execute bit is an endless loop without a word in plain runit (2.3); here the log names the file."""
    (runit_phone.places.service(ADAPTER) / "run").chmod(0o600)
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(ADAPTER).ok
    (end, *_) = wait_for_ends(runit_phone, ADAPTER, 1)
    assert (end.code, end.signal, end.ran_s) == (111, 0, None)
    runit_phone.wait_for_log(ADAPTER, f"could not start {runit_phone.places.service(ADAPTER)}/run; is it there and executable?")


def test_the_record_stays_short_and_nothing_of_it_is_lost(runit_phone: TermuxPrefix) -> None:
    """From 200 lines on it is moved aside; who had read to somewhere reads on there."""
    record = runit_phone.places.exits / ADAPTER
    record.parent.mkdir(parents=True)
    record.write_text("".join(f"{number} 0 0 1 60\n" for number in range(1, 201)))
    _, offset = runit_phone.runsv.exits(ADAPTER, 0)
    with record.open("a") as file:
        file.write("201 0 0 1 60\n")
    behave(runit_phone, "adapter", "exit 3")
    runit_phone.start_daemon()
    runit_phone.run("sv", "once", ADAPTER)
    runit_phone.wait_until(lambda: len(runit_phone.exits(ADAPTER)) == 1, "a new record")
    ends, offset = runit_phone.runsv.exits(ADAPTER, offset)
    assert [end.code for end in ends] == [0, 3]
    assert ends[0].wall_at_s == 201
    assert runit_phone.runsv.exits(ADAPTER, offset) == ((), record.stat().st_size)


# --- logs --------------------------------------------------------------------------------------------------------


def test_both_outputs_reach_the_log_with_utc_stamps(runit_phone: TermuxPrefix) -> None:
    """Standard error too, which goes nowhere otherwise (2.3); at once, since the program is unbuffered; private."""
    runit_phone.start_daemon()
    start_adapter(runit_phone)
    stamp = r"2\d\d\d-\d\d-\d\d_\d\d:\d\d:\d\d\.\d+ "
    lines = runit_phone.log(ADAPTER).splitlines()
    assert any(line.endswith(" on standard error") for line in lines)
    assert all(re.match(stamp, line) for line in lines)
    assert runit_phone.places.log(ADAPTER).parent.stat().st_mode & 0o077 == 0


def test_long_lines_stay_whole(runit_phone: TermuxPrefix) -> None:
    """The environment is printed on one of more than 1,000 characters (2.4)."""
    runit_phone.start_daemon()
    start_adapter(runit_phone, until="cwd ")
    (line,) = (line for line in runit_phone.log(ADAPTER).splitlines() if " env {" in line)
    assert len(line) > 400 and line.endswith("}")


def test_rotation_is_set_once_and_a_persons_own_stays(runit_phone: TermuxPrefix) -> None:
    """svlogd reads `config` where it writes (2.4)."""
    own = runit_phone.places.log("farmhand-engine").with_name("config")
    runit_phone.write(own, "s100000\nn2\n", 0o600)
    runit_phone.start_daemon()
    runit_phone.wait_until(lambda: runit_phone.places.log(ADAPTER).exists(), "svlogd has begun")
    assert runit_phone.places.log(ADAPTER).with_name("config").read_text() == "s500000\nn5\nN1\n"
    assert own.read_text() == "s100000\nn2\n"


def test_a_bare_environment_is_enough(runit_phone: TermuxPrefix) -> None:
    """Whatever runit was started from (2.3): PATH alone here. And what is not for the program does not reach it."""
    start = "start-stop-daemon -S -b -m -p $PREFIX/var/run/service-daemon.pid -x $PREFIX/bin/runsvdir --"
    bare = f'exec env -i {VARIABLE}={runit_phone.mark} PATH="$PATH" FARMHAND_ROOT=/elsewhere {start} {runit_phone.places.services}'
    assert runit_phone.shell(bare).returncode == 0
    runit_phone.wait_until(lambda: runit_phone.status(ADAPTER).phase is Phase.DOWN, "runsv is there")
    start_adapter(runit_phone, until="cwd ")
    (line,) = (line for line in runit_phone.log(ADAPTER).splitlines() if " env {" in line)
    env = json.loads(line.partition(" env ")[2])
    prefix = str(runit_phone.prefix)
    assert {key: env.get(key) for key in ("PREFIX", "PATH", "TMPDIR", "SVDIR", "LOGDIR", "LANG", "HOME")} == {
        "PREFIX": prefix,
        "PATH": f"{prefix}/bin",
        "TMPDIR": f"{prefix}/tmp",
        "SVDIR": f"{prefix}/var/service",
        "LOGDIR": f"{prefix}/var/log",
        "LANG": "en_US.UTF-8",
        "HOME": str(runit_phone.places.user),
    }
    assert env["FARMHAND_HOME"] == str(runit_phone.places.state) and env["FARMHAND_CONFIG"] == str(runit_phone.places.config)
    assert env["PYTHONUNBUFFERED"] == "1"
    assert "FARMHAND_ROOT" not in env  # the adapter takes FARMHAND_* for its settings
    assert f" cwd {runit_phone.places.root}" in runit_phone.log(ADAPTER)
