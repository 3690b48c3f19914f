"""The twelve facts that shape the design (`facts/termux.md` 1): which test fails if the code forgets one, and what only the text of the code shows.

`PINS` is the table; that each test in it exists is checked here, so that it cannot grow old in silence.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

PINS: dict[int, tuple[str, ...]] = {
    1: (
        "live/test_android.py::test_without_the_shim_it_would_not_load",
        "live/test_android.py::test_the_bundle_answers",
    ),
    2: (
        "unit/test_lock_policy.py::test_whatever_happens_it_is_never_given_back_without_an_anchor",
        "live/test_bundle_power.py::test_wake_lock_and_heat",
        "live/test_boot_script.py::test_boot",
        "live/test_termux_facts.py::test_termux_empties_its_tmp",
        "unit/test_termux_files.py::test_state_is_outside_tmpdir",
    ),
    3: (
        "unit/test_lock_policy.py::test_somebody_elses_unlock_is_made_good_within_retake_s",
        "unit/test_lock_policy.py::test_what_is_said_of_it_is_no_more_than_is_known",
        "unit/test_termux_facts.py::test_the_wake_lock_is_given_back_in_one_place",
    ),
    4: (
        "unit/test_termux_files.py::test_it_avoids",
        "unit/test_termux_files.py::test_dash_reads_it",
        "unit/test_install_plan.py::test_the_shell_scripts_suit_dash_and_android",
        "live/test_doctor.py::test_somebody_elses_boot_script",
    ),
    5: (
        "unit/test_termux_files.py::test_the_boot_folder_holds_one_plain_file",
        "live/test_boot_script.py::test_a_folder_in_the_boot_folder",
        "live/test_install_keeps.py::test_what_else_is_in_the_boot_folder",
        "live/test_doctor.py::test_a_folder_in_the_boot_folder",
    ),
    6: (
        "unit/test_termux_files.py::test_the_boot_folder_holds_one_plain_file",
        "live/test_termux_facts.py::test_boot_scripts_start_all_at_once",
        "live/test_doctor.py::test_termux_boot_was_never_opened",
    ),
    7: (
        "live/test_runit_traps.py::test_the_measured_trap_of_service_daemon",
        "live/test_bundle_boot.py::test_service_daemon_restart",
        "unit/test_termux_facts.py::test_nobody_stops_the_daemon_under_its_services",
    ),
    8: (
        "live/test_termux_commands.py::test_every_command_in_every_mode",
        "live/test_termux_commands.py::test_bad_answers_to_each_question",
        "live/test_doctor.py::test_termux_api_hangs",
        "unit/test_termux_facts.py::test_every_command_of_a_script_has_a_time_limit",
        "unit/test_termux_facts.py::test_the_supervisor_starts_programs_in_one_place",
    ),
    9: (
        "unit/test_scripts.py::test_termux_specialities",
        "live/test_doctor.py::test_of_this_shell",
    ),
    10: (
        "unit/test_termux_facts.py::test_aiohttp_is_one_with_a_wheel_for_android",
        "live/test_android_resolve.py::test_every_runtime_dependency_has_a_wheel_for_the_phone",
    ),
    11: (
        "unit/test_pydantic_pin.py::test_setup_pins_it",
        "unit/test_pydantic_pin.py::test_these_tests_run_on_the_phones_pydantic",
        "live/test_android_resolve.py::test_what_the_exceptions_need_is_as_written",
    ),
    12: (
        "live/test_termux_facts.py::test_another_app_of_the_phone",
        "unit/test_guard.py::test_not_ours",
        "live/test_tunnel.py::test_pair_with_a_bad_key",
        "live/test_doctor.py::test_no_key_is_asked_for",
    ),
}


def test_no_fact_is_left_out() -> None:
    assert list(PINS) == list(range(1, 13))


@pytest.mark.parametrize("pin", sorted({pin for pins in PINS.values() for pin in pins}))
def test_the_table_is_true(pin: str) -> None:
    """The test is there, and is one that asserts something."""
    name, _, function = pin.partition("::")
    tree = ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function)
    calls = {node.func.id for node in ast.walk(found) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    helpers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in calls]
    assert any(isinstance(node, ast.Assert) for part in (found, *helpers) for node in ast.walk(part))


# --- what only the text shows ------------------------------------------------------------------------------------


def python_files() -> Iterator[tuple[str, ast.AST]]:
    """What runs on a phone, but for scripts that build or measure."""
    for folder in ("adapter", "phone", "scripts/install_steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def shell_files() -> Iterator[tuple[str, list[str]]]:
    """Name, and lines of code."""
    paths = [path for path in sorted((ROOT / "termux").rglob("*")) if path.is_file() and path.suffix != ".md"]
    for path in [*paths, *(ROOT / "scripts" / name for name in ("install", "uninstall", "setup", "up"))]:
        lines = path.read_text(encoding="utf-8").splitlines()
        yield path.relative_to(ROOT).as_posix(), [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def words_of(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """What looks like a command: the constants of a list, a tuple or a call's arguments, in their order."""
    for node in ast.walk(tree):
        items = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.List | ast.Tuple) else ()
        yield tuple(item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str))


def test_the_wake_lock_is_given_back_in_one_place() -> None:
    """It is one for all of Termux (row 3): only the supervisor's policy may, which looks for an anchor first (row 2)."""
    places = {name for name, tree in python_files() for words in words_of(tree) if "termux-wake-unlock" in words}
    scripts = {name for name, lines in shell_files() for line in lines if "wake-unlock" in line}
    assert (places, scripts) == ({"phone/termux.py"}, set())
    callers = {
        name
        for name, tree in python_files()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "wake_unlock"
    }
    assert callers == {"phone/supervisor/wake.py"}


def test_nobody_stops_the_daemon_under_its_services() -> None:
    """`service-daemon stop` kills after 2 s, and `restart` may leave it down (row 7): ours only ever start it."""
    said = {words for _, tree in python_files() for words in words_of(tree) if "service-daemon" in words and len(words) < 5}
    assert said and all(not {"stop", "restart"} & {*words} for words in said)
    assert [line for _, lines in shell_files() for line in lines if re.search(r"service-daemon\b.*\b(stop|restart)\b", line)] == []


def test_every_command_of_a_script_has_a_time_limit() -> None:
    """Every termux-* command may block for ever (row 8)."""
    calls = [line for _, lines in shell_files() for line in lines if re.search(r"(^|[;&| ])(termux-[a-z-]+|am) ", f"{line} ") and "printf" not in line]
    assert calls and all(re.match(r"timeout -k \d+ \d+ ", line) for line in calls), calls


def test_the_supervisor_starts_programs_in_one_place() -> None:
    """In `phone` whoever runs a command goes through `Runs`, which takes a limit, kills the whole group, and is tested for it (row 8)."""
    forbidden = {"subprocess", "pty", "multiprocessing"}
    starts = {"system", "popen", "fork", "posix_spawn", "execv", "execvp", "spawnv", "create_subprocess_exec", "create_subprocess_shell"}
    found = []
    for name, tree in python_files():
        if not name.startswith("phone/"):
            continue
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{name}: {one}" for one in names if one.partition(".")[0] in forbidden]
            found += [f"{name}: {node.attr}"] if isinstance(node, ast.Attribute) and node.attr in starts else []
    assert found == []


def test_aiohttp_is_one_with_a_wheel_for_android() -> None:
    """From 3.14.0 on (row 10); an older one would be built on the phone, or not at all."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (aiohttp,) = (Requirement(line) for line in project["dependencies"] if Requirement(line).name == "aiohttp")
    assert not any(aiohttp.specifier.contains(old) for old in ("3.9.5", "3.13.9"))
    assert aiohttp.specifier.contains("3.14.2")
