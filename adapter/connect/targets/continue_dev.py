"""Continue, in VS Code, JetBrains and the terminal: entries of `models` in its config.yaml.

Address and key stand in the `.env` beside it, which both the extensions and `cn` read for `${{ secrets.NAME }}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter.connect.parts import Connection, Document, EnvFile, Put, PutEntries, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Model, Options, Truth, Where

# Seen on the wire of `cn` 1.5.47, one "say hi": 279 + 846 tokens with the 9 tools that `-p` has, 279 + 1,253 with the 11 of
# `--auto`. Inside it is OpenAI's SDK 5.23.2, without Node's `fetch`: 600 s until the head of a stream [src].
PROFILE = Profile(prompt_tokens=1_532, tools=11, answer_tokens=512, byte_s=600.0)

# It keeps this much of the context free for an answer, and a fifth besides, before it shortens a conversation.
ANSWER_SHARE = 4
ANSWER_TOKENS = 4_096
# Its own limit for one piece of a file, in tokens.
CHUNK_TOKENS = 512

_URL = f"${{{{ secrets.{URL_VARIABLE} }}}}"
_KEY = f"${{{{ secrets.{KEY_VARIABLE} }}}}"
_NAMED = "Farmhand "


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    config = options.file or _folder(where) / "config.yaml"
    variables: tuple[tuple[str, str | Secret], ...] = (
        (URL_VARIABLE, truth.base_url),
        (KEY_VARIABLE, Secret(truth.key)),
    )
    edits = (
        # What Continue refuses a file without.
        Put(("name",), "Local", absent_only=True),
        Put(("version",), "1.0.0", absent_only=True),
        Put(("schema",), "v1", absent_only=True),
        PutEntries(("models",), tuple(_entries(truth)), _is_ours),
    )
    return Connection(
        (Document(config, "yaml", edits), EnvFile(_folder(where) / ".env", variables)),
        tuple(_notes(truth)),
    )


def _folder(where: Where) -> Path:
    moved = where.env.get("CONTINUE_GLOBAL_DIR")
    return Path(moved) if moved else where.user / ".continue"


def _entries(truth: Truth) -> list[dict[str, Any]]:
    embedder = truth.embedder
    return [_chat(truth.model)] if embedder is None else [_chat(truth.model), _embed(embedder)]


def _chat(model: Model) -> dict[str, Any]:
    abilities = [word for word, can in (("tool_use", "tools"), ("image_input", "vision")) if model.does(can)]
    entry = {**_server(model), "roles": ["chat", "edit", "apply"], "capabilities": abilities}
    limits = _limits(model)
    return {**entry, "defaultCompletionOptions": limits} if limits else entry


def _embed(model: Model) -> dict[str, Any]:
    chunk = min(CHUNK_TOKENS, model.context_tokens or CHUNK_TOKENS)
    return {**_server(model), "roles": ["embed"], "embedOptions": {"maxChunkSize": chunk, "maxBatchSize": 16}}


def _server(model: Model) -> dict[str, Any]:
    return {"name": f"{_NAMED}{model.id}", "provider": "openai", "model": model.id, "apiBase": _URL, "apiKey": _KEY}


def _limits(model: Model) -> dict[str, int]:
    """Where nothing is said it takes 200,000 tokens for granted."""
    if not model.context_tokens:
        return {}
    answer = min(model.max_output_tokens or ANSWER_TOKENS, model.context_tokens // ANSWER_SHARE, ANSWER_TOKENS)
    return {"contextLength": model.context_tokens, "maxTokens": answer}


def _is_ours(entry: Any) -> bool:
    """One of another name is the user's, though it asks here: for autocomplete, say."""
    return isinstance(entry, Mapping) and entry.get("apiBase") == _URL and str(entry.get("name")).startswith(_NAMED)


def _notes(truth: Truth) -> list[str]:
    notes = [
        "The terminal's command is `cn` (npm install -g @continuedev/cli); in an editor choose the model in Continue's list.",
        "Autocomplete is not set up: it asks at every pause of your typing, which a phone cannot keep up with.",
    ]
    if not truth.model.does("tools"):
        notes.insert(0, "The model cannot call tools, so Continue's agent mode does not work with it; chat and edit do.")
    return notes
