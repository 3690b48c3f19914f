"""The user's files: edited in place with a backup, or left exactly as they were."""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

import pytest

from adapter.connect import write as module
from adapter.connect.parts import Document, EnvFile, Generate, Put, Secret, Snippet
from adapter.connect.write import WriteError, Written, write

NOW = datetime(2026, 11, 21, 23, 5, 9)
STAMP = "farmhand-backup-20261121-230509"


def document(path: Path, value: object = 1) -> Document:
    return Document(path, "json5", (Put(("a",), value),))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "x" / "y" / "c.env"
    assert write([EnvFile(path, (("K", Secret("sk-1")),)), Snippet("t", "sh", "x")], NOW) == [Written(path, "created")]
    assert (path.read_text(), mode(path), mode(path.parent)) == ("K=sk-1\n", 0o600, 0o700)
    assert names(path.parent) == ["c.env"]


def test_a_changed_file_has_a_backup_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.json5"
    path.write_bytes(b"{ // mine\r\n  b: 'x',\r\n}\r\n")
    path.chmod(0o640)
    assert write([document(path)], NOW) == [Written(path, "changed", tmp_path / f"c.json5.{STAMP}")]
    assert path.read_bytes() == b"{ // mine\r\n  b: 'x',\r\n  a: 1,\r\n}\r\n"
    assert (tmp_path / f"c.json5.{STAMP}").read_bytes() == b"{ // mine\r\n  b: 'x',\r\n}\r\n"
    assert mode(path) == mode(tmp_path / f"c.json5.{STAMP}") == 0o640
    before = path.stat()
    assert write([document(path)], NOW) == [Written(path, "unchanged")]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write([document(path, 2)], NOW)  # a second backup of the same second
    assert names(tmp_path) == ["c.json5", f"c.json5.{STAMP}", f"c.json5.{STAMP}-1"]


def test_what_holds_a_key_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "c.env"
    path.write_text("K=sk-1\n")
    path.chmod(0o644)
    assert write([EnvFile(path, (("K", Secret("sk-1")),))], NOW) == [Written(path, "unchanged")]
    assert mode(path) == 0o600
    path.chmod(0o644)
    write([EnvFile(path, (("K", Secret("sk-2")),))], NOW)
    assert mode(path) == mode(tmp_path / f"c.env.{STAMP}") == 0o600
    other = tmp_path / "c.json5"
    write([document(other, Secret("sk-1"))], NOW)
    assert mode(other) == 0o600


def test_links_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "c.json5"
    real.parent.mkdir()
    real.write_text("{}")
    link = tmp_path / "c.json5"
    link.symlink_to(real)
    assert write([document(link)], NOW) == [Written(link, "changed", real.with_name(f"c.json5.{STAMP}"))]
    assert link.is_symlink() and "a: 1" in real.read_text()


def test_two_parts_of_one_file_and_a_secret_that_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    parts = [EnvFile(path, (("A", "1"),)), EnvFile(tmp_path / "x" / ".." / ".env", (("B", Generate("oc-")),))]
    assert [one.change for one in write(parts, NOW)] == ["created"]
    text = path.read_text()
    made = text.removeprefix("A=1\nB=oc-").strip()
    assert len(made) == 32 and int(made, 16) >= 0
    assert [one.change for one in write(parts, NOW)] == ["unchanged"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{a: \n", "line 2, column 1"),
        (b"{b: 1}\n\xff\n", "line 2: bytes that are no UTF-8"),
        (b"[]", "not a mapping"),
    ],
)
def test_a_broken_file_stops_everything(content: bytes, says: str, tmp_path: Path) -> None:
    good, broken = tmp_path / "good.json5", tmp_path / "broken.json5"
    good.write_text("{}")
    broken.write_bytes(content)
    with pytest.raises(WriteError, match=says) as caught:
        write([document(good), document(broken)], NOW)
    assert str(broken) in str(caught.value)
    assert good.read_text() == "{}" and broken.read_bytes() == content and names(tmp_path) == ["broken.json5", "good.json5"]


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.json5"
    path.write_text("{}")
    fill = module._fill

    def filled(descriptor: int, data: bytes, mode: int) -> None:
        fill(descriptor, data, mode)
        path.write_text("{other: 1}")  # another program, between our reading and our writing

    monkeypatch.setattr(module, "_fill", filled)
    with pytest.raises(WriteError, match="another program changed it just now"):
        write([document(path)], NOW)
    assert path.read_text() == "{other: 1}"
    assert names(tmp_path) == ["c.json5"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, who may run this, can write into any; so the system's answer is played."""
    path = tmp_path / "c.json5"
    path.write_text("{}")

    def denied(name: object, flags: int, mode: int = 0) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(WriteError, match=r"cannot be written \(Permission denied\)"):
        write([document(path)], NOW)
    assert path.read_text() == "{}" and names(tmp_path) == ["c.json5"]


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.json5"
    path.write_text("{}")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        write([document(path)], NOW)
    assert path.read_text() == "{}" and names(tmp_path) == ["c.json5"]


def test_what_was_written_before_one_that_cannot_be_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or none: the disk is full at the third file."""
    changed, made, third = (tmp_path / f"{name}.json5" for name in ("changed", "made", "third"))
    changed.write_text("{b: 1}")
    replace = module._replace

    def full(plan: module._Plan) -> None:
        if plan.path == third:
            raise OSError(28, "No space left on device")
        replace(plan)

    monkeypatch.setattr(module, "_replace", full)
    with pytest.raises(WriteError, match="No space left") as caught:
        write([document(changed), document(made), document(third)], NOW)
    assert changed.read_text() == "{b: 1}" and names(tmp_path) == ["changed.json5"]
    assert str(caught.value).endswith(f"it was left as it is. {made} is as it was before, too. {changed} is as it was before, too.")


def test_what_another_program_changed_since_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.json5", tmp_path / "second.json5"
    first.write_text("{b: 1}")
    replace = module._replace

    def disturbed(plan: module._Plan) -> None:
        if plan.path == second:
            first.write_text("{other: 1}")
            raise OSError(28, "No space left on device")
        replace(plan)

    monkeypatch.setattr(module, "_replace", disturbed)
    with pytest.raises(WriteError) as caught:
        write([document(first), document(second)], NOW)
    assert str(caught.value).endswith(f"{first} had been written already; as it was: {first}.{STAMP}.")
    assert first.read_text() == "{other: 1}" and names(tmp_path) == ["first.json5", f"first.json5.{STAMP}"]


def test_one_file_cannot_be_two_things(tmp_path: Path) -> None:
    """`--file` with the path of the client's other file."""
    path = tmp_path / ".env"
    with pytest.raises(WriteError, match="where another file of this client belongs"):
        write([Document(path, "yaml", (Put(("a",), 1),)), EnvFile(path, (("K", "1"),))], NOW)
    assert names(tmp_path) == []


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="is a folder"):
        write([document(tmp_path)], NOW)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(WriteError, match="no ordinary file"):
        write([document(fifo)], NOW)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(WriteError, match="Not a directory"):
        write([document(file / "x.json5")], NOW)
