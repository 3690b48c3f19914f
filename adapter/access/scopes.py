"""What a key may do, and which path asks for which of it. Pure.

| scope | paths, each with and without `/v1` |
|---|---|
| `chat` | `/chat/completions`, `/completions`, `/responses` and what is below it, `/search/...`, `/tokenize`, `/detokenize`, and Gemini's `/v1beta/models/...` |
| `embed` | `/embeddings` |
| `admin` | `/admin/...` |
| `metrics` | `/metrics` |
| any key | `/models`, and what is not there |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scope = Literal["chat", "embed", "admin", "metrics"]

SCOPES: tuple[Scope, ...] = ("chat", "embed", "admin", "metrics")
# Of a key about which nothing else was said.
USUAL: tuple[Scope, ...] = ("chat", "embed")

# `None`: any key will do. A test holds every route against this table.
NEEDED: Mapping[str, Scope | None] = {
    "/chat/completions": "chat",
    "/completions": "chat",
    "/responses": "chat",
    "/tokenize": "chat",
    "/detokenize": "chat",
    "/embeddings": "embed",
    "/metrics": "metrics",
    "/models": None,
    "/health": None,
    "/ready": None,
}

# Gemini's form: `/v1beta/models/NAME:METHOD`. Without a method it describes models, as `/models` does.
GEMINI_MODELS = "/v1beta/models/"
BELOW_CHAT = ("/responses/", "/search/")


def needed(path: str) -> Scope | None:
    """The scope that a request for `path` needs; `None`: whichever the key has."""
    if path.startswith(GEMINI_MODELS) and ":" in path:
        return "embed" if path.endswith((":embedContent", ":batchEmbedContents")) else "chat"
    bare = path.removeprefix("/v1")
    if bare.startswith(BELOW_CHAT):
        return "chat"
    if bare == "/admin" or bare.startswith("/admin/"):
        return "admin"
    return NEEDED.get(bare)


def costs(path: str) -> bool:
    """Does a request for `path` give an engine work? Only those count against a rate."""
    return needed(path) in USUAL


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """`chat,embed` -> scopes in the order of `SCOPES`, each once. Raises `ValueError` with a sentence."""
    words = {word.strip().lower() for word in text.split(",")} - {""}
    strange = sorted(words - set(SCOPES))
    if strange or not words:
        said = f"{strange[0][:40]!r} is no scope" if strange else "no scope is given"
        raise ValueError(f"{said}; there are {', '.join(SCOPES)}, with commas between them")
    return tuple(scope for scope in SCOPES if scope in words)
