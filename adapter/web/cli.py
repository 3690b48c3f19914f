"""`farmhand mcp`: the tools `web.fetch` and `search.web` for MCP clients, over standard input and output."""

from __future__ import annotations

import argparse
import sys


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    commands.add_parser("mcp", help="tools for agents, over MCP: fetch a page, search the web")


def run(args: argparse.Namespace) -> int:
    print("farmhand mcp is not built yet.", file=sys.stderr)
    return 2
