"""Everything that runs on a phone, where Python says `sys.platform == "android"` and lacks what Termux's lacks (`facts/termux.md` 1 row 1, and 7.1)."""

from __future__ import annotations

import ast
import http.client
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from phone.supervisor import store
from phone.supervisor.types import Phase
from tests.live.android_python import LACKS, android_clone, be_android, forget, python_of, pythons, refused
from tests.live.install_phone import BarePhone, bare_phone
from tests.live.termux_prefix import REPO, TermuxPrefix, termux_prefix

SCRIPTS = ("install", "uninstall", "setup", "up")


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TermuxPrefix]:
    """The bundle with the demo model, ready; nothing but the prefix is mapped."""
    tmp = tmp_path_factory.mktemp("android") / "com.termux"
    tmp.mkdir()
    with termux_prefix(tmp, root=android_clone(tmp / "clone")) as made:
        be_android(made)
        made.boot()
        made.wait_until(lambda: (now := store.read_published(made.places)) and now.ready, "the bundle is ready", 30)
        yield made


def ask(phone: TermuxPrefix) -> str:
    """One answer of the demo model."""
    body = {"model": "demo", "max_tokens": 16, "messages": [{"role": "user", "content": "What is Farmhand?"}]}
    headers = {"Authorization": f"Bearer {phone.places.key_file.read_text().strip()}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", phone.port, timeout=60)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200, said
    text: str = said["choices"][0]["message"]["content"]
    return text


def test_the_rig_is_one(phone: TermuxPrefix) -> None:
    """The tests below are worth as much as this."""
    seen = pythons(phone.places.root)
    for part in ("-m phone supervise", "-m adapter serve"):
        assert any(part in line for line in seen), (part, seen)
    program = f"import os,sys,platform;print(sys.platform,platform.system(),[n for n in {LACKS!r} if hasattr(os,n)]);open('/tmp/farmhand-x','w')"
    done = phone.run(python_of(phone.places.root), "-c", program)
    assert done.stdout == "android Android []\n"
    assert "PermissionError" in done.stderr
    assert refused(phone.places.root) == ["open /tmp/farmhand-x"]
    forget(phone.places.root)


def test_the_bundle_answers(phone: TermuxPrefix) -> None:
    """Supervisor, adapter and the engine's worker, which loads llama.cpp though its loader refuses this platform (1, row 1)."""
    text = ask(phone)
    assert len(text.strip()) > 5
    assert any("worker" in line for line in pythons(phone.places.root))
    assert "Traceback" not in phone.log("farmhand") + phone.log("farmhand-adapter")
    assert refused(phone.places.root) == []


def test_without_the_shim_it_would_not_load(phone: TermuxPrefix) -> None:
    """What the shim is there for is still so, in the release that we have: its own loader says no."""
    python = python_of(phone.places.root)
    bare = phone.run(python, "-c", "import llama_cpp")
    if "No module named" in bare.stderr:
        pytest.skip("llama-cpp-python is not installed here: scripts/setup builds it")
    assert bare.returncode == 1 and "Unsupported platform" in bare.stderr
    ours = "import sys; sys.path.insert(0, sys.argv[1]); from adapter.engines.llama.binding import import_llama_cpp as f; f(); print(sys.platform)"
    done = phone.run(python, "-c", ours, phone.places.root)
    assert (done.stdout, done.returncode) == ("android\n", 0), done.stderr


def test_commands_of_a_person(phone: TermuxPrefix) -> None:
    """status, doctor, token, models, logs, restart of one: none fails for the platform."""
    env = {**phone.login_env, "PYTHONPATH": str(phone.places.root)}
    for words in (["status"], ["doctor"], ["token", "new", "laptop"], ["token", "list"], ["models", "list"], ["logs"], ["restart", "adapter"]):
        done = phone.run("farmhand", *words, env=env)
        assert "Traceback" not in done.stderr + done.stdout, words
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    said = json.loads(phone.run("farmhand", "doctor", "--json", env=env).stdout)
    (python,) = (one for one in said["findings"] if one["name"] == "python")
    assert (python["level"], "(android)" in python["wrong"]) == ("ok", True)
    phone.wait_until(lambda: (now := store.read_published(phone.places)) and now.ready, "it is ready again", 30)
    assert refused(phone.places.root) == []


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BarePhone, Path]]:
    """A phone before Farmhand, and a clone whose Python is a phone's."""
    tmp = tmp_path_factory.mktemp("scripts")
    clone = android_clone(tmp / "python")
    with bare_phone(tmp) as made:
        yield made, clone


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["setup", "--dry-run", "--no-llama"], ""),
        (["install", "--dry-run", "--no-llama"], "service "),
        (["install", "--no-llama"], "services"),
        (["install", "--no-llama", "--quiet"], ""),
        (["up", "--no-llama"], "farmhand status"),
        (["uninstall", "--dry-run"], ""),
        (["uninstall"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_scripts(bare: tuple[BarePhone, Path], words: list[str], said: str) -> None:
    """One after the other, under dash: with a phone's Python they know Termux, and need nothing that it lacks."""
    phone, clone = bare
    before, count = phone.snapshot(without=("__pycache__",)), len(pythons(clone))
    done = phone.script(*words, PYTHON=str(python_of(clone)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr and said in done.stdout
    assert "--dry-run" not in words or phone.snapshot(without=("__pycache__",)) == before
    assert len(pythons(clone)) > count, "it was not started with that Python"
    assert refused(clone) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_for_dash(script: str) -> None:
    """shellcheck as dash's, no `source`, no /tmp, no /usr/bin/env."""
    path = REPO / "scripts" / script
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        done = subprocess.run([shellcheck, "--shell=dash", "--severity=style", path], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    code = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in code if any(word in line for word in ("source ", "/tmp", "/usr/bin/env", "[[", " == ", "local "))] == []


def test_it_stops(phone: TermuxPrefix) -> None:
    """In order, by itself, and nothing is left (asked last; whatever is left fails the fixture)."""
    assert phone.runsv.down("farmhand", 30).ok
    assert phone.status("farmhand-adapter").phase is Phase.DOWN
    ends = {name: [(end.code, end.signal) for end in phone.exits(name)] for name in ("farmhand", "farmhand-adapter")}
    assert {end for each in ends.values() for end in each} == {(0, 0)}, ends
    assert signal.SIGKILL not in [end.signal for end in phone.exits("farmhand-adapter")]


def test_the_runtime_packages_need_nothing_that_a_phone_lacks() -> None:
    """A phone's Python has no such names, or they do not work there (7.1); whoever needs one must ask for it first."""
    found = []
    for package in ("adapter", "phone"):
        for path in sorted((REPO / package).rglob("*.py")):
            found += [f"{path.relative_to(REPO)}:{wrong}" for wrong in _wants(ast.parse(path.read_text(encoding="utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    ["import os\nos.link(a, b)", "path.hardlink_to(x)", "from multiprocessing import Lock", "open('/tmp/x')", "run(['/usr/bin/env', 'x'])", "os.getloadavg()"],
)
def test_that_is_found(code: str) -> None:
    assert list(_wants(ast.parse(code)))


def _wants(tree: ast.AST) -> Iterator[str]:
    """Line and name of what a phone does not have. `sched_getaffinity` is there (6), and is asked for first all the same."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name("os"), name) if name in (*LACKS, "setuid", "setgid"):
                yield f"{node.lineno} os.{name}"
            case ast.Attribute(_, "hardlink_to" | "link_to"):
                yield f"{node.lineno} hard link"
            case ast.ImportFrom(module=str(name)) if name.startswith("multiprocessing"):
                yield f"{node.lineno} {name}"
            case ast.Import(names):
                yield from (f"{node.lineno} {one.name}" for one in names if one.name.startswith("multiprocessing"))
            case ast.Constant(str(text)) if text.startswith(("/tmp", "/usr/bin/", "/var/tmp", "/dev/shm")):
                yield f"{node.lineno} {text}"
