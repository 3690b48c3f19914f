"""runit's 20 bytes, and the records of `finish`. tests/live/test_runit_traps.py compares with the real `sv status`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phone import exit_records, runit
from phone.command import Done
from phone.places import Places, places
from phone.runit import Runsv
from phone.runit_status import parse, render
from phone.supervisor.types import Exit, Phase, Runit


def status(
    *, at_s: int = 1000, nanos: int = 0, pid: int = 0, paused: int = 0, want: bytes = b"u", term: int = 0, state: int = 0
) -> bytes:
    """As runsv packs it: seconds of TAI64 big endian, the pid little endian."""
    seconds = (0x4000_0000_0000_000A + at_s).to_bytes(8, "big")
    return seconds + nanos.to_bytes(4, "big") + pid.to_bytes(4, "little") + bytes([paused]) + want + bytes([term, state])


# Written by runit 2.1.2, a second before 1795292616.92 by `date`, for process 4074.
RECORDED = bytes.fromhex("400000006b01fdd1369b2decea0f000000750001")

RUNNING = Runit(Phase.RUN, 4711, wants_up=True, wall_since_s=1000.0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (status(pid=4711, state=1), RUNNING),
        (status(pid=0x12345678, state=1), replace(RUNNING, pid=0x12345678)),
        (status(nanos=250_000_000, pid=4711, state=1), replace(RUNNING, wall_since_s=1000.25)),
        (status(pid=4711, paused=1, state=1), replace(RUNNING, paused=True)),
        (status(pid=4711, want=b"d", term=1, state=1), replace(RUNNING, wants_up=False)),
        (status(pid=4712, state=2), Runit(Phase.FINISH, 4712, wants_up=True, wall_since_s=1000.0)),
        (status(state=2), Runit(Phase.FINISH, None, wants_up=True, wall_since_s=1000.0)),
        (status(), Runit(Phase.DOWN, None, wants_up=True, wall_since_s=1000.0)),
        (status(want=b"d"), Runit(Phase.DOWN, None, wall_since_s=1000.0)),
        # `sv kill` sets the state before the process has ended; until then it is there.
        (status(pid=4711, state=0), RUNNING),
        (b"", None),
        (status()[:19], None),
        (status() + b"\0", None),
        (status(state=3), None),
    ],
)
def test_parse(data: bytes, expected: Runit | None) -> None:
    """Every byte that means something, and what is no status."""
    assert parse(data) == expected


def test_a_recorded_one() -> None:
    """What a real runsv wrote."""
    look = parse(RECORDED)
    assert look is not None and look.wall_since_s is not None
    assert (look.phase, look.pid, look.wants_up) == (Phase.RUN, 4074, True)
    assert look.wall_since_s == pytest.approx(1795292615.916, abs=0.001)


@pytest.mark.parametrize(
    ("data", "normally_up", "expected"),
    [
        (status(pid=4711, state=1), True, "run: x: (pid 4711) 30s"),
        (status(pid=4711, state=1), False, "run: x: (pid 4711) 30s, normally down"),
        (status(pid=4711, paused=1, state=1), True, "run: x: (pid 4711) 30s, paused"),
        (status(pid=4711, want=b"d", term=1, state=1), True, "run: x: (pid 4711) 30s, want down, got TERM"),
        (status(pid=4712, state=2), True, "finish: x: (pid 4712) 30s"),
        (status(), True, "down: x: 30s, normally up, want up"),
        (status(), False, "down: x: 30s, want up"),
        (status(want=b"d"), True, "down: x: 30s, normally up"),
        (status(want=b"d"), False, "down: x: 30s"),
        (status(at_s=2000), False, "down: x: 0s, want up"),  # the clock was set back
        (b"", False, "warning: x: supervise/status has a bad format"),
    ],
)
def test_render(data: bytes, normally_up: bool, expected: str) -> None:
    """The words of `sv status`."""
    assert render("x", data, 1030.9, normally_up=normally_up) == expected


# --- records of ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1795292544 0 0 24158624 12", Exit(1795292544.0, 0, 0, 24158624, 12.0)),
        ("1795292544 -1 9 - -", Exit(1795292544.0, -1, 9)),
        ("1795292544 111 0 24158624 -", Exit(1795292544.0, 111, 0, 24158624)),
        ("1795292544 0 0 24158624", None),  # torn
        ("0 0 24158624 12", None),
        ("1795292544 0 0 24158624 12 1795292545 0 0 1 1", None),  # the end of one line is missing
        ("- 0 0 1 1", None),
        ("1 - 0 1 1", None),
        ("1 0 - 1 1", None),
        ("", None),
        ("x y z u v", None),
        ("1 0 0 " + "9" * 5000 + " 1", Exit(1.0, 0, 0, None, 1.0)),
        ("1 0 0 ١٢ 1", Exit(1.0, 0, 0, None, 1.0)),
        ("\x00\x00\x00", None),
    ],
)
def test_a_line_of_a_record(line: str, expected: Exit | None) -> None:
    """What is unknown stays unknown; a line that is no record is left out."""
    assert exit_records.parse(f"{line}\n".encode()) == (() if expected is None else (expected,))


def test_bytes_that_are_no_text() -> None:
    """A folder that was damaged is no reason to stop looking."""
    assert exit_records.parse(b"\xff\xfe 1 2 3 4\n1 0 0 2 3\n") == (Exit(1.0, 0, 0, 2, 3.0),)


class NoCommands:
    """Whoever only reads runs nothing."""

    def __call__(self, argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        raise AssertionError(argv)


@pytest.fixture
def where(tmp_path: Path) -> Places:
    found = places({"PREFIX": str(tmp_path / "usr"), "HOME": str(tmp_path / "home")}, tmp_path)
    found.exits.mkdir(parents=True)
    return found


def test_new_ends_only(where: Places) -> None:
    """From the offset on, whole lines only; the offset stays before one that is still being written."""
    reader, record = Runsv(where, NoCommands()), where.exits / "x"
    assert reader.exits("x", 0) == ((), 0)
    record.write_text("1 0 0 2 3\n4 0 0")
    assert reader.exits("x", 0) == ((Exit(1.0, 0, 0, 2, 3.0),), 10)
    assert reader.exits("x", 10) == ((), 10)
    record.write_text("1 0 0 2 3\n4 0 0 5 6\n7 0 0 8 9\n")
    assert reader.exits("x", 10) == ((Exit(4.0, 0, 0, 5, 6.0), Exit(7.0, 0, 0, 8, 9.0)), 30)
    assert reader.exits("x", 30) == ((), 30)


def test_a_record_that_was_moved_aside(where: Places) -> None:
    """What was not read yet is read there, then the new one from its beginning."""
    reader, record = Runsv(where, NoCommands()), where.exits / "x"
    (where.exits / ".x.old").write_text("1 0 0 2 3\n4 0 0 5 6\n")
    record.write_text("7 0 0 8 9\n")
    assert reader.exits("x", 12) == ((Exit(7.0, 0, 0, 8, 9.0),), 10)  # in the middle of a line: that line is lost
    assert reader.exits("x", 20) == ((Exit(7.0, 0, 0, 8, 9.0),), 10)
    (where.exits / ".x.old").write_text("1 0 0 2 3\n4 0 0 5 6\n6 0 0 7 8\n")
    assert [end.wall_at_s for end in reader.exits("x", 20)[0]] == [6.0, 7.0]


def test_a_record_that_is_gone(where: Places) -> None:
    """Somebody emptied the folder: nothing is new, and reading starts at the beginning."""
    reader = Runsv(where, NoCommands())
    assert reader.exits("x", 500) == ((), 0)
    (where.exits / "x").write_text("7 0 0 8 9\n")
    assert [end.wall_at_s for end in reader.exits("x", 500)[0]] == [7.0]


# --- what nobody looks after -------------------------------------------------------------------------------------


class Says:
    """Answers every command in the same way, and keeps what was asked."""

    def __init__(self, done: Callable[[tuple[str, ...]], Done]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._done = done

    def __call__(self, argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done:
        self.asked.append(tuple(argv))
        return self._done(tuple(argv))


def test_without_a_runsv(where: Places) -> None:
    """What a status file says is of the past when nobody has the other end of `ok` open."""
    supervise = where.service("x") / "supervise"
    supervise.mkdir(parents=True)
    (supervise / "status").write_bytes(status(pid=4711, state=1))
    reader = Runsv(where, NoCommands())
    assert reader.status("x") == Runit()
    (supervise / "ok").touch()  # a plain file can be opened: then runsv's word counts
    assert reader.status("x").phase is Phase.RUN
    (supervise / "status").write_bytes(b"half")
    assert reader.status("x") == Runit()


def test_sv_is_asked_with_absolute_paths_and_whole_seconds(where: Places) -> None:
    """Nothing depends on SVDIR or PATH (`facts/termux.md` 2.2)."""
    supervise = where.service("x") / "supervise"
    supervise.mkdir(parents=True)
    (supervise / "ok").touch()
    (supervise / "status").write_bytes(status())

    def obey(argv: tuple[str, ...]) -> Done:
        (supervise / "status").write_bytes(status(want=b"u" if "up" in argv else b"d"))
        return Done(argv, 0)

    says = Says(obey)
    services = Runsv(where, says)
    assert services.down("x", 2.5).ok and services.up("x").ok and services.signal("x", "hup").ok
    sv, folder = f"{where.prefix}/bin/sv", str(where.service("x"))
    assert says.asked == [(sv, "-w", "3", "stop", folder), (sv, "up", folder), (sv, "hup", folder)]


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (lambda argv: Done(argv, None, missing=True), "type `pkg install termux-services`"),
        (lambda argv: Done(argv, 1, "fail: x: unable to change to service directory"), "runit does not look after"),
    ],
)
def test_what_it_says_when_it_cannot(
    where: Places, done: Callable[[tuple[str, ...]], Done], expected: str
) -> None:
    """One sentence, with the name and what to do or where."""
    outcome = Runsv(where, Says(done)).up("x")
    assert not outcome.ok
    assert outcome.words.startswith("x cannot be started") and expected in outcome.words


def test_a_runsv_that_takes_no_notice(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sv` was content, and nothing has come of it: that is not passed off as done."""
    monkeypatch.setattr(runit, "NOTICED_S", 0.1)
    monkeypatch.setattr(runit, "KILLED_S", 0.1)
    supervise = where.service("x") / "supervise"
    supervise.mkdir(parents=True)
    (supervise / "ok").touch()
    services = Runsv(where, Says(lambda argv: Done(argv, 0)))
    (supervise / "status").write_bytes(status(want=b"d"))
    assert services.up("x").words == "x cannot be started: runit takes no notice"
    (supervise / "status").write_bytes(status(want=b"u"))
    assert "x cannot be stopped: runit says 'down'" in services.down("x", 1).words


def test_no_kill_while_finish_runs(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """runsv would run `finish` a second time, for the end of the first."""
    monkeypatch.setattr(runit, "KILLED_S", 0.1)
    says = Says(lambda argv: Done(argv, 1, "timeout: finish: x: (pid 4712) 30s, want down"))
    supervise = where.service("x") / "supervise"
    supervise.mkdir(parents=True)
    (supervise / "ok").touch()
    (supervise / "status").write_bytes(status(pid=4712, want=b"d", state=2))
    services = Runsv(where, says)
    outcome = services.down("x", 1)
    assert not outcome.ok and "cannot be stopped" in outcome.words
    assert services.signal("x", "kill").ok
    assert [argv[-2] for argv in says.asked] == ["stop"]


def test_only_signals_that_sv_knows(where: Places) -> None:
    """`sv` looks at the first letter only: `exit`, given by mistake, would end the runsv."""
    with pytest.raises(ValueError, match="'exit'"):
        Runsv(where, NoCommands()).signal("x", "exit")
