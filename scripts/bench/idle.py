"""What the adapter costs at rest: memory, and time from start to the first `/health`, beside a 40-line aiohttp relay.

`.venv/bin/python scripts/bench/idle.py [--rounds 7]` prints a table. The programs are started in turn, several
rounds in one run, since a figure on a noisy machine means something only as a ratio to a peer. Memory is read from
/proc/PID/smaps_rollup one second after the first answer: RSS, which is what a program costs that runs alone, and PSS, which counts
pages shared with other processes in parts and so depends on what else is running. All run from compiled bytecode, as
installed programs do, wherever the machine's own settings forbid to write any; an unmeasured first round compiles it.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SETTLE_S = 1.0
START_LIMIT_S = 30.0

RELAY = Path(__file__).parent / "relay_bench" / "plain_relay.py"
# Nobody is there: nothing is asked.
UPSTREAM = "http://127.0.0.1:9"
# What the relay does; beside it the default engines are measured, the embedded one without a worker.
ONE_UPSTREAM = f"""
[[engine]]
name = "upstream"
kind = "openai"
url = "{UPSTREAM}/v1"
"""
SERVE = [sys.executable, "-m", "adapter", "serve", "--port", "PORT"]


@dataclass(frozen=True)
class Sample:
    """start_ms: from exec to the first 200 of /health. rss_mib, pss_mib: memory at rest."""

    start_ms: float
    rss_mib: float
    pss_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "one-upstream.toml"
        config.write_text(ONE_UPSTREAM)
        env = {**os.environ, "FARMHAND_HOME": home, "XDG_CONFIG_HOME": home, "PYTHONPYCACHEPREFIX": f"{home}/bytecode"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        contestants = {
            "relay": [sys.executable, str(RELAY), "PORT", UPSTREAM],
            "adapter, one upstream": [*SERVE, "--config", str(config)],
            "adapter, default engines": SERVE,
        }
        for command in contestants.values():
            measure(command, env)
        samples: dict[str, list[Sample]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, command in contestants.items():
                samples[name].append(measure(command, env))
    print_table(samples)


def measure(command: list[str], env: dict[str, str]) -> Sample:
    """One start of `command`, with PORT in it replaced by a free one."""
    port = free_port()
    began = time.perf_counter()
    with running([str(port) if word == "PORT" else word for word in command], env) as process:
        wait_for_health(port, process)
        start_ms = (time.perf_counter() - began) * 1000
        time.sleep(SETTLE_S)
        return Sample(start_ms, *memory_mib(process.pid))


@contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def wait_for_health(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.002)
    raise SystemExit(f"no answer within {START_LIMIT_S:g} s, exit code {process.poll()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory_mib(pid: int) -> tuple[float, float]:
    """RSS and PSS."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE))
    return int(found["Rss"]) / 1024, int(found["Pss"]) / 1024


def print_table(samples: dict[str, list[Sample]]) -> None:
    """Medians, and their ratios to the first row."""
    print(f"{'':26}{'start to /health, ms':>28}{'RSS at rest, MiB':>22}{'PSS at rest, MiB':>22}")
    first: list[float] = []
    for name, rows in samples.items():
        columns = [[row.start_ms for row in rows], [row.rss_mib for row in rows], [row.pss_mib for row in rows]]
        medians = [statistics.median(column) for column in columns]
        first = first or medians
        start, rss, pss = [f"{here:.1f} = {here / there:.2f}x" for here, there in zip(medians, first, strict=True)]
        spread = f"({min(columns[0]):.0f}-{max(columns[0]):.0f})"
        print(f"{name:26}{start + ' ' + spread:>28}{rss:>22}{pss:>22}")


if __name__ == "__main__":
    main()
