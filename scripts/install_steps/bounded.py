"""Runs a command that must come back. Most of Termux's can block for ever (`facts/termux.md` 1, 5.1)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """code: exit status; `None` if there is no such command, or if it had to be killed. out: both outputs together."""

    code: int | None
    out: str = ""


def bounded(argv: Sequence[str], limit_s: float, prefix: Path, env: Mapping[str, str] | None = None) -> Ran:
    """A command of `prefix`, else of PATH; after `limit_s` it and its children are killed. Raises nothing."""
    program = shutil.which(argv[0], path=f"{prefix}/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        return Ran(None, f"there is no command {argv[0]}")
    # A file: were it a pipe, a daemon that the command leaves behind would keep us waiting.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except OSError as exc:
            return Ran(None, f"{program} cannot be run: {exc.strerror}")
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.returncode is None:  # in time or by Ctrl-C: nothing of it stays
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    return Ran(code, text if code is not None else f"{argv[0]} did not come back within {limit_s:g} s")
