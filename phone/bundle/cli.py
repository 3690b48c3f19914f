"""`farmhand up`, `down`, `restart`, `pause`, `resume`, `logs`: flags -> who does it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from phone.bundle import logs
from phone.bundle.control import Bundle, duration_s, to_stderr_and_stdout
from phone.configuration import ConfigError, load
from phone.places import Places, places
from phone.supervisor.types import Service

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """argv: with the command's name. Returns the exit status; errors are a sentence on standard error."""
    args = _parser().parse_args(argv)
    here = places(os.environ, ROOT)
    try:
        if args.command == "logs":
            return logs.run(args, here)
        return _control(args, _bundle(here))
    except KeyboardInterrupt:
        if args.command in ("up", "restart"):
            print("\nNot watching any longer; it goes on in the background. To stop it: farmhand down")
        if args.command == "down":
            print("\nNot watching any longer; what was told to end ends. farmhand status tells how far it is.")
        return INTERRUPTED
    except BrokenPipeError:  # `farmhand logs | head`: what nobody reads is not written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConfigError, ValueError, OSError) as exc:
        print(f"farmhand: {exc}", file=sys.stderr)
        return 1


def _bundle(here: Places) -> Bundle:
    # Imported here: `farmhand logs` runs no command.
    from phone.runit import Runsv
    from phone.termux import Commands

    return Bundle(here, load(here.config, os.environ), Runsv(here, Commands()), to_stderr_and_stdout)


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
    commands.add_parser("down", help="stop the whole bundle, the last started first")
    restart = commands.add_parser("restart", help="stop and start the bundle, or one service")
    restart.add_argument("service", nargs="?", choices=[s.value for s in Service], help="only this one")
    restart.add_argument("--wait", type=float, default=180.0, metavar="SECONDS", help="watch so long (default 180)")
    pause = commands.add_parser("pause", help="let the engines rest; requests get a 503 that says so")
    pause.add_argument("--for", dest="for_s", type=_duration, metavar="TIME", help="so long: 90s, 30min, 2h (default: until resume)")
    pause.add_argument("--why", default="", metavar="TEXT", help="what the refused clients are told")
    commands.add_parser("resume", help="end a pause")
    logs.add_arguments(commands.add_parser("logs", help="show the services' logs as one, by time"))
    return parser


def _duration(text: str) -> float:
    try:
        return duration_s(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
