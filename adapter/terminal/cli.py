"""`farmhand chat`: flags, the address and the key. What it needs beyond that is imported when it runs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys

from adapter import configuration
from adapter.keys import KeyFileError
from adapter.terminal.address import server


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
        base_url, key = server(args.url, args.key)
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
