"""scripts/farmhand-tunnel: it runs alone, on an old Python; its flags, ports and keys, by tables."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tunnel_cases import SCRIPT, Rule, Want, tunnel

# --- it runs alone ---------------------------------------------------------------------------------------------------


def test_it_imports_only_the_standard_library() -> None:
    found = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").split(".")[0])
    assert found <= sys.stdlib_module_names


def test_python_3_9_can_read_it() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))


def pythons() -> list[str]:
    """Every Python on PATH from 3.9 on that works: a version manager's names need not."""
    found = [sys.executable]
    for minor in range(9, 15):
        name = shutil.which(f"python3.{minor}")
        if name and subprocess.run([name, "-c", ""], capture_output=True, timeout=60, check=False).returncode == 0:
            found.append(name)
    return found


@pytest.mark.parametrize("python", pythons())
def test_copied_alone_it_runs(python: str, tmp_path: Path) -> None:
    """Without site packages, without its repository, under the Pythons there are."""
    alone = shutil.copy(SCRIPT, tmp_path / "farmhand-tunnel")
    for flags, code in ((["--help"], 0), (["--adb", "none-such"], 3)):
        done = subprocess.run(
            [python, "-S", "-I", alone, *flags], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_it_is_executable() -> None:
    """This one is for laptops, so `env` finds its Python; on the phone nothing starts like that."""
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")


def test_the_help_names_every_exit_code() -> None:
    codes = (tunnel.DONE, tunnel.FAILED, tunnel.USAGE, tunnel.NO_ADB, tunnel.NO_PHONE, tunnel.NOT_PROVEN)
    for code in (*codes, tunnel.PORT_TAKEN, tunnel.KEY_REFUSED, tunnel.CTRL_C, tunnel.TERMINATED):
        assert f"{code} " in tunnel.parser().epilog


# --- which port ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8888", Want(8888, 8888)), ("18888:8888", Want(18888, 8888)), ("0:8888", Want(0, 8888))],
)
def test_parse_port(text: str, expected: Any) -> None:
    assert tunnel.parse_port(text) == expected


@pytest.mark.parametrize("text", ["", "x", "8888:", ":8888", "1:2:3", "8888:0", "65536", "70000:1", "-1:5", " 1:2"])
def test_parse_port_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        tunnel.parse_port(text)


def test_wanted_ports() -> None:
    def wanted(*more: Any, **how: bool) -> list[Any]:
        return list(tunnel.wanted_ports(8888, more=more, **{"proxy": False, "gateway": False, **how}))

    assert wanted() == [Want(8888, 8888)]
    assert wanted(proxy=True, gateway=True) == [Want(8888, 8888), Want(4000, 4000), Want(18789, 18789)]
    assert wanted(Want(9000, 8888), Want(2222, 8022)) == [Want(9000, 8888), Want(2222, 8022)]
    assert wanted(Want(0, 8888), Want(0, 8022)) == [Want(0, 8888), Want(0, 8022)]
    with pytest.raises(ValueError, match="4000 of the laptop cannot lead to both 4000 and 8022"):
        wanted(Want(4000, 8022), proxy=True)


@pytest.mark.parametrize(
    ("want", "before", "expected"),
    [
        (Want(8888, 8888), 0, [8888, 18888, 28888, 0]),
        (Want(8888, 8888), 8888, [8888, 18888, 28888, 0]),
        (Want(8888, 8888), 18888, [18888, 8888, 28888, 0]),
        (Want(60000, 1), 0, [60000, 0]),
        (Want(0, 1), 0, [0]),
        (Want(0, 1), 40123, [40123, 0]),
    ],
)
def test_candidates(want: Any, before: int, expected: list[int]) -> None:
    assert tunnel.candidates(want, before) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], ""),
        ([Rule("A", "tcp:8888", "tcp:8888")], "have"),
        ([Rule("A", "tcp:8888", "tcp:22")], "leads to tcp:22 of this phone"),
        ([Rule("B", "tcp:8888", "tcp:8888")], "has a rule of adb's to the phone B"),
        ([Rule("A", "tcp:18888", "tcp:8888"), Rule("B", "tcp:88", "tcp:8888")], ""),
    ],
)
def test_judge_rule(rules: list[Any], expected: str) -> None:
    assert tunnel.judge_rule(rules, "A", 8888, 8888) == expected


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [tunnel.pause_s(misses) for misses in range(50)]
    assert pauses == sorted(pauses) and pauses[0] == 0.25 and pauses[-1] == 8.0


# --- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [" sk-farm-aB_9.x~\n", "Bearer sk-farm-aB_9.x~", "OPENAI_API_KEY=sk-farm-aB_9.x~", "export OPENAI_API_KEY='sk-farm-aB_9.x~'"],
)
def test_clean_key(text: str) -> None:
    assert tunnel.clean_key(text) == "sk-farm-aB_9.x~"


@pytest.mark.parametrize("text", ["", "  ", "secret words", "secret'; rm", "sécret", "secret\x07"])
def test_clean_key_refuses_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        tunnel.clean_key(text)
    assert "secret" not in str(caught.value)


def test_settings_for_the_shell_of_the_platform() -> None:
    assert tunnel.settings_lines("U", "K", "linux") == ["export OPENAI_BASE_URL='U'", "export OPENAI_API_KEY='K'"]
    assert tunnel.settings_lines("U", "K", "win32") == ["$env:OPENAI_BASE_URL = 'U'", "$env:OPENAI_API_KEY = 'K'"]


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("", "A=1\nB=2\n"),
        ("X=9", "X=9\nA=1\nB=2\n"),
        ("export A=0\n# A=3\nAA=4\n  B = 5\n", "# A=3\nAA=4\nA=1\nB=2\n"),
    ],
)
def test_merge_env(old: str, expected: str) -> None:
    assert tunnel.merge_env(old, {"A": "1", "B": "2"}) == expected
    assert tunnel.merge_env(expected, {"A": "1", "B": "2"}) == expected


# --- flags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--connect", "phone"], "--connect: 'phone' is not HOST:PORT"),
        (["--connect", "10.0.0.2:5", "--serial", "A"], "name two phones"),
        (["--port", "x"], "'x' is not LOCAL:REMOTE"),
        (["--port", "5:99999"], "a port is a number from 1 to 65535"),
        (["--phone-port", "0"], "a port is a number from 1 to 65535"),
        (["--key", "k"], "belong to --pair"),
        (["--write-env", "f"], "belong to --pair"),
        (["--yes"], "belongs to --fix"),
        (["--interval", "0"], "--interval is from"),
        (["--interval", "nan"], "--interval is from"),
        (["--wait", "-1"], "--wait from"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tunnel.checked_args(flags)
    assert caught.value.code == tunnel.USAGE
    assert says in capsys.readouterr().err
