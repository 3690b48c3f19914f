"""`farmhand connect` at the command line, as far as it comes without a server."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from adapter.cli import main
from adapter.connect import cli


def test_a_file_of_a_user_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "env", "--file", "~no-such-user-here/.env"]) == 1
    assert capsys.readouterr() == ("", "farmhand: --file: ~no-such-user-here/.env: there is no such user\n")


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    assert main(["connect", "env", "--file", ".env"]) == 1
    assert "farmhand: the current folder is not there any more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "shown"), [("none", "none"), ("", ""), ("sk-1234", "…"), ("password", "…"), ("sk-fh1.eyJpIjoiNWQ.WWXYZ", "sk-fh1.eyJp…")]
)
def test_a_key_is_shown_in_full_only_when_asked_for(key: str, shown: str) -> None:
    """`none` is what a client says to a server that wants no key."""
    assert cli._key(argparse.Namespace(show_key=False), key) == shown
    assert cli._key(argparse.Namespace(show_key=True), key) == key
