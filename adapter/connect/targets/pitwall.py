"""Pitwall's bridge: its warm path and its agents, which read the same variables (`protocols/pitwall.md` 2 to 5)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from adapter.connect.parts import Connection, Default, EnvFile, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# Path A: a prompt of 892 tokens is on record (3), 30 s for the socket. Path B: 45 s for a run, nine agents at once and one after them (5), two or
# three tools each [est]. Plain answers both.
PROFILE = Profile(prompt_tokens=900, tools=3, answer_tokens=512, stream=False, byte_s=30.0, whole_s=45.0, parallel=10)

WARM_S, AGENTS_S = 30, 45
# Of an agent's run two requests or more have to fit (5), so half of it is for one.
DEADLINE_S = AGENTS_S // 2
# What a driver's session may grow to (2), and what of it a context takes: English, four characters a token, with room for tools and the answer.
CHAR_BUDGET, LEAST_CHARS = 60_000, 4_000
CHARS_PER_TOKEN, ANSWER_AND_TOOLS = 3, 1_024
COMPACT_BELOW_TOKENS = 8_192
FILE = "pitwall.env"


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    file = options.file or where.user / FILE
    variables = EnvFile(file, tuple(_variables(truth)), export=True)
    return Connection((variables,), tuple(_notes(truth, f"~/{FILE}" if options.file is None else shlex.quote(str(file)))))


def _variables(truth: Truth) -> Iterator[tuple[str, str | Secret | Default]]:
    name = model_name(truth.model.id)
    # The newer names go first where both are read; older builds know only the others.
    for before in ("PITWALL_ADK_OPENAI", "PITWALL_LITERT"):
        yield f"{before}_URL", truth.base_url
        yield f"{before}_MODEL", name
        yield f"{before}_API_KEY", Secret(truth.key)
    yield "LOCALLLM_URL", truth.base_url
    yield "LOCALLLM_MODEL", name
    yield "PITWALL_LITERT_HTTP_TIMEOUT_S", Default(str(WARM_S))
    yield "PITWALL_ADK_TIMEOUT_S", Default(str(AGENTS_S))
    if context := truth.model.context_tokens:
        fitting = (context - ANSWER_AND_TOOLS) * CHARS_PER_TOKEN
        yield "PITWALL_ADK_CHAR_BUDGET", Default(str(min(CHAR_BUDGET, max(LEAST_CHARS, fitting))))
        if context < COMPACT_BELOW_TOKENS:
            yield "PITWALL_COMPACT_PROMPTS", Default("1")


def model_name(model_id: str) -> str:
    """LiteLLM takes an id with a slash for another provider's unless that says `openai/` itself (4.1); the adapter takes both."""
    return f"openai/{model_id}" if "/" in model_id and not model_id.startswith("openai/") else model_id


def _notes(truth: Truth, file: str) -> Iterator[str]:
    yield f"The bridge reads its environment only when it starts: put `. {file}` before the line that starts it, and start it anew."
    yield (
        f"Without these it asks port 8099, and its phone script port 8080, which are LocalLLM's own; with them both ask {truth.base_url}. "
        "That script also sends the key `local`: let it pass PITWALL_ADK_OPENAI_API_KEY on instead."
    )
    yield (
        f"The warm path waits {WARM_S} s for a plain answer and the agents {AGENTS_S} s for a whole run. The token that --write makes has a "
        f"deadline of {DEADLINE_S} s, so that what cannot be had by then is refused at once; for another key: deadline_s = {DEADLINE_S} in its [[key]]."
    )
    yield "On Termux google-adk may not install; the bridge then lives on the warm path alone."
    yield "Pitwall's Android app sends no key (its own client): it works only where [auth] required = false."
