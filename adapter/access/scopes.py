"""What a key may do, and which path asks for which of it. Pure.

| scope | paths, each with and without `/v1` |
|---|---|
| `chat` | `/chat/completions`, `/completions`, `/responses` and what is below it, `/search` and what is below it, `/tokenize`, `/detokenize`, Gemini's chats and counts |
| `embed` | `/embeddings`, Gemini's vectors |
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
    "/search": "chat",
    "/tokenize": "chat",
    "/detokenize": "chat",
    "/embeddings": "embed",
    "/metrics": "metrics",
    "/models": None,
    "/health": None,
    "/ready": None,
}

# Gemini's form: `/v1beta/models/NAME:METHOD`. Without a method it describes models, as `/models` does; names may hold
# colons themselves (`llama3:8b`).
# Newer clients ask under `/v1`; those given a base URL that ends with `/v1`, as ours does for everybody else, put
# their version behind it.
GEMINI_ROOTS = ("/v1beta", "/v1/v1beta", "/v1/v1", "/v1")
_GEMINI_MODELS = tuple(f"{root}/models/" for root in GEMINI_ROOTS)
GEMINI_METHODS: Mapping[str, Scope] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "countTokens": "chat",
    "embedContent": "embed",
    "batchEmbedContents": "embed",
}
KEPT_ANSWERS = "/responses/"
BELOW_CHAT = (KEPT_ANSWERS, "/search/")


def needed(path: str) -> Scope | None:
    """The scope that a request for `path` needs; `None`: whichever the key has."""
    if method := gemini_method(path):
        return GEMINI_METHODS[method]
    bare = path.removeprefix("/v1")
    if bare.startswith(BELOW_CHAT):
        return "chat"
    if bare == "/admin" or bare.startswith("/admin/"):
        return "admin"
    return NEEDED.get(bare)


def gemini_method(path: str) -> str:
    """The method that a path in Gemini's form ends with; "" for any other path."""
    name, _, method = path.rpartition(":")
    return method if name.startswith(_GEMINI_MODELS) and method in GEMINI_METHODS else ""


def costs(path: str) -> bool:
    """Does a request for `path` give an engine work, or somebody's search machine? Only those count against a rate; looking up kept answers does not."""
    return needed(path) in USUAL and not path.removeprefix("/v1").startswith(KEPT_ANSWERS)


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """`chat,embed` -> scopes in the order of `SCOPES`, each once. Raises `ValueError` with a sentence."""
    words = {word.strip().lower() for word in text.split(",")} - {""}
    strange = sorted(words - set(SCOPES))
    if strange or not words:
        said = f"{strange[0][:40]!r} is no scope" if strange else "no scope is given"
        raise ValueError(f"{said}; there are {', '.join(SCOPES)}, with commas between them")
    return tuple(scope for scope in SCOPES if scope in words)
