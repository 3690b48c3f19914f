"""`farmhand status`: asks a running server whether it is ready, and says so. Without aiohttp, so that it is quick."""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapter.configuration import SettingsError
from adapter.keys import KeyFileError
from adapter.terminal.address import server
from adapter.terminal.bounded import read_bounded
from adapter.terminal.report import report

READY, NOT_READY, NOBODY = 0, 1, 2
# Engines say within about 2 s how they are, and the server asks all at once.
ANSWER_S = 10.0
WIDTH = 80


class NoAnswer(Exception):
    """Why nothing is known: a sentence, with what to type."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `/ready` said. body: its JSON object."""

    is_ready: bool
    body: dict[str, Any]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `status` to the parser of `farmhand`; `run` does what was parsed."""
    status = commands.add_parser(
        "status",
        help="say what a running server and its engines do",
        epilog="Exit status: 0 ready, 1 not ready, 2 nobody there.",
    )
    status.add_argument("--json", action="store_true", help="print what the server says as JSON")
    status.add_argument("--url", help="base URL of another server, like http://127.0.0.1:8888/v1")
    status.add_argument("--key", help="its API key (default: this installation's own)")


def run(args: argparse.Namespace) -> int:
    """Do what `add_to` parsed. Returns 0 if the server is ready, 1 if it is not, 2 if it could not be asked."""
    try:
        base_url, key = server(args.url, args.key)
        answer = ask(base_url, key)
    except (NoAnswer, SettingsError, KeyFileError, ValueError) as exc:
        if args.json:
            _print(json.dumps({"status": "unknown", "detail": str(exc)}))
        else:
            sys.stderr.write(f"farmhand: {exc}\n")
        return NOBODY
    if args.json:
        _print(json.dumps(answer.body, indent=2))
    else:
        _print("\n".join(report(answer.body, base_url, width=_width())))
    return READY if answer.is_ready else NOT_READY


def ask(base_url: str, key: str | None) -> Answer:
    """`GET /ready` of the server at `base_url` (with its `/v1`). Raises `NoAnswer`."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_S)
    except (ValueError, http.client.InvalidURL):
        raise NoAnswer(f"--url: {base_url!r} is no address; write http://127.0.0.1:8888/v1") from None
    path = parts.path.rstrip("/").removesuffix("/v1") + "/ready"
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        data = read_bounded(response, ANSWER_S)
    except TimeoutError:
        raise NoAnswer(f"{base_url} does not answer within {ANSWER_S:g} s.") from None
    except (OSError, http.client.HTTPException, UnicodeError) as exc:
        why = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        raise NoAnswer(f"Nobody answers at {base_url} ({why}). Start it with: farmhand serve") from None
    finally:
        connection.close()
    return _understood(response.status, data, base_url)


def _understood(status: int, data: bytes, base_url: str) -> Answer:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if status not in (200, 503) or not isinstance(body, dict) or body.get("status") not in ("ready", "not ready"):
        raise NoAnswer(f"{base_url} answers, but not as Farmhand does (status {status}); is something else running there?")
    return Answer(body["status"] == "ready", body)


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH


def _print(text: str) -> None:
    """Letters that this terminal lacks are shown as `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
