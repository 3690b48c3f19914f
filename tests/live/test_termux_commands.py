"""Termux's commands, as executables that behave as badly as the real ones can: everything comes back in time, and nothing stays behind."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from phone import termux as termux_module
from phone.command import Button, Done, Note, Outcome
from phone.device import Battery
from phone.places import places
from phone.sense import processes
from phone.termux import Commands, Termux
from phone.termux_answers import Job, Wifi
from tests.fakes.termux import COMMANDS, FakeTermux
from tests.live.leftovers import kill, marked, no_children_left, wait_gone

__all__ = ["no_children_left"]
pytestmark = pytest.mark.usefixtures("no_children_left")

# For what blocks for ever; and for what does not, on a machine that is busy with other things.
SHORT_S = 1.5
LONG_S = 30.0
LATE_S = 1.0

ARGUMENTS = {
    "termux-notification": ("--id", "farmhand", "--content", "x"),
    "termux-notification-remove": ("farmhand",),
    "termux-toast": ("Hello",),
    "termux-job-scheduler": ("--pending",),
    "am": ("--version",),
}
# Mode: exit status, `None` where it has to be ended.
STATUS = {
    "normal": 0,
    "slow 0.3": 0,
    "garbage": 0,
    "text no JSON": 0,
    "error": 0,
    "api-error": 0,
    "permission": 0,
    "empty": 0,
    "orphan": 0,
    "refused": 1,
    "notfound": 2,
    "fails 3": 3,
    "killed 15": -15,
    "missing": None,
    "hang": None,
    "deaf": None,
    "escaped": None,
}
BLOCKING = [mode for mode, status in STATUS.items() if status is None]


class Clock:
    """Stands still until it is moved; each look at it is a little later, as with a real one."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        self.now_s += 1e-6
        return self.now_s


@pytest.fixture
def fake(tmp_path: Path) -> FakeTermux:
    return FakeTermux(tmp_path / "usr")


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def termux(fake: FakeTermux, commands: Commands, clock: Clock, tmp_path: Path) -> Termux:
    """With less patience than on a phone."""

    def run(argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        assert 5 <= limit_s <= 10
        return commands(argv, limit_s=SHORT_S if blocks(fake, argv[0]) else LONG_S, env=env)

    where = places({"HOME": str(tmp_path), "PREFIX": str(fake.folder)}, tmp_path)
    return Termux(where, run, clock, {"TERMUX_API_VERSION": "0.53.0"})


def blocks(fake: FakeTermux, program: str) -> bool:
    modes = [fake.folder / f"{name}.mode" for name in (Path(program).name, "all", "am")]
    return any(path.read_text() in BLOCKING for path in modes if path.exists())


# --- any command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", STATUS)
def test_every_command_in_every_mode(fake: FakeTermux, commands: Commands, mode: str, no_children_left: str) -> None:
    fake.set_mode("all", mode)
    limit_s = SHORT_S if STATUS[mode] is None else LONG_S

    def call(name: str) -> tuple[Done, float]:
        began_s = time.monotonic()
        done = commands((str(fake.bin / name), *ARGUMENTS.get(name, ())), limit_s=limit_s)
        return done, time.monotonic() - began_s

    with ThreadPoolExecutor(len(COMMANDS)) as threads:
        found = dict(zip(COMMANDS, threads.map(call, COMMANDS), strict=True))
    for name, (done, took_s) in found.items():
        assert done.code == STATUS[mode], (name, done)
        assert done.timed_out == (STATUS[mode] is None), (name, done)
        assert took_s < limit_s + LATE_S, name
    assert {call.command for call in fake.calls()} == set(COMMANDS)
    for pid, script in fake.tasks:
        assert (mode, script) == ("orphan", "orphan")  # out of anybody's reach, by design of that mode
        kill(pid)


def test_output_without_end_is_cut_and_its_writer_ended(fake: FakeTermux, commands: Commands) -> None:
    fake.set_mode("termux-battery-status", "flood")
    done = commands((str(fake.bin / "termux-battery-status"),), limit_s=LONG_S)
    assert (done.code, done.timed_out) == (-9, False)
    assert done.out == "x" * 65_536
    assert done.err == "y" * 65_536 + "\nwrote without end"


SHELL = [
    # What a command may expect: no input, no terminal, a session of its own, none of our open files.
    ("cat; echo end", 0, "end\n", ""),
    ("[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo no terminal", 0, "no terminal\n", ""),
    ('[ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ] && echo own session', 0, "own session\n", ""),
    ("exec ls /proc/self/fd", 0, "0\n1\n2\n3\n", ""),  # 3 is its own: the folder
    ("echo out; echo err >&2; exit 7", 7, "out\n", "err\n"),
    ("kill -SEGV $$", -11, "", ""),
    ("printf '\\377\\303('", 0, "\ufffd\ufffd(", ""),
    ("head -c 300000 /dev/zero | tr '\\0' x; echo late >&2", 0, "x" * 65_536, "late\n"),
    # Its output ends before it does, and the reverse.
    ("exec >/dev/null 2>&1; sleep 0.3; exit 4", 4, "", ""),
    ("echo first; sleep 100 & exit 5", 5, "first\n", ""),
    ("sleep 100 >/dev/null 2>&1 & echo first", 0, "first\n", ""),
]


@pytest.mark.parametrize(("script", "code", "out", "err"), SHELL)
def test_what_a_command_gets_and_gives(commands: Commands, script: str, code: int, out: str, err: str) -> None:
    began_s = time.monotonic()
    done = commands(("sh", "-c", script), limit_s=LONG_S)
    assert done == Done(("sh", "-c", script), code, out, err)
    assert time.monotonic() - began_s < 10


def test_programs_that_cannot_be_started(commands: Commands, tmp_path: Path) -> None:
    lame, broken, plain = (tmp_path / name for name in ("lame", "broken", "plain"))
    lame.write_text("#!/bin/sh\n")
    broken.write_text("#!/no/such/interpreter\n")
    plain.write_text("echo no first line\n")
    for path in (broken, plain):
        path.chmod(0o755)

    def run(*argv: str) -> Done:
        return commands(argv, limit_s=LONG_S)

    for argv in (("no-such-program",), (str(tmp_path / "none"),), ("",), ()):
        done = run(*argv)
        assert (done.code, done.missing, done.timed_out) == (None, True, False)
    assert "not executable" in run(str(lame)).err
    assert (run(str(lame)).code, run(str(tmp_path)).missing) == (126, True)  # the second is a folder
    assert run(str(broken)).code == 127
    assert run(str(plain)).out == "no first line\n"
    assert (run("echo", "a\0b").code, run("echo", "\ud800").code, run("echo", "x" * 200_000).code) == (126, 126, 126)
    assert run("echo", "$HOME; `id` é 🐄 \n -n").out == "$HOME; `id` é 🐄 \n -n\n"


def test_environment(commands: Commands, no_children_left: str) -> None:
    env = {"PATH": os.environ["PATH"], "GIVEN": "a b\n", "LEFTOVER_MARK": no_children_left}
    assert commands(("sh", "-c", 'printf %s "$GIVEN$HOME"'), limit_s=LONG_S, env=env).out == "a b\n"
    assert commands(("sh", "-c", "true"), limit_s=LONG_S, env={"PATH": "/nowhere"}).missing


def test_an_orphan_with_the_output_is_not_waited_for(commands: Commands, no_children_left: str) -> None:
    """It has left its group and is nobody's child any more, so it cannot be found: only the output pipe leads to it."""
    script = "setsid sh -c 'trap \"\" TERM HUP; echo ready; sleep 100' & sleep 0.5; setsid sh -c 'sleep 100 & '; exec sleep 100"
    began_s = time.monotonic()
    done = commands(("sh", "-c", script), limit_s=2.0)
    assert done.timed_out
    assert done.out == "ready\n"
    assert time.monotonic() - began_s < 2.0 + LATE_S
    left = marked(no_children_left)
    assert [command.strip() for command in left.values()] == ["sleep 100"]  # of the second, whose parent has ended
    for pid in left:
        kill(pid)


def test_nothing_piles_up(fake: FakeTermux, commands: Commands) -> None:
    def state() -> tuple[int, int, list[int]]:
        zombies = [p.pid for p in processes(Path("/proc"), os.getuid()) if p.parent == os.getpid() and p.state == "Z"]
        return len(os.listdir("/proc/self/fd")), threading.active_count(), zombies

    fake.set_mode("termux-toast", "hang")
    commands(("true",), limit_s=LONG_S)  # `sh` is imported by now
    before = state()
    for _ in range(10):
        assert commands(("true",), limit_s=LONG_S).ok
        assert commands(("no-such-program",), limit_s=LONG_S).missing
        assert commands((str(fake.bin / "termux-toast"), "x"), limit_s=0.05).timed_out
    assert state() == before


def test_a_start_that_hangs_holds_nobody_for_ever(commands: Commands) -> None:
    with commands._starting:
        done = commands(("true",), limit_s=0.1)
    assert done.timed_out
    assert commands(("true",), limit_s=LONG_S).ok


# --- Termux:API -----------------------------------------------------------------------------------------------------


def test_battery_and_wifi(fake: FakeTermux, termux: Termux) -> None:
    assert termux.battery() == Battery(78, 33.4, True, "PLUGGED_USB", "GOOD")
    assert termux.wifi() == Wifi(True, "192.168.1.23", "", -51, 433, 5220)
    assert termux.api_missing == ""


def test_an_answer_is_kept_for_as_long_as_one_likes(fake: FakeTermux, termux: Termux, clock: Clock) -> None:
    def asked() -> int:
        return len(fake.calls("termux-battery-status"))

    assert termux.battery(30) == termux.battery(30)
    assert asked() == 1
    clock.now_s += 29
    fake.set_battery(temperature="45.2")
    assert (termux.battery(30), asked()) == (Battery(78, 33.4, True, "PLUGGED_USB", "GOOD"), 1)
    clock.now_s += 1
    assert (termux.battery(30), asked()) == (Battery(78, 45.2, True, "PLUGGED_USB", "GOOD"), 2)
    termux.battery(0)
    assert asked() == 3


def test_many_who_ask_at_once_share_one_call(fake: FakeTermux, termux: Termux) -> None:
    fake.set_mode("termux-battery-status", "slow 1")
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: termux.battery(0.0), range(20)))
    # Threads that came after its end, on a busy machine, have one of their own.
    assert len(fake.calls("termux-battery-status")) <= 2
    assert found == [Battery(78, 33.4, True, "PLUGGED_USB", "GOOD")] * 20


def test_one_call_of_a_kind_at_a_time(fake: FakeTermux, termux: Termux) -> None:
    fake.set_mode("termux-notification", "slow 0.2")
    with ThreadPoolExecutor(5) as threads:
        outcomes = list(threads.map(lambda n: termux.notify(Note(f"n{n}", "T", "x")), range(5)))
    assert outcomes == [Outcome(True)] * 5
    assert len(fake.notes) == 5  # each of them, none lost
    began = sorted(call.at_s for call in fake.calls("termux-notification"))
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(began))


def test_who_waits_too_long_for_another_call_is_told(
    fake: FakeTermux, termux: Termux, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(termux_module, "PATIENCE_S", 0.1)
    for mode, command in (("slow 1.5", "termux-toast"), ("slow 1.5", "am"), ("slow 1.5", "termux-battery-status")):
        fake.set_mode(command, mode)
    calls: list[Callable[[], object]] = [lambda: termux.toast("x"), termux.wake_lock, lambda: termux.battery(0)]
    for call, second in zip(calls, (False, False, None), strict=True):
        before = len(fake.calls())
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(call)
            wait_until(lambda before=before: len(fake.calls()) > before)  # type: ignore[misc]
            waited = call()
            assert first.result()
        assert (waited.ok if isinstance(waited, Outcome) else waited) == second


BAD = {
    "garbage": "",
    "text no JSON": "",
    "error": "",
    "api-error": "",
    "permission": "",
    "empty": "",
    "fails 3": "",
    "killed 9": "",
    "flood": "",
    "missing": "unrestricted",
    "hang": "unrestricted",
    "deaf": "unrestricted",
    "escaped": "unrestricted",
}


@pytest.mark.parametrize(("mode", "api_missing"), BAD.items())
def test_bad_answers_to_each_question(
    fake: FakeTermux, termux: Termux, clock: Clock, mode: str, api_missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    fake.set_mode("all", mode)
    with caplog.at_level(logging.INFO, "phone"):
        for _ in range(3):  # only the first of each is made
            assert termux.battery(0) is None
            assert termux.wifi(0) is None
            assert termux.jobs() is None
        made = [call.command for call in fake.calls()]
        kinds = ["termux-battery-status", "termux-wifi-connectioninfo", "termux-job-scheduler"]
        assert made == (kinds[:1] if api_missing else kinds)
        assert (api_missing in termux.api_missing) if api_missing else termux.api_missing == ""
        clock.now_s += 300
        assert termux.battery(0) is None
        assert len(fake.calls()) == len(made) + 1  # it is tried again
        assert len(caplog.records) == len(made)  # and that is nothing new
        assert all(record.levelno == logging.WARNING for record in caplog.records)
        fake.set_mode("all", "normal")
        clock.now_s += 600
        assert termux.battery(0) and termux.wifi(0) and termux.jobs() == ()
    assert termux.api_missing == ""
    assert ("Termux:API answers." in caplog.messages) == bool(api_missing)


@pytest.mark.parametrize("mode", BAD)
def test_bad_answers_to_each_call_with_an_effect(fake: FakeTermux, termux: Termux, tmp_path: Path, mode: str) -> None:
    fake.set_mode("all", mode)
    script = tmp_path / "ensure.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    outcomes = {
        "notify": termux.notify(Note("farmhand", "T", "x", ongoing=True)),
        "remove": termux.remove_note("farmhand"),
        "toast": termux.toast("x"),
        "schedule": termux.schedule_job(4242, script, 900),
        "cancel": termux.cancel_job(4242),
    }
    # Where silence is the usual answer, an app that fell over without a word cannot be told from one that did its work.
    unknown = {"notify", "remove", "toast"} if mode == "empty" else set()
    assert {name for name, outcome in outcomes.items() if outcome.ok} == unknown
    assert all(outcome.words and outcome.words.isprintable() for name, outcome in outcomes.items() if name not in unknown)


def test_a_missing_app_is_said_once_and_looked_for_again(
    fake: FakeTermux, termux: Termux, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fake.set_mode("all", "missing")
    with caplog.at_level(logging.INFO, "phone"):
        for _ in range(360):  # half an hour, every five seconds
            assert termux.battery(0) is None
            assert not termux.notify(Note("farmhand", "T", "x")).ok
            clock.now_s += 5
        assert len(fake.calls()) == 3  # at once, and after 5 and 15 minutes
        assert len(caplog.records) == 1
        fake.set_mode("all", "normal")  # somebody installs it
        clock.now_s += 1200
        assert termux.notify(Note("farmhand", "T", "x")) == Outcome(True)
    assert caplog.messages[1:] == ["Termux:API answers."]


def test_without_the_package(fake: FakeTermux, termux: Termux, clock: Clock) -> None:
    for command in COMMANDS:
        fake.uninstall(command)
    assert termux.battery() is None
    assert "pkg install termux-api" in termux.api_missing
    assert "pkg install termux-api" in termux.toast("x").words
    assert "There is no termux-wake-lock" in termux.wake_lock().words
    for command in COMMANDS:
        fake.install(command)
    clock.now_s += 300
    assert termux.battery()
    assert termux.api_missing == ""


def test_an_app_that_never_announced_itself(fake: FakeTermux, commands: Commands, tmp_path: Path, clock: Clock) -> None:
    where = places({"HOME": str(tmp_path), "PREFIX": str(fake.folder)}, tmp_path)
    fake.set_mode("all", "missing")

    def run(argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        return commands(argv, limit_s=SHORT_S, env=env)

    unannounced = Termux(where, run, clock, {})
    assert unannounced.battery() is None
    assert "seems not to be installed" in unannounced.api_missing


# --- notifications, toasts, jobs ------------------------------------------------------------------------------------


def test_a_notification_is_shown_changed_and_removed(fake: FakeTermux, termux: Termux) -> None:
    content = "8.1 tokens/s, 33 °C\n$(id) `id` \"quoted\" 'too' \\n -n 🐄"
    buttons = (Button("Pause", "/p/bin/sv down '/a b'"), Button("Stop", 'echo "x"; true'))
    assert termux.notify(Note("farmhand", "-t Farmhand", content, ongoing=True, buttons=buttons, on_tap="a b")) == Outcome(True)
    shown = fake.notes["farmhand"]
    assert (shown.title, shown.content, shown.ongoing, shown.alert_once) == ("-t Farmhand", content, True, True)
    assert (shown.action, shown.buttons) == ("a b", [("Pause", "/p/bin/sv down '/a b'"), ("Stop", 'echo "x"; true')])
    assert termux.notify(Note("farmhand", "", "", quiet=False)) == Outcome(True)
    assert (fake.notes["farmhand"].content, fake.notes["farmhand"].ongoing, len(fake.notes)) == ("", False, 1)
    assert termux.remove_note("farmhand") == Outcome(True)
    assert fake.notes == {}


def test_what_cannot_be_asked_is_not_asked(fake: FakeTermux, termux: Termux, tmp_path: Path) -> None:
    assert not termux.notify(Note("", "T", "x", ongoing=True)).ok
    assert not termux.remove_note("-x").ok
    assert not termux.toast("").ok
    assert not termux.schedule_job(1, tmp_path, 60).ok
    assert not termux.cancel_job(-1).ok
    assert fake.calls() == []


def test_a_toast(fake: FakeTermux, termux: Termux) -> None:
    assert termux.toast("Farmhand is up -s") == Outcome(True)
    assert fake.toasts == ["Farmhand is up -s"]


def test_jobs(fake: FakeTermux, termux: Termux, tmp_path: Path) -> None:
    script = tmp_path / "ensure it.sh"
    missing = termux.schedule_job(4242, script, 900)
    assert (missing.ok, "No such file" in missing.words) == (False, True)
    script.write_text("#!/bin/sh\n")
    assert "Cannot execute file" in termux.schedule_job(4242, script, 900).words
    script.chmod(0o755)
    assert termux.schedule_job(4242, script, 900) == Outcome(True)  # at once: a refusal does not hold it up
    assert fake.jobs[4242]["network"] == "none" and fake.jobs[4242]["battery-not-low"] == "false"
    assert termux.jobs() == (Job(4242, str(script), 900.0, persisted=True, any_network=True),)
    assert termux.cancel_job(4242) == Outcome(True)
    assert termux.cancel_job(4242) == Outcome(True)  # not there is as good
    assert termux.jobs() == ()


# --- what the Termux app does itself --------------------------------------------------------------------------------


def test_wake_lock(fake: FakeTermux, termux: Termux) -> None:
    assert termux.wake_lock() == termux.wake_lock() == Outcome(True)
    assert fake.locked
    assert termux.wake_unlock() == Outcome(True)  # one is enough
    assert not fake.locked


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refused", "app is in background"),
        ("notfound", "found no Termux app"),
        ("hang", "did not end in time"),
        ("escaped", "did not end in time"),
        ("fails 134", "failed"),
        ("killed 9", "failed"),
    ],
)
def test_orders_that_fail(fake: FakeTermux, termux: Termux, tmp_path: Path, mode: str, words: str) -> None:
    fake.set_mode("am", mode)
    for outcome in (termux.wake_lock(), termux.wake_unlock(), termux.start_task(tmp_path)):
        assert not outcome.ok
        assert words in outcome.words
    assert not fake.locked
    assert termux.api_missing == ""  # another matter


def test_a_wake_lock_needs_no_termux_api(fake: FakeTermux, termux: Termux) -> None:
    fake.set_mode("termux-battery-status", "missing")
    assert termux.battery() is None
    assert termux.wake_lock() == Outcome(True)


def test_a_task_of_the_app(
    fake: FakeTermux, termux: Termux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_children_left: str
) -> None:
    """It is the app's child, not ours: it outlives the call that asked for it."""
    monkeypatch.setenv("SVDIR", "/not/for/tasks")
    script = tmp_path / "an anchor #1.sh"
    script.write_text(f'#!/bin/sh\necho "$$ ${{SVDIR-unset}}" > "{tmp_path}/new" && mv "{tmp_path}/new" "{tmp_path}/out"\nexec sleep 100\n')
    script.chmod(0o755)
    assert termux.start_task(script) == Outcome(True)
    wait_until((tmp_path / "out").exists)
    pid, svdir = (tmp_path / "out").read_text().split()
    assert fake.tasks == [(int(pid), str(script))]
    assert svdir == "unset"
    assert os.getsid(int(pid)) != os.getsid(0)
    kill(int(pid))
    assert wait_gone(no_children_left) == {}


def wait_until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.01)
