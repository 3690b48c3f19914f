"""Secrets of other servers: where they may stand, and what is said when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.configuration import SettingsError
from adapter.secrets import MAX_BYTES, SecretError, read_secret

SETTING = '[[engine]] "phone": key'


def test_text_is_the_secret() -> None:
    assert read_secret("  sk-1/2~x ", setting=SETTING) == "sk-1/2~x"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONE_KEY", "s3cret\n")
    assert read_secret("os.environ/PHONE_KEY", setting=SETTING) == "s3cret"


@pytest.mark.parametrize("data", [b"s3cret", b"s3cret\r\n", b"  s3cret \n\n"])
def test_from_a_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    assert read_secret(f"file:{tmp_path / 'key'}", setting=SETTING) == "s3cret"


def test_from_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("s3cret")
    assert read_secret("file:~/key", setting=SETTING) == "s3cret"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds nothing"),
        (b" \n", "holds nothing"),
        (b"two words", "cannot be sent"),
        (b"a\nb", "cannot be sent"),
        ("schlüssel".encode(), "cannot be sent"),
        (b"\xff\xfe", "cannot be sent"),
        (b"x" * (MAX_BYTES + 1), "too large"),
    ],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SecretError, match=said) as caught:
        read_secret(f"file:{tmp_path / 'key'}", setting=SETTING)
    assert str(caught.value).startswith(SETTING)
    assert content.decode("latin-1").strip()[:50] not in str(caught.value) or not content.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file:/nowhere/key", "/nowhere/key cannot be read"),
        ("file:", "cannot be read"),
        ("file:a\0b", "cannot be read"),
        ("os.environ/FARMHAND_TEST_NOT_SET", "FARMHAND_TEST_NOT_SET is missing"),
        ("os.environ/", "missing"),
        ("not a key", "cannot be sent"),
    ],
)
def test_what_cannot_be_had_is_an_error_of_the_settings(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_secret(text, setting=SETTING)
    assert str(caught.value).startswith(SETTING)
