"""`farmhand models ...`: flags -> one function each. What a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from adapter import configuration
from adapter.models import words
from adapter.models.failures import ModelsError

if TYPE_CHECKING:
    from adapter.models.store import Entry, Store

INTERRUPTED = 130  # as a shell says for a program that Ctrl-C ended


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `models` and what is below it to the parser of `farmhand`; `run` does what was parsed."""
    models = commands.add_parser("models", help="list, fetch, check and remove models")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what is there, and which one is the default")
    listing.add_argument("--json", action="store_true", help="for programs")
    pull = actions.add_parser("pull", help="fetch a model; goes on where an earlier try ended")
    pull.add_argument("source", metavar="SOURCE", help="hf:owner/repo/file.gguf[@revision], or a URL")
    pull.add_argument("--name", help="keep it under this name (default: the file's own)")
    pull.add_argument("--sha256", metavar="DIGEST", help="what the file must have")
    verify = actions.add_parser("verify", help="are the files what they were when they came?")
    verify.add_argument("name", nargs="?", metavar="NAME", help="default: all")
    remove = actions.add_parser("rm", help="delete a model, or an unfinished download")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    default = actions.add_parser("default", help="which model the embedded engine runs; without NAME: say it")
    default.add_argument("name", nargs="?", metavar="NAME", help="`demo` goes back to the bundled one")
    actions.add_parser("suggest", help="models that suit a phone")


def run(args: argparse.Namespace) -> int:
    """Do what `add_to` parsed. Returns the exit status; errors are a sentence on standard error."""
    from adapter.models.store import Store

    try:
        store = Store(configuration.home_path(os.environ))
        return _ACTIONS[args.action](store, args)
    except (ModelsError, configuration.SettingsError) as exc:
        return _fail(str(exc))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


def _fail(text: str) -> int:
    print(f"farmhand: {text}", file=sys.stderr, flush=True)
    return 1


# --- list ----------------------------------------------------------------------------------------------------


def _list(store: Store, args: argparse.Namespace) -> int:
    entries, unfinished = store.entries(), store.unfinished()
    if args.json:
        found: dict[str, Any] = {
            "models": [_for_programs(entry) for entry in entries],
            "unfinished": [asdict(part) for part in unfinished],
        }
        print(json.dumps(found, indent=2))
        return 0
    rows: list[tuple[str, ...]] = [("", "NAME", "SIZE", "PARAMETERS", "WEIGHTS", "CONTEXT", "FROM")]
    rows += [_row(entry) for entry in entries]
    print("\n".join(words.table(rows, right=frozenset({2, 5}))))
    for entry in entries:
        if entry.problem:
            print(f"{entry.name} {entry.problem}")
    for part in unfinished:
        total = f" of {words.size(part.total_bytes)}" if part.total_bytes else ""
        print(f"Unfinished: {part.name}, {words.size(part.have_bytes)}{total}; to go on:")
        print(f"  farmhand models pull {part.origin}")
    default = store.default()
    if default not in [entry.name for entry in entries]:
        print(f"The default, {default}, is not there; choose another: farmhand models default NAME")
    if len(entries) == 1:
        from adapter.models import suggestions

        print("\nNothing but the demo yet. These suit a phone:\n")
        print("\n".join(suggestions.lines()))
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    origin = entry.facts.origin if entry.facts else "comes with Farmhand" if entry.name == "demo" else ""
    mark, size = "*" if entry.is_default else "", words.size(entry.size_bytes)
    if entry.described is None:
        return mark, entry.name, size, "", "damaged", "", origin
    context = str(entry.described.context_tokens or "")
    return mark, entry.name, size, entry.described.parameters, entry.described.quantisation, context, origin


def _for_programs(entry: Entry) -> dict[str, Any]:
    described = entry.described
    return {
        "name": entry.name,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "default": entry.is_default,
        "architecture": described.architecture if described else None,
        "parameters": (described.parameters or None) if described else None,
        "quantisation": (described.quantisation or None) if described else None,
        "context_tokens": described.context_tokens if described else None,
        "problem": entry.problem,
        "origin": (entry.facts.origin or None) if entry.facts else None,
        "sha256": entry.facts.sha256 if entry.facts else None,
    }


# --- pull ----------------------------------------------------------------------------------------------------


def _pull(store: Store, args: argparse.Namespace) -> int:
    from adapter.models.sources import parse_sha256, parse_source

    settings = configuration.load().models
    source = parse_source(args.source, settings.mirror or _hub_of_environment())
    if not (args.name or source.file_name):
        raise ModelsError("the URL does not end in a file name with .gguf; say what to call it: --name NAME")
    sha256 = parse_sha256(args.sha256) if args.sha256 else None
    # Imported here: the other commands need no aiohttp.
    from adapter.models.fetch import Policy
    from adapter.models.progress import Progress
    from adapter.models.pull import Interrupted, pull

    report = Progress(args.name or source.file_name, sys.stderr)
    try:
        pulled = pull(
            store,
            source,
            report,
            name=args.name,
            sha256=sha256,
            token=_token(),
            policy=Policy(stall_s=settings.stall_s, retries=settings.retries),
        )
    except Interrupted as exc:
        report.say(str(exc))
        return INTERRUPTED
    finally:
        report.end()
    name = pulled.path.name.removesuffix(".gguf")
    if not pulled.new:
        print(f"{name} is there already. To check it: farmhand models verify {name}")
        return 0
    print(f"{name} is there: {words.size(pulled.facts.size_bytes)}, SHA-256 {_vouched(pulled.facts.checked)}.")
    print(f"To run it by default: farmhand models default {name}")
    return 0


def _vouched(checked: str) -> str:
    if checked == "source":
        return "as its source says"
    return "as given" if checked == "you" else "written down (its source gives none)"


def _token() -> str | None:
    token = os.environ.get("HF_TOKEN", "").strip()
    if not all("!" <= char <= "~" for char in token):
        raise ModelsError("HF_TOKEN holds characters that no token has; copy it anew")
    return token or None


def _hub_of_environment() -> str:
    from adapter.models.sources import HUB, parse_base

    named = os.environ.get("HF_ENDPOINT")
    return parse_base(named, "HF_ENDPOINT") if named else HUB


# --- verify --------------------------------------------------------------------------------------------------


def _verify(store: Store, args: argparse.Namespace) -> int:
    from adapter.models.verify import verify

    names = [args.name] if args.name else ["demo", *store.names()]
    damaged = 0
    for name in names:
        verdict = verify(store, name)
        print(f"{name.removesuffix('.gguf')}: {verdict.text}", flush=True)
        damaged += not verdict.ok
    return 1 if damaged else 0


# --- rm, default, suggest ------------------------------------------------------------------------------------


def _remove(store: Store, args: argparse.Namespace) -> int:
    if not args.yes:
        if not sys.stdin.isatty():
            raise ModelsError(f"nobody can be asked here; to delete it: farmhand models rm {args.name} --yes")
        if not _agrees(f"Delete {args.name}? [y/N] "):
            print("It stays.")
            return 0
    was_default = store.default() == args.name.removesuffix(".gguf")
    freed = store.remove(args.name)
    print(f"{args.name} is deleted; {words.size(freed)} are free again.")
    if was_default:
        print("It was the default; now the demo is. To choose another: farmhand models default NAME")
    return 0


def _agrees(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False


def _default(store: Store, args: argparse.Namespace) -> int:
    decides = configuration.names_engines()
    if args.name is None:
        print(store.default())
    else:
        entry = store.choose(args.name)
        print(f"The embedded engine runs {entry.name} from its next start on.")
    if decides:
        print(
            f"But {decides} names its engines itself, and so it decides: set `model` in its [[engine]] "
            'of kind "llama".',
            file=sys.stderr,
        )
    return 0


def _suggest(store: Store, args: argparse.Namespace) -> int:
    from adapter.models import suggestions

    print("\n".join(suggestions.lines()))
    return 0


_ACTIONS = {
    "list": _list,
    "pull": _pull,
    "verify": _verify,
    "rm": _remove,
    "default": _default,
    "suggest": _suggest,
}
