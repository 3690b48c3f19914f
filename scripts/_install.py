"""The command line of `scripts/install`, which finds a Python for it. What it does is in `install_steps/`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python leaves the first one out where PYTHONSAFEPATH is set; of the second, only phone/places.py is used.
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]
# The clone is a person's; what Python compiles of it need not lie around before .venv does.
sys.dont_write_bytecode = True

from install_steps.failure import InstallFailed
from install_steps.run import Flags, install
from install_steps.where import in_termux

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(argv)
    if not in_termux(sys.platform, os.environ):
        print(
            "scripts/install: this is for Termux on a phone, where it installs Farmhand as services. Here, type: scripts/up",
            file=sys.stderr,
        )
        return 1
    try:
        install(ROOT, os.environ, Flags(flags.llama, not flags.no_start, flags.dry_run, flags.quiet))
    except InstallFailed as exc:
        print(f"scripts/install: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"scripts/install: {exc}; mend that and run it again to carry on", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nscripts/install: interrupted; run it again to carry on", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/install",
        description="Installs Farmhand in Termux as services that start with the phone; quick when there is nothing to do.",
        epilog="scripts/uninstall takes it away again.",
    )
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument(
        "--no-llama", dest="llama", action="store_const", const=False, help="leave the embedded engine (a long build) out"
    )
    engine.add_argument(
        "--llama", dest="llama", action="store_const", const=True, help="build it, even if that did not work before"
    )
    parser.add_argument("--no-start", action="store_true", help="put all in place, but do not start it")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to do")
    return parser


if __name__ == "__main__":
    sys.exit(main())
