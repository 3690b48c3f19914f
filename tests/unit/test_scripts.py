"""The scripts of a clone: plain POSIX shell, and what scripts/setup decides to run on which machine."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import setup_steps.carry_out
import setup_steps.stamp
from setup_steps.carry_out import SetupFailed, compiled_pct, duration
from setup_steps.facts import Facts, is_termux, venv_state
from setup_steps.lock import only_one
from setup_steps.packages import NEEDS, needs_of
from setup_steps.plan import PYDANTIC, TERMUX_WHEELS, plan
from setup_steps.stamp import read_stamp, setup_source, up_to_date, write_stamp
from setup_steps.step import Step

ROOT = Path(__file__).resolve().parent.parent.parent
SHELL = ("scripts/setup", "scripts/up", "scripts/test", ".ci/run")
SETUP = (
    "scripts/_setup.py",
    *sorted(f"scripts/setup_steps/{p.name}" for p in (ROOT / "scripts" / "setup_steps").glob("*.py")),
)

NOTHING: frozenset[str] = frozenset()
LLAMA = frozenset({"llama"})
TEST = frozenset({"test"})


# --- the shell scripts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHELL)
def test_script_is_executable_and_has_the_shebang(name: str) -> None:
    """`scripts/up` works as it stands, and `sh scripts/up` does wherever /bin/sh is missing."""
    assert os.access(ROOT / name, os.X_OK)
    assert (ROOT / name).read_text(encoding="utf-8").startswith("#!/bin/sh\n")


@pytest.mark.parametrize("name", SHELL)
def test_dash_reads_it(name: str) -> None:
    """Termux's sh and Debian's are dash."""
    dash = shutil.which("dash")
    if dash is None:
        pytest.skip("dash is not installed here: your system's package manager has it")
    done = subprocess.run([dash, "-n", ROOT / name], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SHELL)
def test_shellcheck_is_content(name: str) -> None:
    """Quoting, portability and the other things that shells get wrong."""
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed here: scripts/setup --test installs it on Debian as root")
    argv = [shellcheck, "--shell=sh", "--severity=style", str(ROOT / name)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


NOT_ON_ANDROID = r"/tmp\b|/usr/bin/env\b"
BASH_ONLY = r"\[\[ | == |\bsource |\bfunction |\blocal |<\(|<<<|&>|\$'"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        *[(name, NOT_ON_ANDROID) for name in (*SHELL, *SETUP)],
        *[(name, BASH_ONLY) for name in SHELL],
    ],
)
def test_script_avoids(name: str, pattern: str) -> None:
    """What a phone does not have is not used."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if not line.lstrip().startswith("#")]
    assert [line for line in code if re.search(pattern, line)] == []


def test_setup_names_what_to_install_without_a_python(tmp_path: Path) -> None:
    """With no Python on PATH the answer is one line to type."""
    for tool in ("dirname", "sh"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    for extra, remedy in (({}, "PYTHON="), ({"TERMUX_VERSION": "0.118.3"}, "pkg install -y python")):
        done = subprocess.run(
            ["sh", script],
            env={"PATH": str(tmp_path / "bin"), **extra},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 1
        assert "found no Python 3.11 to 3.14" in done.stderr
        assert remedy in done.stderr


@pytest.mark.parametrize("name", SETUP)
def test_setup_imports_only_the_standard_library_and_itself(name: str) -> None:
    """It runs before there is anything else."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    assert found <= {*sys.stdlib_module_names, "setup_steps"}


def test_setup_finds_its_steps_on_a_safe_path() -> None:
    """PYTHONSAFEPATH, as some people set it everywhere, leaves the script's own folder out of `sys.path`."""
    done = subprocess.run(
        ["sh", ROOT / "scripts" / "setup", "--help"],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- which machine, which commands ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "prefix", "expected"),
    [
        ("android", "", True),
        ("android", "/data/data/com.termux/files/usr", True),
        ("linux", "/data/data/com.termux/files/usr", True),  # Python up to 3.12
        ("linux", "", False),
        ("linux", "/usr/local", False),
        ("darwin", "/opt/homebrew", False),
    ],
)
def test_is_termux(platform: str, prefix: str, expected: bool) -> None:
    """Either sign is enough."""
    assert is_termux(platform, prefix) == expected


DEBIAN = Facts(
    root=Path("/clone"),
    python="/usr/bin/python3.11",
    version=(3, 11),
    pip=(23, 0),
    system="debian",
    admin=(),
    missing=NOTHING,
    venv="none",
    current=False,
    kept=NOTHING,
    extras={"llama": ("llama-cpp-python==1", "jinja2"), "test": ("pytest", "numpy")},
    cores=8,
)
TERMUX = replace(
    DEBIAN, python="/usr/bin/python3.14", version=(3, 14), pip=(26, 2), system="termux", admin=None
)
READY = replace(DEBIAN, venv="usable", current=True)


@pytest.mark.parametrize(
    ("facts", "wanted", "expected"),
    [
        pytest.param(DEBIAN, NOTHING, ["venv", "project"], id="fresh"),
        pytest.param(DEBIAN, LLAMA, ["venv", "project", "llama"], id="fresh-llama"),
        pytest.param(DEBIAN, LLAMA | TEST, ["venv", "project", "test", "llama"], id="the-long-build-last"),
        pytest.param(TERMUX, LLAMA, ["venv", "pydantic", "project", "llama"], id="termux"),
        pytest.param(READY, TEST, ["test"], id="adds-an-extra-without-touching-the-rest"),
        pytest.param(replace(READY, kept=LLAMA), LLAMA | TEST, ["test"], id="keeps-llama"),
        pytest.param(replace(READY, kept=LLAMA | TEST), LLAMA, [], id="nothing-to-do"),
        pytest.param(
            replace(DEBIAN, venv="usable", kept=TEST), LLAMA, ["project", "test", "llama"], id="new-pyproject"
        ),
        pytest.param(
            replace(DEBIAN, venv="stale", kept=TEST), NOTHING, ["venv", "project", "test"], id="new-python"
        ),
    ],
)
def test_order_of_steps(facts: Facts, wanted: frozenset[str], expected: list[str]) -> None:
    """The same facts, the same steps; each says in the stamp what is complete after it."""
    steps = plan(facts, wanted)
    assert [step.name for step in steps] == expected
    if steps:
        assert steps[-1].gives == wanted | facts.kept


@pytest.mark.parametrize(
    ("facts", "missing", "expected"),
    [
        pytest.param(
            DEBIAN,
            {"venv", "c++", "cmake", "ninja"},
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
            " python3.11-venv g++ cmake ninja-build -o DPkg::Lock::Timeout=300",
            id="root",
        ),
        pytest.param(
            replace(DEBIAN, admin=("sudo", "-n")),
            {"ninja"},
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
            " ninja-build -o DPkg::Lock::Timeout=300",
            id="sudo",
        ),
        pytest.param(
            TERMUX,
            {"venv", "numpy", "c++", "cmake", "ninja"},
            "pkg install -y python-pip python-ensurepip-wheels python-numpy"
            " clang make pkg-config libandroid-spawn cmake ninja",
            id="termux",
        ),
    ],
)
def test_system_packages(facts: Facts, missing: set[str], expected: str) -> None:
    """What is missing is installed where that can be done without asking."""
    steps = plan(replace(facts, missing=frozenset(missing)), LLAMA)
    assert expected in [" ".join(step.argv) for step in steps]
    assert (steps[0].name == "apt-update") == (facts.system == "debian")


@pytest.mark.parametrize(
    ("system", "missing", "said", "not_said"),
    [
        ("debian", {"c++"}, "sudo apt-get install -y --no-install-recommends g++\nOr go without", ""),
        ("debian", {"venv", "c++"}, "--no-install-recommends python3.11-venv g++", "go without"),
        ("debian", {"cmake", "shellcheck"}, "--no-install-recommends cmake\n", "shellcheck"),
        ("other", {"ninja"}, "lacks ninja.\nInstall it with your system's package manager", "apt"),
    ],
)
def test_without_root_it_says_what_to_type(system: str, missing: set[str], said: str, not_said: str) -> None:
    """Nothing is run then, and the one thing said can be pasted."""
    facts = replace(DEBIAN, system=system, admin=None, missing=frozenset(missing))  # type: ignore[arg-type]  # table
    steps = plan(facts, LLAMA)
    assert [step.argv for step in steps] == [()]
    assert said in steps[0].say
    assert not not_said or not_said not in steps[0].say


def test_shellcheck_is_a_wish() -> None:
    """Without root we go on without it, and with root a failure to install it stops nothing."""
    without = plan(replace(DEBIAN, admin=None, missing=frozenset({"shellcheck"})), TEST)
    assert [step.name for step in without] == ["venv", "project", "test"]
    with_root = plan(replace(DEBIAN, missing=frozenset({"shellcheck"})), TEST)
    assert [step.optional for step in with_root] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("system", "wanted", "expected"),
    [
        ("debian", NOTHING, {"venv"}),
        ("debian", LLAMA, {"venv", "c++", "cmake", "ninja"}),
        ("debian", TEST, {"venv", "shellcheck", "curl", "runsvdir", "adb", "npm"}),
        ("termux", NOTHING, {"venv"}),
        ("termux", LLAMA, {"venv", "numpy", "c++", "cmake", "ninja"}),
        ("termux", TEST, {"venv", "numpy", "shellcheck", "curl", "runsvdir", "adb", "npm"}),
    ],
)
def test_needs(system: str, wanted: frozenset[str], expected: set[str]) -> None:
    """Nobody installs a compiler for an engine that was declined; numpy is a package on a phone only."""
    assert needs_of(system, wanted) == expected
    assert expected <= NEEDS.keys()


def step_of(facts: Facts, name: str) -> Step:
    return next(step for step in plan(facts, LLAMA | TEST) if step.name == name)


def test_termux_specialities() -> None:
    """The phone's numpy is visible, pydantic's core comes from Termux's wheels and from nowhere else's."""
    assert "--system-site-packages" in step_of(TERMUX, "venv").argv
    assert "--system-site-packages" not in step_of(DEBIAN, "venv").argv
    for step in plan(TERMUX, LLAMA | TEST):
        extra_index = [a for a in step.argv if a.startswith("https:")]
        assert extra_index == ([TERMUX_WHEELS] if step.name == "pydantic" else [])
        if step.name != "venv":
            assert step.env["ANDROID_API_LEVEL"] == "24"
            assert PYDANTIC in step.argv
    assert all("ANDROID_API_LEVEL" not in step.env for step in plan(DEBIAN, LLAMA | TEST))


@pytest.mark.parametrize(
    ("facts", "jobs", "keeps_builds"),
    [(DEBIAN, "8", False), (replace(DEBIAN, cores=2, pip=(23, 1)), "2", True), (TERMUX, "4", True)],
)
def test_the_llama_build(facts: Facts, jobs: str, keeps_builds: bool) -> None:
    """From source, without OpenMP; old pips are told to keep what they compiled; phones stay cool."""
    step = step_of(facts, "llama")
    assert "--no-binary llama-cpp-python" in " ".join(step.argv)
    assert "--no-cache-dir" not in step.argv
    assert ("--use-feature=no-binary-enable-wheel-cache" in step.argv) == (not keeps_builds)
    assert "llama-cpp-python==1" in step.argv
    assert step.env["CMAKE_ARGS"] == "-DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF"
    assert step.env["CMAKE_BUILD_PARALLEL_LEVEL"] == jobs
    assert "scripts/setup --no-llama" in step.remedy


# --- the stamp -----------------------------------------------------------------------------------------------

PYPROJECT = b'[project]\nname = "x"\ndependencies = ["a"]\n[tool.ruff]\nline-length = 80\n'


def recipe(
    pyproject: bytes = PYPROJECT, this: bytes = b"", version: tuple[int, int] = (3, 11), root: str = "/c"
) -> str:
    return setup_steps.stamp.recipe(pyproject, this, version, Path(root))


def test_the_recipe_changes_with_what_is_installed() -> None:
    """A dependency, setup itself, the Python and the place count; a lint rule does not."""
    same = recipe()
    assert recipe(PYPROJECT.replace(b"80", b"99")) == same
    others = {
        recipe(PYPROJECT.replace(b'"a"', b'"b"')),
        recipe(this=b"changed"),
        recipe(version=(3, 12)),
        recipe(root="/elsewhere"),
    }
    assert len(others - {same}) == 4


def test_every_file_of_setup_counts(tmp_path: Path) -> None:
    """What Python compiled from them does not: that is there only from the second run on."""
    (tmp_path / "scripts" / "setup_steps" / "__pycache__").mkdir(parents=True)
    for name in SETUP:
        shutil.copy(ROOT / name, tmp_path / name)
    seen = [setup_source(tmp_path / "scripts")]
    for name in SETUP:
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        seen.append(setup_source(tmp_path / "scripts"))
    assert len(set(seen)) == 1 + len(SETUP)
    (tmp_path / "scripts" / "setup_steps" / "__pycache__" / "plan.pyc").write_bytes(b"compiled")
    assert setup_source(tmp_path / "scripts") == seen[-1]


@pytest.mark.parametrize(
    ("stamp", "wanted", "expected"),
    [
        ({}, NOTHING, False),
        ({"recipe": "now", "extras": []}, NOTHING, True),
        ({"recipe": "now", "extras": []}, LLAMA, False),
        ({"recipe": "now", "extras": ["llama", "test"]}, LLAMA, True),
        ({"recipe": "before", "extras": ["llama"]}, LLAMA, False),
    ],
)
def test_up_to_date(stamp: dict[str, object], wanted: frozenset[str], expected: bool) -> None:
    """At least what is wanted, from the recipe of now."""
    assert up_to_date(stamp, "now", wanted) == expected


def test_the_stamp_survives_a_round_trip_and_a_mess(tmp_path: Path) -> None:
    """A stamp that cannot be read is no stamp."""
    path = tmp_path / "stamp.json"
    assert read_stamp(path) == {}
    write_stamp(path, "now", LLAMA | TEST)
    assert read_stamp(path) == {"recipe": "now", "extras": ["llama", "test"]}
    for mess in ("", "{", "[]", "\x00"):
        path.write_text(mess)
        assert read_stamp(path) == {}


CFG = "home = /usr/bin\nversion = 3.11.7\ncommand = /usr/bin/python3 -m venv /c/.venv\n"


@pytest.mark.parametrize(
    ("cfg", "version", "works", "expected"),
    [
        (None, (3, 11), False, "none"),
        (CFG, (3, 11), True, "usable"),
        (CFG, (3, 12), True, "stale"),  # after `pkg upgrade`
        (CFG, (3, 11), False, "stale"),  # interrupted before pip was there
        (CFG.replace("/c/", "/moved/"), (3, 11), True, "stale"),
        ("home = /usr/bin\nversion_info = 3.11.7.final.0\n", (3, 11), True, "usable"),  # made by virtualenv
        ("", (3, 11), True, "stale"),
    ],
)
def test_venv_state(cfg: str | None, version: tuple[int, int], works: bool, expected: str) -> None:
    """Made by this Python, at this place, to the end."""
    assert venv_state(cfg, version, Path("/c/.venv"), works) == expected


# --- running steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", None),
        ("Collecting llama-cpp-python\n[notice] something [1/2]\n", None),
        ("  [1/200] Building C object\n", 0),
        ("  [1/200] Building\n  [50/200] Building\n  noise\n", 25),
        ("[200/200] Linking\n", 100),
        ("[0/0] odd\n", None),
    ],
)
def test_compiled_pct(log: str, expected: int | None) -> None:
    """Ninja's last word counts."""
    assert compiled_pct(log) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (59.9, "59 s"), (83.4, "1 min 23 s")])
def test_duration(seconds: float, expected: str) -> None:
    """Whole seconds, minutes when there are any."""
    assert duration(seconds) == expected


def python_step(code: str, *, optional: bool = False) -> Step:
    return Step("x", "say", (sys.executable, "-c", code), {"COLOUR": "red"}, "Do this", optional=optional)


def carry_out(step: Step, tmp_path: Path) -> None:
    with only_one(tmp_path / "lock") as lock_fd:
        setup_steps.carry_out.carry_out(step, tmp_path, lock_fd)


def test_a_failing_step_shows_its_end_and_the_remedy(tmp_path: Path) -> None:
    """The last lines, the status, the log and what to do: all that a person needs at once."""
    with pytest.raises(SetupFailed) as failed:
        carry_out(python_step("for n in range(99): print('line', n)\nraise SystemExit(3)"), tmp_path)
    said = str(failed.value)
    assert "exit status 3" in said
    assert "line 98" in said
    assert "line 69" in said
    assert "line 68" not in said
    assert str(tmp_path / "setup-x.log") in said
    assert said.endswith("Do this.")


def test_an_optional_step_may_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and setup goes on."""
    carry_out(python_step("raise SystemExit(3)", optional=True), tmp_path)
    assert "going on without it" in capsys.readouterr().out


def test_a_step_gets_its_environment_and_no_input(tmp_path: Path) -> None:
    """A command that asks a question must end, not wait."""
    carry_out(python_step("import os, sys; print(os.environ['COLOUR'], repr(sys.stdin.read()))"), tmp_path)
    assert (tmp_path / "setup-x.log").read_text() == "red ''\n"


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    """Named in the message."""
    with pytest.raises(SetupFailed, match="no-such-command cannot be run"):
        carry_out(Step("x", "say", ("no-such-command",)), tmp_path)


def test_progress_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long step says how long and how far; the file it waits for makes it as long as the test needs."""
    monkeypatch.setattr(setup_steps.carry_out, "PROGRESS_EVERY_S", 0.05)
    seen = tmp_path / "seen"
    code = (
        "import pathlib, time; print('[3/4] Building', flush=True)\n"
        f"while not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    thread = threading.Thread(target=carry_out, args=(python_step(code), tmp_path))
    thread.start()
    said = ""
    try:
        while "75 % compiled" not in said and thread.is_alive():
            said += capsys.readouterr().out
    finally:
        seen.touch()
        thread.join(20)
    assert "0 s, 75 % compiled" in said


def test_a_second_setup_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/up and scripts/test may be started at the same moment."""
    lock = tmp_path / "cache" / "setup.lock"
    order = []
    # capsys loses what another thread prints while it is being read, and this is said once only.
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdout", said)

    def second() -> None:
        with only_one(lock):
            order.append("second")

    thread = threading.Thread(target=second)
    give_up = time.monotonic() + 20
    with only_one(lock):
        thread.start()
        while "Waiting for another setup" not in said.getvalue() and time.monotonic() < give_up:
            time.sleep(0.01)
        order.append("first")
    thread.join(20)
    assert "Waiting for another setup" in said.getvalue()
    assert order == ["first", "second"]


def test_the_dry_run_of_this_clone_runs_nothing(tmp_path: Path) -> None:
    """In a fresh place: the plan in words and commands, and no trace of it."""
    (tmp_path / "scripts" / "setup_steps").mkdir(parents=True)
    for name in ("scripts/setup", *SETUP, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        ["sh", tmp_path / "scripts" / "setup", "--dry-run", "--no-llama"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert "Installing Farmhand and its libraries" in done.stdout
    assert "llama-cpp-python" not in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pyproject.toml", "scripts"]
