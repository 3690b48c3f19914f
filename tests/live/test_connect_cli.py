"""`farmhand connect` as a process, beside the real adapter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from adapter.access.store import Store
from adapter.connect.edits_env import edit_env
from adapter.connect.target import TARGETS
from tests.live.kit import node, python_env
from tests.live.processes import REPO, Adapter, adapter

ECHO = """
[[engine]]
name = "echo"
kind = "echo"
ctx_tokens = 32_768
[[engine]]
name = "small"
kind = "echo"
ctx_tokens = 3_000
"""
WAIT_S = 120


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    with adapter(tmp_path_factory.mktemp("home"), ECHO) as running:
        yield running


def farmhand(phone: Adapter, here: Path, *args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """In a home and a folder of its own: `here`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FARMHAND_", "NEURAL_FARM_", "XDG_", "OPENCLAW_", "CLAWDBOT_"))}
    url = () if "--url" in args or "--list" in args else ("--url", phone.base_url)
    return subprocess.run(
        [sys.executable, "-m", "adapter", "connect", *args, *url],
        cwd=here,
        env={
            **kept, "PYTHONPATH": str(REPO), "PYTHONIOENCODING": "utf-8", "HOME": str(here), "FARMHAND_HOME": str(phone.home),
            "XDG_CONFIG_HOME": str(here / "none"), **env,
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )  # fmt: skip


def refused(phone: Adapter, here: Path, *args: str, status: int = 1, **env: str) -> str:
    done = farmhand(phone, here, *args, **env)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.startswith("farmhand: ") and "Traceback" not in done.stderr
    return done.stderr


def test_the_list(phone: Adapter, tmp_path: Path) -> None:
    plain, told = farmhand(phone, tmp_path, "--list"), farmhand(phone, tmp_path, "--list", "--json")
    assert plain.returncode == told.returncode == 0
    names = json.loads(told.stdout)
    assert len(names) == 18 and all(f"{name} " in plain.stdout for name in names)


def test_shown_written_and_used(phone: Adapter, tmp_path: Path) -> None:
    """The whole way: nothing is changed by looking; what is written works in a real client; a second time nothing is to be done."""
    file = tmp_path / ".env"
    file.write_text("# mine\nOTHER='x'  # y\n")
    shown = farmhand(phone, tmp_path, "env")
    assert shown.returncode == 0 and f"OPENAI_BASE_URL={phone.base_url}" in shown.stdout and "connect env --write" in shown.stdout
    assert phone.key not in shown.stdout and file.read_text() == "# mine\nOTHER='x'  # y\n" and list(tmp_path.iterdir()) == [file]

    written = farmhand(phone, tmp_path, "env", "--write")
    assert written.returncode == 0 and f"Changed {file}\n" in written.stdout
    lines = file.read_text().splitlines()
    assert lines[:2] == ["# mine", "OTHER='x'  # y"] and file.stat().st_mode & 0o777 == 0o600
    key = lines[3].removeprefix("OPENAI_API_KEY=")
    assert key.startswith("sk-fh1.") and key not in written.stdout
    (backup,) = tmp_path.glob(".env.farmhand-backup-*")
    assert backup.read_text() == "# mine\nOTHER='x'  # y\n" and str(backup) in written.stdout

    client = OpenAI(base_url=lines[2].removeprefix("OPENAI_BASE_URL="), api_key=key, max_retries=0, timeout=30)
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hello"}])
    assert "hello" in (answer.choices[0].message.content or "")

    again = farmhand(phone, tmp_path, "env", "--write", "--show-key")
    assert f"{file} has all of it already" in again.stdout and key in again.stdout
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", TARGETS)
def test_each_is_written_twice_with_the_same_end(name: str, phone: Adapter, tmp_path: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    first = farmhand(phone, tmp_path, name, "--write", "--model", "echo", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert all(one["change"] == "created" for one in told["written"])
    made = files()
    assert all(Path(one["path"]) in made or phone.home in Path(one["path"]).parents for one in told["written"])
    again = farmhand(phone, tmp_path, name, "--write", "--model", "echo")
    assert again.returncode == 0 and files() == made, again
    assert again.stdout.count("has all of it already") == len(told["written"])
    assert ("There is no file to write" in again.stdout) is not bool(told["written"])


def test_what_pitwall_wrote_is_what_a_shell_reads(phone: Adapter, tmp_path: Path) -> None:
    assert farmhand(phone, tmp_path, "pitwall", "--write").returncode == 0
    done = subprocess.run(
        ["sh", "-c", f". {tmp_path}/pitwall.env; exec sh -c 'echo $PITWALL_ADK_OPENAI_URL $LOCALLLM_MODEL $PITWALL_LITERT_API_KEY'"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    url, model, key = done.stdout.split()
    assert (url, model) == (phone.base_url, "auto") and key.startswith("sk-fh1.")


VALUES = ("plain", "", "http://127.0.0.1:8888/v1", "with  blanks", "a#b", "# c", "~", "$HOME", "it's", 'say "x"', "a;b&c|d", "é", '{"a": {"b": false}}')
PYTHON = "import dotenv, json, sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))"
NODE = "console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('V_')))))"


def test_other_readers_of_variables_read_what_we_wrote(tmp_path: Path) -> None:
    """python-dotenv and Node; shells are asked in tests/unit/test_connect_edits_env.py."""
    file, wanted = tmp_path / "x.env", {f"V_{number}": value for number, value in enumerate(VALUES)}
    file.write_text(edit_env("# head\nOTHER=x\n", [*wanted.items()], export=False), encoding="utf-8")
    for command in ([str(python_env("dotenv", "python-dotenv==1.2.1")), "-c", PYTHON, str(file)], [str(node()), f"--env-file={file}", "-e", NODE]):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=WAIT_S, check=True)
        read = {name: value for name, value in json.loads(done.stdout).items() if name.startswith("V_")}
        assert read == wanted, command[0]


def test_the_check(phone: Adapter, tmp_path: Path) -> None:
    done = farmhand(phone, tmp_path, "env", "--check")
    assert done.returncode == 0 and "ok   A request of its kind was answered" in done.stdout and "\nenv works" in done.stdout, done.stdout
    done = farmhand(phone, tmp_path, "cursor", "--check", "--json")  # 8,000 tokens, and `auto` promises 3,000
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["check"]["works"] is False
    (context,) = [finding for finding in told["check"]["findings"] if finding["name"] == "context"]
    assert context["level"] == "fail" and "3,000" in context["said"]
    done = farmhand(phone, tmp_path, "clawdbot", "--check")  # which cannot be made at all
    assert done.returncode == 1 and "FAIL The client refuses models with less than 16,000" in done.stdout, done
    assert "16,000" in refused(phone, tmp_path, "clawdbot")


def test_for_programs(phone: Adapter, tmp_path: Path) -> None:
    told = json.loads(farmhand(phone, tmp_path, "env", "--write", "--json").stdout)
    assert (told["client"], told["base_url"], told["model"]) == ("env", phone.base_url, "auto")
    assert told["written"] == [{"path": str(tmp_path / ".env"), "change": "created", "backup": None}]
    assert told["parts"][0]["variables"]["OPENAI_API_KEY"] == told["key"] == "sk-fh1.eyJp…"


def test_a_key_by_standard_input_and_by_the_environment(phone: Adapter, tmp_path: Path) -> None:
    for done in (
        farmhand(phone, tmp_path, "env", "--key", "-", "--show-key", stdin=f"{phone.key}\n"),
        farmhand(phone, tmp_path, "env", "--show-key", FARMHAND_KEY=phone.key),
    ):
        assert done.returncode == 0 and f"OPENAI_API_KEY={phone.key}" in done.stdout and "the key that was given" in done.stdout


def test_what_goes_wrong(phone: Adapter, tmp_path: Path) -> None:
    assert "is no client that Farmhand knows" in refused(phone, tmp_path, "nobody", status=2)
    assert "Start it with: farmhand serve" in refused(phone, tmp_path, "env", "--url", "http://127.0.0.1:9/v1")
    assert "near it is auto" in refused(phone, tmp_path, "env", "--model", "aut")
    assert "does not accept this key" in refused(phone, tmp_path, "env", "--key", "sk-wrong-0123456789")
    file = tmp_path / ".env"
    file.write_text("A='x\n")
    assert f"{file}: line 1, column 3: a quote is opened here" in refused(phone, tmp_path, "env", "--write")
    assert file.read_text() == "A='x\n"


def test_no_key_is_made_for_what_cannot_be_done(phone: Adapter, tmp_path: Path) -> None:
    store = Store(phone.home)
    if any(entry.grant.name == "aider" and entry.revoked_s is None for entry in store.entries()):
        store.revoke("aider", int(time.time()))
    before = store.entries()
    assert "is a folder" in refused(phone, tmp_path, "aider", "--write", "--file", str(tmp_path))
    assert store.entries() == before
    assert "usage:" in farmhand(phone, tmp_path, "env", "--limit", "0").stderr


def test_nobody_reads_it_to_the_end(phone: Adapter, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m adapter connect --list | head -1"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPO)}, capture_output=True, text=True, timeout=WAIT_S, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("litellm ") and done.stderr == ""
