"""The files of `termux/`: what dash and Android ask of them (`facts/termux.md` 2.3 and 3). They run in
tests/live/test_runit_*.py and test_boot_script.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from phone.places import SERVICE_PREFIX, TERMUX_PREFIX
from phone.supervisor.types import SUPERVISOR, Service

ROOT = Path(__file__).resolve().parents[2]
TERMUX = ROOT / "termux"
FILES = [path for path in sorted(TERMUX.rglob("*")) if path.is_file() and path.suffix != ".md"]
DOWN = [path for path in FILES if path.name == "down"]
SHELL = [path for path in FILES if path.name != "down" and path.suffix != ".cjs"]
SOURCED = [TERMUX / "service.sh"]
SCRIPTS = [path for path in SHELL if path not in SOURCED]
SERVICES = sorted(path.name for path in (TERMUX / "sv").iterdir())
# What hands over to a program: without `exec` a shell would stay between it and its signals.
HANDS_OVER = [path for path in SCRIPTS if path.name in ("run", "check", "anchor", "00-farmhand", "farmhand")]
SHEBANG = f"#!{TERMUX_PREFIX}/bin/sh"

NOT_ON_ANDROID = r"(?<!PREFIX)/tmp\b|/usr/bin/env\b|(?<!usr)/bin/sh\b|/etc/passwd|\bsudo\b|\bmktemp\b"
BASH_ONLY = (
    r"\[\[ | == |\bsource |\bfunction |\blocal |<\(|<<<|&>|\$'"
    r"|\becho -|\+=|\$\{[^}]*(//|,,|\^\^)|\bdeclare |\bpushd |\bread -[^r]"
)


def name_of(path: Path) -> str:
    return path.relative_to(TERMUX).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_of(path: Path) -> list[str]:
    """Lines without those that are comments as a whole."""
    return [line for line in text_of(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_are_the_files_that_the_tests_below_are_about() -> None:
    """A glob that finds nothing would make them pass."""
    assert [name for name in SERVICES if not name.startswith(SERVICE_PREFIX)] == []
    assert {*SERVICES} == {SUPERVISOR, *(service.folder for service in Service)}
    assert len(SCRIPTS) == 4 * len(SERVICES) + 6
    assert len(HANDS_OVER) == 3 * len(SERVICES) + 3


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_it_is_executable_and_has_the_shebang(path: Path) -> None:
    """Under Termux:Boot nothing rewrites shebangs, and runit restarts for ever, in silence, what it cannot execute."""
    assert text_of(path).split("\n")[0] == SHEBANG
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("path", SOURCED, ids=name_of)
def test_what_is_sourced_is_no_program(path: Path) -> None:
    """It has no shebang and is not started."""
    assert not text_of(path).startswith("#!")
    assert not path.stat().st_mode & 0o111


@pytest.mark.parametrize("path", SHELL, ids=name_of)
def test_the_prefix_is_all_that_is_to_be_mapped(path: Path) -> None:
    """Other places map the text of Termux's prefix; an absolute path of another kind would stay Termux's, or somebody else's."""
    code = "\n".join(code_of(path)).replace(TERMUX_PREFIX, "")
    found = re.findall(r"(?<![\w.\"}*])/(?!proc/|dev/null)\w+/[\w/]*", code)
    assert [place for place in found if not re.match(r"/(bin|etc|libexec|var|sv|share)/", place)] == []
    assert "/data/" not in code and "com.termux" not in code


@pytest.mark.parametrize("path", SHELL, ids=name_of)
def test_dash_reads_it(path: Path) -> None:
    """Termux's sh is dash (`facts/termux.md` 1, row 4)."""
    dash = shutil.which("dash")
    if dash is None:
        pytest.skip("dash is not installed here: your system's package manager has it")
    done = subprocess.run([dash, "-n", path], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_shellcheck_is_content() -> None:
    """Quoting, portability and the other things that shells get wrong; with service.sh read where it is sourced."""
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed here: scripts/setup --test installs it on Debian as root")
    argv = [shellcheck, "--shell=dash", "--severity=style", "--external-sources", f"--source-path={ROOT}"]
    done = subprocess.run([*argv, *SHELL], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", SHELL, ids=name_of)
@pytest.mark.parametrize("pattern", [NOT_ON_ANDROID, BASH_ONLY], ids=["android", "bash"])
def test_it_avoids(path: Path, pattern: str) -> None:
    """What a phone does not have, and what dash does not know."""
    lines = [line.replace(TERMUX_PREFIX, "usr") for line in code_of(path)]
    assert [line for line in lines if re.search(pattern, line)] == []


@pytest.mark.parametrize("line", ["source x", "cat /tmp/x", "if [[ a", 'x == "y"', "local x", "echo -n x", "#!/bin/sh", "/usr/bin/env sh"])
def test_the_patterns_find(line: str) -> None:
    """The test above is worth as much as this."""
    assert re.search(f"{NOT_ON_ANDROID}|{BASH_ONLY}", f" {line} ")


@pytest.mark.parametrize("path", HANDS_OVER, ids=name_of)
def test_its_last_line_is_an_exec(path: Path) -> None:
    """Otherwise `sv down` ends the shell, and the program lives on as an orphan with its port (`facts/termux.md` 2.3)."""
    assert code_of(path)[-1].startswith("exec ")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_complete(service: str) -> None:
    """All but the supervisor wait for it: `down`."""
    folder = TERMUX / "sv" / service
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {"run", "finish", "check", "log/run"} | (set() if service == SUPERVISOR else {"down"})


@pytest.mark.parametrize("path", DOWN, ids=name_of)
def test_down_is_empty(path: Path) -> None:
    """A mark, and nothing else."""
    assert path.read_bytes() == b""


@pytest.mark.parametrize("path", [path for path in SCRIPTS if TERMUX / "sv" in path.parents], ids=name_of)
def test_what_a_script_of_a_service_begins_with(path: Path) -> None:
    """Its errors in its log, its own name, and the settings that it cannot expect from whoever started runit."""
    service = path.relative_to(TERMUX / "sv").parts[0]
    # `sv` starts `check` without a standard output: `2>&1` alone would end it.
    output = "exec > /dev/null 2>&1" if path.name == "check" else "exec 2>&1"
    first = [line.split("  #")[0] for line in code_of(path)[:3]]
    assert first == [output, f"name={service}", f". {TERMUX_PREFIX}/libexec/farmhand/service.sh"]


def test_the_boot_folder_holds_one_plain_file() -> None:
    """A folder in there makes Termux:Boot stop in silence; two scripts would run at the same time (`facts/termux.md` 3)."""
    (entry,) = (TERMUX / "boot").iterdir()
    assert entry.is_file() and not entry.is_symlink()
    assert entry.name == "00-farmhand"


@pytest.mark.parametrize("path", SHELL, ids=name_of)
def test_nothing_is_put_into_the_background(path: Path) -> None:
    """runit must be the parent of what it looks after, and a task of the app's ends with its last child."""
    assert [line for line in code_of(path) if re.search(r"(?<![&>])&(?![&>\d])|\bnohup\b|\bsetsid\b", line)] == []


def test_state_is_outside_tmpdir() -> None:
    """Termux empties it when its service stops (`facts/termux.md` 4.1)."""
    lines = [(name_of(path), line) for path in SHELL for line in code_of(path) if "TMPDIR" in line or "/tmp" in line]
    assert lines == [("service.sh", "TMPDIR=$PREFIX/tmp"), ("service.sh", next(text for _, text in lines if "export" in text))]


# --- `env.local`: what the two services take from it ---------------------------------------------------------------

ENV_FUNCTIONS = {
    "farmhand-litellm": ("take_variables", 'take_variables "$1"; printf %s "${KEY-}"'),
    "farmhand-openclaw": ("value_of", 'value_of KEY "$1"'),
}


@pytest.mark.parametrize("service", ENV_FUNCTIONS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY=plain", "plain"),
        ("KEY=one\nKEY=two\nOTHER=three\n", "two"),
        ("  export KEY=indented\n", "indented"),
        ("KEY=padded=\n", "padded="),  # as base64 ends
        ("KEY=a=b==\n", "a=b=="),
        ("KEY=sk-1 # of the proxy\n", "sk-1"),
        ("KEY=sk-1 \t # of the proxy\n", "sk-1"),
        ("KEY=sk#1\n", "sk#1"),
        ("KEY='quoted # so' # or so\n", "quoted # so"),
        ('KEY="it\'s"\n', "it's"),
        ("KEY=windows\r\n", "windows"),
        ("KEY='windows'\r\n", "windows"),
        ("KEY=$(echo run) `echo run`\n", "$(echo run) `echo run`"),
        ("KEY=\n", ""),
        ("KEY\nKEYS=x\n", ""),
        ("", ""),
    ],
)
def test_a_value_of_env_local(service: str, text: str, value: str, tmp_path: Path) -> None:
    """Both the same, for the one is given the key that the other asks for."""
    name, call = ENV_FUNCTIONS[service]
    script = text_of(TERMUX / "sv" / service / "run")
    found = re.search(rf"^carriage_return=.*?^{name}\(\) {{.*?^}}$", script, re.MULTILINE | re.DOTALL)
    assert found is not None
    file = tmp_path / "env.local"
    file.write_bytes(text.encode())
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-c", f"set -u\n{found[0]}\n{call}", "test", str(file)], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, value, "")
