"""`farmhand doctor`: gathers, judges, says; `--first-device` writes a report to share."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from phone.command import Runs
from phone.doctor import report
from phone.places import Places, places

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 80
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """argv: with the command's name. Returns 0 if nothing is wrong, 1 if something is, 130 after Ctrl-C."""
    args = _parser().parse_args(argv)
    here = places(os.environ, ROOT)
    from phone.termux import Commands

    commands = Commands()
    try:
        if args.first_device:
            return _first_device(here, commands, args.out)
        return _examine(args, here, commands)
    except KeyboardInterrupt:
        return INTERRUPTED


def is_phone(env: Mapping[str, str], platform: str) -> bool:
    """In Termux, or in what is laid out like it."""
    return platform == "android" or "TERMUX_VERSION" in env


def _examine(args: argparse.Namespace, here: Places, commands: Runs) -> int:
    from phone.doctor.gather import gather

    facts = gather(here, os.environ, commands, on_phone=is_phone(os.environ, sys.platform))
    found = report.findings(facts)
    if args.json:
        _write(json.dumps(report.as_json(found), indent=2))
    else:
        _write("\n".join(report.lines(found, width=_width(), all_of_them=args.all)))
    return report.exit_status(found)


def _first_device(here: Places, commands: Runs, out: Path | None) -> int:
    from phone.doctor.first_device import report as first_report

    path = out or here.user / "farmhand-first-device.md"
    key = here.key_file.read_text(encoding="utf-8").strip() if here.key_file.exists() else ""
    try:
        # Opened first: nobody waits a minute to hear that it cannot be written. And what is answered is kept, should somebody stop it.
        with path.open("w", encoding="utf-8") as file:
            _write("This usually takes less than a minute, and five at most.")
            for line in first_report(here, commands, wall_s=time.time(), secrets=[key]):
                file.write(line + "\n")
                if line.startswith("## "):
                    file.flush()
                    _write(line.removeprefix("## "))
    except OSError as exc:
        sys.stderr.write(f"farmhand: {path} cannot be written ({exc.strerror}); choose another with --out FILE\n")
        return 1
    _write(f"Written to {path}. Read it, then share it.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="farmhand")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser(
        "doctor",
        help="say what is wrong and what to type",
        epilog="Exit status: 0 nothing is wrong, 1 something is.",
    )
    doctor.add_argument("--all", action="store_true", help="show what is in order as well")
    doctor.add_argument("--json", action="store_true", help="print all findings as JSON")
    doctor.add_argument("--first-device", action="store_true", help="answer the open questions about phones, as a report to share")
    doctor.add_argument("--out", type=Path, metavar="FILE", help="where that report goes (default ~/farmhand-first-device.md)")
    return parser


def _width() -> int:
    return min(100, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
