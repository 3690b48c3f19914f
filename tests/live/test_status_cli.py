"""`farmhand status` as a process, beside the real adapter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.live.processes import REPO, adapter

ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\n'


def status(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FARMHAND_")}
    return subprocess.run(
        [sys.executable, "-m", "phone", "status", *args],
        cwd=REPO,
        env={**kept, "FARMHAND_HOME": str(home), "XDG_CONFIG_HOME": str(home / "none")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_before_while_and_after_it_runs(tmp_path: Path) -> None:
    with adapter(tmp_path, ECHO) as running:
        shown = status(tmp_path, "--url", running.base_url)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.startswith(f"Farmhand at {running.base_url} is ready.\n\necho: ready\n")
        said = status(tmp_path, "--json", "--url", running.base_url)
        assert (said.returncode, json.loads(said.stdout)["engines"]["echo"]["ready"]) == (0, True)
        keyless = status(tmp_path, "--url", running.base_url, "--key", "sk-another-key")
        assert keyless.returncode == 0 and "echo" not in keyless.stdout
    gone = status(tmp_path, "--url", running.base_url)
    assert gone.returncode == 2
    assert gone.stderr.endswith("Start it with: farmhand serve\n") and "Traceback" not in gone.stderr
