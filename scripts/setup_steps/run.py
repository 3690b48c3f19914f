"""The whole of a setup: is there anything to do, and then doing it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from setup_steps.carry_out import carry_out, duration
from setup_steps.lock import only_one
from setup_steps.observe import observe
from setup_steps.plan import plan
from setup_steps.stamp import read_stamp, recipe, setup_source, up_to_date, write_stamp
from setup_steps.step import Step

SCRIPTS = Path(__file__).resolve().parent.parent


def run(root: Path, wanted: frozenset[str], declined: frozenset[str], *, quiet: bool, dry_run: bool) -> None:
    """Bring `root/.venv` to the extras `wanted`. Any number of these may run at once. Raises `SetupFailed`.

    declined: extras not to bring back when the environment is made anew.
    """
    path = root / ".venv" / "farmhand-setup.json"
    now = recipe((root / "pyproject.toml").read_bytes(), setup_source(SCRIPTS), sys.version_info[:2], root)
    if up_to_date(read_stamp(path), now, wanted):
        if not quiet:
            print("Everything is set up already.")
    elif dry_run:
        for step in _plan_here(root, wanted, declined, read_stamp(path), now):
            print(step.say, *([f"    {shlex.join(step.argv)}"] if step.argv else []), sep="\n")
    else:
        with only_one(root / ".cache" / "setup.lock") as lock_fd:
            stamp = read_stamp(path)  # the one we waited for may have done it all
            if not up_to_date(stamp, now, wanted):
                steps = _plan_here(root, wanted, declined, stamp, now)
                _carry_out_all(steps, root / ".cache", path, now, lock_fd)


def _plan_here(
    root: Path, wanted: frozenset[str], declined: frozenset[str], stamp: Mapping[str, Any], now: str
) -> list[Step]:
    kept = frozenset(stamp.get("extras", ()))
    current = stamp.get("recipe") == now
    if not current:
        kept -= declined
    return plan(observe(root, wanted, kept, current=current), wanted)


def _carry_out_all(steps: Sequence[Step], logs: Path, stamp: Path, now: str, lock_fd: int) -> None:
    began = time.monotonic()
    for number, step in enumerate(steps, 1):
        if step.argv:
            print(f"[{number}/{len(steps)}] {step.say}", flush=True)
        if step.name in ("venv", "project"):
            stamp.unlink(missing_ok=True)  # until the next stamp the environment is in pieces
        carry_out(step, logs, lock_fd)
        if step.gives is not None:
            write_stamp(stamp, now, step.gives)
    print(f"Set up in {duration(time.monotonic() - began)}.", flush=True)
