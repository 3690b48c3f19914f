"""`farmhand serve`, `models`, `chat` and `status`: their flags, and the lines that a user pastes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter.cli import _banner, main
from adapter.settings import Settings


def banner(home: Path, key: str = "sk-farm-x", **sections: Any) -> str:
    return _banner(Settings(home=home, **sections), key, 4711)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:4711/v1"),
        ("localhost", "http://127.0.0.1:4711/v1"),
        ("0.0.0.0", "http://127.0.0.1:4711/v1"),
        ("::1", "http://[::1]:4711/v1"),
        ("::", "http://[::1]:4711/v1"),  # asyncio's IPv6 sockets take no IPv4
        ("192.168.1.7", "http://192.168.1.7:4711/v1"),
    ],
)
def test_the_url_works_from_this_machine(tmp_path: Path, host: str, base: str) -> None:
    assert f"Farmhand answers at {base}\n" in banner(tmp_path, server={"host": host})


def curl(text: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith("curl")]
    return shlex.split(line)


def test_the_curl_line_is_one_for_a_shell(tmp_path: Path) -> None:
    """Also with a key of one's own that has quotes in it."""
    words = curl(banner(tmp_path, key="it's-$HOME-`x`"))
    assert words[:3] == ["curl", "-N", "http://127.0.0.1:4711/v1/chat/completions"]
    assert "Authorization: Bearer it's-$HOME-`x`" in words
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["stream"]) == ("demo", True)


def test_without_the_demo_model_the_curl_line_asks_for_auto(tmp_path: Path) -> None:
    words = curl(banner(tmp_path, engine=[{"name": "e", "kind": "echo"}]))
    assert json.loads(words[-1])["model"] == "auto"


def test_no_key_is_shown_where_none_is_needed(tmp_path: Path) -> None:
    text = banner(tmp_path, auth={"required": False})
    assert "sk-farm-x" not in text and "Authorization" not in text


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["serve", "--port", "http"],
        ["serve", "--port", "9" * 5_000],
        ["serve", "--what"],
        ["models"],
        ["models", "nonsense"],
        ["models", "pull"],
        ["models", "rm"],
        ["models", "list", "name"],
        ["chat", "--what"],
        ["status", "--what"],
        ["status", "now"],
    ],
)
def test_wrong_flags_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: farmhand" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone.toml"
    assert main(["serve", "--config", str(gone)]) == 1
    assert capsys.readouterr().err == f"farmhand: {gone}: there is no such configuration file\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["models", "pull", "qwen"], "'qwen' is no source of a model"),
        (["models", "default", "gone"], "there is no model 'gone'"),
        (["models", "verify", "gone"], "there is no model 'gone'"),
        (["models", "rm", "gone", "--yes"], "there is no model 'gone'"),
        (["chat", "--key", "sk\nx", "hi"], "--key: a key has no spaces"),
        (["chat", "--key", "", "hi"], "--key: a key has no spaces"),
        (["chat", "--url", "nonsense", "hi"], "--url: 'nonsense' must look like"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    argv: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 1, one line on standard error, nothing on standard output."""
    monkeypatch.setenv("FARMHAND_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("farmhand: ") and says in err


@pytest.mark.parametrize("command", ["models", "chat", "status"])
def test_the_new_commands_import_no_server_and_no_client(command: str) -> None:
    """`--help` is quick on a phone."""
    code = (
        "import sys; from adapter.cli import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit: print([m for m in ('aiohttp', 'asyncio', 'jinja2', 'llama_cpp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "aiohttp" not in done.stdout.splitlines()[-1]
    assert f"usage: farmhand {command}" in done.stdout
