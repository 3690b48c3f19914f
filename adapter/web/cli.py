"""`farmhand mcp`: the tools `web.fetch` and `search.web` for MCP clients, over standard input and output."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import os
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from adapter import configuration
from adapter.configuration import SettingsError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.web.addresses import Allowed

# `mcp_server.py` speaks to the library of this version and later.
LEAST_VERSION = (2, 2)
INSTALL = ".venv/bin/pip install -e '.[mcp]'  (in the folder of Farmhand)"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "mcp",
        help="tools for agents, over MCP: fetch a page, search the web",
        description="An MCP server on standard input and output, for a client to start: fetches public web pages as clean text, and searches the web by "
        "the SearXNG of [search] url. Runs until its input ends.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: see the README)")
    parser.add_argument(
        "--allow-private",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="let pages be fetched from this address or network, too, although it is not public (192.168.1.20, 192.168.1.0/24); may be repeated",
    )
    parser.add_argument("--dotted", action="store_true", help="list the tools as web.fetch and search.web instead of web_fetch and search_web")


def run(args: argparse.Namespace) -> int:
    """Returns the exit code: 0 after the input's end, 1 where it cannot be started."""
    if why := missing():
        return _fail(why)
    try:
        config = configuration.load(config=args.config)
    except SettingsError as exc:
        return _fail(str(exc))
    from adapter.web.addresses import Allowed

    try:
        allowed = Allowed.parse((*config.search.allow_private, *args.allow_private))
    except ValueError as exc:
        return _fail(f"--allow-private: {exc}")
    # Standard output belongs to the protocol.
    logging.basicConfig(stream=sys.stderr, level=config.log.level.upper(), format="%(levelname).1s %(name)s %(message)s")
    # A thread waits for input and cannot be called off: Ctrl-C ends the process at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_serve(config, allowed, dotted=args.dotted))
    return 0


def missing() -> str | None:
    """What is to be installed first, as a sentence; `None`: nothing."""
    least = ".".join(map(str, LEAST_VERSION))
    try:
        have = metadata.version("mcp")
    except metadata.PackageNotFoundError:
        have = ""
    if not have or importlib.util.find_spec("mcp") is None:
        return f"mcp needs the library of that name, which is not installed; type: {INSTALL}"
    numbers = tuple(int(part) for part in have.split(".")[:2] if part.isdecimal())
    if numbers < LEAST_VERSION:
        return f"mcp needs version {least} or newer of the library of that name, and {have} is installed; type: {INSTALL}"
    return None


async def _serve(config: Settings, allowed: Allowed, *, dotted: bool) -> None:
    from adapter.web.fetch import Fetcher
    from adapter.web.mcp_server import serve
    from adapter.web.searcher import Searcher
    from adapter.web.tools import Toolset

    await serve(Toolset(Fetcher(allowed), Searcher(config.search)), dotted=dotted, version=_version())
    # A name that is being looked up or a page that is being cleaned, each in a thread, cannot be called off, and asyncio would wait for it.
    logging.shutdown()
    os._exit(0)


def _version() -> str:
    try:
        return metadata.version("farmhand")
    except metadata.PackageNotFoundError:
        return "0"


def _fail(text: str) -> int:
    print(f"farmhand: {text}", file=sys.stderr, flush=True)
    return 1
