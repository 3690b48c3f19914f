"""Clawdbot, OpenClaw's older name (`protocols/clients.md` 8.5; measured with 2026.1.24-3)."""

from __future__ import annotations

from pathlib import Path

from adapter.connect.parts import Connection, Document, EnvFile, Generate, Secret
from adapter.connect.profile import Profile
from adapter.connect.targets import claw
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

PROFILE = Profile(
    prompt_tokens=8_200,
    tools=22,
    answer_tokens=1_024,
    min_context_tokens=16_000,
    stream=True,
    byte_s=300.0,
)

TOKEN_VARIABLE = "CLAWDBOT_GATEWAY_TOKEN"
WARNS_BELOW = 32_000

# Sizes of 8.4; what it reckons itself is estimated, as is its share for workspace files: as large as OpenClaw's, 4,500 tokens more.
_NO_FILES = ((("agents", "defaults", "skipBootstrap"), True),)
FORMS = (
    claw.Form("full", 12_700, 17_000),
    claw.Form("lean", 8_200, 11_000, _NO_FILES, lost="no workspace files (AGENTS.md and the like) are made, and so none are in its prompt"),
)
WORDS = claw.Words("Clawdbot", TOKEN_VARIABLE, FORMS, least_context=PROFILE.min_context_tokens)


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    form = claw.form_for(WORDS, claw.context_of(truth.model), small=options.small)
    folder = _state_folder(where)
    variables: tuple[tuple[str, str | Secret | Generate], ...] = (
        (URL_VARIABLE, truth.base_url),
        (KEY_VARIABLE, Secret(truth.key)),
        (TOKEN_VARIABLE, Generate("cb-")),
    )
    return Connection(
        (Document(_config_file(where, options, folder), "json5", claw.edits(WORDS, truth, form)), EnvFile(folder / ".env", variables)),
        (*claw.notes(WORDS, truth, form), *_known_faults(truth)),
    )


def _state_folder(where: Where) -> Path:
    given = where.env.get("CLAWDBOT_STATE_DIR", "").strip()
    return where.here / given if given else where.user / ".clawdbot"


def _config_file(where: Where, options: Options, folder: Path) -> Path:
    if options.file is not None:
        return options.file
    given = where.env.get("CLAWDBOT_CONFIG_PATH", "").strip()
    return where.here / given if given else folder / "clawdbot.json"


def _known_faults(truth: Truth) -> tuple[str, ...]:
    said = ["Clawdbot asks up to 12 times in 20 s when it is refused, and takes an answer that breaks off for a whole one; OpenClaw does neither."]
    if claw.context_of(truth.model) < WARNS_BELOW:
        said.append(f"It warns of contexts below {WARNS_BELOW:,} tokens at each start; it works.")
    return tuple(said)
