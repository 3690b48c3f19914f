"""`farmhand connect NAME`: flags -> what is true of the server -> the client's configuration, shown, written, tried."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter.connect.target import TARGETS, ConnectError, Target, target

if TYPE_CHECKING:
    from adapter.connect.gather import Gathered, Wanted
    from adapter.connect.parts import Connection
    from adapter.connect.write import Written

DONE, NOT_DONE, WRONG_FLAGS, INTERRUPTED = 0, 1, 2, 130
WIDTH = 100
# --check: of all requests together, in seconds.
LIMIT_S = 240.0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `connect` to the parser of `farmhand`; `run` does what was parsed."""
    connect = commands.add_parser(
        "connect",
        help="make the configuration of a client, and try it",
        description="Without --write the configuration is shown and nothing is changed.",
        epilog="Exit status: 0 done, 1 it could not be done or --check found what fails, 2 wrong flags.",
    )
    connect.add_argument("name", nargs="?", metavar="NAME", help="which client; without it they are listed")
    connect.add_argument("--list", action="store_true", help="list the clients")
    connect.add_argument("--write", action="store_true", help="edit the client's own files, each with a backup")
    connect.add_argument("--check", action="store_true", help="call the server as this client does, and say what would fail")
    connect.add_argument("--record", action="store_true", help="openclaw: keep its prompt ready in the embedded engine, for a quick first turn")
    connect.add_argument("--model", metavar="M", help="the model to use (default: auto)")
    connect.add_argument("--url", metavar="BASE", help="base URL of another server, like http://192.168.1.7:8888/v1")
    connect.add_argument("--key", metavar="K", help="its key; - reads it from standard input (or FARMHAND_KEY)")
    connect.add_argument("--file", metavar="F", type=Path, help="the client's file, where it is not in its usual place")
    connect.add_argument("--phone", metavar="URL", action="append", default=[], help="a further phone, for litellm; may be repeated")
    connect.add_argument("--small", action="store_true", help="for a small context, at the cost of abilities")
    connect.add_argument("--limit", metavar="SECONDS", type=_seconds, default=LIMIT_S, help=f"of --check (default {LIMIT_S:g})")
    connect.add_argument("--show-key", action="store_true", help="show keys in full")
    connect.add_argument("--json", action="store_true", help="for programs")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; use one from 1 to 86400")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Do what `add_to` parsed. Returns the exit status; errors are a sentence on standard error."""
    if args.name is None or args.list:
        return _list(as_json=args.json)
    try:
        client = target(args.name)
    except ConnectError as exc:
        return _fail(str(exc), WRONG_FLAGS)
    from adapter.connect.write import WriteError

    try:
        if args.record:
            from adapter.connect.record_cli import run_record

            _print(run_record(args.name, os.environ, as_json=args.json))
            return DONE
        return _run(client, args)
    except (ConnectError, WriteError) as exc:
        return _fail(str(exc), NOT_DONE)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(client: Target, args: argparse.Namespace) -> int:
    from adapter.connect.gather import gather

    wanted = _wanted(client, args)
    gathered = gather(wanted, os.environ, sys.stdin)
    connection, status = _connection(client, gathered, args)
    written = None
    if args.write:
        gathered, connection, written = _written(client, wanted, gathered, connection)
    told: dict[str, Any] = _for_programs(args, gathered, connection, written) if args.json else {}
    if not args.json:
        _show(args, gathered, connection, written)
    if args.check:
        from adapter.connect.check import check

        verdict = check(client.PROFILE, gathered, limit_s=args.limit, progress=_progress(args))
        told["check"] = verdict.for_programs()
        if not args.json:
            _print(["", *verdict.lines(args.name, _width())])
        status = NOT_DONE if verdict.fails else status
    if args.json:
        _print([json.dumps(told, indent=2, default=str)])
    return status


def _connection(client: Target, gathered: Gathered, args: argparse.Namespace) -> tuple[Connection, int]:
    """With `--check` alone, why it cannot be made is one of the things that are said, and the rest is tried all the same."""
    from adapter.connect.parts import Connection

    try:
        return client.connection(gathered.truth, gathered.where, gathered.options), DONE
    except ConnectError as exc:
        if args.write or not args.check:
            raise
        return Connection((), (str(exc),)), NOT_DONE


def _wanted(client: Target, args: argparse.Namespace) -> Wanted:
    from adapter.connect.gather import Wanted

    return Wanted(
        name=args.name, url=args.url, key=args.key, model=args.model, phones=tuple(args.phone), small=args.small,
        deadline_s=getattr(client, "DEADLINE_S", None), rate=getattr(client, "RATE", None),
        file=None if args.file is None else _file(args.file),
    )  # fmt: skip


def _file(path: Path) -> Path:
    try:
        return Path(os.path.abspath(path.expanduser()))
    except RuntimeError:
        raise ConnectError(f"--file: {path}: there is no such user") from None
    except OSError:
        raise ConnectError("the current folder is not there any more; go to another one first") from None


def _written(client: Target, wanted: Wanted, gathered: Gathered, connection: Connection) -> tuple[Gathered, Connection, list[Written]]:
    from datetime import datetime

    from adapter.connect.gather import with_key_of_its_own
    from adapter.connect.write import try_out, write

    try_out(connection.parts)  # before there is a key for nothing
    gathered = with_key_of_its_own(gathered, wanted)
    connection = client.connection(gathered.truth, gathered.where, gathered.options)
    return gathered, connection, write(connection.parts, datetime.now())


# --- what is said -------------------------------------------------------------------------------------------


def _list(*, as_json: bool) -> int:
    if as_json:
        _print([json.dumps({name: who for name, (_, who) in TARGETS.items()}, indent=2)])
        return DONE
    column = max(map(len, TARGETS)) + 2
    named = [f"{name:{column}}{who}" for name, (_, who) in TARGETS.items()]
    _print([*named, "", "farmhand connect NAME shows a configuration; --write puts it in place."])
    return DONE


def _show(args: argparse.Namespace, gathered: Gathered, connection: Connection, written: list[Written] | None) -> None:
    from adapter.connect import show

    truth, text = gathered.truth, list[str]()
    size = f", {truth.model.context_tokens:,} tokens of context" if truth.model.context_tokens else ""
    text += [f"Server   {truth.base_url}", f"Model    {truth.model.id}{size}"]
    text += [f"Key      {_key(args, truth.key)}: {gathered.key_is}", ""]
    if args.check and not args.write and connection.parts:  # who wants to know what fails has seen the rest, or will
        _print(text[:-1])
        return
    if written is not None:
        text += [line for one in written for line in _one_written(one)] or ["There is no file to write: what follows is done by hand."]
        text.append("")
    for note in gathered.notes:
        text += show.note_lines(note, _width())
    text += [""] * bool(gathered.notes)
    text += show.lines(connection, key=truth.key, show_key=args.show_key, snippets_only=written is not None, width=_width())
    if written is None and any(hasattr(part, "path") for part in connection.parts):
        text += ["", f"Nothing was written. To put it in place: farmhand connect {args.name} --write"]
    while text and not text[-1]:
        text.pop()
    _print(text)


def _one_written(one: Written) -> list[str]:
    if one.change == "unchanged":
        return [f"{one.path} has all of it already; nothing was changed."]
    said = f"Made {one.path}" if one.change == "created" else f"Changed {one.path}"
    return [said, *([f"  as it was: {one.backup}"] if one.backup else [])]


def _for_programs(args: argparse.Namespace, gathered: Gathered, connection: Connection, written: list[Written] | None) -> dict[str, Any]:
    from adapter.connect import show

    truth = gathered.truth
    shown = show.for_programs(connection, key=truth.key, show_key=args.show_key)
    told: dict[str, Any] = {
        "client": args.name,
        "base_url": truth.base_url,
        "model": truth.model.id,
        "context_tokens": truth.model.context_tokens or None,
        "key": _key(args, truth.key),
        "key_is": gathered.key_is,
        "parts": shown["parts"],
        "notes": [*gathered.notes, *shown["notes"]],
    }
    if written is not None:
        told["written"] = [{"path": str(one.path), "change": one.change, "backup": one.backup and str(one.backup)} for one in written]
    return told


def _key(args: argparse.Namespace, key: str) -> str:
    from adapter.connect.gather import NO_KEY
    from adapter.connect.values import mask

    return key if args.show_key or key == NO_KEY else mask(key)


def _progress(args: argparse.Namespace) -> Any:
    """A line that is written over, on a terminal; `None` elsewhere."""
    if args.json or not sys.stderr.isatty():
        return None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text[: _width() - 1]}")
        sys.stderr.flush()

    return show


def _width() -> int:
    return max(40, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)) if sys.stdout.isatty() else WIDTH


def _print(text: list[str]) -> None:
    """Letters that this terminal lacks are shown as `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("\n".join(text).encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _fail(text: str, status: int) -> int:
    sys.stdout.flush()
    print(f"farmhand: {text}", file=sys.stderr, flush=True)
    return status
