"""LiteLLM, where `[proxy]` asks for it: an environment of its own, or none. Without it everything else works.

There are no wheels of it for Android (`facts/termux.md` 11), so on most phones this fails, after minutes; then that is written down and not tried at every call.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from install_steps.bounded import Ran, bounded
from install_steps.report import Report

# The newest whose proxy can be installed (`protocols/clients.md` 12).
REQUIREMENT = "litellm[proxy]==1.106.2"
MAKE_S = 120.0
# 600 MB where there are wheels; where there are none, compilers run until it is over.
LIMIT_S = 900.0
LAST_LINES = 3


class LiteLLM:
    """root: the clone. prefix: Termux's. limit_s: for pip."""

    def __init__(self, root: Path, prefix: Path, limit_s: float = LIMIT_S) -> None:
        self._folder = root / ".cache" / "litellm"
        self._failed = root / ".cache" / "litellm.failed"
        self._made_by = root / ".venv" / "bin" / "python"
        self._prefix, self._limit_s = prefix, limit_s

    @property
    def ready(self) -> bool:
        """Is there one that the service finds? A person's own is as good."""
        ours = os.access(self._folder / "bin" / "litellm", os.X_OK) and self._stamp(self._folder / "made-of") == self._recipe
        return ours or os.access(self._prefix / "bin" / "litellm", os.X_OK)

    @property
    def given_up(self) -> bool:
        """Has the same been tried, and did not work?"""
        return self._stamp(self._failed) == self._recipe

    def install(self, report: Report) -> None:
        """Installs it, or says that it did not work; raises nothing. What is half there is removed."""
        if self.ready:
            return
        if self.given_up:
            report.warn(f"LiteLLM is still missing: it could not be installed here. To try again: rm {self._failed}; else set enabled = false in [proxy]")
            return
        report.done("litellm", f"fetching {REQUIREMENT}; gives up after {self._limit_s / 60:g} minutes")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        ran = self._fetch()
        if ran.code == 0:
            (self._folder / "made-of").write_text(self._recipe, encoding="utf-8")
            self._failed.unlink(missing_ok=True)
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._failed.write_text(self._recipe, encoding="utf-8")
        report.warn(
            "LiteLLM could not be installed, so the proxy stays off, and clients ask the adapter directly. It runs on a laptop or a home server: "
            f"farmhand connect litellm. To try here again: rm {self._failed}\n{self._why(ran)}"
        )

    def _fetch(self) -> Ran:
        """One after the other: a virtual environment, and pip in it."""
        made = bounded([str(self._made_by), "-m", "venv", str(self._folder)], MAKE_S, self._prefix)
        if made.code != 0:
            return made
        pip = [str(self._folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--prefer-binary", REQUIREMENT]
        return bounded(pip, self._limit_s, self._prefix)

    @property
    def _recipe(self) -> str:
        """What it is made of; another one is tried anew."""
        return f"{REQUIREMENT}\n{sys.version_info[0]}.{sys.version_info[1]}\n"

    def _stamp(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def _why(self, ran: Ran) -> str:
        lines = [line.strip() for line in ran.out.splitlines() if line.strip()]
        return "\n".join(lines[-LAST_LINES:]) or "it said nothing"
