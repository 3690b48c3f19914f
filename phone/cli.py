"""The `farmhand` command: finds who answers a command, and hands over. No logic of its own.

The adapter's commands are reached by module name, when they are asked for: nothing else crosses between the
two packages, and `farmhand --help` imports no server.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

ADAPTER_CLI = "adapter.cli"

# Command: what it does. These go to ADAPTER_CLI, the command's name included.
ADAPTER_COMMANDS = {
    "serve": "answer OpenAI requests, in the foreground until Ctrl-C",
    "models": "list, fetch, check and remove models",
    "chat": "talk to a model in the terminal",
    "status": "say what a running server and its engines do",
}

# Command: what it will do, and what to use until then.
PLANNED = {
    "up": ("start the whole bundle under runit", "use `farmhand serve`, which runs in the foreground"),
    "down": ("stop the whole bundle", "press Ctrl-C where `farmhand serve` runs"),
    "logs": ("show the logs", "read them where `farmhand serve` runs"),
    "doctor": ("say what is wrong and what to type", "read what `farmhand serve` says when it starts"),
    "token": ("make and revoke named keys", "use the key that `farmhand serve` prints"),
    "connect": (
        "print the settings of other programs",
        "give them the address and key that `farmhand serve` prints",
    ),
}

NOT_BUILT = 2  # as argparse says for a command it does not know


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` without the program's name. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.version:
        print(f"farmhand {_version()}")
        return 0
    if given.command is None:
        parser.print_help(sys.stderr)
        return NOT_BUILT
    if given.command in PLANNED:
        _, instead = PLANNED[given.command]
        print(f"farmhand {given.command} is not built yet: {instead}.", file=sys.stderr)
        return NOT_BUILT
    status: int = importlib.import_module(ADAPTER_CLI).main([given.command, *given.arguments])
    return status


def _parser() -> argparse.ArgumentParser:
    built = [f"  {name:8} {does}" for name, does in ADAPTER_COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="farmhand",
        usage="farmhand [--help] [--version] COMMAND ...",
        description="Turns a phone into a dependable OpenAI server.",
        epilog="\n".join(["commands:", *built, "", f"planned, not built yet: {', '.join(PLANNED)}"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "command", nargs="?", choices=[*ADAPTER_COMMANDS, *PLANNED], metavar="COMMAND", help="see below"
    )
    # Everything after the command is the command's own, its --help too.
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _version() -> str:
    try:
        return metadata.version("farmhand")
    except metadata.PackageNotFoundError:
        return "(not installed: run scripts/setup)"
