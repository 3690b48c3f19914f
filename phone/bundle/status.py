"""`farmhand status` on a phone: the bundle as its supervisor sees it, then the adapter's own words."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from phone.bundle.report import bundle_lines
from phone.places import Places
from phone.supervisor import store
from phone.supervisor.published import Published, to_json
from phone.supervisor.types import SUPERVISOR

WIDTH = 80
# What the adapter's `status` returns then.
NOBODY = 2


def applies(places: Places, argv: Sequence[str]) -> bool:
    """Is there a bundle here, and is it that one that is asked about?"""
    asks_another = any(word.split("=")[0] in ("--url", "--key", "-h", "--help") for word in argv)
    return (places.service(SUPERVISOR) / "run").exists() and not asks_another


def run(argv: Sequence[str], places: Places, adapter: Callable[[Sequence[str]], int]) -> int:
    """adapter: its `status`, with these flags. Returns its exit status; at least 1 where the bundle is not ready."""
    published = store.read_published(places)
    alive = published is not None and _lives(published.pid)
    worst = 0 if published is not None and alive and published.ready else 1
    if "--json" in argv:
        return max(worst, _as_json(argv, published, alive, adapter))
    if published is None:
        lines = ["The supervisor has not run yet. To start the bundle: farmhand up"]
    else:
        lines = bundle_lines(published, alive=alive, now_wall_s=time.time(), width=_width())
    sys.stdout.write("\n".join([*lines, ""]))
    if not alive:
        return max(worst, _without_its_advice(argv, adapter))
    sys.stdout.write("\n")
    sys.stdout.flush()
    return max(worst, adapter(["status", *argv]))


def _without_its_advice(argv: Sequence[str], adapter: Callable[[Sequence[str]], int]) -> int:
    """Where nobody answers, it says how to start the adapter alone; how to start the bundle has been said."""
    out, err, status = io.StringIO(), io.StringIO(), NOBODY + 1
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = adapter(["status", *argv])
    finally:
        if status != NOBODY:
            sys.stdout.write(f"\n{out.getvalue()}")
            sys.stderr.write(err.getvalue())
    return status


def _as_json(argv: Sequence[str], published: Published | None, alive: bool, adapter: Callable[[Sequence[str]], int]) -> int:
    """The adapter's object as it always is, and in it the bundle."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = adapter(["status", *argv])
    try:
        data: dict[str, Any] = json.loads(text.getvalue())
    except ValueError:
        data = {"status": "unknown"}
    data["bundle"] = None if published is None else {**to_json(published), "alive": alive}
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
    return status


def _lives(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's: not our supervisor
        return False
    return True


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH
