"""The generated key: made once, readable by its owner only, and never a broken one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapter.keys import KeyFileError, load_or_create_key

LOAD = "import sys, pathlib; from adapter.keys import *; print(load_or_create_key(pathlib.Path(sys.argv[1])))"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_start_makes_a_key(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    key = load_or_create_key(home)
    assert key.startswith("sk-farm-") and len(key) >= 40
    assert (home / "key").read_text() == f"{key}\n"
    assert (mode(home / "key"), mode(home)) == (0o600, 0o700)
    assert [path for path in home.iterdir() if mode(path) & 0o077] == [], "nothing else is open to others"


def test_the_next_start_keeps_it(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path) == load_or_create_key(tmp_path)


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "a") != load_or_create_key(tmp_path / "b")


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """Two services of one phone, started by runit in the same moment."""
    home = tmp_path / "home"
    starts = [
        subprocess.Popen([sys.executable, "-c", LOAD, str(home)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    keys = {start.communicate(timeout=30)[0] for start in starts}
    assert [start.returncode for start in starts] == [0] * 4
    assert keys == {(home / "key").read_text()}


def test_a_key_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    """After a copy or a restored backup."""
    key = load_or_create_key(tmp_path)
    (tmp_path / "key").chmod(0o644)
    assert load_or_create_key(tmp_path) == key
    assert mode(tmp_path / "key") == 0o600


def test_a_key_of_ones_own_may_be_put_there(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  my-own-key-0123456789\n\n")
    assert load_or_create_key(tmp_path) == "my-own-key-0123456789"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"too-short",
        b"two-keys-12345678\ntwo-keys-87654321\n",
        b"with a space 0123456789",
        b"nul\x00nul\x00nul\x00nul\x00nul",
        "schlüssel-0123456789".encode(),
        b"\xff\xfe" * 20,
    ],
)
def test_a_broken_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    """No client could ever send such a key; starting with it would look like a wrong key everywhere."""
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyFileError) as caught:
        load_or_create_key(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "key"))
    assert (tmp_path / "key").read_bytes() == content, "it is left for its owner to look at"


def test_half_a_key_from_a_kill_is_no_key(tmp_path: Path) -> None:
    """The finished file is renamed into place; what a killed start left behind is overwritten."""
    (tmp_path / ".key.new").write_text("sk-farm-ha")
    assert len(load_or_create_key(tmp_path)) >= 40


@pytest.mark.parametrize("what", ["home", "key"])
def test_a_file_and_a_folder_mixed_up(tmp_path: Path, what: str) -> None:
    home = tmp_path / "home"
    if what == "home":
        home.write_text("")
    else:
        (home / "key").mkdir(parents=True)
    with pytest.raises(KeyFileError, match="check FARMHAND_HOME"):
        load_or_create_key(home)
