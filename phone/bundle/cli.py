"""`farmhand up`, `down`, `restart`, `pause`, `resume`, `logs`: flags -> who does it.

With `--json` what would be said line by line is one object at the end: {"ok", "exit_status", "said", "services"}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from phone.bundle import logs
from phone.bundle.control import Bundle, duration_s, to_stderr_and_stdout
from phone.configuration import ConfigError, load
from phone.places import Places, places
from phone.supervisor.store import read_published
from phone.supervisor.types import Service

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
# After Ctrl-C: what it was told goes on without us.
LEFT = {
    "up": "Not watching any longer; it goes on in the background. To stop it: farmhand down",
    "restart": "Not watching any longer; it goes on in the background. To stop it: farmhand down",
    "down": "Not watching any longer; what was told to end ends. farmhand status tells how far it is.",
}


def main(argv: Sequence[str]) -> int:
    """argv: with the command's name. Returns the exit status; errors are a sentence on standard error."""
    args = _parser().parse_args(argv)
    here = places(os.environ, ROOT)
    try:
        if args.command == "logs":
            return logs.run(args, here)
        return _as_json(args, here) if args.json else _as_lines(args, here)
    except BrokenPipeError:  # `farmhand logs | head`: what nobody reads is not written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConfigError, ValueError, OSError) as exc:
        print(f"farmhand: {exc}", file=sys.stderr)
        return 1


def _as_lines(args: argparse.Namespace, here: Places) -> int:
    try:
        return _control(args, _bundle(here, to_stderr_and_stdout))
    except KeyboardInterrupt:
        print(f"\n{LEFT.get(args.command, 'Interrupted.')}")
        return INTERRUPTED


def _as_json(args: argparse.Namespace, here: Places) -> int:
    said: list[str] = []
    try:
        status = _control(args, _bundle(here, said.append))
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (ConfigError, ValueError, OSError) as exc:
        said.append(f"farmhand: {exc}")
        status = 1
    published = read_published(here)
    services = {name: service.state for name, service in published.services.items()} if published else {}
    lines = [line for line in said if line]
    print(json.dumps({"ok": status == 0, "exit_status": status, "said": lines, "services": services}, ensure_ascii=False))
    return status


def _bundle(here: Places, say: Callable[[str], None]) -> Bundle:
    # Imported here: `farmhand logs` runs no command.
    from phone.runit import Runsv
    from phone.termux import Commands

    return Bundle(here, load(here.config, os.environ), Runsv(here, Commands()), say)


def _control(args: argparse.Namespace, bundle: Bundle) -> int:
    match args.command:
        case "up":
            return bundle.up(0 if args.no_wait else args.wait)
        case "down":
            return bundle.down()
        case "restart":
            return bundle.restart(Service(args.service) if args.service else None, args.wait)
        case "pause":
            return bundle.pause(args.for_s, args.why, time.time())
        case _:
            return bundle.resume()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="farmhand")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the whole bundle under runit, and watch it get ready")
    up.add_argument("--wait", type=float, default=180.0, metavar="SECONDS", help="watch so long (default 180)")
    up.add_argument("--no-wait", action="store_true", help="start only")
    down = commands.add_parser("down", help="stop the whole bundle, the last started first")
    restart = commands.add_parser("restart", help="stop and start the bundle, or one service")
    restart.add_argument("service", nargs="?", choices=[s.value for s in Service], help="only this one")
    restart.add_argument("--wait", type=float, default=180.0, metavar="SECONDS", help="watch so long (default 180)")
    pause = commands.add_parser("pause", help="let the engines rest; requests get a 503 that says so")
    pause.add_argument("--for", dest="for_s", type=_duration, metavar="TIME", help="so long: 90s, 30min, 2h (default: until resume)")
    pause.add_argument("--why", default="", metavar="TEXT", help="what the refused clients are told")
    resume = commands.add_parser("resume", help="end a pause")
    for command in (up, down, restart, pause, resume):
        command.add_argument("--json", action="store_true", help="print one JSON object at the end")
    logs.add_arguments(commands.add_parser("logs", help="show the services' logs as one, by time"))
    return parser


def _duration(text: str) -> float:
    try:
        return duration_s(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
