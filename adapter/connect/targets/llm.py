"""llm, the command line: models of its own file, and the key by name in its store of keys.

The file has no variables; `api_key_name` is its reference (`protocols/clients.md` 11, and the program itself).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapter.connect.parts import Connection, Document, Put, PutEntries, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import Model, Options, Truth, Where

# One question of one's own, streamed, a process each (`protocols/clients.md` 3, 4). Its size [est].
PROFILE = Profile(prompt_tokens=100, schema=True, byte_s=600.0)

KEY = "farm"
MODELS, KEYS = "extra-openai-models.yaml", "keys.json"
# Written by `llm keys set` as well.
NOTE = "This file stores secret API credentials. Do not share!"


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    file = options.file or folder(where) / MODELS
    others = tuple(model for model in truth.chats if model.id != truth.model.id)
    entries = (_entry(KEY, truth.model, truth), *(_entry(f"{KEY}/{model.id}", model, truth) for model in others))
    keys = (Put(("// Note",), NOTE, absent_only=True), Put((KEY,), Secret(truth.key)))
    return Connection(
        (
            Document(file, "yaml", (PutEntries((), entries, _ours),), head="Models of llm at servers that speak OpenAI's language."),
            Document(file.with_name(KEYS), "json", keys, private=True),
        ),
        (
            f'Ask with `llm -m {KEY} "Say hello."`; `llm models default {KEY}` makes it the usual one; `llm models -q {KEY}` lists the others.',
            "For vectors llm needs a plugin of its own; this configures chats only.",
        ),
    )


def folder(where: Where) -> Path:
    """Of `llm logs path`: LLM_USER_PATH, else where the library click puts a program's files."""
    if where.env.get("LLM_USER_PATH"):
        return Path(where.env["LLM_USER_PATH"])
    if where.platform == "darwin":
        return where.user / "Library" / "Application Support" / "io.datasette.llm"
    return Path(where.env.get("XDG_CONFIG_HOME") or where.user / ".config") / "io.datasette.llm"


def _entry(name: str, model: Model, truth: Truth) -> dict[str, Any]:
    abilities = {"supports_schema": "response_format", "supports_tools": "tools", "vision": "vision"}
    return {
        "model_id": name,
        "model_name": model.id,
        "api_base": truth.base_url,
        "api_key_name": KEY,
        **{word: True for word, ability in abilities.items() if model.does(ability)},
    }


def _ours(entry: Any) -> bool:
    """One of another name is the user's, though it has our key."""
    return isinstance(entry, dict) and entry.get("api_key_name") == KEY and f"{entry.get('model_id')}/".startswith(f"{KEY}/")
