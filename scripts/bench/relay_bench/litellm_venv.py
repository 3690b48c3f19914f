"""LiteLLM's proxy in a virtual environment of its own, made once and kept."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

# The newest whose proxy extra could be installed when this was written.
WANTED = "litellm[proxy]==1.106.2"


def python_of(cache: Path) -> Path | None:
    """Its interpreter; `None`, with a line on stderr, where pip cannot install it."""
    folder = cache / "litellm"
    python = folder / "bin" / "python"
    if python.exists():
        return python
    print(f"... installing {WANTED} (once; 600 MB)", file=sys.stderr, flush=True)
    # A virtual environment cannot be moved, so it is made in its place and removed if it does not work out.
    venv.create(folder, with_pip=True, clear=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", WANTED], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode == 0:
        return python
    venv.create(folder, with_pip=False, clear=True)
    python.unlink(missing_ok=True)
    print(f"... no LiteLLM: {done.stdout[-500:]}", file=sys.stderr, flush=True)
    return None
