"""`farmhand serve`, `models`, `chat`, `status`, `token`, `connect` and `mcp`: flags -> settings -> who does it. No logic of its own."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from adapter import configuration, log
from adapter.configuration import SettingsError
from adapter.keys import KeyFileError, load_or_create_key
from adapter.settings import Settings, local_url

# Collections of the middle generation before one of everything.
NEVER = 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 if all went well, 1 if it could not be done, 2 for wrong flags, 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    args = _parser(serving=argv[:1] == ["serve"]).parse_args(argv)
    if args.command == "serve":
        return _serve_command(args)
    command = _other_commands()[args.command]
    return _unless_the_reader_leaves(lambda: command.run(args))


class Command(Protocol):
    """What the file of a command other than `serve` has."""

    def add_to(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def _other_commands() -> dict[str, Command]:
    """Imported here: a server runs for long, and does without them."""
    from adapter.access import cli as token_cli
    from adapter.connect import cli as connect_cli
    from adapter.models import cli as models_cli
    from adapter.terminal import cli as chat_cli
    from adapter.terminal import status as status_cli
    from adapter.web import cli as mcp_cli

    return {
        "models": models_cli, "chat": chat_cli, "status": status_cli, "token": token_cli, "connect": connect_cli, "mcp": mcp_cli,
    }  # fmt: skip


def _unless_the_reader_leaves(command: Callable[[], int]) -> int:
    """`farmhand models list | head -1` is no error: what nobody reads is not written."""
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more when it exits; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _serve_command(args: argparse.Namespace) -> int:
    given = {key: value for key, value in (("host", args.host), ("port", args.port)) if value is not None}
    try:
        config = configuration.load(config=args.config, server=given)
        key = load_or_create_key(config.home)
    except (SettingsError, KeyFileError) as exc:
        return _fail(str(exc))
    return _serve(config, key, quiet=args.quiet)


def _parser(*, serving: bool) -> argparse.ArgumentParser:
    """serving: nothing but `serve` is going to be parsed."""
    parser = argparse.ArgumentParser(prog="farmhand", description="The OpenAI adapter of Farmhand.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer OpenAI requests, in the foreground, until Ctrl-C")
    serve.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: see the README)")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=_port, help="port to listen on (default 8888; 0 lets the system choose)")
    serve.add_argument("--quiet", action="store_true", help="do not print the key: for services, whose output is kept")
    if not serving:
        for command in _other_commands().values():
            command.add_to(commands)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use a number from 0 to 65535")
    return int(text)


def _serve(config: Settings, key: str, *, quiet: bool) -> int:
    log.set_up(config.log.level)
    # What is made until the freeze stays for good. Looking through all of it for garbage takes 30 ms on a PC, now and again later. What is
    # young is looked through as always: making a dataclass leaves a class behind, all of which together would stay for good as well.
    usual = gc.get_threshold()
    gc.set_threshold(*usual[:2], NEVER)
    # Imported here: `--help` and wrong flags need no aiohttp.
    from adapter.server.app import build_app
    from adapter.server.run import CannotListen, serve

    def on_listening(port: int) -> None:
        print(f"Farmhand answers at {local_url(config.server.host, port)}" if quiet else _banner(config, key, port), flush=True)

    try:
        app = build_app(config, keys=(key,))
        gc.freeze()
        gc.set_threshold(*usual)
        asyncio.run(serve(app, config.server, on_listening=on_listening))
    except (CannotListen, SettingsError) as exc:  # the latter for a key that is not where an engine's settings say
        return _fail(str(exc))
    print("Farmhand has stopped.", flush=True)
    return 0


def _fail(text: str) -> int:
    print(f"farmhand: {text}", file=sys.stderr, flush=True)
    return 1


def _banner(config: Settings, key: str, port: int) -> str:
    """Base URL, key, and one line to paste. The URL is one that works from this machine."""
    base = local_url(config.server.host, port)
    lines = ["", f"Farmhand answers at {base}"]
    auth = ""
    if config.auth.required:
        lines.append(f"API key            {key}")
        auth = f" -H {shlex.quote(f'Authorization: Bearer {key}')}"
    question = [{"role": "user", "content": "What is Farmhand?"}]
    # Greedy, so that a first answer is the model's best one and the same for everybody.
    body = json.dumps({"model": _first_model(config), "stream": True, "temperature": 0, "messages": question})
    lines += [
        "",
        "Try it (Ctrl-C here stops the server):",
        "",
        f"curl -N {base}/chat/completions{auth} -H 'Content-Type: application/json' -d '{body}'",
        "",
    ]
    return "\n".join(lines)


def _first_model(config: Settings) -> str:
    """The bundled model where it is configured, since it always answers; else whatever is best."""
    bundled = any(entry.kind == "llama" and entry.model == "demo" for entry in config.engine)
    return "demo" if bundled else "auto"
