"""The name by which a proxy offers a model: one rule for all of them. Pure.

A handle equals the canonical model id. Canonical is what is left of an id without whose it is and where it is served:

1. what comes after the last `/`, since before it stand vendors, routers and folders (`qwen/Qwen3:14b`, `openrouter/meta/llama`);
2. in lower case;
3. without `.gguf` or `:latest` at its end, which say nothing about the model;
4. with a dash for everything but letters a to z, digits, `.`, `_` and `-`: Ollama's tag behind `:`, blanks, `+`;
5. with one dash for several, and none, and no dot, at either end.

`qwen/Qwen3:14b` -> `qwen3-14b`; `gemma-3n-E2B-it-Q4_K_M.gguf` -> `gemma-3n-e2b-it-q4_k_m`; `auto` -> `auto`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SAYS_NOTHING = re.compile(r"(\.gguf|:latest)$")
_OTHER = re.compile(r"[^a-z0-9._-]+")
_DASHES = re.compile(r"-{2,}")


def handle(model_id: str) -> str:
    """The handle of a model id; "" for one in which nothing is left (`///`, `:::`)."""
    name = _SAYS_NOTHING.sub("", model_id.strip().rstrip("/").rpartition("/")[2].lower())
    return _DASHES.sub("-", _OTHER.sub("-", name)).strip("-.")


def handles(model_ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The handles of the models of one server, in their order, and a sentence for each that could not have the one of the rule.

    An id that is its own handle always keeps it: it is what clients of the server say already. Of the others the first takes it; one that comes too
    late, or of which the rule leaves nothing, is called by its whole id with dashes for slashes (`lab-qwen3-14b`), numbered if even that is taken.
    """
    given: dict[int, str] = {index: model_id for index, model_id in enumerate(model_ids) if handle(model_id) == model_id}
    taken = set(given.values())
    said: dict[int, str] = {}
    for index, model_id in enumerate(model_ids):
        if index in given:
            continue
        wanted = handle(model_id)
        given[index] = wanted if wanted and wanted not in taken else _whole(model_id, taken)
        if given[index] != wanted:
            said[index] = _sentence(model_id, wanted, given[index])
        taken.add(given[index])
    return tuple(given[index] for index in range(len(model_ids))), tuple(said.values())


def _whole(model_id: str, taken: set[str]) -> str:
    base = handle(model_id.replace("/", "-")) or "model"
    return next(name for name in _numbered(base, len(taken) + 2) if name not in taken)


def _numbered(base: str, count: int) -> list[str]:
    return [base, *(f"{base}-{number}" for number in range(2, count + 2))]


def _sentence(model_id: str, wanted: str, name: str) -> str:
    if not wanted:
        return f"The id {model_id!r} has nothing that could be a name; it is called {name}."
    return f"{model_id!r} would be called {wanted} too, like another model of the same server; it is called {name}."
