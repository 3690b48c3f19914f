"""scripts/farmhand-tunnel and the phone's own settings: `--doctor` tells, `--fix` asks and changes, `--wake-termux` opens the app."""

from __future__ import annotations

from tests.fakes.adbd import FakeDevice, FakeShell
from tests.live.tunnel_cases import Tunnels, needs_adb

pytestmark = needs_adb

PHANTOM = "settings_enable_monitor_phantom_procs"


def state_of(shell: FakeShell) -> tuple[object, ...]:
    return ({**shell.settings}, {*shell.exempt}, {*shell.granted}, {**shell.device_config}, {**shell.background})


def test_doctor_says_and_changes_nothing(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    cabled_phone.shell.exits = (
        "  package: com.termux\n    ApplicationExitInfo #0:\n"
        "      timestamp=2026-08-20 04:12:07.123 pid=1 realUid=10234 user=0\n"
        "      process=com.termux reason=10 (USER REQUESTED) subreason=0 (UNKNOWN) status=0\n"
    )
    cabled_phone.shell.log = "08-20 04:12 I ActivityManager: Killing 4242:PhantomProcessRecord {a 4242:77:python/u0a234}: Trimming phantom\n"
    before = state_of(cabled_phone.shell)
    done = tunnels.done("--doctor")
    assert done.returncode == 1
    assert state_of(cabled_phone.shell) == before
    for words in (
        "!!  Android 14 kills child processes",
        "!!  com.termux is not exempt",
        "ok  Termux holds its wake lock",
        "Android last ended Termux on 2026-08-20 04:12:07: user requested",
        "Android has killed child processes (1 in its log)",
        "Limit to 80 %",
    ):
        assert words in done.stdout
    assert "Remedy: farmhand-tunnel --fix" in done.stdout


def test_fix_asks_before_each_change(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    """Yes to the first, no to the rest; what is done can be undone with what is shown."""
    with tunnels.terminal("--fix") as shown:
        shown.wait_for(rf"adb -s {cabled_phone.serial} shell 'settings put global {PHANTOM} false'")
        undo = shown.wait_for(r"to undo:\s+adb -s \S+ shell '(settings [^']*)'")[1]
        shown.wait_for(r"Do it\? \[y/n\] ")
        assert cabled_phone.shell.settings == {}
        shown.type("y\n")
        shown.wait_for(r"phantom-killer: done\.")
        for name in ("battery com.termux", "battery com.termux.boot", "battery com.termux.api", "dump"):
            shown.wait_for(r"Do it\? \[y/n\] ")
            shown.type("n\n")
            shown.wait_for(rf"{name}: left as it is\.")
        assert shown.end() == 0
    assert state_of(cabled_phone.shell) == ({PHANTOM: "false"}, set(), set(), {}, {})
    cabled_phone.shell(undo)
    assert cabled_phone.shell.settings == {}


def test_fix_with_yes_does_all_and_then_finds_nothing(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    cabled_phone.shell.background["com.termux"] = "ignore"
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert cabled_phone.shell.settings == {PHANTOM: "false"}
    assert cabled_phone.shell.exempt == {"com.termux", "com.termux.boot", "com.termux.api"}
    assert cabled_phone.shell.granted == {("com.termux", "android.permission.DUMP")}
    assert cabled_phone.shell.background == {"com.termux": "allow"}
    assert tunnels.done("--doctor").returncode == 0
    cabled_phone.shell.ran.clear()
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert not [line for line in cabled_phone.shell.ran if " put " in line or "+" in line or "grant " in line]


def test_fix_for_android_12(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    cabled_phone.shell.release, cabled_phone.shell.sdk = "12", 31
    assert tunnels.done("--fix", "--yes").returncode == 0
    assert cabled_phone.shell.device_config == {"activity_manager/max_phantom_processes": "2147483647"}
    assert (cabled_phone.shell.sync_disabled, cabled_phone.shell.settings) == ("persistent", {})


def test_fix_says_what_did_not_take(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    cabled_phone.shell.ignores.add("settings")
    done = tunnels.done("--fix", "--yes")
    assert done.returncode == 1
    assert "phantom-killer: the phone did not take it" in done.stdout and "dump: done." in done.stdout


def test_fix_without_a_terminal_changes_nothing(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    before = state_of(cabled_phone.shell)
    done = tunnels.done("--fix")
    assert (done.returncode, state_of(cabled_phone.shell)) == (2, before)
    assert "--yes" in done.stderr


def test_wake_termux(cabled_phone: FakeDevice, tunnels: Tunnels) -> None:
    assert tunnels.done("--once", "--wake-termux").returncode == 0
    assert cabled_phone.shell.started == ["com.termux/.app.TermuxActivity"]
    cabled_phone.shell.installed.clear()
    done = tunnels.done("--once", "--wake-termux")
    assert done.returncode == 1 and "does not exist" in done.stderr
