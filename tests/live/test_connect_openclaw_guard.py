"""`termux/openclaw-guard.cjs` under a real Node whose two functions are made to fail as Android makes them (`facts/termux.md` 11)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from phone.doctor.checks_apps import NODES
from tests.live import kit

GUARD = Path(__file__).resolve().parents[2] / "termux" / "openclaw-guard.cjs"
LIMIT_S = 60.0

# Preloaded before the guard. The error is that of libuv: a number that it has no name for.
ANDROID = """
const os = require('node:os');
const { syncBuiltinESMExports } = require('node:module');
os.networkInterfaces = () => {
  const error = new Error('A system error occurred: uv_interface_addresses returned Unknown system error 13 (Unknown system error 13)');
  error.name = 'SystemError';
  error.code = 'ERR_SYSTEM_ERROR';
  error.info = { errno: 13, code: 'Unknown system error 13', syscall: 'uv_interface_addresses' };
  throw error;
};
os.cpus = () => [];
syncBuiltinESMExports();
"""

SAYS = "console.log(JSON.stringify({ interfaces: networkInterfaces(), cpus: cpus() }))"
# Each way in which a program reaches the two.
WAYS = {
    "require": ("a.cjs", f"const {{ networkInterfaces, cpus }} = require('os'); {SAYS}"),
    "require-node": ("a.cjs", f"const os = require('node:os'); const networkInterfaces = () => os.networkInterfaces(), cpus = () => os.cpus(); {SAYS}"),
    "default": ("a.mjs", f"import os from 'node:os'; const networkInterfaces = () => os.networkInterfaces(), cpus = () => os.cpus(); {SAYS}"),
    "named": ("a.mjs", f"import {{ networkInterfaces, cpus }} from 'node:os'; {SAYS}"),
    "star": ("a.mjs", f"import * as os from 'os'; const networkInterfaces = () => os.networkInterfaces(), cpus = () => os.cpus(); {SAYS}"),
    "dynamic": ("a.mjs", f"const {{ networkInterfaces, cpus }} = await import('node:os'); {SAYS}"),
    "worker": (
        "a.mjs",
        f"import {{ Worker }} from 'node:worker_threads'; new Worker(`const {{ networkInterfaces, cpus }} = require('node:os'); {SAYS}`, {{ eval: true }});",
    ),
    "child": (
        "a.mjs",
        f"""import {{ execFileSync as run }} from 'node:child_process';
        process.stdout.write(run(process.execPath, ['-e', `const {{ networkInterfaces, cpus }} = require('node:os'); {SAYS}`]));""",
    ),
}


@pytest.fixture(scope="module")
def node() -> Path:
    return kit.node()


def ran(node: Path, folder: Path, name: str, text: str, *, android: bool = True, guard: bool = True) -> subprocess.CompletedProcess[str]:
    """Of a program, with what NODE_OPTIONS preloads, in that order."""
    (folder / "android.cjs").write_text(ANDROID)
    (folder / name).write_text(text)
    loaded = [folder / "android.cjs"] * android + [GUARD] * guard
    env = {"NODE_OPTIONS": " ".join(f"--require={path}" for path in loaded), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run([node, folder / name], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("way", WAYS)
def test_what_android_refuses_is_answered(node: Path, tmp_path: Path, way: str) -> None:
    done = ran(node, tmp_path, *WAYS[way])
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [entry["address"] for entry in said["interfaces"].pop("lo")] == ["127.0.0.1", "::1"]
    assert said["interfaces"] == {}
    assert len(said["cpus"]) >= 1
    assert {*said["cpus"][0]["times"]} == {"user", "nice", "sys", "idle", "irq"}


@pytest.mark.parametrize("way", ["require", "named", "star"])
def test_without_it_they_fail_here_as_there(node: Path, tmp_path: Path, way: str) -> None:
    """Or the test above would show nothing."""
    done = ran(node, tmp_path, *WAYS[way], guard=False)
    assert done.returncode != 0 and "Unknown system error 13" in done.stderr


def test_as_many_processors_as_may_be_used(node: Path, tmp_path: Path) -> None:
    done = ran(node, tmp_path, "a.mjs", "import os from 'node:os'; console.log(os.cpus().length - os.availableParallelism())")
    assert done.stdout == "0\n", done.stderr


def test_what_works_is_left_alone(node: Path, tmp_path: Path) -> None:
    plain = ran(node, tmp_path, *WAYS["named"], android=False, guard=False)
    guarded = ran(node, tmp_path, *WAYS["named"], android=False)
    one, other = json.loads(plain.stdout), json.loads(guarded.stdout)
    assert one["interfaces"] == other["interfaces"] and one["interfaces"]
    assert [cpu["model"] for cpu in one["cpus"]] == [cpu["model"] for cpu in other["cpus"]]


def test_errors_of_others_are_not_hidden(node: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.cjs").write_text("require('node:os').networkInterfaces = () => { throw new TypeError('mine'); };")
    text = f"require('{GUARD}'); require('node:os').networkInterfaces();"
    env = {"NODE_OPTIONS": f"--require={tmp_path / 'broken.cjs'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([node, "-e", text], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode != 0 and "TypeError: mine" in done.stderr


@pytest.mark.parametrize(("android", "said"), [(True, "guard\n"), (False, "plain\n")])
def test_it_says_whether_it_is_needed(node: Path, tmp_path: Path, android: bool, said: str) -> None:
    (tmp_path / "android.cjs").write_text(ANDROID)
    env = {"NODE_OPTIONS": f"--require={tmp_path / 'android.cjs'}" if android else "", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([node, GUARD], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stdout) == (0, said), done.stderr


VERSIONS = [("22.20.0", False), ("24.15.9", False), ("24.16.0", True), ("24.99.0", True), ("25.0.0", False), ("26.0.9", False), ("26.1.0", True), ("30.0.0", True)]


@pytest.mark.parametrize(("version", "suits"), VERSIONS)
def test_which_node_suits(node: Path, tmp_path: Path, version: str, suits: bool) -> None:
    """The same as `farmhand doctor` says."""
    (tmp_path / "old.cjs").write_text(f"Object.defineProperty(process.versions, 'node', {{ value: '{version}' }});")
    env = {"NODE_OPTIONS": f"--require={tmp_path / 'old.cjs'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([node, GUARD], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    parts = tuple(map(int, version.split(".")))
    assert suits is any(low <= parts < high for low, high in NODES)
    assert (done.returncode == 0) is suits, done.stdout + done.stderr
    assert suits or done.stdout == f"node is {version}; openclaw wants 24.16 or later of 24, or 26.1 or later. Type: pkg install nodejs-lts\n"


def test_there_is_one_table_of_versions() -> None:
    numbers = re.findall(r"\[\[(\d+), (\d+)\], \[(\d+), 0\]\]", GUARD.read_text())
    assert [((int(a), int(b)), (int(c),)) for a, b, c in numbers] == [*NODES]
