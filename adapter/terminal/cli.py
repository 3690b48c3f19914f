"""`farmhand chat`: flags, the address and the key. What it needs beyond that is imported when it runs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
from urllib.parse import urlsplit

from adapter import configuration
from adapter.keys import KeyFileError, load_or_create_key
from adapter.settings import is_loopback, local_url


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `chat` to the parser of `farmhand`; `run` does what was parsed."""
    chat = commands.add_parser(
        "chat",
        help="talk to a model in the terminal",
        epilog="Without PROMPT on a terminal it is a conversation; /help in it tells more. "
        "`farmhand chat 'In one line:' - < notes.txt` puts the file where the dash is.",
    )
    chat.add_argument("prompt", nargs="*", metavar="PROMPT", help="answer this and end; `-` is standard input")
    chat.add_argument("--model", default="auto", help="model id, engine/model or a name of yours (default auto)")
    chat.add_argument("--system", default="", metavar="TEXT", help="how the model should behave")
    chat.add_argument("--url", help="base URL of another server, like http://127.0.0.1:8888/v1")
    chat.add_argument("--key", help="its API key (default: this installation's own)")


def run(args: argparse.Namespace) -> int:
    """Do what `add_to` parsed. Returns the exit status; errors are a sentence on standard error."""
    from adapter.terminal.chat import INTERRUPTED, Chat
    from adapter.terminal.conversation import Conversation
    from adapter.terminal.screen import Screen

    try:
        base_url, key = _server(args.url, args.key)
        question = _question(args.prompt)
    except (configuration.SettingsError, KeyFileError, ValueError) as exc:
        print(f"farmhand: {exc}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a model may answer with letters that this terminal lacks
    chat = Chat(
        base_url, key, Conversation(args.model, args.system), Screen(sys.stdout, sys.stderr), input
    )
    if question is not None:
        return chat.once(question)
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # gives `input` editing and the lines typed before
    return chat.converse()


def _server(url: str | None, key: str | None) -> tuple[str, str | None]:
    """Base URL and key. Raises `SettingsError`, `KeyFileError`, `ValueError`.

    The key of this installation is sent to this machine only: another server has no business with it.
    """
    if key is not None and not (key and all("!" <= char <= "~" for char in key)):
        raise ValueError("--key: a key has no spaces, line breaks or letters beyond ASCII; copy it anew")
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--url: {url!r} must look like http://127.0.0.1:8888/v1")
        if key is None and is_loopback(parts.hostname):
            key = load_or_create_key(configuration.load().home)
        return url.rstrip("/"), key
    config = configuration.load()
    if config.server.port == 0:
        raise ValueError("server.port is 0, so the port changes with each start; give the address with --url URL")
    return local_url(config.server.host, config.server.port), key or load_or_create_key(config.home)


def _question(prompt: list[str]) -> str | None:
    """What to ask once; `None` for a conversation. Raises `ValueError` if there is nothing to ask."""
    if not prompt and sys.stdin.isatty():
        return None
    words = [_piped() if word == "-" else word for word in prompt or ["-"]]
    question = " ".join(words).strip()
    if not question:
        raise ValueError("there is nothing to ask: standard input is empty; write the question behind `farmhand chat`")
    return question


def _piped() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as exc:
        raise ValueError("standard input is no text") from exc
