"""`farmhand models verify`: is a file still what it was when it came?"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.engines.llama.model_file import DEMO
from adapter.models import check
from adapter.models.facts import Facts, read_facts, write_json
from adapter.models.failures import ModelsError
from adapter.models.part import facts_path
from adapter.models.store import Store


@dataclass(frozen=True, slots=True)
class Verdict:
    """text goes behind the model's name."""

    ok: bool
    text: str


def verify(store: Store, name: str) -> Verdict:
    """Reads the whole file. One that Farmhand did not fetch has its SHA-256 written down, so that later damage shows.

    Raises `ModelsError` if there is no such model or it cannot be read.
    """
    path = store.path_of(name)
    if problem := check.problem_of(path):
        return Verdict(False, f"damaged: {problem}")
    if path.name == f"{DEMO}.gguf":
        return Verdict(True, "ok (its head; it comes with Farmhand)")
    facts = read_facts(facts_path(path))
    digest = check.sha256_of(path)
    if facts is None:
        return Verdict(True, f"ok (its head; {_remember(store, name, digest)})")
    if digest != facts.sha256:
        return Verdict(
            False,
            f"damaged: its SHA-256 is {digest}, it was {facts.sha256}; fetch it again: "
            f"farmhand models rm {path.name.removesuffix('.gguf')} && farmhand models pull {facts.origin}",
        )
    return Verdict(True, f"ok (SHA-256 {digest})")


def _remember(store: Store, name: str, digest: str) -> str:
    path = store.path_of(name)
    try:
        write_json(facts_path(path), Facts("", digest, path.stat().st_size, "computed"))
    except OSError as exc:
        raise ModelsError(f"{facts_path(path)} cannot be written: {exc.strerror}") from exc
    return f"its SHA-256 {digest} is written down now"
