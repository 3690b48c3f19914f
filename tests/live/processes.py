"""Real processes for live tests: the adapter as users start it, and the fake app as a program of its own.

Each is a context manager; leaving it stops the process and fails the test if it does not stop in order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
START_S = 30.0
STOP_S = 20.0


@dataclass
class Running:
    """A process and what it has printed so far; a thread reads it, so that it never blocks on a full pipe."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str, timeout_s: float = START_S) -> re.Match[str]:
        """The first match in the output, as soon as it is there. Fails with the output if it never comes."""
        with self._news:
            self._news.wait_for(lambda: self._ended or re.search(pattern, self.output), timeout_s)
        found = re.search(pattern, self.output)
        assert found, f"{pattern!r} did not appear; the output was:\n{self.output}"
        return found

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@contextmanager
def running(command: list[str], env: dict[str, str] | None = None, *, stdin: bool = False) -> Iterator[Running]:
    """stdin: its standard input is a pipe."""
    process = subprocess.Popen(
        command,
        cwd=REPO,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=subprocess.PIPE if stdin else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started = Running(process)
    reader = threading.Thread(target=started.read, daemon=True)
    reader.start()
    try:
        yield started
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"did not stop within {STOP_S:g} s:\n{started.output}") from None
        finally:
            reader.join(5)
            assert process.stdout is not None
            process.stdout.close()
            if process.stdin is not None:
                process.stdin.close()


@dataclass
class Adapter:
    """A running `farmhand serve`."""

    base_url: str
    key: str
    home: Path
    running: Running

    @property
    def pid(self) -> int:
        return self.running.process.pid


@contextmanager
def adapter(home: Path, config: str = "", **env: str) -> Iterator[Adapter]:
    """`farmhand serve` on a port of its own, with `config` as its file and `home` as its state folder."""
    file = home / "config.toml"
    file.write_text(config)
    command = [sys.executable, "-m", "adapter", "serve", "--config", str(file), "--port", "0"]
    with running(command, {"FARMHAND_HOME": str(home), **env}) as started:
        base_url = started.wait_for(r"answers at (http://\S+)")[1]
        key = started.wait_for(r"API key +(\S+)")[1]
        yield Adapter(base_url, key, home, started)


@contextmanager
def fake_inferrlm(build: str, script: str = "echo") -> Iterator[str]:
    """The fake InferrLM app; gives its URL."""
    command = [sys.executable, "-m", "tests.fakes.inferrlm", "--build", build, "--port", "0", "--script", script]
    with running(command) as started:
        yield started.wait_for(r"listening (http://\S+)")[1]


def children(pid: int) -> list[int]:
    """Process ids of the living children of `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
