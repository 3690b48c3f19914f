"""`farmhand connect NAME`: flags -> one function each."""

from __future__ import annotations

import argparse
import sys


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    commands.add_parser("connect", help="make the configuration of a client, and try it")


def run(args: argparse.Namespace) -> int:
    print("farmhand connect is not built yet.", file=sys.stderr)
    return 2
