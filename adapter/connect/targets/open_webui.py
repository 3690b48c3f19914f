"""Open WebUI, by its environment (`protocols/clients.md` 3 and 11; 0.12.4)."""

from __future__ import annotations

from collections.abc import Iterator

from adapter.connect.parts import Connection, Default, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# One "hi" from its page is 28 built-in tools and next to no text (8.4); title, tags and follow-up questions come right after it, at once (3).
# It has no time-out of its own [src]. The small form is without built-in tools.
PROFILE = Profile(prompt_tokens=5_200, small_prompt_tokens=200, tools=28, byte_s=None, parallel=4)

FILE = "open-webui.env"
TOOLS_TOKENS = 5_200
ROOM_TOKENS = 2_048
# Each is a request of its own beside the answer (its `config.py`).
BACKGROUND = ("ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION", "ENABLE_FOLLOW_UP_GENERATION")


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    file = options.file or where.here / FILE
    bare = options.small or not _fits_tools(truth)
    start = Snippet("To start it with these", "sh", f"set -a; . {_shell(str(file))}; set +a\nopen-webui serve")
    return Connection((EnvFile(file, tuple(_variables(truth, bare=bare))), start), tuple(_notes(truth, str(file), bare=bare)))


def _fits_tools(truth: Truth) -> bool:
    context = truth.model.context_tokens
    return truth.model.does("tools") and (not context or context >= TOOLS_TOKENS + ROOM_TOKENS)


def _variables(truth: Truth, *, bare: bool) -> Iterator[tuple[str, str | Secret | Default]]:
    yield "OPENAI_API_BASE_URL", truth.base_url
    yield "OPENAI_API_KEY", Secret(truth.key)
    yield "ENABLE_OLLAMA_API", Default("False")
    yield "DEFAULT_MODELS", truth.model.id
    for name in BACKGROUND:
        yield name, Default("False")
    if bare:
        yield "DEFAULT_MODEL_METADATA", Default('{"capabilities": {"builtin_tools": false}}')


def _notes(truth: Truth, file: str, *, bare: bool) -> Iterator[str]:
    yield (
        "It keeps such settings in its database from its first start on, and heeds the environment no more: where it has run before, set them under "
        "Admin Panel > Settings (Connections: address and key; Interface: titles, tags, follow-up questions), or start it with "
        "ENABLE_PERSISTENT_CONFIG=False."
    )
    yield (
        "Titles, tags and follow-up questions are switched off: they are three more requests after each message, which a phone answers one after "
        "the other."
    )
    if bare:
        yield (
            f"Its {PROFILE.tools} built-in tools are switched off, since they alone are {TOOLS_TOKENS:,} tokens; for one model it is "
            "Admin Panel > Settings > Models > the model > Capabilities > Builtin Tools."
        )
    quotes = ", and take off the single quotes in that file, which Docker keeps" if bare else ""
    yield (
        f"With Docker: --env-file {file}{quotes}. 127.0.0.1 is the container itself then: add --network host, or give --url with this machine's "
        "address."
    )


def _shell(text: str) -> str:
    """For a line to paste."""
    return text if all(char.isalnum() or char in "/._-" for char in text) else "'" + text.replace("'", "'\\''") + "'"
