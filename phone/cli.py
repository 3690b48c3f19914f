"""The `farmhand` command: finds who answers a command, and hands over. No logic of its own.

The adapter's commands are reached by module name, when they are asked for: nothing else crosses between the
two packages, and `farmhand --help` imports no server.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ADAPTER_CLI = "adapter.cli"

# Command: what it does. These go to ADAPTER_CLI, the command's name included.
ADAPTER_COMMANDS = {
    "serve": "answer OpenAI requests, in the foreground until Ctrl-C",
    "models": "list, fetch, check and remove models",
    "chat": "talk to a model in the terminal",
    "token": "make, list and revoke named keys",
    "connect": "make the configuration of a client, and try it",
    "mcp": "tools for agents, over MCP: fetch a page, search the web",
}

# Command: the module of this package that answers it, and what it does.
PHONE_COMMANDS = {
    "up": ("phone.bundle.cli", "start the whole bundle under runit"),
    "down": ("phone.bundle.cli", "stop the whole bundle"),
    "restart": ("phone.bundle.cli", "stop and start the bundle, or one service of it"),
    "pause": ("phone.bundle.cli", "let the engines rest for a while"),
    "resume": ("phone.bundle.cli", "end a pause"),
    "logs": ("phone.bundle.cli", "show the logs of all services as one"),
    "doctor": ("phone.doctor.cli", "say what is wrong and what to type"),
    "supervise": ("phone.supervise", "order the services, in the foreground (what runit runs)"),
}

# Answered by both: the bundle's part here, where there is a bundle, then the adapter's.
STATUS = "say what the bundle, the server and its engines do"

WRONG_FLAGS = 2  # as argparse says for a command it does not know


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` without the program's name. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.version:
        print(f"farmhand {_version()}")
        return 0
    if given.command is None:
        parser.print_help(sys.stderr)
        return WRONG_FLAGS
    if given.command in PHONE_COMMANDS:
        module, _ = PHONE_COMMANDS[given.command]
        done: int = importlib.import_module(module).main([given.command, *given.arguments])
        return done
    if given.command == "status":
        return _status(given.arguments)
    return _adapter([given.command, *given.arguments])


def _adapter(argv: Sequence[str]) -> int:
    status: int = importlib.import_module(ADAPTER_CLI).main(list(argv))
    return status


def _status(arguments: Sequence[str]) -> int:
    from phone.bundle import status
    from phone.places import places

    here = places(os.environ, Path(__file__).resolve().parents[1])
    if status.applies(here, arguments):
        return status.run(arguments, here, _adapter)
    return _adapter(["status", *arguments])


def _parser() -> argparse.ArgumentParser:
    does = {name: words for name, (_, words) in PHONE_COMMANDS.items()} | {"status": STATUS} | ADAPTER_COMMANDS
    built = [f"  {name:9} {words}" for name, words in does.items()]
    parser = argparse.ArgumentParser(
        prog="farmhand",
        usage="farmhand [--help] [--version] COMMAND ...",
        description="Turns a phone into a dependable OpenAI server.",
        epilog="\n".join(["commands:", *built]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("command", nargs="?", choices=[*does], metavar="COMMAND", help="see below")
    # Everything after the command is the command's own, its --help too.
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _version() -> str:
    try:
        return metadata.version("farmhand")
    except metadata.PackageNotFoundError:
        return "(not installed: run scripts/setup)"
