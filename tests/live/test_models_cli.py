"""`farmhand models` as a process: what it prints, its exit status, and what a kill leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.configuration import load
from adapter.models.facts import read_facts
from adapter.models.part import facts_path, part_path
from tests.fakes.gguf_source import GgufSource, Turn, make_gguf, serving
from tests.live.processes import REPO

CONTENT = make_gguf(2_000_000)
END_S = 60.0


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A state folder and a configuration of its own, and no proxy or token of the machine's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FARMHAND_", "HF_"))}
    (tmp_path / "config").mkdir()
    return {
        **kept,
        "FARMHAND_HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "NO_PROXY": "127.0.0.1,localhost",
    }


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models"


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "phone", "models", *args]


def farmhand(env: dict[str, str], *args: str, status: int = 0) -> Done:
    """Run to the end. Nothing may ever be a traceback, and the exit status is as said."""
    done = subprocess.run(
        command(*args),
        cwd=REPO,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stdout + done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


async def start(env: dict[str, str], *args: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(*args), cwd=REPO, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def ended(process: asyncio.subprocess.Process) -> Done:
    out, err = await asyncio.wait_for(process.communicate(), END_S)
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def until_bytes(path: Path, n_bytes: int) -> None:
    async with asyncio.timeout(END_S):
        # Another process writes it and has no event for us.
        while not path.exists() or path.stat().st_size < n_bytes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_killed_in_the_middle_it_goes_on(env: dict[str, str], models: Path) -> None:
    """kill -9 keeps the part; the same command takes it up, and the file is whole."""
    async with serving(GgufSource(CONTENT, [Turn(stall_after=1_000_000), Turn()])) as source:
        hub = {**env, "HF_ENDPOINT": source.url}
        process = await start(hub, "pull", "hf:a/b/q.gguf")
        await until_bytes(part_path(models / "q.gguf"), 1_000_000)
        process.kill()
        await process.wait()
        assert not (models / "q.gguf").exists()
        listed = await ended(await start(env, "list"))
        assert "Unfinished: q, 1.0 MB of 2.0 MB" in listed.out
        done = await ended(await start(hub, "pull", "hf:a/b/q.gguf"))
    assert done.status == 0 and "q is there: 2.0 MB" in done.out
    assert source.asked[1].headers["Range"] == "bytes=1000000-"
    assert (models / "q.gguf").read_bytes() == CONTENT
    assert sorted(path.name for path in models.iterdir()) == ["q.gguf", "q.gguf.json"]


async def test_ctrl_c_keeps_the_part_and_says_so(env: dict[str, str], models: Path) -> None:
    async with serving(GgufSource(CONTENT, [Turn(stall_after=1_000_000)])) as source:
        process = await start(env, "pull", f"{source.url}/q.gguf")
        await until_bytes(part_path(models / "q.gguf"), 1_000_000)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert done.err.endswith("Stopped. 1.0 MB of 2.0 MB are kept: the same command goes on from there.\n")
    assert part_path(models / "q.gguf").stat().st_size == 1_000_000


async def test_a_disk_that_fills_up(env: dict[str, str], models: Path) -> None:
    """In the middle, in spite of the check before: a sentence, and what is written is kept. The shell's limit stands in."""
    async with serving(GgufSource(CONTENT)) as source:
        limited = ["sh", "-c", 'ulimit -f 1500; exec "$@"', "sh", *command("pull", f"{source.url}/q.gguf")]
        process = await asyncio.create_subprocess_exec(
            *limited, cwd=REPO, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        done = await ended(process)
        kept = part_path(models / "q.gguf").stat().st_size
        assert done.status == 1 and kept > 500_000
        assert "cannot be written" in done.err and "are kept: the same command goes on" in done.err
        assert (await ended(await start(env, "pull", f"{source.url}/q.gguf"))).status == 0
    assert source.asked[1].headers["Range"] == f"bytes={kept}-"
    assert (models / "q.gguf").read_bytes() == CONTENT


async def test_the_mirror_of_the_configuration_wins(env: dict[str, str], models: Path) -> None:
    """`[models] mirror` before HF_ENDPOINT; the token goes there and appears nowhere else."""
    async with serving(GgufSource(CONTENT)) as source:
        folder = Path(env["XDG_CONFIG_HOME"]) / "farmhand"
        folder.mkdir()
        (folder / "config.toml").write_text(f'[models]\nmirror = "{source.url}/hub/"\n')
        names = {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_TOKEN": "hf_secret"}
        done = await ended(await start({**env, **names}, "pull", "hf:a/b/q.gguf@v2", "--name", "mine"))
    assert done.status == 0
    assert source.asked[0].path == "/hub/a/b/resolve/v2/q.gguf"
    assert source.asked[0].headers["Authorization"] == "Bearer hf_secret"
    assert "hf_secret" not in done.out + done.err + facts_path(models / "mine.gguf").read_text()


async def test_on_a_terminal_there_is_one_line(env: dict[str, str]) -> None:
    """Rewritten by carriage returns: bytes, and how far it is."""
    async with serving(GgufSource(CONTENT, [Turn(wait_s=0.005)])) as source:
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *command("pull", f"{source.url}/q.gguf"), cwd=REPO, env=env, stdout=asyncio.subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.run_in_executor(None, os.read, ours, 65_536)
            except OSError:  # the other side is closed
                break
            shown += data
        os.close(ours)
        await asyncio.wait_for(process.communicate(), END_S)
    bar, _, rest = shown.decode().partition("\r\n")
    assert process.returncode == 0
    assert bar.count("\r") >= 3 and "100%" in bar and "MB/s" in bar
    assert rest == "Checking q.gguf ...\r\n"


def test_an_empty_store_suggests(env: dict[str, str]) -> None:
    """The demo is always there; the table helps to the next step."""
    out = farmhand(env, "list").out
    assert "demo" in out and "comes with Farmhand" in out
    assert "hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf" in out
    assert farmhand(env, "suggest").out in out


def test_list_for_programs(env: dict[str, str], models: Path) -> None:
    models.mkdir(parents=True)
    (models / "mine-0.5b-q8_0.gguf").write_bytes(CONTENT)
    (models / "broken.gguf").write_bytes(CONTENT[:500])
    (models / "notes.txt").write_text("no model")
    found = {entry["name"]: entry for entry in json.loads(farmhand(env, "list", "--json").out)["models"]}
    assert sorted(found) == ["broken", "demo", "mine-0.5b-q8_0"]
    mine = found["mine-0.5b-q8_0"]
    assert (mine["parameters"], mine["quantisation"], mine["context_tokens"]) == ("0.5B", "Q8_0", 2048)
    assert mine["size_bytes"] == len(CONTENT) and mine["problem"] is None
    assert "incomplete" in found["broken"]["problem"]
    assert found["demo"]["default"] and found["demo"]["context_tokens"] > 0
    assert "damaged" in farmhand(env, "list").out


def test_verify_sees_damage(env: dict[str, str], models: Path) -> None:
    """The first time the sum of a file put there by hand is written down; one byte later it is damaged."""
    models.mkdir(parents=True)
    (models / "q.gguf").write_bytes(CONTENT)
    first = farmhand(env, "verify").out
    assert "demo: ok" in first and "q: ok" in first and "written down now" in first
    facts = read_facts(facts_path(models / "q.gguf"))
    assert facts is not None and facts.sha256 in farmhand(env, "verify", "q").out
    (models / "q.gguf").write_bytes(CONTENT[:-1] + b"?")
    assert "q: damaged: its SHA-256 is" in farmhand(env, "verify", "q.gguf", status=1).out
    (models / "q.gguf").write_bytes(CONTENT[:-1])
    assert "download is incomplete" in farmhand(env, "verify", status=1).out
    assert "there is no model 'gone'" in farmhand(env, "verify", "gone", status=1).err


def test_default_and_rm(env: dict[str, str], models: Path) -> None:
    """The default is what the embedded engine gets without a configuration; removing it goes back to the demo."""
    models.mkdir(parents=True)
    (models / "q.gguf").write_bytes(CONTENT)
    assert farmhand(env, "default").out == "demo\n"
    assert "runs q from its next start" in farmhand(env, "default", "q.gguf").out
    assert farmhand(env, "default").out == "q\n"
    assert [e.model for e in load(env={"FARMHAND_HOME": env["FARMHAND_HOME"]}).engine if e.kind == "llama"] == ["q"]
    assert "--yes" in farmhand(env, "rm", "q", status=1).err
    assert (models / "q.gguf").exists()
    out = farmhand(env, "rm", "q", "--yes").out
    assert "2.0 MB are free again" in out and "now the demo is" in out
    assert list(models.iterdir()) == [] and farmhand(env, "default").out == "demo\n"
    for name in ("q", "demo", "../key"):
        farmhand(env, "rm", name, "--yes", status=1)
    assert "there is no model 'q'" in farmhand(env, "default", "q", status=1).err


def test_a_configuration_with_engines_decides(env: dict[str, str], models: Path) -> None:
    models.mkdir(parents=True)
    (models / "q.gguf").write_bytes(CONTENT)
    file = Path(env["XDG_CONFIG_HOME"]) / "farmhand" / "config.toml"
    file.parent.mkdir()
    file.write_text('[[engine]]\nname = "e"\nkind = "echo"\n')
    assert f"But {file} names its engines itself" in farmhand(env, "default", "q").err


def test_rm_asks_on_a_terminal(env: dict[str, str], models: Path) -> None:
    models.mkdir(parents=True)
    (models / "q.gguf").write_bytes(CONTENT)
    for typed, stays in ((b"\n", True), (b"n\n", True), (b"\x04", True), (b"y\n", False)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command("rm", "q"), cwd=REPO, env=env, stdin=theirs, stdout=subprocess.PIPE)
        os.write(ours, typed)
        out, _ = process.communicate(timeout=END_S)
        os.close(ours)
        os.close(theirs)
        assert b"Delete q? [y/N]" in out
        assert (models / "q.gguf").exists() is stays
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        ([], 2, "usage: farmhand models"),
        (["explode"], 2, "usage: farmhand models"),
        (["pull"], 2, "usage: farmhand models pull"),
        (["pull", "qwen"], 1, "farmhand: 'qwen' is no source"),
        (["pull", "https://x/latest"], 1, "--name NAME"),
        (["pull", "hf:a/b/c.gguf", "--sha256", "x"], 1, "--sha256"),
        (["pull", "hf:a/b/c.gguf", "--name", "../x"], 1, "cannot be a model's name"),
        (["pull", "hf:a/b/c-00001-of-00002.gguf"], 1, "one of 2 parts"),
    ],
)
def test_mistakes_are_a_sentence(env: dict[str, str], args: list[str], status: int, says: str) -> None:
    done = farmhand(env, *args, status=status)
    assert says in done.err and done.out == ""


def test_a_token_that_is_none_is_said(env: dict[str, str]) -> None:
    done = subprocess.run(
        command("pull", "hf:a/b/c.gguf"),
        cwd=REPO,
        env={**env, "HF_TOKEN": "hf_x\nHost: y"},
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "farmhand: HF_TOKEN holds characters that no token has; copy it anew\n",
    )


def test_a_reader_that_leaves_is_no_error(env: dict[str, str]) -> None:
    """`| head -1`: no traceback, no complaint of the interpreter at its end."""
    process = subprocess.Popen(
        command("list"), cwd=REPO, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(END_S) == 1
    process.stderr.close()
    assert errors == b""
