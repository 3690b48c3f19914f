"""What Android knows: which apps are there, and the job that looks after the bundle. Each call has a time limit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from install_steps.bounded import bounded

# A Java program each, so about a second; and they can hang (`facts/termux.md` 4.1, 5.1).
CALL_S = 10.0
API, BOOT, WIDGET = "com.termux.api", "com.termux.boot", "com.termux.widget"
# Of all the jobs of Termux:API; another program's number must not be met.
JOB = 888_800
PERIOD_MS = 900_000


def apps(prefix: Path, packages: Iterable[str]) -> dict[str, bool | None]:
    """Which of them are installed; `None` where it cannot be told."""
    names = list(packages)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(lambda name: _app(prefix, name), names), strict=True))


def _app(prefix: Path, package: str) -> bool | None:
    if package == API and os.environ.get("TERMUX_API_VERSION"):
        return True  # the Termux app says so to all that it starts
    said = bounded(["pm", "path", package], CALL_S, prefix)
    if said.code == 0 and "package:" in said.out:
        return True
    return False if said.code == 1 else None


def job_is_set(prefix: Path) -> bool | None:
    """`None`: it cannot be told."""
    said = bounded(["termux-job-scheduler", "--pending"], CALL_S, prefix)
    return None if said.code != 0 else bool(re.search(rf"\b{JOB}\b", said.out))


def set_job(prefix: Path, script: Path) -> str:
    """Let Android run `script` now and then, whatever the network and the battery (`facts/termux.md` 4.5). "" or why not."""
    argv = ["termux-job-scheduler", "--job-id", str(JOB), "--script", str(script), "--period-ms", str(PERIOD_MS)]
    argv += ["--persisted", "true", "--network", "none", "--battery-not-low", "false"]
    said = bounded(argv, CALL_S, prefix)
    # It ends with 0 whatever happens; the words count. RESULT_SUCCESS is 1.
    return "" if said.code == 0 and re.search(r"response 1\b", said.out) else said.out or "no answer"


def cancel_job(prefix: Path, job: int) -> str:
    """"" or why it may still be set."""
    said = bounded(["termux-job-scheduler", "--cancel", "--job-id", str(job)], CALL_S, prefix)
    return "" if said.code == 0 else said.out or "no answer"
