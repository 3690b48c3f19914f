"""What the adapter costs at rest: memory, and time from start to the first `/health`, beside a bare aiohttp app.

`.venv/bin/python scripts/bench/idle.py [--rounds 7]` prints a table. Both programs are started in turn, several
rounds in one run, since a figure on a noisy machine means something only as a ratio to a peer. Memory is PSS
(a process's own pages, and its share of shared ones) from /proc/PID/smaps_rollup one second after the first answer.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SETTLE_S = 1.0
START_LIMIT_S = 30.0

# The smallest thing that answers /health with the same library: what the adapter adds is measured against it.
BARE = """
import sys
from aiohttp import web
async def health(request):
    return web.json_response({"status": "ok"})
app = web.Application()
app.router.add_get("/health", health)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""

# The default engines, the embedded one without a worker: nothing has been asked yet.
CONFIG = """
[[engine]]
name = "inferrlm"
kind = "inferrlm"
[[engine]]
name = "demo"
kind = "llama"
"""


@dataclass(frozen=True)
class Sample:
    """start_ms: from exec to the first 200 of /health. pss_mib: memory at rest."""

    start_ms: float
    pss_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    samples: dict[str, list[Sample]] = {"bare aiohttp": [], "adapter": []}
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "config.toml"
        config.write_text(CONFIG)
        env = {**os.environ, "FARMHAND_HOME": home, "FARMHAND_CONFIG": str(config)}
        for _ in range(rounds):
            samples["bare aiohttp"].append(measure(lambda port: [sys.executable, "-c", BARE, port], env))
            samples["adapter"].append(
                measure(lambda port: [sys.executable, "-m", "adapter", "serve", "--port", port], env)
            )
    print_table(samples)


def measure(command: Callable[[str], list[str]], env: dict[str, str]) -> Sample:
    """One start: `command(port)` is the argument list."""
    port = free_port()
    began = time.perf_counter()
    with running(command(str(port)), env) as process:
        wait_for_health(port, process)
        start_ms = (time.perf_counter() - began) * 1000
        time.sleep(SETTLE_S)
        return Sample(start_ms, pss_mib(process.pid))


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


def pss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def print_table(samples: dict[str, list[Sample]]) -> None:
    print(f"{'':14}{'start to /health, ms':>24}{'memory at rest, MiB':>22}")
    medians = {}
    for name, rows in samples.items():
        start = [row.start_ms for row in rows]
        medians[name] = (statistics.median(start), statistics.median(row.pss_mib for row in rows))
        spread = f"{medians[name][0]:.0f} ({min(start):.0f}-{max(start):.0f})"
        print(f"{name:14}{spread:>24}{medians[name][1]:>22.1f}")
    bare, ours = medians["bare aiohttp"], medians["adapter"]
    print(f"{'ratio':14}{ours[0] / bare[0]:>24.2f}{ours[1] / bare[1]:>22.2f}")


if __name__ == "__main__":
    main()
