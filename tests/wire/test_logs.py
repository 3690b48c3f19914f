"""`farmhand logs` on real files, svlogd's rotation included."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from phone.bundle import cli, logs
from phone.bundle.logs import Follower
from phone.places import places


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Appends text to a service's log."""
    monkeypatch.setenv("LOGDIR", str(tmp_path))

    def append(folder: str, text: str) -> Path:
        path = tmp_path / "sv" / folder / "current"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
        return path

    return append


def stamped(second: int, text: str) -> str:
    return f"2026-11-20_09:43:{second:02}.00000 {text}\n"


def texts(out: str) -> list[str]:
    return [json.loads(line)["text"] for line in out.splitlines()]


def test_all_services_as_one(log: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    log("farmhand", stamped(1, "starting adapter") + stamped(3, "adapter is ready"))
    log("farmhand-adapter", stamped(2, "listening"))
    log("other", stamped(2, "not ours"))
    assert cli.main(["logs", "--json"]) == 0
    assert texts(capsys.readouterr().out) == ["starting adapter", "listening", "adapter is ready"]
    assert cli.main(["logs", "adapter"]) == 0
    assert capsys.readouterr().out.endswith("adapter listening\n")
    assert cli.main(["logs", "-n", "1", "--json"]) == 0
    assert texts(capsys.readouterr().out) == ["adapter is ready"]
    assert cli.main(["logs", "-n", "0"]) == 0
    assert capsys.readouterr().out == ""


def test_the_newest_rotated_file_helps_out(
    log: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = log("farmhand-adapter", stamped(5, "new"))
    (path.parent / "@400000006000000000000000.s").write_text(stamped(1, "old"), encoding="utf-8")
    (path.parent / "@400000007000000000000000.s").write_text(stamped(2, "older") + stamped(3, "newer"), encoding="utf-8")
    assert cli.main(["logs", "-n", "2", "--json"]) == 0
    assert texts(capsys.readouterr().out) == ["newer", "new"]


def test_what_is_not_there_is_said(log: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs"]) == 1
    assert "farmhand up" in capsys.readouterr().err
    assert cli.main(["logs", "adaptor"]) == 2
    assert "there is no service 'adaptor'; there are supervisor, engine, adapter" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["logs", "-n", "many"])
    assert "is no number of lines" in capsys.readouterr().err


def test_following_goes_on_behind_a_rotation(log: Callable[[str, str], Path]) -> None:
    path = log("farmhand", stamped(1, "one") + "2026-11-20_09:43:02.00000 half")
    follower = Follower("supervisor", path)
    with contextlib.closing(follower):
        _follow_a_rotation(follower, path, log)


def _follow_a_rotation(follower: Follower, path: Path, log: Callable[[str, str], Path]) -> None:
    assert [line.text for line in follower.tail(10)] == ["one"]
    log("farmhand", " a line\n" + stamped(3, "three"))
    path.rename(path.with_name("@400000006000000000000000.s"))
    log("farmhand", stamped(4, "four"))
    assert [line.text for line in follower.news()] == ["half a line", "three", "four"]
    log("farmhand", stamped(5, "caf\udce9".encode("utf-8", "surrogateescape").decode("utf-8", "replace")))
    assert [line.text for line in follower.news()] == ["caf\ufffd"]
    path.unlink()
    assert list(follower.news()) == []


def test_a_long_log_is_not_read_whole(log: Callable[[str, str], Path]) -> None:
    path = log("farmhand", "".join(stamped(n % 60, f"{n} " + "x" * 1_000) for n in range(3_000)))
    with contextlib.closing(Follower("supervisor", path)) as follower:
        lines = follower.tail(5_000)
    assert lines[-1].text.startswith("2999 ")
    assert 900 < len(lines) < 1_100, "about a MiB of it, from the beginning of a line"


def test_follow_shows_what_comes(log: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Until Ctrl-C, which here comes after the second look."""
    log("farmhand", stamped(1, "one"))
    looks = iter((True, True))

    def sleep(_: float) -> None:
        if not next(looks, False):
            raise KeyboardInterrupt
        log("farmhand", stamped(2, "more"))

    args = argparse.Namespace(service=[], follow=True, lines=50, json=True)
    assert logs.run(args, places({"LOGDIR": str(tmp_path)}, tmp_path), sleep) == 130
    assert texts(capsys.readouterr().out) == ["one", "more", "more"]
