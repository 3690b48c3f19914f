"""The command line of `scripts/uninstall`, which finds a Python for it. What it does is in `install_steps/`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]  # as in _install.py
sys.dont_write_bytecode = True

from install_steps.failure import InstallFailed
from install_steps.unrun import Flags, uninstall
from install_steps.where import in_termux

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(argv)
    if not in_termux(sys.platform, os.environ):
        print(
            "scripts/uninstall: this is for Termux, to undo scripts/install. Elsewhere, deleting the clone is all there is to do.",
            file=sys.stderr,
        )
        return 1
    try:
        uninstall(ROOT, os.environ, Flags(flags.purge, flags.packages, flags.dry_run, flags.quiet))
    except InstallFailed as exc:
        print(f"scripts/uninstall: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"scripts/uninstall: {exc}; mend that and run it again to carry on", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nscripts/uninstall: interrupted; run it again to carry on", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/uninstall",
        description="Stops Farmhand and removes what scripts/install made: nothing else, and not what is yours.",
    )
    parser.add_argument(
        "--purge", action="store_true", help="your models, tokens and configuration too: all of Farmhand's state"
    )
    parser.add_argument("--packages", action="store_true", help="the Termux packages too that were installed for it")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to remove")
    return parser


if __name__ == "__main__":
    sys.exit(main())
