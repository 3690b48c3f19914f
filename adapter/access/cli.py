"""`farmhand token ...`: flags -> one function each.

Standard output is the token alone, or what was asked for, so that `OPENAI_API_KEY=$(farmhand token new NAME)` works; words about it go to
standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from adapter import configuration
from adapter.access import words
from adapter.access.book import Entry
from adapter.access.durations import parse_duration
from adapter.access.grant import LONGEST_DEADLINE_S, Grant
from adapter.access.rate import parse_rate
from adapter.access.scopes import USUAL, parse_scopes
from adapter.access.store import Store, TokenError
from adapter.caller import OnDeadline, Urgency
from adapter.settings import Settings, is_loopback, local_url

_T = TypeVar("_T")
# A clock before this has not been set since the device started.
BUILT_S = 1_750_000_000
YEARS_10_S = 3_653 * 86_400
INTERRUPTED, WRONG_FLAGS = 130, 2


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `token` and what is below it to the parser of `farmhand`; `run` does what was parsed."""
    token = commands.add_parser("token", help="make, list, show and revoke named keys")
    actions = token.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a token: a key with a name, for any OpenAI client")
    new.add_argument("name", metavar="NAME", help="say who uses it: laptop, openclaw, anna")
    new.add_argument("--scope", metavar="LIST", help="chat, embed, admin, metrics (default: chat,embed)")
    new.add_argument("--expires", metavar="TIME", help="90s, 30min, 12h, 30d, 8w (default: never)")
    new.add_argument("--rate", metavar="N/UNIT", help="60/min; also /s, /h, /day (default: any)")
    new.add_argument("--class", dest="urgency", choices=[u.value for u in Urgency], help="who goes first")
    new.add_argument("--deadline", metavar="TIME", help="how long its program waits for an answer: 30s")
    new.add_argument("--on-deadline", choices=[d.value for d in OnDeadline], default=OnDeadline.REFUSE.value,
                     help="an error, or what there is by then (default: refuse)")  # fmt: skip
    _add_showing(new)
    new.add_argument("--json", action="store_true", help="for programs")
    listing = actions.add_parser("list", help="every key, with its rights and its use")
    listing.add_argument("--json", action="store_true", help="for programs")
    revoke = actions.add_parser("revoke", help="let a token in no more, within a second")
    revoke.add_argument("name", metavar="NAME|ID")
    show = actions.add_parser("show", help="print a token once more")
    show.add_argument("name", metavar="NAME|ID")
    _add_showing(show)


def _add_showing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--qr", action="store_true", help="also as a QR code, with the base URL")
    parser.add_argument("--url", metavar="URL", help="base URL to say (default: this server's own)")


def run(args: argparse.Namespace) -> int:
    """Do what `add_to` parsed. Returns the exit status; errors are a sentence on standard error."""
    try:
        return _ACTIONS[args.action](configuration.load(), args)
    except (TokenError, configuration.SettingsError) as exc:
        return _fail(str(exc), 1)
    except ValueError as exc:
        return _fail(str(exc), WRONG_FLAGS)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fail(text: str, status: int) -> int:
    print(f"farmhand: {text}", file=sys.stderr, flush=True)
    return status


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- new, show ----------------------------------------------------------------------------------------------


def _new(settings: Settings, args: argparse.Namespace) -> int:
    now_s = int(time.time())
    grant, base_url = _grant(args, now_s), _base_url(settings, args)
    if any(entry.name == grant.name for entry in settings.key):
        raise TokenError(f"the configuration has a [[key]] {grant.name!r}; take another name")
    entry, token = Store(settings.home).make(grant, now_s)
    if args.json:
        print(json.dumps(_for_programs(entry, token, base_url), indent=2))
        return 0
    _say(f"The token {entry.grant.name} ({entry.grant.id}) is made: {words.summary(entry.grant, _clock)}.\n")
    _print_token(token, base_url, args)
    where = f"; its base URL is {base_url}" if base_url else ""
    _say(f"\nIt is the API key of any OpenAI client{where}.\nTo see it again: farmhand token show {entry.grant.name}")
    if not settings.auth.required:
        _say("But [auth] required = false lets anybody in without it, except to /admin.")
    return 0


def _show(settings: Settings, args: argparse.Namespace) -> int:
    base_url = _base_url(settings, args)
    _, token = Store(settings.home).show(args.name, time.time())
    _print_token(token, base_url, args)
    return 0


def _grant(args: argparse.Namespace, now_s: int) -> Grant:
    """Raises `ValueError` naming the flag. The id is not chosen yet."""
    if args.expires is not None and now_s < BUILT_S:
        raise ValueError(f"--expires: this device's clock says {_clock(now_s)}, from which no end can be reckoned; set it first")
    expires_s = _flag(args, "expires", lambda text: now_s + parse_duration(text, longest_s=YEARS_10_S))
    return Grant(
        id="",
        name=args.name,
        scopes=_flag(args, "scope", parse_scopes) or USUAL,
        expires_s=expires_s,
        rate=_flag(args, "rate", _rate),
        urgency=Urgency(args.urgency) if args.urgency else None,
        deadline_s=_flag(args, "deadline", lambda text: parse_duration(text, longest_s=LONGEST_DEADLINE_S)),
        on_deadline=OnDeadline(args.on_deadline),
    )


def _rate(text: str) -> str:
    parse_rate(text)
    return text


def _flag(args: argparse.Namespace, name: str, parse: Callable[[str], _T]) -> _T | None:
    text = getattr(args, name)
    try:
        return None if text is None else parse(text)
    except ValueError as exc:
        raise ValueError(f"--{name}: {exc}") from None


def _base_url(settings: Settings, args: argparse.Namespace) -> str | None:
    """What programs are to be told; `None` where nobody can know, since the port changes with each start."""
    if args.url is not None:
        parts = urlsplit(args.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(args.url) > 200 or not args.url.isascii():
            raise ValueError(f"--url: {args.url[:80]!r} must look like http://192.168.1.7:8888/v1")
        return str(args.url).rstrip("/")
    if settings.server.port:
        return local_url(settings.server.host, settings.server.port)
    if args.qr:
        raise ValueError("server.port is 0, so the port changes with each start; give the address with --url URL")
    return None


def _print_token(token: str, base_url: str | None, args: argparse.Namespace) -> None:
    print(token, flush=True)
    if args.qr and base_url:
        _print_code(base_url, token)


def _print_code(base_url: str, token: str) -> None:
    from adapter.access.qr import columns, connection, terminal_lines

    lines = terminal_lines(connection(base_url, token))
    text = "\n".join(lines)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        raise TokenError(f"this terminal ({sys.stdout.encoding}) cannot show a QR code; set LANG to a UTF-8 one") from None
    if sys.stdout.isatty() and (have := os.get_terminal_size(sys.stdout.fileno()).columns) < columns(lines):
        raise TokenError(f"the QR code needs {columns(lines)} columns, and this terminal has {have}; make its letters smaller")
    print(f"\n{text}", flush=True)
    if is_loopback(urlsplit(base_url).hostname or ""):
        _say(f"\n{base_url} is this device itself, or one that adb forwards it to.\nFor another device: --url http://ADDRESS:PORT/v1")


def _for_programs(entry: Entry, token: str, base_url: str | None) -> dict[str, Any]:
    grant = entry.grant
    key = words.Key(
        "token", grant.id, grant.name, grant.scopes, rate=grant.rate, urgency=grant.urgency, deadline_s=grant.deadline_s,
        on_deadline=grant.on_deadline, expires_s=grant.expires_s, made_s=entry.made_s,
    )  # fmt: skip
    return {"token": token, "base_url": base_url, **words.for_programs(key)}


def _clock(time_s: float) -> str:
    """Of this device's time zone."""
    return f"{datetime.fromtimestamp(time_s).astimezone():%Y-%m-%d %H:%M}"


# --- list, revoke -------------------------------------------------------------------------------------------


def _list(settings: Settings, args: argparse.Namespace) -> int:
    from adapter.access import listing

    now_s = time.time()
    found = listing.read(settings, now_s)
    for sentence in found.trouble:
        _say(f"farmhand: {sentence}")
    if args.json:
        gone = [{"id": ident, "name": use.name, "use": words.use_for_programs(use)} for ident, use in found.gone.items()]
        print(json.dumps({"keys": [words.for_programs(key) for key in found.keys], "gone": gone}, indent=2))
        return 0
    blocks = ["\n".join(words.lines(key, now_s, _clock)) for key in found.keys]
    blocks += words.gone(found.gone, now_s)
    if not any(key.kind == "token" for key in found.keys):
        blocks.append(f"No {'token' if blocks else 'key'} yet. To make one: farmhand token new NAME")
    if any(key.use for key in found.keys) or found.gone:
        blocks.append(words.LAG)
    print("\n\n".join(blocks))
    return 0


def _revoke(settings: Settings, args: argparse.Namespace) -> int:
    entry = Store(settings.home).revoke(args.name, int(time.time()))
    if entry is None:
        print(f"No token with the id {args.name} is in the list; if there is one all the same, it is revoked now.")
    else:
        print(f"The token {entry.grant.name} ({entry.grant.id}) is revoked; a running server refuses it within a second.")
    return 0


_ACTIONS = {"new": _new, "list": _list, "revoke": _revoke, "show": _show}
