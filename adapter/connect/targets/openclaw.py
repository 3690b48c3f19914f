"""OpenClaw, the agent gateway (`protocols/clients.md` 8; measured with 2026.9.6)."""

from __future__ import annotations

from pathlib import Path

from adapter.connect.parts import Connection, Document, EnvFile, Generate, Secret
from adapter.connect.profile import Profile
from adapter.connect.targets import claw
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

# Its usual turn, without the user's workspace files, and that with the fewest tools (8.4).
PROFILE = Profile(
    prompt_tokens=7_400,
    small_prompt_tokens=1_700,
    tools=12,
    answer_tokens=1_024,
    min_context_tokens=4_000,
    stream=True,
    byte_s=300.0,
    data_s=900.0,
)

TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"

# `skipBootstrap` only keeps it from writing workspace files; `contextInjection` keeps those that are there out of the prompt.
_NO_FILES = ((("agents", "defaults", "skipBootstrap"), True), (("agents", "defaults", "contextInjection"), "never"))
_FEW_TOOLS = (*_NO_FILES, (("tools", "profile"), "minimal"))

FORMS = (
    claw.Form("full", 11_900, 15_906),
    claw.Form("lean", 7_400, 10_239, _NO_FILES, lost="the workspace's files (AGENTS.md and the like) are left out of its prompt"),
    claw.Form("minimal", 2_400, 3_447, _FEW_TOOLS, lost="no workspace files, and three tools that find the others"),
    claw.Form("no tools", 1_700, 2_400, _FEW_TOOLS, calls=False, lost="no workspace files and no tools; it only talks"),
)
WORDS = claw.Words(
    "OpenClaw",
    TOKEN_VARIABLE,
    FORMS,
    least_context=PROFILE.min_context_tokens,
    provider=(("timeoutSeconds", 900),),  # silence that it bears; a phone computes a first prompt for minutes
)


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    form = claw.form_for(WORDS, claw.context_of(truth.model), small=options.small)
    folder = state_folder(where)
    variables: tuple[tuple[str, str | Secret | Generate], ...] = (
        (URL_VARIABLE, truth.base_url),
        (KEY_VARIABLE, Secret(truth.key)),
        (TOKEN_VARIABLE, Generate("oc-")),
    )
    return Connection(
        (Document(config_file(where, options), "json5", claw.edits(WORDS, truth, form)), EnvFile(folder / ".env", variables)),
        (*claw.notes(WORDS, truth, form), *_after(where, options)),
    )


def state_folder(where: Where) -> Path:
    """Where it keeps sessions and `.env`. The environment goes before that file."""
    given = where.env.get("OPENCLAW_STATE_DIR", "").strip()
    return _path(given, where) if given else where.user / ".openclaw"


def config_file(where: Where, options: Options) -> Path:
    if options.file is not None:
        return options.file
    given = where.env.get("OPENCLAW_CONFIG_PATH", "").strip()
    return _path(given, where) if given else state_folder(where) / "openclaw.json"


def _path(given: str, where: Where) -> Path:
    return where.user / given.removeprefix("~").lstrip("/") if given.startswith("~") else where.here / given


def _after(where: Where, options: Options) -> tuple[str, ...]:
    record = "farmhand connect openclaw --record keeps its prompt ready in the embedded engine, so that the first turn after a boot is quick"
    said = [
        "Behind a LiteLLM proxy an answer that is slow to begin is given up after 300 s; straight at Farmhand it is not." if options.proxied else "",
        f"Then: {record}.",
        "farmhand restart openclaw makes the service read it."
        if where.platform == "android"
        else "A gateway that runs reads it at its next start: openclaw gateway run --port 18789 --bind loopback",
    ]
    return tuple(sentence for sentence in said if sentence)
