"""One `farmhand models pull`: the bytes, the checks, the final name."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adapter.models import check, words
from adapter.models.facts import Facts, read_facts
from adapter.models.failures import ModelsError
from adapter.models.fetch import Fetch, Policy, Reporter
from adapter.models.part import Part, facts_path
from adapter.models.sources import Source, refuse_split, store_name
from adapter.models.store import Store


@dataclass(frozen=True, slots=True)
class Pulled:
    """new: False if it was there already."""

    path: Path
    facts: Facts
    new: bool


class Interrupted(Exception):
    """Ctrl-C in the middle; the text says what is kept."""


def free_bytes(folder: Path) -> int:
    """What the file system of `folder` has left for us."""
    return shutil.disk_usage(folder).free


def pull(
    store: Store,
    source: Source,
    report: Reporter,
    *,
    name: str | None = None,
    sha256: str | None = None,
    token: str | None = None,
    policy: Policy | None = None,
    free: Callable[[Path], int] = free_bytes,
) -> Pulled:
    """Fetch, check and keep one model; blocks until it is done. Raises `ModelsError`, `Interrupted`.

    name: under which to keep it, if not the source's own. sha256: what it must have. token: the Hub's.
    """
    file_name = store_name(name or source.file_name)
    refuse_split(source.file_name)
    final = store.folder / file_name
    if there := _already(final, source, sha256):
        return there
    with Part(final) as part:
        if there := _already(final, source, sha256):  # by a pull that ended while this one began
            return there
        fetch = Fetch(source, part, report, free, policy or Policy(), token, sha256)
        _keep_only_what_fits(part, source, sha256, report)
        try:
            asyncio.run(fetch.run())
            return Pulled(final, _finish(part, source, sha256, report), new=True)
        except KeyboardInterrupt:
            raise Interrupted(f"Stopped. {fetch.kept()}") from None


def _already(final: Path, source: Source, sha256: str | None) -> Pulled | None:
    """The model, if it was fetched before. Raises `ModelsError` if another one has its name."""
    if not final.exists():
        return None
    facts = read_facts(facts_path(final))
    stem = final.name.removesuffix(".gguf")
    if facts is None or facts.origin != source.origin:
        whose = f"from {facts.origin}" if facts and facts.origin else "which was not fetched by Farmhand"
        raise ModelsError(
            f"there is a model {stem!r} already, {whose}; keep this one under another name "
            f"(--name NAME) or remove that one first: farmhand models rm {stem}"
        )
    if sha256 and facts.sha256 != sha256:
        raise ModelsError(
            f"{stem!r} is there with the SHA-256 {facts.sha256}, not the one given with --sha256; "
            f"remove it and fetch again: farmhand models rm {stem}"
        )
    return Pulled(final, facts, new=False)


def _keep_only_what_fits(part: Part, source: Source, sha256: str | None, report: Reporter) -> None:
    """A part of something else is given up before anything is asked for."""
    if not part.begun:
        return
    said = part.begun.validators.sha256
    if part.begun.origin != source.origin or (sha256 and said and sha256 != said):
        report.say(f"Starting over: what is here of {part.final.name} belongs to {part.begun.origin}.")
        part.restart()
    else:
        report.say(f"Going on from {words.size(part.have_bytes)}.")


def _finish(part: Part, source: Source, sha256: str | None, report: Reporter) -> Facts:
    """Check what lies on the disk, not what came over the network. Raises `ModelsError`; what is wrong is not kept."""
    if problem := check.problem_of(part.path):
        part.discard()
        raise ModelsError(f"{source.origin} {problem}. Nothing is kept; try again or choose another file.")
    report.say(f"Checking {part.final.name} ...")
    digest = check.sha256_of(part.path)
    said = part.validators.sha256
    wanted = sha256 or said
    if wanted and digest != wanted:
        part.discard()
        raise ModelsError(
            f"{source.origin}: damaged on the way: its SHA-256 is {digest}, it should be {wanted}. "
            "Nothing is kept; fetch it again."
        )
    vouched = "source" if said else "you" if sha256 else "computed"
    commit = part.begun.commit if part.begun else None
    facts = Facts(source.origin, digest, os.path.getsize(part.path), vouched, commit)
    try:
        part.finish(facts)
    except OSError as exc:
        raise ModelsError(f"{part.final} cannot be written: {exc.strerror}") from exc
    return facts
