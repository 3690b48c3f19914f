"""Runs one step: output to a log, a line of progress now and then, and what to do when it fails."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

from setup_steps.step import Step

PROGRESS_EVERY_S = 10.0
TAIL_LINES = 30


class SetupFailed(Exception):
    """A step did not work. The text says what happened and what to do."""


def carry_out(step: Step, logs: Path, lock_fd: int) -> None:
    """Run one step, output to a log in `logs`, a line of progress now and then. Raises `SetupFailed`."""
    if not step.argv:
        raise SetupFailed(step.say)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"setup-{step.name}.log"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                step.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **step.env},
                pass_fds=(lock_fd,),
            )
        except OSError as exc:
            raise SetupFailed(f"{step.argv[0]} cannot be run: {exc.strerror}") from None
        try:
            code = _wait(process, log)
        except KeyboardInterrupt:
            # The terminal sent Ctrl-C to it as well, unless only we were signalled.
            process.terminate()
            process.wait()
            raise
    if code and step.optional:
        print(f"      that did not work (exit status {code}, see {log}); going on without it", flush=True)
    elif code:
        raise SetupFailed(_report(step, code, log))


def _wait(process: subprocess.Popen[bytes], log: Path) -> int:
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=PROGRESS_EVERY_S)
        except subprocess.TimeoutExpired:
            pct = compiled_pct(_read(log))
            compiled = "" if pct is None else f", {pct} % compiled"
            print(f"      {duration(time.monotonic() - began)}{compiled}", flush=True)


def _report(step: Step, code: int, log: Path) -> str:
    tail = "\n".join(f"    {line}" for line in _read(log).splitlines()[-TAIL_LINES:])
    remedy = f"\n{step.remedy}." if step.remedy else ""
    return f"{shlex.join(step.argv)}\nfailed with exit status {code}. It ended with:\n{tail}\nAll of it: {log}{remedy}"


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def compiled_pct(log: str) -> int | None:
    """How far ninja is by the last `[n/m]` of its output, in percent; None before it has begun."""
    found = re.findall(r"^\s*\[(\d+)/(\d+)\] ", log, re.MULTILINE)
    if not found or int(found[-1][1]) == 0:
        return None
    done, total = map(int, found[-1])
    return 100 * done // total


def duration(seconds: float) -> str:
    """`83.4` as "1 min 23 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
