"""The `farmhand` command: who answers what, in which words, with which exit status."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Sequence
from importlib import metadata

import pytest

from phone import cli


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A stand-in for `adapter.cli`; the list holds the argument lists it was called with."""
    calls: list[list[str]] = []

    def main(argv: Sequence[str] | None = None) -> int:
        calls.append(list(argv or ()))
        return 7

    module = types.ModuleType(cli.ADAPTER_CLI)
    module.main = main  # type: ignore[attr-defined]  # made up here
    monkeypatch.setitem(sys.modules, cli.ADAPTER_CLI, module)
    return calls


@pytest.mark.parametrize(
    "argv",
    [
        ["serve"],
        ["serve", "--port", "0"],
        ["serve", "--help"],
        ["serve", "--version"],
        ["models", "pull", "hf:a/b/c.gguf", "--name", "x"],
        ["chat", "--model", "demo", "which port?", "-"],
        ["status", "--json"],
        ["status", "--url", "http://127.0.0.1:9/v1"],
        ["token", "list"],
    ],
)
def test_what_is_built_goes_to_the_adapter_with_all_its_arguments(argv: list[str], adapter: list[list[str]]) -> None:
    """The adapter's arguments are its own business, --help included, and its exit status is ours."""
    assert cli.main(argv) == 7
    assert adapter == [argv]


@pytest.mark.parametrize("command", sorted(cli.PHONE_COMMANDS))
def test_the_bundles_commands_have_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Their module is there, knows the command, and says what its flags are."""
    with pytest.raises(SystemExit) as exit_info:
        cli.main([command, "--help"])
    assert exit_info.value.code == 0
    assert f"usage: farmhand {command}" in capsys.readouterr().out


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error ends with status 2, names itself and the commands there are."""
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["sevre"])
    assert exit_info.value.code == 2
    assert "sevre" in (err := capsys.readouterr().err)
    assert "serve" in err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`farmhand` alone is a mistake that shows what could have been typed."""
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """All the tables are in the help."""
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--help"])
    assert exit_info.value.code == 0
    out = capsys.readouterr().out
    for command in [*cli.ADAPTER_COMMANDS, *cli.PHONE_COMMANDS, "status"]:
        assert command in out


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the installed distribution's; in a bare clone it says why there is none."""
    monkeypatch.setattr(metadata, "version", lambda name: {"farmhand": "1.2.3"}[name])
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "farmhand 1.2.3\n"

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert cli.main(["--version"]) == 0
    assert "scripts/setup" in capsys.readouterr().out


def test_module_and_help_import_no_server() -> None:
    """`python -m phone --help` works and stays light: the adapter is imported only for its commands."""
    code = (
        "import sys; from phone.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([m for m in sys.modules if m.split('.')[0] in ('adapter', 'aiohttp')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    done = subprocess.run(
        [sys.executable, "-m", "phone", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("farmhand ")
