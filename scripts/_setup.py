"""The command line of `scripts/setup`, which finds a Python for it. What it does is in `setup_steps/`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))  # Python leaves it out where PYTHONSAFEPATH is set

from setup_steps.carry_out import SetupFailed
from setup_steps.run import run

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/setup",
        description="Makes .venv and installs Farmhand in it; quick when there is nothing to do.",
    )
    parser.add_argument(
        "--no-llama", action="store_true", help="leave the embedded engine (a long build) out"
    )
    parser.add_argument("--test", action="store_true", help="with what scripts/test needs")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be run")
    parser.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to do")
    flags = parser.parse_args(argv)
    wanted = frozenset(["test"] if flags.test else []) | frozenset([] if flags.no_llama else ["llama"])
    declined = frozenset(["llama"] if flags.no_llama else [])
    try:
        run(ROOT, wanted, declined, quiet=flags.quiet, dry_run=flags.dry_run)
    except SetupFailed as exc:
        print(f"scripts/setup: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nscripts/setup: interrupted; run it again to carry on", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
